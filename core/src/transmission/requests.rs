//! The requests of a party: repeated until they are answered.

use core::time::Duration;

use super::message::Reply;
use super::stored::Stored;
use super::{Body, EncodeError, Kind, Message, MessageId, WINDOW};
use crate::identity::PartyId;
use crate::time::{Deadline, Instant, Reason, doubled};
use crate::wire::{BufferTooSmall, cbor, copy};

/// How long a request that was sent for the first time waits for its answer. It
/// doubles from one repetition to the next, up to [`LONGEST_INTERVAL`].
pub const INITIAL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest time between two repetitions; also the time after which a request
/// is repeated whose receiver said that it is at work, or busy.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// The requests that a party has sent to one peer, or has waiting for it.
///
/// At most `PENDING` at a time, each at most `SIZE` bytes encoded. It belongs to
/// the pair of incarnations, not to a session: it is kept when a session is
/// replaced ([`Requests::restart`]), and while there is none or the peer sleeps
/// ([`Requests::set_peer_listening`]).
pub struct Requests<const PENDING: usize, const SIZE: usize> {
    last: u32,
    limit: u16,
    peer_listening: bool,
    pending: [Option<Pending<SIZE>>; PENDING],
}

struct Pending<const SIZE: usize> {
    id: MessageId,
    kind: Kind,
    expires: Option<Instant>,
    was_sent: bool,
    progress: Progress,
    message: Stored<SIZE>,
}

#[derive(Clone, Copy)]
enum Progress {
    /// Sent `sent` times without an answer, and to be sent again when `due`.
    Unanswered { due: Instant, sent: u8 },
    /// The peer is at work on it; to be sent again when `due`.
    Accepted { due: Instant },
    /// It was given up at an instant, as the owner is still to be told.
    GivenUp { at: Instant, cause: Cause },
}

/// A request was not accepted; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All places are taken, or the oldest request is [`WINDOW`] ids behind. A
    /// place becomes free when a request is answered, cancelled, or reported by
    /// [`Requests::poll_event`].
    Full,
    /// The encoded request is longer than a place, or than the limit: it needs
    /// this many bytes.
    TooLarge {
        /// The length that would suffice, in bytes.
        needed: usize,
    },
    /// A field of the message is out of its limits.
    OutOfLimits,
    /// The message is an answer.
    NotARequest,
    /// The ids are used up; the party must begin a new incarnation.
    Exhausted,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("too many requests are waiting for an answer"),
            Self::TooLarge { needed } => write!(f, "the request is too large: {needed} bytes"),
            Self::OutOfLimits => f.write_str("a field of the request is out of its limits"),
            Self::NotARequest => f.write_str("the message is an answer, not a request"),
            Self::Exhausted => f.write_str("the ids of this incarnation are used up"),
        }
    }
}

impl core::error::Error for Refused {}

/// What an answer did to the request that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is done with; this was its kind.
    Final(Kind),
    /// The peer is at work on it, or busy: the request is repeated, less often,
    /// until the last word or its deadline.
    Deferred(Kind),
}

/// A request that was given up without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The request's id.
    pub id: MessageId,
    /// The request's kind.
    pub kind: Kind,
    /// Why.
    pub cause: Cause,
    /// Whether it was ever sent: if so, the peer may have carried it out.
    pub was_sent: bool,
}

/// Why a request was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its deadline passed.
    Expired,
    /// The peer began a new incarnation, which can't tell whether the old one
    /// carried out the command.
    PeerRestarted,
}

impl<const PENDING: usize, const SIZE: usize> Requests<PENDING, SIZE> {
    /// No requests yet, and a peer that isn't listening.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(SIZE)
    }

    /// The same, for sessions that carry payloads of at most `limit` bytes: a
    /// longer request is refused.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            last: 0,
            limit: u16::try_from(limit).unwrap_or(u16::MAX),
            peer_listening: false,
            pending: core::array::from_fn(|_| None),
        }
    }

    /// Takes a request, to be sent at once if the peer listens, and repeated
    /// until it is answered or `expires`; without a deadline it is kept until it
    /// is answered.
    ///
    /// If `body` says that nothing more is waiting for the receiver, this is
    /// withdrawn in every copy that is sent while another request waits here.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed.
    pub fn send(
        &mut self,
        now: Instant,
        body: Body<'_>,
        subject: Option<PartyId>,
        expires: Option<Instant>,
    ) -> Result<MessageId, Refused> {
        let kind = body.kind();
        if !kind.is_request() {
            return Err(Refused::NotARequest);
        }
        let id = MessageId(self.last.checked_add(1).ok_or(Refused::Exhausted)?);
        let oldest = self.pending.iter().flatten().map(|pending| pending.id.0).min();
        if oldest.is_some_and(|oldest| id.0.saturating_sub(oldest) >= WINDOW) {
            return Err(Refused::Full);
        }
        let place = self.pending.iter_mut().find(|place| place.is_none()).ok_or(Refused::Full)?;
        let message: Stored<SIZE> =
            Stored::encode(&Message { id, subject, body }).map_err(|error| match error {
                EncodeError::BufferTooSmall(BufferTooSmall { needed }) => {
                    Refused::TooLarge { needed }
                }
                EncodeError::OutOfLimits => Refused::OutOfLimits,
            })?;
        let needed = message.bytes().len();
        if needed > usize::from(self.limit) {
            return Err(Refused::TooLarge { needed });
        }
        let progress = Progress::Unanswered { due: now, sent: 0 };
        *place = Some(Pending { id, kind, expires, was_sent: false, progress, message });
        self.last = id.0;
        Ok(id)
    }

    /// Forgets a request; whether there was one.
    pub fn cancel(&mut self, id: MessageId) -> bool {
        self.place_of(id).and_then(Option::take).is_some()
    }

    /// Takes the deadline of a request away, so that it is kept until it is answered;
    /// whether there is such a request, and it was not given up.
    pub(crate) fn keep(&mut self, id: MessageId) -> bool {
        let place = self.place_of(id).and_then(Option::as_mut);
        let Some(pending) = place.filter(|pending| pending.is_live()) else { return false };
        pending.expires = None;
        true
    }

    /// Takes an answer of the peer. `None` if it belongs to no request that is
    /// waiting for it, or can't be an answer to it: it is to be dropped.
    pub fn handle_answer(&mut self, now: Instant, answer: &Message<'_>) -> Option<Answered> {
        let place = self.place_of(answer.id)?;
        let pending = place.as_mut().filter(|pending| pending.is_live())?;
        let kind = pending.kind;
        match answer.body.reply_to(kind)? {
            Reply::Final => {
                *place = None;
                Some(Answered::Final(kind))
            }
            reply @ (Reply::InProgress | Reply::Busy) => {
                let due = now + LONGEST_INTERVAL;
                pending.progress = match reply {
                    Reply::InProgress => Progress::Accepted { due },
                    _ => Progress::Unanswered { due, sent: u8::MAX },
                };
                Some(Answered::Deferred(kind))
            }
        }
    }

    /// Whether the peer can hear: false while there is no session, or the peer
    /// sleeps. While it can't, nothing is sent, but deadlines pass. As soon as
    /// it can again, all that is unanswered is due, as in [`Requests::restart`].
    pub fn set_peer_listening(&mut self, now: Instant, listening: bool) {
        if listening && !self.peer_listening {
            self.restart(now);
        }
        self.peer_listening = listening;
    }

    /// Whether the peer can hear, as it was last set.
    #[must_use]
    pub const fn is_peer_listening(&self) -> bool {
        self.peer_listening
    }

    /// Takes note that a session with the peer stands, with the incarnation of
    /// before or a new one: [`Requests::restart`] or
    /// [`Requests::handle_peer_restart`], and the peer listens.
    pub fn handle_session(&mut self, now: Instant, new_incarnation: bool) {
        if new_incarnation {
            self.handle_peer_restart(now);
        } else {
            self.restart(now);
        }
        self.peer_listening = true;
    }

    /// Makes all that is unanswered due at once, with the ids that it has: the
    /// session was replaced, or a sleepy peer says that it is awake.
    pub fn restart(&mut self, now: Instant) {
        for pending in self.pending.iter_mut().flatten().filter(|pending| pending.is_live()) {
            pending.progress = Progress::Unanswered { due: now, sent: 0 };
        }
    }

    /// Takes note that the peer began a new incarnation, which remembers no
    /// request of ours. Commands that were sent are given up, since nobody can
    /// tell whether they ran, and they must not run twice; everything else is
    /// due at once, as in [`Requests::restart`].
    pub fn handle_peer_restart(&mut self, now: Instant) {
        self.restart(now);
        for pending in self.pending.iter_mut().flatten() {
            if pending.kind == Kind::Command && pending.was_sent && pending.is_live() {
                pending.progress = Progress::GivenUp { at: now, cause: Cause::PeerRestarted };
            }
        }
    }

    /// Whether no request waits for an answer, or to be reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.iter().all(Option::is_none)
    }

    /// Whether nothing here waits for the peer, but what it is at work on: what
    /// the flag `nothing_waiting` of an acknowledgement is to say.
    #[must_use]
    pub fn nothing_waiting(&self) -> bool {
        self.unanswered() == 0
    }

    /// Gives up the requests whose deadline passed; see
    /// [`Requests::poll_event`].
    pub fn handle_timeout(&mut self, now: Instant) {
        for pending in self.pending.iter_mut().flatten() {
            if let Some(at) = pending.expires.filter(|at| *at <= now)
                && pending.is_live()
            {
                pending.progress = Progress::GivenUp { at, cause: Cause::Expired };
            }
        }
    }

    /// Writes the next request that is due into `buffer`; returns its length, or
    /// `None` if none is due.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the request stays due.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if !self.peer_listening {
            return Ok(None);
        }
        let unanswered = self.unanswered();
        let next = self
            .pending
            .iter_mut()
            .flatten()
            .filter_map(|pending| Some((pending.due(now)?, pending)))
            .min_by_key(|(due, pending)| (*due, pending.id));
        let Some((_, pending)) = next else { return Ok(None) };
        let others = unanswered.saturating_sub(usize::from(pending.is_unanswered()));
        let length = write(pending.message.bytes(), others == 0, buffer)?;
        pending.was_sent = true;
        pending.progress = match pending.progress {
            Progress::Unanswered { sent, .. } => {
                Progress::Unanswered { due: now + interval(sent), sent: sent.saturating_add(1) }
            }
            Progress::Accepted { .. } => Progress::Accepted { due: now + LONGEST_INTERVAL },
            given_up @ Progress::GivenUp { .. } => given_up,
        };
        Ok(Some(length))
    }

    /// The next request that was given up; its place is then free.
    pub fn poll_event(&mut self) -> Option<GivenUp> {
        self.pending.iter_mut().find_map(|place| {
            let Some(Pending { id, kind, was_sent, progress, .. }) = place else { return None };
            let Progress::GivenUp { cause, .. } = *progress else { return None };
            let event = GivenUp { id: *id, kind: *kind, cause, was_sent: *was_sent };
            *place = None;
            Some(event)
        })
    }

    /// When to call [`Requests::handle_timeout`], [`Requests::poll_transmit`] and
    /// [`Requests::poll_event`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.pending
            .iter()
            .flatten()
            .map(|pending| pending.deadline(self.peer_listening))
            .fold(None, Deadline::earlier)
    }

    fn place_of(&mut self, id: MessageId) -> Option<&mut Option<Pending<SIZE>>> {
        self.pending.iter_mut().find(|place| place.as_ref().is_some_and(|pending| pending.id == id))
    }

    fn unanswered(&self) -> usize {
        self.pending.iter().flatten().filter(|pending| pending.is_unanswered()).count()
    }
}

impl<const PENDING: usize, const SIZE: usize> Default for Requests<PENDING, SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SIZE: usize> Pending<SIZE> {
    fn is_live(&self) -> bool {
        !matches!(self.progress, Progress::GivenUp { .. })
    }

    fn is_unanswered(&self) -> bool {
        matches!(self.progress, Progress::Unanswered { .. })
    }

    /// Since when it is due, if it is at `now`.
    fn due(&self, now: Instant) -> Option<Instant> {
        let is_over = self.expires.is_some_and(|at| at <= now);
        match self.progress {
            Progress::Unanswered { due, .. } | Progress::Accepted { due } => {
                Some(due).filter(|due| *due <= now && !is_over)
            }
            Progress::GivenUp { .. } => None,
        }
    }

    fn deadline(&self, peer_listening: bool) -> Option<Deadline> {
        let transmission = match self.progress {
            Progress::GivenUp { at, .. } => return Some(Deadline::new(at, Reason::Output)),
            Progress::Unanswered { due, sent: 0 } => Deadline::new(due, Reason::Output),
            Progress::Unanswered { due, .. } | Progress::Accepted { due } => {
                Deadline::new(due, Reason::Retransmission)
            }
        };
        let expiry = self.expires.map(|at| Deadline::new(at, Reason::Expiry));
        Deadline::earlier(expiry, Some(transmission).filter(|_| peer_listening))
    }
}

/// Writes the encoded request `message`, which is the last one that waits or
/// not.
fn write(message: &[u8], is_last: bool, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
    if !is_last
        && let Ok(mut message) = Message::decode(message)
        && let Some(nothing_waiting) = message.body.nothing_waiting_mut()
    {
        *nothing_waiting = false;
        return cbor::encode(&message, buffer);
    }
    let needed = message.len();
    copy(message, buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?);
    Ok(needed)
}

/// The time from a transmission to the next, after `sent` before it.
fn interval(sent: u8) -> Duration {
    doubled(INITIAL_INTERVAL, sent.into()).min(LONGEST_INTERVAL)
}

#[cfg(test)]
mod tests;
