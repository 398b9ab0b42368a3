//! One connection with one peer: handshake, then session.

mod client;
mod single_server;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use single_server::SingleServer;

use super::handshake::{Handshake, Outcome};
use super::v12::ending::{Ending, Farewell};
use super::v12::record::next_record;
use super::{ConnectionEvent, Datagram, DropReason, Drops, SendError, Session};
use crate::crypto::Provider;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// A connection with one peer, through its handshake and after it: a [`Client`]
/// or a [`SingleServer`], whose handshake is `H`.
///
/// It needs no `alloc`; its memory is in its size. A device that is short of
/// memory keeps only the [`Session`] once it is connected
/// ([`Connection::into_session`]).
pub struct Connection<P: Provider, H: Handshake<P>> {
    state: State<P, H>,
    drops: Drops,
}

// The connection is as large as its handshake: without `alloc` there is nowhere
// to put that.
#[allow(clippy::large_enum_variant)]
enum State<P: Provider, H> {
    Handshake(H),
    /// Connected, which the application does not know yet.
    Connected {
        since: Instant,
        session: Session<P>,
    },
    Session(Session<P>),
    /// The handshake has failed, which the application does not know yet.
    Failing {
        since: Instant,
        ending: Ending,
    },
    /// All is over, but for the farewell.
    Failed {
        since: Instant,
        farewell: Farewell,
    },
}

impl<P: Provider, H: Handshake<P>> Connection<P, H> {
    fn begin(handshake: H) -> Self {
        Self { state: State::Handshake(handshake), drops: Drops::default() }
    }

    /// Whether the handshake has ended and the session is not closed.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.session().is_some_and(|session| session.established.is_open())
    }

    /// The greatest payload that fits into one datagram, in bytes; `None` before
    /// the handshake has ended.
    #[must_use]
    pub fn max_payload(&self) -> Option<usize> {
        self.session().map(Session::max_payload)
    }

    fn session(&self) -> Option<&Session<P>> {
        match &self.state {
            State::Connected { session, .. } | State::Session(session) => Some(session),
            _ => None,
        }
    }

    fn session_mut(&mut self) -> Option<&mut Session<P>> {
        match &mut self.state {
            State::Connected { session, .. } | State::Session(session) => Some(session),
            _ => None,
        }
    }

    /// The session alone, once the handshake has ended: what is left is small. An
    /// event [`ConnectionEvent::Connected`] that was not polled yet is gone.
    ///
    /// # Errors
    /// Gives the connection back if the handshake has not ended, or has failed.
    #[allow(clippy::result_large_err)]
    pub fn into_session(self) -> Result<Session<P>, Self> {
        match self.state {
            State::Connected { session, .. } | State::Session(session) => Ok(session),
            state => Err(Self { state, drops: self.drops }),
        }
    }

    /// [`Connection::into_session`], for a connection that stays where it is, as one that
    /// has failed; `None` if there is no session.
    pub(crate) fn take_session(&mut self) -> Option<Session<P>> {
        self.session()?;
        let gone = State::Failed { since: Instant::ZERO, farewell: Farewell::default() };
        match core::mem::replace(&mut self.state, gone) {
            State::Connected { session, .. } | State::Session(session) => Some(session),
            _ => None,
        }
    }

    /// How many records were dropped, by reason.
    #[must_use]
    pub fn drops(&self) -> &Drops {
        self.session().map_or(&self.drops, Session::drops)
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
        loop {
            if let Some(session) = self.session_mut() {
                return session.handle_record(provider, now, datagram);
            }
            let handled = next_record(datagram)?.and_then(|record| match &mut self.state {
                State::Handshake(handshake) => handshake.handle(provider, now, record),
                _ => Err(DropReason::Unexpected),
            });
            match handled {
                Ok(outcome) => self.follow(now, outcome),
                Err(reason) => self.drops.add(reason),
            }
        }
    }

    fn follow(&mut self, now: Instant, outcome: Outcome<P>) {
        match outcome {
            Outcome::Waiting => {}
            Outcome::Established(established) => {
                let session = Session { established, drops: self.drops };
                self.state = State::Connected { since: now, session };
            }
            Outcome::Failed(ending) => self.state = State::Failing { since: now, ending },
        }
    }

    /// Does what is due at `now`; harmless if nothing is.
    pub fn handle_timeout(&mut self, provider: &mut P, now: Instant) {
        if let State::Handshake(handshake) = &mut self.state {
            let outcome = handshake.handle_timeout(provider, now);
            self.follow(now, outcome);
        }
    }

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
        match &mut self.state {
            State::Connected { session, .. } | State::Session(session) => {
                session.send(provider, now, payload, buffer)
            }
            State::Handshake(_) => Err(SendError::NotConnected),
            State::Failing { .. } | State::Failed { .. } => Err(SendError::Closed),
        }
    }

    /// Ends the session, or gives up the handshake; the peer is told.
    pub fn close(&mut self, now: Instant) {
        match &mut self.state {
            State::Connected { session, .. } | State::Session(session) => session.close(now),
            State::Handshake(handshake) => {
                let ending = handshake.cancel();
                self.state = State::Failing { since: now, ending };
            }
            State::Failing { .. } | State::Failed { .. } => {}
        }
    }

    /// Writes the next datagram of the connection's own (a flight, an alert) into
    /// `buffer`; gives its length, or `None` if there is none.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the datagram is not lost. `Config::max_datagram` bytes
    /// always suffice.
    pub fn poll_transmit(
        &mut self,
        provider: &mut P,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        match &mut self.state {
            State::Handshake(handshake) => handshake.poll_transmit(provider, buffer),
            State::Connected { session, .. } | State::Session(session) => {
                session.poll_transmit(provider, now, buffer)
            }
            State::Failing { ending, .. } => ending.farewell.poll_transmit(buffer),
            State::Failed { farewell, .. } => farewell.poll_transmit(buffer),
        }
    }

    #[cfg(all(test, feature = "alloc"))]
    pub(super) fn write_state(&mut self) -> &mut super::v12::protection::WriteState<P> {
        self.session_mut().unwrap().established.write_state()
    }

    /// When the connection wants to be called; `None` once all is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        match &self.state {
            State::Handshake(handshake) => handshake.poll_timeout(),
            State::Connected { since, .. } | State::Failing { since, .. } => {
                Some(Deadline::new(*since, Reason::Output))
            }
            State::Session(session) => session.poll_timeout(),
            State::Failed { since, farewell } => {
                (!farewell.is_empty()).then(|| Deadline::new(*since, Reason::Output))
            }
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        match &mut self.state {
            State::Session(session) => session.poll_event(),
            State::Handshake(handshake) => handshake.poll_event(),
            State::Failed { .. } => None,
            State::Connected { .. } => {
                self.state = State::Session(self.take_session()?);
                Some(ConnectionEvent::Connected)
            }
            State::Failing { since, ending } => {
                let (since, reason) = (*since, ending.reason);
                let farewell = core::mem::take(&mut ending.farewell);
                self.state = State::Failed { since, farewell };
                Some(ConnectionEvent::Closed(reason))
            }
        }
    }
}

impl<P: Provider, H: Handshake<P>> core::fmt::Debug for Connection<P, H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.state {
            State::Handshake(_) => "Connection(handshake)",
            State::Connected { .. } | State::Session(_) => "Connection(session)",
            State::Failing { .. } | State::Failed { .. } => "Connection(failed)",
        })
    }
}
