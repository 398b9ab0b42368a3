//! How deep the stack ever was.
//!
//! `cortex-m-rt` paints the memory between the variables and the end of the SRAM before
//! the program begins; the stack grows down into it. The lowest word without paint is
//! where it ever was deepest.

#![allow(unsafe_code)]

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The deepest that the stack ever was, in bytes.
#[must_use]
pub fn peak() -> usize {
    let (top, end) = (&raw const _stack_start, &raw const _stack_end);
    let mut word = end;
    // SAFETY: the linker lays both at the bounds of memory that nothing but the stack
    // uses; what lies below the stack pointer is only read, and as it is at the moment.
    while word < top && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    top.addr() - word.addr()
}
