//! A device meets its gateway for the first time, and a part of the datagrams is
//! lost.
//!
//! The deadlines are those of SPEC.md: a handshake is given up 30 s after its
//! beginning (section 11.5), a request 30 s after it was first sent (13.1). Then
//! the device waits for 2 s, 4 s and so on, and up to a quarter more.

use std::time::Duration;

use iot_crypto::time::Instant;
use iot_crypto::uplink::{self, Search};

use super::{Outcome, serves, tells};
use crate::cast::{Cast, DEVICE, GATEWAY, no_cloud};
use crate::datagram;
use crate::path::Path;
use crate::place::{NEGOTIATION, Place};
use crate::profile::Profile;
use crate::random::Dice;
use crate::world::{Sent, World};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long a request may be without an answer.
const REQUEST: Duration = Duration::from_secs(30);
/// The first delay between two attempts.
const RETRY: Duration = Duration::from_secs(2);
/// The longest delay between two attempts.
const RETRY_LIMIT: Duration = Duration::from_secs(300);
/// How long an attempt with its delay may take at most, in seconds.
const PATIENCE: u64 = 3600;
/// In a day there are some hundreds of attempts, so that one must get through.
const GIVEN_UP: Instant = Instant::from_millis(24 * 3600 * 1000);

/// What is to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The network.
    pub profile: Profile,
    /// Of 10,000 datagrams, how many are lost.
    pub loss: u64,
}

/// Lets one device meet its gateway.
#[must_use]
pub fn play(seed: u64, cast: &Cast, settings: Settings) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut world = World::new(seed);
    let mut dice = Dice::new(0x11, seed);
    let mut path = Path::new(&[settings.profile], &mut dice);
    path.loss = settings.loss;
    world.max_datagram = path.max_datagram().min(1200);
    world.connect(DEVICE, GATEWAY, path);
    let mut gateway = no_cloud(cast);
    gateway.advertise = None;
    gateway.polling = None;
    cast.add_gateway(&mut world, gateway);
    let place = Place { host: GATEWAY, port: NEGOTIATION };
    cast.add_device(&mut world, uplink::Settings::new(Search::At(place)));

    let mut retry = RETRY;
    let mut begin = Instant::ZERO;
    for attempt in 1.. {
        let (seen, sent) = (world.events.len(), world.sent.len());
        let ended = world
            .wait(PATIENCE, DEVICE, |event| tells(event, "Connected") || tells(event, "Failed"));
        outcome.demand(ended, || format!("attempt {attempt} does not end"));
        if !ended {
            break;
        }
        let mine = |(at, from, ..): &&Sent| from.host == DEVICE && *at >= begin;
        let began = world.sent[sent..].iter().find(mine).map_or(world.now, |(at, ..)| *at);
        if attempt > 1 {
            let waited = began.since(begin);
            outcome.demand(waited >= retry && waited <= retry + retry / 4, || {
                format!("attempt {attempt} begins {waited:?} after the last, not after {retry:?}")
            });
            retry = RETRY_LIMIT.min(retry * 2);
        }
        let events: Vec<_> =
            world.events[seen..].iter().filter(|(_, host, _)| *host == DEVICE).collect();
        let negotiated = events.iter().find(|(_, _, event)| tells(event, "Negotiated"));
        let is_request = |(at, from, to, bytes): &&Sent| {
            from.host == DEVICE
                && to.port == NEGOTIATION
                && *at >= began
                && datagram::is_application_data(bytes)
        };
        let steps = Steps {
            began,
            requested: world.sent[sent..].iter().find(is_request).map(|(at, ..)| *at),
            negotiated: negotiated.map(|(at, ..)| *at),
        };
        let (ended, last) = events
            .last()
            .map_or((world.now, String::new()), |(at, _, event)| (*at, format!("{event:?}")));
        if last.contains("Connected") {
            outcome.count(&format!("connected in attempt {attempt}"), 1);
            outcome.greatest("milliseconds to a session", ended.as_millis());
            let served = serves(&mut world, GATEWAY, cast.device.id());
            outcome.demand(served, || "the gateway knows nothing of the session".to_owned());
            break;
        }
        judge(&mut outcome, &last, steps, ended);
        outcome.demand(ended < GIVEN_UP, || format!("no session after {attempt} attempts"));
        if ended >= GIVEN_UP {
            break;
        }
        begin = ended;
    }
    outcome.count("contacts", 1);
    outcome.count("datagrams", world.sent.len() as u64);
    outcome.end(&world)
}

/// When each step of an attempt began, as far as it came.
struct Steps {
    began: Instant,
    requested: Option<Instant>,
    negotiated: Option<Instant>,
}

/// Whether an attempt failed at the deadline of the step that it was in.
fn judge(outcome: &mut Outcome, failure: &str, steps: Steps, ended: Instant) {
    let (step, deadline) = if failure.contains("Failed(Negotiation(HandshakeTimeout") {
        ("handshakes with the negotiation service", steps.began + HANDSHAKE)
    } else if failure.contains("Failed(NoAnswer)")
        && let Some(requested) = steps.requested
    {
        ("requests", requested + REQUEST)
    } else if failure.contains("Failed(Transmission(HandshakeTimeout")
        && let Some(negotiated) = steps.negotiated
    {
        ("handshakes with the transmission service", negotiated + HANDSHAKE)
    } else {
        return outcome.demand(false, || format!("{failure} is no failure of a deadline"));
    };
    outcome.count(&format!("{step} that failed at their deadline"), 1);
    outcome.demand(ended == deadline, || format!("{failure} at {ended:?}, not at {deadline:?}"));
}
