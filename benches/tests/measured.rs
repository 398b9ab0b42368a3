//! Everyone who is linked does the work that is measured; and the answers are what a
//! reader expects. How long anything takes decides nothing here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use iot_crypto_bench::contestant::door::Door;
use iot_crypto_bench::contestant::{Contestant, all, missing, ours};
use iot_crypto_bench::measure::Estimate;
use iot_crypto_bench::question::{
    Answer, Effort, echo, encoding, fleet, handshake, memory, negotiation, primitives, records,
    scale,
};
use iot_crypto_bench::report::Report;
use iot_crypto_host::os_provider;
use iot_crypto_peers::Library;

const LITTLE: Effort = Effort { rounds: 3, each: Duration::from_micros(1) };

#[test]
fn everyone_completes_handshakes_with_and_without_cookie() {
    for mut contestant in all(&[]).unwrap() {
        let name = contestant.name();
        let mut of = |cookie| contestant.handshakes(cookie, 3).unwrap();
        let (without, with) = (of(false), of(true));
        assert_eq!(without.datagrams % 3, 0, "{name}");
        let costs = with.datagrams > without.datagrams && with.bytes > without.bytes;
        assert_eq!(costs, !contestant.always_demands_cookie(), "{name}: {without:?}, {with:?}");
    }
}

#[test]
fn everyone_carries_payloads_unchanged() {
    for mut contestant in all(&[]).unwrap() {
        let connections = [Some(contestant.connect().unwrap()), contestant.raw()];
        for mut connection in connections.into_iter().flatten() {
            for size in records::SIZES {
                for number in 0..3 {
                    let payload = vec![number; size];
                    connection.seal(&payload, 2).unwrap();
                    connection.open(2).unwrap();
                    assert_eq!(connection.payload(), payload, "{}", contestant.name());
                    assert!(connection.record_length() > size);
                }
            }
        }
    }
}

#[test]
fn more_records_than_were_sealed_are_not_opened() {
    for mut contestant in all(&[]).unwrap() {
        let mut connection = contestant.connect().unwrap();
        connection.seal(&[1], 1).unwrap();
        assert!(connection.open(2).is_err(), "{}", contestant.name());
    }
}

#[test]
fn our_handshake_is_as_long_as_specified() {
    for mut ours in ours() {
        let (without, with) =
            (ours.handshakes(false, 1).unwrap(), ours.handshakes(true, 1).unwrap());
        assert_eq!((without.bytes, without.datagrams), (326, 4));
        assert_eq!((with.bytes, with.datagrams), (445, 6));
    }
}

#[test]
fn a_server_keeps_as_many_sessions_as_it_is_asked_for() {
    for mut contestant in all(&[]).unwrap() {
        contestant.serve(3).unwrap();
    }
}

fn contestants() -> Vec<Box<dyn Contestant>> {
    all(&[]).unwrap()
}

#[test]
fn the_answers_are_complete_and_the_first_row_is_ours() {
    let handshakes = handshake::measure(&mut contestants(), LITTLE).unwrap();
    let everyone = Vec::from_iter(contestants().iter().map(|contestant| contestant.name()));
    let named =
        |rows: &[handshake::Row]| Vec::from_iter(rows.iter().map(|row| row.who.name.clone()));
    assert_eq!(named(&handshakes.with_cookie), everyone);
    let able = everyone.iter().filter(|name| !handshakes.always_with_cookie.contains(name));
    assert_eq!(named(&handshakes.without_cookie), Vec::from_iter(able.cloned()));
    let first = &handshakes.with_cookie[0];
    assert_eq!((first.who.ours, first.ratio.median, first.ratio.spread()), (true, 1.0, 0.0));
    assert!(first.microseconds.median > 0.0);

    let records = records::measure(&mut contestants(), LITTLE).unwrap();
    assert_eq!(Vec::from_iter(records.sizes.iter().map(|size| size.payload)), records::SIZES);
    for size in &records.sizes {
        let dtls = size.rows.iter().filter(|row| !row.raw);
        assert!(dtls.clone().map(|row| &row.who.name).eq(&everyone));
        for row in dtls.filter(|row| row.who.ours) {
            assert_eq!(row.overhead, 29);
            assert!(row.ratio_to_raw.is_some());
        }
        let raw = size.rows.iter().filter(|row| row.raw);
        assert!(raw.clone().all(|row| row.overhead == 16));
        assert_eq!(raw.count(), ours().len());
    }
}

#[test]
fn a_server_of_any_size_handles_what_its_clients_say() {
    let answer = scale::measure(&[1, 3, 2000], LITTLE).unwrap();
    assert_eq!(Vec::from_iter(answer.rows.iter().map(|row| row.sessions)), [1, 3, 2000]);
    assert!(answer.rows.iter().all(|row| row.datagram.median > 0.0 && row.deadline.median > 0.0));
    assert_eq!(answer.rows[0].ratio.median, 1.0);
}

#[test]
fn a_negotiation_ends_with_one_key_and_takes_both_sides() {
    let answer = negotiation::measure(LITTLE).unwrap();
    for rows in [&answer.first, &answer.on_return] {
        assert_eq!(rows.len(), ours().len());
        for row in rows {
            let sides = row.initiator.median + row.responder.median;
            assert!(row.initiator.median > 0.0 && row.responder.median > 0.0);
            assert!(row.both.lower <= 2.0 * sides && row.operations.median > 0.0, "{row:?}");
        }
    }
    // What is verified: a certificate of 154 bytes with a name of 6, and its endorsement.
    let ours = answer.verification.iter().filter(|row| row.ours);
    assert!(ours.clone().all(|row| row.bytes < 300), "{:?}", answer.verification);
    assert_eq!(ours.count(), 4);
    let theirs = answer.verification.iter().filter(|row| !row.ours).count();
    assert_eq!(theirs, usize::from(Library::OpenSsl.version().is_some()));
}

#[test]
fn every_primitive_is_measured_with_our_provider_first_or_its_absence_explained() {
    let answer = primitives::measure(LITTLE).unwrap();
    let first = &answer.operations[0];
    let everyone = Vec::from_iter(first.rows.iter().map(|row| row.library.as_str()));
    for measured in &answer.operations {
        let able = measured.rows.iter().map(|row| row.library.as_str());
        let unable = measured.left_out.iter().map(|left_out| left_out.library.as_str());
        let mut named = Vec::from_iter(able.chain(unable));
        assert_eq!(named.len(), everyone.len(), "{measured:?}");
        named.retain(|library| !everyone.contains(library));
        assert!(named.is_empty(), "{named:?}");
        let [ratio, ..] = &measured.rows[..] else { panic!("nobody: {measured:?}") };
        assert_eq!((ratio.ratio.median, ratio.ratio.spread()), (1.0, 0.0));
        assert!(measured.rows.iter().all(|row| row.nanoseconds.median > 0.0));
        // Ours can do whatever a provider is asked for.
        let asked = measured.operation != "verify, key uncompressed";
        assert_eq!(measured.rows.iter().filter(|row| row.ours).count(), if asked { 2 } else { 0 });
    }
    let unable = |library: &str, operation: &str| {
        let measured = answer.operations.iter().filter(|it| it.operation == operation);
        let mut left_out = measured.flat_map(|it| &it.left_out);
        left_out.any(|left_out| left_out.library.starts_with(library) && !left_out.why.is_empty())
    };
    assert!(unable("ring", "shared secret") && unable("ring", "sign"));
    assert!(!unable("ring", "seal") && !unable("ring", "verify, key uncompressed"));
}

#[test]
fn a_server_answers_a_stranger_and_drops_what_was_repeated() {
    let mut door = Door::new(os_provider()).unwrap();
    for _ in 0..3 {
        door.knock().unwrap();
        door.replay().unwrap();
    }
}

/// A report with made-up numbers.
fn report(spread: f64) -> Report {
    let mut handshakes = handshake::measure(&mut ours(), LITTLE).unwrap();
    let mut records = records::measure(&mut ours(), LITTLE).unwrap();
    let estimate = |median| Estimate { median, lower: median * (1.0 - spread), upper: median };
    for row in handshakes.without_cookie.iter_mut().chain(&mut handshakes.with_cookie) {
        (row.microseconds, row.ratio) = (estimate(17.9), estimate(1.0));
    }
    for row in records.sizes.iter_mut().flat_map(|size| &mut size.rows) {
        (row.seal, row.open) = (estimate(300.0), estimate(400.0));
        (row.both, row.ratio) = (estimate(700.0), estimate(1.0));
        row.ratio_to_raw = row.ratio_to_raw.map(|_| estimate(1.1));
    }
    let rows = vec![memory::Row {
        who: handshakes.with_cookie[0].who.clone(),
        bytes: vec![Some(320), None],
    }];
    let memory = memory::Memory { sessions: vec![10, 1000], rows };
    let mut negotiations = negotiation::measure(LITTLE).unwrap();
    for row in negotiations.first.iter_mut().chain(&mut negotiations.on_return) {
        (row.initiator, row.responder) = (estimate(120.0), estimate(200.0));
        (row.both, row.operations) = (estimate(320.0), estimate(310.0));
        row.ratio_to_operations = estimate(1.03);
    }
    for row in &mut negotiations.verification {
        (row.microseconds, row.ratio) = (estimate(150.5), estimate(1.0));
    }
    let mut encodings = encoding::measure(LITTLE).unwrap();
    for row in encodings.messages.iter_mut().flat_map(|message| &mut message.rows) {
        (row.encode, row.encode_ratio) = (estimate(52.0), estimate(1.25));
        (row.decode, row.decode_ratio) = (estimate(64.0), estimate(1.5));
    }
    let mut primitives = primitives::measure(LITTLE).unwrap();
    for row in primitives.operations.iter_mut().flat_map(|operation| &mut operation.rows) {
        (row.nanoseconds, row.ratio) = (estimate(432.0), estimate(1.75));
    }
    let answers = vec![
        Answer::Handshake(handshakes),
        Answer::Records(records),
        Answer::Negotiation(negotiations),
        Answer::Memory(memory),
        Answer::Scale(scale::Scale {
            rounds: 3,
            rows: vec![scale::Row {
                sessions: 1_000_000,
                datagram: estimate(654.0),
                ratio: estimate(1.5),
                deadline: estimate(12.3),
            }],
        }),
        Answer::Echo(echo::EchoesOfAll {
            rounds: 3,
            payload: 64,
            crowds: vec![echo::OfCrowd {
                clients: 10_000,
                window: 64,
                rows: vec![echo::Row {
                    name: "ours".to_owned(),
                    ours: true,
                    per_second: estimate(98_765.0),
                    ratio: estimate(0.87),
                    server_time: estimate(4.25),
                    clients_time: estimate(5.0),
                }],
            }],
        }),
        Answer::Fleet(fleet::Fleets {
            simulated: fleet::Simulated {
                devices: 100_000,
                first_contact: estimate(345.0),
                load: estimate(0.0123),
                poll: estimate(7.75),
                heap: Some(3210),
            },
            real: fleet::Real {
                devices: 10_000,
                first_contact: 456.0,
                load: estimate(0.0321),
                poll: estimate(19.5),
                memory: 4321,
            },
        }),
        Answer::Encoding(encodings),
        Answer::Primitives(primitives),
    ];
    Report::new(answers, missing(&[Library::TinyDtls]))
}

#[test]
fn a_table_never_shows_a_time_or_ratio_without_its_spread() {
    let calm = report(0.05).to_string();
    assert!(calm.contains("17.9 ± 5 %") && calm.contains("1.00 ± 5 %"), "{calm}");
    assert!(calm.contains("700 ± 5 %") && calm.contains("1.10 ± 5 %"), "{calm}");
    assert!(calm.contains("320") && calm.contains("too much"), "{calm}");
    assert!(calm.contains("320 ± 5 %") && calm.contains("1.03 ± 5 %"), "{calm}");
    assert!(calm.contains("150.5 ± 5 %"), "{calm}");
    assert!(calm.contains("1.23 ± 5 %") && calm.contains("3210 of heap"), "{calm}");
    assert!(calm.contains("654 ± 5 %") && calm.contains("12.3 ± 5 %"), "{calm}");
    assert!(calm.contains("98765 ± 5 %") && calm.contains("0.87 ± 5 %"), "{calm}");
    assert!(calm.contains("52 ± 5 %") && calm.contains("1.25 ± 5 %"), "{calm}");
    assert!(calm.contains("64 ± 5 %") && calm.contains("1.50 ± 5 %"), "{calm}");
    assert!(calm.contains("432 ± 5 %") && calm.contains("1.75 ± 5 %"), "{calm}");
    assert!(calm.contains("shared secret: without ring"), "{calm}");
    assert!(!calm.contains("(!)"), "{calm}");
    let disturbed = report(0.2).to_string();
    assert!(disturbed.contains("17.9 ± 20 % (!)"), "{disturbed}");
    assert!(disturbed.contains("(!) The machine was disturbed"), "{disturbed}");
}

#[test]
fn json_holds_all_that_was_measured() {
    let report = report(0.2);
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["disturbed"], true);
    assert_eq!(json["disturbed_from"], 0.1);
    let [handshake, records, negotiation, memory, scale, echo, fleet, encoding, primitives] =
        &json["answers"].as_array().unwrap()[..]
    else {
        panic!("{json}");
    };
    assert_eq!(handshake["question"], "handshake");
    assert_eq!(handshake["without_cookie"][0]["bytes"], 326);
    assert_eq!(handshake["without_cookie"][0]["microseconds"]["median"], 17.9);
    assert_eq!(records["sizes"][3]["payload"], 1024);
    assert_eq!(echo["crowds"][0]["rows"][0]["per_second"]["median"], 98_765.0);
    assert_eq!(scale["rows"][0]["datagram"]["median"], 654.0);
    assert_eq!(fleet["simulated"]["load"]["median"], 0.0123);
    assert_eq!(negotiation["question"], "negotiation");
    assert_eq!(negotiation["on_return"][0]["ratio_to_operations"]["median"], 1.03);
    assert_eq!(records["sizes"][0]["rows"][1]["raw"], true);
    assert_eq!(memory["rows"][0]["bytes"][1], serde_json::Value::Null);
    assert_eq!(encoding["question"], "encoding");
    let ours = &encoding["messages"][0]["rows"][0];
    assert_eq!((&ours["ours"], &ours["bytes"]), (&true.into(), &8.into()));
    assert_eq!(ours["decode_ratio"]["median"], 1.5);
    assert_eq!(primitives["question"], "primitives");
    let seal = &primitives["operations"][0];
    assert_eq!((&seal["operation"], &seal["rows"][0]["ours"]), (&"seal".into(), &true.into()));
    assert_eq!(seal["rows"][1]["nanoseconds"]["median"], 432.0);
}

/// Times of an encoding alone may have been disturbed.
#[test]
fn a_disturbed_encoding_is_a_disturbed_report() {
    for (upper, disturbed) in [(1.0, false), (1.2, true)] {
        let mut answer = encoding::measure(LITTLE).unwrap();
        let calm = Estimate { median: 1.0, lower: 1.0, upper: 1.0 };
        for row in answer.messages.iter_mut().flat_map(|message| &mut message.rows) {
            (row.encode, row.encode_ratio) = (calm, calm);
            (row.decode, row.decode_ratio) = (calm, calm);
        }
        answer.messages[6].rows[5].decode_ratio.upper = upper;
        let report = Report::new(vec![Answer::Encoding(answer)], Vec::new());
        assert_eq!(report.disturbed, disturbed);
    }
}

/// Times of a primitive alone, likewise.
#[test]
fn a_disturbed_primitive_is_a_disturbed_report() {
    for (upper, disturbed) in [(1.0, false), (1.2, true)] {
        let mut answer = primitives::measure(LITTLE).unwrap();
        let calm = Estimate { median: 1.0, lower: 1.0, upper: 1.0 };
        for row in answer.operations.iter_mut().flat_map(|operation| &mut operation.rows) {
            (row.nanoseconds, row.ratio) = (calm, calm);
        }
        answer.operations[16].rows[1].nanoseconds.upper = upper;
        let report = Report::new(vec![Answer::Primitives(answer)], Vec::new());
        assert_eq!(report.disturbed, disturbed);
    }
}

#[test]
fn a_chart_is_svg_with_a_bar_and_a_label_for_each() {
    let directory = tempfile::tempdir().unwrap();
    let files = report(0.05).draw(&directory.path().join("new")).unwrap();
    let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
    let expected = [
        "handshake.svg",
        "handshake-cookie.svg",
        "records-16.svg",
        "records-64.svg",
        "records-256.svg",
        "records-1024.svg",
        "negotiation.svg",
        "negotiation-return.svg",
        "memory-10.svg",
        "memory-1000.svg",
        "scale.svg",
        "echo-10000-64.svg",
        "encoding.svg",
    ];
    assert_eq!(Vec::from_iter(names), expected);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let svg = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(svg.root_element().tag_name().name(), "svg");
        let texts = svg.descendants().filter(|node| node.has_tag_name("text")).count();
        let boxes = svg.descendants().filter(|node| node.has_tag_name("rect")).count();
        // A title; for each bar a name and a value; a ground and a box for each bar.
        assert_eq!(texts - 1, 2 * (boxes - 1), "{}", file.display());
    }
}

#[test]
fn every_peer_and_library_is_there() {
    let missing = [missing(&[]), primitives::missing()].concat();
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!required || missing.is_empty(), "{}", missing.join("\n"));
    for missing in missing {
        eprintln!("SKIPPED: {missing}");
    }
}
