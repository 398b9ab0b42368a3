use std::time::Duration;

use heapless::Vec as Few;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{Body, CommandState, MessageId, Reading, Severity, Unit, Value};

use super::messages::{ID, TEMPERATURE};
use super::*;

fn encoded(encoding: &dyn Encoding, sample: &Sample) -> Vec<u8> {
    let mut buffer = [0; BUFFER];
    let length = encoding.encode(&sample.message, sample.asked, &mut buffer).unwrap();
    buffer[..length].to_vec()
}

/// The sample of that name, in that encoding.
fn bytes(encoding: &dyn Encoding, name: &str) -> Vec<u8> {
    let sample = samples().into_iter().find(|sample| sample.name.starts_with(name)).unwrap();
    encoded(encoding, &sample)
}

fn message(body: Body<'static>) -> Message<'static> {
    Message { id: ID, subject: None, body }
}

/// Messages with what the samples leave out.
fn others() -> [Message<'static>; 4] {
    let at = UnixTime::from_secs(1_800_000_000);
    let kelvin = Reading {
        unit: Some(Unit::KELVIN),
        time: Some(at),
        ..Reading::new(TEMPERATURE, Value::Integer(-3))
    };
    let door = Reading::new(Label::Text("door"), Value::Text("ajar"));
    let command = |argument| Body::Command {
        label: Label::Text("valve-3"),
        argument,
        nothing_waiting: true,
        lifetime: None,
    };
    [
        Body::DataResponse { readings: Few::from([kelvin, door]) },
        Body::DataResponse { readings: Few::from([kelvin]) },
        command(Value::Float(2.0)),
        Body::Alert { severity: Severity::Critical, reading: kelvin, text: "" },
    ]
    .map(message)
}

#[test]
fn every_encoding_gives_back_what_every_message_says() {
    let other = |message| Sample { name: "another", asked: Some(TEMPERATURE), message };
    for sample in samples().into_iter().chain(others().map(other)) {
        for encoding in encodings() {
            let bytes = encoded(&*encoding, &sample);
            let decoded = encoding.decode(&bytes, sample.asked).unwrap();
            assert_eq!(decoded, sample.message, "{}: {}", encoding.name(), sample.name);
        }
    }
}

#[test]
fn every_encoding_tells_other_ids_and_values_apart() {
    for encoding in encodings() {
        for Sample { name, asked, message } in samples() {
            let before = encoded(&*encoding, &Sample { name, asked, message: message.clone() });
            let message = Message { id: MessageId(ID.0 + 1), ..message };
            assert_ne!(encoded(&*encoding, &Sample { name, asked, message }), before);
        }
        let [warm, warmer] = [21.5, 22.0].map(|celsius| {
            let readings = Few::from([Reading::new(TEMPERATURE, Value::Float(celsius))]);
            let message = message(Body::DataResponse { readings });
            encoded(&*encoding, &Sample { name: "", asked: Some(TEMPERATURE), message })
        });
        assert_ne!(warm, warmer, "{}", encoding.name());
    }
}

#[test]
fn bytes_cut_off_or_left_over_are_refused() {
    for encoding in encodings() {
        for sample in samples() {
            let name = encoding.name();
            let bytes = encoded(&*encoding, &sample);
            let decoded = encoding.decode(&bytes[..bytes.len() - 1], sample.asked).ok();
            assert_ne!(decoded, Some(sample.message), "{name}: {}", sample.name);
            let longer = [bytes.as_slice(), b"x"].concat();
            assert!(encoding.decode(&longer, sample.asked).is_err(), "{name}: {}", sample.name);
        }
    }
}

/// The examples of section 10.2 of SPEC.md, with the id 1000.
#[test]
fn ours_are_the_bytes_of_the_specification() {
    assert_eq!(bytes(&Ours, "data request"), *b"\x84\x01\x19\x03\xe8\x81\x01\xf5");
    let one = b"\x83\x02\x19\x03\xe8\x81\x82\x01\xf9\x4d\x60";
    assert_eq!(bytes(&Ours, "data response, one"), one);
    assert_eq!(bytes(&Ours, "command, switch"), *b"\x85\x03\x19\x03\xe8\x0a\xf5\xf5");
    assert_eq!(bytes(&Ours, "command status"), *b"\x83\x04\x19\x03\xe8\x01");
    let alert = b"\x85\x05\x19\x03\xe8\x02\x82\x01\xf9\x53\xb0\x6cIt gets hot.";
    assert_eq!(bytes(&Ours, "alert"), alert);
    assert_eq!(bytes(&Ours, "acknowledgement"), *b"\x83\x07\x19\x03\xe8\xf5");
}

#[test]
fn raw_fields_have_their_full_width() {
    assert_eq!(bytes(&raw::Raw, "acknowledgement"), [7, 0, 0, 3, 232, 1, 0]);
    let reading = b"\x00\x00\x01\x02\x40\x35\x80\x00\x00\x00\x00\x00\x00\x00";
    let one = [&b"\x02\x00\x00\x03\xe8\x01"[..], reading, b"\x00"].concat();
    assert_eq!(bytes(&raw::Raw, "data response, one"), one);
}

#[test]
fn json_has_the_names_of_the_fields() {
    let one = br#"{"kind":2,"id":1000,"readings":[{"label":1,"value":21.5}]}"#;
    assert_eq!(bytes(&json::Json, "data response, one"), one);
    let acknowledgement = br#"{"kind":7,"id":1000,"nothing-waiting":true}"#;
    assert_eq!(bytes(&json::Json, "acknowledgement"), acknowledgement);
}

/// By hand: version, type and token length; code; message id; token (RFC 7252 section 3);
/// options by the difference of their numbers and their length (section 3.1; Uri-Path is
/// 11, Content-Format 12); the payload behind `ff`.
#[test]
fn coap_has_the_bytes_of_rfc_7252() {
    let plain = coap::Coap(coap::Cbor);
    let request = b"\x42\x01\x03\xe8\x03\xe8\xbbtemperature";
    assert_eq!(bytes(&plain, "data request"), request);
    let response = b"\x62\x45\x03\xe8\x03\xe8\xc1\x3c\xff\xf9\x4d\x60";
    assert_eq!(bytes(&plain, "data response, one"), response);
    let command = b"\x42\x03\x03\xe8\x03\xe8\xb6switch\x11\x3c\xff\xf5";
    assert_eq!(bytes(&plain, "command, switch"), command);
    assert_eq!(bytes(&plain, "command status"), *b"\x62\x44\x03\xe8\x03\xe8");
    assert_eq!(bytes(&plain, "acknowledgement"), *b"\x62\x41\x03\xe8\x03\xe8");
}

/// By hand, from the table of labels in RFC 8428 section 6.
#[test]
fn senml_has_the_bytes_of_rfc_8428() {
    let (cbor, json) = (coap::Coap(coap::SenmlCbor), coap::Coap(coap::SenmlJson));
    let response =
        b"\x62\x45\x03\xe8\x03\xe8\xc1\x70\xff\x81\xa3\x00\x6btemperature\x01\x63Cel\x02\xf9\x4d\x60";
    assert_eq!(bytes(&cbor, "data response, one"), response);
    let command = b"\x42\x03\x03\xe8\x03\xe8\xb6switch\x11\x70\xff\x81\xa2\x00\x66switch\x04\xf5";
    assert_eq!(bytes(&cbor, "command, switch"), command);
    let response = [
        &b"\x62\x45\x03\xe8\x03\xe8\xc1\x6e\xff"[..],
        br#"[{"n":"temperature","u":"Cel","v":21.5}]"#,
    ];
    assert_eq!(bytes(&json, "data response, one"), response.concat());
    let command =
        [&b"\x42\x03\x03\xe8\x03\xe8\xb6switch\x11\x6e\xff"[..], br#"[{"n":"switch","vb":true}]"#];
    assert_eq!(bytes(&json, "command, switch"), command.concat());
    let alert = [
        &b"\x42\x02\x03\xe8\x03\xe8\xb6alerts\x11\x6e\xff"[..],
        br#"[{"n":"temperature","u":"Cel","v":61.5},{"n":"severity","v":2},"#,
        br#"{"n":"text","vs":"It gets hot."}]"#,
    ];
    assert_eq!(bytes(&json, "alert"), alert.concat());
}

#[test]
fn what_an_encoding_has_no_field_for_is_refused_and_not_left_out() {
    let refuses = |encoding: &dyn Encoding, body: Body<'static>| {
        encoding.encode(&message(body), None, &mut [0; BUFFER]).is_err()
    };
    let command = |nothing_waiting, lifetime| Body::Command {
        label: TEMPERATURE,
        argument: Value::Bool(true),
        nothing_waiting,
        lifetime,
    };
    let status = |state, result| Body::CommandStatus { state, result };
    let plain = coap::Coap(coap::Cbor);
    for body in [
        command(false, None),
        command(true, Some(60)),
        status(CommandState::Failed, None),
        status(CommandState::Done, Some(Value::Bool(true))),
        Body::Acknowledgement { nothing_waiting: false },
        Body::DataRequest { labels: Few::new(), nothing_waiting: true },
    ] {
        assert!(refuses(&plain, body.clone()), "{body:?}");
    }
    let bytes = Body::CommandStatus { state: CommandState::Done, result: Some(Value::Bytes(&[1])) };
    assert!(refuses(&json::Json, bytes));
    let early = Reading {
        time: Some(UnixTime::from_secs(9)),
        ..Reading::new(TEMPERATURE, Value::Integer(1))
    };
    let relative = Body::DataResponse { readings: Few::from([early]) };
    assert!(refuses(&coap::Coap(coap::SenmlCbor), relative));
}

/// Forgets which answer it was.
struct Forgetful;

impl Encoding for Forgetful {
    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn encode(
        &self,
        message: &Message<'_>,
        asked: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        Ours.encode(&Message { id: MessageId(1), ..message.clone() }, asked, buffer)
    }

    fn decode<'a>(&self, bytes: &'a [u8], asked: Option<Label<'a>>) -> anyhow::Result<Message<'a>> {
        Ours.decode(bytes, asked)
    }
}

#[test]
fn what_loses_information_is_not_measured() {
    for sample in samples() {
        assert!(Runner::new(Box::new(Ours), &sample).is_ok());
        let error = Runner::new(Box::new(Forgetful), &sample).err().unwrap();
        assert!(error.to_string().contains("other information"), "{error}");
    }
}

#[test]
fn the_answer_has_every_message_in_every_encoding_ours_first() {
    let effort = Effort { rounds: 2, each: Duration::from_micros(1) };
    let answer = measure(effort).unwrap();
    let names = Vec::from_iter(encodings().iter().map(|encoding| encoding.name()));
    let messages = Vec::from_iter(answer.messages.iter().map(|message| message.message));
    assert_eq!(messages, samples().map(|sample| sample.name));
    for (message, sample) in answer.messages.iter().zip(samples()) {
        assert!(message.rows.iter().map(|row| row.encoding).eq(names.iter().copied()));
        for (row, encoding) in message.rows.iter().zip(encodings()) {
            assert_eq!(row.bytes, encoded(&*encoding, &sample).len());
            assert!(row.encode.median > 0.0 && row.decode.median > 0.0);
        }
        let first = &message.rows[0];
        assert!(first.ours && !message.rows[1].ours);
        assert_eq!((first.encode_ratio.median, first.decode_ratio.median), (1.0, 1.0));
    }
    let total: usize = samples().iter().map(|sample| encoded(&Ours, sample).len()).sum();
    let (row, bytes) = answer.totals().next().unwrap();
    assert_eq!((row.encoding, bytes), (names[0], total));
    assert_eq!(answer.totals().count(), names.len());
}
