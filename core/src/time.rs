//! Instants and wall time, both plain integers: the core never reads a clock.
//!
//! Every input of the core carries the caller's [`Instant`]. Wall time
//! ([`UnixTime`]) is separate and optional, and serves only to check validity
//! periods; see [`WallClock`].

use core::time::Duration;

use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// A moment of the caller's monotonic clock, in milliseconds since an origin of
/// the caller's choice.
///
/// The core only compares instants and adds durations to them; arithmetic
/// saturates, so that no value that a caller passes can overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the caller's clock.
    pub const ZERO: Self = Self(0);

    /// The instant that lies `milliseconds` after the origin.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time that has passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Self;

    /// The instant `duration` later, rounded up to a whole millisecond, so that
    /// whoever sleeps until it never wakes too early.
    #[inline(never)] // For the size of a microcontroller's program.
    fn add(self, duration: Duration) -> Self {
        let whole = duration.as_secs().saturating_mul(1000);
        let part = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        Self(self.0.saturating_add(whole).saturating_add(part))
    }
}

/// `duration`, doubled so many times: what is waited before a repetition. By sums, as a
/// microcontroller that need not divide for it has a smaller program.
#[inline(never)]
pub(crate) fn doubled(duration: Duration, times: u32) -> Duration {
    // A nanosecond is as long as can be after 94 times.
    (0..times.min(94)).fold(duration, |waited, _| waited.saturating_add(waited))
}

/// When a state machine wants to be called next, and why.
///
/// Whoever sleeps until the advertised deadline and does nothing else never
/// loses or delays anything: output that is ready has the deadline "now".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The instant at which to call `handle_timeout`, and then `poll_transmit`
    /// until it gives nothing more.
    pub at: Instant,
    /// What will be done then.
    pub reason: Reason,
}

impl Deadline {
    /// The deadline `at`, for `reason`.
    #[must_use]
    pub const fn new(at: Instant, reason: Reason) -> Self {
        Self { at, reason }
    }

    /// The earlier of two deadlines that may not exist.
    #[must_use]
    #[inline(never)] // For the size of a microcontroller's program.
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
            (one, other) => one.or(other),
        }
    }
}

/// What a [`Deadline`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Output or an event is ready.
    Output,
    /// A flight or a request is to be repeated.
    Retransmission,
    /// A handshake, negotiation, request or answer of the application is given
    /// up.
    Expiry,
    /// Something that is kept for a while is forgotten.
    Cleanup,
    /// An advertisement is due.
    Advertisement,
    /// Data is to be requested.
    Schedule,
    /// A key is to be replaced.
    Rotation,
    /// A certificate or an endorsement that a session rests on ends.
    TrustEnds,
    /// A connection is to be tried again.
    Retry,
    /// A peer that has been silent is given up, or is to be asked whether it is
    /// still there.
    Liveness,
}

/// Wall time: whole seconds since 1970-01-01T00:00:00Z, leap seconds not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The time `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The time `duration` later, in whole seconds; saturates.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// The time that has passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl<C> minicbor::Encode<C> for UnixTime {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u64(self.0)?.ok()
    }
}

impl<'b> Decode<'b> for UnixTime {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        decoder.unsigned().map(Self)
    }
}

/// What a party knows of wall time: a reading of it taken at a known instant,
/// and a floor behind which it never goes back.
///
/// A party with a clock calls [`WallClock::set`] whenever it likes. A device
/// without one starts from the last time that it stored
/// ([`WallClock::with_floor`]) and learns the time from its gateway in the key
/// negotiation; time that is learnt so can only move it on, so that an expired
/// certificate can't become valid again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    reading: Option<Reading>,
    floor: UnixTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    at: Instant,
    time: UnixTime,
    source: Source,
}

/// Where a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Own,
    /// From a peer. Between two readings it runs on by the monotonic clock of a
    /// device that may drift by hours a year.
    Learnt,
}

impl WallClock {
    /// A clock that knows nothing.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { reading: None, floor: UnixTime(0) }
    }

    /// A clock that knows only that it is `floor` or later.
    #[must_use]
    pub const fn with_floor(floor: UnixTime) -> Self {
        Self { reading: None, floor }
    }

    /// Takes the caller's own, trusted reading: at `now` it is `time`.
    ///
    /// A reading behind the floor is refused (`false`) and changes nothing.
    pub fn set(&mut self, now: Instant, time: UnixTime) -> bool {
        if time < self.floor {
            return false;
        }
        self.reading = Some(Reading { at: now, time, source: Source::Own });
        self.floor = time;
        true
    }

    /// Takes the time that a trusted peer has signed, unless the caller has set the
    /// clock, or it is later already; whether it was taken.
    pub fn learn(&mut self, now: Instant, time: UnixTime) -> bool {
        let is_news = self.at(now).is_none_or(|known| time > known);
        let taken = is_news && !self.is_own() && time >= self.floor;
        if taken {
            self.reading = Some(Reading { at: now, time, source: Source::Learnt });
            self.floor = time;
        }
        taken
    }

    /// Whether the time is the caller's own, and not learnt from a peer.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.reading.is_some_and(|reading| reading.source == Source::Own)
    }

    /// The time at `now`, if it is known; never behind the floor.
    #[must_use]
    pub fn at(&self, now: Instant) -> Option<UnixTime> {
        self.reading
            .map(|reading| reading.time.saturating_add(now.since(reading.at)).max(self.floor))
    }

    /// The instant at which the clock will show `time`, if the time is known;
    /// the instant of the last reading if that moment was already past then.
    #[must_use]
    pub fn instant_of(&self, time: UnixTime) -> Option<Instant> {
        self.reading.map(|reading| reading.at + time.since(reading.time))
    }

    /// The latest time that is known to have passed; what a device without a
    /// clock stores, to give it to [`WallClock::with_floor`] at its next start.
    #[must_use]
    pub fn floor(&self) -> UnixTime {
        self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_never_earlier_than_the_exact_one() {
        let sum = Instant::from_millis(5) + Duration::from_micros(1_001);
        assert_eq!(sum, Instant::from_millis(7));
        assert_eq!(Instant::from_millis(u64::MAX) + Duration::MAX, Instant::from_millis(u64::MAX));
    }

    #[test]
    fn a_wait_doubles_until_it_is_as_long_as_can_be() {
        let wait = Duration::from_millis(700);
        for times in 0..=20 {
            assert_eq!(doubled(wait, times), wait * 2_u32.pow(times));
        }
        for times in [94, u32::MAX] {
            assert_eq!(doubled(Duration::from_nanos(1), times), Duration::MAX);
            assert_eq!(doubled(wait, times), Duration::MAX);
            assert_eq!(doubled(Duration::ZERO, times), Duration::ZERO);
        }
        assert_eq!(doubled(Duration::from_secs(1), 63), Duration::from_secs(1 << 63));
    }

    #[test]
    fn the_clock_runs_on_and_never_goes_back_behind_its_floor() {
        let mut clock = WallClock::with_floor(UnixTime::from_secs(1_000));
        assert_eq!(clock.at(Instant::ZERO), None);
        assert!(!clock.set(Instant::ZERO, UnixTime::from_secs(999)));
        assert_eq!(clock.at(Instant::ZERO), None);
        assert!(clock.set(Instant::from_millis(500), UnixTime::from_secs(2_000)));
        assert_eq!(clock.at(Instant::from_millis(3_500)), Some(UnixTime::from_secs(2_003)));
        assert!(!clock.set(Instant::from_millis(3_500), UnixTime::from_secs(1_999)));
    }

    #[test]
    fn what_is_learnt_moves_the_clock_on_only_and_yields_to_the_callers_own() {
        let (at, time) = (Instant::from_millis, UnixTime::from_secs);
        let mut clock = WallClock::with_floor(time(1_000));
        assert!(!clock.learn(at(0), time(999)));
        assert!(clock.learn(at(0), time(2_000)) && !clock.is_own());
        assert!(!clock.learn(at(10_000), time(2_009)));
        assert_eq!(clock.at(at(10_000)), Some(time(2_010)));
        assert!(clock.learn(at(10_000), time(2_060)));
        assert!(clock.set(at(10_000), time(2_060)) && clock.is_own());
        assert!(!clock.learn(at(10_000), time(9_000)));
        assert_eq!(clock.at(at(10_000)), Some(time(2_060)));
    }
}
