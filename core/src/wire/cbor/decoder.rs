//! The decoder: minicbor's, whose errors become one of [`DecodeError`] where they arise.
//! Its own carry a text and a place, which nobody is told; to pass them up through every
//! item takes more of a microcontroller's program than the decoding itself.

use minicbor::data::Type;
use minicbor::decode::Error;

use crate::wire::DecodeError;

/// What can be decoded.
pub trait Decode<'b>: Sized {
    /// Takes the next item.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError>;
}

/// What is left of an encoding.
#[derive(Clone, Debug)]
pub struct Decoder<'b>(minicbor::Decoder<'b>);

fn reason(error: Error) -> DecodeError {
    if error.is_end_of_input() { DecodeError::Truncated } else { DecodeError::Malformed }
}

impl<'b> Decoder<'b> {
    /// All of `bytes`.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(minicbor::Decoder::new(bytes))
    }

    /// How many bytes were taken.
    #[must_use]
    pub fn position(&self) -> usize {
        self.0.position()
    }

    /// Takes the next item.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode<T: Decode<'b>>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// The type of the next item, which stays.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there is none.
    #[inline(never)]
    pub fn datatype(&self) -> Result<Type, DecodeError> {
        self.0.datatype().map_err(reason)
    }

    /// Takes the head of an array; gives its length.
    ///
    /// # Errors
    /// [`DecodeError`], also if its length is indefinite.
    #[inline(never)]
    pub fn array(&mut self) -> Result<u64, DecodeError> {
        self.0.array().map_err(reason)?.ok_or(DecodeError::Malformed)
    }

    /// Takes an unsigned integer.
    ///
    /// # Errors
    /// [`DecodeError`], also if it is too large for `T`.
    pub fn unsigned<T: TryFrom<u64>>(&mut self) -> Result<T, DecodeError> {
        self.number()?.try_into().map_err(|_| DecodeError::Malformed)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<u64, DecodeError> {
        self.0.u64().map_err(reason)
    }

    /// Takes an integer.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn integer(&mut self) -> Result<i64, DecodeError> {
        let number = self.0.int().map_err(reason)?;
        number.try_into().map_err(|_| DecodeError::Malformed)
    }

    /// Takes a floating-point number of any of the three lengths.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn float(&mut self) -> Result<f64, DecodeError> {
        self.0.f64().map_err(reason)
    }

    /// Takes false or true.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.0.bool().map_err(reason)
    }

    /// Takes a null.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn null(&mut self) -> Result<(), DecodeError> {
        self.0.null().map_err(reason)
    }

    /// Takes a byte string.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        self.0.bytes().map_err(reason)
    }

    /// Takes a text.
    ///
    /// # Errors
    /// [`DecodeError`].
    #[inline(never)]
    pub fn str(&mut self) -> Result<&'b str, DecodeError> {
        self.0.str().map_err(reason)
    }
}

impl Decode<'_> for bool {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.bool()
    }
}

macro_rules! decode_unsigned {
    ($($unsigned:ty)*) => {$(
        impl Decode<'_> for $unsigned {
            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                decoder.unsigned()
            }
        }
    )*};
}

decode_unsigned!(u8 u16 u32 u64);
