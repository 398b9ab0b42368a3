//! What a node has to save, and when.

use core::time::Duration;

use embedded_storage::nor_flash::NorFlash;
use iot_crypto::crypto::Provider;
use iot_crypto::identity::Trust;
use iot_crypto::party::Party;
use iot_crypto::time::{Deadline, Instant, Reason, UnixTime};

use crate::store::{Store, StoreError};

/// The time until something that could not be saved is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// What has changed since it was saved.
pub(super) struct Unsaved {
    network: bool,
    revocations: bool,
    time: bool,
    /// The time that is saved, and how much later it has to be to be saved again.
    saved_time: UnixTime,
    resolution: Duration,
    /// When it is tried again, after a failure.
    retry: Option<Instant>,
}

impl Unsaved {
    /// Nothing, with this time saved.
    pub(super) const fn nothing_since(saved_time: UnixTime) -> Self {
        Self {
            network: false,
            revocations: false,
            time: false,
            saved_time,
            resolution: Duration::from_secs(3600),
            retry: None,
        }
    }

    pub(super) const fn note_network(&mut self) {
        self.network = true;
    }

    pub(super) const fn note_revocations(&mut self) {
        self.revocations = true;
    }

    pub(super) const fn note_time(&mut self) {
        self.time = true;
    }

    pub(super) const fn set_resolution(&mut self, resolution: Duration) {
        self.resolution = resolution;
    }

    /// Saves what has changed. After a failure it waits, so as not to wear a flash
    /// out that does not work.
    pub(super) fn save<P: Provider, T: Trust, F: NorFlash>(
        &mut self,
        now: Instant,
        party: &Party<P, T>,
        store: &mut Store<F>,
    ) -> Result<(), StoreError> {
        if self.retry.is_some_and(|at| now < at) {
            return Ok(());
        }
        // Until all is saved.
        let nothing = !(self.network || self.revocations || self.time);
        self.retry = if nothing { None } else { Some(now + RETRY) };
        if self.revocations {
            store.save_revocations(party.trust())?;
            self.revocations = false;
        }
        if self.network {
            store.save_network_keys(party.network())?;
            self.network = false;
        }
        let time = party.clock().floor();
        if self.time && time > self.saved_time && time.since(self.saved_time) >= self.resolution {
            store.save_time(time)?;
            self.saved_time = time;
        }
        self.time = false;
        self.retry = None;
        Ok(())
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        self.retry.map(|at| Deadline::new(at, Reason::Retry))
    }
}
