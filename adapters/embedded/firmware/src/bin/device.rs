//! A device: finds its gateway, negotiates a key, answers with the temperature of the
//! chip, obeys commands to the lamp, and raises an alert when it is too warm.

#![no_std]
#![no_main]

use core::net::{IpAddr, SocketAddr};

use embedded_storage::nor_flash::ReadNorFlash as _;
use iot_crypto::connection::NetworkKeys;
use iot_crypto::crypto::RustCrypto;
use iot_crypto::device::{Device, DeviceEvent, DeviceTrust};
use iot_crypto::endpoint::{Destination, Endpoint as _, LocalPort};
use iot_crypto::identity::{Authority, Certificate, Endorsement, Endorsements, PrivateIdentity};
use iot_crypto::party::Party;
use iot_crypto::time::{self, WallClock};
use iot_crypto::transmission::{CommandState, ErrorCode, Label, Reading, Value};
use iot_crypto::uplink::{Search, Settings};
use iot_crypto_firmware::board::Board;
use iot_crypto_firmware::clock::Clock;
use iot_crypto_firmware::entropy::{Entropy, NoEntropy};
use iot_crypto_firmware::flash::Flash;
use iot_crypto_firmware::{say, stack};
use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet, SocketStorage,
};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, Ipv4Address};
use static_cell::StaticCell;

/// What the device measures, and what it switches (SPEC.md section 10.3).
const TEMPERATURE: Label<'static> = Label::Number(1);
const SWITCH: Label<'static> = Label::Number(10);

const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const GATEWAY_PORT: u16 = 4441;

/// The longest datagram, in bytes.
const DATAGRAM: usize = 1200;

/// The ports of [`LocalPort::FirstClient`] and [`LocalPort::SecondClient`].
const PORTS: [(LocalPort, u16); 2] =
    [(LocalPort::FirstClient, 49_152), (LocalPort::SecondClient, 49_153)];

struct Generator(Entropy);

impl rand_core::TryRng for Generator {
    type Error = NoEntropy;

    fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(out)
    }
}

impl rand_core::TryCryptoRng for Generator {}

type Provider = RustCrypto<Generator>;
type BoardDevice = Device<Provider, SocketAddr>;

/// The parts of the image in flash: each a length of four bytes, and that many bytes.
fn next_part<'b>(flash: &mut Flash, at: &mut u32, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut length = [0; 4];
    flash.read(*at, &mut length).ok()?;
    let length = u32::from_le_bytes(length);
    let part = buffer.get_mut(..usize::try_from(length).ok()?)?;
    flash.read(at.checked_add(4)?, part).ok()?;
    *at = at.checked_add(4)?.checked_add(length.next_multiple_of(4))?;
    Some(part)
}

#[inline(never)]
fn load(flash: &mut Flash, provider: Provider) -> Option<Party<Provider, DeviceTrust>> {
    let mut buffer = [0; 300];
    let mut at = 0;
    let part = next_part(flash, &mut at, &mut buffer)?;
    let identity = PrivateIdentity::decode(&provider, part).ok()?;
    let part = next_part(flash, &mut at, &mut buffer)?;
    let endorsement = Endorsement::decode(part).ok()?;
    let part = next_part(flash, &mut at, &mut buffer)?;
    let company = Certificate::decode(part).ok()?;
    let part = next_part(flash, &mut at, &mut buffer)?;
    let keys = NetworkKeys::decode(&provider, part).ok()?;
    let mut trust = DeviceTrust::new();
    trust.add_party(&provider, &company, Authority::Full).ok()?;
    let endorsements = Endorsements::new(&[endorsement]).ok()?;
    Party::new(provider, identity, endorsements, trust, keys, WallClock::unknown()).ok()
}

fn serve(device: &mut BoardDevice, now: time::Instant, board: &mut Parts, clock: &Clock) {
    while let Some(event) = device.poll_event() {
        match event {
            DeviceEvent::DataRequest { request, .. } => {
                let temperature = board.thermometer.read(clock);
                let celsius = temperature.map(|it| Value::Float(f64::from(it) / 1000.0));
                let sent = match celsius {
                    Ok(celsius) => device.respond(
                        request,
                        &[
                            Reading::new(TEMPERATURE, celsius),
                            Reading::new(SWITCH, Value::Bool(board.lamp.is_on())),
                        ],
                    ),
                    Err(_) => device.reject(request, ErrorCode::Internal, ""),
                };
                say!("answered ", if sent.is_ok() { "" } else { "not" });
            }
            DeviceEvent::Command { request, label: SWITCH, argument: Value::Bool(on) } => {
                board.lamp.set(on);
                let on = board.lamp.is_on();
                say!("lamp ", if on { "on" } else { "off" });
                let _ = device.report(request, CommandState::Done, Some(Value::Bool(on)));
            }
            DeviceEvent::Command { request, .. } => {
                let _ = device.reject(request, ErrorCode::UnknownLabel, "");
            }
            DeviceEvent::Negotiated { .. } => say!("negotiated"),
            DeviceEvent::Connected { replaced, .. } => {
                say!("connected", if replaced { " anew" } else { "" });
                say!("the stack was ", stack::peak(), " bytes deep");
                if !replaced && let Ok(temperature) = board.thermometer.read(clock) {
                    let value = Value::Float(f64::from(temperature) / 1000.0);
                    let _ = device.alert(
                        now,
                        iot_crypto::transmission::Severity::Warning,
                        Reading::new(TEMPERATURE, value),
                        "warm",
                    );
                }
            }
            DeviceEvent::Disconnected { .. } => say!("disconnected"),
            DeviceEvent::Failed(_) => say!("failed"),
            DeviceEvent::AlertDelivered(_) => say!("alert delivered"),
            _ => {}
        }
    }
}

/// What is left of the board.
struct Parts {
    thermometer: iot_crypto_firmware::thermometer::Thermometer,
    lamp: iot_crypto_firmware::lamp::Lamp,
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static DEVICE: StaticCell<BoardDevice> = StaticCell::new();
    static ETHERNET: StaticCell<iot_crypto_firmware::ethernet::Ethernet> = StaticCell::new();
    static RECEIVED: StaticCell<[[u8; DATAGRAM]; 2]> = StaticCell::new();
    static SENT: StaticCell<[[u8; DATAGRAM]; 2]> = StaticCell::new();
    static BUFFER: StaticCell<[u8; DATAGRAM]> = StaticCell::new();

    let Some(board) = Board::take() else { semihosting::process::exit(1) };
    let Board { ethernet, clock, mut power, mut flash, entropy, thermometer, lamp } = board;
    let mut parts = Parts { thermometer, lamp };
    let ethernet = ETHERNET.init(ethernet);
    say!("started");
    let provider = RustCrypto::new(Generator(entropy));
    let Some(party) = load(&mut flash, provider) else {
        say!("the flash has no identity");
        semihosting::process::exit(1);
    };
    say!("has its identity");
    let core_now = || time::Instant::from_millis(clock.now());
    let now = || Instant::from_millis(i64::try_from(clock.now()).unwrap_or(0));
    let gateway = SocketAddr::new(IpAddr::V4(ROUTER), GATEWAY_PORT);
    let mut settings = Settings::new(Search::At(gateway));
    settings.dtls.max_datagram = DATAGRAM;
    let device = DEVICE.init_with(|| Device::new(party, settings, core_now()));

    let config = Config::new(EthernetAddress(ethernet.address()).into());
    let mut interface = Interface::new(config, ethernet, now());
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(ADDRESS), 24));
    });
    let _ = interface.routes_mut().add_default_ipv4_route(ROUTER);
    let [received_first, received_second] = RECEIVED.init([[0; DATAGRAM]; 2]);
    let [sent_first, sent_second] = SENT.init([[0; DATAGRAM]; 2]);
    let (mut rf, mut rs) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let (mut sf, mut ss) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let mut storage = [SocketStorage::EMPTY; 2];
    let mut sockets = SocketSet::new(&mut storage[..]);
    let first = sockets.add(Socket::new(
        PacketBuffer::new(&mut rf[..], &mut received_first[..]),
        PacketBuffer::new(&mut sf[..], &mut sent_first[..]),
    ));
    let second = sockets.add(Socket::new(
        PacketBuffer::new(&mut rs[..], &mut received_second[..]),
        PacketBuffer::new(&mut ss[..], &mut sent_second[..]),
    ));
    let handle_of = |port| if port == LocalPort::SecondClient { second } else { first };
    for (port, number) in PORTS {
        if sockets.get_mut::<Socket<'_>>(handle_of(port)).bind(number).is_err() {
            semihosting::process::exit(1);
        }
    }
    let buffer = BUFFER.init([0; DATAGRAM]);
    loop {
        let got = interface.poll_ingress_single(now(), ethernet, &mut sockets);
        for (port, _) in PORTS {
            if let Some((length, from)) = receive(&mut sockets, handle_of(port), buffer) {
                let datagram = buffer.get_mut(..length).unwrap_or_default();
                device.handle_datagram(core_now(), port, from, datagram);
            }
        }
        device.handle_timeout(core_now());
        loop {
            while let Ok(Some(sent)) = device.poll_transmit(core_now(), buffer) {
                let datagram = buffer.get(..sent.length).unwrap_or_default();
                if let Destination::Address(to) = sent.to {
                    let socket = sockets.get_mut::<Socket<'_>>(handle_of(sent.from));
                    let _ = socket.send_slice(datagram, smoltcp::wire::IpEndpoint::from(to));
                    interface.poll_egress(now(), ethernet, &mut sockets);
                }
            }
            serve(device, core_now(), &mut parts, &clock);
            if device.poll_timeout().is_none_or(|deadline| deadline.at > core_now()) {
                break;
            }
            device.handle_timeout(core_now());
        }
        interface.poll_egress(now(), ethernet, &mut sockets);
        if matches!(got, PollIngressSingleResult::None) {
            let stack = interface.poll_at(now(), &sockets);
            let stack = stack.and_then(|at| u64::try_from(at.total_millis()).ok());
            let core = device.poll_timeout().map(|deadline| deadline.at.as_millis());
            let until = stack.into_iter().chain(core).min();
            power.sleep(&clock, ethernet, until);
        }
    }
}

/// Takes a datagram from a socket.
fn receive(
    sockets: &mut SocketSet<'_>,
    handle: SocketHandle,
    buffer: &mut [u8],
) -> Option<(usize, SocketAddr)> {
    let (length, from) = sockets.get_mut::<Socket<'_>>(handle).recv_slice(buffer).ok()?;
    let IpAddress::Ipv4(address) = from.endpoint.addr else { return None };
    Some((length, SocketAddr::new(IpAddr::V4(address), from.endpoint.port)))
}
