//! One connection with one peer: handshake, then session.

#[cfg(test)]
mod tests;

use super::v12::client::{self, Outcome};
use super::v12::ending::{Ending, Farewell};
use super::v12::established::Established;
use super::v12::record::{Record, next_record};
use super::v12::server;
use super::{
    CloseReason, Config, ConnectionEvent, Datagram, DropReason, Drops, PresharedKey, PskIdentity,
    SendError, Session,
};
use crate::crypto::{EntropyError, Provider};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// One side of a connection with one peer, through its handshake and after it.
///
/// It needs no `alloc`; its memory is in its size. A device that is short of
/// memory keeps only the [`Session`] once it is connected
/// ([`Connection::into_session`]).
pub struct Connection<P: Provider> {
    state: State<P>,
    drops: Drops,
}

// The connection is as large as its handshake: without `alloc` there is nowhere
// to put that.
#[allow(clippy::large_enum_variant)]
enum State<P: Provider> {
    Client(client::Handshake<P>),
    Listening(Listener),
    Server(Answer<P>),
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

/// A server's side before a client has begun.
#[derive(Clone)]
struct Listener {
    config: Config,
    /// The key of one who is not known: nobody has it.
    substitute: PresharedKey,
}

/// A server's handshake.
struct Answer<P: Provider> {
    listener: Listener,
    handshake: server::Handshake<P>,
    question: Question,
}

enum Question {
    /// Not asked yet, or the application knows.
    Nothing,
    Psk {
        since: Instant,
    },
}

impl<P: Provider> Connection<P> {
    /// A client that begins a handshake at `now`, under the name `identity`.
    ///
    /// # Errors
    /// [`EntropyError`] if `provider` gives no random bytes.
    pub fn client(
        config: &Config,
        provider: &mut P,
        now: Instant,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, EntropyError> {
        let handshake = client::Handshake::start(config, provider, now, identity, key)?;
        Ok(Self { state: State::Client(handshake), drops: Drops::default() })
    }

    /// A server for one client, on a link of which the other end is known: it
    /// demands no cookies, and sends at most three times what it has received
    /// until the client is proved. It waits for a client without a deadline, and
    /// once it is connected, it does not hear one that begins anew. A
    /// `ClientHello` that it can't serve is dropped.
    ///
    /// # Errors
    /// [`EntropyError`] if `provider` gives no random bytes.
    pub fn server(config: &Config, provider: &mut P) -> Result<Self, EntropyError> {
        let substitute = PresharedKey::random(provider)?;
        let listener = Listener { config: *config, substitute };
        Ok(Self { state: State::Listening(listener), drops: Drops::default() })
    }

    /// Answers [`ConnectionEvent::PskRequired`]: the key of that identity, or
    /// `None` if there is none. The client can't tell that from a wrong key.
    /// Without effect if it was not asked for.
    pub fn provide_psk(&mut self, provider: &mut P, now: Instant, key: Option<PresharedKey>) {
        if let State::Server(answer) = &mut self.state {
            answer.question = Question::Nothing;
            let key = key.unwrap_or_else(|| answer.listener.substitute.clone());
            let outcome = answer.handshake.provide_psk(provider, now, key);
            self.follow_server(now, outcome);
        }
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
            let handled = next_record(datagram)?
                .and_then(|record| self.handle_in_handshake(provider, now, record));
            if let Err(reason) = handled {
                self.drops.add(reason);
            }
        }
    }

    fn handle_in_handshake(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<(), DropReason> {
        match &mut self.state {
            State::Client(handshake) => {
                let outcome = handshake.handle(provider, now, record)?;
                self.follow(now, outcome);
                Ok(())
            }
            State::Listening(_) | State::Server(_) => self.answer(provider, now, record),
            _ => Err(DropReason::Unexpected),
        }
    }

    /// Takes a record on the server's side: begins a handshake with the
    /// `ClientHello` of one, or goes on with it.
    fn answer(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<(), DropReason> {
        let hello = server::ClientHelloRecord::read(&record)?;
        let (listener, begun) = match &mut self.state {
            State::Listening(listener) => (listener, None),
            State::Server(answer) => (&mut answer.listener, Some(&mut answer.handshake)),
            _ => return Err(DropReason::Unexpected),
        };
        match (hello, begun) {
            (hello, Some(handshake)) if hello.is_none_or(|hello| handshake.began_with(&hello)) => {
                let timeout = listener.config.handshake_timeout;
                let outcome = handshake.handle(provider, now, record, timeout)?;
                self.follow_server(now, outcome);
                Ok(())
            }
            (Some(hello), _) => {
                let allowance = server::Allowance::UNPROVED;
                let config = &listener.config;
                let handshake = server::Handshake::begin(config, provider, now, allowance, &hello)
                    .map_err(|refusal| match refusal {
                        server::Refusal::Drop(reason) => reason,
                        server::Refusal::Alert(_) => DropReason::Unexpected,
                    })?;
                let listener = listener.clone();
                let question = Question::Nothing;
                self.state = State::Server(Answer { listener, handshake, question });
                Ok(())
            }
            (None, _) => Err(DropReason::Unexpected),
        }
    }

    fn follow_server(&mut self, now: Instant, outcome: server::Outcome<P>) {
        match outcome {
            server::Outcome::Waiting => {}
            server::Outcome::PskRequired => {
                if let State::Server(answer) = &mut self.state {
                    answer.question = Question::Psk { since: now };
                }
            }
            server::Outcome::Established(established, _) => self.connected(now, established),
            server::Outcome::Failed(ending) => self.state = State::Failing { since: now, ending },
        }
    }

    fn connected(&mut self, now: Instant, established: Established<P>) {
        let session = Session { established, drops: self.drops };
        self.state = State::Connected { since: now, session };
    }

    fn follow(&mut self, now: Instant, outcome: Outcome<P>) {
        match outcome {
            Outcome::Waiting => {}
            Outcome::Established(established) => self.connected(now, established),
            Outcome::Failed(ending) => self.state = State::Failing { since: now, ending },
        }
    }

    /// Does what is due at `now`; harmless if nothing is.
    pub fn handle_timeout(&mut self, provider: &mut P, now: Instant) {
        match &mut self.state {
            State::Client(handshake) => {
                let outcome = handshake.handle_timeout(provider, now);
                self.follow(now, outcome);
            }
            State::Server(Answer { handshake, listener, .. }) => {
                let outcome = handshake.handle_timeout(provider, now, &listener.substitute);
                self.follow_server(now, outcome);
            }
            _ => {}
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
            State::Client(_) | State::Listening(_) | State::Server(_) => {
                Err(SendError::NotConnected)
            }
            State::Failing { .. } | State::Failed { .. } => Err(SendError::Closed),
        }
    }

    /// Ends the session, or gives up the handshake; the peer is told.
    pub fn close(&mut self, now: Instant) {
        match &mut self.state {
            State::Connected { session, .. } | State::Session(session) => session.close(now),
            State::Client(handshake) => {
                let ending = handshake.cancel();
                self.state = State::Failing { since: now, ending };
            }
            State::Server(Answer { handshake, .. }) => {
                let ending = handshake.cancel(CloseReason::ByApplication);
                self.state = State::Failing { since: now, ending };
            }
            State::Listening(_) => {
                let ending = Ending::silent(CloseReason::ByApplication);
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
            State::Client(handshake) => handshake.poll_transmit(provider, buffer),
            State::Listening(_) => Ok(None),
            State::Server(answer) => answer.handshake.poll_transmit(buffer),
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
            State::Client(handshake) => Some(handshake.poll_timeout()),
            State::Listening(_) => None,
            State::Server(Answer { handshake, question, .. }) => {
                let event = match question {
                    Question::Nothing => None,
                    Question::Psk { since } => Some(Deadline::new(*since, Reason::Output)),
                };
                let output = Deadline::earlier(event, handshake.output());
                Deadline::earlier(output, Some(handshake.timer()))
            }
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
        let gone = State::Failed { since: Instant::ZERO, farewell: Farewell::default() };
        match core::mem::replace(&mut self.state, gone) {
            State::Connected { session, .. } => {
                self.state = State::Session(session);
                Some(ConnectionEvent::Connected)
            }
            State::Session(mut session) => {
                let event = session.poll_event();
                self.state = State::Session(session);
                event
            }
            State::Server(mut answer) => {
                let event = match answer.question {
                    Question::Nothing => None,
                    Question::Psk { .. } => answer.handshake.required_psk().cloned(),
                };
                answer.question = Question::Nothing;
                self.state = State::Server(answer);
                event.map(ConnectionEvent::PskRequired)
            }
            State::Failing { since, ending: Ending { reason, farewell } } => {
                self.state = State::Failed { since, farewell };
                Some(ConnectionEvent::Closed(reason))
            }
            state => {
                self.state = state;
                None
            }
        }
    }
}

impl<P: Provider> core::fmt::Debug for Connection<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.state {
            State::Client(_) | State::Listening(_) | State::Server(_) => "Connection(handshake)",
            State::Connected { .. } | State::Session(_) => "Connection(session)",
            State::Failing { .. } | State::Failed { .. } => "Connection(failed)",
        })
    }
}
