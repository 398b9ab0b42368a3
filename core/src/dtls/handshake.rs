//! What a connection needs of a handshake, on either side.
//!
//! What is `pub` here, and in [`v12`](super::v12), appears in the bounds of a
//! public type, but can't be named from outside.

use super::v12::ending::Ending;
use super::v12::established::Established;
use super::v12::record::Record;
use super::{ConnectionEvent, DropReason};
use crate::crypto::Provider;
use crate::time::{Deadline, Instant};
use crate::wire::BufferTooSmall;

/// One side's handshake with one peer, from its first message until it is
/// established or has failed.
pub trait Handshake<P: Provider> {
    /// Takes a record. One that is dropped changes nothing.
    fn handle(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason>;

    /// Repeats the flight or gives up, whatever is due.
    fn handle_timeout(&mut self, provider: &mut P, now: Instant) -> Outcome<P>;

    /// The application gives the handshake up.
    fn cancel(&mut self) -> Ending;

    /// Writes the next datagram.
    fn poll_transmit(
        &mut self,
        provider: &mut P,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall>;

    /// When the handshake wants to be called.
    fn poll_timeout(&self) -> Option<Deadline>;

    /// What is to be told before the handshake has ended.
    fn poll_event(&mut self) -> Option<ConnectionEvent>;
}

/// What came of an input.
pub enum Outcome<P: Provider> {
    /// The handshake goes on.
    Waiting,
    /// Both sides hold the same key.
    Established(Established<P>),
    Failed(Ending),
}
