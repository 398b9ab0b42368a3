//! What happens in the network.

use std::time::Duration;

use iot_crypto::connection::NetworkKeys;
use iot_crypto::identity::Authority;
use iot_crypto::time::{Instant, UnixTime, WallClock};

use super::town::{GATEWAYS, NAP, Town};
use super::{ALLOWANCE, HOUR, hours};
use crate::cast::EPOCH;
use crate::link::Link;
use crate::random::provider;
use crate::scenario::Outcome;

const DAY: u64 = 86_400;

/// Ten in a hundred lost, and delays.
const BAD: Link = Link { loss: 26, duplication: 13, delay: (1, 300), corruption: 5 };

impl Town<'_> {
    /// Lets time pass, wakes the devices that sleep, and looks at everyone when an
    /// endorsement ends.
    pub(super) fn live_until(&mut self, until: Instant, outcome: &mut Outcome) {
        loop {
            let waking = self.devices.values().filter_map(|resident| resident.wakes).min();
            let ending = self
                .devices
                .values()
                .map(|resident| Instant::from_millis((resident.endorsed_until - EPOCH) * 1000))
                .filter(|end| *end > self.world.now)
                .min();
            let next = [waking, ending, Some(until)].into_iter().flatten().min();
            let next = next.unwrap_or(until).max(self.world.now);
            self.world.run_until(next, |_| false);
            if ending == Some(next) {
                self.note_endings(outcome);
                self.look_at_everyone(outcome);
            }
            self.wake();
            if next >= until {
                return;
            }
        }
    }

    fn note_endings(&mut self, outcome: &mut Outcome) {
        let (now, time) = (self.world.now, self.time());
        for resident in self.devices.values_mut() {
            if resident.endorsed_until == time {
                outcome.count("endorsements that ended", 1);
                resident.troubled_until = now + ALLOWANCE;
            }
        }
    }

    fn wake(&mut self) {
        let now = self.world.now;
        let due: Vec<u16> = self
            .devices
            .iter()
            .filter(|(_, resident)| resident.wakes.is_some_and(|at| at <= now))
            .map(|(host, _)| *host)
            .collect();
        for host in due {
            let _ = self.world.device(host).wake(now);
            if let Some(resident) = self.devices.get_mut(&host) {
                resident.wakes = Some(now + Duration::from_secs(NAP));
            }
        }
    }

    /// What happens in an hour.
    pub(super) fn happen(&mut self, outcome: &mut Outcome) {
        let now = self.world.now;
        self.world.link = Link::GOOD;
        self.forget_revocations(outcome);
        self.replace_network_key(outcome);
        if self.dice.happens(1, 48) {
            outcome.count("hours of a bad network", 1);
            self.world.link = BAD;
            self.trouble_everyone(now + HOUR);
        }
        if self.dice.happens(1, 200) {
            self.restart_a_gateway(outcome);
        }
        if self.dice.happens(1, 240) {
            self.change_partner(outcome);
        }
        let hosts: Vec<u16> = self.devices.keys().copied().collect();
        for host in hosts {
            // Each a few times in a hundred days.
            match self.dice.below(24 * 100) {
                0..=2 => self.restart(host, outcome),
                3 => self.revoke(host, outcome),
                4..=6 => self.renew(host, outcome),
                7 => self.go_astray(host, outcome),
                _ => {}
            }
        }
        self.mend();
    }

    fn trouble_everyone(&mut self, until: Instant) {
        self.troubled_until = self.troubled_until.max(until + ALLOWANCE);
    }

    fn trouble(&mut self, host: u16) {
        let until = self.world.now + ALLOWANCE;
        if let Some(resident) = self.devices.get_mut(&host) {
            resident.troubled_until = resident.troubled_until.max(until);
        }
    }

    /// The device loses its power; what it has stored is its trust, its network keys,
    /// and the time that it knew last.
    fn restart(&mut self, host: u16, outcome: &mut Outcome) {
        let keys = self.world.device(host).party().network().clone();
        self.restart_with(host, keys, outcome);
    }

    fn restart_with(&mut self, host: u16, keys: NetworkKeys, outcome: &mut Outcome) {
        outcome.count("restarts of devices", 1);
        let party = self.world.device(host).party();
        let (trust, floor) = (party.trust().clone(), party.clock().floor());
        self.trouble(host);
        // What it learnt from a gateway whose clock is ahead, another one is behind.
        let ahead = Duration::from_secs(self.most_ahead());
        if let Some(resident) = self.devices.get_mut(&host)
            && resident.fixed.is_none()
        {
            resident.troubled_until = resident.troubled_until + ahead;
        }
        self.start_device(host, trust, keys, WallClock::with_floor(floor));
    }

    /// Somebody has stolen the device: the company, or the partner whose device it is,
    /// revokes it. Another one takes its place after some weeks.
    fn revoke(&mut self, host: u16, outcome: &mut Outcome) {
        let resident = &self.devices[&host];
        if resident.revoked {
            return;
        }
        outcome.count("revocations", 1);
        let issuer = if resident.foreign { &self.cast.partner } else { &self.cast.company };
        let is_heard = !resident.foreign || self.partner_listed;
        let time = UnixTime::from_secs(self.time());
        let revocation = issuer.revoke(&provider(0), resident.identity.id(), time).unwrap();
        let now = self.world.now;
        let gateways: Vec<u16> = self.gateways.keys().copied().collect();
        for gateway in gateways {
            let heard = self.world.gateway(gateway).revoke(now, &revocation);
            // One whose partner is off the list doesn't know the issuer.
            outcome.demand(heard.is_ok() == is_heard, || {
                format!("gateway {gateway} heard of a revocation at {}: {heard:?}", hours(now))
            });
        }
        self.trouble(host);
        if let Some(resident) = self.devices.get_mut(&host)
            && is_heard
        {
            resident.revoked = true;
            self.revoked.push((revocation, resident.endorsed_until));
        }
    }

    /// Revocations of what no endorsement is left of make room for others.
    fn forget_revocations(&mut self, outcome: &mut Outcome) {
        let (now, time) = (self.world.now, self.time());
        let over: Vec<_> = self.revoked.extract_if(.., |(_, until)| *until <= time).collect();
        if over.is_empty() {
            return;
        }
        for host in GATEWAYS {
            self.world.gateway(host).change_trust(now, |trust, _| {
                for (revocation, _) in &over {
                    // It may have given way already, while the partner was off the list.
                    trust.drop_revocation(&revocation.issuer(), &revocation.subject());
                }
            });
        }
        outcome.count("revocations that were dropped", over.len() as u64);
    }

    /// The device gets a later endorsement, which it takes when it restarts, and the
    /// network key that it may have missed while it was not trusted.
    fn renew(&mut self, host: u16, outcome: &mut Outcome) {
        let resident = &self.devices[&host];
        let id = resident.identity.id();
        // Nobody endorses one again whose revocation was dropped for want of use.
        let is_kept = self.revoked.iter().any(|(revocation, _)| revocation.subject() == id);
        if resident.revoked && !is_kept {
            return;
        }
        outcome.count("endorsements renewed", 1);
        let until = self.time() + DAY * self.dice.between((20, 120));
        if let Some(resident) = self.devices.get_mut(&host) {
            resident.endorsed_until = resident.endorsed_until.max(until);
            for (revocation, until) in &mut self.revoked {
                if revocation.subject() == id {
                    *until = resident.endorsed_until;
                }
            }
        }
        self.restart_with(host, self.keys.to_install(), outcome);
    }

    /// The device gets a clock of its own, which is centuries ahead: to it, all
    /// endorsements have ended. Its session may go on until the next negotiation.
    fn go_astray(&mut self, host: u16, outcome: &mut Outcome) {
        outcome.count("clocks that went wrong", 1);
        let far = UnixTime::from_secs(EPOCH + 300 * crate::cast::YEAR);
        let party = self.world.device(host).party();
        let (trust, keys) = (party.trust().clone(), party.network().clone());
        let mut clock = WallClock::unknown();
        clock.set(self.world.now, far);
        self.trouble(host);
        self.start_device(host, trust, keys, clock);
        if let Some(resident) = self.devices.get_mut(&host) {
            resident.astray = true;
        }
    }

    pub(super) fn restart_a_gateway(&mut self, outcome: &mut Outcome) {
        outcome.count("restarts of gateways", 1);
        let hosts: Vec<u16> = self.gateways.keys().copied().collect();
        let host = self.dice.any(&hosts);
        let party = self.world.gateway(host).party();
        let (trust, keys) = (party.trust().clone(), party.network().clone());
        // A device that learnt the time of this one, and starts anew, trusts nobody
        // until that time has come.
        let learnt = self.world.now + Duration::from_secs(self.ahead[&host]);
        // A clock that is a minute or a few hours ahead, one time in four each.
        let ahead = self.dice.any(&[0, 0, 60, 3 * 3600]);
        self.start_gateway(host, trust, keys, ahead);
        self.trouble_everyone(learnt);
    }

    /// The partner is taken off the lists, or put back.
    fn change_partner(&mut self, outcome: &mut Outcome) {
        self.partner_listed = !self.partner_listed;
        let listed = self.partner_listed;
        outcome.count(if listed { "partners that came" } else { "partners that left" }, 1);
        let (now, id) = (self.world.now, self.cast.partner.id());
        let partner = self.cast.partner.certificate();
        let hosts: Vec<u16> = self.gateways.keys().copied().collect();
        for host in hosts {
            self.world.gateway(host).change_trust(now, |trust, provider| {
                if listed {
                    trust.add_party(provider, partner, Authority::Endorse).unwrap();
                } else {
                    trust.remove_party(&id);
                }
            });
        }
        let foreign: Vec<u16> =
            self.devices.iter().filter(|(_, known)| known.foreign).map(|(host, _)| *host).collect();
        for host in foreign {
            self.trouble(host);
            // What it missed meanwhile, the partner brings.
            let keys = self.world.device(host).party().network();
            if listed && !self.keys.are_newest(keys) {
                self.restart_with(host, self.keys.to_install(), outcome);
            }
        }
        // At once, not only within the hour.
        self.look_at_everyone(outcome);
    }

    /// New devices take the place of those that are revoked, and clocks are set right,
    /// after some weeks.
    fn mend(&mut self) {
        let hosts: Vec<u16> = self.devices.keys().copied().collect();
        for host in hosts {
            let resident = &self.devices[&host];
            let (revoked, astray) = (resident.revoked, resident.astray);
            if revoked && self.dice.happens(1, 24 * 20) {
                self.settle(host);
            } else if astray && self.dice.happens(1, 24 * 5) {
                let trust = self.world.device(host).party().trust().clone();
                let floor = UnixTime::from_secs(self.time());
                self.trouble(host);
                let keys = self.keys.to_install();
                self.start_device(host, trust, keys, WallClock::with_floor(floor));
                if let Some(resident) = self.devices.get_mut(&host) {
                    resident.astray = false;
                }
            }
        }
    }
}
