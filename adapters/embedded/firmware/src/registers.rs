//! The registers of the chip, as its data sheet lays them out (Texas Instruments,
//! Stellaris LM3S6965 Microcontroller); only those that are used have names.
//!
//! This is where the addresses become references, and with [`crate::stack`],
//! [`crate::interrupts`] and [`crate::fault`] all the unsafe code that there is.

#![allow(unsafe_code)]

use vcell::VolatileCell;

/// A register.
pub(crate) type Register = VolatileCell<u32>;

/// System control (data sheet, chapter 5).
#[repr(C)]
pub(crate) struct SystemControl {
    _0: [Register; 0x50 / 4],
    pub(crate) raw_interrupts: Register,
    _1: [Register; 3],
    pub(crate) run_mode_clock: Register,
    _2: [Register; (0x100 - 0x64) / 4],
    pub(crate) clock_gates: [Register; 3],
}

/// A general-purpose timer (chapter 10).
#[repr(C)]
pub(crate) struct Timer {
    pub(crate) configuration: Register,
    pub(crate) mode: Register,
    _0: Register,
    pub(crate) control: Register,
    _1: [Register; 2],
    pub(crate) interrupt_mask: Register,
    _2: [Register; 2],
    pub(crate) interrupt_clear: Register,
    pub(crate) load: Register,
}

/// The analogue-to-digital converter (chapter 12).
#[repr(C)]
pub(crate) struct Adc {
    pub(crate) active: Register,
    _0: [Register; 4],
    pub(crate) trigger: Register,
    _1: [Register; (0xA0 - 0x18) / 4],
    pub(crate) input: Register,
    pub(crate) control: Register,
    pub(crate) fifo: Register,
    pub(crate) fifo_status: Register,
}

/// A port of general-purpose pins (chapter 9). An access to `data[mask]` touches the
/// pins in the mask alone.
#[repr(C)]
pub(crate) struct Port {
    pub(crate) data: [Register; 256],
    pub(crate) direction: Register,
    _0: [Register; (0x51C - 0x404) / 4],
    pub(crate) digital: Register,
}

/// The Ethernet controller (chapter 16).
#[repr(C)]
pub(crate) struct EthernetController {
    pub(crate) interrupts: Register,
    pub(crate) interrupt_mask: Register,
    pub(crate) receive_control: Register,
    pub(crate) transmit_control: Register,
    pub(crate) data: Register,
    pub(crate) address: [Register; 2],
    pub(crate) threshold: Register,
    _0: [Register; (0x34 - 0x20) / 4],
    pub(crate) packets: Register,
    pub(crate) transmission: Register,
}

/// All of them, once.
pub(crate) struct Registers {
    pub(crate) system: &'static SystemControl,
    pub(crate) alarm: &'static Timer,
    pub(crate) sampling: &'static Timer,
    pub(crate) adc: &'static Adc,
    pub(crate) port_f: &'static Port,
    pub(crate) ethernet: &'static EthernetController,
}

impl Registers {
    /// The registers of the chip, for whoever shows by the core's that nobody else has
    /// them.
    pub(crate) fn new(_: &cortex_m::Peripherals) -> Self {
        // SAFETY: at each address the chip has a block of registers with the layout of
        // the type, for good; and every access through a `VolatileCell` is volatile.
        unsafe {
            Self {
                system: &*(0x400F_E000 as *const SystemControl),
                alarm: &*(0x4003_0000 as *const Timer),
                sampling: &*(0x4003_1000 as *const Timer),
                adc: &*(0x4003_8000 as *const Adc),
                port_f: &*(0x4002_5000 as *const Port),
                ethernet: &*(0x4004_8000 as *const EthernetController),
            }
        }
    }
}

/// A line by which a part of the chip calls the processor.
#[derive(Clone, Copy)]
pub(crate) struct InterruptLine(u16);

impl InterruptLine {
    pub(crate) const ALARM: Self = Self(19);
    pub(crate) const ETHERNET: Self = Self(42);

    /// Lets the line wake the processor.
    pub(crate) fn unmask(self) {
        // SAFETY: no critical section rests on a mask of these lines: they are unmasked
        // only while all interrupts are off, in `power`.
        unsafe { cortex_m::peripheral::NVIC::unmask(self) }
    }
}

// SAFETY: the numbers are those of the chip's lines (table 2-9), and don't change.
unsafe impl cortex_m::interrupt::InterruptNumber for InterruptLine {
    fn number(self) -> u16 {
        self.0
    }
}

const _: () = {
    assert!(core::mem::offset_of!(SystemControl, run_mode_clock) == 0x60);
    assert!(core::mem::offset_of!(SystemControl, clock_gates) == 0x100);
    assert!(core::mem::offset_of!(Timer, load) == 0x28);
    assert!(core::mem::offset_of!(Adc, trigger) == 0x14);
    assert!(core::mem::offset_of!(Adc, fifo_status) == 0xAC);
    assert!(core::mem::offset_of!(Port, digital) == 0x51C);
    assert!(core::mem::offset_of!(EthernetController, packets) == 0x34);
};
