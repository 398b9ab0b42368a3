//! How the network key is replaced (SPEC.md section 13.7): the cloud hands out a new
//! one, and some days later the old one is good for nothing any more.

use std::time::Duration;

use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::time::Instant;

use super::town::{CLOUD, GATEWAYS, Town};
use crate::cast::{network, network_key};
use crate::scenario::Outcome;

/// How long everyone has to get the new key: by then, everyone who should have a
/// session was connected.
const HANDING_OUT: Duration = Duration::from_secs(3 * 24 * 3600);

/// The network keys that are handed out and accepted.
pub(super) struct Keys {
    newest: u8,
    /// The one before it, and when it is retired.
    old: Option<(u8, Instant)>,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self { newest: 1, old: None }
    }

    /// What a party gets by whoever installs it.
    pub(super) fn to_install(&self) -> NetworkKeys {
        network(&[self.newest])
    }

    /// Whether a party with these keys needs nobody's help to go on.
    pub(super) fn are_newest(&self, keys: &NetworkKeys) -> bool {
        keys.preferred().map(NetworkKey::id) == Some(network_key(self.newest).id())
    }
}

impl Town<'_> {
    /// Replaces the network key about once a month.
    pub(super) fn replace_network_key(&mut self, outcome: &mut Outcome) {
        let now = self.world.now;
        match self.keys.old {
            Some((old, at)) if now >= at => {
                self.keys.old = None;
                self.retire(old);
                outcome.count("network keys that were replaced", 1);
            }
            Some(_) => {}
            None if self.dice.happens(1, 24 * 30) => {
                let old = self.keys.newest;
                self.keys.newest = old.checked_add(1).unwrap_or(1);
                self.keys.old = Some((old, now + HANDING_OUT));
                let key = network_key(self.keys.newest);
                if self.dice.happens(1, 2) {
                    // Its devices aren't connected when it gets the key.
                    self.restart_a_gateway(outcome);
                }
                self.world.cloud(CLOUD).add_network_key(now, key);
            }
            None => {}
        }
    }

    /// Everyone who has the new key gives up the old one. Who didn't get it is left
    /// outside.
    fn retire(&mut self, old: u8) {
        let id = network_key(old).id();
        self.world.cloud(CLOUD).retire_network_key(id);
        for host in GATEWAYS {
            self.world.gateway(host).retire_network_key(id);
        }
        let hosts: Vec<u16> = self.devices.keys().copied().collect();
        for host in hosts {
            if self.keys.are_newest(self.world.device(host).party().network()) {
                self.world.device(host).retire_network_key(id);
            }
        }
    }
}
