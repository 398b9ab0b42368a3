//! Messages put together from segments, against a model that remembers each byte.

use iot_crypto::connection::transfer::{Incoming, MAX_MESSAGE, Segments};

use crate::input::Input;

/// The room for the message.
const ROOM: usize = 64;

/// Arbitrary segments: the message is what came first for each of its bytes.
pub(super) fn arbitrary(input: &mut Input<'_>) {
    let mut incoming = Incoming::<ROOM>::new();
    let mut model: Option<Vec<Option<u8>>> = None;
    while !input.is_empty() {
        let (total, offset) = (usize::from(input.u8() % 80), usize::from(input.u8() % 80));
        let bytes = input.bytes();
        let payload = segment(total, offset, bytes);
        let received = incoming.receive(&payload);
        let fits = total <= ROOM && offset + bytes.len() <= total;
        assert!(fits || received.is_err(), "a segment that does not fit is taken");
        let Ok(message) = received else { continue };
        if model.as_ref().is_none_or(|model| model.len() != total) {
            model = Some(vec![None; total]);
        }
        let known = model.as_mut().unwrap();
        for (place, byte) in known[offset..].iter_mut().zip(bytes) {
            place.get_or_insert(*byte);
        }
        let whole: Option<Vec<u8>> = known.iter().copied().collect();
        assert_eq!(message.map(<[u8]>::to_vec), whole);
        if whole.is_some() {
            model = None;
        }
    }
}

/// An encoded segment.
fn segment(total: usize, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x84, 0];
    for number in [total, offset] {
        if number >= 24 {
            payload.push(0x18);
        }
        payload.push(number as u8);
    }
    match bytes.len() {
        length @ 0..24 => payload.push(0x40 | length as u8),
        length => payload.extend([0x58, length as u8]),
    }
    payload.extend(bytes);
    payload
}

/// The segments of one message in any order, each as often as it comes: nothing
/// but that message is handed out, and when all have come in order, it is.
pub(super) fn of_one_message(input: &mut Input<'_>) {
    let length = usize::from(input.u16()) % (MAX_MESSAGE + 2);
    let max_payload = usize::from(input.u16()) % 400;
    let mut message: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
    message.iter_mut().zip([0x87, 1]).for_each(|(byte, head)| *byte = head);
    let Ok(segments) = Segments::new(&message, max_payload) else {
        assert!(length > MAX_MESSAGE || length > max_payload);
        return;
    };
    let mut incoming = Incoming::<MAX_MESSAGE>::new();
    let mut buffer = [0; 400];
    while !input.is_empty() {
        let index = usize::from(input.u8());
        match segments.write(index, &mut buffer).unwrap() {
            Some(length) => {
                assert!(index < segments.count() && length <= max_payload);
                if let Ok(Some(whole)) = incoming.receive(&buffer[..length]) {
                    assert_eq!(whole, message);
                }
            }
            None => assert!(index >= segments.count()),
        }
    }
    let mut handed_out = false;
    for _ in 0..2 {
        for index in 0..segments.count() {
            let length = segments.write(index, &mut buffer).unwrap().unwrap();
            handed_out |= incoming.receive(&buffer[..length]) == Ok(Some(&message[..]));
        }
    }
    assert!(handed_out, "a message that came twice as a whole is not handed out");
}
