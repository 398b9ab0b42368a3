//! The established part of a connection.

use super::v12::established::Established;
use super::v12::record::next_record;
use super::{CloseReason, ConnectionEvent, Datagram, Drops, SendError};
use crate::crypto::Provider;
use crate::time::{Deadline, Instant};
use crate::wire::BufferTooSmall;

/// An established session with one peer: keys, sequence numbers and replay
/// window. It comes from [`Connection::into_session`](super::Connection::into_session).
pub struct Session<P: Provider> {
    pub(super) established: Established<P>,
    pub(super) drops: Drops,
}

impl<P: Provider> Session<P> {
    /// The greatest payload that fits into one datagram, in bytes:
    /// `Config::max_datagram` less [`RECORD_OVERHEAD`](super::RECORD_OVERHEAD).
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.established.max_payload()
    }

    /// The number of records sealed with the present key, for rotation by
    /// volume. At most 2^48 - 1.
    #[must_use]
    pub fn records_sent(&self) -> u64 {
        self.established.records_sent()
    }

    /// The bytes of application data sent.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.established.bytes_sent()
    }

    /// The bytes of application data received.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.established.bytes_received()
    }

    /// How many records were dropped, by reason, the handshake's included.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Goes on through the records of `datagram` until one carries application
    /// data, which is returned, decrypted in place. To be called until it gives
    /// `None`.
    pub fn handle_record<'d>(
        &mut self,
        provider: &mut P,
        now: Instant,
        datagram: &mut Datagram<'d>,
    ) -> Option<&'d mut [u8]> {
        while let Some(record) = next_record(datagram) {
            let handled = record.and_then(|record| self.established.handle(provider, now, record));
            match handled {
                Ok(Some(payload)) => return Some(payload),
                Ok(None) => {}
                Err(reason) => self.drops.add(reason),
            }
        }
        None
    }

    /// Does what is due at `now`. A session has no timers; its deadlines are for
    /// output and events only.
    pub fn handle_timeout(&mut self, _provider: &mut P, _now: Instant) {}

    /// Seals `payload` into one datagram at the start of `buffer`; gives its
    /// length, which is that of the payload and
    /// [`RECORD_OVERHEAD`](super::RECORD_OVERHEAD).
    ///
    /// # Errors
    /// [`SendError`]; nothing was changed.
    pub fn send(
        &mut self,
        provider: &mut P,
        now: Instant,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, SendError> {
        self.established.send(provider, now, payload, buffer)
    }

    /// Ends the session: a `close_notify` is queued, and nothing more is taken.
    pub fn close(&mut self, now: Instant) {
        self.established.close(now, CloseReason::ByApplication);
    }

    /// Writes the next datagram of the session's own (an alert, a repeated
    /// flight) into `buffer`; gives its length, or `None` if there is none.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the datagram is not lost. `Config::max_datagram` bytes
    /// always suffice.
    pub fn poll_transmit(
        &mut self,
        provider: &mut P,
        _now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        self.established.poll_transmit(provider, buffer)
    }

    /// When the session wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.established.poll_timeout()
    }

    /// The next event: that the session is closed, once.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.established.poll_closed().map(ConnectionEvent::Closed)
    }
}

impl<P: Provider> core::fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("records_sent", &self.records_sent())
            .finish_non_exhaustive()
    }
}
