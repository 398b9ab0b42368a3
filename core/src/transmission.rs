//! The IoT-Transmission-Protocol: what a device, its gateway and the cloud say
//! to each other once they share a session (SPEC.md section 10).
//!
//! Each message is one application record of DTLS. DTLS repeats none of them, so
//! the protocol does: a *request* is repeated by whoever asks until it is
//! answered or its deadline passes ([`Requests`]); an *answer* is repeated only
//! because its request came again ([`Responses`]). Both are kept apart from the
//! session that carries them, so they outlive it.
//!
//! Data, by which nothing changes, may be asked for any number of times:
//!
//! ```text
//! gateway                                                   device
//!    | DataRequest 7 [temperature]                             |
//!    |-------------------------------------------------------->|
//!    |                           DataResponse 7 [21.5 Cel]     |
//!    |          (lost) <---------------------------------------|
//!    | DataRequest 7, after 2 s, 4 s, 8 s … 60 s               |
//!    |-------------------------------------------------------->|
//!    |<--------------------------------------------------------|
//! ```
//!
//! A command runs once, however often it arrives. Its status is kept, and sent
//! again when the command comes again; a status that is no longer kept is
//! answered with [`ErrorCode::AlreadyDone`], never by running the command again:
//!
//! ```text
//! gateway                                                   device
//!    | Command 8 switch true                                   |
//!    |-------------------------------------------------------->|  runs
//!    | Command 8                                               |
//!    |-------------------------------------------------------->|  still running:
//!    |                               Acknowledgement 8         |
//!    |<--------------------------------------------------------|  asked less often
//!    |                               CommandStatus 8 done      |
//!    |<--------------------------------------------------------|
//! ```
//!
//! An alert has no deadline: it is kept until it is acknowledged. So are
//! revocations, network keys and the presence of devices, on their own paths:
//!
//! ```text
//! device                      gateway                        cloud
//!    | Alert 3                   | Alert 41 (of the device)    |
//!    |-------------------------->|---------------------------->|
//!    |       Acknowledgement 3   |          Acknowledgement 41 |
//!    |<--------------------------|<----------------------------|
//! ```
//!
//! A sleepy device says when it wakes, and is told when it may sleep again:
//!
//! ```text
//! device                                                   gateway
//!    | Awake 4                                                 |
//!    |-------------------------------------------------------->|
//!    |                 DataRequest 9, more is waiting          |
//!    |<--------------------------------------------------------|
//!    | DataResponse 9                                          |
//!    |-------------------------------------------------------->|
//!    |                 Acknowledgement 4, nothing waiting      |
//!    |<--------------------------------------------------------|  sleeps
//! ```
//!
//! The ids of a party's requests count up from 1 for as long as it lives: for
//! one *incarnation*. A new session between the same incarnations changes
//! nothing in [`Requests`] and [`Responses`] but that what is unanswered is sent
//! again at once. What a new incarnation of the peer asks is counted anew
//! ([`Responses::reset`]), and a command that its old one may have run is given
//! up ([`Requests::handle_peer_restart`]).

#[macro_use]
mod registry;

mod fields;
mod label;
mod message;
#[cfg(feature = "alloc")]
mod owned;
mod reading;
mod requests;
mod responses;
mod stored;
#[cfg(feature = "alloc")]
mod tally;
mod unit;

#[cfg(test)]
mod tests;

pub use label::{Label, MAX_LABEL};
pub use message::{
    Body, CommandState, EncodeError, ErrorCode, Hidden, Kind, MAX_ITEMS, MAX_NAME, MAX_OBJECT,
    MAX_TEXT, Message, MessageId, PresenceState, Rejected, Severity,
};
#[cfg(feature = "alloc")]
pub use owned::{OwnedLabel, OwnedReading, OwnedValue};
pub use reading::{MAX_VALUE, Reading, Value};
pub use requests::{
    Answered, Cause, GivenUp, INITIAL_INTERVAL, LONGEST_INTERVAL, Refused, Requests,
};
pub use responses::{AnswerError, PATIENCE, Responses, Ticket, Verdict};
#[cfg(feature = "alloc")]
pub use tally::{Sent, Tally};
pub use unit::Unit;

/// How far the ids of a party's unanswered requests may lie apart: the receiver
/// remembers this many ids, so every request that may still come is one that it
/// can tell from a repetition.
pub const WINDOW: u32 = 64;
