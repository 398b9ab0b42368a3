//! Which advertisements are new.

use core::time::Duration;

use heapless::Vec;

use super::Advertisement;
use crate::identity::PartyId;
use crate::time::{Instant, UnixTime};

/// How long a gateway of which nothing new is heard is remembered.
const MEMORY: Duration = Duration::from_secs(600);

/// Protects against the repetition of old advertisements: of each gateway, it
/// takes only those that are newer than the last one that it took.
///
/// It remembers a gateway until nothing new was heard of it for ten minutes, so
/// that one whose clock was ahead, or in whose name somebody lied about the time,
/// is not kept out for ever. It remembers `N` gateways. When there are more, it
/// forgets the one that it has not heard for the longest time; an old advertisement of that one would be
/// taken again, which costs a device one negotiation in vain, no more.
#[derive(Clone, Debug)]
pub struct AdvertisementFilter<const N: usize> {
    window: Duration,
    latest: Vec<Latest, N>,
}

/// The last advertisement that was taken of a gateway.
#[derive(Clone, Debug)]
struct Latest {
    gateway: PartyId,
    time: Option<UnixTime>,
    sequence: u32,
    heard: Instant,
}

/// Why an advertisement was not taken. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFresh {
    /// It is not newer than the last one.
    Replayed,
    /// By the wall clock, it was sent too long ago.
    TooOld,
    /// By the wall clock, it is still to be sent. Taken, it would keep out the
    /// gateway's own ones until then.
    TooEarly,
}

impl core::fmt::Display for NotFresh {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Replayed => "the advertisement is not newer than the last one",
            Self::TooOld => "the advertisement is too old",
            Self::TooEarly => "the advertisement's time is still to come",
        })
    }
}

impl core::error::Error for NotFresh {}

impl<const N: usize> AdvertisementFilter<N> {
    /// A filter that has heard nothing, and for which a wall clock may differ
    /// from a gateway's by `window`.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self { window, latest: Vec::new() }
    }

    /// Takes an authentic advertisement that came in at `now`, when the wall
    /// clock, if it is known, said `clock`.
    ///
    /// # Errors
    /// [`NotFresh`].
    pub fn accept(
        &mut self,
        advertisement: &Advertisement,
        now: Instant,
        clock: Option<UnixTime>,
    ) -> Result<(), NotFresh> {
        if let (Some(clock), Some(time)) = (clock, advertisement.time) {
            if clock.since(time) > self.window {
                return Err(NotFresh::TooOld);
            }
            if time.since(clock) > self.window {
                return Err(NotFresh::TooEarly);
            }
        }
        let latest = Latest {
            gateway: advertisement.gateway,
            time: advertisement.time,
            sequence: advertisement.sequence,
            heard: now,
        };
        match self.latest.iter_mut().find(|known| known.gateway == latest.gateway) {
            Some(known) if latest.order() <= known.order() && now.since(known.heard) < MEMORY => {
                return Err(NotFresh::Replayed);
            }
            Some(known) => *known = latest,
            None => self.remember(latest),
        }
        Ok(())
    }

    fn remember(&mut self, latest: Latest) {
        if let Err(latest) = self.latest.push(latest)
            && let Some(longest_unheard) = self.latest.iter_mut().min_by_key(|known| known.heard)
        {
            *longest_unheard = latest;
        }
    }
}

impl Latest {
    fn order(&self) -> (Option<UnixTime>, u32) {
        (self.time, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Versions;

    const WINDOW: Duration = Duration::from_secs(60);
    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn sent(gateway: u8, time: Option<u64>, sequence: u32) -> Advertisement {
        Advertisement {
            gateway: PartyId([gateway; 16]),
            negotiation_port: 1,
            transmission_port: 2,
            versions: Versions::V1,
            time: time.map(UnixTime::from_secs),
            sequence,
            incarnation: 0,
        }
    }

    #[test]
    fn only_newer_ones_are_taken() {
        let mut filter = AdvertisementFilter::<2>::new(WINDOW);
        let mut accept =
            |time, sequence| filter.accept(&sent(1, time, sequence), Instant::ZERO, None).is_ok();
        assert!(accept(None, 5));
        assert!(!accept(None, 5));
        assert!(!accept(None, 4));
        assert!(accept(None, 6));
        assert!(accept(Some(100), 0));
        assert!(!accept(Some(99), 9));
        assert!(!accept(None, 9));
        assert!(accept(Some(100), 1));
        assert!(accept(Some(101), 0));
    }

    #[test]
    fn one_that_is_ahead_of_its_time_is_forgotten_after_a_while() {
        let mut filter = AdvertisementFilter::<2>::new(WINDOW);
        let mut accept = |time, seconds: u64| {
            let now = Instant::from_millis(seconds * 1000);
            filter.accept(&sent(1, Some(time), 1), now, None).is_ok()
        };
        assert!(accept(u64::MAX, 0));
        assert!(!accept(100, 599));
        assert!(accept(100, 600));
        assert!(!accept(99, 601));
    }

    #[test]
    fn what_is_far_from_a_known_clock_is_not_taken_and_changes_nothing() {
        let mut filter = AdvertisementFilter::<2>::new(WINDOW);
        let mut accept = |time, sequence| {
            filter.accept(&sent(1, Some(time), sequence), Instant::ZERO, Some(NOW))
        };
        let now = NOW.as_secs();
        assert_eq!(accept(now - 61, 9), Err(NotFresh::TooOld));
        assert_eq!(accept(now + 61, 9), Err(NotFresh::TooEarly));
        assert_eq!(accept(now - 60, 1), Ok(()));
        assert_eq!(accept(now + 60, 1), Ok(()));
        assert_eq!(accept(now, 2), Err(NotFresh::Replayed));
    }

    #[test]
    fn the_gateway_that_was_not_heard_for_longest_is_forgotten_first() {
        let mut filter = AdvertisementFilter::<2>::new(WINDOW);
        let mut accept = |gateway, sequence, at| {
            filter.accept(&sent(gateway, None, sequence), Instant::from_millis(at), None).is_ok()
        };
        assert!(accept(1, 5, 0) && accept(2, 5, 1) && accept(1, 6, 2) && accept(3, 5, 3));
        assert!(!accept(1, 6, 4));
        assert!(!accept(3, 5, 4));
        assert!(accept(2, 5, 4));
    }
}
