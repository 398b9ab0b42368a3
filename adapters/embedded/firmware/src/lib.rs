//! The board LM3S6965EVB, as QEMU models it: what a program on it drives.
//!
//! [`Board::take`](board::Board::take) gives every part once. There is no heap, and
//! interrupts only wake: but for the count of the clock's seconds, all code runs where
//! it is called.
//!
//! | module | part of the board |
//! |---|---|
//! | [`board`] | all of them, and how they are woken up at the start |
//! | [`ethernet`] | the Ethernet controller, as smoltcp drives it |
//! | [`clock`] | milliseconds since the start, from SysTick |
//! | [`power`] | sleep until a frame comes or a time has come |
//! | [`thermometer`] | the temperature of the chip, from its ADC |
//! | [`lamp`] | the status LED |
//! | [`flash`] | a flash that outlasts a loss of power |
//! | [`entropy`] | a raw source of random bytes |
//! | [`console`] | lines of text for whoever watches |
//! | [`stack`] | how deep the stack ever was |
//!
//! Three of them are not the chip's. QEMU has no model of its flash controller, and the
//! chip has neither a random number generator nor a screen; [`flash`], [`entropy`] and
//! [`console`] reach the host by semihosting instead, and say so.

#![no_std]

pub mod board;
pub mod clock;
pub mod console;
pub mod entropy;
pub mod ethernet;
mod fault;
pub mod flash;
mod interrupts;
pub mod lamp;
pub mod power;
mod registers;
pub mod stack;
pub mod thermometer;
