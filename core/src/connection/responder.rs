//! The less constrained side of the key negotiation.

use super::key_schedule::{SIGNATURE_LABEL, session_key, transcript};
use super::message::{Freshness, LocalParty, Raw, Request, Response, SignedResponse};
use super::{Negotiated, NegotiationRefusal};
use crate::crypto::{EntropyError, Invalid, Provider, X25519Secret};
use crate::identity::{Role, Trust, Verifier};
use crate::time::UnixTime;
use crate::wire::{BufferTooSmall, DecodeError, cbor};

/// What a responder says of itself and expects of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponderParameters {
    /// What its peer must be.
    pub peer_role: Role,
    /// The random number that it drew when it started.
    pub incarnation: u32,
    /// The UDP port of its transmission service.
    pub transmission_port: u16,
    /// The time, if it is known.
    pub now: Option<UnixTime>,
}

/// Why a request got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RespondError {
    /// It is to be refused, by [`refuse`](super::refuse).
    Refused(NegotiationRefusal),
    /// The response doesn't fit.
    BufferTooSmall(BufferTooSmall),
    /// There are no random numbers for an ephemeral key.
    Entropy(EntropyError),
    /// One's own private key can't sign. It never happens to a
    /// [`PrivateIdentity`](crate::identity::PrivateIdentity) that was made or
    /// loaded here.
    Key,
}

impl core::fmt::Display for RespondError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the request is refused: {refusal}"),
            Self::BufferTooSmall(error) => error.fmt(f),
            Self::Entropy(error) => error.fmt(f),
            Self::Key => f.write_str("the private key can't sign"),
        }
    }
}

impl core::error::Error for RespondError {}

impl From<NegotiationRefusal> for RespondError {
    fn from(refusal: NegotiationRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BufferTooSmall> for RespondError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

/// Answers the message `request` (M1): checks that the initiator is trusted in
/// the role that it must have, derives a session key, and encodes the response
/// (M2) into `buffer`; returns its length.
///
/// Nothing is remembered: the same request gets another key and another
/// response. The caller keeps the response and repeats it, as long as the
/// initiator may repeat the request.
///
/// The result says whose key it is, but not yet that the initiator is there:
/// that is certain once a record under the session key has arrived.
///
/// # Errors
/// [`RespondError`].
pub fn respond<'a, P: Provider, T: Trust + 'a>(
    provider: &mut P,
    local: LocalParty<'_>,
    verifier: impl Into<Verifier<'a, T>>,
    parameters: &ResponderParameters,
    request: &[u8],
    buffer: &mut [u8],
) -> Result<(Negotiated, usize), RespondError> {
    let initiator = Request::decode(request).map_err(|error| match error {
        DecodeError::UnknownVersion => NegotiationRefusal::UnknownVersion,
        _ => NegotiationRefusal::Malformed,
    })?;
    if initiator.role != parameters.peer_role {
        return Err(NegotiationRefusal::WrongRole.into());
    }
    let now = parameters.now.ok_or(NegotiationRefusal::TimeUnknown)?;
    let peer = verifier
        .into()
        .verify(provider, &initiator.credential, parameters.peer_role, now)
        .map_err(NegotiationRefusal::Trust)?;

    let mut secret = X25519Secret::default();
    provider.random(secret.expose_mut()).map_err(RespondError::Entropy)?;
    let useless = |Invalid| NegotiationRefusal::Malformed;
    let long_term = provider.x25519(&secret, peer.certificate().x25519()).map_err(useless)?;
    let ephemeral = match &initiator.freshness {
        Freshness::Ephemeral(key) => Some(provider.x25519(&secret, key).map_err(useless)?),
        Freshness::Nonce(_) => None,
    };

    let response = Response {
        incarnation: parameters.incarnation,
        time: Some(now),
        transmission_port: parameters.transmission_port,
        ephemeral: provider.x25519_public_key(&secret),
        credential: local,
    };
    let signed = transcript(provider, &Raw(request), &response);
    let signature = local
        .identity
        .sign(provider, &[SIGNATURE_LABEL, &signed])
        .map_err(|Invalid| RespondError::Key)?;
    let message = SignedResponse { response, signature };
    let length = cbor::encode(&message, buffer)?;
    let whole = transcript(provider, &Raw(request), &message);
    let negotiated = Negotiated {
        peer,
        key: session_key(provider, &whole, &long_term, ephemeral.as_ref()),
        peer_incarnation: initiator.incarnation,
        sleepy: initiator.sleepy,
        transmission_port: parameters.transmission_port,
    };
    Ok((negotiated, length))
}
