//! A device: it takes its identity from flash, finds its gateway, answers with the
//! temperature of the chip, obeys commands to the lamp, and raises an alert when it is
//! warm. Between all that it sleeps.
//!
//! Its life is told in lines of text, for whoever watches.

#![no_std]
#![no_main]

mod apparatus;
mod network;
mod start;

use core::net::SocketAddr;

use iot_crypto::crypto::RustCrypto;
use iot_crypto::time::Instant;
use iot_crypto_embedded::entropy::{EntropySource as _, Generator};
use iot_crypto_embedded::node::Node;
use iot_crypto_firmware::board::Board;
use iot_crypto_firmware::clock::Clock;
use iot_crypto_firmware::entropy::Entropy;
use iot_crypto_firmware::ethernet::{Ethernet, words};
use iot_crypto_firmware::flash::Flash;
use iot_crypto_firmware::power::Power;
use iot_crypto_firmware::say;
use static_cell::StaticCell;

use apparatus::Apparatus;

/// The longest IP packet, in bytes: what every host on IPv4 must be able to take
/// (RFC 791 section 3.1). The gateway is configured with this path MTU.
const MTU: usize = 576;

/// The longest datagram in one, in bytes: without the headers of IPv4 and UDP.
const DATAGRAM: usize = MTU - 20 - 8;

type DeviceBoard = Board<{ words(MTU) }>;
type DeviceEthernet = Ethernet<{ words(MTU) }>;
type DeviceNode =
    Node<RustCrypto<Generator<&'static Entropy>>, SocketAddr, &'static mut Flash, Apparatus>;

/// What drives the node.
struct Machine {
    clock: &'static Clock,
    power: &'static mut Power,
    ethernet: &'static mut DeviceEthernet,
}

impl Machine {
    fn now(&self) -> Instant {
        Instant::from_millis(self.clock.now())
    }

    /// Sleeps until `until`, or until a frame comes.
    fn sleep(&mut self, until: Option<Instant>) {
        self.power.sleep(self.clock, self.ethernet, until.map(Instant::as_millis));
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static BOARD: StaticCell<DeviceBoard> = StaticCell::new();
    static NODE: StaticCell<DeviceNode> = StaticCell::new();

    let Some(board) = DeviceBoard::take() else { semihosting::process::exit(1) };
    let Board { ethernet, clock, power, flash, entropy, thermometer, lamp } = BOARD.init(board);
    say!("started");
    let mut machine = Machine { clock, power, ethernet };
    let apparatus = Apparatus::new(thermometer, lamp, clock);
    let settings = start::settings(flash);
    let mut seed = [0; 8];
    // It only keeps ports from being guessed; without entropy the node doesn't start.
    let _ = (&*entropy).fill(&mut seed);
    let seed = u64::from_le_bytes(seed);
    let parts = start::Parts { flash, entropy, apparatus, settings };
    let node = start::node(&mut machine, parts, &NODE);
    network::run(&mut machine, seed, node)
}
