//! The time for which a certificate or endorsement is valid.

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use crate::time::UnixTime;
use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// From `created` on, until just before `expires`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    created: UnixTime,
    expires: UnixTime,
}

/// Where a moment lies relative to a [`Validity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Before,
    Within,
    After,
}

impl Validity {
    pub(super) fn new(created: UnixTime, expires: UnixTime) -> Option<Self> {
        (created < expires).then_some(Self { created, expires })
    }

    pub(super) fn created(self) -> UnixTime {
        self.created
    }

    pub(super) fn expires(self) -> UnixTime {
        self.expires
    }

    pub(super) fn position_of(self, now: UnixTime) -> Position {
        if now < self.created {
            Position::Before
        } else if now < self.expires {
            Position::Within
        } else {
            Position::After
        }
    }
}

/// As two items of the array around it.
impl<C> Encode<C> for Validity {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.created.encode(encoder, context)?;
        self.expires.encode(encoder, context)
    }
}

impl<'b> Decode<'b> for Validity {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let created = decoder.decode()?;
        let expires = decoder.decode()?;
        Self::new(created, expires).ok_or(DecodeError::Malformed)
    }
}
