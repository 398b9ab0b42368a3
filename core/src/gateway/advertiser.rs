//! When the gateway advertises itself, and how.

use core::time::Duration;

use crate::connection::{Advertisement, Versions};
use crate::crypto::Provider;
use crate::endpoint::{Destination, LocalPort, Transmit};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

use super::Settings;

/// The advertisements of a gateway: at each time one under every network key,
/// so that devices that still hold an old one hear it, too.
pub(super) struct Advertiser {
    negotiation_port: u16,
    transmission_port: u16,
    interval: Option<Duration>,
    next: Instant,
    sequence: u32,
    /// How many network keys this time's advertisement was sealed with already.
    sealed: Option<usize>,
}

impl Advertiser {
    pub(super) fn new<A>(settings: &Settings<A>, now: Instant) -> Self {
        Self {
            negotiation_port: settings.negotiation_port,
            transmission_port: settings.downlink.transmission_port,
            interval: settings.advertise,
            next: now,
            sequence: 0,
            sealed: None,
        }
    }

    /// Advertises no more.
    pub(super) fn stop(&mut self) {
        self.interval = None;
        self.sealed = None;
    }

    /// Begins an advertisement if one is due. A gateway that doesn't know the
    /// time can't verify anyone, and so has nothing to advertise.
    pub(super) fn handle_timeout<P: Provider, T>(&mut self, party: &Party<P, T>, now: Instant) {
        if let Some(interval) = self.interval
            && now >= self.next
        {
            self.next = now + interval;
            if party.clock.at(now).is_some() {
                self.sequence = self.sequence.wrapping_add(1);
                self.sealed = Some(0);
            }
        }
    }

    pub(super) fn poll_transmit<P: Provider, T, A>(
        &mut self,
        party: &Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let Some(index) = self.sealed else { return Ok(None) };
        let Some(key) = party.network.iter().nth(index) else {
            self.sealed = None;
            return Ok(None);
        };
        let advertisement = Advertisement {
            gateway: party.identity.id(),
            negotiation_port: self.negotiation_port,
            transmission_port: self.transmission_port,
            versions: Versions::V1,
            time: party.clock.at(now),
            sequence: self.sequence,
            incarnation: party.incarnation,
        };
        let length = advertisement.seal(&party.provider, key, buffer)?;
        self.sealed = Some(index.saturating_add(1));
        Ok(Some(Transmit { from: LocalPort::Negotiation, to: Destination::Everyone, length }))
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        if self.sealed.is_some() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.interval.map(|_| Deadline::new(self.next, Reason::Advertisement))
    }
}
