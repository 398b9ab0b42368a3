//! The part of the vector table that is the chip's own (data sheet, table 2-9).
//!
//! cortex-m-rt's would have all 240 lines that a processor may have, and be 784 bytes
//! longer.

#![allow(unsafe_code)]

/// The interrupt lines of the chip; of one with a smaller processor, for which this is only
/// built, the most that there are.
const LINES: usize = if cfg!(armv6m) { 32 } else { 44 };

unsafe extern "C" {
    fn DefaultHandler();
}

/// Where the processor goes on an interrupt. None is ever taken: they only wake.
// SAFETY: the section and the name are those that cortex-m-rt's linker script wants, and
// each of the chip's lines has a handler.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); LINES] = [DefaultHandler; LINES];
