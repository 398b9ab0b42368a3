//! Figure 12: how long a data request and its answer take over BLE.

use std::time::Duration;

use iot_crypto::gateway::{self, GatewayEvent};
use iot_crypto::time::Instant;
use iot_crypto::uplink::{self, Search};

use super::ble::{CONFIGURATIONS, Configuration, Way};
use super::report::{Cell, Figure, Table};
use crate::cast::{Cast, DEVICE, GATEWAY, device_connected};
use crate::node::Event;
use crate::place::{NEGOTIATION, Place, TRANSMISSION};
use crate::random::Dice;
use crate::world::World;

/// As many as the paper's pings in each configuration.
const SAMPLES: usize = 200;
/// How many of them are taken in one session. Then there are new connections, which
/// have begun at other times, and have other intervals if they are drawn.
const IN_A_SESSION: usize = 10;
/// The time between two requests is that of ping, and up to a connection interval
/// more, so that they come at any time between two connection events.
const PAUSE: Duration = Duration::from_secs(1);
/// No request takes that long: none is lost.
const PATIENCE: u64 = 2;

/// The figure.
pub(super) fn figure(seed: u64) -> Figure {
    let mut figure = Figure::new(
        12,
        "Round-trip times over BLE",
        seed,
        &[
            "There was a vast difference between the minimum and maximum results.",
            "Default BLE connection interval is between 30 ms (minimum connection interval) and 60 ms \
             (maximum connection interval).",
            "For one-to-one connection, the delay caused by the connection interval can be as big as \
             120 ms. For the connection with an intermediary device, it can reach 180 ms.",
        ],
    );
    let rows = CONFIGURATIONS.map(|configuration| {
        let times = round_trips(seed, configuration);
        let mean = times.iter().sum::<u64>() as f64 / times.len() as f64;
        let [least, greatest] = [times.iter().min(), times.iter().max()].map(Option::unwrap);
        vec![
            configuration.way.name().into(),
            configuration.interval.name().into(),
            (*least).into(),
            Cell::Measured(mean, 1),
            (*greatest).into(),
            longest(configuration).into(),
        ]
    });
    figure.tables = vec![Table::new(
        "Milliseconds of virtual time from a gateway's data request to its device's answer",
        &["way", "connection interval, ms", "least", "mean", "greatest", "greatest possible"],
        rows,
    )];
    figure.notes = vec![
        format!(
            "{SAMPLES} requests in each row, {IN_A_SESSION} in a session; a session has connections of \
             its own. A device answers at once, and nothing is lost. What takes \
             a part of a millisecond takes a whole one."
        ),
        "Possible: what follows from the model, in which an intermediary's connections have events of \
         their own. With equal intervals an answer takes three of them at most, unless the events of \
         the second follow those of the first so closely that an answer misses one: then four."
            .to_owned(),
    ];
    figure
}

/// The round-trip times in milliseconds.
fn round_trips(seed: u64, configuration: Configuration) -> Vec<u64> {
    let mut dice = Dice::new(0xf2, seed);
    (0..SAMPLES / IN_A_SESSION).flat_map(|_| session(&mut dice, configuration)).collect()
}

fn session(dice: &mut Dice, configuration: Configuration) -> [u64; IN_A_SESSION] {
    let cast = Cast::new();
    let mut world = connected(&cast, dice, configuration);
    let greatest = configuration.interval.range().1 / 1000;
    std::array::from_fn(|_| {
        let pause = PAUSE + Duration::from_millis(dice.below(greatest));
        let begin = world.now + pause;
        world.run_until(begin, |_| false);
        world.gateway(GATEWAY).request_data(begin, cast.device.id(), &[]).expect("it is connected");
        let answered = world.wait(PATIENCE, GATEWAY, |event| {
            matches!(event, Event::Gateway(GatewayEvent::Readings { .. }))
        });
        assert!(answered, "nothing is lost");
        millis(world.now.since(begin))
    })
}

/// A device and its gateway in a session, with nothing to do.
pub(super) fn connected(cast: &Cast, dice: &mut Dice, configuration: Configuration) -> World {
    let mut world = World::new(u64::from(dice.roll()));
    let path = configuration.path(dice);
    world.max_datagram = world.max_datagram.min(path.max_datagram());
    world.connect(DEVICE, GATEWAY, path);
    let settings =
        gateway::Settings { advertise: None, ..gateway::Settings::new(NEGOTIATION, TRANSMISSION) };
    cast.add_gateway(&mut world, settings);
    let gateway = Place { host: GATEWAY, port: NEGOTIATION };
    cast.add_device(&mut world, uplink::Settings::new(Search::At(gateway)));
    let connected = world.wait(10, GATEWAY, device_connected(cast.device.id()));
    assert!(connected && world.now > Instant::ZERO, "they have a session");
    world
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("not that long")
}

/// The longest that a round trip may take in milliseconds, as it follows from the
/// model: a datagram waits for less than an interval of each connection, and is on the
/// air for less than [`ON_AIR`]; the answer must wait for the next event.
fn longest(configuration: Configuration) -> u64 {
    let (least, greatest) = configuration.interval.range();
    let intervals = || (least..=greatest).step_by(1250);
    let longest = match configuration.way {
        Way::Direct => 2 * greatest + ON_AIR,
        // From an event of the gateway's connection until the answer has passed the
        // device's takes twice the interval of that; then it waits for an event of the
        // gateway's again.
        Way::ThroughAnIntermediary => intervals()
            .flat_map(|first| intervals().map(move |second| (first, second)))
            .map(|(first, second)| {
                first + (2 * second + 2 * ON_AIR).next_multiple_of(first) + ON_AIR
            })
            .max()
            .unwrap_or_default(),
    };
    longest.div_ceil(1000)
}

/// How long a request or its answer takes on one connection, in microseconds: at most
/// 160 bytes at 1 Mbit/s, to the end of the millisecond.
const ON_AIR: u64 = 3_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::ble::Interval;

    #[test]
    fn a_round_trip_takes_at_least_an_interval_and_no_longer_than_is_possible() {
        for configuration in CONFIGURATIONS {
            let times = round_trips(7, configuration);
            assert_eq!(times.len(), SAMPLES);
            // The answer can't leave in the event in which the request came. So with equal
            // intervals it takes another one of each connection.
            let interval = configuration.interval.range().0 / 1000;
            let least = match (configuration.way, configuration.interval) {
                (Way::ThroughAnIntermediary, Interval::Fixed(_)) => 2 * interval,
                _ => interval,
            };
            let greatest = longest(configuration);
            let within = |time: &u64| (least..=greatest).contains(time);
            assert!(times.iter().all(within), "{configuration:?}: {times:?}");
        }
    }

    #[test]
    fn requests_come_at_any_time_between_two_events() {
        let fixed = Interval::Fixed(60_000);
        let times = round_trips(7, Configuration { way: Way::Direct, interval: fixed });
        // From one interval to two, and a request in each tenth of it.
        for tenth in 0..10 {
            let part = 60 + 6 * tenth..60 + 6 * (tenth + 1);
            assert!(times.iter().any(|time| part.contains(time)), "{part:?}: {times:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_times_and_another_gives_others() {
        let configuration = CONFIGURATIONS[5];
        assert_eq!(round_trips(1, configuration), round_trips(1, configuration));
        assert_ne!(round_trips(1, configuration), round_trips(2, configuration));
    }
}
