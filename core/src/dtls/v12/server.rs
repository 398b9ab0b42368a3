//! The server's handshake, from a `ClientHello` that needs no cookie, or brings
//! the right one.
//!
//! ```text
//! client                                       server
//!
//! ClientHello              ─────────────────►
//!      (in fragments)                          state: ClientHello
//!                                              ServerHello
//!                          ◄─────────────────  ServerHelloDone
//!                                              state: ClientKeyExchange
//! ClientKeyExchange        ─────────────────►
//!                                              state: Psk (the application's)
//!                                              state: Finished
//! [ChangeCipherSpec]
//! Finished                 ─────────────────►
//!                                              [ChangeCipherSpec]
//!                          ◄─────────────────  Finished
//!                                              established
//! ```
//! There is no `ServerKeyExchange`, since there is no hint (RFC 4279 section 2).
//! The client's `ChangeCipherSpec` is not waited for: that it has changed shows
//! in the epoch of its `Finished`, whose authenticity proves it.

mod allowance;
mod client_hello;
mod early;
mod states;

pub(crate) use allowance::Allowance;
pub(crate) use client_hello::ClientHelloRecord;

use states::{AwaitClientHello, AwaitClientKeyExchange, AwaitFinished, AwaitPsk, acceptable};

use super::ending::Ending;
use super::established::Established;
use super::hello::Random;
use super::inbox::Inbox;
use super::message::{HandshakeType, fragments};
use super::record::{ALERT_LENGTH, ContentType, PlaintextState, Record};
use super::timer::Expiry;
use crate::crypto::Provider;
use crate::dtls::{AlertDescription, CloseReason, Config, DropReason, PresharedKey, PskIdentity};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// A server's handshake, until it is established or has failed.
pub(crate) struct Handshake<P: Provider> {
    config: Config,
    plaintext: PlaintextState,
    expiry: Expiry,
    allowance: Allowance,
    client_random: Random,
    hello_sequence: u16,
    state: State<P>,
}

// Boxed by the server as long as it lasts; the states differ in size, and only
// one that comes in fragments is large.
#[allow(clippy::large_enum_variant)]
enum State<P: Provider> {
    ClientHello(AwaitClientHello),
    ClientKeyExchange(AwaitClientKeyExchange<P>),
    Psk(AwaitPsk<P>),
    Finished(AwaitFinished<P>),
    /// Left behind by the last one.
    Over,
}

/// What came of an input.
// It is passed on at once, never kept.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Outcome<P: Provider> {
    /// The handshake goes on.
    Waiting,
    /// The client has named itself ([`Handshake::required_psk`]);
    /// [`Handshake::provide_psk`] goes on.
    PskRequired,
    /// Both sides hold the same key; the client's name is proved.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    Established(Established<P>, PskIdentity),
    Failed(Ending),
}

/// Why no handshake begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Drop(DropReason),
    /// The client can't be served, and is to be told so.
    Alert(AlertDescription),
}

impl<P: Provider> Handshake<P> {
    /// Begins a handshake with `hello`, or the first fragment of it.
    pub(crate) fn begin(
        config: &Config,
        provider: &mut P,
        now: Instant,
        mut allowance: Allowance,
        hello: &ClientHelloRecord<'_>,
    ) -> Result<Self, Refusal> {
        let fragment = &hello.fragment;
        let header = &fragment.header;
        // Drawn last: a hello that is dropped changes nothing, also of what the
        // provider gives next.
        let mut draw = || {
            let mut random = [0; 32];
            let drawn = provider.random(&mut random);
            drawn.map(|()| random).map_err(|_| Refusal::Drop(DropReason::NoEntropy))
        };
        let state = if fragment.is_whole() {
            let body = fragment.body;
            let hello = acceptable(config, header, body).map_err(Refusal::Alert)?;
            let random = draw()?;
            State::ClientKeyExchange(AwaitClientKeyExchange::new(
                config, provider, now, random, &hello, header, body,
            ))
        } else {
            let mut inbox = Inbox::new(header.sequence);
            inbox.insert(fragment).map_err(Refusal::Drop)?;
            State::ClientHello(AwaitClientHello { server_random: draw()?, inbox })
        };
        allowance.received(hello.record_length);
        Ok(Self {
            config: *config,
            // RFC 6347 section 4.2.1: the ServerHello's record has the number of
            // the ClientHello's, so that none is used twice after a
            // HelloVerifyRequest that nobody remembers.
            plaintext: PlaintextState::new(hello.record_sequence),
            expiry: Expiry::start(config, now),
            allowance,
            client_random: hello.start.random,
            hello_sequence: fragment.header.sequence,
            state,
        })
    }

    /// Whether `hello` is the one that this handshake began with.
    pub(crate) fn began_with(&self, hello: &ClientHelloRecord<'_>) -> bool {
        self.hello_sequence == hello.message_sequence() && self.client_random == hello.start.random
    }

    /// The random value of the client's hello.
    #[cfg(feature = "alloc")]
    pub(crate) fn client_random(&self) -> &Random {
        &self.client_random
    }

    /// The identity whose key is waited for.
    pub(crate) fn required_psk(&self) -> Option<&PskIdentity> {
        match &self.state {
            State::Psk(state) => Some(&state.identity),
            _ => None,
        }
    }

    /// Takes a record. One that is dropped changes nothing.
    pub(crate) fn handle(
        &mut self,
        provider: &mut P,
        now: Instant,
        record: Record<'_>,
        psk_timeout: core::time::Duration,
    ) -> Result<Outcome<P>, DropReason> {
        let length = record.length();
        let outcome = match (record.header.epoch, record.header.content_type) {
            (0, ContentType::Handshake) => {
                self.insert(now, record.fragment)?;
                self.allowance.received(length);
                return Ok(self.advance(provider, now, psk_timeout));
            }
            (0, ContentType::Alert) => {
                self.expiry.handle_alert(&self.config, now, record.fragment)?;
                Outcome::Waiting
            }
            (0, ContentType::ChangeCipherSpec) => Outcome::Waiting,
            (0, ContentType::ApplicationData) => return Err(DropReason::Unexpected),
            _ => self.handle_protected(provider, now, record)?,
        };
        self.allowance.received(length);
        Ok(outcome)
    }

    /// Takes the messages of a record of epoch 0; an error if none was taken.
    fn insert(&mut self, now: Instant, content: &[u8]) -> Result<(), DropReason> {
        let mut result = Err(DropReason::Unexpected);
        for fragment in fragments(content)? {
            let taken = match &mut self.state {
                State::ClientHello(state) => state.inbox.insert(&fragment),
                State::ClientKeyExchange(state)
                    if fragment.header.kind == HandshakeType::CLIENT_HELLO
                        && fragment.header.sequence == self.hello_sequence
                        && fragment.offset == 0 =>
                {
                    state.repeat(now);
                    Ok(())
                }
                State::ClientKeyExchange(state) => state.inbox.insert(&fragment),
                State::Psk(_) | State::Finished(_) => Err(DropReason::Repeated),
                State::Over => Err(DropReason::Unexpected),
            };
            if result.is_err() {
                result = taken;
            }
        }
        result
    }

    /// Handles the message that is expected, if it is complete. There is but one
    /// in each flight of a client.
    fn advance(
        &mut self,
        provider: &P,
        now: Instant,
        psk_timeout: core::time::Duration,
    ) -> Outcome<P> {
        let next = match core::mem::replace(&mut self.state, State::Over) {
            State::ClientHello(state) if state.inbox.front().is_some() => {
                state.advance(&self.config, provider, now).map(State::ClientKeyExchange)
            }
            State::ClientKeyExchange(state) if state.inbox.front().is_some() => {
                state.advance(now + psk_timeout).map(State::Psk)
            }
            waiting => {
                self.state = waiting;
                return Outcome::Waiting;
            }
        };
        self.expiry.progress();
        match next {
            Ok(next) => {
                self.state = next;
                match &self.state {
                    State::Psk(_) => Outcome::PskRequired,
                    _ => Outcome::Waiting,
                }
            }
            Err(alert) => self.fail(alert),
        }
    }

    fn fail(&mut self, alert: AlertDescription) -> Outcome<P> {
        Outcome::Failed(self.end(CloseReason::Protocol(alert), alert))
    }

    /// The end, of which the client is told if that much may be sent to it.
    fn end(&mut self, reason: CloseReason, alert: AlertDescription) -> Ending {
        if self.allowance.allows(ALERT_LENGTH) {
            Ending::alert(reason, alert, &mut self.plaintext)
        } else {
            Ending::silent(reason)
        }
    }

    /// Goes on with the client's key, or with one that nobody has if the client
    /// is not known: from outside, the one can't be told from a wrong key of the
    /// other (RFC 4279 section 2). Without effect unless it was asked for.
    pub(crate) fn provide_psk(
        &mut self,
        provider: &P,
        now: Instant,
        key: PresharedKey,
    ) -> Outcome<P> {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Psk(state) => {
                let (state, mut early) = state.derive(provider, &self.client_random, &key);
                self.state = State::Finished(state);
                for record in early.records() {
                    // What can't be opened now is what anyone may have sent.
                    match self.handle_protected(provider, now, record) {
                        Ok(Outcome::Waiting) | Err(_) => {}
                        Ok(outcome) => return outcome,
                    }
                }
                Outcome::Waiting
            }
            other => {
                self.state = other;
                Outcome::Waiting
            }
        }
    }

    fn handle_protected(
        &mut self,
        provider: &P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason> {
        let state = match &mut self.state {
            State::Finished(state) => state,
            State::ClientKeyExchange(state) => {
                return state.early.push(&record).map(|()| Outcome::Waiting);
            }
            State::Psk(state) => return state.early.push(&record).map(|()| Outcome::Waiting),
            State::ClientHello(_) | State::Over => return Err(DropReason::Unexpected),
        };
        let closed = state.finished.handle_record(provider, &mut state.keys.read, record)?;
        if let Some(reason) = closed {
            return Ok(Outcome::Failed(Ending::silent(reason)));
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Finished(state) if state.finished.is_complete() => {
                match state.advance(&self.config, now, self.plaintext) {
                    Ok((session, identity)) => Ok(Outcome::Established(session, identity)),
                    Err(alert) => Ok(self.fail(alert)),
                }
            }
            waiting => {
                self.state = waiting;
                Ok(Outcome::Waiting)
            }
        }
    }

    /// Repeats the flight or gives up, whatever is due. `substitute` is the key
    /// that nobody has.
    pub(crate) fn handle_timeout(
        &mut self,
        provider: &P,
        now: Instant,
        substitute: &PresharedKey,
    ) -> Outcome<P> {
        let undecryptable =
            matches!(&self.state, State::Finished(state) if state.finished.undecryptable());
        if let Some(reason) = self.expiry.expired(now, undecryptable) {
            return Outcome::Failed(match &self.state {
                State::Finished(_) => self.end(reason, AlertDescription::DecryptError),
                _ => Ending::silent(reason),
            });
        }
        match &mut self.state {
            State::ClientKeyExchange(state) => state.handle_timeout(now),
            State::Psk(state) if now >= state.expires => {
                return self.provide_psk(provider, now, substitute.clone());
            }
            _ => {}
        }
        Outcome::Waiting
    }

    /// The server gives the handshake up.
    pub(crate) fn cancel(&mut self, reason: CloseReason) -> Ending {
        self.state = State::Over;
        self.end(reason, AlertDescription::UserCanceled)
    }

    /// Whether a datagram is waiting for [`Handshake::poll_transmit`].
    pub(crate) fn output(&self) -> Option<Deadline> {
        match &self.state {
            State::ClientKeyExchange(state) => state.flight.deadline(),
            _ => None,
        }
    }

    /// Writes the next datagram.
    pub(crate) fn poll_transmit(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let State::ClientKeyExchange(state) = &mut self.state else { return Ok(None) };
        // RFC 6347 section 4.2.1, on what to do without cookies: nothing is
        // repeated to an address that may not have asked; a client that did asks
        // again itself.
        if !self.allowance.allows(state.flight.unsent_length()) {
            state.flight.cancel();
        }
        let limit = self.config.datagram_limit();
        let sent = state.flight.poll_transmit(&mut self.plaintext, limit, buffer)?;
        self.allowance.sent(sent.unwrap_or(0));
        Ok(sent)
    }

    /// When the handshake wants to be called, if nothing is to be sent.
    pub(crate) fn timer(&self) -> Deadline {
        let end = self.expiry.deadline();
        let other = match &self.state {
            State::ClientKeyExchange(state) => Some(state.timer.deadline()),
            State::Psk(state) => Some(Deadline::new(state.expires, Reason::Expiry)),
            _ => None,
        };
        Deadline::earlier(other, Some(end)).unwrap_or(end)
    }
}
