//! What is played, and what must hold.
//!
//! | scenario | what happens | what must hold |
//! |---|---|---|
//! | [`first_contact`] | a device meets its gateway, a part of the datagrams is lost | it is connected, or has failed at the deadline of the step that it was in |
//! | [`days`] | a network lives: rotation, revocation, partners, restarts, wrong clocks | no session is lost that should live, none is alive that should not, no key grows too old |
//! | [`attack`] | others replay, forge, flood, and stall half-way | nobody honest notices, nothing is taken twice, and a flood comes to little |
//! | [`partner`] | a partner's endorsement ends in mid-session | the session ends at that instant, and stays ended |
//! | [`rebinding`] | a router forgets its bindings | the sessions come back in time, and carry commands |
//! | [`clock`] | clocks are wrong, or missing | who is connected is who should be, by the clocks as they are |
//! | [`media`] | the network is of each profile | everything arrives, and is done once |

pub mod attack;
pub mod clock;
pub mod days;
pub mod first_contact;
pub mod media;
pub mod partner;
pub mod rebinding;

use std::collections::BTreeMap;

use iot_crypto::identity::PartyId;
use serde::Serialize;

use crate::node::Event;
use crate::world::World;

/// What came of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// [`World::digest`].
    pub digest: String,
    /// How often something happened.
    pub counts: BTreeMap<String, u64>,
    /// What should have held and did not; at most [`Outcome::MOST`] of it.
    pub violations: Vec<String>,
}

impl Outcome {
    /// How many violations are told.
    pub const MOST: usize = 20;

    fn new(seed: u64) -> Self {
        let (counts, violations) = (BTreeMap::new(), Vec::new());
        Self { seed, digest: String::new(), counts, violations }
    }

    /// What there is to say of a seed that ended in a panic, which was printed.
    pub(crate) fn of_panic(seed: u64) -> Self {
        let mut outcome = Self::new(seed);
        outcome.violations.push("it ended in a panic".to_owned());
        outcome
    }

    fn count(&mut self, what: &str, times: u64) {
        *self.counts.entry(what.to_owned()).or_default() += times;
    }

    /// Keeps the greatest of a number.
    fn greatest(&mut self, what: &str, number: u64) {
        let entry = self.counts.entry(format!("greatest {what}")).or_default();
        *entry = number.max(*entry);
    }

    /// Notes what should have held, unless it did.
    fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds && self.violations.len() < Self::MOST {
            self.violations.push(otherwise());
        }
    }

    fn end(mut self, world: &World) -> Self {
        self.digest = world.digest();
        self
    }
}

/// Whether the gateway at `host` has a session with the device `id`.
fn serves(world: &mut World, host: u16, id: PartyId) -> bool {
    world.gateway(host).devices().any(|(known, _)| known == id)
}

/// Whether an event of a device, as `Debug` shows it, begins so.
fn tells(event: &Event, beginning: &str) -> bool {
    matches!(event, Event::Device(text) if text.starts_with(beginning))
}
