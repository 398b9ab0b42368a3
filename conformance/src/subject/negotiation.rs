//! The key negotiation, and its segments.

use iot_crypto::connection::transfer::{Incoming, MAX_MESSAGE};
use iot_crypto::connection::{
    ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, Negotiated, NegotiationError,
    NegotiationRefusal, REFUSAL_MAX_LEN, RespondError, ResponderParameters, refuse, respond,
};
use iot_crypto::identity::{Endorsement, Endorsements, PrivateIdentity};
use iot_crypto::time::{Instant, UnixTime, WallClock};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::identity::{TrustState, private_identity, role, undecodable, untrusted};
use super::{Failure, provider, written};
use crate::hex::{Hex, HexArray, hex};

const NOW: Instant = Instant::ZERO;

/// One's own side: the private identity, and the endorsements to show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Local {
    identity: Hex,
    endorsements: Vec<Hex>,
}

impl Local {
    fn load(&self) -> Result<(PrivateIdentity, Endorsements), Failure> {
        let mut endorsements = Endorsements::none();
        for endorsement in &self.endorsements {
            let endorsement = Endorsement::decode(&endorsement.0).map_err(undecodable)?;
            endorsements.push(endorsement).map_err(Failure::request)?;
        }
        Ok((private_identity(&self.identity.0)?, endorsements))
    }
}

/// The random bytes that an initiator draws.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Contribution {
    /// The private key of its ephemeral key.
    EphemeralSecret(HexArray<32>),
    Nonce(HexArray<16>),
}

/// What an initiator says of itself, and draws.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Attempt {
    role: String,
    peer_role: String,
    sleepy: bool,
    incarnation: u32,
    contribution: Contribution,
}

impl Attempt {
    fn initiator(&self) -> Result<Initiator, Failure> {
        let (forward_secrecy, random) = match &self.contribution {
            Contribution::EphemeralSecret(secret) => (ForwardSecrecy::On, &secret.0[..]),
            Contribution::Nonce(nonce) => (ForwardSecrecy::Off, &nonce.0[..]),
        };
        let parameters = InitiatorParameters {
            role: role(&self.role)?,
            peer_role: role(&self.peer_role)?,
            sleepy: self.sleepy,
            incarnation: self.incarnation,
            forward_secrecy,
        };
        Initiator::new(&mut provider(random), parameters).map_err(Failure::request)
    }
}

/// Makes the request, M1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    local: Local,
    attempt: Attempt,
}

impl Begin {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let (identity, endorsements) = self.local.load()?;
        let local = LocalParty { identity: &identity, endorsements: &endorsements };
        let mut buffer = [0; MAX_MESSAGE];
        let length =
            self.attempt.initiator()?.request(local, &mut buffer).map_err(Failure::request)?;
        Ok(json!({ "bytes": hex(written(&buffer, length)) }))
    }
}

/// Answers a request with the response, M2, or a refusal.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Respond {
    local: Local,
    trust: TrustState,
    peer_role: String,
    incarnation: u32,
    transmission_port: u16,
    /// 0 if it is not known.
    time: u64,
    /// The private key of its ephemeral key.
    ephemeral_secret: HexArray<32>,
    request: Hex,
}

impl Respond {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let (identity, endorsements) = self.local.load()?;
        let parameters = ResponderParameters {
            peer_role: role(&self.peer_role)?,
            incarnation: self.incarnation,
            transmission_port: self.transmission_port,
            now: Some(UnixTime::from_secs(self.time)).filter(|_| self.time != 0),
        };
        let mut buffer = [0; MAX_MESSAGE];
        let answer = respond(
            &mut provider(&self.ephemeral_secret.0),
            LocalParty { identity: &identity, endorsements: &endorsements },
            &self.trust.store()?,
            &parameters,
            &self.request.0,
            &mut buffer,
        );
        match answer {
            Ok((negotiated, length)) => {
                let mut fields = negotiated_fields(&negotiated);
                fields.insert("bytes".to_owned(), hex(written(&buffer, length)).into());
                fields.insert("sleepy".to_owned(), negotiated.sleepy.into());
                Ok(Value::Object(fields))
            }
            Err(RespondError::Refused(refusal)) => Err(self.refuse(refusal)),
            Err(error) => Err(Failure::request(error)),
        }
    }

    fn refuse(&self, refusal: NegotiationRefusal) -> Failure {
        let mut buffer = [0; REFUSAL_MAX_LEN];
        match refuse(&provider(&[]), &self.request.0, refusal, &mut buffer) {
            Ok(length) => Failure::refused_with("refusal", "bytes", hex(written(&buffer, length))),
            Err(error) => Failure::request(error),
        }
    }
}

fn negotiated_fields(negotiated: &Negotiated) -> Map<String, Value> {
    let fields = [
        ("session-key", hex(negotiated.key.secret().expose()).into()),
        ("session-key-id", negotiated.key.id().to_string().into()),
        ("peer", negotiated.peer.id().to_string().into()),
        ("peer-incarnation", negotiated.peer_incarnation.into()),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// What an initiator knows of the time.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Clock {
    Known(u64),
    /// Only that it is this or later.
    Floor(u64),
}

/// Takes the answer to a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finish {
    local: Local,
    trust: TrustState,
    attempt: Attempt,
    clock: Clock,
    answer: Hex,
}

impl Finish {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let (identity, endorsements) = self.local.load()?;
        let mut clock = match self.clock {
            Clock::Known(time) => {
                let mut clock = WallClock::unknown();
                clock.set(NOW, UnixTime::from_secs(time));
                clock
            }
            Clock::Floor(floor) => WallClock::with_floor(UnixTime::from_secs(floor)),
        };
        let negotiated = self
            .attempt
            .initiator()?
            .finish(
                &provider(&[]),
                LocalParty { identity: &identity, endorsements: &endorsements },
                &self.trust.store()?,
                &mut clock,
                NOW,
                &self.answer.0,
            )
            .map_err(not_finished)?;
        let mut fields = negotiated_fields(&negotiated);
        fields.insert("transmission-port".to_owned(), negotiated.transmission_port.into());
        fields.insert("time".to_owned(), clock.at(NOW).map(UnixTime::as_secs).into());
        Ok(Value::Object(fields))
    }
}

fn not_finished(error: NegotiationError) -> Failure {
    match error {
        NegotiationError::Decode(_) => Failure::refused("malformed"),
        NegotiationError::Refused(refusal) => {
            Failure::refused_with("refused by the responder", "code", refusal.code())
        }
        NegotiationError::OtherRequest => Failure::refused("refers to another request"),
        NegotiationError::Untrusted(refusal) => untrusted(refusal),
        NegotiationError::Signature => Failure::refused("signature"),
        NegotiationError::Key => Failure::refused("ephemeral key"),
        NegotiationError::TimeUnknown => Failure::refused("time unknown"),
        NegotiationError::TimeBehindFloor => Failure::refused("time in the past"),
    }
}

/// Puts a message together from the payloads that carry it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reassemble {
    payloads: Vec<Hex>,
}

impl Reassemble {
    pub(super) fn carry_out(self) -> Value {
        let mut incoming = Incoming::<MAX_MESSAGE>::new();
        let results = self.payloads.iter().map(|payload| match incoming.receive(&payload.0) {
            Ok(Some(message)) => json!({ "message": hex(message) }),
            Ok(None) => json!("taken"),
            Err(_) => json!("dropped"),
        });
        json!({ "results": results.collect::<Vec<_>>() })
    }
}
