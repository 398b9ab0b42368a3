//! Shows that each part of the board works: sends back every datagram that comes to UDP
//! port 7 (RFC 862), and tells what the parts say.
//!
//! A datagram that begins with `lamp` switches the lamp; one that begins with `end` ends
//! the program, after it said how deep the stack was.

#![no_std]
#![no_main]

use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
use iot_crypto_embedded::entropy::EntropySource as _;
use iot_crypto_firmware::board::Board;
use iot_crypto_firmware::ethernet::{Frames, words};
use iot_crypto_firmware::flash::{Flash, PAGE};
use iot_crypto_firmware::{say, stack};
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketSet, SocketStorage};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, Ipv4Address};
use static_cell::ConstStaticCell;

/// The port of the echo service.
const PORT: u16 = 7;

/// The address that QEMU's own network gives to its first guest, and its router.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// An IP packet is as long as every IPv6 link must carry (RFC 8200 section 5).
const WORDS: usize = words(1280);

type EchoBoard = Board<WORDS>;

#[cortex_m_rt::entry]
fn main() -> ! {
    static FRAMES: ConstStaticCell<Frames<WORDS>> = ConstStaticCell::new(Frames::new());

    let Some(mut board) = EchoBoard::take(FRAMES.take()) else { semihosting::process::exit(1) };
    say!("started; the stack is ", stack::peak(), " bytes deep");
    match board.thermometer.read(&board.clock) {
        Ok(temperature) => say!("temperature ", temperature, " millidegrees"),
        Err(_) => say!("no temperature"),
    }
    let mut random = [0; 4];
    match (&board.entropy).fill(&mut random) {
        Ok(()) => say!("random ", u32::from_le_bytes(random)),
        Err(_) => say!("no entropy"),
    }
    match count_starts(&mut board.flash) {
        Ok(starts) => say!("start ", starts, " of this flash"),
        Err(_) => say!("no flash"),
    }

    let now =
        |board: &EchoBoard| Instant::from_millis(i64::try_from(board.clock.now()).unwrap_or(0));
    let mut config = Config::new(EthernetAddress(board.ethernet.address()).into());
    config.random_seed = u64::from(u32::from_le_bytes(random));
    let at = now(&board);
    let mut interface = Interface::new(config, &mut board.ethernet, at);
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(ADDRESS), 24));
    });
    let _ = interface.routes_mut().add_default_ipv4_route(ROUTER);
    let (mut received, mut sent) = ([0; 2048], [0; 2048]);
    let (mut received_from, mut sent_to) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let socket = Socket::new(
        PacketBuffer::new(&mut received_from[..], &mut received[..]),
        PacketBuffer::new(&mut sent_to[..], &mut sent[..]),
    );
    let mut storage = [SocketStorage::EMPTY];
    let mut sockets = SocketSet::new(&mut storage[..]);
    let handle = sockets.add(socket);
    if sockets.get_mut::<Socket<'_>>(handle).bind(PORT).is_err() {
        semihosting::process::exit(1);
    }
    say!("listening");
    let mut is_over = false;
    loop {
        let at = now(&board);
        let got = interface.poll_ingress_single(at, &mut board.ethernet, &mut sockets);
        let socket = sockets.get_mut::<Socket<'_>>(handle);
        let mut datagram = [0; 1280];
        if socket.can_send()
            && let Ok((length, from)) = socket.recv_slice(&mut datagram)
        {
            let datagram = datagram.get(..length).unwrap_or_default();
            if datagram.starts_with(b"lamp") {
                let is_on = board.lamp.is_on();
                board.lamp.set(!is_on);
                say!("lamp ", if board.lamp.is_on() { "on" } else { "off" });
            }
            is_over |= datagram.starts_with(b"end");
            // From its own address, also if it was sent to everyone's.
            let _ = socket.send_slice(datagram, from.endpoint);
        }
        interface.poll_egress(at, &mut board.ethernet, &mut sockets);
        // The answer to the last one may have to wait for an address.
        if is_over && sockets.get::<Socket<'_>>(handle).send_queue() == 0 {
            say!("the stack was ", stack::peak(), " bytes deep");
            semihosting::process::exit(0);
        }
        if matches!(got, PollIngressSingleResult::None) {
            let until = interface.poll_at(at, &sockets);
            let until = until.and_then(|until| u64::try_from(until.total_millis()).ok());
            board.power.sleep(&board.clock, &mut board.ethernet, until);
        }
    }
}

/// Counts the starts by clearing one more bit of the first page each time; the page is
/// erased when none is left.
fn count_starts(
    flash: &mut Flash,
) -> Result<u32, <Flash as embedded_storage::nor_flash::ErrorType>::Error> {
    let mut cells = [0; 4];
    flash.read(0, &mut cells)?;
    let marks = u32::from_le_bytes(cells);
    let marks = if marks == 0 {
        flash.erase(0, u32::try_from(PAGE).unwrap_or(0))?;
        u32::MAX
    } else {
        marks
    };
    let marks = marks << 1;
    flash.write(0, &marks.to_le_bytes())?;
    Ok(marks.count_zeros())
}
