//! Messages as CBOR: `[kind, id, …the fields of the body, ?subject]`.
//!
//! The one optional field that a body may have stands last. It is left out at
//! the end of the array, and null in front of a subject, so that the place of an
//! element alone says what it is.

use heapless::Vec;
use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Encode, Encoder};

use super::{Body, ErrorCode, Hidden, Kind, MAX_ITEMS, Message, MessageId, PresenceState};
use crate::transmission::fields::Fields;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

/// A message was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is too small; nothing is lost.
    BufferTooSmall(BufferTooSmall),
    /// The id is 0, or a text, name, label or byte string is longer or shorter
    /// than its limits.
    OutOfLimits,
}

impl core::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BufferTooSmall(error) => error.fmt(f),
            Self::OutOfLimits => f.write_str("a field of the message is out of its limits"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// To be dropped and counted: no id can be read, or it is an answer.
    Dropped(DecodeError),
    /// A request, to be answered by [`Body::Error`].
    Answerable {
        /// The request's id.
        id: MessageId,
        /// [`ErrorCode::Malformed`] or [`ErrorCode::UnknownKind`].
        code: ErrorCode,
    },
}

impl core::fmt::Display for Rejected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Dropped(error) => error.fmt(f),
            Self::Answerable { id, code } => write!(f, "request {id}: {code}"),
        }
    }
}

impl core::error::Error for Rejected {}

impl<'a> Message<'a> {
    /// Encodes it at the start of `buffer`; returns the length.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        if !self.is_within_limits() {
            return Err(EncodeError::OutOfLimits);
        }
        cbor::encode(self, buffer).map_err(EncodeError::BufferTooSmall)
    }

    /// Decodes the whole of `bytes`.
    ///
    /// # Errors
    /// [`Rejected`], which says whether to answer it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Rejected> {
        cbor::decode(bytes).map_err(|error| rejected(bytes, error))
    }

    fn is_within_limits(&self) -> bool {
        self.id.0 != 0 && self.body.is_within_limits()
    }
}

/// What to do with `bytes`, which can't be decoded because of `error`.
fn rejected(bytes: &[u8], error: DecodeError) -> Rejected {
    match header(bytes) {
        // An error that answered an answer would be taken for the answer to a
        // request of the other side that happens to have the same id.
        Ok((number, id)) if !Kind::number_is_of_an_answer(number) => {
            let known = Kind::from_number(number).is_some();
            let code = if known { ErrorCode::Malformed } else { ErrorCode::UnknownKind };
            Rejected::Answerable { id, code }
        }
        _ => Rejected::Dropped(error),
    }
}

fn header(bytes: &[u8]) -> Result<(u8, MessageId), DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let mut fields = Fields::open(&mut decoder)?;
    Ok((fields.next()?, fields.next()?))
}

#[cfg(feature = "alloc")]
impl Kind {
    /// The kind of an encoded message, as far as its beginning tells.
    pub(in crate::transmission) fn of_encoded(message: &[u8]) -> Option<Self> {
        header(message).ok().and_then(|(number, _)| Self::from_number(number))
    }
}

impl<'b> Decode<'b> for Message<'b> {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open(decoder)?;
        let kind = fields.next()?;
        let id = fields.next()?;
        let body = decode_body(kind, &mut fields)?;
        let subject = if fields.left() == 0 { None } else { Some(fields.next()?) };
        fields.finish()?;
        let message = Self { id, subject, body };
        if message.is_within_limits() { Ok(message) } else { Err(DecodeError::Malformed) }
    }
}

fn decode_body<'b>(kind: Kind, fields: &mut Fields<'_, 'b>) -> Result<Body<'b>, DecodeError> {
    Ok(match kind {
        Kind::DataRequest => {
            Body::DataRequest { labels: decode_list(fields)?, nothing_waiting: fields.next()? }
        }
        Kind::DataResponse => Body::DataResponse { readings: decode_list(fields)? },
        Kind::Command => Body::Command {
            label: fields.next()?,
            argument: fields.next()?,
            nothing_waiting: fields.next()?,
            lifetime: fields.optional()?,
        },
        Kind::CommandStatus => {
            Body::CommandStatus { state: fields.next()?, result: fields.optional()? }
        }
        Kind::Alert => Body::Alert {
            severity: fields.next()?,
            reading: fields.next()?,
            text: fields.element()?.str()?,
        },
        Kind::Error => Body::Error { code: fields.next()?, text: fields.element()?.str()? },
        Kind::Acknowledgement => Body::Acknowledgement { nothing_waiting: fields.next()? },
        Kind::Awake => Body::Awake,
        Kind::NetworkKey => Body::NetworkKey { key: Hidden(fields.element()?.bytes()?) },
        Kind::Revocation => Body::Revocation { revocation: fields.element()?.bytes()? },
        Kind::Presence => Body::Presence { state: fields.next()?, name: fields.element()?.str()? },
        Kind::Report => Body::Report { readings: decode_list(fields)? },
        Kind::Renegotiation => Body::Renegotiation,
    })
}

fn decode_list<'b, T: Decode<'b>>(
    fields: &mut Fields<'_, 'b>,
) -> Result<Vec<T, MAX_ITEMS>, DecodeError> {
    let mut items = Fields::open(fields.element()?)?;
    let mut list = Vec::new();
    while items.left() > 0 {
        list.push(items.next()?).map_err(|_| DecodeError::Malformed)?;
    }
    Ok(list)
}

impl<C> Encode<C> for Message<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let has_subject = self.subject.is_some();
        let length = 2_u64
            .saturating_add(self.body.length(has_subject))
            .saturating_add(u64::from(has_subject));
        encoder.array(length)?;
        self.body.kind().encode(encoder, context)?;
        self.id.encode(encoder, context)?;
        self.body.encode(has_subject, encoder, context)?;
        match &self.subject {
            Some(subject) => encoder.bytes(&subject.0)?.ok(),
            None => Ok(()),
        }
    }
}

impl Body<'_> {
    /// The number of its fields on the wire.
    fn length(&self, has_subject: bool) -> u64 {
        match self {
            Self::Awake | Self::Renegotiation => 0,
            Self::DataResponse { .. }
            | Self::Acknowledgement { .. }
            | Self::NetworkKey { .. }
            | Self::Revocation { .. }
            | Self::Report { .. } => 1,
            Self::DataRequest { .. } | Self::Error { .. } | Self::Presence { .. } => 2,
            Self::Alert { .. } => 3,
            Self::Command { lifetime, .. } => 3 + u64::from(lifetime.is_some() || has_subject),
            Self::CommandStatus { result, .. } => 1 + u64::from(result.is_some() || has_subject),
        }
    }

    fn encode<C, W: Write>(
        &self,
        has_subject: bool,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::DataRequest { labels, nothing_waiting } => {
                encode_list(labels, encoder, context)?;
                encoder.bool(*nothing_waiting)?.ok()
            }
            Self::DataResponse { readings } | Self::Report { readings } => {
                encode_list(readings, encoder, context)
            }
            Self::Command { label, argument, nothing_waiting, lifetime } => {
                label.encode(encoder, context)?;
                argument.encode(encoder, context)?;
                encoder.bool(*nothing_waiting)?;
                encode_optional(lifetime.as_ref(), has_subject, encoder, context)
            }
            Self::CommandStatus { state, result } => {
                state.encode(encoder, context)?;
                encode_optional(result.as_ref(), has_subject, encoder, context)
            }
            Self::Alert { severity, reading, text } => {
                severity.encode(encoder, context)?;
                reading.encode(encoder, context)?;
                encoder.str(text)?.ok()
            }
            Self::Error { code, text } => {
                code.encode(encoder, context)?;
                encoder.str(text)?.ok()
            }
            Self::Acknowledgement { nothing_waiting } => encoder.bool(*nothing_waiting)?.ok(),
            Self::Awake | Self::Renegotiation => Ok(()),
            Self::NetworkKey { key } => encoder.bytes(key.0)?.ok(),
            Self::Revocation { revocation } => encoder.bytes(revocation)?.ok(),
            Self::Presence { state, name } => {
                state.encode(encoder, context)?;
                encoder.str(name)?.ok()
            }
        }
    }
}

fn encode_list<C, W: Write, T: Encode<C>>(
    list: &[T],
    encoder: &mut Encoder<W>,
    context: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    encoder.array(list.len() as u64)?;
    list.iter().try_for_each(|item| item.encode(encoder, context))
}

/// Writes the last field of a body: nothing if it is absent at the end of the
/// array, null if it is absent in front of a subject.
fn encode_optional<C, W: Write, T: Encode<C>>(
    value: Option<&T>,
    has_subject: bool,
    encoder: &mut Encoder<W>,
    context: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    match value {
        Some(value) => value.encode(encoder, context),
        None if has_subject => encoder.null()?.ok(),
        None => Ok(()),
    }
}

impl<C> Encode<C> for MessageId {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u32(self.0)?.ok()
    }
}

impl<'b> Decode<'b> for MessageId {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        match decoder.unsigned()? {
            0 => Err(DecodeError::Malformed),
            number => Ok(Self(number)),
        }
    }
}

/// The number that stands for a refusal on the wire, before its code.
const REFUSED: u8 = 3;

impl<C> Encode<C> for PresenceState {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Connected => encoder.u8(1)?.ok(),
            Self::Disconnected => encoder.u8(2)?.ok(),
            Self::Refused(code) => encoder.array(2)?.u8(REFUSED)?.u8(*code)?.ok(),
        }
    }
}

impl<'b> Decode<'b> for PresenceState {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        if decoder.datatype()? == Type::Array {
            let mut fields = Fields::open(decoder)?;
            let number: u8 = fields.next()?;
            let code = fields.next()?;
            fields.finish()?;
            return if number == REFUSED {
                Ok(Self::Refused(code))
            } else {
                Err(DecodeError::Malformed)
            };
        }
        match decoder.unsigned::<u8>()? {
            1 => Ok(Self::Connected),
            2 => Ok(Self::Disconnected),
            _ => Err(DecodeError::Malformed),
        }
    }
}
