//! The server's side, for a single client.

use super::{Connection, State};
use crate::crypto::{EntropyError, Provider};
use crate::dtls::handshake::{Handshake, Outcome};
use crate::dtls::v12::ending::Ending;
use crate::dtls::v12::record::Record;
use crate::dtls::v12::server;
use crate::dtls::{CloseReason, Config, ConnectionEvent, DropReason, PresharedKey, PskIdentity};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// A server for one client, on a link of which the other end is known: it
/// demands no cookies, and sends at most three times what it has received
/// until the client is proved. It waits for a client without a deadline, and
/// once it is connected, it does not hear one that begins anew. A
/// `ClientHello` that it can't serve is dropped.
pub type SingleServer<P> = Connection<P, Listener<P>>;

/// A server's handshake with whichever client begins one.
pub struct Listener<P: Provider> {
    config: Config,
    /// The key of one who is not known: nobody has it.
    substitute: PresharedKey,
    state: ListenerState<P>,
}

// It is as large as the handshake: without `alloc` there is nowhere to put that.
#[allow(clippy::large_enum_variant)]
enum ListenerState<P: Provider> {
    /// No client has begun.
    Idle,
    Handshake {
        handshake: server::Handshake<P>,
        question: Question,
    },
}

enum Question {
    /// Not asked yet, or the application knows.
    Nothing,
    Psk {
        since: Instant,
    },
}

impl<P: Provider> SingleServer<P> {
    /// A server that waits for its client.
    ///
    /// # Errors
    /// [`EntropyError`] if `provider` gives no random bytes.
    pub fn new(config: &Config, provider: &mut P) -> Result<Self, EntropyError> {
        let substitute = PresharedKey::random(provider)?;
        let state = ListenerState::Idle;
        Ok(Self::begin(Listener { config: *config, substitute, state }))
    }

    /// Answers [`ConnectionEvent::PskRequired`]: the key of that `identity`, or
    /// `None` if there is none. The client can't tell that from a wrong key.
    /// Without effect if it was not asked for: the client may have begun anew
    /// under another name since, which this key must not prove.
    pub fn provide_psk(
        &mut self,
        provider: &mut P,
        now: Instant,
        identity: &PskIdentity,
        key: Option<PresharedKey>,
    ) {
        if let State::Handshake(listener) = &mut self.state {
            let outcome = listener.provide_psk(provider, now, identity, key);
            self.follow(now, outcome);
        }
    }
}

impl<P: Provider> Listener<P> {
    fn provide_psk(
        &mut self,
        provider: &P,
        now: Instant,
        identity: &PskIdentity,
        key: Option<PresharedKey>,
    ) -> Outcome<P> {
        let ListenerState::Handshake { handshake, question } = &mut self.state else {
            return Outcome::Waiting;
        };
        if handshake.required_psk() != Some(identity) {
            return Outcome::Waiting;
        }
        *question = Question::Nothing;
        let key = key.unwrap_or_else(|| self.substitute.clone());
        let outcome = handshake.provide_psk(provider, now, key);
        question.follow(now, outcome)
    }
}

impl<P: Provider> Handshake<P> for Listener<P> {
    /// Begins with the `ClientHello` of a client, or goes on with it.
    fn handle(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason> {
        let hello = server::ClientHelloRecord::read(&record)?;
        match (hello, &mut self.state) {
            (hello, ListenerState::Handshake { handshake, question })
                if hello.is_none_or(|hello| handshake.began_with(&hello)) =>
            {
                let timeout = self.config.handshake_timeout;
                let outcome = handshake.handle(provider, now, record, timeout)?;
                Ok(question.follow(now, outcome))
            }
            (Some(hello), _) => {
                let allowance = server::Allowance::UNPROVED;
                let begun =
                    server::Handshake::begin(&self.config, provider, now, allowance, &hello);
                let handshake = begun.map_err(|refusal| match refusal {
                    server::Refusal::Drop(reason) => reason,
                    server::Refusal::Alert(_) => DropReason::Unexpected,
                })?;
                self.state = ListenerState::Handshake { handshake, question: Question::Nothing };
                Ok(Outcome::Waiting)
            }
            (None, _) => Err(DropReason::Unexpected),
        }
    }

    fn handle_timeout(&mut self, provider: &mut P, now: Instant) -> Outcome<P> {
        match &mut self.state {
            ListenerState::Idle => Outcome::Waiting,
            ListenerState::Handshake { handshake, question } => {
                let outcome = handshake.handle_timeout(provider, now, &self.substitute);
                question.follow(now, outcome)
            }
        }
    }

    fn cancel(&mut self) -> Ending {
        match &mut self.state {
            ListenerState::Idle => Ending::silent(CloseReason::ByApplication),
            ListenerState::Handshake { handshake, .. } => {
                handshake.cancel(CloseReason::ByApplication)
            }
        }
    }

    fn poll_transmit(
        &mut self,
        _provider: &mut P,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        match &mut self.state {
            ListenerState::Idle => Ok(None),
            ListenerState::Handshake { handshake, .. } => handshake.poll_transmit(buffer),
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let ListenerState::Handshake { handshake, question } = &self.state else { return None };
        let event = match question {
            Question::Nothing => None,
            Question::Psk { since } => Some(Deadline::new(*since, Reason::Output)),
        };
        let output = Deadline::earlier(event, handshake.output());
        Deadline::earlier(output, Some(handshake.timer()))
    }

    fn poll_event(&mut self) -> Option<ConnectionEvent> {
        let ListenerState::Handshake { handshake, question } = &mut self.state else { return None };
        match core::mem::replace(question, Question::Nothing) {
            Question::Nothing => None,
            Question::Psk { .. } => {
                handshake.required_psk().cloned().map(ConnectionEvent::PskRequired)
            }
        }
    }
}

impl Question {
    /// Notes what the application is to be asked; the rest is for the connection.
    fn follow<P: Provider>(&mut self, now: Instant, outcome: server::Outcome<P>) -> Outcome<P> {
        match outcome {
            server::Outcome::Waiting => Outcome::Waiting,
            server::Outcome::PskRequired => {
                *self = Self::Psk { since: now };
                Outcome::Waiting
            }
            server::Outcome::Established(established, _) => Outcome::Established(established),
            server::Outcome::Failed(ending) => Outcome::Failed(ending),
        }
    }
}
