//! Figure 11: how much of the protocol's messages passes over BLE in a second.

use std::collections::VecDeque;
use std::time::Duration;

use iot_crypto::dtls::RECORD_OVERHEAD;
use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    Body, Label, MAX_VALUE, Message, Reading, Refused, Severity, Value,
};

use super::ble::{CONFIGURATIONS, Configuration};
use super::packets::{Packet, longest_packet};
use super::report::{Cell, Figure, Table};
use super::round_trips::connected;
use crate::cast::{Cast, DEVICE};
use crate::node::Event;
use crate::profile::IPV6_UDP;
use crate::random::Dice;
use crate::world::World;

/// As often as the paper's measurement in each configuration, each time with new
/// connections.
const REPETITIONS: usize = 50;
/// How many messages are sent back to back: for about 20 s.
const MESSAGES: usize = 700;
/// How long alerts are raised.
const ALERTING: Duration = Duration::from_secs(20);

/// What passed from a device to its gateway, in bits a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Goodput {
    /// Of messages, without what encrypts and carries them.
    messages: f64,
    /// Of IPv6 packets, whose headers are not compressed: what the profile limits.
    packets: f64,
}

impl Goodput {
    fn new(lengths: &[usize], added: usize, time: Duration) -> Self {
        let bits = |bytes: usize| 8.0 * bytes as f64 / time.as_secs_f64();
        let messages = lengths.iter().sum();
        Self { messages: bits(messages), packets: bits(messages + lengths.len() * added) }
    }
}

/// The figure.
pub(super) fn figure(seed: u64) -> Figure {
    let Packet { message, record } = longest_packet(seed);
    let mut figure = Figure::new(
        11,
        "Goodput over BLE",
        seed,
        &[
            "Maximum connection throughput achieved during tests is 239.2 kbit/s at the 1 m distance \
             between devices",
            "Expected BLE throughput depends on many factors, such as transmission interval, radio \
             interference and application-layer protocol overhead.",
        ],
    );
    figure.tables = vec![
        table(
            format!(
                "Back to back: messages of {} bytes, the longest between device and gateway, in records \
                 of {}. kbit/s of virtual time",
                message.bytes.len(),
                record.len()
            ),
            |configuration| {
                repeated(seed, |dice| stream(dice, configuration, &message.bytes, &record))
            },
        ),
        table(
            format!(
                "Acknowledged: alerts of up to {MAX_ALERT} bytes, the longest that a device keeps, as many at \
                 a time as it has room for. kbit/s of virtual time"
            ),
            |configuration| repeated(seed, |dice| alerts(dice, configuration)),
        ),
    ];
    figure.notes = [
        format!(
            "{REPETITIONS} repetitions in each row, each with new connections. The profile takes the \
             paper's 239.2 kbit/s as the most that IPv6 packets get on one connection; what is measured \
             is what the protocol makes of it."
        ),
        "An intermediary's two connections don't share their time on the air in the model: with a \
         single radio that is busy throughout, they would."
            .to_owned(),
        "The model knows no distance and no interference.".to_owned(),
    ]
    .into();
    figure
}

fn table(caption: String, measure: impl Fn(Configuration) -> Vec<Goodput>) -> Table {
    let rows = CONFIGURATIONS.map(|configuration| {
        let results = measure(configuration);
        let of_messages = || results.iter().map(|result| result.messages);
        let mean = |sum: f64| sum / results.len() as f64;
        let kilobits = |bits: f64| Cell::Measured(bits / 1000.0, 1);
        vec![
            configuration.way.name().into(),
            configuration.interval.name().into(),
            kilobits(of_messages().fold(f64::INFINITY, f64::min)),
            kilobits(mean(of_messages().sum())),
            kilobits(of_messages().fold(0.0, f64::max)),
            kilobits(mean(results.iter().map(|result| result.packets).sum())),
        ]
    });
    let columns = [
        "way",
        "connection interval, ms",
        "messages, least",
        "messages, mean",
        "messages, greatest",
        "IPv6 packets, mean",
    ];
    Table::new(caption, &columns, rows)
}

fn repeated(seed: u64, measure: impl Fn(&mut Dice) -> Goodput) -> Vec<Goodput> {
    let mut dice = Dice::new(0xf1, seed);
    (0..REPETITIONS).map(|_| measure(&mut dice)).collect()
}

/// Sends the same message back to back, one way, and asks for no answer.
fn stream(dice: &mut Dice, configuration: Configuration, message: &[u8], record: &[u8]) -> Goodput {
    let mut path = configuration.path(dice);
    let mut carry =
        |at, hop| path.carry(dice, at, record.len(), false, hop).expect("nothing is lost");
    // One before brings the sender into step with the connection's events: otherwise an
    // event would count without the interval before it.
    let begin = carry(Instant::ZERO, 0);
    let mut arrivals = [begin; MESSAGES];
    for hop in 0..configuration.way.hops() {
        for at in &mut arrivals {
            *at = carry(*at, hop);
        }
    }
    let time = arrivals.last().map_or(Duration::ZERO, |last| last.since(begin));
    let added = record.len() - message.len() + IPV6_UDP;
    Goodput::new(&[message.len(); MESSAGES], added, time)
}

/// The longest alert in bytes, with an id of three bytes: no device keeps a longer one.
const MAX_ALERT: usize = 128;

/// Raises alerts as fast as they are acknowledged.
fn alerts(dice: &mut Dice, configuration: Configuration) -> Goodput {
    let cast = Cast::new();
    let mut world = connected(&cast, dice, configuration);
    let (begin, mut seen) = (world.now, world.events.len());
    let (mut raised, mut delivered) = (VecDeque::new(), Vec::new());
    raise(&mut world, &mut raised);
    world.run_until(begin + ALERTING, |world| {
        let new = world.events[seen..].iter().filter(|(_, _, event)| tells_of_delivery(event));
        let count = new.count();
        seen = world.events.len();
        // Nothing overtakes, and nothing is lost: it was the first.
        delivered.extend(raised.drain(..count));
        if count > 0 {
            raise(world, &mut raised);
        }
        false
    });
    let added = RECORD_OVERHEAD + IPV6_UDP;
    Goodput::new(&delivered, added, world.now.since(begin))
}

fn tells_of_delivery(event: &Event) -> bool {
    matches!(event, Event::Device(text) if text.starts_with("AlertDelivered"))
}

/// Raises alerts until the device has no room for another, and notes their lengths.
fn raise(world: &mut World, raised: &mut VecDeque<usize>) {
    let (now, severity) = (world.now, Severity::Critical);
    let value = "v".repeat(MAX_VALUE);
    let text = "t".repeat(52);
    let reading = Reading::new(Label::Number(1), Value::Text(&value));
    loop {
        match world.device(DEVICE).alert(now, severity, reading, &text) {
            Ok(id) => {
                let body = Body::Alert { severity, reading, text: &text };
                let message = Message { id, subject: None, body };
                raised.push_back(message.encode(&mut [0; MAX_ALERT]).expect("it has room"));
            }
            Err(Refused::Full) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit of the profile, in bits a second: what the paper measured.
    const LIMIT: f64 = 239_200.0;

    fn streams(configuration: Configuration) -> (Vec<Goodput>, usize, usize) {
        let Packet { message, record } = longest_packet(3);
        let measure = |dice: &mut Dice| stream(dice, configuration, &message.bytes, &record);
        (repeated(3, measure), message.bytes.len(), record.len() + IPV6_UDP)
    }

    /// Of a connection event every byte is used, except in the first and last ones of
    /// each connection.
    #[test]
    fn a_stream_fills_the_connection_and_no_more() {
        for configuration in CONFIGURATIONS {
            let (results, message, packet) = streams(configuration);
            let (least, greatest) = configuration.interval.range();
            let capacity = (LIMIT * least as f64 / 8e6).floor();
            let rate = capacity * 8e6 / least as f64;
            let hops = configuration.way.hops() as f64;
            let bits = 8.0 * (MESSAGES * packet) as f64;
            let floor = bits / (bits / rate + hops * 3.0 * greatest as f64 / 1e6);
            for Goodput { messages, packets } in results {
                assert!(packets <= LIMIT, "{configuration:?}: {packets}");
                assert!(packets >= floor, "{configuration:?}: {packets} < {floor}");
                let share = messages / packets;
                assert!((share - message as f64 / packet as f64).abs() < 1e-9, "{share}");
            }
        }
    }

    /// Alerts wait for their acknowledgements: no more than three are on their way in
    /// any round trip, and the shortest takes an interval.
    #[test]
    fn alerts_pass_and_wait_for_each_other() {
        for configuration in CONFIGURATIONS {
            let mut dice = Dice::new(5, 5);
            let Goodput { messages, packets } = alerts(&mut dice, configuration);
            let (least, greatest) = configuration.interval.range();
            let in_flight = 8.0 * 3.0 * MAX_ALERT as f64 * 1e6;
            assert!(messages <= in_flight / least as f64, "{configuration:?}: {messages}");
            assert!(packets < LIMIT, "{configuration:?}: {packets}");
            // The longest that a round trip of figure 12 takes is 243 ms. The first three
            // alerts, and a few of the last, need not be delivered.
            let floor = 0.9 * in_flight / (5.0 * greatest as f64);
            assert!(messages >= floor, "{configuration:?}: {messages} < {floor}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_goodput() {
        for configuration in [CONFIGURATIONS[2], CONFIGURATIONS[5]] {
            assert_eq!(streams(configuration).0, streams(configuration).0);
            let one = || alerts(&mut Dice::new(5, 5), configuration);
            assert_eq!(one(), one());
        }
    }
}
