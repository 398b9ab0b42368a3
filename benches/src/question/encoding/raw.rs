//! Raw binary, as short as fields of fixed width allow: a structure without padding, of
//! which only the part that is used is stored. The rules are those of Figure 10 of the
//! simulator.
//!
//! | what | how |
//! |---|---|
//! | number | in its full width, big-endian: kind, state, severity, unit 1 byte; label 2; id, lifetime 4; integer, float, time 8 |
//! | truth value | one byte |
//! | byte string of fixed length | as it is |
//! | other byte string, text | behind its length, one byte |
//! | list | behind the number of its items, one byte |
//! | one of several types | behind a byte that says which |
//! | field that may be absent | behind a byte that says whether it is there |

use anyhow::{Context as _, anyhow, bail};
use heapless::Vec;
use iot_crypto::identity::PartyId;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{
    Body, CommandState, Kind, Label, MAX_ITEMS, Message, MessageId, Reading, Severity, Unit, Value,
};
use iot_crypto::wire::{DecodeError, Reader, Writer};

use super::Encoding;

pub(super) struct Raw;

impl Encoding for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn encode(
        &self,
        message: &Message<'_>,
        _: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        let mut out = Writer::new(buffer);
        out.u8(message.body.kind().number());
        out.bytes(&message.id.0.to_be_bytes());
        write_body(&message.body, &mut out)?;
        write_optional(message.subject, &mut out, |subject, out| out.bytes(&subject.0));
        out.finish().map_err(|error| anyhow!("{error}"))
    }

    fn decode<'a>(&self, bytes: &'a [u8], _: Option<Label<'a>>) -> anyhow::Result<Message<'a>> {
        let mut fields = Fields(Reader::new(bytes));
        let kind = Kind::from_number(fields.u8()?).context("no such kind")?;
        let id = MessageId(fields.array().map(u32::from_be_bytes)?);
        let body = fields.body(kind)?;
        let subject = fields.optional(|fields| fields.array().map(PartyId))?;
        fields.0.finish().map_err(unreadable)?;
        Ok(Message { id, subject, body })
    }
}

fn write_body(body: &Body<'_>, out: &mut Writer<'_>) -> anyhow::Result<()> {
    match body {
        Body::DataRequest { labels, nothing_waiting } => {
            write_list(labels, out, write_label);
            out.u8(u8::from(*nothing_waiting));
        }
        Body::DataResponse { readings } => write_list(readings, out, write_reading),
        Body::Command { label, argument, nothing_waiting, lifetime } => {
            write_label(label, out);
            write_value(argument, out);
            out.u8(u8::from(*nothing_waiting));
            write_optional(*lifetime, out, |seconds, out| out.bytes(&seconds.to_be_bytes()));
        }
        Body::CommandStatus { state, result } => {
            out.u8(state.number());
            write_optional(*result, out, |value, out| write_value(&value, out));
        }
        Body::Alert { severity, reading, text } => {
            out.u8(severity.number());
            write_reading(reading, out);
            write_bytes(text.as_bytes(), out);
        }
        Body::Acknowledgement { nothing_waiting } => out.u8(u8::from(*nothing_waiting)),
        other => bail!("no {} is measured", other.kind()),
    }
    Ok(())
}

fn write_reading(reading: &Reading<'_>, out: &mut Writer<'_>) {
    write_label(&reading.label, out);
    write_value(&reading.value, out);
    write_optional(reading.unit, out, |unit, out| out.u8(unit.0));
    write_optional(reading.time, out, |time, out| out.bytes(&time.as_secs().to_be_bytes()));
}

fn write_label(label: &Label<'_>, out: &mut Writer<'_>) {
    match label {
        Label::Number(number) => {
            out.u8(0);
            out.u16(*number);
        }
        Label::Text(text) => {
            out.u8(1);
            write_bytes(text.as_bytes(), out);
        }
    }
}

fn write_value(value: &Value<'_>, out: &mut Writer<'_>) {
    match value {
        Value::Bool(value) => out.bytes(&[0, u8::from(*value)]),
        Value::Integer(number) => {
            out.u8(1);
            out.bytes(&number.to_be_bytes());
        }
        Value::Float(number) => {
            out.u8(2);
            out.bytes(&number.to_be_bytes());
        }
        Value::Text(text) => {
            out.u8(3);
            write_bytes(text.as_bytes(), out);
        }
        Value::Bytes(bytes) => {
            out.u8(4);
            write_bytes(bytes, out);
        }
    }
}

fn write_bytes(bytes: &[u8], out: &mut Writer<'_>) {
    out.vector8(|out| out.bytes(bytes));
}

fn write_list<T>(items: &[T], out: &mut Writer<'_>, write: impl Fn(&T, &mut Writer<'_>)) {
    out.u8(items.len() as u8);
    items.iter().for_each(|item| write(item, out));
}

fn write_optional<T>(
    value: Option<T>,
    out: &mut Writer<'_>,
    write: impl FnOnce(T, &mut Writer<'_>),
) {
    out.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        write(value, out);
    }
}

fn unreadable(error: DecodeError) -> anyhow::Error {
    anyhow!("{error}")
}

/// The fields that are still to be read.
struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    fn body(&mut self, kind: Kind) -> anyhow::Result<Body<'a>> {
        Ok(match kind {
            Kind::DataRequest => {
                Body::DataRequest { labels: self.list(Self::label)?, nothing_waiting: self.bool()? }
            }
            Kind::DataResponse => Body::DataResponse { readings: self.list(Self::reading)? },
            Kind::Command => Body::Command {
                label: self.label()?,
                argument: self.value()?,
                nothing_waiting: self.bool()?,
                lifetime: self.optional(|fields| fields.array().map(u32::from_be_bytes))?,
            },
            Kind::CommandStatus => Body::CommandStatus {
                state: CommandState::from_number(self.u8()?).context("no such state")?,
                result: self.optional(Self::value)?,
            },
            Kind::Alert => Body::Alert {
                severity: Severity::from_number(self.u8()?).context("no such severity")?,
                reading: self.reading()?,
                text: self.text()?,
            },
            Kind::Acknowledgement => Body::Acknowledgement { nothing_waiting: self.bool()? },
            other => bail!("no {other} is measured"),
        })
    }

    fn reading(&mut self) -> anyhow::Result<Reading<'a>> {
        Ok(Reading {
            label: self.label()?,
            value: self.value()?,
            unit: self.optional(|fields| fields.u8().map(Unit))?,
            time: self.optional(|fields| {
                fields.array().map(u64::from_be_bytes).map(UnixTime::from_secs)
            })?,
        })
    }

    fn label(&mut self) -> anyhow::Result<Label<'a>> {
        match self.u8()? {
            0 => Ok(Label::Number(self.0.u16().map_err(unreadable)?)),
            1 => self.text().map(Label::Text),
            other => bail!("no type of label is {other}"),
        }
    }

    fn value(&mut self) -> anyhow::Result<Value<'a>> {
        match self.u8()? {
            0 => self.bool().map(Value::Bool),
            1 => self.array().map(i64::from_be_bytes).map(Value::Integer),
            2 => self.array().map(f64::from_be_bytes).map(Value::Float),
            3 => self.text().map(Value::Text),
            4 => self.0.vector8().map(Value::Bytes).map_err(unreadable),
            other => bail!("no type of value is {other}"),
        }
    }

    fn bool(&mut self) -> anyhow::Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => bail!("no truth value is {other}"),
        }
    }

    fn text(&mut self) -> anyhow::Result<&'a str> {
        Ok(str::from_utf8(self.0.vector8().map_err(unreadable)?)?)
    }

    fn u8(&mut self) -> anyhow::Result<u8> {
        self.0.u8().map_err(unreadable)
    }

    fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        self.0.array().map_err(unreadable)
    }

    fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T, MAX_ITEMS>> {
        let mut items = Vec::new();
        for _ in 0..self.u8()? {
            items.push(read(self)?).map_err(|_| anyhow!("too many items"))?;
        }
        Ok(items)
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        self.bool()?.then(|| read(self)).transpose()
    }
}
