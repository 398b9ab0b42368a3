//! Messages that are longer than a datagram (SPEC.md section 9.6).
//!
//! A message that fits goes as it is. A longer one goes in segments, each with
//! the length of the whole and its own place in it. A segment that is lost comes
//! again when the whole message is repeated; what arrived before is kept.

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::message::Kind;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, FragmentError, Reassembly, cbor, copy};

/// The greatest length of a message, in bytes.
pub const MAX_MESSAGE: usize = 768;

/// What a segment adds to the part of the message that it carries, in bytes, at
/// the most.
const OVERHEAD: usize = 11;

/// The least payload that carries a segment, in bytes.
pub const MIN_PAYLOAD: usize = OVERHEAD + 1;

/// Why a message can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is longer than [`MAX_MESSAGE`].
    MessageTooLong,
    /// The payload of a datagram is shorter than [`MIN_PAYLOAD`].
    PayloadTooSmall,
}

impl core::fmt::Display for SendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::MessageTooLong => "the message is longer than 768 bytes",
            Self::PayloadTooSmall => "the payload is too small for a segment",
        })
    }
}

impl core::error::Error for SendError {}

/// Why a payload was dropped. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveError {
    /// It is not a segment, though it begins like one.
    Decode(DecodeError),
    /// It doesn't fit the other segments, or the room for the message.
    Fragment(FragmentError),
}

impl core::fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Fragment(_) => f.write_str("the segment does not fit the message"),
        }
    }
}

impl core::error::Error for ReceiveError {}

/// A message cut into the payloads that carry it.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    message: &'a [u8],
    max_payload: usize,
}

impl<'a> Segments<'a> {
    /// Cuts `message` into payloads of at most `max_payload` bytes.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn new(message: &'a [u8], max_payload: usize) -> Result<Self, SendError> {
        if message.len() > MAX_MESSAGE {
            Err(SendError::MessageTooLong)
        } else if message.len() > max_payload && max_payload < MIN_PAYLOAD {
            Err(SendError::PayloadTooSmall)
        } else {
            Ok(Self { message, max_payload })
        }
    }

    /// The number of payloads.
    #[must_use]
    pub fn count(&self) -> usize {
        if self.fits() { 1 } else { self.message.len().div_ceil(self.part()) }
    }

    /// Writes the payload number `index`, from 0, into `buffer`; returns its
    /// length, or `None` if there is no such payload.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; `max_payload` bytes always suffice.
    pub fn write(&self, index: usize, buffer: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if index >= self.count() {
            return Ok(None);
        }
        if self.fits() {
            let needed = self.message.len();
            let room = buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
            copy(self.message, room);
            return Ok(Some(needed));
        }
        let offset = index.saturating_mul(self.part());
        let Some(bytes) = self.message.chunks(self.part()).nth(index) else {
            return Ok(None);
        };
        let number = |value| u16::try_from(value).unwrap_or(u16::MAX);
        let segment = Segment { total: number(self.message.len()), offset: number(offset), bytes };
        cbor::encode(&segment, buffer).map(Some)
    }

    fn fits(&self) -> bool {
        self.message.len() <= self.max_payload
    }

    /// The number of bytes of the message in each payload but the last; never
    /// zero.
    fn part(&self) -> usize {
        self.max_payload.saturating_sub(OVERHEAD).max(1)
    }
}

/// A message of at most `N` bytes that comes in.
///
/// One of these serves one negotiation: segments don't say which message they
/// are of, only how long it is, so that two messages of the same length would
/// mix. A segment of a message of another length begins that message.
#[derive(Clone, Debug, Default)]
pub struct Incoming<const N: usize> {
    message: Option<Reassembly<N>>,
    /// The message was handed out. A further segment belongs to a repetition,
    /// which has to be whole before it is handed out again.
    complete: bool,
}

impl<const N: usize> Incoming<N> {
    /// Nothing has come in yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { message: None, complete: false }
    }

    /// Takes a payload; returns the message, if it is whole now.
    ///
    /// # Errors
    /// [`ReceiveError`].
    #[inline(never)] // A message on its way to its place is large.
    pub fn receive<'a>(&'a mut self, payload: &'a [u8]) -> Result<Option<&'a [u8]>, ReceiveError> {
        if !is_segment(payload) {
            return Ok(Some(payload));
        }
        let segment: Segment<'_> = cbor::decode(payload).map_err(ReceiveError::Decode)?;
        let (total, offset) = (usize::from(segment.total), usize::from(segment.offset));
        match &mut self.message {
            Some(message) if !self.complete && message.total() == total => {
                message.insert(total, offset, segment.bytes).map_err(ReceiveError::Fragment)?;
            }
            place => {
                let message = begin(total, offset, segment.bytes);
                *place = Some(message.map_err(ReceiveError::Fragment)?);
            }
        }
        let message = self.message.as_ref().and_then(Reassembly::complete);
        self.complete = message.is_some();
        Ok(message)
    }
}

/// A message of which the first segment has come.
fn begin<const N: usize>(
    total: usize,
    offset: usize,
    bytes: &[u8],
) -> Result<Reassembly<N>, FragmentError> {
    let mut message = Reassembly::new(total)?;
    message.insert(total, offset, bytes)?;
    Ok(message)
}

/// Whether a payload is a segment, and not a whole message: all of them are
/// arrays whose first item is their kind.
fn is_segment(payload: &[u8]) -> bool {
    let mut decoder = Decoder::new(payload);
    decoder.array().is_ok()
        && decoder.unsigned::<u8>().is_ok_and(|kind| kind == Kind::Segment as u8)
}

/// A part of a message.
struct Segment<'a> {
    total: u16,
    offset: u16,
    bytes: &'a [u8],
}

impl<C> Encode<C> for Segment<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(4)?.u8(Kind::Segment as u8)?;
        encoder.u16(self.total)?.u16(self.offset)?.bytes(self.bytes)?.ok()
    }
}

impl<'b> Decode<'b> for Segment<'b> {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::array(decoder, 4)?;
        if decoder.unsigned::<u8>()? != Kind::Segment as u8 {
            return Err(DecodeError::Malformed);
        }
        Ok(Self {
            total: decoder.unsigned()?,
            offset: decoder.unsigned()?,
            bytes: decoder.bytes()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::items::{Item, bytes, codec_properties, number};
    use crate::testing::reencode;

    fn segment() -> BoxedStrategy<Item> {
        let part = (0..300_usize).prop_flat_map(bytes);
        (number(u16::MAX.into()), number(u16::MAX.into()), part)
            .prop_map(|(total, offset, part)| {
                Item::List(Vec::from([Item::Number(0), total, offset, part]))
            })
            .boxed()
    }

    codec_properties!(codec, segment(), reencode::<Segment<'_>>);

    /// Begins like a key negotiation's message.
    fn message(length: usize) -> Vec<u8> {
        let mut message: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        message[..2].copy_from_slice(&[0x87, 1]);
        message
    }

    fn payloads(message: &[u8], max_payload: usize) -> Vec<Vec<u8>> {
        let segments = Segments::new(message, max_payload).unwrap();
        let payload = |index| {
            let mut buffer = std::vec![0; max_payload];
            let length = segments.write(index, &mut buffer).unwrap().unwrap();
            buffer.truncate(length);
            buffer
        };
        assert_eq!(segments.write(segments.count(), &mut []), Ok(None));
        (0..segments.count()).map(payload).collect()
    }

    #[test]
    fn a_message_that_fits_goes_as_it_is() {
        let message = message(179);
        assert_eq!(payloads(&message, 179), core::slice::from_ref(&message));
        assert_eq!(Incoming::<8>::new().receive(&message), Ok(Some(&message[..])));
    }

    #[test]
    fn segments_in_any_order_give_the_message() {
        for length in [2, 13, 180, 500, MAX_MESSAGE] {
            for max_payload in [MIN_PAYLOAD, 64, 179, 1_000] {
                let message = message(length);
                let mut payloads = payloads(&message, max_payload);
                payloads.reverse();
                let mut incoming = Incoming::<MAX_MESSAGE>::new();
                // More gaps than are kept track of close only from the front.
                if payloads.len() > 8 {
                    payloads.reverse();
                }
                let (last, before) = payloads.split_last().unwrap();
                for payload in before {
                    assert_eq!(incoming.receive(payload), Ok(None));
                }
                assert_eq!(incoming.receive(last), Ok(Some(&message[..])));
            }
        }
    }

    #[test]
    fn what_is_lost_comes_with_the_repetition() {
        let message = message(500);
        let payloads = payloads(&message, 179);
        let mut incoming = Incoming::<MAX_MESSAGE>::new();
        assert_eq!(incoming.receive(&payloads[1]), Ok(None));
        assert_eq!(incoming.receive(&payloads[2]), Ok(None));
        assert_eq!(incoming.receive(&payloads[0]), Ok(Some(&message[..])));
        // A message that was handed out is handed out again once it was repeated
        // as a whole.
        assert_eq!(incoming.receive(&payloads[0]), Ok(None));
        assert_eq!(incoming.receive(&payloads[0]), Ok(None));
        assert_eq!(incoming.receive(&payloads[1]), Ok(None));
        assert_eq!(incoming.receive(&payloads[2]), Ok(Some(&message[..])));
    }

    #[test]
    fn a_message_of_another_length_takes_the_place() {
        let (one, other) = (message(300), message(310));
        let mut incoming = Incoming::<MAX_MESSAGE>::new();
        assert_eq!(incoming.receive(&payloads(&one, 179)[0]), Ok(None));
        assert_eq!(incoming.receive(&payloads(&other, 179)[0]), Ok(None));
        assert_eq!(incoming.receive(&payloads(&other, 179)[1]), Ok(Some(&other[..])));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let message = message(300);
        let payloads = payloads(&message, 179);
        let mut incoming = Incoming::<300>::new();
        assert_eq!(incoming.receive(&payloads[0]), Ok(None));
        let too_long = Segment { total: 301, offset: 0, bytes: &[1] };
        let past_the_end = Segment { total: 300, offset: 300, bytes: &[1] };
        let error = |error| Err(ReceiveError::Fragment(error));
        let (too_long, past_the_end) =
            (cbor::Encoded::<20>::of(&too_long), cbor::Encoded::<20>::of(&past_the_end));
        let received = incoming.receive(too_long.as_bytes());
        assert_eq!(received, error(FragmentError::MessageTooLong));
        let received = incoming.receive(past_the_end.as_bytes());
        assert_eq!(received, error(FragmentError::Inconsistent));
        let received = incoming.receive(&payloads[1][..20]);
        assert_eq!(received, Err(ReceiveError::Decode(DecodeError::Truncated)));
        assert_eq!(incoming.receive(&payloads[1]), Ok(Some(&message[..])));
    }

    #[test]
    fn what_can_not_be_sent_is_refused() {
        let long = message(MAX_MESSAGE + 1);
        assert_eq!(Segments::new(&long, 2_000).err(), Some(SendError::MessageTooLong));
        let payload = MIN_PAYLOAD - 1;
        let fits = message(payload);
        assert!(Segments::new(&fits, payload).is_ok());
        let error = Segments::new(&long[..payload + 1], payload).err();
        assert_eq!(error, Some(SendError::PayloadTooSmall));
        let segments = Segments::new(&fits, 50).unwrap();
        assert_eq!(segments.write(0, &mut [0; 5]), Err(BufferTooSmall { needed: payload }));
    }
}
