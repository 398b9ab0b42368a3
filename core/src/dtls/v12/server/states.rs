//! What the server waits for: one type for each message, and each consumed by
//! what it leads to.

use super::early::EarlyRecords;
use crate::crypto::Provider;
use crate::dtls::v12::established::Established;
use crate::dtls::v12::flight::{Finished, Flight};
use crate::dtls::v12::hello::{ClientHello, MAX_SERVER_HELLO, Random, Randoms, write_server_hello};
use crate::dtls::v12::inbox::Inbox;
use crate::dtls::v12::key_schedule::{Keys, Side, derive};
use crate::dtls::v12::message::{
    HEADER_LENGTH, HandshakeType, MAX_CLIENT_KEY_EXCHANGE, MessageHeader, read_client_key_exchange,
};
use crate::dtls::v12::peer_finished::PeerFinished;
use crate::dtls::v12::record::{self, PlaintextState};
use crate::dtls::v12::timer::Retransmission;
use crate::dtls::v12::transcript::Transcript;
use crate::dtls::{AlertDescription, Config, ExtendedMasterSecret, PresharedKey, PskIdentity};
use crate::time::Instant;

/// The greatest length of a `ClientHello` that comes in fragments, in bytes.
const MAX_CLIENT_HELLO: usize = 1024;
/// `ServerHello` and `ServerHelloDone`.
const FLIGHT_LENGTH: usize = 2 * HEADER_LENGTH + MAX_SERVER_HELLO;

/// The shortest `ClientHello` that can be answered, as a record, in bytes.
const SHORTEST_CLIENT_HELLO: usize = record::HEADER_LENGTH + HEADER_LENGTH + 2 + 32 + 1 + 1 + 4 + 2;
// No answer is larger than three times its request.
const _: () = assert!(record::HEADER_LENGTH + FLIGHT_LENGTH <= 3 * SHORTEST_CLIENT_HELLO);

/// Waits for the rest of a `ClientHello` that comes in fragments.
pub(super) struct AwaitClientHello {
    pub(super) server_random: Random,
    pub(super) inbox: Inbox<MAX_CLIENT_HELLO, 1>,
}

impl AwaitClientHello {
    pub(super) fn advance<P: Provider>(
        self,
        config: &Config,
        provider: &P,
        now: Instant,
    ) -> Result<AwaitClientKeyExchange<P>, AlertDescription> {
        let (header, body) = self.inbox.front().ok_or(AlertDescription::InternalError)?;
        let hello = acceptable(config, &header, body)?;
        let random = self.server_random;
        Ok(AwaitClientKeyExchange::new(config, provider, now, random, &hello, &header, body))
    }
}

/// Reads a `ClientHello`; an error if it can't be served.
pub(super) fn acceptable(
    config: &Config,
    header: &MessageHeader,
    body: &[u8],
) -> Result<ClientHello, AlertDescription> {
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
    Ok(hello)
}

/// Has answered the `ClientHello`, and waits for the `ClientKeyExchange`.
pub(super) struct AwaitClientKeyExchange<P: Provider> {
    pub(super) server_random: Random,
    pub(super) extended_master_secret: bool,
    pub(super) transcript: Transcript<P>,
    pub(super) flight: Flight<FLIGHT_LENGTH>,
    pub(super) timer: Retransmission,
    pub(super) inbox: Inbox<MAX_CLIENT_KEY_EXCHANGE, 1>,
    pub(super) early: EarlyRecords,
}

impl<P: Provider> AwaitClientKeyExchange<P> {
    /// Answers `hello`, whose message is `header` and `body`.
    pub(super) fn new(
        config: &Config,
        provider: &P,
        now: Instant,
        server_random: Random,
        hello: &ClientHello,
        header: &MessageHeader,
        body: &[u8],
    ) -> Self {
        // Numbered after the ClientHello: as many HelloVerifyRequests were sent
        // as there were others before it (RFC 6347 section 4.2.2).
        let sequence = header.sequence;
        let mut flight = Flight::new();
        flight.push(HandshakeType::SERVER_HELLO, sequence, |writer| {
            write_server_hello(writer, &server_random, hello);
        });
        flight.push(HandshakeType::SERVER_HELLO_DONE, sequence.saturating_add(1), |_| {});
        let mut transcript = Transcript::new(provider);
        transcript.add(header, body);
        transcript.add_encoded(flight.messages());
        flight.queue(now);
        Self {
            server_random,
            extended_master_secret: hello.extended_master_secret,
            transcript,
            flight,
            timer: Retransmission::start(config, now),
            inbox: Inbox::new(sequence.saturating_add(1)),
            early: EarlyRecords::default(),
        }
    }

    /// Repeats the answer, if that is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.timer.expired(now) {
            self.flight.queue(now);
        }
    }

    /// The client has sent its `ClientHello` again: the answer was lost.
    pub(super) fn repeat(&mut self, now: Instant) {
        self.flight.queue(now);
        self.timer.restart(now);
    }

    pub(super) fn advance(self, expires: Instant) -> Result<AwaitPsk<P>, AlertDescription> {
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
pub(super) struct AwaitPsk<P: Provider> {
    pub(super) identity: PskIdentity,
    pub(super) server_random: Random,
    pub(super) extended_master_secret: bool,
    pub(super) transcript: Transcript<P>,
    pub(super) client_finished: u16,
    pub(super) early: EarlyRecords,
    pub(super) expires: Instant,
}

impl<P: Provider> AwaitPsk<P> {
    pub(super) fn derive(
        mut self,
        provider: &P,
        client_random: &Random,
        key: &PresharedKey,
    ) -> (AwaitFinished<P>, EarlyRecords) {
        let (keys, pair) = derive(
            provider,
            Side::Server,
            key,
            self.extended_master_secret,
            &Randoms { client: *client_random, server: self.server_random },
            &mut self.transcript,
            self.client_finished,
        );
        // The number of our Finished follows that of the ServerHelloDone, which is
        // the number of the ClientKeyExchange.
        let state = AwaitFinished {
            identity: self.identity,
            keys,
            finished: PeerFinished::new(pair.expected, self.client_finished),
            own_finished: Finished::new(self.client_finished, pair.own),
        };
        (state, self.early)
    }
}

/// Waits for the client's `Finished`.
pub(super) struct AwaitFinished<P: Provider> {
    pub(super) identity: PskIdentity,
    pub(super) keys: Keys<P>,
    pub(super) finished: PeerFinished,
    pub(super) own_finished: Finished,
}

impl<P: Provider> AwaitFinished<P> {
    pub(super) fn advance(
        self,
        config: &Config,
        now: Instant,
        plaintext: PlaintextState,
    ) -> Result<(Established<P>, PskIdentity), AlertDescription> {
        let verified = self.finished.verify().ok_or(AlertDescription::DecryptError)?;
        let finished = self.own_finished;
        let session = Established::server(self.keys, verified, config, now, finished, plaintext);
        Ok((session, self.identity))
    }
}
