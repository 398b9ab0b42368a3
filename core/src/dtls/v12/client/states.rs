//! What the client waits for: the server's flight, and then its `Finished`.

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
    Fragment, HEADER_LENGTH, HandshakeType, MAX_CLIENT_KEY_EXCHANGE, MessageHeader,
    read_server_hello_done, read_server_key_exchange, write_client_key_exchange,
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
    /// Sends a `ClientHello` with this cookie and these numbers.
    fn say_hello(&mut self, config: &Config, now: Instant, cookie: &[u8], numbers: Numbers) {
        self.numbers = numbers;
        self.flight = HelloFlight::new();
        self.flight.push(HandshakeType::CLIENT_HELLO, numbers.message, |writer| {
            write_client_hello(writer, &self.random, cookie);
        });
        self.flight.queue(now);
        self.timer = Retransmission::start(config, now);
    }

    /// The cookie in the `ClientHello`.
    fn cookie(&self) -> &[u8] {
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

/// Waits for the messages of the server's flight, one after the other. It is changed in
/// place: with what was offered it is the largest part of a handshake.
pub(super) struct AwaitServerFlight<P: Provider> {
    pub(super) offer: Offer,
    pub(super) inbox: ServerMessages,
    /// What is known since the `ServerHello`; a `HelloVerifyRequest` may come before it.
    greeting: Option<Greeting<P>>,
}

/// What is known since the `ServerHello`.
struct Greeting<P: Provider> {
    hello: ServerHello,
    transcript: Transcript<P>,
    /// Whether a `ServerKeyExchange` came, which only a server that gives a hint sends.
    hinted: bool,
}

impl<P: Provider> AwaitServerFlight<P> {
    pub(super) fn new(
        config: &Config,
        now: Instant,
        random: Random,
        credentials: Credentials,
    ) -> Self {
        let numbers = Numbers { message: 0, record: 0 };
        let (flight, timer) = (HelloFlight::new(), Retransmission::start(config, now));
        let mut offer = Offer { random, credentials, numbers, flight, timer };
        offer.say_hello(config, now, &[], numbers);
        Self { offer, inbox: Inbox::new(numbers.message), greeting: None }
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
        if self.greeting.is_some() {
            return self.inbox.insert(fragment);
        }
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
                self.inbox.begin_with(fragment)
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
        let Numbers { message, .. } = self.offer.numbers;
        if message > 0 && self.offer.cookie() == cookie {
            return Err(DropReason::Repeated);
        }
        if message >= MAX_RETRIES {
            return Err(DropReason::Unexpected);
        }
        let record = u16::try_from(next).unwrap_or(u16::MAX);
        let numbers = Numbers { message: message + 1, record };
        self.offer.say_hello(config, now, &cookie, numbers);
        self.inbox.begin(numbers.message);
        Ok(())
    }

    /// Handles the message that is complete; after the last one, gives what is to be
    /// waited for next.
    pub(super) fn advance(
        &mut self,
        provider: &P,
        config: &Config,
        now: Instant,
    ) -> Result<Option<AwaitFinished<P>>, AlertDescription> {
        let Some((header, body)) = self.inbox.front() else { return Ok(None) };
        match &mut self.greeting {
            None => {
                let hello = read_hello(&header, body, config)?;
                let mut transcript = Transcript::new(provider);
                transcript.add_encoded(self.offer.flight.messages());
                transcript.add(&header, body);
                self.greeting = Some(Greeting { hello, transcript, hinted: false });
            }
            Some(greeting)
                if header.kind == HandshakeType::SERVER_KEY_EXCHANGE && !greeting.hinted =>
            {
                read_server_key_exchange(body)?;
                greeting.transcript.add(&header, body);
                greeting.hinted = true;
            }
            Some(greeting) => {
                if header.kind != HandshakeType::SERVER_HELLO_DONE {
                    return Err(AlertDescription::UnexpectedMessage);
                }
                read_server_hello_done(body)?;
                greeting.transcript.add(&header, body);
                let expected = header.sequence.saturating_add(1);
                return Ok(Some(self.offer.finish(provider, config, now, greeting, expected)));
            }
        }
        self.inbox.pop();
        Ok(None)
    }
}

/// Reads a `ServerHello` that we go on with.
fn read_hello(
    header: &MessageHeader,
    body: &[u8],
    config: &Config,
) -> Result<ServerHello, AlertDescription> {
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
    Ok(hello)
}

impl Offer {
    /// Answers the server's flight, of which `greeting` holds all: derives the keys, and
    /// sends a flight of our own. The server's `Finished` will have the number `expected`.
    fn finish<P: Provider>(
        &self,
        provider: &P,
        config: &Config,
        now: Instant,
        greeting: &mut Greeting<P>,
        expected: u16,
    ) -> AwaitFinished<P> {
        let Greeting { hello, transcript, .. } = greeting;
        let key_exchange = self.numbers.message.saturating_add(1);
        let finished = key_exchange.saturating_add(1);
        let mut messages = Flight::new();
        messages.push(HandshakeType::CLIENT_KEY_EXCHANGE, key_exchange, |writer| {
            write_client_key_exchange(writer, &self.credentials.identity);
        });
        transcript.add_encoded(messages.messages());
        let (keys, pair) = derive(
            provider,
            Side::Client,
            &self.credentials.key,
            hello.extended_master_secret,
            &Randoms { client: self.random, server: hello.random },
            transcript,
            finished,
        );
        let mut flight = FinishedFlight::new(messages, Finished::new(finished, pair.own));
        flight.queue(now);
        AwaitFinished {
            keys,
            finished: PeerFinished::new(pair.expected, expected),
            flight,
            timer: Retransmission::start(config, now),
        }
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

    /// Ends the handshake, once the `Finished` has come as a whole.
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
