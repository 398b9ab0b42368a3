//! How a handshake ends without a session.

use super::protection::{OVERHEAD, WriteState};
use super::record::{ALERT_LENGTH, ContentType, PlaintextState};
use crate::crypto::Provider;
use crate::dtls::alert::Alert;
use crate::dtls::{AlertDescription, CloseReason};
use crate::wire::{BufferTooSmall, copy};

/// The last datagram of a handshake that failed: nothing, or an alert of each
/// epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Farewell {
    records: heapless::Vec<u8, { ALERT_LENGTH + OVERHEAD + Alert::LENGTH }, u8>,
}

impl Farewell {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn push(&mut self, record: &[u8]) {
        let fits = self.records.extend_from_slice(record).is_ok();
        debug_assert!(fits, "a farewell holds one alert of each epoch");
    }

    /// Writes the datagram, once.
    pub(crate) fn poll_transmit(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let needed = self.records.len();
        if needed == 0 {
            return Ok(None);
        }
        copy(&self.records, buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?);
        self.records.clear();
        Ok(Some(needed))
    }
}

/// A handshake that has failed.
pub struct Ending {
    pub(crate) reason: CloseReason,
    pub(crate) farewell: Farewell,
}

impl Ending {
    /// An end of which the peer is not told.
    pub(crate) fn silent(reason: CloseReason) -> Self {
        Self { reason, farewell: Farewell::default() }
    }

    /// An end of which the peer is told by a fatal alert in epoch 0.
    pub(crate) fn alert(
        reason: CloseReason,
        alert: AlertDescription,
        plaintext: &mut PlaintextState,
    ) -> Self {
        let mut ending = Self::silent(reason);
        ending.farewell.push(&plaintext.alert(Alert::fatal(alert)));
        ending
    }

    /// Says the same in the new epoch: a peer that has finished the handshake
    /// takes no other alert.
    pub(crate) fn and_protected<P: Provider>(
        mut self,
        provider: &P,
        alert: AlertDescription,
        write: &mut WriteState<P>,
    ) -> Self {
        let mut record = [0; OVERHEAD + Alert::LENGTH];
        let alert = Alert::fatal(alert).encode();
        if write.seal(provider, ContentType::Alert, &alert, &mut record).is_ok() {
            self.farewell.push(&record);
        }
        self
    }
}
