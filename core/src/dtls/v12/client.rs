//! The client's handshake.
//!
//! ```text
//! client                                       server
//!
//! ClientHello              ─────────────────►              state: ServerHello
//!                          ◄─────────────────  HelloVerifyRequest*
//! ClientHello* (cookie)    ─────────────────►
//!                          ◄─────────────────  ServerHello
//!                                                    state: ServerKeyExchange
//!                                              ServerKeyExchange*
//!                                                      state: ServerHelloDone
//!                                              ServerHelloDone
//! ClientKeyExchange
//! [ChangeCipherSpec]
//! Finished                 ─────────────────►                 state: Finished
//!                                              [ChangeCipherSpec]
//!                          ◄─────────────────  Finished
//!                                                                 established
//! ```
//! `*`: may be missing. A message that is not expected ends the handshake. A
//! `ChangeCipherSpec` from the server is not waited for: that it has changed
//! shows in the epoch of its `Finished`, whose authenticity proves it.

mod states;

use states::{
    AwaitFinished, AwaitServerHello, AwaitServerHelloDone, AwaitServerKeyExchange, Credentials,
    Numbers, ServerFlight,
};

use super::ending::Ending;
use super::message::fragments;
use super::record::{ContentType, PlaintextState, Record};
use super::timer::Expiry;
use crate::crypto::{EntropyError, Provider};
use crate::dtls::handshake::{self, Outcome};
use crate::dtls::{
    AlertDescription, CloseReason, Config, ConnectionEvent, DropReason, PresharedKey, PskIdentity,
};
use crate::time::{Deadline, Instant};
use crate::wire::BufferTooSmall;

/// A client's handshake, from its first message until it is established or has
/// failed.
pub struct Handshake<P: Provider> {
    config: Config,
    plaintext: PlaintextState,
    expiry: Expiry,
    state: State<P>,
}

enum State<P: Provider> {
    ServerHello(AwaitServerHello),
    ServerKeyExchange(AwaitServerKeyExchange<P>),
    ServerHelloDone(AwaitServerHelloDone<P>),
    Finished(AwaitFinished<P>),
    /// Left behind by the last one.
    Over,
}

impl<P: Provider> Handshake<P> {
    /// Begins a handshake at `now`.
    pub(crate) fn start(
        config: &Config,
        provider: &mut P,
        now: Instant,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, EntropyError> {
        let mut random = [0; 32];
        provider.random(&mut random)?;
        let credentials = Credentials { identity: identity.clone(), key };
        Ok(Self {
            config: *config,
            plaintext: PlaintextState::new(0),
            expiry: Expiry::start(config, now),
            state: State::ServerHello(AwaitServerHello::new(
                config,
                now,
                random,
                credentials,
                &[],
                Numbers { message: 0, record: 0 },
            )),
        })
    }

    /// Takes the messages of a record of epoch 0; an error if none was taken.
    fn insert(&mut self, now: Instant, record: &Record<'_>) -> Result<(), DropReason> {
        let next = self.plaintext.next();
        let mut result = Err(DropReason::Unexpected);
        for fragment in fragments(record.fragment)? {
            let taken = match &mut self.state {
                State::ServerHello(state) => {
                    state.insert(&self.config, now, record.header.sequence, &fragment, next)
                }
                State::ServerKeyExchange(state) => state.0.inbox.insert(&fragment),
                State::ServerHelloDone(state) => state.0.inbox.insert(&fragment),
                State::Finished(_) => Err(DropReason::Repeated),
                State::Over => Err(DropReason::Unexpected),
            };
            if result.is_err() {
                result = taken;
            }
        }
        result
    }

    /// Handles the messages that are complete, in order.
    fn advance(&mut self, provider: &P, now: Instant) -> Outcome<P> {
        loop {
            let state = core::mem::replace(&mut self.state, State::Over);
            let next = match state {
                State::ServerHello(state) if state.inbox.front().is_some() => {
                    state.advance(provider, &self.config)
                }
                State::ServerKeyExchange(state) if state.0.inbox.front().is_some() => {
                    state.advance(provider, &self.config, now)
                }
                State::ServerHelloDone(state) if state.0.inbox.front().is_some() => {
                    state.advance(provider, &self.config, now)
                }
                waiting => {
                    self.state = waiting;
                    return Outcome::Waiting;
                }
            };
            match next {
                Ok(next) => self.state = next,
                Err(alert) => {
                    let reason = CloseReason::Protocol(alert);
                    return Outcome::Failed(Ending::alert(reason, alert, &mut self.plaintext));
                }
            }
            self.expiry.progress();
        }
    }

    fn handle_protected(
        &mut self,
        provider: &P,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason> {
        // The server can't have keys before we have: it needs our flight for them.
        let State::Finished(state) = &mut self.state else { return Err(DropReason::Unexpected) };
        let closed = state.finished.handle_record(provider, &mut state.keys.read, record)?;
        if let Some(reason) = closed {
            return Ok(Outcome::Failed(Ending::silent(reason)));
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Finished(state) if state.finished.is_complete() => {
                Ok(state.advance(&self.config, &mut self.plaintext))
            }
            waiting => {
                self.state = waiting;
                Ok(Outcome::Waiting)
            }
        }
    }

    fn give_up(&mut self, provider: &P, reason: CloseReason, state: State<P>) -> Ending {
        const ALERT: AlertDescription = AlertDescription::DecryptError;
        match state {
            State::Finished(mut state) => Ending::alert(reason, ALERT, &mut self.plaintext)
                .and_protected(provider, ALERT, &mut state.keys.write),
            _ => Ending::silent(reason),
        }
    }
}

impl<P: Provider> handshake::Handshake<P> for Handshake<P> {
    fn handle(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason> {
        match (record.header.epoch, record.header.content_type) {
            (0, ContentType::Handshake) => {
                self.insert(now, &record)?;
                Ok(self.advance(provider, now))
            }
            (0, ContentType::Alert) => {
                self.expiry.handle_alert(&self.config, now, record.fragment)?;
                Ok(Outcome::Waiting)
            }
            (0, ContentType::ChangeCipherSpec) => Ok(Outcome::Waiting),
            (0, ContentType::ApplicationData) => Err(DropReason::Unexpected),
            _ => self.handle_protected(provider, record),
        }
    }

    fn handle_timeout(&mut self, provider: &mut P, now: Instant) -> Outcome<P> {
        let undecryptable =
            matches!(&self.state, State::Finished(state) if state.finished.undecryptable());
        if let Some(reason) = self.expiry.expired(now, undecryptable) {
            let state = core::mem::replace(&mut self.state, State::Over);
            return Outcome::Failed(self.give_up(provider, reason, state));
        }
        match &mut self.state {
            State::ServerHello(state) => state.offer.handle_timeout(now),
            State::ServerKeyExchange(state) => state.0.offer.handle_timeout(now),
            State::ServerHelloDone(state) => state.0.offer.handle_timeout(now),
            State::Finished(state) => state.handle_timeout(now),
            State::Over => {}
        }
        Outcome::Waiting
    }

    fn cancel(&mut self) -> Ending {
        self.state = State::Over;
        let alert = AlertDescription::UserCanceled;
        Ending::alert(CloseReason::ByApplication, alert, &mut self.plaintext)
    }

    fn poll_transmit(
        &mut self,
        provider: &mut P,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let limit = self.config.datagram_limit();
        let plaintext = &mut self.plaintext;
        match &mut self.state {
            State::ServerHello(AwaitServerHello { offer, .. })
            | State::ServerKeyExchange(AwaitServerKeyExchange(ServerFlight { offer, .. }))
            | State::ServerHelloDone(AwaitServerHelloDone(ServerFlight { offer, .. })) => {
                offer.flight.poll_transmit(plaintext, limit, buffer)
            }
            State::Finished(state) => {
                let write = &mut state.keys.write;
                state.flight.poll_transmit(provider, plaintext, write, limit, buffer)
            }
            State::Over => Ok(None),
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let (output, repetition) = match &self.state {
            State::ServerHello(AwaitServerHello { offer, .. })
            | State::ServerKeyExchange(AwaitServerKeyExchange(ServerFlight { offer, .. }))
            | State::ServerHelloDone(AwaitServerHelloDone(ServerFlight { offer, .. })) => {
                (offer.flight.deadline(), Some(offer.timer.deadline()))
            }
            State::Finished(state) => (state.flight.deadline(), Some(state.timer.deadline())),
            State::Over => (None, None),
        };
        let timer = Deadline::earlier(Some(self.expiry.deadline()), repetition);
        Deadline::earlier(output, timer)
    }

    fn poll_event(&mut self) -> Option<ConnectionEvent> {
        None
    }
}
