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
//! | [`proxy`] | what the board takes for its gateway: passes on, damages, or answers itself |
//! | [`setting`] | what the checks of bad surroundings begin with |
//! | [`recording`] | what the board has sent in all its lives, none of it with a nonce used twice |
//! | [`dice`] | chance that can be repeated |
//! | [`echo`] | what is checked of the board itself |
//! | [`signatures`] | what is checked of its arithmetic, by signatures |
//! | [`device`] | what is checked of the device on it |
//! | [`costs`] | what the device costs |
//! | [`nonsense`] | what is checked of it when its gateway answers nonsense |
//! | [`flood`] | what is checked of it on a network that floods it |
//! | [`power`] | what is checked of it when it loses its power at any moment |

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod board;
pub mod bridge;
pub mod costs;
pub mod device;
pub mod dice;
pub mod echo;
pub mod firmware;
pub mod flood;
pub mod instructions;
pub mod machine;
pub mod network;
pub mod nonsense;
pub mod parties;
pub mod power;
pub mod proxy;
pub mod recording;
pub mod setting;
pub mod signatures;
