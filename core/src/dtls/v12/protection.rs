//! Protected records: ChaCha20-Poly1305 in DTLS 1.2 (RFC 7905, RFC 5246
//! section 6.2.3.3).
//!
//! The two states need only keys, and don't know which handshake gave them.

use super::record::{ContentType, DTLS_1_2, HEADER_LENGTH, Header, MAX_SEQUENCE, Record};
use super::replay::ReplayWindow;
use crate::crypto::{Nonce, Provider, Secret, SymmetricKey};
use crate::dtls::DropReason;
use crate::wire::{BufferTooSmall, copy};

/// The length of the authentication tag, in bytes.
const TAG_LENGTH: usize = 16;
/// What a record adds to its content, in bytes: header and tag. RFC 7905 has no
/// explicit nonce.
pub(crate) const OVERHEAD: usize = HEADER_LENGTH + TAG_LENGTH;

/// The key and the static nonce part of one direction.
#[derive(Clone, Debug)]
pub(crate) struct TrafficKey {
    pub(crate) key: SymmetricKey,
    pub(crate) iv: Secret<12>,
}

/// Why a record could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealError {
    BufferTooSmall(BufferTooSmall),
    /// The epoch has no sequence number left.
    Exhausted,
}

/// The write state of one protected epoch.
pub(crate) struct WriteState<P: Provider> {
    key: P::AeadKey,
    iv: Secret<12>,
    epoch: u16,
    next: u64,
}

impl<P: Provider> WriteState<P> {
    pub(crate) fn new(provider: &P, epoch: u16, traffic: &TrafficKey) -> Self {
        Self { key: provider.aead_key(&traffic.key), iv: traffic.iv.clone(), epoch, next: 0 }
    }

    /// The number of records sealed so far.
    pub(crate) fn records(&self) -> u64 {
        self.next
    }

    /// How many records can still be sealed.
    pub(crate) fn remaining(&self) -> u64 {
        // The number after the last is never used: "next" must not wrap.
        MAX_SEQUENCE.saturating_sub(self.next)
    }

    /// Seals `content` into one record at the start of `buffer`; gives its
    /// length, which is that of the content and [`OVERHEAD`].
    pub(crate) fn seal(
        &mut self,
        provider: &P,
        content_type: ContentType,
        content: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, SealError> {
        let needed = content.len().saturating_add(OVERHEAD);
        let too_small = SealError::BufferTooSmall(BufferTooSmall { needed });
        let record = buffer.get_mut(..needed).ok_or(too_small)?;
        if self.remaining() == 0 {
            return Err(SealError::Exhausted);
        }
        let header =
            Header { content_type, version: DTLS_1_2, epoch: self.epoch, sequence: self.next };
        let (start, protected) = record.split_first_chunk_mut().ok_or(too_small)?;
        let (in_out, tag) = protected.split_last_chunk_mut().ok_or(too_small)?;
        *start = header.encode(content.len().saturating_add(TAG_LENGTH));
        copy(content, in_out);
        let nonce = nonce(&self.iv, &header);
        let aad = additional_data(&header, content.len());
        *tag = provider.seal(&self.key, &nonce, &aad, in_out);
        self.next += 1;
        Ok(needed)
    }

    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = next;
    }
}

/// The read state of one protected epoch.
pub(crate) struct ReadState<P: Provider> {
    key: P::AeadKey,
    iv: Secret<12>,
    epoch: u16,
    window: ReplayWindow,
}

impl<P: Provider> ReadState<P> {
    pub(crate) fn new(provider: &P, epoch: u16, traffic: &TrafficKey) -> Self {
        Self {
            key: provider.aead_key(&traffic.key),
            iv: traffic.iv.clone(),
            epoch,
            window: ReplayWindow::default(),
        }
    }

    /// Opens a record in place. One that is dropped changes nothing: the window
    /// moves only once the tag has proved right.
    pub(crate) fn open<'d>(
        &mut self,
        provider: &P,
        record: Record<'d>,
    ) -> Result<(ContentType, &'d mut [u8]), DropReason> {
        let header = record.header;
        if header.epoch != self.epoch {
            return Err(DropReason::Unexpected);
        }
        if !self.window.is_new(header.sequence) {
            return Err(DropReason::Replayed);
        }
        let Some((content, tag)) = record.fragment.split_last_chunk_mut() else {
            return Err(DropReason::Malformed);
        };
        let nonce = nonce(&self.iv, &header);
        let aad = additional_data(&header, content.len());
        provider
            .open(&self.key, &nonce, &aad, content, tag)
            .map_err(|_| DropReason::Undecryptable)?;
        self.window.mark(header.sequence);
        Ok((header.content_type, content))
    }
}

/// RFC 7905 section 2: the sequence number, padded on the left, exclusive-or
/// the static part.
fn nonce(iv: &Secret<12>, header: &Header) -> Nonce {
    let mut nonce = *iv.expose();
    if let Some(low) = nonce.last_chunk_mut() {
        *low = (u64::from_be_bytes(*low) ^ header.full_sequence()).to_be_bytes();
    }
    nonce
}

/// RFC 5246 section 6.2.3.3: sequence number, type, version, and the length of
/// the content without its tag.
fn additional_data(header: &Header, length: usize) -> [u8; 13] {
    let [a, b, c, d, e, f, g, h] = header.full_sequence().to_be_bytes();
    let [version, minor] = header.version.to_be_bytes();
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [a, b, c, d, e, f, g, h, header.content_type.code(), version, minor, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::Datagram;
    use crate::dtls::v12::record::next_record;
    use crate::testing::{TestProvider, provider};

    fn states() -> (TestProvider, WriteState<TestProvider>, ReadState<TestProvider>) {
        let provider = provider(1);
        let traffic = TrafficKey {
            key: SymmetricKey::new(core::array::from_fn(|i| i as u8)),
            iv: Secret::new(core::array::from_fn(|i| 0xa0 + i as u8)),
        };
        let write = WriteState::new(&provider, 1, &traffic);
        let read = ReadState::new(&provider, 1, &traffic);
        (provider, write, read)
    }

    fn open(
        provider: &TestProvider,
        read: &mut ReadState<TestProvider>,
        bytes: &mut [u8],
    ) -> Result<std::vec::Vec<u8>, DropReason> {
        let mut datagram = Datagram::new(bytes);
        let record = next_record(&mut datagram).unwrap()?;
        read.open(provider, record).map(|(_, content)| content.to_vec())
    }

    /// The record was computed independently (OpenSSL's ChaCha20-Poly1305 by
    /// way of Python's `cryptography`, framed by hand after RFC 7905 section 2).
    #[test]
    fn a_record_has_the_bytes_of_the_vector() {
        let (provider, mut write, mut read) = states();
        write.skip_to(5);
        let mut buffer = [0; 64];
        let length =
            write.seal(&provider, ContentType::ApplicationData, b"hello", &mut buffer).unwrap();
        assert_eq!(length, 5 + OVERHEAD);
        assert_eq!(buffer[..13], [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5, 0, 21]);
        assert_eq!(buffer[13..length], VECTOR);
        assert_eq!(open(&provider, &mut read, &mut buffer[..length]).unwrap(), b"hello");
    }

    const VECTOR: [u8; 21] = [
        0x5c, 0x49, 0x85, 0x82, 0xdc, 0x81, 0xfd, 0xa6, 0x85, 0xc3, 0xc1, 0x57, 0x36, 0xf5, 0xa3,
        0xa5, 0x7a, 0x0d, 0xa3, 0xbb, 0x36,
    ];

    #[test]
    fn a_change_of_any_bit_makes_the_record_unreadable_and_moves_nothing() {
        let (provider, mut write, mut read) = states();
        let mut buffer = [0; 40];
        let length =
            write.seal(&provider, ContentType::ApplicationData, b"hello", &mut buffer).unwrap();
        for bit in 0..length * 8 {
            let mut forged = buffer;
            forged[bit / 8] ^= 1 << (bit % 8);
            let before = forged;
            assert!(open(&provider, &mut read, &mut forged[..length]).is_err(), "bit {bit}");
            assert_eq!(forged, before);
        }
        let mut replay = buffer;
        assert!(open(&provider, &mut read, &mut buffer[..length]).is_ok());
        let again = open(&provider, &mut read, &mut replay[..length]);
        assert_eq!(again, Err(DropReason::Replayed));
    }

    #[test]
    fn a_small_buffer_and_the_end_of_the_epoch_use_no_number() {
        let (provider, mut write, _) = states();
        let mut buffer = [0; 64];
        let small = write.seal(&provider, ContentType::Alert, &[1, 0], &mut buffer[..30]);
        assert_eq!(small, Err(SealError::BufferTooSmall(BufferTooSmall { needed: 31 })));
        assert_eq!(write.records(), 0);
        write.skip_to(MAX_SEQUENCE - 1);
        assert!(write.seal(&provider, ContentType::Alert, &[1, 0], &mut buffer).is_ok());
        let last = write.seal(&provider, ContentType::Alert, &[1, 0], &mut buffer);
        assert_eq!(last, Err(SealError::Exhausted));
    }
}
