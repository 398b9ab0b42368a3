//! The decoders of the IoT-Connection-Protocol, and its negotiation under an
//! attacker who changes what is said.

mod advertisements;
mod negotiation;
mod segments;

use iot_crypto::connection::{NetworkKey, NetworkKeys, Request};

use super::{assert_encodes, round_trip};
use crate::input::Input;
use crate::toy::Toy;

/// Does what the first byte says: decodes a structure of `connection` from the
/// rest; has a message put together from segments; tells new advertisements from
/// old ones; or negotiates a key while somebody changes the messages.
pub fn connection(data: &[u8]) {
    let mut input = Input::new(data);
    let toy = Toy::new(0);
    match input.below(8) {
        0 => network_keys(&toy, input.rest()),
        1 => advertisements::open(&toy, &mut input),
        2 => round_trip(input.rest(), Request::decode, 768, |_| {}),
        3 => segments::arbitrary(&mut input),
        4 => segments::of_one_message(&mut input),
        5 => advertisements::filter(&mut input),
        _ => negotiation::negotiate(&mut input),
    }
}

fn network_keys(toy: &Toy, bytes: &[u8]) {
    if let Ok(key) = NetworkKey::decode(toy, bytes) {
        assert_encodes(bytes, |buffer| key.encode(buffer));
    }
    if let Ok(keys) = NetworkKeys::decode(toy, bytes) {
        assert_encodes(bytes, |buffer| keys.encode(buffer));
        for key in keys.iter() {
            assert_eq!(keys.find(key.id()), Some(key), "two keys of one id");
        }
    }
}
