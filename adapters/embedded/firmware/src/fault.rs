//! What ends the program: a fault of the processor, and a panic. By `.cargo/config.toml` a
//! panic is a fault, too, and the handler here is for builds without that. Each ends QEMU
//! with an exit code of its own; nothing is formatted.

#![allow(unsafe_code)]

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

/// The exit code after a panic.
const PANIC: i32 = 1;

/// The exit code after a fault.
const FAULT: i32 = 2;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    semihosting::process::exit(PANIC)
}

// SAFETY: it returns to nowhere, and touches nothing.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    semihosting::process::exit(FAULT)
}
