//! What the client waits for: one type for each message, and each consumed by
//! what it leads to.

use super::State;
use crate::crypto::Provider;
use crate::dtls::handshake::Outcome;
use crate::dtls::v12::ending::Ending;
use crate::dtls::v12::established::Established;
use crate::dtls::v12::flight::{Finished, FinishedFlight, Flight};
use crate::dtls::v12::hello::{
    HelloStart, MAX_CLIENT_HELLO, Random, Randoms, ServerHello, read_hello_verify_request,
    write_client_hello,
};
use crate::dtls::v12::inbox::Inbox;
use crate::dtls::v12::key_schedule::{Keys, Side, derive};
use crate::dtls::v12::message::{
    Fragment, HEADER_LENGTH, HandshakeType, MAX_CLIENT_KEY_EXCHANGE, read_server_hello_done,
    read_server_key_exchange, write_client_key_exchange,
};
use crate::dtls::v12::peer_finished::PeerFinished;
use crate::dtls::v12::record::PlaintextState;
use crate::dtls::v12::timer::Retransmission;
use crate::dtls::v12::transcript::Transcript;
use crate::dtls::{
    AlertDescription, CloseReason, Config, DropReason, ExtendedMasterSecret, PresharedKey,
    PskIdentity,
};
use crate::time::Instant;

/// How many `HelloVerifyRequest`s are followed: one, and some more for a secret
/// that changed, or forged ones.
const MAX_RETRIES: u16 = 16;
/// The greatest length of a message of the server's flight, in bytes: a
/// `ServerHello` has at most 81, a `ServerKeyExchange` with a hint of 128 has 130.
const MAX_SERVER_MESSAGE: usize = 136;

/// The server's flight: `ServerHello`, `ServerKeyExchange`, `ServerHelloDone`.
type ServerMessages = Inbox<MAX_SERVER_MESSAGE, 2>;
type HelloFlight = Flight<{ HEADER_LENGTH + MAX_CLIENT_HELLO }>;
type KeyExchangeFlight = FinishedFlight<{ HEADER_LENGTH + MAX_CLIENT_KEY_EXCHANGE }>;

/// Who we are.
pub(super) struct Credentials {
    pub(super) identity: PskIdentity,
    pub(super) key: PresharedKey,
}

/// The numbers of a `ClientHello`.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// Its own: how many `HelloVerifyRequest`s came before.
    pub(super) message: u16,
    /// That of the first record that it is sent in; at most the greatest `u16`.
    pub(super) record: u16,
}

/// What we offered, until the server's flight is complete.
pub(super) struct Offer {
    pub(super) random: Random,
    pub(super) credentials: Credentials,
    pub(super) numbers: Numbers,
    pub(super) flight: HelloFlight,
    pub(super) timer: Retransmission,
}

impl Offer {
    /// The cookie in the `ClientHello`.
    pub(super) fn cookie(&self) -> &[u8] {
        let body = self.flight.messages().get(HEADER_LENGTH..).unwrap_or_default();
        HelloStart::read(body).map(|start| start.cookie).unwrap_or_default()
    }

    /// Repeats the `ClientHello`, if that is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.timer.expired(now) {
            self.flight.queue(now);
        }
    }
}

/// Waits for a `ServerHello`, or a `HelloVerifyRequest`.
pub(super) struct AwaitServerHello {
    pub(super) offer: Offer,
    pub(super) inbox: ServerMessages,
}

impl AwaitServerHello {
    pub(super) fn new(
        config: &Config,
        now: Instant,
        random: Random,
        credentials: Credentials,
        cookie: &[u8],
        numbers: Numbers,
    ) -> Self {
        let mut flight = HelloFlight::new();
        flight.push(HandshakeType::CLIENT_HELLO, numbers.message, |writer| {
            write_client_hello(writer, &random, cookie);
        });
        flight.queue(now);
        let timer = Retransmission::start(config, now);
        let offer = Offer { random, credentials, numbers, flight, timer };
        Self { offer, inbox: Inbox::new(numbers.message) }
    }

    /// Takes a fragment out of the record `record`; the next one of our own will be
    /// `next`.
    pub(super) fn insert(
        &mut self,
        config: &Config,
        now: Instant,
        record: u64,
        fragment: &Fragment<'_>,
        next: u64,
    ) -> Result<(), DropReason> {
        let sequence = fragment.header.sequence;
        match fragment.header.kind {
            HandshakeType::HELLO_VERIFY_REQUEST => {
                let sent = self.offer.numbers;
                // It answers an earlier ClientHello that came twice, and asks for
                // another cookie than the one that we follow already. Servers take
                // one number or the other from what they answer (RFC 6347 section
                // 4.2.1 wants the record's).
                if sequence < sent.message && record < u64::from(sent.record) {
                    return Err(DropReason::Repeated);
                }
                self.retry(config, now, fragment, next)
            }
            HandshakeType::HELLO_REQUEST => Err(DropReason::Unexpected),
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
        next: u64,
    ) -> Result<(), DropReason> {
        if !fragment.is_whole() {
            return Err(DropReason::Malformed);
        }
        let cookie = read_hello_verify_request(fragment.body).map_err(|_| DropReason::Malformed)?;
        let Offer { random, credentials, numbers, .. } = &self.offer;
        if numbers.message > 0 && self.offer.cookie() == cookie {
            return Err(DropReason::Repeated);
        }
        if numbers.message >= MAX_RETRIES {
            return Err(DropReason::Unexpected);
        }
        let credentials =
            Credentials { identity: credentials.identity.clone(), key: credentials.key.clone() };
        let record = u16::try_from(next).unwrap_or(u16::MAX);
        let numbers = Numbers { message: numbers.message + 1, record };
        *self = Self::new(config, now, *random, credentials, &cookie, numbers);
        Ok(())
    }

    pub(super) fn advance<P: Provider>(
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
pub(super) struct ServerFlight<P: Provider> {
    pub(super) offer: Offer,
    pub(super) hello: ServerHello,
    pub(super) inbox: ServerMessages,
    pub(super) transcript: Transcript<P>,
}

/// Waits for a `ServerKeyExchange`, which only a server that gives a hint sends,
/// or else for what [`AwaitServerHelloDone`] waits for.
pub(super) struct AwaitServerKeyExchange<P: Provider>(pub(super) ServerFlight<P>);

impl<P: Provider> AwaitServerKeyExchange<P> {
    pub(super) fn advance(
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
pub(super) struct AwaitServerHelloDone<P: Provider>(pub(super) ServerFlight<P>);

impl<P: Provider> AwaitServerHelloDone<P> {
    pub(super) fn advance(
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

        let key_exchange = offer.numbers.message.saturating_add(1);
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
        let mut flight = FinishedFlight::new(messages, Finished::new(finished, pair.own));
        flight.queue(now);
        Ok(State::Finished(AwaitFinished {
            keys,
            finished: PeerFinished::new(pair.expected, header.sequence.saturating_add(1)),
            flight,
            timer: Retransmission::start(config, now),
        }))
    }
}

/// Waits for the server's `Finished`.
pub(super) struct AwaitFinished<P: Provider> {
    pub(super) keys: Keys<P>,
    pub(super) finished: PeerFinished,
    pub(super) flight: KeyExchangeFlight,
    pub(super) timer: Retransmission,
}

impl<P: Provider> AwaitFinished<P> {
    /// Repeats the flight, if that is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.timer.expired(now) {
            self.flight.queue(now);
        }
    }

    pub(super) fn advance(self, config: &Config, plaintext: &mut PlaintextState) -> Outcome<P> {
        match self.finished.verify() {
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
