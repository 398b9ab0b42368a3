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

use super::ending::Ending;
use super::established::Established;
use super::flight::{FinishedFlight, Flight};
use super::hello::{
    HelloStart, MAX_CLIENT_HELLO, Random, Randoms, ServerHello, read_hello_verify_request,
    write_client_hello,
};
use super::inbox::Inbox;
use super::key_schedule::{ExpectedFinished, Keys, Side, derive};
use super::message::{
    Fragment, HEADER_LENGTH, HandshakeType, MAX_CLIENT_KEY_EXCHANGE, VERIFY_DATA_LENGTH, fragments,
    read_server_hello_done, read_server_key_exchange, write_client_key_exchange,
};
use super::record::{ContentType, PlaintextState, Record};
use super::timer::{Expiry, Retransmission};
use super::transcript::Transcript;
use crate::crypto::{EntropyError, Provider};
use crate::dtls::alert::{Alert, AlertLevel};
use crate::dtls::{
    AlertDescription, CloseReason, Config, DropReason, ExtendedMasterSecret, PresharedKey,
    PskIdentity,
};
use crate::time::{Deadline, Instant};
use crate::wire::BufferTooSmall;

/// How many `HelloVerifyRequest`s are followed: one, and a few more for a secret
/// that changed or a forged one.
const MAX_RETRIES: u16 = 4;
/// The greatest length of a message of the server's flight, in bytes: a
/// `ServerHello` has at most 81, a `ServerKeyExchange` with a hint of 128 has 130.
const MAX_SERVER_MESSAGE: usize = 136;

/// The server's flight: `ServerHello`, `ServerKeyExchange`, `ServerHelloDone`.
type ServerMessages = Inbox<MAX_SERVER_MESSAGE, 3>;
type HelloFlight = Flight<{ HEADER_LENGTH + MAX_CLIENT_HELLO }>;
type KeyExchangeFlight = FinishedFlight<{ HEADER_LENGTH + MAX_CLIENT_KEY_EXCHANGE }>;

/// A client's handshake, from its first message until it is established or has
/// failed.
pub(crate) struct Handshake<P: Provider> {
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

/// What came of an input.
pub(crate) enum Outcome<P: Provider> {
    /// The handshake goes on.
    Waiting,
    /// Both sides hold the same key.
    Established(Established<P>),
    Failed(Ending),
}

struct Credentials {
    identity: PskIdentity,
    key: PresharedKey,
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
                0,
            )),
        })
    }

    /// Takes a record. One that is dropped changes nothing.
    pub(crate) fn handle(
        &mut self,
        provider: &P,
        now: Instant,
        record: Record<'_>,
    ) -> Result<Outcome<P>, DropReason> {
        match (record.header.epoch, record.header.content_type) {
            (0, ContentType::Handshake) => {
                self.insert(now, record.fragment)?;
                Ok(self.advance(provider, now))
            }
            (0, ContentType::Alert) => self.handle_plaintext_alert(now, record.fragment),
            (0, ContentType::ChangeCipherSpec) => Ok(Outcome::Waiting),
            (0, ContentType::ApplicationData) => Err(DropReason::Unexpected),
            _ => self.handle_protected(provider, record),
        }
    }

    fn handle_plaintext_alert(
        &mut self,
        now: Instant,
        content: &[u8],
    ) -> Result<Outcome<P>, DropReason> {
        let alert = Alert::decode(content).map_err(|_| DropReason::Malformed)?;
        if alert.level == AlertLevel::Warning && alert != Alert::CLOSE_NOTIFY {
            return Err(DropReason::Unexpected);
        }
        self.expiry.alerted(&self.config, now, alert.description);
        Ok(Outcome::Waiting)
    }

    /// Takes the messages of a record of epoch 0; an error if none was taken.
    fn insert(&mut self, now: Instant, content: &[u8]) -> Result<(), DropReason> {
        let mut result = Err(DropReason::Unexpected);
        for fragment in fragments(content)? {
            let taken = match &mut self.state {
                State::ServerHello(state) => state.insert(&self.config, now, &fragment),
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
        let (content_type, content) =
            state.keys.read.open(provider, record).map_err(|(_, reason)| {
                state.undecryptable |= reason == DropReason::Undecryptable;
                reason
            })?;
        match content_type {
            ContentType::Handshake => {
                for fragment in fragments(content)? {
                    if fragment.header.kind == HandshakeType::FINISHED {
                        state.inbox.insert(&fragment)?;
                    }
                }
            }
            ContentType::Alert => {
                return match Alert::decode(content) {
                    Ok(alert) => Ok(authentic_alert(alert)),
                    Err(_) => Err(DropReason::Malformed),
                };
            }
            ContentType::ApplicationData => return Err(DropReason::Early),
            ContentType::ChangeCipherSpec => return Err(DropReason::Unexpected),
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Finished(state) if state.inbox.front().is_some() => {
                Ok(state.advance(&self.config, &mut self.plaintext))
            }
            waiting => {
                self.state = waiting;
                Ok(Outcome::Waiting)
            }
        }
    }

    /// Repeats the flight or gives up, whatever is due.
    pub(crate) fn handle_timeout(&mut self, provider: &P, now: Instant) -> Outcome<P> {
        let undecryptable = matches!(&self.state, State::Finished(state) if state.undecryptable);
        if let Some(reason) = self.expiry.expired(now, undecryptable) {
            let state = core::mem::replace(&mut self.state, State::Over);
            return Outcome::Failed(self.give_up(provider, reason, state));
        }
        match &mut self.state {
            State::ServerHello(state) => state.offer.handle_timeout(now),
            State::ServerKeyExchange(state) => state.0.offer.handle_timeout(now),
            State::ServerHelloDone(state) => state.0.offer.handle_timeout(now),
            State::Finished(state) => {
                if state.timer.expired(now) {
                    state.flight.queue(now);
                }
            }
            State::Over => {}
        }
        Outcome::Waiting
    }

    fn give_up(&mut self, provider: &P, reason: CloseReason, state: State<P>) -> Ending {
        const ALERT: AlertDescription = AlertDescription::DecryptError;
        match state {
            State::Finished(mut state) => Ending::alert(reason, ALERT, &mut self.plaintext)
                .and_protected(provider, ALERT, &mut state.keys.write),
            _ => Ending::silent(reason),
        }
    }

    /// The application gives the handshake up.
    pub(crate) fn cancel(&mut self) -> Ending {
        self.state = State::Over;
        let alert = AlertDescription::UserCanceled;
        Ending::alert(CloseReason::ByApplication, alert, &mut self.plaintext)
    }

    /// Writes the next datagram.
    pub(crate) fn poll_transmit(
        &mut self,
        provider: &P,
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

    /// When the handshake wants to be called.
    pub(crate) fn poll_timeout(&self) -> Deadline {
        let (output, repetition) = match &self.state {
            State::ServerHello(AwaitServerHello { offer, .. })
            | State::ServerKeyExchange(AwaitServerKeyExchange(ServerFlight { offer, .. }))
            | State::ServerHelloDone(AwaitServerHelloDone(ServerFlight { offer, .. })) => {
                (offer.flight.deadline(), Some(offer.timer.deadline()))
            }
            State::Finished(state) => (state.flight.deadline(), Some(state.timer.deadline())),
            State::Over => (None, None),
        };
        let end = self.expiry.deadline();
        Deadline::earlier(output, Deadline::earlier(Some(end), repetition)).unwrap_or(end)
    }
}

/// What an alert of the new epoch means for a handshake.
fn authentic_alert<P: Provider>(alert: Alert) -> Outcome<P> {
    match alert {
        Alert { description: AlertDescription::CloseNotify, .. } => {
            Outcome::Failed(Ending::silent(CloseReason::ByPeer))
        }
        Alert { level: AlertLevel::Fatal, description } => {
            Outcome::Failed(Ending::silent(CloseReason::Alert(description)))
        }
        Alert { level: AlertLevel::Warning, .. } => Outcome::Waiting,
    }
}

/// What we offered, until the server's flight is complete.
struct Offer {
    random: Random,
    credentials: Credentials,
    /// The number of the `ClientHello`: how many `HelloVerifyRequest`s came.
    sequence: u16,
    flight: HelloFlight,
    timer: Retransmission,
}

impl Offer {
    /// The cookie in the `ClientHello`.
    fn cookie(&self) -> &[u8] {
        let body = self.flight.messages().get(HEADER_LENGTH..).unwrap_or_default();
        HelloStart::read(body).map(|start| start.cookie).unwrap_or_default()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.timer.expired(now) {
            self.flight.queue(now);
        }
    }
}

/// Waits for a `ServerHello`, or a `HelloVerifyRequest`.
struct AwaitServerHello {
    offer: Offer,
    inbox: ServerMessages,
}

impl AwaitServerHello {
    fn new(
        config: &Config,
        now: Instant,
        random: Random,
        credentials: Credentials,
        cookie: &[u8],
        sequence: u16,
    ) -> Self {
        let mut flight = HelloFlight::new();
        flight.push(HandshakeType::CLIENT_HELLO, sequence, |writer| {
            write_client_hello(writer, &random, cookie);
        });
        flight.queue(now);
        let timer = Retransmission::start(config, now);
        let offer = Offer { random, credentials, sequence, flight, timer };
        Self { offer, inbox: Inbox::new(sequence) }
    }

    fn insert(
        &mut self,
        config: &Config,
        now: Instant,
        fragment: &Fragment<'_>,
    ) -> Result<(), DropReason> {
        let sequence = fragment.header.sequence;
        match fragment.header.kind {
            HandshakeType::HELLO_VERIFY_REQUEST => self.retry(config, now, fragment),
            // A server that is asked again after several requests of its own may
            // have counted otherwise (RFC 6347 section 4.2.2).
            HandshakeType::SERVER_HELLO if sequence < self.inbox.next() => {
                let mut inbox = Inbox::new(sequence);
                inbox.insert(fragment)?;
                self.inbox = inbox;
                Ok(())
            }
            _ => self.inbox.insert(fragment),
        }
    }

    /// Sends the `ClientHello` again, with the cookie that the server wants.
    fn retry(
        &mut self,
        config: &Config,
        now: Instant,
        fragment: &Fragment<'_>,
    ) -> Result<(), DropReason> {
        if !fragment.is_whole() {
            return Err(DropReason::Malformed);
        }
        let cookie = read_hello_verify_request(fragment.body).map_err(|_| DropReason::Malformed)?;
        if self.offer.sequence > 0 && self.offer.cookie() == cookie {
            return Err(DropReason::Repeated);
        }
        if self.offer.sequence >= MAX_RETRIES {
            return Err(DropReason::Unexpected);
        }
        let Offer { random, credentials, sequence, .. } = &self.offer;
        let credentials =
            Credentials { identity: credentials.identity.clone(), key: credentials.key.clone() };
        *self = Self::new(config, now, *random, credentials, &cookie, sequence + 1);
        Ok(())
    }

    fn advance<P: Provider>(
        self,
        provider: &P,
        config: &Config,
    ) -> Result<State<P>, AlertDescription> {
        let Self { offer, mut inbox, .. } = self;
        let Some((header, body)) = inbox.front() else {
            return Err(AlertDescription::InternalError);
        };
        if header.kind != HandshakeType::SERVER_HELLO {
            return Err(AlertDescription::UnexpectedMessage);
        }
        let hello = ServerHello::read(body)?;
        // RFC 7627 section 5.2.
        if config.extended_master_secret == ExtendedMasterSecret::Required
            && !hello.extended_master_secret
        {
            return Err(AlertDescription::HandshakeFailure);
        }
        let mut transcript = Transcript::new(provider);
        transcript.add_encoded(offer.flight.messages());
        transcript.add(&header, body);
        inbox.pop();
        Ok(State::ServerKeyExchange(AwaitServerKeyExchange(ServerFlight {
            offer,
            hello,
            inbox,
            transcript,
        })))
    }
}

/// What is known while the server's flight comes in.
struct ServerFlight<P: Provider> {
    offer: Offer,
    hello: ServerHello,
    inbox: ServerMessages,
    transcript: Transcript<P>,
}

/// Waits for a `ServerKeyExchange`, which only a server that gives a hint sends,
/// or else for what [`AwaitServerHelloDone`] waits for.
struct AwaitServerKeyExchange<P: Provider>(ServerFlight<P>);

impl<P: Provider> AwaitServerKeyExchange<P> {
    fn advance(
        self,
        provider: &P,
        config: &Config,
        now: Instant,
    ) -> Result<State<P>, AlertDescription> {
        let mut flight = self.0;
        match flight.inbox.front() {
            Some((header, body)) if header.kind == HandshakeType::SERVER_KEY_EXCHANGE => {
                read_server_key_exchange(body)?;
                flight.transcript.add(&header, body);
                flight.inbox.pop();
                Ok(State::ServerHelloDone(AwaitServerHelloDone(flight)))
            }
            _ => AwaitServerHelloDone(flight).advance(provider, config, now),
        }
    }
}

/// Waits for the `ServerHelloDone`.
struct AwaitServerHelloDone<P: Provider>(ServerFlight<P>);

impl<P: Provider> AwaitServerHelloDone<P> {
    fn advance(
        self,
        provider: &P,
        config: &Config,
        now: Instant,
    ) -> Result<State<P>, AlertDescription> {
        let ServerFlight { offer, hello, inbox, mut transcript } = self.0;
        let Some((header, body)) = inbox.front() else {
            return Err(AlertDescription::InternalError);
        };
        if header.kind != HandshakeType::SERVER_HELLO_DONE {
            return Err(AlertDescription::UnexpectedMessage);
        }
        read_server_hello_done(body)?;
        transcript.add(&header, body);

        let key_exchange = offer.sequence.saturating_add(1);
        let finished = key_exchange.saturating_add(1);
        let mut messages = Flight::new();
        messages.push(HandshakeType::CLIENT_KEY_EXCHANGE, key_exchange, |writer| {
            write_client_key_exchange(writer, &offer.credentials.identity);
        });
        transcript.add_encoded(messages.messages());
        let (keys, pair) = derive(
            provider,
            Side::Client,
            offer.credentials.key,
            hello.extended_master_secret,
            &Randoms { client: offer.random, server: hello.random },
            transcript,
            finished,
        );
        let mut flight = FinishedFlight::new(messages, finished, pair.own);
        flight.queue(now);
        Ok(State::Finished(AwaitFinished {
            keys,
            expected: pair.expected,
            inbox: Inbox::new(header.sequence.saturating_add(1)),
            flight,
            timer: Retransmission::start(config, now),
            undecryptable: false,
        }))
    }
}

/// Waits for the server's `Finished`.
struct AwaitFinished<P: Provider> {
    keys: Keys<P>,
    expected: ExpectedFinished,
    inbox: Inbox<VERIFY_DATA_LENGTH, 1>,
    flight: KeyExchangeFlight,
    timer: Retransmission,
    /// Whether a record came that could not be decrypted.
    undecryptable: bool,
}

impl<P: Provider> AwaitFinished<P> {
    fn advance(self, config: &Config, plaintext: &mut PlaintextState) -> Outcome<P> {
        let body = self.inbox.front().map(|(_, body)| body).unwrap_or_default();
        match self.expected.verify(body) {
            Some(verified) => {
                Outcome::Established(Established::client(self.keys, verified, config))
            }
            None => {
                let alert = AlertDescription::DecryptError;
                Outcome::Failed(Ending::alert(CloseReason::Protocol(alert), alert, plaintext))
            }
        }
    }
}
