//! Runs the firmware in QEMU, on a board that is described by files and on a network
//! that is this machine's loopback, and checks each step that it takes.
//!
//! | module | what it is |
//! |---|---|
//! | [`firmware`] | builds a program of the firmware |
//! | [`board`] | the files in which the board's flash and entropy are |
//! | [`network`] | how the board reaches this machine: through QEMU's network, or by Ethernet frames |
//! | [`bridge`] | the other end of these frames |
//! | [`machine`] | a board that runs, and what it says |
//! | [`instructions`] | how many instructions it executes, exactly |
//! | [`parties`] | the gateway, and the files of all parties |
//! | [`echo`] | what is checked of the board itself |
//! | [`device`] | what is checked of the device on it |
//! | [`costs`] | what the device costs |

#![forbid(unsafe_code)]

pub mod board;
pub mod bridge;
pub mod costs;
pub mod device;
pub mod echo;
pub mod firmware;
pub mod instructions;
pub mod machine;
pub mod network;
pub mod parties;
