//! Certificates, endorsements, revocations and private identities: their sizes,
//! their one encoding, and what their signatures hold.

use std::format;
use std::string::ToString as _;
use std::vec::Vec;

use super::*;
use crate::crypto::Provider as _;
use crate::testing::{TestProvider, provider};
use crate::time::UnixTime;
use crate::wire::{DecodeError, cbor};

const CREATED: UnixTime = UnixTime::from_secs(1_800_000_000);
const EXPIRES: UnixTime = UnixTime::from_secs(1_900_000_000);
const GRANT: Grant = Grant { roles: Roles::DEVICE, rights: Rights::ALL };

fn identity(provider: &mut TestProvider, name: &str) -> PrivateIdentity {
    PrivateIdentity::create(provider, Name::new(name).unwrap(), CREATED, EXPIRES).unwrap()
}

fn encoded<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    let mut buffer = [0; 1_024];
    let length = cbor::encode(value, &mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn sizes() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor-00017");
    assert_eq!(encoded(party.certificate()).len(), 160);
    let endorsement =
        party.endorse(provider, party.certificate(), CREATED, EXPIRES, GRANT).unwrap();
    assert_eq!(encoded(&endorsement).len(), 98);
    assert_eq!(encoded(&party.revoke(provider, party.id(), CREATED).unwrap()).len(), 107);
    assert_eq!(encoded(&credential(&party, &[endorsement])).len(), 160 + 98 + 2);
}

#[test]
fn the_greatest_sizes() {
    let provider = &mut provider(1);
    let name = Name::new(&"x".repeat(32)).unwrap();
    let (created, expires) = (UnixTime::from_secs(u64::MAX - 1), UnixTime::from_secs(u64::MAX));
    let party = PrivateIdentity::create(provider, name, created, expires).unwrap();
    let grant = Grant { roles: Roles::ALL, rights: Rights::ALL };
    let endorsement =
        party.endorse(provider, party.certificate(), created, expires, grant).unwrap();
    let revocation = party.revoke(provider, party.id(), created).unwrap();
    assert_eq!(encoded(party.certificate()).len(), Certificate::MAX_LEN);
    assert_eq!(encoded(&endorsement).len(), Endorsement::MAX_LEN);
    assert_eq!(encoded(&revocation).len(), Revocation::MAX_LEN);
    assert_eq!(party.encode(&mut [0; PrivateIdentity::MAX_LEN]), Ok(PrivateIdentity::MAX_LEN));
    party.certificate().check_signature(provider).unwrap();
    let fingerprint = party.certificate().fingerprint(provider);
    endorsement.check_signature(provider, party.certificate().p256(), &fingerprint).unwrap();
    revocation.check_signature(provider, party.certificate().p256()).unwrap();
}

fn credential(party: &PrivateIdentity, endorsements: &[Endorsement]) -> Credential {
    Credential {
        certificate: party.certificate().clone(),
        endorsements: Endorsements::new(endorsements).unwrap(),
    }
}

#[test]
fn what_is_decoded_is_what_was_encoded() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor-00017");
    let endorsement =
        party.endorse(provider, party.certificate(), CREATED, EXPIRES, GRANT).unwrap();
    let revocation = party.revoke(provider, party.id(), CREATED).unwrap();
    let credential = credential(&party, &[endorsement.clone(), endorsement.clone()]);
    assert_eq!(
        Certificate::decode(&encoded(party.certificate())).as_ref(),
        Ok(party.certificate())
    );
    assert_eq!(Endorsement::decode(&encoded(&endorsement)), Ok(endorsement));
    assert_eq!(Revocation::decode(&encoded(&revocation)), Ok(revocation));
    assert_eq!(Credential::decode(&encoded(&credential)), Ok(credential));
}

/// No change of a byte leaves a certificate that is well formed, validly signed
/// and that of the same party.
#[test]
fn every_byte_of_a_certificate_counts() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor-00017");
    let original = encoded(party.certificate());
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        if let Ok(changed) = Certificate::decode(&bytes) {
            assert!(changed.check_signature(provider).is_err(), "byte {at}");
        }
    }
}

#[test]
fn every_byte_of_an_endorsement_and_of_a_revocation_counts() {
    let provider = &mut provider(1);
    let issuer = identity(provider, "issuer");
    let subject = identity(provider, "subject");
    let key = issuer.certificate().p256();
    let fingerprint = subject.certificate().fingerprint(provider);
    let original =
        encoded(&issuer.endorse(provider, subject.certificate(), CREATED, EXPIRES, GRANT).unwrap());
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        if let Ok(changed) = Endorsement::decode(&bytes) {
            assert!(changed.check_signature(provider, key, &fingerprint).is_err(), "byte {at}");
        }
    }
    let original = encoded(&issuer.revoke(provider, subject.id(), CREATED).unwrap());
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        if let Ok(changed) = Revocation::decode(&bytes) {
            assert!(changed.check_signature(provider, key).is_err(), "byte {at}");
        }
    }
}

#[test]
fn only_the_deterministic_encoding_is_accepted() {
    let provider = &mut provider(1);
    let bytes = encoded(identity(provider, "sensor-00017").certificate());
    assert_eq!(bytes[..2], [0x87, 1]);

    let mut trailing = bytes.clone();
    trailing.push(0);
    assert_eq!(Certificate::decode(&trailing), Err(DecodeError::Trailing));
    assert_eq!(Certificate::decode(&bytes[..bytes.len() - 1]), Err(DecodeError::Truncated));

    let mut long_version = bytes.clone();
    long_version.splice(1..2, [0x18, 1]);
    assert_eq!(Certificate::decode(&long_version), Err(DecodeError::NotDeterministic));

    let mut indefinite = bytes.clone();
    indefinite[0] = 0x9f;
    indefinite.push(0xff);
    assert_eq!(Certificate::decode(&indefinite), Err(DecodeError::Malformed));

    let mut next_version = bytes.clone();
    next_version[1] = 2;
    assert_eq!(Certificate::decode(&next_version), Err(DecodeError::UnknownVersion));
    next_version[0] = 0x88;
    next_version.push(0);
    assert_eq!(Certificate::decode(&next_version), Err(DecodeError::UnknownVersion));
}

#[test]
fn what_expires_before_it_is_created_is_refused() {
    let provider = &mut provider(1);
    let name = Name::new("sensor").unwrap();
    let created = PrivateIdentity::create(provider, name, EXPIRES, EXPIRES);
    assert_eq!(created.unwrap_err(), IssueError::Dates);
    let party = identity(provider, "sensor");
    assert_eq!(party.renew(provider, EXPIRES, CREATED).unwrap_err(), IssueError::Dates);
    let mut bytes = encoded(party.certificate());
    // The dates stand behind array, version and name.
    let dates = 2 + 7;
    assert_eq!(bytes[dates], 0x1a);
    bytes.copy_within(dates..dates + 5, dates + 5);
    assert_eq!(Certificate::decode(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn a_signature_with_a_high_s_is_refused() {
    let provider = &mut provider(1);
    let mut bytes = encoded(identity(provider, "sensor").certificate());
    let s = bytes.len() - 32..;
    let signature = p256::ecdsa::Signature::from_slice(&bytes[bytes.len() - 64..]).unwrap();
    let high = -*signature.s();
    bytes[s].copy_from_slice(&high.to_bytes());
    let changed = Certificate::decode(&bytes).unwrap();
    assert!(changed.check_signature(provider).is_err());
}

#[test]
fn an_endorsement_holds_for_one_certificate_only() {
    let provider = &mut provider(1);
    let (issuer, subject) = (identity(provider, "issuer"), identity(provider, "subject"));
    let endorsement =
        issuer.endorse(provider, subject.certificate(), CREATED, EXPIRES, GRANT).unwrap();
    let renewed = subject.renew(provider, CREATED, EXPIRES.saturating_add(YEAR)).unwrap();
    let fingerprint = renewed.certificate().fingerprint(provider);
    let key = issuer.certificate().p256();
    assert!(endorsement.check_signature(provider, key, &fingerprint).is_err());
}

const YEAR: core::time::Duration = core::time::Duration::from_secs(31_536_000);

#[test]
fn a_renewed_certificate_has_the_same_id_and_another_fingerprint() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor");
    let renewed = party.renew(provider, CREATED, EXPIRES.saturating_add(YEAR)).unwrap();
    renewed.certificate().check_signature(provider).unwrap();
    assert_eq!(renewed.id(), party.id());
    assert_eq!(renewed.certificate().id(provider), party.certificate().id(provider));
    assert_ne!(
        renewed.certificate().fingerprint(provider),
        party.certificate().fingerprint(provider)
    );
}

#[test]
fn a_private_identity_is_read_as_it_was_written() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor");
    let mut file = [0; PrivateIdentity::MAX_LEN];
    let length = party.encode(&mut file).unwrap();
    let read = PrivateIdentity::decode(provider, &file[..length]).unwrap();
    assert_eq!((read.certificate(), read.id()), (party.certificate(), party.id()));
    assert_eq!(
        read.revoke(provider, party.id(), CREATED),
        party.revoke(provider, party.id(), CREATED)
    );
}

#[test]
fn private_keys_that_are_not_those_of_the_certificate_are_refused() {
    let provider = &mut provider(1);
    let mut file = [0; PrivateIdentity::MAX_LEN];
    let length = identity(provider, "sensor").encode(&mut file).unwrap();
    let bytes = &mut file[..length];
    // The two keys stand at the end, each behind a head of two bytes; the lowest
    // bits of an X25519 key are ignored.
    for (at, error) in [
        (length - 1, LoadError::WrongKeys),
        (length - 34 - 2, LoadError::WrongKeys),
        (length - 68 - 1, LoadError::SelfSignature),
        (0, LoadError::Decode(DecodeError::Malformed)),
    ] {
        bytes[at] ^= 1;
        assert_eq!(PrivateIdentity::decode(provider, bytes).unwrap_err(), error, "byte {at}");
        bytes[at] ^= 1;
    }
    PrivateIdentity::decode(provider, bytes).unwrap();
}

#[test]
fn private_keys_are_not_shown() {
    let provider = &mut provider(1);
    let shown = format!("{:?}", identity(provider, "sensor"));
    assert!(shown.contains("x25519: Secret(…), p256: Secret(…)"), "{shown}");
}

#[test]
fn the_id_follows_from_both_keys() {
    let provider = &mut provider(1);
    let certificate = identity(provider, "sensor").certificate().clone();
    let digest = provider.sha256_of(&[
        b"IoT-Crypto party id",
        &certificate.x25519().0,
        &certificate.p256().0,
    ]);
    assert_eq!(certificate.id(provider).0, digest[..16]);
    assert_eq!(certificate.id(provider).to_string().len(), 32);
}

/// Worked out from the bytes and the text of SPEC.md sections 3 to 5 alone.
#[test]
fn what_is_signed_is_what_is_specified() {
    let provider = &mut provider(1);
    let (issuer, subject) = (identity(provider, "issuer"), identity(provider, "subject"));
    let certificate = encoded(subject.certificate());
    let endorsement =
        issuer.endorse(provider, subject.certificate(), CREATED, EXPIRES, GRANT).unwrap();
    let revocation = issuer.revoke(provider, subject.id(), CREATED).unwrap();
    let fingerprint = provider.sha256_of(&[&certificate]);
    for (label, bytes, about, signer) in [
        ("IoT-Crypto certificate", certificate, &[][..], &subject),
        ("IoT-Crypto endorsement", encoded(&endorsement), &fingerprint[..], &issuer),
        ("IoT-Crypto revocation", encoded(&revocation), &[][..], &issuer),
    ] {
        let (content, signature) = bytes.split_at(bytes.len() - 66);
        let mut content = content.to_vec();
        content[0] -= 1;
        assert_eq!(signature[..2], [0x58, 0x40]);
        let signature = crate::crypto::Signature(signature[2..].try_into().unwrap());
        let message = [label.as_bytes(), about, &content];
        provider.p256_verify(signer.certificate().p256(), &message, &signature).unwrap();
    }
}

#[test]
fn garbage_is_refused_without_a_panic() {
    let provider = &mut provider(7);
    let good = encoded(&credential(&identity(provider, "sensor"), &[]));
    for length in 0..600 {
        let mut bytes = std::vec![0; length];
        provider.random(&mut bytes).unwrap();
        assert!(Credential::decode(&bytes).is_err());
        // A good beginning leads further in.
        bytes.splice(..length.min(good.len() * length / 600), good.iter().copied());
        let _ = Credential::decode(&bytes);
        let _ = PrivateIdentity::decode(provider, &bytes);
    }
}

#[test]
fn five_endorsements_are_too_many() {
    let provider = &mut provider(1);
    let party = identity(provider, "sensor");
    let endorsement =
        party.endorse(provider, party.certificate(), CREATED, EXPIRES, GRANT).unwrap();
    let mut four = Endorsements::none();
    for _ in 0..MAX_ENDORSEMENTS {
        four.push(endorsement.clone()).unwrap();
    }
    let mut bytes = encoded(&four);
    assert_eq!(four.push(endorsement.clone()), Err(TooManyEndorsements));
    bytes[0] += 1;
    bytes.extend(encoded(&endorsement));
    assert_eq!(cbor::decode::<Endorsements>(&bytes), Err(DecodeError::Malformed));
}
