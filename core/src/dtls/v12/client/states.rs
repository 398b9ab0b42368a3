//! What the client waits for: one type for each message, and each consumed by
//! what it leads to.

use super::State;
use crate::crypto::Provider;
use crate::dtls::handshake::Outcome;
use crate::dtls::v12::ending::Ending;
use crate::dtls::v12::established::Established;
use crate::dtls::v12::flight::{FinishedFlight, Flight};
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

/// What we offered, until the server's flight is complete.
pub(super) struct Offer {
    pub(super) random: Random,
    pub(super) credentials: Credentials,
    /// The number of the `ClientHello`: how many `HelloVerifyRequest`s came.
    pub(super) sequence: u16,
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

    pub(super) fn insert(
        &mut self,
        config: &Config,
        now: Instant,
        fragment: &Fragment<'_>,
    ) -> Result<(), DropReason> {
        let sequence = fragment.header.sequence;
        match fragment.header.kind {
            HandshakeType::HELLO_VERIFY_REQUEST => self.retry(config, now, fragment),
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
    pub(super) fn retry(
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
