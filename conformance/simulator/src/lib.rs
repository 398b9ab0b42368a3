//! Seeded worlds in virtual time, in which the roles of IoT-Crypto meet bad
//! networks, bad clocks and bad people.
//!
//! | module | what it is |
//! |---|---|
//! | [`world`] | the network: parties, datagrams on their way, deadlines |
//! | [`node`], [`cast`] | the parties, and what makes them |
//! | [`link`], [`path`], [`profile`], [`nat`] | how datagrams fare between them |
//! | [`adversary`] | who attacks from outside |
//! | [`scenario`] | what is played, and what must hold |
//! | [`figures`] | the paper's figures 8 to 12, measured |
//!
//! Everything comes from a seed: the same seed gives the same datagrams at the same
//! instants, of which [`world::World::digest`] is the proof. A scenario that finds
//! something tells the seed, and the command that plays it again.
//!
//! A mistake in a world is a mistake of its author, and ends it with a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod adversary;
pub mod cast;
pub mod command;
mod datagram;
pub mod figures;
pub mod link;
pub mod nat;
pub mod node;
pub mod path;
pub mod place;
pub mod profile;
pub mod random;
pub mod scenario;
pub mod world;

pub use cast::*;
pub use link::Link;
pub use node::{Event, Node, Stranger};
pub use place::{NEGOTIATION, Place, TRANSMISSION};
pub use random::{Provider, provider};
pub use world::World;
