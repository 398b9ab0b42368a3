//! x
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod announce;
mod clock;
mod config;
mod driver;
mod error;
mod random;
mod sender;
mod sockets;
mod traffic;

pub use clock::{Clock, wall_time};
pub use config::{Announce, Binding, Config, Interfaces};
pub use driver::{Driver, Turn, Waker};
pub use error::OpenError;
pub use random::{OsProvider, os_provider};
pub use traffic::{Datagram, Direction, Drops, Traffic};
