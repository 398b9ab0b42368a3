//! SenML in CBOR, with the numbers of RFC 8428 section 6 for labels.

use anyhow::{Context as _, anyhow, bail, ensure};
use heapless::Vec;
use iot_crypto::transmission::Value;
use iot_crypto::wire::{Writer, cbor};
use minicbor::{Decoder, Encoder};

use super::{Pack, Record};

const NAME: u8 = 0;
const UNIT: u8 = 1;
const VALUE: u8 = 2;
const STRING: u8 = 3;
const BOOLEAN: u8 = 4;
const TIME: u8 = 6;
const DATA: u8 = 8;

pub(super) fn write(pack: &Pack<'_>, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let mut encoder = Encoder::new(Writer::new(buffer));
    encoder.array(pack.len() as u64)?;
    for Record { name, unit, value, time } in pack {
        let fields = 2 + u64::from(unit.is_some()) + u64::from(time.is_some());
        encoder.map(fields)?.u8(NAME)?.str(name)?;
        if let Some(unit) = unit {
            encoder.u8(UNIT)?.str(unit)?;
        }
        encoder.u8(label_of(value))?.encode(value)?;
        if let Some(time) = time {
            encoder.u8(TIME)?.u64(*time)?;
        }
    }
    encoder.into_writer().finish().map_err(|error| anyhow!("{error}"))
}

const fn label_of(value: &Value<'_>) -> u8 {
    match value {
        Value::Integer(_) | Value::Float(_) => VALUE,
        Value::Text(_) => STRING,
        Value::Bool(_) => BOOLEAN,
        Value::Bytes(_) => DATA,
    }
}

pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Pack<'_>> {
    let mut decoder = Decoder::new(bytes);
    let mut pack = Vec::new();
    for _ in 0..decoder.array()?.context("an indefinite length")? {
        pack.push(record(&mut decoder)?).map_err(|_| anyhow!("too many records"))?;
    }
    ensure!(decoder.position() == bytes.len(), "bytes are left over");
    Ok(pack)
}

/// Takes a value, as it is also in our own messages.
fn value_of<'a>(decoder: &mut Decoder<'a>) -> anyhow::Result<Value<'a>> {
    let begin = decoder.position();
    let mut rest = cbor::Decoder::new(decoder.input().get(begin..).unwrap_or_default());
    let value = rest.decode()?;
    decoder.set_position(begin + rest.position());
    Ok(value)
}

fn record<'a>(decoder: &mut Decoder<'a>) -> anyhow::Result<Record<'a>> {
    let (mut name, mut unit, mut value, mut time) = (None, None, None, None);
    for _ in 0..decoder.map()?.context("an indefinite length")? {
        match decoder.u8()? {
            NAME => name = Some(decoder.str()?),
            UNIT => unit = Some(decoder.str()?),
            label @ (VALUE | STRING | BOOLEAN | DATA) => {
                let found = value_of(decoder)?;
                ensure!(label_of(&found) == label, "a value of another type");
                value = Some(found);
            }
            TIME => time = Some(decoder.u64()?),
            other => bail!("field {other} is not used here"),
        }
    }
    Ok(Record { name: name.context("no name")?, unit, value: value.context("no value")?, time })
}
