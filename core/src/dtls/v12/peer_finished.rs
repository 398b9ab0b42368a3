//! The peer's `Finished`, the one message of a handshake that comes protected.

use super::inbox::Inbox;
use super::key_schedule::{ExpectedFinished, VerifiedFinished};
use super::message::{HandshakeType, VERIFY_DATA_LENGTH, fragments};
use super::protection::ReadState;
use super::record::{ContentType, Record};
use crate::crypto::Provider;
use crate::dtls::alert::Alert;
use crate::dtls::{CloseReason, DropReason};

/// The `Finished` that either side waits for.
pub(crate) struct PeerFinished {
    expected: ExpectedFinished,
    inbox: Inbox<VERIFY_DATA_LENGTH, 1>,
    /// Whether a record came that could not be decrypted.
    undecryptable: bool,
}

impl PeerFinished {
    /// Waits for what is `expected`, in the message with the number `sequence`.
    pub(crate) fn new(expected: ExpectedFinished, sequence: u16) -> Self {
        Self { expected, inbox: Inbox::new(sequence), undecryptable: false }
    }

    /// Takes a protected record; the reason if it closes the connection.
    pub(crate) fn handle_record<P: Provider>(
        &mut self,
        provider: &P,
        read: &mut ReadState<P>,
        record: Record<'_>,
    ) -> Result<Option<CloseReason>, DropReason> {
        // Dropped unopened, so that a copy that comes after the end of the handshake
        // is not taken for a repetition.
        match record.header.content_type {
            ContentType::ApplicationData => return Err(DropReason::Early),
            ContentType::ChangeCipherSpec => return Err(DropReason::Unexpected),
            ContentType::Handshake | ContentType::Alert => {}
        }
        let (content_type, content) = read.open(provider, record).inspect_err(|reason| {
            self.undecryptable |= *reason == DropReason::Undecryptable;
        })?;
        if content_type == ContentType::Alert {
            let alert = Alert::decode(content).map_err(|_| DropReason::Malformed)?;
            return Ok(alert.closes());
        }
        for fragment in fragments(content)? {
            if fragment.header.kind == HandshakeType::FINISHED {
                self.inbox.insert(&fragment)?;
            }
        }
        Ok(None)
    }

    /// Whether it has come as a whole.
    pub(crate) fn is_complete(&self) -> bool {
        self.inbox.front().is_some()
    }

    /// Whether a record came that could not be decrypted: the keys may differ.
    pub(crate) const fn undecryptable(&self) -> bool {
        self.undecryptable
    }

    /// Compares it with what it must say.
    pub(crate) fn verify(self) -> Option<VerifiedFinished> {
        let body = self.inbox.front().map(|(_, body)| body).unwrap_or_default();
        self.expected.verify(body)
    }
}
