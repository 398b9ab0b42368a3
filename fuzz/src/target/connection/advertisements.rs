//! Advertisements: authentic ones, and new ones.

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::connection::{
    Advertisement, AdvertisementFilter, NetworkKey, NetworkKeys, Versions,
};
use iot_crypto::crypto::{Provider as _, SymmetricKey};
use iot_crypto::identity::PartyId;
use iot_crypto::time::{Instant, UnixTime};

use crate::cbor::is_deterministic;
use crate::input::Input;
use crate::toy::Toy;

const SECRET: [u8; 32] = [7; 32];
const MAC: usize = 16;

/// Opens arbitrary bytes; most of them end with the right authentication code, so that
/// everything behind it is reached, and then some have a byte changed. What is opened
/// seals to the same bytes.
pub(super) fn open(toy: &Toy, input: &mut Input<'_>) {
    let key = NetworkKey::from_secret(toy, SymmetricKey::new(SECRET));
    let mut keys = NetworkKeys::new();
    keys.add(key.clone()).unwrap();
    let kind = input.below(3);
    let (at, change) = if kind == 2 { (input.below(256), input.u8()) } else { (0, 0) };
    let mut bytes = input.rest().to_vec();
    if kind > 0 {
        authenticate(toy, &key, &mut bytes);
    }
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= change;
    }
    let is_authentic = kind == 1 || (kind == 2 && change == 0);
    if let Ok((advertisement, id)) = Advertisement::open(toy, &keys, &bytes) {
        assert!(is_authentic, "a forged advertisement is taken");
        assert!(is_deterministic(&bytes) && id == key.id());
        super::assert_encodes(&bytes, |buffer| advertisement.seal(toy, &key, buffer));
    }
}

/// Puts the id of `key` and the authentication code where they belong.
fn authenticate(toy: &Toy, key: &NetworkKey, bytes: &mut [u8]) {
    let Some(end) = bytes.len().checked_sub(MAC + 1).filter(|end| *end >= 7) else { return };
    bytes[3..7].copy_from_slice(&key.id().0);
    let mut secret = [0; 32];
    toy.hkdf_sha256(&[], &SECRET, &[b"IoT-Crypto advertisement key"], &mut secret);
    // What is covered is the array less its last item.
    let covered: [&[u8]; 2] = [&[bytes[0].wrapping_sub(1)], &bytes[1..end]];
    let mac = toy.hmac_sha256(&secret, &covered);
    bytes[end + 1..].copy_from_slice(&mac[..MAC]);
}

/// Whether a filter for two gateways takes the same advertisements as a rule that
/// remembers everything.
pub(super) fn filter(input: &mut Input<'_>) {
    const MEMORY: u64 = 600_000;
    const WINDOW: u64 = 60;
    let mut filter = AdvertisementFilter::<2>::new(Duration::from_secs(WINDOW));
    let mut last = BTreeMap::new();
    let mut now = 0_u64;
    while !input.is_empty() {
        now += u64::from(input.u8()) * u64::from(input.u8()) * 10;
        let gateway = input.below(2);
        let time = input.u8();
        let sequence = u32::from(input.u8());
        let clock = input.u8();
        let known = |second: u8| (second > 0).then_some(u64::from(second));
        let (time, clock) = (known(time), known(clock));
        let advertisement = Advertisement {
            gateway: PartyId([gateway as u8; 16]),
            negotiation_port: 1,
            transmission_port: 2,
            versions: Versions::V1,
            time: time.map(UnixTime::from_secs),
            sequence,
            incarnation: 0,
        };
        let taken = filter.accept(
            &advertisement,
            Instant::from_millis(now),
            clock.map(UnixTime::from_secs),
        );
        let is_near = time.zip(clock).is_none_or(|(time, clock)| time.abs_diff(clock) <= WINDOW);
        let is_newer = last
            .get(&gateway)
            .is_none_or(|(known, heard)| (time, sequence) > *known || now - heard >= MEMORY);
        assert_eq!(taken.is_ok(), is_near && is_newer, "{advertisement:?} at {now}: {taken:?}");
        if taken.is_ok() {
            last.insert(gateway, ((time, sequence), now));
        }
    }
}
