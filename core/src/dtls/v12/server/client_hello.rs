//! The record with which a handshake begins.

use crate::dtls::DropReason;
use crate::dtls::v12::hello::HelloStart;
use crate::dtls::v12::message::{Fragment, HandshakeType, fragments};
use crate::dtls::v12::record::{ContentType, Header, Record};

/// The start of a `ClientHello`, out of a record of epoch 0.
#[derive(Clone, Copy)]
pub(crate) struct ClientHelloRecord<'a> {
    /// The number of the record, and its length.
    pub(crate) record_sequence: u64,
    pub(super) record_length: usize,
    pub(super) fragment: Fragment<'a>,
    pub(crate) start: HelloStart<'a>,
}

impl<'a> ClientHelloRecord<'a> {
    /// Reads it from `record`; `None` if that carries something else.
    pub(crate) fn read(record: &'a Record<'_>) -> Result<Option<Self>, DropReason> {
        let Header { content_type, epoch, sequence, .. } = record.header;
        if content_type != ContentType::Handshake || epoch != 0 {
            return Ok(None);
        }
        let fragment = fragments(record.fragment)?.next().ok_or(DropReason::Malformed)?;
        if fragment.header.kind != HandshakeType::CLIENT_HELLO || fragment.offset != 0 {
            return Ok(None);
        }
        let start = HelloStart::read(fragment.body).map_err(|_| DropReason::Malformed)?;
        Ok(Some(Self {
            record_sequence: sequence,
            record_length: record.length(),
            fragment,
            start,
        }))
    }

    /// The number of the message.
    pub(crate) fn message_sequence(&self) -> u16 {
        self.fragment.header.sequence
    }
}
