//! What becomes of the attacks, as the datagrams show it: what goes to addresses that
//! nobody has, and whether anything is taken twice.

use std::collections::{BTreeMap, BTreeSet};

use iot_crypto::time::Instant;

use super::DEVICES;
use crate::adversary::FIRST_FORGED_HOST;
use crate::cast::GATEWAY;
use crate::datagram::{self, SERVER_HELLO};
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
        if let Some(random) = datagram::random(bytes)
            && datagram::is_hello(bytes, SERVER_HELLO)
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
            && datagram::is_application_data(bytes)
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
