//! The AEAD of a provider alone, in place, with a key that was made ready before.

use anyhow::anyhow;
use iot_crypto::crypto::{Nonce, Provider, SymmetricKey, Tag};

use super::Connection;
use super::slots::Slots;

/// As much additional data as a record of DTLS 1.2 has (RFC 5246 section 6.2.3.3).
const ADDITIONAL_DATA: [u8; 13] = [0; 13];
const TAG: usize = size_of::<Tag>();

/// A key, and the records that were sealed with it.
pub(super) struct Raw<P: Provider> {
    provider: P,
    key: P::AeadKey,
    sealed: u64,
    opened: u64,
    records: Slots,
}

impl<P: Provider> Raw<P> {
    pub(super) fn new(provider: P) -> Self {
        let key = provider.aead_key(&SymmetricKey::new([7; 32]));
        Self { provider, key, sealed: 0, opened: 0, records: Slots::default() }
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    if let Some(end) = nonce.last_chunk_mut() {
        *end = number.to_be_bytes();
    }
    nonce
}

impl<P: Provider> Connection for Raw<P> {
    fn seal(&mut self, payload: &[u8], count: usize) -> anyhow::Result<()> {
        // What was sealed before and not opened is gone.
        self.opened = self.sealed;
        for (buffer, length) in self.records.begin(count) {
            *length = payload.len() + TAG;
            let (content, rest) = buffer.split_at_mut_checked(payload.len()).unwrap_or_default();
            content.copy_from_slice(payload);
            let nonce = nonce(self.sealed);
            let tag = self.provider.seal(&self.key, &nonce, &ADDITIONAL_DATA, content);
            if let Some(end) = rest.first_chunk_mut() {
                *end = tag;
            }
            self.sealed += 1;
        }
        Ok(())
    }

    fn open(&mut self, count: usize) -> anyhow::Result<()> {
        let Self { provider, key, opened, records, .. } = self;
        records.open(count, |record| {
            let (content, tag) =
                record.split_last_chunk_mut::<TAG>().ok_or_else(|| anyhow!("short"))?;
            provider
                .open(key, &nonce(*opened), &ADDITIONAL_DATA, content, tag)
                .map_err(|error| anyhow!("{error}"))?;
            *opened += 1;
            Ok(content)
        })
    }

    fn payload(&self) -> &[u8] {
        self.records.payload()
    }

    fn record_length(&self) -> usize {
        self.records.length()
    }
}
