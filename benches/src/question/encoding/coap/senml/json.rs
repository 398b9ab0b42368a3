//! SenML in JSON, with the labels of RFC 8428 section 4.

use anyhow::{Context as _, bail};
use iot_crypto::transmission::Value;
use serde::{Deserialize, Serialize};

use super::super::super::json::{self, Few, Scalar};
use super::{Pack, Record};

/// A record as an object.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    #[serde(rename = "n")]
    name: &'a str,
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(rename = "v", borrow, skip_serializing_if = "Option::is_none")]
    number: Option<Scalar<'a>>,
    #[serde(rename = "vs", skip_serializing_if = "Option::is_none")]
    string: Option<&'a str>,
    #[serde(rename = "vb", skip_serializing_if = "Option::is_none")]
    boolean: Option<bool>,
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

impl<'a> Object<'a> {
    fn of(&Record { name, unit, value, time }: &Record<'a>) -> Self {
        let common = Self { name, unit, time, ..Self::default() };
        match value {
            Value::Bool(value) => Self { boolean: Some(value), ..common },
            Value::Text(text) => Self { string: Some(text), ..common },
            // A byte string is refused by this, as JSON has none.
            number => Self { number: Some(Scalar(number)), ..common },
        }
    }

    fn record(self) -> anyhow::Result<Record<'a>> {
        let Self { name, unit, number, string, boolean, time } = self;
        let value = match (number, string, boolean) {
            (Some(Scalar(number @ (Value::Integer(_) | Value::Float(_)))), None, None) => number,
            (None, Some(text), None) => Value::Text(text),
            (None, None, Some(value)) => Value::Bool(value),
            _ => bail!("no value, several, or one of another type"),
        };
        Ok(Record { name, unit, value, time })
    }
}

pub(super) fn write(pack: &Pack<'_>, buffer: &mut [u8]) -> anyhow::Result<usize> {
    json::write(&Few::from_iter(pack.iter().map(Object::of)), buffer)
}

pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Pack<'_>> {
    let pack: Few<Object<'_>> = serde_json::from_slice(bytes).context("no pack")?;
    pack.try_map(Object::record)
}
