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
use iot_crypto::device::DeviceTrust;
use iot_crypto::party::Party;
use iot_crypto::time::Instant;
use iot_crypto_embedded::entropy::{EntropySource as _, Generator};
use iot_crypto_embedded::node::Node;
use iot_crypto_embedded::store::Store;
use iot_crypto_firmware::board::Board;
use iot_crypto_firmware::clock::Clock;
use iot_crypto_firmware::entropy::Entropy;
use iot_crypto_firmware::ethernet::{Ethernet, Frames, words};
use iot_crypto_firmware::flash::Flash;
use iot_crypto_firmware::power::Power;
use iot_crypto_firmware::say;
use static_cell::{ConstStaticCell, StaticCell};

use apparatus::Apparatus;

/// The longest IP packet, in bytes: what every host on IPv4 must be able to take
/// (RFC 791 section 3.1). The gateway is configured with this path MTU.
const MTU: usize = 576;

/// The longest datagram in one, in bytes: without the headers of IPv4 and UDP.
const DATAGRAM: usize = MTU - 20 - 8;

/// The words of a frame.
const WORDS: usize = words(MTU);

type DeviceBoard = Board<WORDS>;
type DeviceEthernet = Ethernet<WORDS>;
type DeviceProvider = RustCrypto<Generator<&'static Entropy>>;
type DeviceParty = Party<DeviceProvider, &'static mut DeviceTrust>;
type DeviceStore = Store<&'static mut Flash>;
type DeviceNode =
    Node<DeviceProvider, SocketAddr, &'static mut Flash, Apparatus, &'static mut DeviceTrust>;

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
    static FRAMES: ConstStaticCell<Frames<WORDS>> = ConstStaticCell::new(Frames::new());
    static BOARD: StaticCell<DeviceBoard> = StaticCell::new();

    let Some(board) = DeviceBoard::take(FRAMES.take()) else { semihosting::process::exit(1) };
    let Board { ethernet, clock, power, flash, entropy, thermometer, lamp } = BOARD.init(board);
    say!("started");
    let mut machine = Machine { clock, power, ethernet };
    let apparatus = Apparatus::new(thermometer, lamp, clock);
    let mut seed = [0; 8];
    // It only keeps ports from being guessed; without entropy the node doesn't start.
    let _ = (&*entropy).fill(&mut seed);
    let seed = u64::from_le_bytes(seed);
    let node = start::node(&mut machine, flash, entropy, apparatus);
    network::run(&mut machine, seed, node)
}
