//! The messages, and what their fields may hold.

mod codec;
mod kind;

use heapless::Vec;
use subtle::ConstantTimeEq as _;

pub use self::codec::{EncodeError, Rejected};
pub use self::kind::Kind;
use super::{Label, Reading, Value};
use crate::identity::PartyId;

/// The most labels or readings in one message.
pub const MAX_ITEMS: usize = 8;
/// The longest text of an alert or error, in bytes.
pub const MAX_TEXT: usize = 64;
/// The longest name of a device, in bytes.
pub const MAX_NAME: usize = 32;
/// The longest encoded network key or revocation, in bytes.
pub const MAX_OBJECT: usize = 256;

/// What a request is called: its number among those of the party that makes it,
/// from 1 for as long as that party lives. An answer has the id of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(
    /// The number; never 0 on the wire.
    pub u32,
);

impl core::fmt::Display for MessageId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&self.0, f)
    }
}

/// A message of the IoT-Transmission-Protocol: one application record.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// The request's id, in the request and in its answers.
    pub id: MessageId,
    /// The device that it is about; between gateway and cloud only.
    pub subject: Option<PartyId>,
    /// What it says.
    pub body: Body<'a>,
}

/// What a message says: a request, or an answer to one.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// Request: what do these measure?
    DataRequest {
        /// What is asked for, at most [`MAX_ITEMS`]; all that there is if empty.
        labels: Vec<Label<'a>, MAX_ITEMS>,
        /// Nothing more is waiting for the receiver: when it has answered, it
        /// may sleep.
        nothing_waiting: bool,
    },
    /// Answer to a data request.
    DataResponse {
        /// The readings, at most [`MAX_ITEMS`].
        readings: Vec<Reading<'a>, MAX_ITEMS>,
    },
    /// Request: do this, once.
    Command {
        /// What it acts on.
        label: Label<'a>,
        /// What it is to become, or how it is to be done.
        argument: Value<'a>,
        /// As in a data request.
        nothing_waiting: bool,
        /// For how many seconds after it was received it may still be begun or
        /// passed on; `None` for as long as it takes. So a gateway does not
        /// wake a sleepy device with a command that the cloud has given up.
        lifetime: Option<u32>,
    },
    /// Answer to a command: how it ended.
    CommandStatus {
        /// How.
        state: CommandState,
        /// What came of it.
        result: Option<Value<'a>>,
    },
    /// Request: take note of this.
    Alert {
        /// How bad it is.
        severity: Severity,
        /// What was measured.
        reading: Reading<'a>,
        /// A remark of at most [`MAX_TEXT`] bytes; may be empty.
        text: &'a str,
    },
    /// Answer to any request: it is not carried out, or not again.
    Error {
        /// Why.
        code: ErrorCode,
        /// A remark of at most [`MAX_TEXT`] bytes; may be empty.
        text: &'a str,
    },
    /// Answer: received. It is the last word on an alert, awake, network key,
    /// revocation or presence; on a data request or command it only says that
    /// the answer takes a while.
    Acknowledgement {
        /// As in a data request.
        nothing_waiting: bool,
    },
    /// Request of a device: I am awake, what is waiting? The gateway
    /// acknowledges it, after whatever is waiting.
    Awake,
    /// Request of a gateway: use this network key from now on.
    NetworkKey {
        /// The encoded key, at most [`MAX_OBJECT`] bytes.
        key: Hidden<'a>,
    },
    /// Request: this certificate is revoked.
    Revocation {
        /// The encoded revocation, at most [`MAX_OBJECT`] bytes.
        revocation: &'a [u8],
    },
    /// Request of a gateway to its cloud: the device that is the subject came
    /// or went.
    Presence {
        /// What it did.
        state: PresenceState,
        /// Its name, at most [`MAX_NAME`] bytes.
        name: &'a str,
    },
    /// Request of a gateway to its cloud: take note of these readings of the
    /// device that is the subject, which the gateway had asked for.
    Report {
        /// The readings, at most [`MAX_ITEMS`].
        readings: Vec<Reading<'a>, MAX_ITEMS>,
    },
    /// Request of the less constrained side: negotiate a new key, and connect
    /// with it; this session stays until then.
    Renegotiation,
}

impl Body<'static> {
    /// An error without a remark.
    #[must_use]
    pub const fn error(code: ErrorCode) -> Self {
        Self::Error { code, text: "" }
    }
}

impl Body<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::DataRequest { .. } => Kind::DataRequest,
            Self::DataResponse { .. } => Kind::DataResponse,
            Self::Command { .. } => Kind::Command,
            Self::CommandStatus { .. } => Kind::CommandStatus,
            Self::Alert { .. } => Kind::Alert,
            Self::Error { .. } => Kind::Error,
            Self::Acknowledgement { .. } => Kind::Acknowledgement,
            Self::Awake => Kind::Awake,
            Self::NetworkKey { .. } => Kind::NetworkKey,
            Self::Revocation { .. } => Kind::Revocation,
            Self::Presence { .. } => Kind::Presence,
            Self::Report { .. } => Kind::Report,
            Self::Renegotiation => Kind::Renegotiation,
        }
    }

    /// What it says to a request of kind `request`; `None` if it can't be an
    /// answer to it.
    pub(super) fn reply_to(&self, request: Kind) -> Option<Reply> {
        match (self, request) {
            (Self::DataResponse { .. }, Kind::DataRequest)
            | (Self::CommandStatus { .. }, Kind::Command) => Some(Reply::Final),
            (Self::Acknowledgement { .. }, Kind::DataRequest | Kind::Command) => {
                Some(Reply::InProgress)
            }
            (Self::Error { code: ErrorCode::Busy, .. }, _) if request.is_request() => {
                Some(Reply::Busy)
            }
            (Self::Error { .. } | Self::Acknowledgement { .. }, _) if request.is_request() => {
                Some(Reply::Final)
            }
            _ => None,
        }
    }

    /// The sleepy-device flag, of the kinds of request that have one.
    pub(super) fn nothing_waiting_mut(&mut self) -> Option<&mut bool> {
        match self {
            Self::DataRequest { nothing_waiting, .. } | Self::Command { nothing_waiting, .. } => {
                Some(nothing_waiting)
            }
            _ => None,
        }
    }

    fn is_within_limits(&self) -> bool {
        match self {
            Self::DataRequest { labels, .. } => labels.iter().all(Label::is_within_limits),
            Self::DataResponse { readings } | Self::Report { readings } => {
                readings.iter().all(Reading::is_within_limits)
            }
            Self::Command { label, argument, .. } => {
                label.is_within_limits() && argument.is_within_limits()
            }
            Self::CommandStatus { result, .. } => {
                result.is_none_or(|value| value.is_within_limits())
            }
            Self::Alert { reading, text, .. } => {
                reading.is_within_limits() && text.len() <= MAX_TEXT
            }
            Self::Error { text, .. } => text.len() <= MAX_TEXT,
            Self::Acknowledgement { .. } | Self::Awake | Self::Renegotiation => true,
            Self::NetworkKey { key } => key.0.len() <= MAX_OBJECT,
            Self::Revocation { revocation } => revocation.len() <= MAX_OBJECT,
            Self::Presence { name, .. } => name.len() <= MAX_NAME,
        }
    }
}

/// What an answer says about its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The last word.
    Final,
    /// The last word is still to come.
    InProgress,
    /// It was not taken; it may be asked again.
    Busy,
}

/// Bytes that hold a secret: not shown, and compared in constant time.
#[derive(Clone, Copy)]
pub struct Hidden<'a>(
    /// The bytes.
    pub &'a [u8],
);

impl core::fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl PartialEq for Hidden<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0).into()
    }
}

impl Eq for Hidden<'_> {}

registry! {
    /// How a command ended.
    pub enum CommandState {
        /// It was carried out.
        Done = 1, "done";
        /// It was begun and did not succeed.
        Failed = 2, "failed";
        /// The device does not want to carry it out.
        Refused = 3, "refused";
        /// The device has nothing of this label that could be commanded.
        Unknown = 4, "unknown";
        /// Its time passed before it was begun.
        Expired = 5, "expired";
        /// It was passed on to the device, which did not say how it ended: it
        /// did not answer in time, or restarted meanwhile.
        Uncertain = 6, "uncertain";
    }
}

registry! {
    /// How bad it is, what an alert tells.
    pub enum Severity {
        /// Nobody needs to do anything.
        Information = 1, "information";
        /// Somebody should have a look.
        Warning = 2, "warning";
        /// Somebody must do something now.
        Critical = 3, "critical";
    }
}

registry! {
    /// Why a request is not carried out, or not again.
    pub enum ErrorCode {
        /// It could not be decoded.
        Malformed = 1, "malformed";
        /// Its kind is not known, or not served by this role.
        UnknownKind = 2, "unknown kind";
        /// It asks for something that is not measured here.
        UnknownLabel = 3, "unknown label";
        /// Its answer would not fit into one message.
        TooLarge = 4, "too large";
        /// The sender has no right to it.
        NotPermitted = 5, "not permitted";
        /// The device that it is about is not known here.
        UnknownSubject = 6, "unknown subject";
        /// There is no room for it now. It is the one code that does not end
        /// the request: it is repeated until its deadline.
        Busy = 7, "busy";
        /// It is too old to tell whether it was carried out before, or its time
        /// passed.
        Expired = 8, "expired";
        /// It was carried out before, and what came of it is not kept any more.
        AlreadyDone = 9, "already done";
        /// The device that it is about can't be reached.
        Unreachable = 10, "unreachable";
        /// Something is wrong with whoever was asked.
        Internal = 11, "internal error";
    }
}

/// What a device did, as its gateway tells the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceState {
    /// It has a session now.
    Connected,
    /// It has none any more.
    Disconnected,
    /// It was refused one, for the reason with this code in the registry of
    /// refusals (SPEC.md section 9.5).
    Refused(u8),
}

#[cfg(test)]
mod tests;
