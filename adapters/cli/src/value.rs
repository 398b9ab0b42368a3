//! Values of sensors and commands, owned by this program.

use std::fmt;

use data_encoding::HEXLOWER;

/// The longest text or byte string of a value, in bytes (SPEC.md section 10).
pub const MAX_LEN: usize = 64;

/// A value, of one of the five types that the Transmission-Protocol knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A text of at most [`MAX_LEN`] bytes.
    Text(String),
    /// At most [`MAX_LEN`] bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The value as a number, to compare it with the limits of an alert; true is
    /// 1, false is 0, and a text or bytes are none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // Limits are not that exact.
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(if *value { 1.0 } else { 0.0 }),
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

impl From<u64> for Value {
    /// Saturates.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Value {
    /// Bytes are written in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&HEXLOWER.encode(bytes)),
        }
    }
}
