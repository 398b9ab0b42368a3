//! The requests of a peer: carried out once, however often they arrive.

use core::time::Duration;

use super::message::Reply;
use super::stored::Stored;
use super::{Body, EncodeError, ErrorCode, Kind, Message, MessageId, WINDOW};
use crate::identity::PartyId;
use crate::time::Instant;
use crate::wire::BufferTooSmall;

/// How long a request that is not answered holds its place against new ones.
///
/// If the place is then needed, it is given up: a command for good, since it may
/// have been begun; any other request is new when it comes again.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The requests that one peer has made.
///
/// It remembers which of the last [`WINDOW`] ids it has seen, and in `KEPT`
/// places the requests that are being carried out, and the encoded answers, at
/// most `SIZE` bytes each, to the last commands. Answers to data requests are not
/// kept: the request is carried out again when it comes again, since nothing
/// changes by it. Acknowledgements are not kept either: there is nothing in them
/// that would have to be the same.
///
/// It belongs to the pair of incarnations: it is kept when a session is replaced,
/// and forgotten when the peer begins anew ([`Responses::reset`]).
pub struct Responses<const KEPT: usize, const SIZE: usize> {
    generation: u16,
    highest: u32,
    /// Bit `n` is set if the id `highest - n` was seen.
    seen: u64,
    places: [Option<Place<SIZE>>; KEPT],
}

struct Place<const SIZE: usize> {
    id: MessageId,
    kind: Kind,
    state: State<SIZE>,
}

enum State<const SIZE: usize> {
    /// It is being carried out.
    Open { since: Instant },
    /// It was carried out, and answered so.
    Answered(Stored<SIZE>),
}

/// A request that is being carried out, and is owed one answer. It ends with the
/// incarnation of the peer that made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    id: MessageId,
    generation: u16,
}

impl Ticket {
    /// The request's id.
    #[must_use]
    pub const fn id(self) -> MessageId {
        self.id
    }
}

/// What is to be done with a request that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// To be carried out, and answered by [`Responses::answer`].
    New(Ticket),
    /// It is being carried out: to be answered by an acknowledgement if it is a
    /// command or data request, and else not at all.
    InProgress,
    /// It was carried out: this encoded answer is to be sent again.
    Answered(&'a [u8]),
    /// It was acknowledged, and is to be acknowledged again; nothing else.
    Acknowledged,
    /// To be answered by an error of this code, without doing anything:
    /// [`ErrorCode::Busy`], as every place is taken by a request that is being
    /// carried out (the request may come again, and is then new);
    /// [`ErrorCode::AlreadyDone`], as its answer is not kept any more; or
    /// [`ErrorCode::Expired`], as it lies behind the window.
    Refused(ErrorCode),
}

/// An answer was not accepted; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// The request was answered, given up after [`PATIENCE`], or made by an
    /// earlier incarnation of the peer.
    NotOpen,
    /// The message can't be an answer to this kind of request.
    NotItsAnswer,
    /// A field of the message is out of its limits.
    OutOfLimits,
    /// The encoded answer to the command is longer than a place.
    TooLarge {
        /// The length that would suffice, in bytes.
        needed: usize,
    },
    /// The buffer is too small; nothing is lost.
    BufferTooSmall(BufferTooSmall),
}

impl core::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotOpen => f.write_str("the request does not wait for an answer"),
            Self::NotItsAnswer => f.write_str("the message is no answer to this kind of request"),
            Self::OutOfLimits => f.write_str("a field of the answer is out of its limits"),
            Self::TooLarge { needed } => write!(f, "the answer is too large: {needed} bytes"),
            Self::BufferTooSmall(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AnswerError {}

impl From<EncodeError> for AnswerError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::BufferTooSmall(error) => Self::BufferTooSmall(error),
            EncodeError::OutOfLimits => Self::OutOfLimits,
        }
    }
}

impl<const KEPT: usize, const SIZE: usize> Responses<KEPT, SIZE> {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self { generation: 0, highest: 0, seen: 0, places: core::array::from_fn(|_| None) }
    }

    /// Forgets everything, since the peer began a new incarnation and counts its
    /// ids from 1 again. Tickets for its old requests are void.
    pub fn reset(&mut self) {
        *self = Self { generation: self.generation.wrapping_add(1), ..Self::new() };
    }

    /// Takes the request `id` of kind `kind`, which came from the peer.
    pub fn receive(&mut self, now: Instant, id: MessageId, kind: Kind) -> Verdict<'_> {
        let age = self.highest.saturating_sub(id.0);
        if age >= WINDOW {
            return Verdict::Refused(ErrorCode::Expired);
        }
        if let Some(index) = self.index_of(id) {
            return match self.places.get(index) {
                Some(Some(Place { state: State::Answered(answer), .. })) => {
                    Verdict::Answered(answer.bytes())
                }
                _ => Verdict::InProgress,
            };
        }
        let seen = id.0 <= self.highest && self.seen & bit(age) != 0;
        if seen && !kind.is_repeatable() {
            return match kind {
                Kind::Command => Verdict::Refused(ErrorCode::AlreadyDone),
                _ => Verdict::Acknowledged,
            };
        }
        // A request that finds no place leaves no trace, so that it is new when
        // it comes again.
        let Some(place) = self.free_place(now) else {
            return Verdict::Refused(ErrorCode::Busy);
        };
        let former = place.replace(Place { id, kind, state: State::Open { since: now } });
        self.mark_seen(id);
        if let Some(Place { id, kind, state: State::Open { .. } }) = former
            && kind != Kind::Command
        {
            self.unmark_seen(id);
        }
        Verdict::New(Ticket { id, generation: self.generation })
    }

    /// Answers a request: encodes `body` into `buffer`, to be sent now, and keeps
    /// it if the request was a command. Returns the length.
    ///
    /// An acknowledgement of a command or data request, and
    /// [`ErrorCode::Busy`], are not the last word: after the former the request
    /// stays open, after the latter it is new when it comes again.
    ///
    /// # Errors
    /// [`AnswerError`]; nothing was changed.
    pub fn answer(
        &mut self,
        ticket: Ticket,
        subject: Option<PartyId>,
        body: Body<'_>,
        buffer: &mut [u8],
    ) -> Result<usize, AnswerError> {
        let place = Some(ticket)
            .filter(|ticket| ticket.generation == self.generation)
            .and_then(|ticket| self.index_of(ticket.id))
            .and_then(|index| self.places.get_mut(index))
            .ok_or(AnswerError::NotOpen)?;
        let Some(Place { kind, state: state @ State::Open { .. }, .. }) = place else {
            return Err(AnswerError::NotOpen);
        };
        let kind = *kind;
        let reply = body.reply_to(kind).ok_or(AnswerError::NotItsAnswer)?;
        let is_error = body.kind() == Kind::Error;
        let message = Message { id: ticket.id, subject, body };
        let length = message.encode(buffer)?;
        match reply {
            Reply::InProgress => {}
            Reply::Final if kind == Kind::Command => {
                *state =
                    State::Answered(Stored::encode(&message).map_err(|error| match error {
                        EncodeError::BufferTooSmall(BufferTooSmall { needed }) => {
                            AnswerError::TooLarge { needed }
                        }
                        EncodeError::OutOfLimits => AnswerError::OutOfLimits,
                    })?);
            }
            Reply::Final | Reply::Busy => {
                *place = None;
                // What was not acknowledged must not be taken for acknowledged
                // when it comes again.
                if is_error {
                    self.unmark_seen(ticket.id);
                }
            }
        }
        Ok(length)
    }

    fn index_of(&self, id: MessageId) -> Option<usize> {
        self.places.iter().position(|place| place.as_ref().is_some_and(|place| place.id == id))
    }

    /// A place that is empty, or can be given up: the oldest answer, or the
    /// oldest request that the caller has not answered in time.
    fn free_place(&mut self, now: Instant) -> Option<&mut Option<Place<SIZE>>> {
        self.places
            .iter_mut()
            .filter_map(|place| {
                let (rank, id) = match place.as_ref() {
                    None => (0, MessageId(0)),
                    Some(Place { id, state: State::Answered(_), .. }) => (1, *id),
                    Some(Place { id, state: State::Open { since }, .. }) => {
                        (2, Some(*id).filter(|_| now.since(*since) >= PATIENCE)?)
                    }
                };
                Some(((rank, id), place))
            })
            .min_by_key(|(order, _)| *order)
            .map(|(_, place)| place)
    }

    fn mark_seen(&mut self, id: MessageId) {
        let ahead = id.0.saturating_sub(self.highest);
        if ahead > 0 {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0);
            self.highest = id.0;
        }
        self.seen |= bit(self.highest.saturating_sub(id.0));
    }

    fn unmark_seen(&mut self, id: MessageId) {
        self.seen &= !bit(self.highest.saturating_sub(id.0));
    }
}

impl<const KEPT: usize, const SIZE: usize> Default for Responses<KEPT, SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

/// The bit of the id that lies `age` behind the highest; none behind the window.
fn bit(age: u32) -> u64 {
    1_u64.checked_shl(age).unwrap_or(0)
}

#[cfg(test)]
mod tests;
