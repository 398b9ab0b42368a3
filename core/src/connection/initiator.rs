//! The constrained side of the key negotiation.

use super::key_schedule::{SIGNATURE_LABEL, SessionKey, digest, session_key, transcript};
use super::message::{Freshness, LocalParty, Raw, Request, SignedResponse};
use super::refusal::Refused;
use super::{Negotiated, NegotiationRefusal};
use crate::crypto::{EntropyError, Invalid, Provider, X25519PublicKey, X25519Secret};
use crate::identity::{Refusal, Role, Trust, Verifier};
use crate::time::{Instant, UnixTime, WallClock};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

/// What an initiator says of itself and expects of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitiatorParameters {
    /// What it is.
    pub role: Role,
    /// What its peer must be.
    pub peer_role: Role,
    /// Whether it sleeps most of the time.
    pub sleepy: bool,
    /// The random number that it drew when it started.
    pub incarnation: u32,
    /// Whether it brings an ephemeral key.
    pub forward_secrecy: ForwardSecrecy,
}

/// Whether past sessions stay closed to whoever steals the initiator's
/// long-term key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardSecrecy {
    /// They do: the initiator brings an ephemeral key.
    #[default]
    On,
    /// They don't: the initiator brings a random number instead. It saves it 16
    /// bytes and two X25519 computations. Whoever has its long-term exchange key
    /// then opens its sessions, past and present, and can speak in the present
    /// ones in the responder's name.
    Off,
}

/// One attempt of an initiator to negotiate a key.
#[derive(Debug)]
pub struct Initiator {
    parameters: InitiatorParameters,
    pub(super) contribution: Contribution,
}

/// What the initiator adds to the key.
#[derive(Debug)]
pub(super) enum Contribution {
    Ephemeral { secret: X25519Secret, public: X25519PublicKey },
    Nonce([u8; 16]),
}

/// Why an answer gave no key. Nothing was changed, and the true answer may still
/// come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiationError {
    /// The answer could not be decoded.
    Decode(DecodeError),
    /// The responder refused.
    Refused(NegotiationRefusal),
    /// The answer refuses another request than this one.
    OtherRequest,
    /// The responder is not trusted.
    Untrusted(Refusal),
    /// The responder did not sign this negotiation.
    Signature,
    /// The responder's ephemeral key is useless.
    Key,
    /// Neither side knows the time, so that no certificate can be checked.
    TimeUnknown,
    /// The responder's time lies behind the time that is known to have passed.
    TimeBehindFloor,
}

impl core::fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Refused(refusal) => write!(f, "the peer refused: {refusal}"),
            Self::OtherRequest => f.write_str("the answer refuses another request"),
            Self::Untrusted(refusal) => write!(f, "the peer is not trusted: {refusal}"),
            Self::Signature => f.write_str("the peer did not sign this negotiation"),
            Self::Key => f.write_str("the peer's ephemeral key is useless"),
            Self::TimeUnknown => f.write_str("neither side knows the time"),
            Self::TimeBehindFloor => f.write_str("the peer's time lies in the past"),
        }
    }
}

impl core::error::Error for NegotiationError {}

impl Initiator {
    /// Begins an attempt with a new ephemeral key or nonce.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn new<P: Provider>(
        provider: &mut P,
        parameters: InitiatorParameters,
    ) -> Result<Self, EntropyError> {
        let contribution = match parameters.forward_secrecy {
            ForwardSecrecy::On => {
                let mut secret = X25519Secret::default();
                provider.random(secret.expose_mut())?;
                let public = provider.x25519_public_key(&secret);
                Contribution::Ephemeral { secret, public }
            }
            ForwardSecrecy::Off => {
                let mut nonce = [0; 16];
                provider.random(&mut nonce)?;
                Contribution::Nonce(nonce)
            }
        };
        Ok(Self { parameters, contribution })
    }

    /// Encodes the request (M1) into `buffer`; returns the length. Every call
    /// with the same `local` writes the same bytes.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn request(
        &self,
        local: LocalParty<'_>,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        cbor::encode(&self.message(local), buffer)
    }

    /// Takes the answer to the request: checks that the responder is trusted
    /// in the role that it must have and signed this negotiation, and derives
    /// the session key.
    ///
    /// Validity is checked at the time of `clock`. If that is unknown, it is
    /// checked at the time that the responder signed, which must not lie behind
    /// the clock's floor, and on success the clock is set to it. A clock that was
    /// learnt so is moved on, never back; one that the caller set is left as it is.
    ///
    /// `local` must be what the request was made with.
    ///
    /// # Errors
    /// [`NegotiationError`]; nothing was changed.
    #[inline(never)] // The response is there only as long as it is looked at.
    pub fn finish<'a, P: Provider, T: Trust + 'a>(
        &self,
        provider: &P,
        local: LocalParty<'_>,
        verifier: impl Into<Verifier<'a, T>>,
        clock: &mut WallClock,
        now: Instant,
        answer: &[u8],
    ) -> Result<Negotiated, NegotiationError> {
        let request = self.message(local);
        // Looked at where it is: a microcontroller has no room for it twice.
        let decoded = decode(provider, &request, answer);
        let SignedResponse { response, signature } = decoded.as_ref().map_err(|error| *error)?;
        let time = match clock.at(now) {
            Some(time) if clock.is_own() => time,
            Some(time) => response.time.map_or(time, |signed| signed.max(time)),
            None => acceptable(response.time, clock.floor())?,
        };
        let verified =
            verifier.into().verify(provider, &response.credential, self.parameters.peer_role, time);
        let peer = verified.as_ref().map_err(|refusal| NegotiationError::Untrusted(*refusal))?;
        let signed = transcript(provider, &request, response);
        provider
            .p256_verify(peer.certificate().p256(), &[SIGNATURE_LABEL, &signed], signature)
            .map_err(|Invalid| NegotiationError::Signature)?;
        let key = self.key(provider, local, &response.ephemeral, answer)?;
        clock.learn(now, time);
        Ok(Negotiated {
            peer: verified.map_err(NegotiationError::Untrusted)?,
            key,
            peer_incarnation: response.incarnation,
            sleepy: self.parameters.sleepy,
            transmission_port: response.transmission_port,
        })
    }

    /// The key that follows from the request, the responder's ephemeral key, and the whole
    /// answer.
    #[inline(never)] // What it computes with is not there while signatures are verified.
    fn key<P: Provider>(
        &self,
        provider: &P,
        local: LocalParty<'_>,
        ephemeral: &X25519PublicKey,
        answer: &[u8],
    ) -> Result<SessionKey, NegotiationError> {
        let useless = |Invalid| NegotiationError::Key;
        let long_term = local.identity.x25519(provider, ephemeral).map_err(useless)?;
        let ephemeral = match &self.contribution {
            Contribution::Ephemeral { secret, .. } => {
                Some(provider.x25519(secret, ephemeral).map_err(useless)?)
            }
            Contribution::Nonce(_) => None,
        };
        let whole = transcript(provider, &self.message(local), &Raw(answer));
        Ok(session_key(provider, &whole, &long_term, ephemeral.as_ref()))
    }

    fn message<'a>(&self, local: LocalParty<'a>) -> Request<LocalParty<'a>> {
        Request {
            role: self.parameters.role,
            sleepy: self.parameters.sleepy,
            incarnation: self.parameters.incarnation,
            freshness: match self.contribution {
                Contribution::Ephemeral { public, .. } => Freshness::Ephemeral(public),
                Contribution::Nonce(nonce) => Freshness::Nonce(nonce),
            },
            credential: local,
        }
    }
}

/// The response, or the error that a refusal is.
#[inline(never)] // What is half decoded is not there while signatures are verified.
fn decode<P: Provider>(
    provider: &P,
    request: &Request<LocalParty<'_>>,
    answer: &[u8],
) -> Result<SignedResponse, NegotiationError> {
    cbor::decode(answer).map_err(|error| match cbor::decode::<Refused>(answer) {
        Ok(refused) => refused
            .of_request(digest(provider, request))
            .map_or(NegotiationError::OtherRequest, NegotiationError::Refused),
        Err(_) => NegotiationError::Decode(error),
    })
}

/// The responder's time, for an initiator that knows only that it is `floor` or
/// later.
fn acceptable(time: Option<UnixTime>, floor: UnixTime) -> Result<UnixTime, NegotiationError> {
    let time = time.ok_or(NegotiationError::TimeUnknown)?;
    if time < floor { Err(NegotiationError::TimeBehindFloor) } else { Ok(time) }
}
