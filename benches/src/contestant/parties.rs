//! A device and its gateway, who negotiate a key, and the operations that this takes by
//! themselves.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use getrandom::SysRng;
use iot_crypto::connection::{
    ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, ResponderParameters, respond,
};
use iot_crypto::crypto::{
    P256PublicKey, P256Secret, Provider, RustCrypto, Signature, X25519PublicKey, X25519Secret,
};
use iot_crypto::identity::{
    Authority, Credential, Endorsements, Grant, Name, PrivateIdentity, Rights, Role,
    SignatureMemory, TrustStore, Verifier,
};
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::wire::cbor;
use iot_crypto_host::os_provider;

use crate::measure::time;

/// When they meet.
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
/// How long everything is valid before and after that, in seconds.
const YEAR: u64 = 365 * 86_400;
/// Room for a message of the negotiation.
const ROOM: usize = 1024;

/// What two parties who negotiate a key have known of each other before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquaintance {
    /// Nothing: they verify each other's certificates and endorsements.
    First,
    /// They have verified each other before.
    Return,
}

/// How long each side took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    /// The device.
    pub initiator: Duration,
    /// The gateway.
    pub responder: Duration,
}

/// A device and its gateway over one provider.
pub trait Parties {
    /// What the provider is called.
    fn name(&self) -> String;

    /// Negotiates a key so many times; gives the time of each side for all.
    ///
    /// # Errors
    /// If a side refuses the other, or the keys differ.
    fn negotiate(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Sides>;

    /// The operations with public keys that both sides need for that, with the same
    /// provider and nothing else, so many times.
    ///
    /// # Errors
    /// If one fails.
    fn operations(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Duration>;

    /// Decodes and verifies the device's certificate and its endorsement, so many times.
    ///
    /// # Errors
    /// If the device is refused.
    fn verify(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Duration>;

    /// The length of the device's certificate and endorsement, in bytes.
    fn credential_length(&self) -> usize;
}

/// Parties over each of our providers.
///
/// # Errors
/// If there are no random numbers.
pub fn all() -> anyhow::Result<Vec<Box<dyn Parties>>> {
    Ok(vec![
        Box::new(Ours::new("host", os_provider())?),
        Box::new(Ours::new("RustCrypto", RustCrypto::new(SysRng))?),
    ])
}

/// Parties over `provider`.
///
/// # Errors
/// If there are no random numbers.
pub fn ours_with(provider: impl Provider) -> anyhow::Result<impl Parties> {
    Ours::new("own", provider)
}

struct Party {
    identity: PrivateIdentity,
    endorsements: Endorsements,
    memory: SignatureMemory,
}

/// The parties over the provider `P`.
struct Ours<P> {
    name: &'static str,
    provider: P,
    trust: TrustStore<2, 0, 2>,
    device: Party,
    gateway: Party,
    /// The device's, as it is sent.
    credential: Vec<u8>,
    inputs: Inputs,
}

/// What the operations are given.
struct Inputs {
    exchange: X25519Secret,
    exchange_public: X25519PublicKey,
    signing: P256Secret,
    verifying: P256PublicKey,
    /// A message about as long as the content of a certificate, signed.
    message: Vec<u8>,
    signature: Signature,
}

impl<P: Provider> Ours<P> {
    fn new(name: &'static str, mut provider: P) -> anyhow::Result<Self> {
        let company = party(&mut provider, "company", None)?;
        let device = party(&mut provider, "thermometer", Some((&company, Role::Device)))?;
        let gateway = party(&mut provider, "gateway", Some((&company, Role::Gateway)))?;
        let mut trust = TrustStore::new();
        trust.add_party(&provider, company.identity.certificate(), Authority::Full)?;
        let credential = Credential {
            certificate: device.identity.certificate().clone(),
            endorsements: device.endorsements.clone(),
        };
        let mut encoded = vec![0; ROOM];
        let length = cbor::encode(&credential, &mut encoded)?;
        encoded.truncate(length);
        let inputs = Inputs::new(&mut provider)?;
        Ok(Self { name, provider, trust, device, gateway, credential: encoded, inputs })
    }
}

fn party<P: Provider>(
    provider: &mut P,
    name: &str,
    endorsed: Option<(&Party, Role)>,
) -> anyhow::Result<Party> {
    let (from, to) = (NOW.as_secs() - YEAR, NOW.as_secs() + YEAR);
    let [from, to] = [from, to].map(UnixTime::from_secs);
    let name = Name::new(name).map_err(|error| anyhow!("{error}"))?;
    let identity = PrivateIdentity::create(provider, name, from, to)?;
    let mut list = Vec::new();
    if let Some((company, role)) = endorsed {
        let grant = Grant { roles: role.into(), rights: Rights::ALL };
        let certificate = identity.certificate();
        list.push(company.identity.endorse(provider, certificate, from, to, grant)?);
    }
    let endorsements = Endorsements::new(&list).map_err(|error| anyhow!("{error}"))?;
    Ok(Party { identity, endorsements, memory: SignatureMemory::new() })
}

impl Party {
    fn local(&self) -> LocalParty<'_> {
        LocalParty { identity: &self.identity, endorsements: &self.endorsements }
    }
}

impl Inputs {
    fn new<P: Provider>(provider: &mut P) -> anyhow::Result<Self> {
        let invalid = |error| anyhow!("{error}");
        let (mut exchange, mut signing) = (X25519Secret::default(), P256Secret::default());
        provider.random(exchange.expose_mut())?;
        provider.random(signing.expose_mut())?;
        // Below the order of the curve, whatever was drawn.
        if let Some(first) = signing.expose_mut().first_mut() {
            *first &= 0x7f;
        }
        let message = vec![0; 100];
        let signature = provider.p256_sign(&signing, &[&message]).map_err(invalid)?;
        Ok(Self {
            exchange_public: provider.x25519_public_key(&exchange),
            exchange,
            verifying: provider.p256_public_key(&signing).map_err(invalid)?,
            signing,
            message,
            signature,
        })
    }
}

/// The operations of both sides together (SPEC.md section 9): verifications,
/// signatures, shared secrets, public keys.
const fn operations_of(acquaintance: Acquaintance) -> [usize; 4] {
    match acquaintance {
        Acquaintance::First => [5, 1, 4, 2],
        Acquaintance::Return => [1, 1, 4, 2],
    }
}

impl<P: Provider> Parties for Ours<P> {
    fn name(&self) -> String {
        format!("IoT-Crypto ({})", self.name)
    }

    fn negotiate(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Sides> {
        let Self { provider, trust, device, gateway, .. } = self;
        let parameters = InitiatorParameters {
            role: Role::Device,
            peer_role: Role::Gateway,
            sleepy: false,
            incarnation: 1,
            forward_secrecy: ForwardSecrecy::On,
        };
        let serving = ResponderParameters {
            peer_role: Role::Device,
            incarnation: 2,
            transmission_port: 4434,
            now: Some(NOW),
        };
        let (mut request, mut answer) = ([0; ROOM], [0; ROOM]);
        let mut clock = WallClock::unknown();
        let mut sides = Sides::default();
        for _ in 0..count {
            if acquaintance == Acquaintance::First {
                (device.memory, gateway.memory) = Default::default();
            }
            let (begin, (initiator, length)) = time(|| {
                let initiator = Initiator::new(provider, parameters)?;
                let length = initiator.request(device.local(), &mut request)?;
                Ok((initiator, length))
            })?;
            let request = request.get(..length).unwrap_or_default();
            let (middle, (of_gateway, length)) = time(|| {
                let verifier = Verifier::with_memory(trust, &mut gateway.memory);
                let local =
                    LocalParty { identity: &gateway.identity, endorsements: &gateway.endorsements };
                Ok(respond(provider, local, verifier, &serving, request, &mut answer)?)
            })?;
            let answer = answer.get(..length).unwrap_or_default();
            let (end, of_device) = time(|| {
                let verifier = Verifier::with_memory(trust, &mut device.memory);
                let local =
                    LocalParty { identity: &device.identity, endorsements: &device.endorsements };
                let now = Instant::ZERO;
                Ok(initiator.finish(provider, local, verifier, &mut clock, now, answer)?)
            })?;
            ensure!(of_device.key == of_gateway.key, "the keys differ");
            sides.initiator += begin + end;
            sides.responder += middle;
        }
        Ok(sides)
    }

    fn operations(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Duration> {
        let Self { provider, inputs, .. } = self;
        let Inputs { exchange, exchange_public, signing, verifying, message, signature } = inputs;
        let [verifications, signatures, secrets, public_keys] = operations_of(acquaintance);
        let run = || -> Result<(), iot_crypto::crypto::Invalid> {
            for _ in 0..count {
                for _ in 0..verifications {
                    provider.p256_verify(verifying, &[black_box(message)], signature)?;
                }
                for _ in 0..signatures {
                    black_box(provider.p256_sign(signing, &[black_box(message)])?);
                }
                for _ in 0..secrets {
                    black_box(provider.x25519(exchange, black_box(exchange_public))?);
                }
                for _ in 0..public_keys {
                    black_box(provider.x25519_public_key(black_box(exchange)));
                }
            }
            Ok(())
        };
        Ok(time(|| run().map_err(|error| anyhow!("{error}")))?.0)
    }

    fn verify(&mut self, acquaintance: Acquaintance, count: usize) -> anyhow::Result<Duration> {
        let Self { provider, trust, gateway, credential, .. } = self;
        let run = || {
            for _ in 0..count {
                if acquaintance == Acquaintance::First {
                    gateway.memory = SignatureMemory::new();
                }
                let credential: Credential = cbor::decode(black_box(credential))?;
                let mut verifier = Verifier::with_memory(trust, &mut gateway.memory);
                black_box(verifier.verify(provider, &credential, Role::Device, NOW)?);
            }
            Ok(())
        };
        Ok(time(run)?.0)
    }

    fn credential_length(&self) -> usize {
        self.credential.len()
    }
}
