//! Builds only if the core, without default features, needs neither `std` nor
//! `alloc`: `std` would bring a second panic handler, `alloc` would ask for a
//! global allocator, and this library has neither to give.

#![no_std]
#![forbid(unsafe_code)]

pub use iot_crypto;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
