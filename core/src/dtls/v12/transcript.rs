//! The hash over all messages of a handshake (RFC 6347 section 4.2.6).

use super::message::{HandshakeType, MessageHeader, VERIFY_DATA_LENGTH};
use crate::crypto::{Provider, Sha256, Sha256Digest};

/// The messages so far. It begins with the `ClientHello` that the server
/// accepted: one that was answered with a `HelloVerifyRequest`, and that answer,
/// do not count.
pub(crate) struct Transcript<P: Provider> {
    hash: P::Sha256,
}

impl<P: Provider> Transcript<P> {
    pub(crate) fn new(provider: &P) -> Self {
        Self { hash: provider.sha256() }
    }

    /// Appends a message; its header counts as that of one whole fragment,
    /// however it came.
    pub(crate) fn add(&mut self, header: &MessageHeader, body: &[u8]) {
        self.hash.update(&header.encode());
        self.hash.update(body);
    }

    /// Appends messages that are encoded whole.
    pub(crate) fn add_encoded(&mut self, messages: &[u8]) {
        self.hash.update(messages);
    }

    /// Appends a `Finished`.
    pub(crate) fn add_finished(&mut self, sequence: u16, verify_data: &[u8; VERIFY_DATA_LENGTH]) {
        let header = MessageHeader {
            kind: HandshakeType::FINISHED,
            sequence,
            length: VERIFY_DATA_LENGTH as u32,
        };
        self.add(&header, verify_data);
    }

    /// The hash of the messages so far.
    pub(crate) fn digest(&self) -> Sha256Digest {
        self.hash.clone().finish()
    }
}
