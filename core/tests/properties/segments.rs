//! What is taken apart and put together: TLS structures, fragments of messages,
//! and segments of a key negotiation.

use iot_crypto::connection::transfer::{Incoming, MAX_MESSAGE, MIN_PAYLOAD, Segments};
use iot_crypto::wire::{BufferTooSmall, FragmentError, Reader, Reassembly, Writer};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::testing::items::opaque;

/// A field of a TLS structure.
#[derive(Clone, Debug, PartialEq)]
enum Field {
    U8(u8),
    U16(u16),
    U24(u32),
    U48(u64),
    Bytes(Vec<u8>),
    Vector8(Vec<u8>),
    Vector16(Vec<u8>),
}

fn field() -> impl Strategy<Value = Field> {
    let content = |most: usize| (0..=most).prop_flat_map(opaque);
    prop_oneof![
        any::<u8>().prop_map(Field::U8),
        any::<u16>().prop_map(Field::U16),
        (0..1_u32 << 24).prop_map(Field::U24),
        (0..1_u64 << 48).prop_map(Field::U48),
        content(20).prop_map(Field::Bytes),
        prop_oneof![content(5), content(255)].prop_map(Field::Vector8),
        prop_oneof![content(5), content(300)].prop_map(Field::Vector16),
    ]
}

impl Field {
    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::U8(value) => writer.u8(*value),
            Self::U16(value) => writer.u16(*value),
            Self::U24(value) => writer.u24(*value),
            Self::U48(value) => writer.u48(*value),
            Self::Bytes(content) => writer.bytes(content),
            Self::Vector8(content) => writer.vector8(|writer| writer.bytes(content)),
            Self::Vector16(content) => writer.vector16(|writer| writer.bytes(content)),
        }
    }

    /// A field like this one from the front of `reader`.
    fn read(&self, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match self {
            Self::U8(_) => Self::U8(reader.u8().ok()?),
            Self::U16(_) => Self::U16(reader.u16().ok()?),
            Self::U24(_) => Self::U24(reader.u24().ok()?),
            Self::U48(_) => Self::U48(reader.u48().ok()?),
            Self::Bytes(content) => Self::Bytes(reader.take(content.len()).ok()?.to_vec()),
            Self::Vector8(_) => Self::Vector8(reader.vector8().ok()?.to_vec()),
            Self::Vector16(_) => Self::Vector16(reader.vector16().ok()?.to_vec()),
        })
    }
}

/// One fragment: where it begins, and its bytes.
fn fragments(total: usize) -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    let fragment = (0..=total + 2, 0..12_usize.min(total + 3));
    let fragment = fragment.prop_flat_map(|(offset, length)| (Just(offset), opaque(length)));
    prop::collection::vec(fragment, 0..40)
}

/// How many separate runs of bytes there are.
fn runs(bytes: &[Option<u8>]) -> usize {
    let starts = |at: &usize| bytes[*at].is_some() && (*at == 0 || bytes[*at - 1].is_none());
    (0..bytes.len()).filter(starts).count()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_what_lacks_takes_nothing(
        fields in prop::collection::vec(field(), 0..8),
        size in any::<Index>(),
    ) {
        let mut bytes = vec![0; 4_000];
        let mut writer = Writer::new(&mut bytes);
        fields.iter().for_each(|field| field.write(&mut writer));
        let length = writer.finish().unwrap();
        bytes.truncate(length);

        let mut reader = Reader::new(&bytes);
        for field in &fields {
            let read = field.read(&mut reader);
            prop_assert_eq!(read.as_ref(), Some(field));
        }
        prop_assert_eq!(reader.finish(), Ok(()));

        let size = size.index(length + 1);
        let mut reader = Reader::new(&bytes[..size]);
        for field in &fields {
            let before = reader.remaining();
            if field.read(&mut reader).is_none() {
                prop_assert_eq!(reader.remaining(), before);
                break;
            }
        }

        let mut small = vec![0; size];
        let mut writer = Writer::new(&mut small);
        fields.iter().for_each(|field| field.write(&mut writer));
        let expected = if size < length { Err(BufferTooSmall { needed: length }) } else { Ok(length) };
        prop_assert_eq!(writer.finish(), expected);
    }

    /// Against a message in which each byte is there or not.
    #[test]
    fn a_message_is_put_together_as_naively((total, fragments) in (0..60_usize)
        .prop_flat_map(|total| (Just(total), fragments(total))))
    {
        let mut message = Reassembly::<60>::new(total).unwrap();
        let mut naive = vec![None; total];
        for (offset, bytes) in fragments {
            let mut next = naive.clone();
            let fits = offset + bytes.len() <= total;
            for (place, byte) in next.iter_mut().skip(offset).zip(&bytes) {
                *place = place.or(Some(*byte));
            }
            let expected = if !fits {
                Err(FragmentError::Inconsistent)
            } else if runs(&next) > 8 {
                Err(FragmentError::TooManyGaps)
            } else {
                naive = next;
                Ok(())
            };
            prop_assert_eq!(message.insert(total, offset, &bytes), expected);
            let whole: Option<Vec<u8>> = naive.iter().copied().collect();
            prop_assert_eq!(message.complete(), whole.as_deref());
        }
        prop_assert_eq!(message.insert(total + 1, 0, &[]), Err(FragmentError::Inconsistent));
        prop_assert!(Reassembly::<60>::new(61 + total).is_err());
    }

    /// In whatever order the payloads come, and however often: once all have come,
    /// the message is there, and nothing else ever is.
    #[test]
    fn a_message_in_segments_arrives_whole(
        message in (2..=MAX_MESSAGE).prop_flat_map(opaque),
        max_payload in prop_oneof![MIN_PAYLOAD..40, 40..900_usize],
        order in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let mut message = message;
        message[..2].copy_from_slice(&[0x87, 1]);
        let segments = Segments::new(&message, max_payload).unwrap();
        let payloads: Vec<Vec<u8>> = (0..segments.count())
            .map(|index| {
                let mut payload = vec![0; max_payload];
                let length = segments.write(index, &mut payload).unwrap().unwrap();
                payload.truncate(length);
                payload
            })
            .collect();
        prop_assert!(segments.write(segments.count(), &mut []) == Ok(None));
        let mut incoming = Incoming::<MAX_MESSAGE>::new();
        // Then all of them from the front, which closes all gaps: the first time those
        // behind a segment that finds no room, the second time those before it.
        let arrivals = order.iter().map(|index| index.index(payloads.len()));
        let mut arrived = false;
        for index in arrivals.chain(0..payloads.len()).chain(0..payloads.len()) {
            if let Ok(Some(received)) = incoming.receive(&payloads[index]) {
                prop_assert_eq!(received, &message[..]);
                arrived = true;
            }
        }
        prop_assert!(arrived);
    }
}
