//! The two timers of a handshake: the repetition of a flight, and the end.

use core::time::Duration;

use crate::dtls::alert::Alert;
use crate::dtls::{AlertDescription, CloseReason, Config, DropReason};
use crate::time::{Deadline, Instant, Reason, doubled};

/// When a flight is repeated (RFC 6347 section 4.2.4.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retransmission {
    at: Instant,
    interval: Duration,
    limit: Duration,
}

impl Retransmission {
    /// The timer of a flight that is sent at `now`.
    pub(crate) fn start(config: &Config, now: Instant) -> Self {
        // A wait of nothing would repeat the flight without end.
        let interval = config.retransmission.max(Duration::from_millis(1));
        let limit = config.retransmission_limit.max(interval);
        Self { at: now + interval, interval, limit }
    }

    /// Whether the flight is to be repeated at `now`; the next wait, which then
    /// begins, is twice as long.
    pub(crate) fn expired(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = doubled(self.interval, 1).min(self.limit);
        self.restart(now);
        true
    }

    /// Begins the present wait anew: the flight was repeated for another reason.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.at = now + self.interval;
    }

    pub(crate) const fn deadline(&self) -> Deadline {
        Deadline::new(self.at, Reason::Retransmission)
    }
}

/// When a handshake is given up.
///
/// An alert of epoch 0 is not authentic: anyone who can forge an address can
/// send one. So it doesn't end the handshake at once, it only shortens the wait
/// to a few retransmissions; if the handshake goes on within them, the alert is
/// forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    at: Instant,
    alert: Option<(AlertDescription, Instant)>,
}

impl Expiry {
    /// The expiry of a handshake that begins at `now`.
    pub(crate) fn start(config: &Config, now: Instant) -> Self {
        Self { at: now + config.handshake_timeout, alert: None }
    }

    /// Takes a record of epoch 0 with an alert. Only the first one that would end
    /// the handshake counts, so that a stream of them doesn't defer the end.
    pub(crate) fn handle_alert(
        &mut self,
        config: &Config,
        now: Instant,
        content: &[u8],
    ) -> Result<(), DropReason> {
        let alert = Alert::decode(content).map_err(|_| DropReason::Malformed)?;
        if alert.closes().is_none() {
            return Err(DropReason::Unexpected);
        }
        // Long enough for the repetitions after one and two more intervals.
        let end = now + doubled(config.retransmission, 2);
        self.alert.get_or_insert((alert.description, end.min(self.at)));
        Ok(())
    }

    /// The handshake went on, so that the alert was not the peer's.
    pub(crate) fn progress(&mut self) {
        self.alert = None;
    }

    /// The reason to close at `now`, if the handshake has taken too long.
    pub(crate) fn expired(&self, now: Instant, undecryptable: bool) -> Option<CloseReason> {
        match self.alert {
            Some((alert, end)) if now >= end => Some(CloseReason::Alert(alert)),
            _ if now >= self.at => Some(CloseReason::HandshakeTimeout { undecryptable }),
            _ => None,
        }
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::new(self.alert.map_or(self.at, |(_, end)| end), Reason::Expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let config = Config { retransmission_limit: Duration::from_secs(5), ..Config::default() };
        let mut timer = Retransmission::start(&config, at(0));
        for due in [1, 3, 7, 12, 17] {
            assert!(!timer.expired(Instant::from_millis(due * 1000 - 1)));
            assert_eq!(timer.deadline().at, at(due));
            assert!(timer.expired(at(due)));
        }
    }

    #[test]
    fn an_alert_shortens_the_wait_and_progress_restores_it() {
        let config = Config::default();
        let mut expiry = Expiry::start(&config, at(0));
        expiry.handle_alert(&config, at(10), &[2, 51]).unwrap();
        expiry.handle_alert(&config, at(13), &[2, 49]).unwrap();
        assert_eq!(expiry.handle_alert(&config, at(13), &[1, 100]), Err(DropReason::Unexpected));
        assert_eq!(expiry.deadline().at, at(14));
        assert_eq!(expiry.expired(at(13), false), None);
        let alert = CloseReason::Alert(AlertDescription::DecryptError);
        assert_eq!(expiry.expired(at(14), false), Some(alert));
        expiry.progress();
        assert_eq!(expiry.expired(at(14), false), None);
        let timeout = CloseReason::HandshakeTimeout { undecryptable: true };
        assert_eq!(expiry.expired(at(30), true), Some(timeout));
    }

    #[test]
    fn an_alert_never_defers_the_end() {
        let config = Config::default();
        let mut expiry = Expiry::start(&config, at(0));
        expiry.handle_alert(&config, at(29), &[2, 51]).unwrap();
        assert_eq!(expiry.deadline().at, at(30));
    }
}
