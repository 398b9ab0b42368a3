//! Whether a device that waits for an advertisement waits in vain, so that
//! somebody should be told.

use std::time::Duration;

use iot_crypto::time::Instant;

/// How long it waits before it tells; three times what gateways usually take
/// from one advertisement to the next.
const PATIENCE: Duration = Duration::from_secs(15);

/// The search for a gateway.
pub(super) enum Search {
    /// It began then.
    Looking { since: Instant },
    /// Somebody was told.
    Told,
    /// There is a gateway.
    Over,
}

/// What tells how the search goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    pub(super) is_connected: bool,
    /// The datagrams that came in on the discovery port so far.
    pub(super) advertisements: u64,
    /// Whether a negotiation was ever begun.
    pub(super) was_attempted: bool,
}

impl Search {
    pub(super) const fn begin(now: Instant) -> Self {
        Self::Looking { since: now }
    }

    /// Looks how it goes; gives what to tell, if anything.
    pub(super) fn look(&mut self, now: Instant, signs: Signs) -> Option<&'static str> {
        match self {
            _ if signs.is_connected => {
                *self = Self::Over;
                None
            }
            Self::Over => {
                *self = Self::begin(now);
                None
            }
            Self::Looking { since } if now >= *since + PATIENCE => {
                *self = Self::Told;
                match (signs.advertisements, signs.was_attempted) {
                    (0, _) => Some(
                        "no advertisement was heard for 15 s: is a gateway of this network \
                         running, and does it advertise to the discovery_port that is configured \
                         here? Where broadcasts don't arrive, write the gateway's address: \
                         gateway = \"192.0.2.7:4441\"",
                    ),
                    (_, false) => Some(
                        "advertisements are heard, but none of this network that is new: the \
                         network keys may differ: compare `iot-crypto network show` on both, and \
                         the clocks of both computers",
                    ),
                    // Why an attempt failed is told anyway.
                    (_, true) => None,
                }
            }
            Self::Looking { .. } | Self::Told => None,
        }
    }

    /// When to look again, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Looking { since } => Some(*since + PATIENCE),
            Self::Told | Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(advertisements: u64, was_attempted: bool) -> Option<&'static str> {
        let mut search = Search::begin(Instant::ZERO);
        let signs = Signs { is_connected: false, advertisements, was_attempted };
        let early = Instant::from_millis(14_999);
        assert_eq!(search.look(early, signs), None);
        let at = search.deadline().unwrap();
        let told = search.look(at, signs);
        assert_eq!(search.deadline(), None);
        assert_eq!(search.look(at + PATIENCE, signs), None, "it is told once");
        told
    }

    #[test]
    fn what_is_told_depends_on_what_was_heard() {
        assert!(tell(0, false).unwrap().contains("no advertisement was heard"));
        assert!(tell(3, false).unwrap().contains("network show"));
        assert_eq!(tell(3, true), None);
    }

    #[test]
    fn a_search_begins_anew_when_the_gateway_is_lost() {
        let signs = Signs { is_connected: true, advertisements: 0, was_attempted: true };
        let mut search = Search::begin(Instant::ZERO);
        let lost = Instant::from_millis(60_000);
        assert_eq!(search.look(lost, signs), None);
        assert_eq!(search.deadline(), None);
        assert_eq!(search.look(lost, Signs { is_connected: false, ..signs }), None);
        assert_eq!(search.deadline(), Some(lost + PATIENCE));
    }
}
