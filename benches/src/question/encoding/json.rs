//! JSON (RFC 8259) as one would write it by hand, and rather too short than too long: an
//! object with the names of the fields, without spaces; the numbers of registries as
//! numbers; absent fields left out. It is what Figure 10 of the simulator has.
//!
//! A text is borrowed from the bytes, so that one with an escape in it is refused; and a
//! byte string is, since JSON can't tell it from a text.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use anyhow::{Context as _, bail, ensure};
use heapless::Vec;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{
    Body, CommandState, Kind, Label, MAX_ITEMS, Message, MessageId, Reading, Severity, Unit, Value,
};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{self, Serialize, Serializer};

use super::Encoding;

pub(super) struct Json;

impl Encoding for Json {
    fn name(&self) -> &'static str {
        "JSON"
    }

    fn encode(
        &self,
        message: &Message<'_>,
        _: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        write(&Object::of(message)?, buffer)
    }

    fn decode<'a>(&self, bytes: &'a [u8], _: Option<Label<'a>>) -> anyhow::Result<Message<'a>> {
        serde_json::from_slice::<Object<'_>>(bytes)?.message()
    }
}

/// Writes `value` at the start of `buffer`; gives the length.
pub(super) fn write(value: &impl Serialize, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let room = buffer.len();
    let mut rest = buffer;
    serde_json::to_writer(&mut rest, value)?;
    Ok(room - rest.len())
}

/// A message, with the fields of all kinds.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Object<'a> {
    kind: u8,
    id: u32,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    labels: Option<Few<Scalar<'a>>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    readings: Option<Few<Measured<'a>>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    label: Option<Scalar<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    argument: Option<Scalar<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<u8>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reading: Option<Measured<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<u8>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    result: Option<Scalar<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_waiting: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<u32>,
}

impl<'a> Object<'a> {
    fn of(message: &Message<'a>) -> anyhow::Result<Self> {
        ensure!(message.subject.is_none(), "no subject is measured");
        let common =
            Self { kind: message.body.kind().number(), id: message.id.0, ..Self::default() };
        Ok(match &message.body {
            Body::DataRequest { labels, nothing_waiting } => Self {
                labels: Some(labels.iter().copied().map(Scalar::of_label).collect()),
                nothing_waiting: Some(*nothing_waiting),
                ..common
            },
            Body::DataResponse { readings } => Self {
                readings: Some(readings.iter().copied().map(Measured::of).collect()),
                ..common
            },
            Body::Command { label, argument, nothing_waiting, lifetime } => Self {
                label: Some(Scalar::of_label(*label)),
                argument: Some(Scalar(*argument)),
                nothing_waiting: Some(*nothing_waiting),
                lifetime: *lifetime,
                ..common
            },
            Body::CommandStatus { state, result } => {
                Self { state: Some(state.number()), result: result.map(Scalar), ..common }
            }
            Body::Alert { severity, reading, text } => Self {
                severity: Some(severity.number()),
                reading: Some(Measured::of(*reading)),
                text: Some(text),
                ..common
            },
            Body::Acknowledgement { nothing_waiting } => {
                Self { nothing_waiting: Some(*nothing_waiting), ..common }
            }
            other => bail!("no {} is measured", other.kind()),
        })
    }

    fn message(self) -> anyhow::Result<Message<'a>> {
        let lacks = "a field lacks";
        let body = match Kind::from_number(self.kind).context("no such kind")? {
            Kind::DataRequest => Body::DataRequest {
                labels: self.labels.context(lacks)?.try_map(Scalar::label)?,
                nothing_waiting: self.nothing_waiting.context(lacks)?,
            },
            Kind::DataResponse => Body::DataResponse {
                readings: self.readings.context(lacks)?.try_map(Measured::reading)?,
            },
            Kind::Command => Body::Command {
                label: self.label.context(lacks)?.label()?,
                argument: self.argument.context(lacks)?.0,
                nothing_waiting: self.nothing_waiting.context(lacks)?,
                lifetime: self.lifetime,
            },
            Kind::CommandStatus => Body::CommandStatus {
                state: self.state.and_then(CommandState::from_number).context(lacks)?,
                result: self.result.map(|result| result.0),
            },
            Kind::Alert => Body::Alert {
                severity: self.severity.and_then(Severity::from_number).context(lacks)?,
                reading: self.reading.context(lacks)?.reading()?,
                text: self.text.context(lacks)?,
            },
            Kind::Acknowledgement => {
                Body::Acknowledgement { nothing_waiting: self.nothing_waiting.context(lacks)? }
            }
            other => bail!("no {other} is measured"),
        };
        Ok(Message { id: MessageId(self.id), subject: None, body })
    }
}

/// A reading.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured<'a> {
    #[serde(borrow)]
    label: Scalar<'a>,
    #[serde(borrow)]
    value: Scalar<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

impl<'a> Measured<'a> {
    fn of(reading: Reading<'a>) -> Self {
        Self {
            label: Scalar::of_label(reading.label),
            value: Scalar(reading.value),
            unit: reading.unit.map(|unit| unit.0),
            time: reading.time.map(UnixTime::as_secs),
        }
    }

    fn reading(self) -> anyhow::Result<Reading<'a>> {
        Ok(Reading {
            label: self.label.label()?,
            value: self.value.0,
            unit: self.unit.map(Unit),
            time: self.time.map(UnixTime::from_secs),
        })
    }
}

/// A value as it is: a number with a point or an exponent is a float.
#[derive(Clone, Copy)]
pub(super) struct Scalar<'a>(pub(super) Value<'a>);

impl<'a> Scalar<'a> {
    fn of_label(label: Label<'a>) -> Self {
        Self(match label {
            Label::Number(number) => Value::Integer(number.into()),
            Label::Text(text) => Value::Text(text),
        })
    }

    fn label(self) -> anyhow::Result<Label<'a>> {
        match self.0 {
            Value::Integer(number) => Ok(Label::Number(number.try_into()?)),
            Value::Text(text) => Ok(Label::Text(text)),
            other => bail!("{other} is no label"),
        }
    }
}

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(value) => serializer.serialize_bool(value),
            Value::Integer(number) => serializer.serialize_i64(number),
            Value::Float(number) if number.is_finite() => serializer.serialize_f64(number),
            Value::Float(_) => Err(ser::Error::custom("JSON has finite numbers only")),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(_) => Err(ser::Error::custom("JSON has no bytes")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a truth value, a number or a text without escapes")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value::Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                number.try_into().map(Value::Integer).map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Value::Float(number))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value::Text(text))
            }
        }

        deserializer.deserialize_any(Any).map(Self)
    }
}

/// A list of as many items as a message may have.
pub(super) struct Few<T>(pub(super) Vec<T, MAX_ITEMS>);

impl<T> Few<T> {
    /// The items, each as `map` makes it.
    pub(super) fn try_map<U>(
        self,
        map: impl FnMut(T) -> anyhow::Result<U>,
    ) -> anyhow::Result<Vec<U, MAX_ITEMS>> {
        self.0.into_iter().map(map).collect()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_ITEMS} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Few<T>, A::Error> {
                let mut few = Vec::new();
                while let Some(item) = items.next_element()? {
                    few.push(item).map_err(|_| de::Error::custom("too many items"))?;
                }
                Ok(Few(few))
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}
