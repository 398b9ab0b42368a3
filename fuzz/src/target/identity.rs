//! The decoders of certificates and what goes with them.

use iot_crypto::crypto::{Provider as _, Secret};
use iot_crypto::identity::{
    Certificate, Credential, Endorsement, LoadError, Name, PartyId, PrivateIdentity, Revocation,
    Rights, Role, Roles,
};
use iot_crypto::wire::{DecodeError, cbor};

use super::round_trip;
use crate::cast::Cast;
use crate::input::Input;
use crate::mutation::mutate;
use crate::toy::Toy;

/// Decodes a structure of `identity` from all but the first byte, which says
/// which. What is accepted encodes to the same bytes, is no longer than its limit,
/// and its checks don't panic; what is longer or shorter is refused. What somebody has
/// changed is not taken for genuine.
pub fn identity(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.below(10);
    let toy = Toy::new(0);
    if kind >= 7 {
        return tampered(&toy, &mut input, kind);
    }
    let bytes = input.rest();
    match kind {
        0 => round_trip(bytes, Certificate::decode, Certificate::MAX_LEN, |certificate| {
            check_certificate(&toy, certificate);
        }),
        1 => round_trip(bytes, Endorsement::decode, Endorsement::MAX_LEN, |endorsement| {
            assert!(endorsement.created() < endorsement.expires());
            assert_words(endorsement.roles(), endorsement.rights());
        }),
        2 => round_trip(bytes, Revocation::decode, Revocation::MAX_LEN, |_| {}),
        3 => {
            let max = 2 + Certificate::MAX_LEN + 4 * Endorsement::MAX_LEN;
            round_trip(bytes, Credential::decode, max, |credential| {
                check_certificate(&toy, &credential.certificate);
            });
        }
        4 => private_identity(&toy, bytes),
        5 => text::<Name>(bytes),
        _ => {
            text::<PartyId>(bytes);
            text::<Roles>(bytes);
            text::<Rights>(bytes);
            text::<Role>(bytes);
        }
    }
}

fn check_certificate(toy: &Toy, certificate: &Certificate) {
    assert!(certificate.created() < certificate.expires());
    let name = certificate.name().as_str();
    assert!((1..=Name::MAX_LEN).contains(&name.len()) && !name.chars().any(char::is_control));
    let is_genuine = certificate.check_signature(toy).is_ok();
    // The signature is part of the fingerprint, and not of the id.
    assert_eq!(
        certificate.id(toy),
        PartyId::of_keys(toy, certificate.x25519(), certificate.p256())
    );
    std::hint::black_box((is_genuine, certificate.fingerprint(toy)));
}

/// Something genuine is changed, or not.
fn tampered(toy: &Toy, input: &mut Input<'_>, kind: usize) {
    let cast = Cast::get();
    let (device, company) = (&cast.device, &cast.company);
    let mut buffer = [0; PrivateIdentity::MAX_LEN];
    let certificate = device.identity.certificate();
    let length = match kind {
        7 => device.identity.encode(&mut buffer),
        8 => cbor::encode(certificate, &mut buffer),
        _ => cbor::encode(&device.endorsement, &mut buffer),
    };
    let genuine = &buffer[..length.unwrap()];
    let bytes = mutate(input, genuine);
    let is_taken = match kind {
        7 => return private_identity(toy, &bytes),
        8 => Certificate::decode(&bytes).is_ok_and(|it| it.check_signature(toy).is_ok()),
        _ => {
            let (key, subject) = (*company.certificate().p256(), certificate.fingerprint(toy));
            let is_signed = |it: Endorsement| it.check_signature(toy, &key, &subject).is_ok();
            Endorsement::decode(&bytes).is_ok_and(is_signed)
        }
    };
    assert_eq!(is_taken, bytes == genuine, "a signature is taken for that of something else");
}

/// The private keys of what is accepted belong to its certificate.
fn private_identity(toy: &Toy, bytes: &[u8]) {
    match PrivateIdentity::decode(toy, bytes) {
        Ok(identity) => {
            let mut buffer = [0; PrivateIdentity::MAX_LEN];
            let length = identity.encode(&mut buffer).unwrap();
            assert_eq!(buffer[..length], *bytes);
            assert_eq!(identity.id(), identity.certificate().id(toy));
            assert!(identity.certificate().check_signature(toy).is_ok());
            // The two keys are the last two strings of 32 bytes.
            let secret = |from_end: usize| {
                let start = length - from_end;
                Secret::new(bytes[start..start + 32].try_into().unwrap())
            };
            assert_eq!(toy.x25519_public_key(&secret(66)), *identity.certificate().x25519());
            assert_eq!(toy.p256_public_key(&secret(32)), Ok(*identity.certificate().p256()));
            for room in [0, length - 1] {
                assert_eq!(identity.encode(&mut buffer[..room]).unwrap_err().needed, length);
            }
        }
        Err(LoadError::Decode(DecodeError::NotDeterministic)) => assert!(!bytes.is_empty()),
        Err(_) => {}
    }
}

/// What is read from a text is written as a text with the same meaning.
fn text<T: std::str::FromStr + ToString + PartialEq>(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(value) = text.parse::<T>()
    {
        assert!(value.to_string().parse::<T>().is_ok_and(|again| again == value));
    }
}

fn assert_words(roles: Roles, rights: Rights) {
    assert!(roles.to_string().parse() == Ok(roles));
    assert!(rights.to_string().parse() == Ok(rights));
}
