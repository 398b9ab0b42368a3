//! Flights: the handshake messages of one side's turn, sent together and
//! repeated together (RFC 6347 section 4.2.4).
//!
//! As many messages as fit share one record, and as many records as fit one
//! datagram; a message is split only if it does not fit into a datagram alone.

use super::message::{HEADER_LENGTH, HandshakeType, MessageHeader, VERIFY_DATA_LENGTH, fragments};
use super::protection::{self, SealError, WriteState};
use super::record::{self, ContentType, DTLS_1_2, PlaintextState};
use crate::crypto::Provider;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::{BufferTooSmall, Writer};

/// What of a flight is still to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsent {
    Nothing,
    /// Everything from byte `fragment` of the body of the message that begins at
    /// byte `message` of the flight.
    From {
        since: Instant,
        message: u16,
        fragment: u16,
    },
}

/// A flight of messages in epoch 0, encoded whole in at most `N` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Flight<const N: usize> {
    messages: heapless::Vec<u8, N, u16>,
    unsent: Unsent,
}

impl<const N: usize> Flight<N> {
    /// A flight without messages.
    pub(crate) const fn new() -> Self {
        Self { messages: heapless::Vec::new(), unsent: Unsent::Nothing }
    }

    /// Appends a message, whose body `body` writes. One that does not fit is a
    /// mistake in `N`.
    pub(crate) fn push(
        &mut self,
        kind: HandshakeType,
        sequence: u16,
        body: impl FnOnce(&mut Writer<'_>),
    ) {
        let start = self.messages.len();
        // Written where it belongs: a flight is too large to have it twice.
        let _ = self.messages.resize(N, 0);
        let room = self.messages.get_mut(start..).unwrap_or_default();
        let Some((head, room)) = room.split_first_chunk_mut() else {
            debug_assert!(false, "the flight is too small for its messages");
            return;
        };
        let mut writer = Writer::new(room);
        body(&mut writer);
        let written = writer.finish();
        debug_assert!(written.is_ok(), "the flight is too small for its messages");
        let length = written.unwrap_or_default();
        let header_length = u32::try_from(length).unwrap_or(u32::MAX);
        *head = MessageHeader { kind, sequence, length: header_length }.encode();
        self.messages.truncate(start.saturating_add(HEADER_LENGTH).saturating_add(length));
    }

    /// All messages, encoded whole: as they count in the transcript.
    pub(crate) fn messages(&self) -> &[u8] {
        &self.messages
    }

    /// Sends all of it, for the first time or again.
    pub(crate) fn queue(&mut self, now: Instant) {
        self.unsent = Unsent::From { since: now, message: 0, fragment: 0 };
    }

    /// Gives up what is still to be sent.
    pub(crate) fn cancel(&mut self) {
        self.unsent = Unsent::Nothing;
    }

    /// When something is to be sent: since it is.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        match self.unsent {
            Unsent::Nothing => None,
            Unsent::From { since, .. } => Some(Deadline::new(since, Reason::Output)),
        }
    }

    /// An upper bound for the bytes that are still to be sent in one datagram.
    pub(crate) fn unsent_length(&self) -> usize {
        match self.unsent {
            Unsent::Nothing => 0,
            Unsent::From { message, fragment, .. } => {
                let sent = usize::from(message).saturating_add(usize::from(fragment));
                let rest = self.messages.len().saturating_sub(sent);
                rest.saturating_add(record::HEADER_LENGTH)
            }
        }
    }

    /// Writes the next datagram, of at most `limit` bytes.
    pub(crate) fn poll_transmit(
        &mut self,
        plaintext: &mut PlaintextState,
        limit: usize,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if self.unsent == Unsent::Nothing {
            return Ok(None);
        }
        let buffer = sized(buffer, limit, self.unsent_length())?;
        Ok(Some(self.write_record(plaintext, limit, buffer)))
    }

    /// Writes one record with as many fragments as fit; gives its length.
    fn write_record(
        &mut self,
        plaintext: &mut PlaintextState,
        limit: usize,
        buffer: &mut [u8],
    ) -> usize {
        let Unsent::From { since, message, fragment } = self.unsent else { return 0 };
        let (mut message, mut fragment) = (usize::from(message), usize::from(fragment));
        let room = buffer.get_mut(record::HEADER_LENGTH..).unwrap_or_default();
        let size = room.len();
        let mut writer = Writer::new(room);
        let rest = self.messages.get(message..).unwrap_or_default();
        for whole in fragments(rest).into_iter().flatten() {
            let body = whole.body.get(fragment..).unwrap_or_default();
            let left = size.saturating_sub(writer.len()).saturating_sub(HEADER_LENGTH);
            let split =
                whole.body.len() > limit.saturating_sub(record::HEADER_LENGTH + HEADER_LENGTH);
            let has_room = size.saturating_sub(writer.len()) >= HEADER_LENGTH;
            if !has_room || (body.len() > left && (!split || left == 0)) {
                break;
            }
            let part = body.get(..left).unwrap_or(body);
            whole.header.write_fragment(&mut writer, fragment, part.len());
            writer.bytes(part);
            if part.len() < body.len() {
                fragment += part.len();
                break;
            }
            message += HEADER_LENGTH + whole.body.len();
            fragment = 0;
        }
        let length = writer.len();
        self.unsent = match (u16::try_from(message), u16::try_from(fragment)) {
            (Ok(message), Ok(fragment)) if usize::from(message) < self.messages.len() => {
                Unsent::From { since, message, fragment }
            }
            _ => Unsent::Nothing,
        };
        plaintext.frame(ContentType::Handshake, DTLS_1_2, length, buffer)
    }
}

/// The part of `buffer` that a datagram may fill; an error if it could not hold
/// one of `needed` bytes, or the limit if that is less.
fn sized(buffer: &mut [u8], limit: usize, needed: usize) -> Result<&mut [u8], BufferTooSmall> {
    let needed = needed.min(limit);
    let length = buffer.len().min(limit);
    buffer
        .get_mut(..length)
        .filter(|buffer| buffer.len() >= needed)
        .ok_or(BufferTooSmall { needed })
}

/// The length of a `ChangeCipherSpec` record and a protected `Finished` record.
const FINISHED_RECORDS: usize =
    record::HEADER_LENGTH + 1 + protection::OVERHEAD + HEADER_LENGTH + VERIFY_DATA_LENGTH;

/// The change to the new epoch: a `ChangeCipherSpec`, then the `Finished` in
/// epoch 1.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    sequence: u16,
    verify_data: [u8; VERIFY_DATA_LENGTH],
    /// When it was queued, until it is sent.
    queued: Option<Instant>,
}

impl Finished {
    /// A `Finished` with the number `sequence`.
    pub(crate) const fn new(sequence: u16, verify_data: [u8; VERIFY_DATA_LENGTH]) -> Self {
        Self { sequence, verify_data, queued: None }
    }

    /// Sends it, for the first time or again.
    pub(crate) fn queue(&mut self, now: Instant) {
        self.queued = Some(now);
    }

    /// When it is to be sent: since it is.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.queued.map(|since| Deadline::new(since, Reason::Output))
    }

    /// Writes it as a datagram of its own, if it is to be sent. Every datagram has
    /// room for it. The repetition of a record has a new sequence number (RFC 6347
    /// section 4.2.4).
    pub(crate) fn poll_transmit<P: Provider>(
        &mut self,
        provider: &P,
        plaintext: &mut PlaintextState,
        write: &mut WriteState<P>,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if self.queued.is_none() {
            return Ok(None);
        }
        if buffer.len() < FINISHED_RECORDS {
            return Err(BufferTooSmall { needed: FINISHED_RECORDS });
        }
        self.write(provider, plaintext, write, buffer).map(Some)
    }

    /// Writes both records; the caller has made sure of the room.
    fn write<P: Provider>(
        &mut self,
        provider: &P,
        plaintext: &mut PlaintextState,
        write: &mut WriteState<P>,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let change = plaintext.write(ContentType::ChangeCipherSpec, DTLS_1_2, &[1], buffer);
        let header = MessageHeader {
            kind: HandshakeType::FINISHED,
            sequence: self.sequence,
            length: VERIFY_DATA_LENGTH as u32,
        };
        let mut message = [0; HEADER_LENGTH + VERIFY_DATA_LENGTH];
        let mut writer = Writer::new(&mut message);
        header.write_fragment(&mut writer, 0, VERIFY_DATA_LENGTH);
        writer.bytes(&self.verify_data);
        let room = buffer.get_mut(change..).unwrap_or_default();
        let sealed = match write.seal(provider, ContentType::Handshake, &message, room) {
            Ok(sealed) => change.saturating_add(sealed),
            Err(SealError::BufferTooSmall(error)) => return Err(error),
            // It can't be sent any more: the peer waits in vain.
            Err(SealError::Exhausted) => 0,
        };
        self.queued = None;
        Ok(sealed)
    }
}

/// A flight that ends with a [`Finished`], behind its messages in epoch 0.
#[derive(Clone, Debug)]
pub(crate) struct FinishedFlight<const N: usize> {
    messages: Flight<N>,
    finished: Finished,
}

impl<const N: usize> FinishedFlight<N> {
    /// The flight of `messages` and `finished`.
    pub(crate) const fn new(messages: Flight<N>, finished: Finished) -> Self {
        Self { messages, finished }
    }

    /// Sends all of it, for the first time or again.
    pub(crate) fn queue(&mut self, now: Instant) {
        self.messages.queue(now);
        self.finished.queue(now);
    }

    /// When something is to be sent: since it is. The `Finished` is sent last.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.finished.deadline()
    }

    /// Writes the next datagram, of at most `limit` bytes. The repetition of a
    /// record has a new sequence number (RFC 6347 section 4.2.4).
    pub(crate) fn poll_transmit<P: Provider>(
        &mut self,
        provider: &P,
        plaintext: &mut PlaintextState,
        write: &mut WriteState<P>,
        limit: usize,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if self.deadline().is_none() {
            return Ok(None);
        }
        let needed = self.messages.unsent_length().saturating_add(FINISHED_RECORDS);
        let buffer = sized(buffer, limit, needed)?;
        let mut length = 0;
        if self.messages.deadline().is_some() {
            length = self.messages.write_record(plaintext, limit, buffer);
        }
        let room = buffer.get_mut(length..).unwrap_or_default();
        if self.messages.deadline().is_some() || room.len() < FINISHED_RECORDS {
            return Ok(Some(length));
        }
        let finished = self.finished.write(provider, plaintext, write, room)?;
        Ok(Some(length.saturating_add(finished)))
    }
}
