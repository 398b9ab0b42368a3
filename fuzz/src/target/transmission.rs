//! The messages of the IoT-Transmission-Protocol, and their exchange.

mod exchange;

use iot_crypto::transmission::{Body, EncodeError, Kind, Label, Message, MessageId, Rejected};
use iot_crypto::wire::BufferTooSmall;

use crate::cbor::is_deterministic;
use crate::input::Input;
use crate::message;

/// Does what the first byte says: decodes a message from the rest; encodes one that
/// the rest describes; reads a label; or exchanges requests and answers.
pub fn transmission(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(6) {
        0 => decode(input.rest()),
        1 => encode(&mut input),
        2 => label(input.rest()),
        _ => exchange::exchange(&mut input),
    }
}

/// What is accepted is deterministic and encodes to the same bytes. What is to be
/// answered has an id, and is not an answer itself.
fn decode(bytes: &[u8]) {
    match Message::decode(bytes) {
        Ok(message) => {
            assert!(is_deterministic(bytes), "accepted {bytes:02x?}");
            assert!(message.id != MessageId(0));
            assert_encodes(bytes, &message);
            for length in [0, bytes.len() / 2, bytes.len() - 1] {
                assert!(Message::decode(&bytes[..length]).is_err());
            }
        }
        Err(Rejected::Answerable { id, code }) => {
            assert!(id != MessageId(0));
            let error = Message { id, subject: None, body: Body::error(code) };
            assert!(error.encode(&mut [0; 16]).is_ok(), "the answer can't be encoded");
        }
        Err(Rejected::Dropped(_)) => {}
    }
}

/// What is encoded is decoded again to the same message.
fn encode(input: &mut Input<'_>) {
    let message = message::message(input);
    let mut buffer = [0; 2048];
    match message.encode(&mut buffer) {
        Ok(length) => {
            let bytes = &buffer[..length];
            assert!(is_deterministic(bytes), "encoded {bytes:02x?}");
            // NaN is not even equal to itself.
            let again = Message::decode(bytes).unwrap();
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
            assert_encodes(bytes, &again);
            let kind = message.body.kind();
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        Err(EncodeError::OutOfLimits) => {}
        Err(EncodeError::BufferTooSmall(error)) => panic!("a message needs {}", error.needed),
    }
}

fn assert_encodes(bytes: &[u8], message: &Message<'_>) {
    let mut buffer = vec![0; bytes.len()];
    assert_eq!(message.encode(&mut buffer), Ok(bytes.len()));
    assert_eq!(buffer, bytes, "what was accepted encodes otherwise");
    let error = EncodeError::BufferTooSmall(BufferTooSmall { needed: bytes.len() });
    assert_eq!(message.encode(&mut buffer[..bytes.len() - 1]), Err(error));
}

/// What is read is written so that it is read the same.
fn label(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(label) = Label::parse(text)
    {
        let again = label.to_string();
        assert_eq!(Label::parse(&again), Some(label), "{text:?} and {again:?}");
    }
}
