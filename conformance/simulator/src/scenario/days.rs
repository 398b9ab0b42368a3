//! A network lives for days: the keys of sessions and of the network are replaced,
//! devices are revoked, a partner comes and goes, endorsements end and are renewed,
//! parties restart, clocks are wrong, and sometimes the network is bad.
//!
//! Every device is looked at once an hour, and at the instants at which something
//! ends. It must have no session that it should not have; and it must have one if it
//! should, and nothing was in the way for the time that getting one may take. So must
//! every gateway with its cloud. No session may have a key that is too old.

mod keys;
mod life;
mod town;

use std::time::Duration;

use iot_crypto::cloud::CloudEvent;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::time::Instant;

use super::{Outcome, tells};
use crate::cast::Cast;
use crate::command::Progress;
use crate::node::Event;
use crate::world::World;
use town::Town;

/// How long and how large.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many days.
    pub days: u64,
    /// How many devices.
    pub devices: u16,
}

const HOUR: Duration = Duration::from_secs(3600);

/// How long after everything is well again a device may be without a session: what
/// it notices late (its next waking, 50 min, and the 20 s in which it gets no
/// answer), the longest delay between attempts (375 s), the next advertisement
/// (10 min, three times, since it may hear one whose gateway it can't reach), and
/// three steps of 30 s.
pub(crate) const ALLOWANCE: Duration = Duration::from_secs((50 + 1 + 7 + 30 + 2) * 60);

/// Lets a network live.
#[must_use]
pub fn play(seed: u64, cast: &Cast, settings: Settings, progress: &Progress) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut town = Town::new(seed, cast, settings.devices);
    for day in 0..settings.days {
        for _ in 0..24 {
            town.happen(&mut outcome);
            let hour = town.world.now + HOUR;
            town.live_until(hour, &mut outcome);
            town.look_at_everyone(&mut outcome);
            explain(&mut town, &mut outcome);
            town.look_at_keys(&mut outcome);
        }
        progress.note("days: day", day + 1, settings.days);
    }
    outcome.count("days", settings.days);
    outcome.count("devices", u64::from(settings.devices));
    outcome.end(&town.world)
}

/// Goes through what happened: no session may have ended that had no reason to.
fn explain(town: &mut Town<'_>, outcome: &mut Outcome) {
    let events = std::mem::take(&mut town.world.events);
    for (at, host, event) in &events {
        match event {
            Event::Gateway(GatewayEvent::DeviceConnected { device, replaced, .. }) => {
                town.connected.insert((*host, *device), *at);
                outcome.count(if *replaced { "sessions replaced" } else { "sessions begun" }, 1);
            }
            Event::Gateway(GatewayEvent::DeviceDisconnected { device, reason, .. }) => {
                outcome.count(&format!("sessions ended: {reason}"), 1);
                let excused = town.is_excused(*device, *at) || town.has_moved(*device, *host);
                outcome.demand(excused, || {
                    format!("gateway {host} lost device {device} at {}: {reason}", hours(*at))
                });
            }
            Event::Cloud(CloudEvent::GatewayConnected { gateway, .. }) => {
                town.connected.insert((*host, *gateway), *at);
            }
            Event::Gateway(GatewayEvent::CloudDisconnected { .. })
            | Event::Cloud(CloudEvent::GatewayDisconnected { .. }) => {
                outcome.demand(*at < town.troubled_until, || {
                    format!("{event:?} at host {host}, {}", hours(*at))
                });
            }
            Event::Gateway(GatewayEvent::Readings { .. }) => outcome.count("readings", 1),
            Event::Gateway(GatewayEvent::DeviceRefused { refusal, .. }) => {
                outcome.count(&format!("requests refused: {refusal}"), 1);
            }
            event if tells(event, "Disconnected") => outcome.count("disconnections noticed", 1),
            event if tells(event, "Revoked") => outcome.count("revocations heard by devices", 1),
            _ => {}
        }
    }
}

fn hours(at: Instant) -> String {
    let seconds = at.as_millis() / 1000;
    format!(
        "day {} {:02}:{:02}:{:02}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Runs a world without keeping what it sends.
fn forgetful(seed: u64) -> World {
    let mut world = World::new(seed);
    world.keeps_sent = false;
    world
}
