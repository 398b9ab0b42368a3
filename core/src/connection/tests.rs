//! The key negotiation from both sides: it gives one key or none, each fault
//! has its reason, and nothing that is old, changed or meant for others counts.

mod refusals;
mod time;

use std::vec::Vec;

use super::*;
use crate::crypto::{Provider as _, X25519PublicKey};
use crate::identity::{
    Authority, Credential, Endorsements, Grant, Name, PrivateIdentity, Refusal, Rights, Role,
    Roles, TrustStore,
};
use crate::testing::{TestProvider, provider};
use crate::time::{Instant, UnixTime, WallClock};
use crate::wire::{BufferTooSmall, DecodeError};

const DAY: u64 = 86_400;
const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const NOW: Instant = Instant::from_millis(5_000);

fn day(number: u64) -> UnixTime {
    UnixTime::from_secs(START.as_secs() + number * DAY)
}

struct Party {
    identity: PrivateIdentity,
    endorsements: Endorsements,
    trust: TrustStore<2, 2, 2>,
}

impl Party {
    /// A party with a name of 12 bytes that trusts `company`, by which it is
    /// endorsed for `roles`, all from day 10 until day 50.
    fn new(provider: &mut TestProvider, company: &PrivateIdentity, roles: Roles) -> Self {
        let name = Name::new("party-number").unwrap();
        let identity = PrivateIdentity::create(provider, name, day(10), day(50)).unwrap();
        let grant = Grant { roles, rights: Rights::DATA | Rights::ALERT };
        let endorsement =
            company.endorse(provider, identity.certificate(), day(10), day(50), grant).unwrap();
        let endorsements = Endorsements::new(&[endorsement]).unwrap();
        let mut trust = TrustStore::new();
        trust.add_party(provider, company.certificate(), Authority::Full).unwrap();
        Self { identity, endorsements, trust }
    }

    fn local(&self) -> LocalParty<'_> {
        LocalParty { identity: &self.identity, endorsements: &self.endorsements }
    }
}

struct World {
    provider: TestProvider,
    company: PrivateIdentity,
    device: Party,
    gateway: Party,
    clock: WallClock,
    serving: ResponderParameters,
}

fn world() -> World {
    let mut provider = provider(11);
    let name = Name::new("company").unwrap();
    let company = PrivateIdentity::create(&mut provider, name, day(0), day(1)).unwrap();
    let device = Party::new(&mut provider, &company, Roles::DEVICE);
    let gateway = Party::new(&mut provider, &company, Roles::GATEWAY);
    let serving = ResponderParameters {
        peer_role: Role::Device,
        incarnation: 0xdead_beef,
        transmission_port: 4_434,
        now: Some(day(20)),
    };
    World { provider, company, device, gateway, clock: WallClock::unknown(), serving }
}

const BOTH: [ForwardSecrecy; 2] = [ForwardSecrecy::On, ForwardSecrecy::Off];

impl World {
    fn initiator(&mut self, forward_secrecy: ForwardSecrecy) -> Initiator {
        let parameters = InitiatorParameters {
            role: Role::Device,
            peer_role: Role::Gateway,
            sleepy: true,
            incarnation: 0xcafe_babe,
            forward_secrecy,
        };
        Initiator::new(&mut self.provider, parameters).unwrap()
    }

    fn request(&self, initiator: &Initiator) -> Vec<u8> {
        let mut buffer = [0; transfer::MAX_MESSAGE];
        let length = initiator.request(self.device.local(), &mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    fn respond(&mut self, request: &[u8]) -> Result<(Negotiated, Vec<u8>), RespondError> {
        let mut buffer = [0; transfer::MAX_MESSAGE];
        let (negotiated, length) = respond(
            &mut self.provider,
            self.gateway.local(),
            &self.gateway.trust,
            &self.serving,
            request,
            &mut buffer,
        )?;
        Ok((negotiated, buffer[..length].to_vec()))
    }

    fn refused(&mut self, request: &[u8]) -> NegotiationRefusal {
        match self.respond(request) {
            Err(RespondError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn finish(
        &mut self,
        initiator: &Initiator,
        answer: &[u8],
    ) -> Result<Negotiated, NegotiationError> {
        let (local, trust) = (self.device.local(), &self.device.trust);
        initiator.finish(&self.provider, local, trust, &mut self.clock, NOW, answer)
    }
}

#[test]
fn both_sides_come_to_the_same_key() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        let (of_gateway, response) = world.respond(&request).unwrap();
        let of_device = world.finish(&initiator, &response).unwrap();
        assert_eq!(of_device.key, of_gateway.key);
        assert_eq!(of_device.peer.id(), world.gateway.identity.id());
        assert_eq!(of_gateway.peer.id(), world.device.identity.id());
        assert_eq!(of_gateway.peer.rights(), Rights::DATA | Rights::ALERT);
        assert_eq!(of_device.peer_incarnation, 0xdead_beef);
        assert_eq!(of_gateway.peer_incarnation, 0xcafe_babe);
        assert_eq!((of_device.transmission_port, of_gateway.transmission_port), (4_434, 4_434));
        assert!(of_device.sleepy && of_gateway.sleepy);
    }
}

#[test]
fn sizes() {
    for (forward_secrecy, length) in [(ForwardSecrecy::On, 303), (ForwardSecrecy::Off, 286)] {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        assert_eq!(request.len(), length);
        let (_, response) = world.respond(&request).unwrap();
        assert_eq!(response.len(), 375);
    }
}

#[test]
fn the_longest_messages_can_be_carried() {
    let mut world = world();
    let company = world.company.clone();
    let name = Name::new(&"x".repeat(Name::MAX_LEN)).unwrap();
    let identity =
        PrivateIdentity::create(&mut world.provider, name, START, UnixTime::from_secs(u64::MAX));
    world.gateway.identity = identity.unwrap();
    let subject = world.gateway.identity.certificate();
    let grant = Grant { roles: Roles::ALL, rights: Rights::ALL };
    let endorsement =
        company.endorse(&world.provider, subject, START, UnixTime::from_secs(u64::MAX), grant);
    let endorsement = endorsement.unwrap();
    world.gateway.endorsements = Endorsements::new(&[(); 4].map(|()| endorsement.clone())).unwrap();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (negotiated, response) = world.respond(&request).unwrap();
    assert!(response.len() <= transfer::MAX_MESSAGE);
    assert_eq!(world.finish(&initiator, &response).unwrap().key, negotiated.key);
}

/// Worked out from the bytes of the messages and the text of SPEC.md section 9.4
/// alone.
#[test]
fn the_key_schedule_is_the_specified_one() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        let (negotiated, response) = world.respond(&request).unwrap();
        let provider = &world.provider;

        let (unsigned, signature) = response.split_at(response.len() - 66);
        let mut unsigned = unsigned.to_vec();
        assert_eq!((unsigned[0], &signature[..2]), (0x88, &[0x58, 0x40][..]));
        unsigned[0] = 0x87;
        let hash = |response: &[u8]| {
            let lengths =
                [request.len(), response.len()].map(|length| (length as u32).to_be_bytes());
            provider.sha256_of(&[&lengths[0], &request, &lengths[1], response])
        };
        let signed: [&[u8]; 2] = [b"IoT-Crypto negotiation", &hash(&unsigned)];
        let signature = crate::crypto::Signature(signature[2..].try_into().unwrap());
        let key = world.gateway.identity.certificate().p256();
        provider.p256_verify(key, &signed, &signature).unwrap();

        // Head, incarnation, time and port stand before the ephemeral key.
        let at = 3 + 5 + 5 + 3;
        assert_eq!(response[at..at + 2], [0x58, 0x20]);
        let ephemeral = X25519PublicKey(response[at + 2..at + 34].try_into().unwrap());
        let mut input = Vec::new();
        input.extend(world.device.identity.x25519(provider, &ephemeral).unwrap().expose());
        if let initiator::Contribution::Ephemeral { secret, .. } = &initiator.contribution {
            input.extend(provider.x25519(secret, &ephemeral).unwrap().expose());
        }
        let (mut key, mut id) = ([0; 32], [0; 8]);
        let salt = hash(&response);
        provider.hkdf_sha256(&salt, &input, &[b"IoT-Crypto session key"], &mut key);
        provider.hkdf_sha256(&salt, &input, &[b"IoT-Crypto session key id"], &mut id);
        assert_eq!(*negotiated.key.secret().expose(), key);
        assert_eq!(negotiated.key.id().0, id);
    }
}

#[test]
fn every_attempt_has_another_key_and_the_request_repeats_itself() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let (one, other) = (world.initiator(forward_secrecy), world.initiator(forward_secrecy));
        let request = world.request(&one);
        assert_eq!(world.request(&one), request);
        assert_ne!(world.request(&other), request);
        let first = world.respond(&request).unwrap().0.key;
        let second = world.respond(&request).unwrap().0.key;
        assert_ne!(first.id(), second.id());
        assert_ne!(first.secret(), second.secret());
        assert_ne!(first.secret().expose()[..8], first.id().0);
    }
}

#[test]
fn no_changed_request_leads_to_a_key() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        for at in 0..request.len() {
            let mut changed = request.clone();
            changed[at] ^= 1;
            if let Ok((_, response)) = world.respond(&changed) {
                let finished = world.finish(&initiator, &response);
                assert_eq!(finished, Err(NegotiationError::Signature), "byte {at}");
            }
        }
    }
}

#[test]
fn no_changed_response_leads_to_a_key() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        let (_, response) = world.respond(&request).unwrap();
        for at in 0..response.len() {
            let mut changed = response.clone();
            changed[at] ^= 1;
            assert!(world.finish(&initiator, &changed).is_err(), "byte {at}");
            assert_eq!(world.clock, WallClock::unknown(), "byte {at}");
        }
        assert!(world.finish(&initiator, &response).is_ok());
    }
}

#[test]
fn a_response_to_another_request_fails() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let (old, new) = (world.initiator(forward_secrecy), world.initiator(forward_secrecy));
        let request = world.request(&old);
        let (_, response) = world.respond(&request).unwrap();
        assert_eq!(world.finish(&new, &response), Err(NegotiationError::Signature));
    }
}

/// The initiator's certificate without its private keys gives no key.
#[test]
fn only_the_holder_of_the_initiators_key_has_the_session_key() {
    for forward_secrecy in BOTH {
        let mut world = world();
        let initiator = world.initiator(forward_secrecy);
        let request = world.request(&initiator);
        let (of_gateway, response) = world.respond(&request).unwrap();
        // Whoever knows everything but the device's long-term secret.
        let company = world.company.clone();
        let thief = Party::new(&mut world.provider, &company, Roles::DEVICE);
        let response: message::SignedResponse = crate::wire::cbor::decode(&response).unwrap();
        let shared = thief.identity.x25519(&world.provider, &response.response.ephemeral).unwrap();
        let whole = key_schedule::transcript(&world.provider, &message::Raw(&request), &response);
        let key = key_schedule::session_key(&world.provider, &whole, &shared, None);
        assert_ne!(key, of_gateway.key);
    }
}

#[test]
fn a_buffer_that_is_too_small_is_told_the_length_that_suffices() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let short = initiator.request(world.device.local(), &mut [0; 10]);
    assert_eq!(short, Err(BufferTooSmall { needed: request.len() }));
    let mut buffer = [0; 375];
    let mut respond = |buffer: &mut [u8]| {
        let (local, trust) = (world.gateway.local(), &world.gateway.trust);
        respond(&mut world.provider, local, trust, &world.serving, &request, buffer)
    };
    let short = respond(&mut buffer[..374]).unwrap_err();
    assert_eq!(short, RespondError::BufferTooSmall(BufferTooSmall { needed: 375 }));
    assert!(respond(&mut buffer).is_ok());
}

#[test]
fn garbage_is_refused_without_a_panic() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (_, response) = world.respond(&request).unwrap();
    let mut incoming = transfer::Incoming::<{ transfer::MAX_MESSAGE }>::new();
    for length in 0..400 {
        let mut bytes = std::vec![0; length];
        world.provider.random(&mut bytes).unwrap();
        for beginning in [&request, &response, &std::vec![0x84, 0]] {
            // A good beginning leads further in.
            let good = length / 2;
            for (to, from) in bytes.iter_mut().zip(&beginning[..good.min(beginning.len())]) {
                *to = *from;
            }
            assert!(world.respond(&bytes).is_err());
            assert!(world.finish(&initiator, &bytes).is_err());
            let _ = incoming.receive(&bytes);
        }
    }
    assert_eq!(
        world.finish(&initiator, &[]),
        Err(NegotiationError::Decode(DecodeError::Truncated))
    );
}
