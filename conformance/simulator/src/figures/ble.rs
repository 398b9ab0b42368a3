//! The connections that figures 11 and 12 are measured on: the simulator's model of
//! BLE with IPSP, direct and through an intermediary.

use crate::path::Path;
use crate::profile::{Access, BLE, Profile};
use crate::random::Dice;

/// A way between a device and its gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One connection.
    Direct,
    /// Two: a device between them hands every packet on.
    ThroughAnIntermediary,
}

/// How often there is a connection event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    /// Every so many microseconds, on every connection.
    Fixed(u64),
    /// Each connection draws its own from those that the profile allows.
    Drawn,
}

/// A way, and the intervals of its connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Configuration {
    pub(super) way: Way,
    pub(super) interval: Interval,
}

/// The least and the greatest interval, in microseconds: the paper's.
pub(super) const INTERVALS: (u64, u64) = (30_000, 60_000);

/// What is measured: each way with the least and the greatest interval, and with those
/// that the connections draw.
pub(super) const CONFIGURATIONS: [Configuration; 6] = {
    const fn of(way: Way, interval: Interval) -> Configuration {
        Configuration { way, interval }
    }
    [
        of(Way::Direct, Interval::Fixed(INTERVALS.0)),
        of(Way::Direct, Interval::Fixed(INTERVALS.1)),
        of(Way::Direct, Interval::Drawn),
        of(Way::ThroughAnIntermediary, Interval::Fixed(INTERVALS.0)),
        of(Way::ThroughAnIntermediary, Interval::Fixed(INTERVALS.1)),
        of(Way::ThroughAnIntermediary, Interval::Drawn),
    ]
};

impl Way {
    /// The word for it in the tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ThroughAnIntermediary => "through an intermediary",
        }
    }

    /// The number of its connections.
    pub(super) const fn hops(self) -> usize {
        match self {
            Self::Direct => 1,
            Self::ThroughAnIntermediary => 2,
        }
    }
}

impl Interval {
    /// The least and the greatest that there may be, in microseconds.
    pub(super) const fn range(self) -> (u64, u64) {
        match self {
            Self::Fixed(interval) => (interval, interval),
            Self::Drawn => INTERVALS,
        }
    }

    /// In milliseconds, for the tables.
    pub(super) fn name(self) -> String {
        match self.range() {
            (least, greatest) if least == greatest => format!("{}", least / 1000),
            (least, greatest) => format!("{} to {}", least / 1000, greatest / 1000),
        }
    }
}

impl Configuration {
    /// The profile of its connections.
    pub(super) fn profile(self) -> Profile {
        match BLE.access {
            Access::ConnectionEvents { goodput, .. } => {
                let interval = self.interval.range();
                Profile { access: Access::ConnectionEvents { interval, goodput }, ..BLE }
            }
            Access::Free => BLE,
        }
    }

    /// New connections.
    pub(super) fn path(self, dice: &mut Dice) -> Path {
        let profile = self.profile();
        Path::new(&[profile; 2][..self.way.hops()], dice)
    }
}
