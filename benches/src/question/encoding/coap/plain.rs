//! Bodies in plain CBOR (RFC 8949), as short as ours: the value of a resource alone, and
//! where there is more to say, the same arrays.
//!
//! | message | body |
//! |---|---|
//! | data response to one label, in its usual unit and of now | the value |
//! | other data response | `[* reading]` |
//! | command | the value |
//! | alert | `[severity, reading, text]` |

use anyhow::{Context as _, anyhow, bail, ensure};
use heapless::Vec;
use iot_crypto::transmission::{Body, Kind, Label, MAX_ITEMS, Reading};
use iot_crypto::wire::Writer;
use iot_crypto::wire::cbor::Decoder;
use minicbor::Encoder;
use minicbor::data::Type;

use super::Format;

/// `application/cbor` (RFC 8949 section 9.4).
pub(in super::super) struct Cbor;

impl Format for Cbor {
    const NAME: &'static str = "CoAP with CBOR";
    const NUMBER: u16 = 60;

    fn write(
        body: &Body<'_>,
        asked: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        let mut encoder = Encoder::new(Writer::new(buffer));
        match body {
            Body::DataResponse { readings } => match readings.as_slice() {
                [Reading { label, value, unit: None, time: None }] if asked == Some(*label) => {
                    encoder.encode(value)?;
                }
                readings => {
                    encoder.encode(readings)?;
                }
            },
            Body::Command { argument, .. } => {
                encoder.encode(argument)?;
            }
            Body::Alert { severity, reading, text } => {
                encoder.array(3)?.encode(severity)?.encode(reading)?.str(text)?;
            }
            other => bail!("no body is needed by a {}", other.kind()),
        }
        encoder.into_writer().finish().map_err(|error| anyhow!("{error}"))
    }

    fn read<'a>(
        kind: Kind,
        label: Option<Label<'a>>,
        payload: &'a [u8],
    ) -> anyhow::Result<Body<'a>> {
        let mut decoder = Decoder::new(payload);
        let body = match kind {
            Kind::DataResponse => Body::DataResponse { readings: readings(label, &mut decoder)? },
            Kind::Command => Body::Command {
                label: label.context("no label")?,
                argument: decoder.decode()?,
                nothing_waiting: true,
                lifetime: None,
            },
            Kind::Alert => {
                ensure!(decoder.array()? == 3, "an alert has three elements");
                Body::Alert {
                    severity: decoder.decode()?,
                    reading: decoder.decode()?,
                    text: decoder.str()?,
                }
            }
            other => bail!("no body belongs to a {other}"),
        };
        ensure!(decoder.position() == payload.len(), "bytes are left over");
        Ok(body)
    }
}

fn readings<'a>(
    asked: Option<Label<'a>>,
    decoder: &mut Decoder<'a>,
) -> anyhow::Result<Vec<Reading<'a>, MAX_ITEMS>> {
    let mut readings = Vec::new();
    if decoder.datatype()? != Type::Array {
        let label = asked.context("a value without a label")?;
        let reading = Reading::new(label, decoder.decode()?);
        readings.push(reading).map_err(|_| anyhow!("too many readings"))?;
        return Ok(readings);
    }
    for _ in 0..decoder.array()? {
        readings.push(decoder.decode()?).map_err(|_| anyhow!("too many readings"))?;
    }
    Ok(readings)
}
