//! Whether a device that waits for an advertisement waits in vain, so that
//! somebody should be told.

use std::time::Duration;

use iot_crypto::time::Instant;

use super::super::meter::Meter;

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

impl Search {
    pub(super) const fn begin(now: Instant) -> Self {
        Self::Looking { since: now }
    }

    /// Looks how it goes; gives what to tell, if anything.
    pub(super) fn look(
        &mut self,
        now: Instant,
        is_connected: bool,
        meter: &Meter,
    ) -> Option<&'static str> {
        match self {
            _ if is_connected => {
                *self = Self::Over;
                None
            }
            Self::Over => {
                *self = Self::begin(now);
                None
            }
            Self::Looking { since } if now >= *since + PATIENCE => {
                *self = Self::Told;
                match (meter.advertisements(), meter.attempted()) {
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
