//! Bodies in SenML (RFC 8428): a pack of records, in CBOR and in JSON.
//!
//! | message | records |
//! |---|---|
//! | data response | one for each reading: name, unit if it has one, value, time if it is not now |
//! | command | one: name, value |
//! | alert | the reading, `severity` with its number, `text` |
//!
//! A label is written as its name, which must be there (section 4.5.1) even where the path
//! says it. SenML has no usual units, so that the unit is there too. Base fields are not
//! used: these records have no part of a name, no unit and no time in common.

mod cbor;
mod json;

use anyhow::{Context as _, bail, ensure};
use heapless::Vec;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{Body, Kind, Label, MAX_ITEMS, Reading, Severity, Unit, Value};

use super::{Format, name};

/// `application/senml+cbor`.
pub(in super::super) struct SenmlCbor;

/// `application/senml+json`.
pub(in super::super) struct SenmlJson;

impl Format for SenmlCbor {
    const NAME: &'static str = "CoAP with SenML in CBOR";
    const NUMBER: u16 = 112;

    fn write(body: &Body<'_>, _: Option<Label<'_>>, buffer: &mut [u8]) -> anyhow::Result<usize> {
        cbor::write(&pack(body)?, buffer)
    }

    fn read<'a>(kind: Kind, _: Option<Label<'a>>, payload: &'a [u8]) -> anyhow::Result<Body<'a>> {
        unpack(kind, cbor::read(payload)?)
    }
}

impl Format for SenmlJson {
    const NAME: &'static str = "CoAP with SenML in JSON";
    const NUMBER: u16 = 110;

    fn write(body: &Body<'_>, _: Option<Label<'_>>, buffer: &mut [u8]) -> anyhow::Result<usize> {
        json::write(&pack(body)?, buffer)
    }

    fn read<'a>(kind: Kind, _: Option<Label<'a>>, payload: &'a [u8]) -> anyhow::Result<Body<'a>> {
        unpack(kind, json::read(payload)?)
    }
}

/// A record (section 4.2).
#[derive(Clone, Copy)]
struct Record<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    value: Value<'a>,
    /// In seconds since 1970; smaller numbers are relative to now (section 4.5.3).
    time: Option<u64>,
}

type Pack<'a> = Vec<Record<'a>, MAX_ITEMS>;

/// From here on a time is absolute (section 4.5.3).
const ABSOLUTE: u64 = 1 << 28;

impl<'a> Record<'a> {
    const fn new(name: &'a str, value: Value<'a>) -> Self {
        Self { name, unit: None, value, time: None }
    }

    fn of(reading: &Reading<'a>) -> anyhow::Result<Self> {
        let unit = match reading.unit() {
            Unit::NONE => None,
            unit => Some(unit.symbol().context("a unit without a symbol")?),
        };
        let time = reading.time.map(UnixTime::as_secs);
        ensure!(time.is_none_or(|time| time >= ABSOLUTE), "the time would be relative");
        Ok(Self { name: name(reading.label)?, unit, value: reading.value, time })
    }

    fn label(&self) -> anyhow::Result<Label<'a>> {
        Label::parse(self.name).context("a name that is no label")
    }

    fn reading(&self) -> anyhow::Result<Reading<'a>> {
        let label = self.label()?;
        let unit = match self.unit {
            None => Unit::NONE,
            Some(symbol) => Unit::parse(symbol).context("no such unit")?,
        };
        ensure!(self.time.is_none_or(|time| time >= ABSOLUTE), "a relative time");
        Ok(Reading {
            label,
            value: self.value,
            unit: Some(unit).filter(|unit| *unit != label.default_unit()),
            time: self.time.map(UnixTime::from_secs),
        })
    }
}

fn pack<'a>(body: &Body<'a>) -> anyhow::Result<Pack<'a>> {
    match body {
        Body::DataResponse { readings } => readings.iter().map(Record::of).collect(),
        Body::Command { label, argument, .. } => {
            Ok(Vec::from_iter([Record::new(name(*label)?, *argument)]))
        }
        Body::Alert { severity, reading, text } => Ok(Vec::from_iter([
            Record::of(reading)?,
            Record::new("severity", Value::Integer(severity.number().into())),
            Record::new("text", Value::Text(text)),
        ])),
        other => bail!("no body is needed by a {}", other.kind()),
    }
}

fn unpack(kind: Kind, pack: Pack<'_>) -> anyhow::Result<Body<'_>> {
    Ok(match (kind, pack.as_slice()) {
        (Kind::DataResponse, records) => Body::DataResponse {
            readings: records.iter().map(Record::reading).collect::<anyhow::Result<_>>()?,
        },
        (Kind::Command, [record]) => Body::Command {
            label: record.label()?,
            argument: record.value,
            nothing_waiting: true,
            lifetime: None,
        },
        (Kind::Alert, [reading, severity, text]) => {
            let (Value::Integer(severity), Value::Text(text)) = (severity.value, text.value) else {
                bail!("severity and text have other types");
            };
            let severity = u8::try_from(severity).ok().and_then(Severity::from_number);
            let severity = severity.context("no such severity")?;
            Body::Alert { severity, reading: reading.reading()?, text }
        }
        (kind, records) => bail!("{} records in a {kind}", records.len()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// The example of RFC 8428 section 5.1.1, and the same in CBOR.
    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        let text = br#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#;
        let number = b"\xfb\x40\x37\x19\x99\x99\x99\x99\x9a";
        let binary =
            [&b"\x81\xa3\x00\x78\x1burn:dev:ow:10e2073a01080063\x01\x63Cel\x02"[..], number]
                .concat();
        for pack in [json::read(text).unwrap(), cbor::read(&binary).unwrap()] {
            let [Record { name, unit, value, time }] = pack.as_slice() else {
                panic!("{} records", pack.len());
            };
            assert_eq!((*name, *unit), ("urn:dev:ow:10e2073a01080063", Some("Cel")));
            assert_eq!((*value, *time), (Value::Float(23.1), None));
            let mut buffer = [0; 100];
            let length = json::write(&pack, &mut buffer).unwrap();
            assert_eq!(buffer.get(..length).unwrap(), text);
            let length = cbor::write(&pack, &mut buffer).unwrap();
            assert_eq!(buffer.get(..length).unwrap(), binary);
        }
    }

    #[test]
    fn a_record_without_name_or_value_is_refused() {
        for text in [r#"[{"v":1}]"#, r#"[{"n":"a"}]"#, r#"[{"n":"a","v":1,"vb":true}]"#] {
            assert!(json::read(text.as_bytes()).is_err(), "{text}");
        }
        for bytes in [&b"\x81\xa1\x02\x01"[..], b"\x81\xa1\x00\x61a", b"\x81\xa2\x00\x61a\x02\xf5"]
        {
            assert!(cbor::read(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
