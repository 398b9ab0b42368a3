//! A gateway and its devices, as many as there are to be, each of which is asked for a
//! reading once a minute.
//!
//! The devices are whole ones, and each has an address of its own in 127.0.0.0/8; be it
//! in memory and virtual time, or behind two sockets, from a process of their own.

mod cast;
mod devices;
mod process;
mod simulated;
mod sockets;

pub use process::{GatewayProcess, serve};
pub use simulated::Simulation;
pub use sockets::Fleet;

/// What a gateway did in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// The time of the processor, in seconds.
    pub seconds: f64,
    /// The readings that came.
    pub readings: u64,
    /// The datagrams that came and went.
    pub datagrams: u64,
}
