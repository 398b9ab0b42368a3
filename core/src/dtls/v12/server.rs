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

use super::ending::Ending;
use super::established::Established;
use super::flight::{FinishedFlight, Flight};
use super::hello::{
    ClientHello, HelloStart, MAX_SERVER_HELLO, Random, Randoms, write_server_hello,
};
use super::inbox::Inbox;
use super::key_schedule::{ExpectedFinished, Keys, Side, derive};
use super::message::{
    Fragment, HEADER_LENGTH, HandshakeType, MAX_CLIENT_KEY_EXCHANGE, MessageHeader,
    VERIFY_DATA_LENGTH, fragments, read_client_key_exchange,
};
use super::record::{self, ContentType, DTLS_1_2, Header, PlaintextState, Record};
use super::timer::{Expiry, Retransmission};
use super::transcript::Transcript;
use crate::crypto::Provider;
use crate::dtls::alert::{Alert, AlertLevel};
use crate::dtls::{
    AlertDescription, CloseReason, Config, DropReason, ExtendedMasterSecret, PresharedKey,
    PskIdentity,
};
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

/// The greatest length of a `ClientHello` that comes in fragments, in bytes.
const MAX_CLIENT_HELLO: usize = 1024;
/// `ServerHello` and `ServerHelloDone`.
const FLIGHT_LENGTH: usize = 2 * HEADER_LENGTH + MAX_SERVER_HELLO;

/// The shortest `ClientHello` that can be answered, as a record, in bytes.
const SHORTEST_CLIENT_HELLO: usize = record::HEADER_LENGTH + HEADER_LENGTH + 2 + 32 + 1 + 1 + 4 + 2;
// No answer is larger than three times its request.
const _: () = assert!(record::HEADER_LENGTH + FLIGHT_LENGTH <= 3 * SHORTEST_CLIENT_HELLO);

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

/// The start of a `ClientHello`, out of a record of epoch 0.
#[derive(Clone, Copy)]
pub(crate) struct ClientHelloRecord<'a> {
    /// The number of the record, and its length.
    pub(crate) record_sequence: u64,
    record_length: usize,
    fragment: Fragment<'a>,
    pub(crate) start: HelloStart<'a>,
}

impl<'a> ClientHelloRecord<'a> {
    /// Reads it from `record`; `None` if that carries something else.
    pub(crate) fn read(record: &'a Record<'_>) -> Result<Option<Self>, DropReason> {
        let Header { content_type, epoch, sequence, .. } = record.header;
        if content_type != ContentType::Handshake || epoch != 0 {
            return Ok(None);
        }
        let fragment = fragments(record.fragment)?.next().ok_or(DropReason::Malformed)?;
        if fragment.header.kind != HandshakeType::CLIENT_HELLO || fragment.offset != 0 {
            return Ok(None);
        }
        let start = HelloStart::read(fragment.body).map_err(|_| DropReason::Malformed)?;
        Ok(Some(Self {
            record_sequence: sequence,
            record_length: record.length(),
            fragment,
            start,
        }))
    }

    /// The number of the message.
    pub(crate) fn message_sequence(&self) -> u16 {
        self.fragment.header.sequence
    }
}

/// Why no handshake begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Drop(DropReason),
    /// The client can't be served, and is to be told so.
    Alert(AlertDescription),
}

/// How many bytes may be sent to an address: as many as one likes if a cookie has
/// proved it, or else three times what came from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance(usize);

impl Allowance {
    /// For an address that is proved.
    #[cfg(feature = "alloc")]
    pub(crate) const PROVED: Self = Self(usize::MAX);
    /// For one that is not.
    pub(crate) const UNPROVED: Self = Self(0);

    fn received(&mut self, length: usize) {
        self.0 = self.0.saturating_add(length.saturating_mul(3));
    }

    fn allows(self, length: usize) -> bool {
        length <= self.0
    }

    fn sent(&mut self, length: usize) {
        self.0 = self.0.saturating_sub(length);
    }
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
        let mut server_random = [0; 32];
        provider.random(&mut server_random).map_err(|_| Refusal::Drop(DropReason::NoEntropy))?;
        allowance.received(hello.record_length);
        let state = if fragment.is_whole() {
            let header = &fragment.header;
            State::ClientKeyExchange(
                AwaitClientKeyExchange::new(
                    config,
                    provider,
                    now,
                    server_random,
                    header,
                    fragment.body,
                )
                .map_err(Refusal::Alert)?,
            )
        } else {
            let mut inbox = Inbox::new(fragment.header.sequence);
            inbox.insert(fragment).map_err(Refusal::Drop)?;
            State::ClientHello(AwaitClientHello { server_random, inbox })
        };
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
                self.advance(provider, now, psk_timeout)
            }
            (0, ContentType::Alert) => self.handle_plaintext_alert(now, record.fragment)?,
            (0, ContentType::ChangeCipherSpec) => Outcome::Waiting,
            (0, ContentType::ApplicationData) => return Err(DropReason::Unexpected),
            _ => self.handle_protected(provider, now, record)?,
        };
        self.allowance.received(length);
        Ok(outcome)
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
                State::ClientHello(state) => state.inbox.insert(&fragment),
                State::ClientKeyExchange(state)
                    if fragment.header.sequence == self.hello_sequence && fragment.offset == 0 =>
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
        let reason = CloseReason::Protocol(alert);
        Outcome::Failed(Ending::alert(reason, alert, &mut self.plaintext))
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
                let (state, mut early) = state.derive(provider, &self.client_random, key);
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
                let alert = Alert::decode(content).map_err(|_| DropReason::Malformed)?;
                return Ok(match (alert.level, alert.description) {
                    (_, AlertDescription::CloseNotify) => {
                        Outcome::Failed(Ending::silent(CloseReason::ByPeer))
                    }
                    (AlertLevel::Fatal, description) => {
                        Outcome::Failed(Ending::silent(CloseReason::Alert(description)))
                    }
                    (AlertLevel::Warning, _) => Outcome::Waiting,
                });
            }
            ContentType::ApplicationData => return Err(DropReason::Early),
            ContentType::ChangeCipherSpec => return Err(DropReason::Unexpected),
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Finished(state) if state.inbox.front().is_some() => {
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
        let undecryptable = matches!(&self.state, State::Finished(state) if state.undecryptable);
        if let Some(reason) = self.expiry.expired(now, undecryptable) {
            let alert = AlertDescription::DecryptError;
            return Outcome::Failed(match &self.state {
                State::Finished(_) => Ending::alert(reason, alert, &mut self.plaintext),
                _ => Ending::silent(reason),
            });
        }
        match &mut self.state {
            State::ClientKeyExchange(state) => {
                if state.timer.expired(now) {
                    state.flight.queue(now);
                }
            }
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
        Ending::alert(reason, AlertDescription::UserCanceled, &mut self.plaintext)
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

/// Waits for the rest of a `ClientHello` that comes in fragments.
struct AwaitClientHello {
    server_random: Random,
    inbox: Inbox<MAX_CLIENT_HELLO, 1>,
}

impl AwaitClientHello {
    fn advance<P: Provider>(
        self,
        config: &Config,
        provider: &P,
        now: Instant,
    ) -> Result<AwaitClientKeyExchange<P>, AlertDescription> {
        let (header, body) = self.inbox.front().ok_or(AlertDescription::InternalError)?;
        AwaitClientKeyExchange::new(config, provider, now, self.server_random, &header, body)
    }
}

/// Has answered the `ClientHello`, and waits for the `ClientKeyExchange`.
struct AwaitClientKeyExchange<P: Provider> {
    server_random: Random,
    extended_master_secret: bool,
    transcript: Transcript<P>,
    flight: Flight<FLIGHT_LENGTH>,
    timer: Retransmission,
    inbox: Inbox<MAX_CLIENT_KEY_EXCHANGE, 1>,
    early: EarlyRecords,
}

impl<P: Provider> AwaitClientKeyExchange<P> {
    /// Answers the `ClientHello`.
    fn new(
        config: &Config,
        provider: &P,
        now: Instant,
        server_random: Random,
        header: &MessageHeader,
        body: &[u8],
    ) -> Result<Self, AlertDescription> {
        if header.kind != HandshakeType::CLIENT_HELLO {
            return Err(AlertDescription::UnexpectedMessage);
        }
        let hello = ClientHello::read(body)?;
        // RFC 7627 section 5.3.
        if config.extended_master_secret == ExtendedMasterSecret::Required
            && !hello.extended_master_secret
        {
            return Err(AlertDescription::HandshakeFailure);
        }
        // Numbered after the ClientHello: as many HelloVerifyRequests were sent
        // as there were others before it (RFC 6347 section 4.2.2).
        let sequence = header.sequence;
        let mut flight = Flight::new();
        flight.push(HandshakeType::SERVER_HELLO, sequence, |writer| {
            write_server_hello(writer, &server_random, &hello);
        });
        flight.push(HandshakeType::SERVER_HELLO_DONE, sequence.saturating_add(1), |_| {});
        let mut transcript = Transcript::new(provider);
        transcript.add(header, body);
        transcript.add_encoded(flight.messages());
        flight.queue(now);
        Ok(Self {
            server_random,
            extended_master_secret: hello.extended_master_secret,
            transcript,
            flight,
            timer: Retransmission::start(config, now),
            inbox: Inbox::new(sequence.saturating_add(1)),
            early: EarlyRecords::default(),
        })
    }

    /// The client has sent its `ClientHello` again: the answer was lost.
    fn repeat(&mut self, now: Instant) {
        self.flight.queue(now);
        self.timer.restart(now);
    }

    fn advance(self, expires: Instant) -> Result<AwaitPsk<P>, AlertDescription> {
        let (header, body) = self.inbox.front().ok_or(AlertDescription::InternalError)?;
        if header.kind != HandshakeType::CLIENT_KEY_EXCHANGE {
            return Err(AlertDescription::UnexpectedMessage);
        }
        let identity = read_client_key_exchange(body)?;
        let mut transcript = self.transcript;
        transcript.add(&header, body);
        Ok(AwaitPsk {
            identity,
            server_random: self.server_random,
            extended_master_secret: self.extended_master_secret,
            transcript,
            client_finished: header.sequence.saturating_add(1),
            early: self.early,
            expires,
        })
    }
}

/// Waits for the application to say which key belongs to the identity.
struct AwaitPsk<P: Provider> {
    identity: PskIdentity,
    server_random: Random,
    extended_master_secret: bool,
    transcript: Transcript<P>,
    client_finished: u16,
    early: EarlyRecords,
    expires: Instant,
}

impl<P: Provider> AwaitPsk<P> {
    fn derive(
        self,
        provider: &P,
        client_random: &Random,
        key: PresharedKey,
    ) -> (AwaitFinished<P>, EarlyRecords) {
        let (keys, pair) = derive(
            provider,
            Side::Server,
            key,
            self.extended_master_secret,
            &Randoms { client: *client_random, server: self.server_random },
            self.transcript,
            self.client_finished,
        );
        // The number of our Finished follows that of the ServerHelloDone, which is
        // the number of the ClientKeyExchange.
        let finished = FinishedFlight::new(Flight::new(), self.client_finished, pair.own);
        let state = AwaitFinished {
            identity: self.identity,
            keys,
            expected: pair.expected,
            inbox: Inbox::new(self.client_finished),
            flight: finished,
            undecryptable: false,
        };
        (state, self.early)
    }
}

/// Waits for the client's `Finished`.
struct AwaitFinished<P: Provider> {
    identity: PskIdentity,
    keys: Keys<P>,
    expected: ExpectedFinished,
    inbox: Inbox<VERIFY_DATA_LENGTH, 1>,
    flight: FinishedFlight<0>,
    /// Whether a record came that could not be decrypted.
    undecryptable: bool,
}

impl<P: Provider> AwaitFinished<P> {
    fn advance(
        self,
        config: &Config,
        now: Instant,
        plaintext: PlaintextState,
    ) -> Result<(Established<P>, PskIdentity), AlertDescription> {
        let body = self.inbox.front().map(|(_, body)| body).unwrap_or_default();
        let verified = self.expected.verify(body).ok_or(AlertDescription::DecryptError)?;
        let session = Established::server(self.keys, verified, config, now, self.flight, plaintext);
        Ok((session, self.identity))
    }
}

/// The greatest length of an early record's content, in bytes: a `Finished` has
/// 40.
const MAX_EARLY: usize = 48;

/// The last two records of the coming epoch that came before its keys: the
/// client's `Finished`, which shares a datagram with the `ClientKeyExchange` or
/// may overtake it. A newer one displaces the oldest, so that a forgery can't
/// keep the place.
#[derive(Default)]
struct EarlyRecords {
    records: [Option<EarlyRecord>; 2],
}

struct EarlyRecord {
    sequence: u64,
    content: heapless::Vec<u8, MAX_EARLY, u8>,
}

impl EarlyRecords {
    fn push(&mut self, record: &Record<'_>) -> Result<(), DropReason> {
        if record.header.epoch != 1 || record.header.content_type != ContentType::Handshake {
            return Err(DropReason::Early);
        }
        let content = heapless::Vec::from_slice(record.fragment).map_err(|_| DropReason::Early)?;
        let [older, newer] = &mut self.records;
        *older = newer.take();
        *newer = Some(EarlyRecord { sequence: record.header.sequence, content });
        Ok(())
    }

    fn records(&mut self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter_mut().flatten().map(|early| Record {
            header: Header {
                content_type: ContentType::Handshake,
                version: DTLS_1_2,
                epoch: 1,
                sequence: early.sequence,
            },
            fragment: &mut early.content,
        })
    }
}
