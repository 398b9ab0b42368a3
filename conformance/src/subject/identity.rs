//! Certificates, endorsements, revocations and trust; and what else is decoded.

use iot_crypto::connection::{Freshness, NetworkKey, NetworkKeys, Request};
use iot_crypto::crypto::{Invalid, P256PublicKey};
use iot_crypto::identity::{
    Authority, Certificate, Credential, Endorsement, Fingerprint, Grant, LoadError, PartyId,
    PrivateIdentity, Refusal, Revocation, Role, TrustError, TrustStore,
};
use iot_crypto::time::UnixTime;
use iot_crypto::wire::{DecodeError, cbor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, message, provider, written};
use crate::hex::{Hex, HexArray, hex};

/// The longest encoding of a single structure, in bytes.
const LONGEST: usize = 512;

/// What bytes may be the encoding of.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Structure {
    Certificate,
    Endorsement,
    Revocation,
    Credential,
    PrivateIdentity,
    NetworkKey,
    NetworkKeys,
    Request,
    Message,
}

/// Decodes one structure and tells its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decode {
    r#type: Structure,
    bytes: Hex,
}

impl Decode {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let provider = &provider(&[]);
        let Hex(bytes) = &self.bytes;
        match self.r#type {
            Structure::Certificate => {
                Certificate::decode(bytes).map(|certificate| certificate_fields(&certificate))
            }
            Structure::Endorsement => {
                Endorsement::decode(bytes).map(|endorsement| endorsement_fields(&endorsement))
            }
            Structure::Revocation => {
                Revocation::decode(bytes).map(|revocation| revocation_fields(&revocation))
            }
            Structure::Credential => {
                Credential::decode(bytes).map(|credential| credential_fields(&credential))
            }
            Structure::PrivateIdentity => {
                let identity = private_identity(bytes)?;
                Ok(json!({ "certificate": certificate_fields(identity.certificate()) }))
            }
            Structure::NetworkKey => {
                NetworkKey::decode(provider, bytes).map(|key| network_key_fields(&key))
            }
            Structure::NetworkKeys => NetworkKeys::decode(provider, bytes)
                .map(|keys| Value::Array(keys.iter().map(network_key_fields).collect())),
            Structure::Request => Request::decode(bytes).map(|request| request_fields(&request)),
            Structure::Message => return message::decode(bytes),
        }
        .map_err(undecodable)
    }
}

/// Only whether the version is known shows on the wire; the rest is one reason.
pub(super) fn undecodable(error: DecodeError) -> Failure {
    Failure::refused(match error {
        DecodeError::UnknownVersion => "unknown version",
        _ => "malformed",
    })
}

pub(super) fn private_identity(bytes: &[u8]) -> Result<PrivateIdentity, Failure> {
    PrivateIdentity::decode(&provider(&[]), bytes).map_err(|error| match error {
        LoadError::Decode(error) => undecodable(error),
        LoadError::WrongKeys => Failure::refused("wrong keys"),
        LoadError::SelfSignature => Failure::refused("self-signature"),
    })
}

fn certificate_fields(certificate: &Certificate) -> Value {
    let provider = &provider(&[]);
    json!({
        "name": certificate.name().as_str(),
        "created": certificate.created().as_secs(),
        "expires": certificate.expires().as_secs(),
        "exchange-key": hex(&certificate.x25519().0),
        "signing-key": hex(&certificate.p256().0),
        "id": certificate.id(provider).to_string(),
        "fingerprint": certificate.fingerprint(provider).to_string(),
    })
}

fn endorsement_fields(endorsement: &Endorsement) -> Value {
    json!({
        "issuer": endorsement.issuer().to_string(),
        "created": endorsement.created().as_secs(),
        "expires": endorsement.expires().as_secs(),
        "roles": endorsement.roles().to_string(),
        "rights": endorsement.rights().to_string(),
    })
}

fn revocation_fields(revocation: &Revocation) -> Value {
    json!({
        "issuer": revocation.issuer().to_string(),
        "subject": revocation.subject().to_string(),
        "created": revocation.created().as_secs(),
    })
}

fn credential_fields(credential: &Credential) -> Value {
    let endorsements = credential.endorsements.iter().map(endorsement_fields);
    json!({
        "certificate": certificate_fields(&credential.certificate),
        "endorsements": endorsements.collect::<Vec<_>>(),
    })
}

fn network_key_fields(key: &NetworkKey) -> Value {
    let psk = key.psk(&provider(&[]));
    json!({ "id": key.id().to_string(), "pre-shared-key": hex(psk.expose()) })
}

fn request_fields(request: &Request) -> Value {
    let freshness = match &request.freshness {
        Freshness::Ephemeral(key) => json!({ "ephemeral-key": hex(&key.0) }),
        Freshness::Nonce(nonce) => json!({ "nonce": hex(nonce) }),
    };
    json!({
        "role": request.role.to_string(),
        "sleepy": request.sleepy,
        "incarnation": request.incarnation,
        "freshness": freshness,
        "credential": credential_fields(&request.credential),
    })
}

/// Checks one signature.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Verify {
    /// With the certificate's own key.
    Certificate { bytes: Hex },
    /// With the issuer's key, for the certificate of that fingerprint.
    Endorsement { bytes: Hex, key: HexArray<33>, fingerprint: HexArray<32> },
    /// With the issuer's key.
    Revocation { bytes: Hex, key: HexArray<33> },
}

impl Verify {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let provider = &provider(&[]);
        let valid = match &self {
            Self::Certificate { bytes } => {
                Certificate::decode(&bytes.0).map_err(undecodable)?.check_signature(provider)
            }
            Self::Endorsement { bytes, key, fingerprint } => {
                let endorsement = Endorsement::decode(&bytes.0).map_err(undecodable)?;
                let fingerprint = Fingerprint(fingerprint.0);
                endorsement.check_signature(provider, &P256PublicKey(key.0), &fingerprint)
            }
            Self::Revocation { bytes, key } => {
                let revocation = Revocation::decode(&bytes.0).map_err(undecodable)?;
                revocation.check_signature(provider, &P256PublicKey(key.0))
            }
        };
        valid.map_err(|Invalid| Failure::refused("signature")).map(|()| json!({}))
    }
}

/// Signs one structure.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Issue {
    /// A certificate for the keys and name of `identity`.
    Certificate { identity: Hex, created: u64, expires: u64 },
    /// The word of `identity` for `certificate`.
    Endorsement {
        identity: Hex,
        certificate: Hex,
        created: u64,
        expires: u64,
        roles: String,
        rights: String,
    },
    /// The word of `identity` against `subject`.
    Revocation { identity: Hex, subject: HexArray<16>, created: u64 },
}

impl Issue {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let provider = &provider(&[]);
        let time = UnixTime::from_secs;
        let mut buffer = [0; LONGEST];
        let length = match &self {
            Self::Certificate { identity, created, expires } => {
                let identity = private_identity(&identity.0)?;
                let renewed = identity.renew(provider, time(*created), time(*expires));
                cbor::encode(renewed.map_err(Failure::request)?.certificate(), &mut buffer)
            }
            Self::Endorsement { identity, certificate, created, expires, roles, rights } => {
                let subject = Certificate::decode(&certificate.0).map_err(undecodable)?;
                let grant = Grant {
                    roles: roles.parse().map_err(Failure::request)?,
                    rights: rights.parse().map_err(Failure::request)?,
                };
                let endorsement = private_identity(&identity.0)?
                    .endorse(provider, &subject, time(*created), time(*expires), grant)
                    .map_err(Failure::request)?;
                cbor::encode(&endorsement, &mut buffer)
            }
            Self::Revocation { identity, subject, created } => {
                let revocation = private_identity(&identity.0)?
                    .revoke(provider, PartyId(subject.0), time(*created))
                    .map_err(Failure::request)?;
                cbor::encode(&revocation, &mut buffer)
            }
        };
        let length = length.map_err(Failure::request)?;
        Ok(json!({ "bytes": hex(written(&buffer, length)) }))
    }
}

/// What a verifier decides by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustState {
    parties: Vec<ListedParty>,
    #[serde(default)]
    held: Vec<HeldEndorsement>,
    #[serde(default)]
    revocations: Vec<Hex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedParty {
    certificate: Hex,
    authority: ListedAuthority,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ListedAuthority {
    Endorse,
    Full,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldEndorsement {
    fingerprint: HexArray<32>,
    endorsement: Hex,
}

impl TrustState {
    pub(super) fn store(&self) -> Result<TrustStore<8, 8, 8>, Failure> {
        let provider = &provider(&[]);
        let refused = |error| match error {
            TrustError::Full => Failure::request(error),
            TrustError::UnknownIssuer => Failure::refused("unknown issuer"),
            TrustError::Signature => Failure::refused("signature"),
        };
        let mut store = TrustStore::new();
        for party in &self.parties {
            let certificate = Certificate::decode(&party.certificate.0).map_err(undecodable)?;
            let authority = match party.authority {
                ListedAuthority::Endorse => Authority::Endorse,
                ListedAuthority::Full => Authority::Full,
            };
            store.add_party(provider, &certificate, authority).map_err(refused)?;
        }
        for held in &self.held {
            let endorsement = Endorsement::decode(&held.endorsement.0).map_err(undecodable)?;
            let subject = Fingerprint(held.fingerprint.0);
            store.hold_endorsement(subject, endorsement).map_err(refused)?;
        }
        for revocation in &self.revocations {
            let revocation = Revocation::decode(&revocation.0).map_err(undecodable)?;
            store.revoke(provider, &revocation).map_err(refused)?;
        }
        Ok(store)
    }
}

/// Decides whether a party is trusted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    trust: TrustState,
    credential: Hex,
    role: String,
    time: u64,
}

impl Decide {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let store = self.trust.store()?;
        let credential = Credential::decode(&self.credential.0).map_err(undecodable)?;
        let time = UnixTime::from_secs(self.time);
        let verified = store
            .verify(&provider(&[]), &credential, role(&self.role)?, time)
            .map_err(untrusted)?;
        let standing = verified.standing();
        Ok(json!({
            "party": standing.party().to_string(),
            "relies-on": standing.rests_on().to_string(),
            "valid-until": standing.valid_until().as_secs(),
            "rights": standing.rights().to_string(),
        }))
    }
}

pub(super) fn role(name: &str) -> Result<Role, Failure> {
    name.parse().map_err(|_| Failure::Request(format!("{name:?} is not the name of a role")))
}

pub(super) fn untrusted(refusal: Refusal) -> Failure {
    Failure::refused_with("not trusted", "code", refusal.code())
}
