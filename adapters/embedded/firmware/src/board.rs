//! The whole board.

use crate::clock::{self, Clock};
use crate::entropy::Entropy;
use crate::ethernet::{Ethernet, Frames};
use crate::flash::Flash;
use crate::lamp::Lamp;
use crate::power::Power;
use crate::registers::Registers;
use crate::thermometer::Thermometer;

/// The board's hardware address: one of those that everyone may use (IEEE 802, locally
/// administered).
pub const HARDWARE_ADDRESS: [u8; 6] = [0x02, 0x49, 0x6f, 0x54, 0x00, 0x01];

/// The parts of the board, each of which there is once; the Ethernet controller is for
/// frames of up to `WORDS` [`words`](crate::ethernet::words).
pub struct Board<const WORDS: usize> {
    /// The Ethernet controller.
    pub ethernet: Ethernet<WORDS>,
    /// The time since the start.
    pub clock: Clock,
    /// Sleep.
    pub power: Power,
    /// What outlasts a loss of power.
    pub flash: Flash,
    /// Raw random bytes.
    pub entropy: Entropy,
    /// The temperature of the chip.
    pub thermometer: Thermometer,
    /// The status LED.
    pub lamp: Lamp,
}

/// What each of the three gate registers of system control lets have a clock: the ADC;
/// timers 0 and 1; the Ethernet controller with its transceiver, and port F.
const CLOCK_GATES: [u32; 3] = [1 << 16, 0b11 << 16, 1 << 30 | 1 << 28 | 1 << 5];

impl<const WORDS: usize> Board<WORDS> {
    /// Wakes the board up, with room for the frames of its Ethernet controller; `None` if
    /// it was taken before.
    #[must_use]
    pub fn take(frames: &'static mut Frames<WORDS>) -> Option<Self> {
        let core = cortex_m::Peripherals::take()?;
        let registers = Registers::new(&core);
        clock::run_from_crystal(registers.system);
        for (gate, parts) in registers.system.clock_gates.iter().zip(CLOCK_GATES) {
            gate.set(gate.get() | parts);
        }
        // A part has its clock a few cycles after its gate is open (data sheet, 5.2.6).
        cortex_m::asm::delay(16);
        Some(Self {
            ethernet: Ethernet::new(registers.ethernet, HARDWARE_ADDRESS, frames),
            clock: Clock::start(core.SYST),
            power: Power::new(registers.alarm),
            flash: Flash::open(),
            entropy: Entropy::new(),
            thermometer: Thermometer::new(registers.adc, registers.sampling),
            lamp: Lamp::new(registers.port_f),
        })
    }
}
