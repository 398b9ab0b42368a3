//! Values with a type, and readings: values with a label, a unit and a time.

use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Encode, Encoder};

use super::fields::Fields;
use super::{Label, Unit};
use crate::time::UnixTime;
use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// The longest text or byte string of a value, in bytes.
pub const MAX_VALUE: usize = 64;

/// A value, of one of five types; the type is part of it: `2` is not `2.0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number, on the wire in the shortest of the three forms
    /// that keeps it (RFC 8949 section 4.2.1); there is only one NaN.
    Float(f64),
    /// A text of at most [`MAX_VALUE`] bytes.
    Text(&'a str),
    /// At most [`MAX_VALUE`] bytes.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    pub(super) fn is_within_limits(&self) -> bool {
        match self {
            Self::Text(text) => text.len() <= MAX_VALUE,
            Self::Bytes(bytes) => bytes.len() <= MAX_VALUE,
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) => true,
        }
    }
}

impl core::fmt::Display for Value<'_> {
    /// Bytes are written in hexadecimal.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl<C> Encode<C> for Value<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Bool(value) => encoder.bool(*value)?.ok(),
            Self::Integer(value) => encoder.i64(*value)?.ok(),
            Self::Float(value) => encode_float(*value, encoder),
            Self::Text(text) => encoder.str(text)?.ok(),
            Self::Bytes(bytes) => encoder.bytes(bytes)?.ok(),
        }
    }
}

impl<'b> Decode<'b> for Value<'b> {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        match decoder.datatype()? {
            Type::Bool => decoder.bool().map(Self::Bool),
            Type::F16 | Type::F32 | Type::F64 => decoder.float().map(Self::Float),
            Type::String => decoder.str().map(Self::Text),
            Type::Bytes => decoder.bytes().map(Self::Bytes),
            _ => decoder.integer().map(Self::Integer),
        }
    }
}

/// RFC 8949 section 4.2.1: "floating-point values also MUST use the shortest
/// form that preserves the value".
fn encode_float<W: Write>(
    value: f64,
    encoder: &mut Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    if value.is_nan() {
        return encoder.f16(f32::NAN)?.ok();
    }
    let single = value as f32;
    if f64::from(single) != value {
        encoder.f64(value)?.ok()
    } else if is_half(single) {
        encoder.f16(single)?.ok()
    } else {
        encoder.f32(single)?.ok()
    }
}

/// Whether half precision keeps `single`.
fn is_half(single: f32) -> bool {
    let mut bytes = [0; 3];
    Encoder::new(&mut bytes[..]).f16(single).is_ok()
        && Decoder::new(&bytes).float().is_ok_and(|half| half == f64::from(single))
}

/// A value that was measured, and of what, in what, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// What was measured.
    pub label: Label<'a>,
    /// What came of it.
    pub value: Value<'a>,
    /// The unit; `None` for the usual one of the label.
    pub unit: Option<Unit>,
    /// When it was measured; `None` for now, as the message is received.
    pub time: Option<UnixTime>,
}

impl<'a> Reading<'a> {
    /// A reading of now, in the usual unit of its label.
    #[must_use]
    pub const fn new(label: Label<'a>, value: Value<'a>) -> Self {
        Self { label, value, unit: None, time: None }
    }

    /// The unit that it is in, whether it names it or not.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit.unwrap_or_else(|| self.label.default_unit())
    }

    pub(super) fn is_within_limits(&self) -> bool {
        self.label.is_within_limits() && self.value.is_within_limits()
    }
}

impl core::fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.label, self.value)?;
        if self.unit() == Unit::NONE { Ok(()) } else { write!(f, " {}", self.unit()) }
    }
}

impl<C> Encode<C> for Reading<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let length = match (self.unit, self.time) {
            (None, None) => 2,
            (Some(_), None) => 3,
            (_, Some(_)) => 4,
        };
        encoder.array(length)?;
        self.label.encode(encoder, context)?;
        self.value.encode(encoder, context)?;
        if length > 2 {
            self.unit.encode(encoder, context)?;
        }
        if length > 3 {
            self.time.encode(encoder, context)?;
        }
        Ok(())
    }
}

impl<'b> Decode<'b> for Reading<'b> {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open(decoder)?;
        let reading = Self {
            label: fields.next()?,
            value: fields.next()?,
            unit: fields.optional()?,
            time: fields.optional()?,
        };
        fields.finish()?;
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::wire::{DecodeError, cbor};

    fn encoding(value: Value<'_>) -> Vec<u8> {
        let mut buffer = [0; 80];
        let length = cbor::encode(&value, &mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    /// The examples of RFC 8949 appendix A.
    #[test]
    fn a_float_takes_the_shortest_form_that_keeps_it() {
        let examples: [(f64, &[u8]); 13] = [
            (0.0, &[0xf9, 0x00, 0x00]),
            (-0.0, &[0xf9, 0x80, 0x00]),
            (1.0, &[0xf9, 0x3c, 0x00]),
            (1.1, &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
            (1.5, &[0xf9, 0x3e, 0x00]),
            (65504.0, &[0xf9, 0x7b, 0xff]),
            (100_000.0, &[0xfa, 0x47, 0xc3, 0x50, 0x00]),
            (3.402_823_466_385_288_6e38, &[0xfa, 0x7f, 0x7f, 0xff, 0xff]),
            (5.960_464_477_539_063e-8, &[0xf9, 0x00, 0x01]),
            (-4.0, &[0xf9, 0xc4, 0x00]),
            (f64::INFINITY, &[0xf9, 0x7c, 0x00]),
            (f64::NEG_INFINITY, &[0xf9, 0xfc, 0x00]),
            (1.0e300, &[0xfb, 0x7e, 0x37, 0xe4, 0x3c, 0x88, 0x00, 0x75, 0x9c]),
        ];
        for (float, bytes) in examples {
            assert_eq!(encoding(Value::Float(float)), bytes, "{float}");
            assert_eq!(cbor::decode(bytes), Ok(Value::Float(float)));
        }
        assert_eq!(encoding(Value::Float(-f64::NAN)), [0xf9, 0x7e, 0x00]);
        assert!(matches!(cbor::decode(&[0xf9, 0x7e, 0x00]), Ok(Value::Float(nan)) if nan.is_nan()));
    }

    #[test]
    fn a_longer_form_of_a_float_and_another_nan_are_refused() {
        let long: [&[u8]; 4] = [
            &[0xfa, 0x3f, 0x80, 0x00, 0x00],
            &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0xf9, 0x7e, 0x01],
            &[0xfa, 0x7f, 0xc0, 0x00, 0x00],
        ];
        for bytes in long {
            assert_eq!(cbor::decode::<Value<'_>>(bytes), Err(DecodeError::NotDeterministic));
        }
    }

    #[test]
    fn an_integer_reaches_to_both_ends_and_no_further() {
        for integer in [i64::MIN, -1, 0, i64::MAX] {
            let bytes = encoding(Value::Integer(integer));
            assert_eq!(cbor::decode(&bytes), Ok(Value::Integer(integer)));
        }
        let beyond = [0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(cbor::decode::<Value<'_>>(&beyond), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_unit_and_a_time_are_left_out_where_they_say_nothing() {
        let plain = Reading::new(Label::Number(1), Value::Integer(5));
        let at = Reading { time: Some(UnixTime::from_secs(9)), ..plain };
        let kelvin = Reading { unit: Some(Unit::KELVIN), ..plain };
        let mut buffer = [0; 8];
        for (reading, bytes) in
            [(plain, &[0x82, 1, 5][..]), (kelvin, &[0x83, 1, 5, 21]), (at, &[0x84, 1, 5, 0xf6, 9])]
        {
            let length = cbor::encode(&reading, &mut buffer).unwrap();
            assert_eq!(&buffer[..length], bytes);
            assert_eq!(cbor::decode(bytes), Ok(reading));
        }
        for null in [&[0x83, 1, 5, 0xf6][..], &[0x84, 1, 5, 21, 0xf6]] {
            assert_eq!(cbor::decode::<Reading<'_>>(null), Err(DecodeError::NotDeterministic));
        }
        assert_eq!(cbor::decode::<Reading<'_>>(&[0x81, 1]), Err(DecodeError::Malformed));
        let five = [0x85, 1, 5, 21, 9, 9];
        assert_eq!(cbor::decode::<Reading<'_>>(&five), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_reading_is_displayed_with_the_unit_that_it_is_in() {
        let reading = Reading::new(Label::Number(1), Value::Float(21.5));
        assert_eq!(reading.to_string(), "temperature 21.5 Cel");
        assert_eq!(
            Reading::new(Label::Text("door"), Value::Bytes(&[1, 171])).to_string(),
            "door 01ab"
        );
    }
}
