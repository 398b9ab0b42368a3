//! The codecs of the public interface, against CBOR that was written by hand.

use iot_crypto::connection::{
    Advertisement, AdvertisementError, Freshness, NegotiationRefusal, NetworkKey, NetworkKeys,
    REFUSAL_MAX_LEN, Request, Versions, refuse,
};
use iot_crypto::crypto::{Provider as _, SymmetricKey};
use iot_crypto::identity::{
    Certificate, Credential, Endorsement, Fingerprint, Grant, Name, PartyId, PrivateIdentity,
    Revocation, Rights, Role, Roles,
};
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{Label, Reading, Value};
use iot_crypto::wire::cbor;
use proptest::prelude::*;

use crate::testing::items::{
    Item, bytes, certificate, codec_properties, credential, endorsement, integer, name, number,
    opaque,
};
use crate::testing::{one_in, provider};

/// Decodes, and encodes what came of it.
fn reencode<'b, T>(bytes: &'b [u8]) -> Option<Vec<u8>>
where
    T: cbor::Decode<'b> + minicbor::Encode<()>,
{
    cbor::decode::<T>(bytes).ok().map(|value| encoded(&value))
}

fn encoded<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; cbor::encoded_len(value)];
    cbor::encode(value, &mut bytes).unwrap();
    bytes
}

/// A revocation (SPEC.md section 5).
fn revocation() -> BoxedStrategy<Item> {
    (bytes(16), bytes(16), number(u64::MAX), bytes(64))
        .prop_map(|(issuer, subject, created, signature)| {
            Item::List(vec![Item::Number(1), issuer, subject, created, signature])
        })
        .boxed()
}

/// M1 (SPEC.md section 9.2).
fn request() -> BoxedStrategy<Item> {
    let role = prop::sample::select(vec![1, 2, 4]).prop_map(Item::Number);
    let freshness = prop_oneof![bytes(16), bytes(32)];
    (role, any::<bool>(), number(u32::MAX.into()), freshness, credential())
        .prop_map(|(role, sleepy, incarnation, freshness, credential)| {
            let (kind, version, sleepy) = (Item::Number(1), Item::Number(1), Item::Bool(sleepy));
            Item::List(vec![kind, version, role, sleepy, incarnation, freshness, credential])
        })
        .boxed()
}

/// A network key, and several (SPEC.md section 7).
fn network_key() -> BoxedStrategy<Item> {
    bytes(32).prop_map(|secret| Item::List(vec![Item::Number(1), secret])).boxed()
}

fn network_keys() -> BoxedStrategy<Item> {
    prop::collection::vec(network_key(), 0..=4)
        .prop_map(|keys| Item::List(vec![Item::Number(1), Item::List(keys)]))
        .boxed()
}

fn reencode_network_key(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; NetworkKey::ENCODED_LEN];
    let key = NetworkKey::decode(&provider(0), bytes).ok()?;
    let length = key.encode(&mut buffer).unwrap();
    Some(buffer[..length].to_vec())
}

fn reencode_network_keys(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; NetworkKeys::MAX_LEN];
    let keys = NetworkKeys::decode(&provider(0), bytes).ok()?;
    let length = keys.encode(&mut buffer).unwrap();
    Some(buffer[..length].to_vec())
}

codec_properties!(certificates, certificate(), reencode::<Certificate>);
codec_properties!(endorsements, endorsement(), reencode::<Endorsement>);
codec_properties!(credentials, credential(), reencode::<Credential>);
codec_properties!(revocations, revocation(), reencode::<Revocation>);
codec_properties!(requests, request(), reencode::<Request>);
codec_properties!(single_network_keys, network_key(), reencode_network_key);
codec_properties!(rings_of_network_keys, network_keys(), reencode_network_keys);

fn bytes_of(item: &Item) -> &[u8] {
    match item {
        Item::Bytes(bytes) => bytes,
        other => panic!("{other:?} is no byte string"),
    }
}

fn number_of(item: &Item) -> u64 {
    match item {
        Item::Number(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

proptest! {
    #[test]
    fn what_is_read_of_an_identity_is_what_was_written(
        certificate in certificate(),
        endorsement in endorsement(),
        revocation in revocation(),
    ) {
        let [_, name, created, expires, exchange, signing, _] = certificate.items() else { panic!() };
        let read = Certificate::decode(&certificate.encode()).unwrap();
        prop_assert_eq!(&Item::Text(read.name().as_str().to_owned()), name);
        prop_assert_eq!(read.created().as_secs(), number_of(created));
        prop_assert_eq!(read.expires().as_secs(), number_of(expires));
        prop_assert_eq!(&read.x25519().0[..], bytes_of(exchange));
        prop_assert_eq!(&read.p256().0[..], bytes_of(signing));

        let [_, issuer, created, expires, roles, rights, _] = endorsement.items() else { panic!() };
        let read = Endorsement::decode(&endorsement.encode()).unwrap();
        prop_assert_eq!(&read.issuer().0[..], bytes_of(issuer));
        prop_assert_eq!(read.created().as_secs(), number_of(created));
        prop_assert_eq!(read.expires().as_secs(), number_of(expires));
        for (role, bit) in [(Role::Device, 1), (Role::Gateway, 2), (Role::Cloud, 4)] {
            prop_assert_eq!(read.roles().contains(role), number_of(roles) & bit != 0);
        }
        let all = [Rights::DATA, Rights::COMMAND, Rights::ALERT, Rights::REVOKE, Rights::KEYS];
        for (bit, right) in all.into_iter().enumerate() {
            prop_assert_eq!(read.rights().contains(right), number_of(rights) >> bit & 1 == 1);
        }

        let [_, issuer, subject, created, _] = revocation.items() else { panic!() };
        let read = Revocation::decode(&revocation.encode()).unwrap();
        prop_assert_eq!(&read.issuer().0[..], bytes_of(issuer));
        prop_assert_eq!(&read.subject().0[..], bytes_of(subject));
        prop_assert_eq!(read.created().as_secs(), number_of(created));
    }

    #[test]
    fn what_is_read_of_a_request_is_what_was_written(item in request()) {
        let [_, _, role, sleepy, incarnation, freshness, credential] = item.items() else { panic!() };
        let read = Request::decode(&item.encode()).unwrap();
        let number = match read.role { Role::Device => 1, Role::Gateway => 2, Role::Cloud => 4 };
        prop_assert_eq!(number, number_of(role));
        prop_assert_eq!(&Item::Bool(read.sleepy), sleepy);
        prop_assert_eq!(u64::from(read.incarnation), number_of(incarnation));
        match read.freshness {
            Freshness::Ephemeral(key) => prop_assert_eq!(&key.0[..], bytes_of(freshness)),
            Freshness::Nonce(nonce) => prop_assert_eq!(&nonce[..], bytes_of(freshness)),
        }
        prop_assert_eq!(encoded(&read.credential), credential.encode());
    }

    #[test]
    fn names_ids_and_sets_are_read_as_they_are_shown(
        name in name(),
        id in any::<[u8; 16]>(),
        roles in 0..8_u8,
        rights in 0..32_u8,
        text in "\\PC{0,40}",
    ) {
        let shown = Name::new(&name).unwrap().to_string();
        prop_assert_eq!(shown.parse(), Name::new(&name));
        prop_assert_eq!(PartyId::parse(&PartyId(id).to_string()), Ok(PartyId(id)));
        let roles: Roles = cbor::decode(&Item::Number(roles.into()).encode()).unwrap();
        let rights: Rights = cbor::decode(&Item::Number(rights.into()).encode()).unwrap();
        prop_assert_eq!(roles.to_string().parse(), Ok(roles));
        prop_assert_eq!(rights.to_string().parse(), Ok(rights));
        // Whatever is taken as a name or label of a text is shown as that text.
        if let Ok(name) = Name::new(&text) {
            prop_assert_eq!(name.to_string(), &text[..]);
        }
        if let Some(label) = Label::parse(&text) {
            let shown = label.to_string();
            prop_assert_eq!(Label::parse(&shown), Some(label));
        }
        let _ = (PartyId::parse(&text), text.parse::<Roles>(), text.parse::<Rights>());
    }

    /// SPEC.md section 9.5: the refusal names its request by a hash.
    #[test]
    fn a_refusal_has_the_specified_bytes(code in any::<u8>(), request in opaque(40)) {
        let mut buffer = [0; REFUSAL_MAX_LEN];
        let refusal = NegotiationRefusal::from_code(code);
        let length = refuse(&provider(0), &request, refusal, &mut buffer).unwrap();
        let hash = provider(0).sha256_of(&[&request])[..8].to_vec();
        let numbers = [3, 1, code.into()].map(Item::Number);
        let expected = Item::List([numbers.to_vec(), vec![Item::Bytes(hash)]].concat());
        prop_assert_eq!(&buffer[..length], expected.encode());
    }

    #[test]
    fn the_greatest_lengths_are_kept(
        certificate in certificate(),
        endorsement in endorsement(),
        revocation in revocation(),
        keys in network_keys(),
    ) {
        prop_assert!(certificate.encode().len() <= Certificate::MAX_LEN);
        prop_assert!(endorsement.encode().len() <= Endorsement::MAX_LEN);
        prop_assert!(revocation.encode().len() <= Revocation::MAX_LEN);
        prop_assert!(keys.encode().len() <= NetworkKeys::MAX_LEN);
    }

    /// A buffer that is too small is told what suffices, and what suffices does.
    #[test]
    fn what_is_said_to_suffice_suffices(item in request(), size in 0..600_usize) {
        let value = Request::decode(&item.encode()).unwrap();
        let whole = encoded(&value);
        let mut small = vec![0; size];
        match cbor::encode(&value, &mut small) {
            Ok(length) => prop_assert_eq!(&small[..length], &whole[..]),
            Err(error) => {
                prop_assert!(error.needed > size);
                let mut buffer = vec![0; error.needed];
                prop_assert_eq!(cbor::encode(&value, &mut buffer), Ok(whole.len()));
                prop_assert_eq!(&buffer[..whole.len()], &whole[..]);
            }
        }
    }
}

mod advertisements {
    use super::*;
    use crate::testing::items::{assert_fair_share, change};

    const NETWORK_KEY: [u8; 32] = [7; 32];

    fn key() -> NetworkKey {
        NetworkKey::from_secret(&provider(0), SymmetricKey::new(NETWORK_KEY))
    }

    /// The first nine items (SPEC.md section 8), under the key's own id.
    fn content() -> BoxedStrategy<Item> {
        let (u16, u32) = (u16::MAX.into(), u32::MAX.into());
        let rest = (number(u16), number(u16), number(u32), number(u64::MAX), number(u32));
        (bytes(16), rest, number(u32))
            .prop_map(|(gateway, (one, other, versions, time, sequence), incarnation)| {
                let id = Item::Bytes(key().id().0.to_vec());
                let version = Item::Number(1);
                Item::List(vec![
                    version,
                    id,
                    gateway,
                    one,
                    other,
                    versions,
                    time,
                    sequence,
                    incarnation,
                ])
            })
            .boxed()
    }

    /// `content` with one item more, the authentication code as SPEC.md sections 7
    /// and 8 specify it. Only the count in the first byte differs.
    fn authenticated(content: &[u8]) -> Vec<u8> {
        let (mut advertisement_key, provider) = ([0; 32], provider(0));
        let label: &[u8] = b"IoT-Crypto advertisement key";
        provider.hkdf_sha256(&[], &NETWORK_KEY, &[label], &mut advertisement_key);
        let mac = provider.hmac_sha256(&advertisement_key, &[content]);
        let mut bytes = content.to_vec();
        if let Some(head) = bytes.first_mut() {
            *head = head.wrapping_add(1);
        }
        bytes.extend(Item::Bytes(mac[..16].to_vec()).encode());
        bytes
    }

    fn open(bytes: &[u8]) -> Result<Advertisement, AdvertisementError> {
        let mut keys = NetworkKeys::new();
        keys.add(key()).unwrap();
        let (advertisement, id) = Advertisement::open(&provider(0), &keys, bytes)?;
        assert_eq!(id, key().id());
        Ok(advertisement)
    }

    fn seal(advertisement: &Advertisement) -> Vec<u8> {
        let mut buffer = [0; Advertisement::MAX_LEN];
        let length = advertisement.seal(&provider(0), &key(), &mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    proptest! {
        #[test]
        fn what_is_specified_is_accepted_and_sealed_to_the_same_bytes(item in content()) {
            let bytes = authenticated(&item.encode());
            let read = open(&bytes).unwrap();
            prop_assert_eq!(seal(&read), bytes);
            let [_, _, gateway, one, other, versions, time, sequence, incarnation] = item.items()
                else { panic!() };
            prop_assert_eq!(&read.gateway.0[..], bytes_of(gateway));
            prop_assert_eq!(u64::from(read.negotiation_port), number_of(one));
            prop_assert_eq!(u64::from(read.transmission_port), number_of(other));
            prop_assert_eq!(read.versions, Versions(number_of(versions) as u32));
            prop_assert_eq!(read.time.map_or(0, UnixTime::as_secs), number_of(time));
            prop_assert_eq!(read.time.is_some(), number_of(time) != 0);
            prop_assert_eq!(u64::from(read.sequence), number_of(sequence));
            prop_assert_eq!(u64::from(read.incarnation), number_of(incarnation));
        }

        #[test]
        fn what_is_accepted_is_sealed_to_the_same_bytes(item in content(), change in change()) {
            let bytes = authenticated(&change.apply(&item));
            if let Ok(read) = open(&bytes) {
                prop_assert_eq!(seal(&read), bytes);
            }
        }

        /// Without the key nobody can change an advertisement, or make one.
        #[test]
        fn what_was_changed_without_the_key_is_refused(item in content(), change in change()) {
            let bytes = authenticated(&item.encode());
            let list = Item::List([item.items(), &[Item::Bytes(bytes[bytes.len() - 16..].to_vec())]]
                .concat());
            prop_assert_eq!(&list.encode(), &bytes);
            let changed = change.apply(&list);
            prop_assert!(changed == bytes || open(&changed).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(open(&bytes).is_err());
        }
    }

    #[test]
    fn a_fair_share_of_what_was_changed_is_accepted() {
        assert_fair_share(&content(), |bytes| open(&authenticated(bytes)).is_ok());
    }
}

mod private_identities {
    use super::*;
    use crate::testing::edits::{edit, edited};

    fn encode(identity: &PrivateIdentity) -> Vec<u8> {
        let mut buffer = [0; PrivateIdentity::MAX_LEN];
        let length = identity.encode(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    /// Keys are dear to make; the name and the dates cost nothing.
    fn identity() -> impl Strategy<Value = PrivateIdentity> {
        let dates = (integer(u64::MAX - 1), integer(u64::MAX - 1));
        (any::<u64>(), name(), dates).prop_map(|(seed, name, (one, other))| {
            let (from, to) = (one.min(other), one.max(other) + 1);
            let dates = (UnixTime::from_secs(from), UnixTime::from_secs(to));
            let name = Name::new(&name).unwrap();
            PrivateIdentity::create(&mut provider(seed), name, dates.0, dates.1).unwrap()
        })
    }

    proptest! {
        #![proptest_config(one_in(8))]

        #[test]
        fn a_private_identity_is_read_as_it_was_written(identity in identity()) {
            let bytes = encode(&identity);
            let read = PrivateIdentity::decode(&provider(0), &bytes).unwrap();
            prop_assert_eq!(read.certificate(), identity.certificate());
            prop_assert_eq!(read.id(), identity.id());
            prop_assert_eq!(encode(&read), bytes);
        }

        #[test]
        fn what_is_accepted_encodes_to_the_same_bytes(
            identity in identity(),
            edits in prop::collection::vec(edit(), 1..3),
        ) {
            let bytes = edited(&encode(&identity), &edits);
            if let Ok(read) = PrivateIdentity::decode(&provider(0), &bytes) {
                prop_assert_eq!(encode(&read), bytes);
            }
        }

        /// What an identity issues is what it was asked to, and is valid.
        #[test]
        fn what_is_issued_is_signed_and_comes_back(
            issuer in identity(),
            subject in identity(),
            from in integer(u64::MAX - 1),
            roles in 0..8_u8,
            rights in 0..32_u8,
        ) {
            let provider = provider(0);
            let (from, to) = (UnixTime::from_secs(from), UnixTime::from_secs(u64::MAX));
            let grant = Grant {
                roles: cbor::decode(&[roles]).unwrap(),
                rights: cbor::decode(&Item::Number(rights.into()).encode()).unwrap(),
            };
            let certificate = subject.certificate();
            let endorsement = issuer.endorse(&provider, certificate, from, to, grant).unwrap();
            let read = Endorsement::decode(&encoded(&endorsement)).unwrap();
            prop_assert_eq!(&read, &endorsement);
            prop_assert_eq!((read.roles(), read.rights()), (grant.roles, grant.rights));
            let key = issuer.certificate().p256();
            let fingerprint = certificate.fingerprint(&provider);
            prop_assert!(read.check_signature(&provider, key, &fingerprint).is_ok());
            let other = Fingerprint(provider.sha256_of(&[&fingerprint.0]));
            prop_assert!(read.check_signature(&provider, key, &other).is_err());

            let revocation = issuer.revoke(&provider, subject.id(), from).unwrap();
            let read = Revocation::decode(&encoded(&revocation)).unwrap();
            prop_assert_eq!(&read, &revocation);
            prop_assert!(read.check_signature(&provider, key).is_ok());
            prop_assert!(read.check_signature(&provider, certificate.p256()).is_err());
        }
    }
}

/// What all CBOR codecs rest on.
mod single_items {
    use super::*;
    use crate::testing::edits::{edit, edited};

    proptest! {
        #[test]
        fn a_number_has_one_encoding(
            number in integer(u64::MAX),
            edits in prop::collection::vec(edit(), 0..3),
        ) {
            let bytes = Item::Number(number).encode();
            prop_assert_eq!(cbor::decode::<u64>(&bytes), Ok(number));
            prop_assert_eq!(encoded(&number), &bytes[..]);
            let changed = edited(&bytes, &edits);
            for again in [reencode::<u64>(&changed), reencode::<u16>(&changed), reencode::<u8>(&changed)] {
                prop_assert!(again.is_none_or(|again| again == changed));
            }
        }

        #[test]
        fn labels_values_and_readings_have_one_encoding(
            bytes in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let all = [
                reencode::<Label<'_>>(&bytes),
                reencode::<Value<'_>>(&bytes),
                reencode::<Reading<'_>>(&bytes),
            ];
            for again in all {
                prop_assert!(again.is_none_or(|again| again == bytes));
            }
        }
    }
}
