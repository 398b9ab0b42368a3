//! The answers as tables for people.

mod primitives;

use std::fmt::{self, Formatter};

use comfy_table::{CellAlignment, Table, presets};

use crate::instructions::Counted;
use crate::question::echo::{EchoesOfAll, OfCrowd};
use crate::question::encoding::Encodings;
use crate::question::fleet::Fleets;
use crate::question::handshake::{self, Handshakes};
use crate::question::memory::Memory;
use crate::question::negotiation::Negotiations;
use crate::question::records::{Records, Size};
use crate::question::scale::Scale;
use crate::question::{Answer, Who};

pub(super) fn write(f: &mut Formatter<'_>, answer: &Answer) -> fmt::Result {
    match answer {
        Answer::Handshake(answer) => handshakes(f, answer),
        Answer::Records(answer) => records(f, answer),
        Answer::Negotiation(answer) => negotiations(f, answer),
        Answer::Memory(answer) => memory(f, answer),
        Answer::Scale(answer) => scale(f, answer),
        Answer::Echo(answer) => echoes(f, answer),
        Answer::Fleet(answer) => fleets(f, answer),
        Answer::Encoding(answer) => encodings(f, answer),
        Answer::Primitives(answer) => primitives::primitives(f, answer),
    }
}

/// A table whose first `texts` columns are texts, and the others numbers.
fn draw(
    f: &mut Formatter<'_>,
    texts: usize,
    head: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(f, "{}", table.trim_fmt())
}

fn handshakes(f: &mut Formatter<'_>, answer: &Handshakes) -> fmt::Result {
    let Handshakes { rounds, without_cookie, with_cookie, always_with_cookie } = answer;
    writeln!(f, "\nHandshake: client and server, pre-shared key, in memory; {rounds} rounds")?;
    writeln!(f, "(µs: median ± spread; ratio: to ours, round by round; bytes of UDP payload)")?;
    for (caption, rows) in [("no cookie", without_cookie), ("with cookie", with_cookie)] {
        writeln!(f, "\n{caption}:")?;
        let head = ["", "suite", "µs", "ratio", "bytes", "datagrams"];
        draw(f, 2, &head, rows.iter().map(handshake_row))?;
    }
    match always_with_cookie.is_empty() {
        true => Ok(()),
        false => writeln!(f, "\nAlways with cookie: {}.", always_with_cookie.join(", ")),
    }
}

fn handshake_row(row: &handshake::Row) -> Vec<String> {
    let handshake::Row { who, microseconds, ratio, bytes, datagrams } = row;
    vec![
        who.name.clone(),
        who.suite.to_owned(),
        format!("{microseconds:.1}"),
        format!("{ratio:.2}"),
        bytes.to_string(),
        datagrams.to_string(),
    ]
}

fn records(f: &mut Formatter<'_>, answer: &Records) -> fmt::Result {
    let rounds = answer.rounds;
    writeln!(f, "\nRecords: sealed by the client, opened by the server; {rounds} rounds")?;
    writeln!(f, "(ns: median ± spread; ratio: to ours, and to the AEAD of the provider alone)")?;
    for Size { payload, rows } in &answer.sizes {
        writeln!(f, "\n{payload} bytes:")?;
        let head = ["", "suite", "seal + open", "seal", "open", "ratio", "to AEAD", "overhead"];
        let rows = rows.iter().map(|row| {
            let ratio_to_raw = row.ratio_to_raw.map(|ratio| format!("{ratio:.2}"));
            vec![
                name(&row.who, row.raw),
                row.who.suite.to_owned(),
                format!("{:.0}", row.both),
                format!("{:.0}", row.seal),
                format!("{:.0}", row.open),
                format!("{:.2}", row.ratio),
                ratio_to_raw.unwrap_or_default(),
                row.overhead.to_string(),
            ]
        });
        draw(f, 2, &head, rows)?;
    }
    Ok(())
}

/// What a row is called.
pub(super) fn name(who: &Who, raw: bool) -> String {
    match raw {
        true => "  its AEAD alone".to_owned(),
        false => who.name.clone(),
    }
}

fn negotiations(f: &mut Formatter<'_>, answer: &Negotiations) -> fmt::Result {
    let Negotiations { rounds, first, on_return, verification } = answer;
    writeln!(f, "\nKey negotiation: device and gateway, in memory; {rounds} rounds")?;
    writeln!(f, "(µs: median ± spread; ratio: to its operations with public keys alone)")?;
    for (caption, rows) in [("first contact", first), ("on return", on_return)] {
        writeln!(f, "\n{caption}:")?;
        let head = ["", "both", "device", "gateway", "operations", "ratio"];
        let rows = rows.iter().map(|row| {
            vec![
                row.name.clone(),
                format!("{:.0}", row.both),
                format!("{:.0}", row.initiator),
                format!("{:.0}", row.responder),
                format!("{:.0}", row.operations),
                format!("{:.2}", row.ratio_to_operations),
            ]
        });
        draw(f, 1, &head, rows)?;
    }
    writeln!(f, "\nVerification of a peer: decoded and verified; {rounds} rounds\n")?;
    let rows = verification.iter().map(|row| {
        vec![
            row.name.clone(),
            row.what.to_owned(),
            format!("{:.1}", row.microseconds),
            format!("{:.2}", row.ratio),
            row.bytes.to_string(),
        ]
    });
    draw(f, 2, &["", "what", "µs", "ratio", "bytes"], rows)
}

fn memory(f: &mut Formatter<'_>, answer: &Memory) -> fmt::Result {
    writeln!(f, "\nMemory: bytes of heap for each idle session of a server\n")?;
    let numbers = answer.sessions.iter().map(|sessions| format!("of {sessions}"));
    let head = Vec::from_iter(["".to_owned(), "suite".to_owned()].into_iter().chain(numbers));
    let rows = answer.rows.iter().map(|row| {
        let bytes = row.bytes.iter().map(|bytes| match bytes {
            Some(bytes) => bytes.to_string(),
            None => "too much".to_owned(),
        });
        [row.who.name.clone(), row.who.suite.to_owned()].into_iter().chain(bytes).collect()
    });
    draw(f, 2, &Vec::from_iter(head.iter().map(String::as_str)), rows)
}

fn scale(f: &mut Formatter<'_>, answer: &Scale) -> fmt::Result {
    writeln!(f, "\nA server of many sessions, of which many talk; {} rounds", answer.rounds)?;
    writeln!(f, "(ns: median ± spread; ratio: to the smallest, which was measured before)\n")?;
    let rows = answer.rows.iter().map(|row| {
        vec![
            row.sessions.to_string(),
            format!("{:.0}", row.datagram),
            format!("{:.2}", row.ratio),
            format!("{:.1}", row.deadline),
        ]
    });
    draw(f, 0, &["sessions", "a datagram", "ratio", "next deadline"], rows)
}

fn echoes(f: &mut Formatter<'_>, answer: &EchoesOfAll) -> fmt::Result {
    let EchoesOfAll { rounds, payload, crowds } = answer;
    writeln!(f, "\nEchoes of {payload} bytes over loopback, two processes; {rounds} rounds")?;
    writeln!(f, "(ratio: to plain sockets; µs: of the processor, for each echo)")?;
    for OfCrowd { clients, window, rows } in crowds {
        writeln!(f, "\n{clients} clients, {window} echoes at a time:")?;
        let head = ["", "a second", "ratio", "server µs", "clients µs"];
        let rows = rows.iter().map(|row| {
            vec![
                row.name.clone(),
                format!("{:.0}", row.per_second),
                format!("{:.2}", row.ratio),
                format!("{:.2}", row.server_time),
                format!("{:.2}", row.clients_time),
            ]
        });
        draw(f, 1, &head, rows)?;
    }
    Ok(())
}

fn fleets(f: &mut Formatter<'_>, answer: &Fleets) -> fmt::Result {
    let Fleets { simulated, real } = answer;
    writeln!(f, "\nA gateway whose devices are each asked for a reading once a minute")?;
    writeln!(f, "(load: of one core; µs: of the processor)\n")?;
    let head = ["", "devices", "load %", "each reading µs", "first contact µs", "bytes a device"];
    let heap = simulated.heap.map(|bytes| format!("{bytes} of heap")).unwrap_or_default();
    let rows = [
        vec![
            "the core, virtual time".to_owned(),
            simulated.devices.to_string(),
            format!("{:.2}", simulated.load.scaled(100.0)),
            format!("{:.2}", simulated.poll),
            format!("{:.0}", simulated.first_contact),
            heap,
        ],
        vec![
            "its process, real sockets".to_owned(),
            real.devices.to_string(),
            format!("{:.2}", real.load.scaled(100.0)),
            format!("{:.2}", real.poll),
            format!("{:.0}", real.first_contact),
            format!("{} resident", real.memory),
        ],
    ];
    draw(f, 1, &head, rows)
}

fn encodings(f: &mut Formatter<'_>, answer: &Encodings) -> fmt::Result {
    writeln!(f, "\nEncoding: messages with the same information; {} rounds", answer.rounds)?;
    writeln!(f, "(ns: median ± spread; ratio: to ours, round by round)")?;
    for message in &answer.messages {
        writeln!(f, "\n{}:", message.message)?;
        let head = ["", "bytes", "encode", "ratio", "decode", "ratio"];
        let rows = message.rows.iter().map(|row| {
            vec![
                row.encoding.to_owned(),
                row.bytes.to_string(),
                format!("{:.0}", row.encode),
                format!("{:.2}", row.encode_ratio),
                format!("{:.0}", row.decode),
                format!("{:.2}", row.decode_ratio),
            ]
        });
        draw(f, 1, &head, rows)?;
    }
    writeln!(f, "\nall of them, once each:")?;
    let rows = answer.totals().map(|(row, bytes)| vec![row.encoding.to_owned(), bytes.to_string()]);
    draw(f, 1, &["", "bytes"], rows)
}

/// Instructions beside their budgets.
pub(crate) fn instructions(all: &[Counted]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["", "instructions", "budget", "change"]);
    for counted in all {
        let rise = counted.rise().map(|rise| format!("{:+.1} %", rise * 100.0));
        let mark = if counted.is_over() { " over" } else { "" };
        table.add_row([
            counted.work.clone(),
            counted.instructions.to_string(),
            counted.budget.map(|budget| budget.to_string()).unwrap_or_default(),
            rise.unwrap_or_default() + mark,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}
