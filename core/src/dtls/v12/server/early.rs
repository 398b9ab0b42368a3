//! Records of the coming epoch that come before its keys.

use crate::dtls::DropReason;
use crate::dtls::v12::record::{ContentType, DTLS_1_2, Header, Record};

/// The greatest length of an early record's content, in bytes: a `Finished` has
/// 40.
const MAX_EARLY: usize = 48;

/// The last two records of the coming epoch that came before its keys: the
/// client's `Finished`, which shares a datagram with the `ClientKeyExchange` or
/// may overtake it. A newer one displaces the oldest, so that a forgery can't
/// keep the place.
#[derive(Default)]
pub(super) struct EarlyRecords {
    pub(super) records: [Option<EarlyRecord>; 2],
}

pub(super) struct EarlyRecord {
    pub(super) sequence: u64,
    pub(super) content: heapless::Vec<u8, MAX_EARLY, u8>,
}

impl EarlyRecords {
    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<(), DropReason> {
        if record.header.epoch != 1 || record.header.content_type != ContentType::Handshake {
            return Err(DropReason::Early);
        }
        let content = heapless::Vec::from_slice(record.fragment).map_err(|_| DropReason::Early)?;
        let [older, newer] = &mut self.records;
        *older = newer.take();
        *newer = Some(EarlyRecord { sequence: record.header.sequence, content });
        Ok(())
    }

    pub(super) fn records(&mut self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter_mut().flatten().map(|early| Record {
            header: Header {
                content_type: ContentType::Handshake,
                version: DTLS_1_2,
                epoch: 1,
                sequence: early.sequence,
            },
            fragment: &mut early.content,
        })
    }
}
