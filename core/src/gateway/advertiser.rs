//! When the gateway advertises itself, and how.

use core::time::Duration;

use crate::connection::{Advertisement, Versions};
use crate::crypto::Provider;
use crate::endpoint::{Destination, LocalPort, Transmit};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

use super::Settings;

/// The least time between two, whatever is configured.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

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
            interval: settings.advertise.map(|interval| interval.max(LEAST_INTERVAL)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{NetworkKey, NetworkKeys};
    use crate::crypto::SymmetricKey;
    use crate::identity::{Endorsements, Name, PrivateIdentity};
    use crate::testing::{TestProvider, provider};
    use crate::time::{UnixTime, WallClock};

    fn party() -> Party<TestProvider, ()> {
        let mut random = provider(1);
        let (from, to) = (UnixTime::from_secs(0), UnixTime::from_secs(1));
        let name = Name::new("gateway").unwrap();
        let identity = PrivateIdentity::create(&mut random, name, from, to).unwrap();
        let mut network = NetworkKeys::new();
        for number in [1, 2] {
            let secret = SymmetricKey::new([number; 32]);
            network.add(NetworkKey::from_secret(&provider(0), secret)).unwrap();
        }
        let clock = WallClock::unknown();
        Party::new(random, identity, Endorsements::default(), (), network, clock).unwrap()
    }

    /// What is sent at `now`, and for which of the party's keys.
    fn sent(
        advertiser: &mut Advertiser,
        party: &Party<TestProvider, ()>,
        now: Instant,
    ) -> alloc::vec::Vec<(u32, bool)> {
        let mut sent = alloc::vec::Vec::new();
        let mut buffer = [0; Advertisement::MAX_LEN];
        while let Some(transmit) =
            advertiser.poll_transmit::<_, _, ()>(party, now, &mut buffer).unwrap()
        {
            let bytes = &buffer[..transmit.length];
            let (it, key) = Advertisement::open(&party.provider, &party.network, bytes).unwrap();
            sent.push((it.sequence, Some(key) == party.network.preferred().map(NetworkKey::id)));
        }
        sent
    }

    #[test]
    fn it_advertises_under_every_key_once_it_knows_the_time_and_until_it_is_stopped() {
        let mut party = party();
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        let mut advertiser = Advertiser::new(&Settings::<()>::new(1, 2), at(0));
        advertiser.handle_timeout(&party, at(0));
        assert_eq!(sent(&mut advertiser, &party, at(0)), []);
        assert_eq!(advertiser.poll_timeout().map(|deadline| deadline.at), Some(at(5)));
        assert!(party.clock.set(at(1), UnixTime::from_secs(0)));
        advertiser.handle_timeout(&party, at(5));
        assert_eq!(sent(&mut advertiser, &party, at(5)), [(1, true), (1, false)]);
        assert_eq!(sent(&mut advertiser, &party, at(5)), []);
        advertiser.handle_timeout(&party, at(9));
        assert_eq!(sent(&mut advertiser, &party, at(9)), []);
        advertiser.handle_timeout(&party, at(10));
        advertiser.stop();
        assert_eq!(sent(&mut advertiser, &party, at(10)), []);
        assert_eq!(advertiser.poll_timeout(), None);
    }
}
