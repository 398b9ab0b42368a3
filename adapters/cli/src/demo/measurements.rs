//! What the demonstration measured, beside what the paper has.

use std::fmt;

use iot_crypto::identity::{Certificate, Endorsement};
use serde::Serialize;

use super::network::Network;
use super::{Actor, Failure};
use crate::events::{Event, Exchange, Line};
use crate::text::{self, TextForm};
use iot_crypto_host::os_provider;

/// The paper's certificate, in bytes.
const PAPER_CERTIFICATE: u64 = 232;
/// The paper's key exchange, in bytes.
const PAPER_KEY_EXCHANGE: u64 = 1639;
/// The part of it that is certificates with one signature each, in bytes.
const PAPER_CERTIFICATES: u64 = 608;
/// The paper's overhead of a record, in bytes.
const PAPER_OVERHEAD: u64 = 29;

/// What was measured. All lengths are in bytes of UDP payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Measurements {
    certificate: Beside,
    endorsement: usize,
    key_exchange: KeyExchange,
    record_overhead: Beside,
    messages: Vec<MessageRow>,
}

/// A number beside that of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Beside {
    bytes: u64,
    paper: u64,
}

/// From the first datagram of a device to the negotiated key, both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct KeyExchange {
    bytes: u64,
    paper: u64,
    datagrams: u64,
    /// The part of it that is certificates, with one endorsement each.
    certificates: Beside,
}

/// A kind of message, as the last one of it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MessageRow {
    kind: String,
    from: String,
    to: String,
    payload: u16,
    datagram: u16,
}

impl Measurements {
    /// Takes them from the files, and from what the parties told.
    pub(super) fn take(network: &Network, history: &[(Actor, Line)]) -> Result<Self, Failure> {
        let lengths = |actor: Actor| -> Result<(u64, u64), Failure> {
            let name = actor.name();
            let certificate: Certificate = read(network, &format!("{name}.certificate"))?;
            let endorsement: Endorsement = read(network, &format!("{name}.endorsement"))?;
            Ok((length(&certificate), length(&endorsement)))
        };
        let (certificate, endorsement) = lengths(Actor::Boiler)?;
        let (gateway, gateway_endorsement) = lengths(Actor::Hall)?;
        let exchange = exchange_of(history, Actor::Boiler)
            .ok_or_else(|| Failure::Missing(vec!["boiler measures its key exchange".to_owned()]))?;
        let messages = messages(history);
        Ok(Self {
            certificate: Beside { bytes: certificate, paper: PAPER_CERTIFICATE },
            endorsement: usize::try_from(endorsement).unwrap_or(usize::MAX),
            key_exchange: KeyExchange {
                bytes: exchange.bytes_sent.saturating_add(exchange.bytes_received),
                paper: PAPER_KEY_EXCHANGE,
                datagrams: exchange.datagrams_sent.saturating_add(exchange.datagrams_received),
                certificates: Beside {
                    bytes: certificate + endorsement + gateway + gateway_endorsement,
                    paper: PAPER_CERTIFICATES,
                },
            },
            record_overhead: Beside {
                bytes: messages.iter().map(MessageRow::overhead).max().unwrap_or_default(),
                paper: PAPER_OVERHEAD,
            },
            messages,
        })
    }
}

impl MessageRow {
    fn overhead(&self) -> u64 {
        u64::from(self.datagram.saturating_sub(self.payload))
    }
}

fn exchange_of(history: &[(Actor, Line)], device: Actor) -> Option<Exchange> {
    history.iter().find_map(|(actor, line)| match &line.event {
        Event::Negotiated { exchange, .. } if *actor == device => *exchange,
        _ => None,
    })
}

/// One row for each kind and way, of the last party that told of it.
fn messages(history: &[(Actor, Line)]) -> Vec<MessageRow> {
    let mut rows: Vec<MessageRow> = Vec::new();
    for (_, line) in history {
        let Event::Traffic { sent, .. } = &line.event else { continue };
        for row in sent {
            let row = MessageRow {
                kind: row.kind.clone(),
                from: row.from.clone(),
                to: row.to.clone(),
                payload: row.payload,
                datagram: row.datagram,
            };
            let same = |known: &&mut MessageRow| {
                (&known.kind, &known.from, &known.to) == (&row.kind, &row.from, &row.to)
            };
            match rows.iter_mut().find(same) {
                // Of several devices, the longest message.
                Some(known) if known.payload < row.payload => *known = row,
                Some(_) => {}
                None => rows.push(row),
            }
        }
    }
    rows.sort_by(|one, other| (&one.from, &one.to).cmp(&(&other.from, &other.to)));
    rows
}

fn read<T: TextForm>(network: &Network, file: &str) -> Result<T, Failure> {
    text::parse(&os_provider(), &network.read(file)?)
        .map_err(|error| Failure::Problem(format!("{file}: {error}")))
}

/// The length of the encoded value, in bytes.
fn length(value: &impl TextForm) -> u64 {
    let mut buffer = [0; 1024];
    value.encode(&mut buffer).map_or(0, |length| u64::try_from(length).unwrap_or(u64::MAX))
}

impl fmt::Display for Measurements {
    /// Two tables of at most 80 columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyExchange { bytes, paper, datagrams, certificates } = self.key_exchange;
        writeln!(f, "{:<52}{:>12}{:>12}", "Bytes, UDP payload", "measured", "paper")?;
        let mut row =
            |what: &str, bytes: u64, paper: u64| writeln!(f, "{what:<52}{bytes:>12}{paper:>12}");
        row("  certificate", self.certificate.bytes, self.certificate.paper)?;
        row(&format!("  key exchange, {datagrams} datagrams, both directions"), bytes, paper)?;
        row(
            "    of which certificates, one endorsement each",
            certificates.bytes,
            certificates.paper,
        )?;
        row("  overhead of a record", self.record_overhead.bytes, self.record_overhead.paper)?;
        writeln!(f)?;
        write!(f, "{:<28}{:<24}{:>12}{:>12}", "Message", "from → to", "payload", "datagram")?;
        for MessageRow { kind, from, to, payload, datagram } in &self.messages {
            let way = format!("{from} → {to}");
            write!(f, "\n  {kind:<26}{way:<24}{payload:>12}{datagram:>12}")?;
        }
        Ok(())
    }
}
