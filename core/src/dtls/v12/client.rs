//! The client's handshake.
//!
//! ```text
//! client                                       server
//!
//! ClientHello              ─────────────────►             state: ServerFlight
//!                          ◄─────────────────  HelloVerifyRequest*
//! ClientHello* (cookie)    ─────────────────►
//!                          ◄─────────────────  ServerHello
//!                                              ServerKeyExchange*
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

use states::{AwaitFinished, AwaitServerFlight, Credentials};

use super::ending::Ending;
use super::hello::Random;
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

/// What a handshake is begun with.
pub(crate) struct Offering {
    random: Random,
    credentials: Credentials,
}

impl Offering {
    /// A random number of `provider`, and who we are.
    pub(crate) fn new<P: Provider>(
        provider: &mut P,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, EntropyError> {
        let mut random = [0; 32];
        provider.random(&mut random)?;
        Ok(Self { random, credentials: Credentials { identity: identity.clone(), key } })
    }
}

/// A client's handshake, from its first message until it is established or has
/// failed.
pub struct Handshake<P: Provider> {
    config: Config,
    plaintext: PlaintextState,
    expiry: Expiry,
    state: State<P>,
}

#[expect(clippy::large_enum_variant, reason = "a device has no heap to put a flight on")]
enum State<P: Provider> {
    ServerFlight(AwaitServerFlight<P>),
    Finished(AwaitFinished<P>),
    /// Left behind by the last one.
    Over,
}

impl<P: Provider> Handshake<P> {
    /// Begins a handshake at `now`.
    pub(crate) fn start(config: &Config, now: Instant, offering: Offering) -> Self {
        let Offering { random, credentials } = offering;
        Self {
            config: *config,
            plaintext: PlaintextState::new(0),
            expiry: Expiry::start(config, now),
            state: State::ServerFlight(AwaitServerFlight::new(config, now, random, credentials)),
        }
    }

    /// Takes the messages of a record of epoch 0; an error if none was taken.
    fn insert(&mut self, now: Instant, record: &Record<'_>) -> Result<(), DropReason> {
        let next = self.plaintext.next();
        let mut result = Err(DropReason::Unexpected);
        for fragment in fragments(record.fragment)? {
            let taken = match &mut self.state {
                State::ServerFlight(state) => {
                    state.insert(&self.config, now, record.header.sequence, &fragment, next)
                }
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
        while let State::ServerFlight(state) = &mut self.state
            && state.inbox.front().is_some()
        {
            match state.advance(provider, &self.config, now) {
                Ok(None) => {}
                Ok(Some(next)) => self.state = State::Finished(next),
                Err(alert) => {
                    self.state = State::Over;
                    let reason = CloseReason::Protocol(alert);
                    return Outcome::Failed(Ending::alert(reason, alert, &mut self.plaintext));
                }
            }
            self.expiry.progress();
        }
        Outcome::Waiting
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
        if !state.finished.is_complete() {
            return Ok(Outcome::Waiting);
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Finished(state) => Ok(state.advance(&self.config, &mut self.plaintext)),
            _ => Ok(Outcome::Waiting),
        }
    }

    fn give_up(&mut self, provider: &P, reason: CloseReason) -> Ending {
        const ALERT: AlertDescription = AlertDescription::DecryptError;
        let ending = match &mut self.state {
            State::Finished(state) => Ending::alert(reason, ALERT, &mut self.plaintext)
                .and_protected(provider, ALERT, &mut state.keys.write),
            _ => Ending::silent(reason),
        };
        self.state = State::Over;
        ending
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
            return Outcome::Failed(self.give_up(provider, reason));
        }
        match &mut self.state {
            State::ServerFlight(state) => state.offer.handle_timeout(now),
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
            State::ServerFlight(AwaitServerFlight { offer, .. }) => {
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
            State::ServerFlight(AwaitServerFlight { offer, .. }) => {
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
