//! Messages of the Transmission-Protocol: encoded and decoded as ours, and with the same
//! information as others would write them.
//!
//! Everyone decodes into the core's [`Message`], which borrows its texts from the bytes,
//! and none of these encodings needs a heap.

mod coap;
mod json;
mod messages;
mod raw;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use iot_crypto::transmission::{Label, Message};
use serde::Serialize;

use self::messages::{Sample, samples};
use super::{Effort, compare};
use crate::measure::{Estimate, median, repetitions, take_turns, time};

/// How many times a message is encoded, or decoded, before the clock is looked at.
const BATCH: usize = 64;
/// As long as a datagram may become, in bytes.
const BUFFER: usize = 1200;

/// A way to write messages as bytes.
trait Encoding {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Writes `message` at the start of `buffer`; gives the length. An answer may leave
    /// out the one label that was `asked` for.
    fn encode(
        &self,
        message: &Message<'_>,
        asked: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize>;

    /// Reads what [`encode`](Self::encode) wrote.
    fn decode<'a>(&self, bytes: &'a [u8], asked: Option<Label<'a>>) -> anyhow::Result<Message<'a>>;
}

/// All of them, ours first.
fn encodings() -> Vec<Box<dyn Encoding>> {
    vec![
        Box::new(Ours),
        Box::new(raw::Raw),
        Box::new(json::Json),
        Box::new(coap::Coap(coap::Cbor)),
        Box::new(coap::Coap(coap::SenmlCbor)),
        Box::new(coap::Coap(coap::SenmlJson)),
    ]
}

/// What goes into a record of DTLS: CBOR by the core, which decodes nothing but its
/// deterministic form.
struct Ours;

impl Encoding for Ours {
    fn name(&self) -> &'static str {
        "ours, CBOR"
    }

    fn encode(
        &self,
        message: &Message<'_>,
        _: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        message.encode(buffer).map_err(|error| anyhow!("{error}"))
    }

    fn decode<'a>(&self, bytes: &'a [u8], _: Option<Label<'a>>) -> anyhow::Result<Message<'a>> {
        Message::decode(bytes).map_err(|error| anyhow!("{error}"))
    }
}

/// Messages in all encodings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Encodings {
    /// How many rounds were measured.
    pub rounds: usize,
    /// One table for each message.
    pub messages: Vec<Encoded>,
}

/// A message in all encodings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Encoded {
    /// What the message is.
    pub message: &'static str,
    /// The encodings, ours first.
    pub rows: Vec<Row>,
}

/// A message in one encoding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which encoding.
    pub encoding: &'static str,
    /// Whether it is ours.
    pub ours: bool,
    /// How long the message is, in bytes.
    pub bytes: usize,
    /// How long it takes to encode it, in nanoseconds.
    pub encode: Estimate,
    /// How many times as long as ours, the first of the table, that is.
    pub encode_ratio: Estimate,
    /// How long it takes to decode it, in nanoseconds.
    pub decode: Estimate,
    /// How many times as long as ours that is.
    pub decode_ratio: Estimate,
}

impl Encodings {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.messages.iter().flat_map(|message| &message.rows);
        rows.flat_map(|row| [&row.encode, &row.encode_ratio, &row.decode, &row.decode_ratio])
    }

    /// Each encoding, with the bytes of all messages together.
    pub fn totals(&self) -> impl Iterator<Item = (&Row, usize)> {
        let first = self.messages.first().map(|message| message.rows.as_slice());
        first.unwrap_or_default().iter().map(|row| {
            let rows = self.messages.iter().flat_map(|message| &message.rows);
            let same = rows.filter(|other| other.encoding == row.encoding);
            (row, same.map(|row| row.bytes).sum())
        })
    }
}

/// The messages, each with what it is.
pub fn messages() -> impl Iterator<Item = (&'static str, Message<'static>)> {
    samples().into_iter().map(|sample| (sample.name, sample.message))
}

/// Measures all messages in all encodings.
///
/// # Errors
/// If one of them can't be encoded, or other information comes out again.
pub fn measure(effort: Effort) -> anyhow::Result<Encodings> {
    let messages = samples().into_iter().map(|sample| {
        measure_message(&sample, effort).with_context(|| format!("{} failed", sample.name))
    });
    Ok(Encodings { rounds: effort.rounds, messages: messages.collect::<anyhow::Result<_>>()? })
}

/// An encoding, and a message in it.
struct Runner<'s> {
    encoding: Box<dyn Encoding>,
    sample: &'s Sample,
    bytes: Vec<u8>,
    /// How many batches a measurement consists of.
    batches: usize,
}

impl<'s> Runner<'s> {
    fn new(encoding: Box<dyn Encoding>, sample: &'s Sample) -> anyhow::Result<Self> {
        let mut buffer = [0; BUFFER];
        let length = encoding.encode(&sample.message, sample.asked, &mut buffer)?;
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let same = encoding.decode(&bytes, sample.asked)? == sample.message;
        ensure!(same, "other information came out");
        Ok(Self { encoding, sample, bytes, batches: 1 })
    }

    fn encode(&self) -> anyhow::Result<()> {
        let mut buffer = [0; BUFFER];
        for _ in 0..BATCH {
            let Sample { message, asked, .. } = black_box(self.sample);
            black_box(self.encoding.encode(message, *asked, black_box(&mut buffer))?);
        }
        Ok(())
    }

    fn decode(&self) -> anyhow::Result<()> {
        for _ in 0..BATCH {
            black_box(self.encoding.decode(black_box(&self.bytes), self.sample.asked)?);
        }
        Ok(())
    }

    /// How long it takes to encode and to decode, in nanoseconds.
    fn measure(&self) -> anyhow::Result<[f64; 2]> {
        let (mut encoding, mut decoding) = (Vec::new(), Vec::new());
        let each = |elapsed: Duration| elapsed.as_secs_f64() * 1e9 / BATCH as f64;
        for _ in 0..self.batches {
            encoding.push(each(time(|| self.encode())?.0));
            decoding.push(each(time(|| self.decode())?.0));
        }
        let medians = median(encoding).zip(median(decoding)).context("nothing was measured")?;
        Ok(medians.into())
    }
}

fn measure_message(sample: &Sample, effort: Effort) -> anyhow::Result<Encoded> {
    let mut runners = Vec::new();
    for encoding in encodings() {
        let name = encoding.name();
        let mut runner = Runner::new(encoding, sample).context(name)?;
        runner.batches = repetitions(effort.each, |count| {
            (0..count).try_for_each(|_| runner.encode().and_then(|()| runner.decode()))
        })?;
        runners.push(runner);
    }
    let samples = take_turns(&mut runners, effort.rounds, |runner| runner.measure())?;
    let series = |choose: fn(&[f64; 2]) -> f64| {
        Vec::from_iter(samples.iter().map(|samples| Vec::from_iter(samples.iter().map(choose))))
    };
    let (encoding, decoding) = (series(|[encode, _]| *encode), series(|[_, decode]| *decode));
    let compared = compare(&encoding).zip(compare(&decoding));
    let rows = runners.iter().enumerate().zip(compared).map(|((index, runner), compared)| {
        let ((encode, encode_ratio), (decode, decode_ratio)) = compared.0.zip(compared.1)?;
        Some(Row {
            encoding: runner.encoding.name(),
            ours: index == 0,
            bytes: runner.bytes.len(),
            encode,
            encode_ratio,
            decode,
            decode_ratio,
        })
    });
    let rows = rows.collect::<Option<_>>().context("nothing was measured")?;
    Ok(Encoded { message: sample.name, rows })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
