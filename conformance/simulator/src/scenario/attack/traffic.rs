//! What becomes of the attacks, as the datagrams show it: what goes to addresses that
//! nobody has, and whether anything is taken twice.

use std::collections::{BTreeMap, BTreeSet};

use iot_crypto::time::Instant;

use super::DEVICES;
use crate::adversary::FIRST_FORGED_HOST;
use crate::cast::GATEWAY;
use crate::place::{Place, TRANSMISSION};
use crate::scenario::Outcome;
use crate::world::World;

/// How many times what came from it an address is sent that is not proved (SPEC.md
/// section 11.3).
const AMPLIFICATION: usize = 3;
/// How many handshakes are half open when one more is asked for a cookie (11.3).
const HALF_OPEN: usize = 17;
/// How long one lasts that doesn't end (11.5), in milliseconds.
const HANDSHAKE: u64 = 30_000;
/// Where the first record of a datagram has its type, the type of its message, and the
/// random value of a hello (RFC 6347 section 4, RFC 5246 section 7.4.1).
const RECORD_TYPE: usize = 0;
const MESSAGE_TYPE: usize = 13;
const RANDOM: std::ops::Range<usize> = 27..59;
const HANDSHAKE_RECORD: u8 = 22;
const SERVER_HELLO: u8 = 2;
const APPLICATION_DATA: u8 = 23;

pub(super) fn check(outcome: &mut Outcome, world: &mut World) {
    check_amplification(outcome, world);
    check_cookies(outcome, world);
    check_replays(outcome, world);
}

/// Nobody can have the parties send more to an address than he sends in its name, but
/// for a small factor. What is sent while one handshake may last is due to what came
/// meanwhile, or as long before.
fn check_amplification(outcome: &mut Outcome, world: &World) {
    let mut came: BTreeMap<(Place, u64), usize> = BTreeMap::new();
    let mut went: BTreeMap<(Place, u64), usize> = BTreeMap::new();
    for (at, from, _, bytes) in &world.attacks {
        *came.entry((*from, period(*at))).or_default() += bytes.len();
    }
    for (at, _, to, bytes) in world.sent.iter().filter(|(_, _, to, _)| is_forged(*to)) {
        *went.entry((*to, period(*at))).or_default() += bytes.len();
    }
    for ((place, period), went) in went {
        let came: usize = came
            .range((place, period.saturating_sub(1))..=(place, period))
            .map(|(_, bytes)| bytes)
            .sum();
        outcome.demand(went <= AMPLIFICATION * came, || {
            format!("{place:?} was sent {went} bytes, and {came} came from it")
        });
        outcome.count("bytes to forged addresses", went as u64);
    }
}

/// A flood fills no table: when so many handshakes are half open, the next one is asked
/// for a cookie, which a forged address never sees.
fn check_cookies(outcome: &mut Outcome, world: &World) {
    let mut known: BTreeSet<&[u8]> = BTreeSet::new();
    let mut begun: BTreeMap<(Place, u64), usize> = BTreeMap::new();
    for (at, from, to, bytes) in &world.sent {
        let is_hello = bytes.get(RECORD_TYPE) == Some(&HANDSHAKE_RECORD)
            && bytes.get(MESSAGE_TYPE) == Some(&SERVER_HELLO);
        if let Some(random) = bytes.get(RANDOM)
            && is_hello
            && is_forged(*to)
            && known.insert(random)
        {
            *begun.entry((*from, period(*at))).or_default() += 1;
        }
    }
    for ((server, _), begun) in begun {
        outcome.demand(begun <= HALF_OPEN, || {
            format!("{server:?} began {begun} handshakes with nobody in {HANDSHAKE} ms")
        });
        outcome.greatest("handshakes with nobody at a time", begun as u64);
    }
}

/// On a network that repeats nothing itself, what is taken was sent as often.
fn check_replays(outcome: &mut Outcome, world: &mut World) {
    let is_data = |from: &Place, to: &Place, bytes: &[u8]| {
        DEVICES.contains(&from.host)
            && *to == Place { host: GATEWAY, port: TRANSMISSION }
            && bytes.get(RECORD_TYPE) == Some(&APPLICATION_DATA)
    };
    let sent = world.sent.iter().filter(|(_, from, to, bytes)| is_data(from, to, bytes)).count();
    let received = world.gateway(GATEWAY).received_from_devices().iter();
    let taken: u64 = received.map(|(_, kind)| u64::from(kind.messages)).sum();
    outcome.demand(taken <= sent as u64, || {
        format!("the gateway took {taken} messages, of which its devices sent {sent}")
    });
}

/// Which of the periods as long as a handshake that doesn't end.
fn period(at: Instant) -> u64 {
    at.as_millis() / HANDSHAKE
}

fn is_forged(place: Place) -> bool {
    place.host >= FIRST_FORGED_HOST
}
