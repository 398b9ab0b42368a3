//! A sender of requests and their receiver together. What holds of them over a bad
//! channel is in the property suites.

use super::*;
use crate::time::{Deadline, Instant, Reason};

type Sender = Requests<4, 160>;
type Receiver = Responses<4, 96>;

#[test]
fn the_state_of_a_device_is_small() {
    let size = size_of::<Sender>() + size_of::<Receiver>();
    assert!(size <= 1_272, "{size} bytes");
}

#[test]
fn a_sleepy_device_is_told_when_nothing_more_waits_for_it() {
    let (start, woken) = (Instant::ZERO, Instant::from_millis(90_000));
    let mut gateway = Sender::new();
    let mut from_device = Receiver::new();
    let request = Body::DataRequest { labels: heapless::Vec::new(), nothing_waiting: true };
    gateway.send(start, request, None, None).unwrap();
    let mut buffer = [0; 96];
    assert_eq!(gateway.poll_transmit(start, &mut buffer), Ok(None));
    assert_eq!(gateway.poll_timeout(), None);

    let Verdict::New(awake) = from_device.receive(woken, MessageId(1), Kind::Awake) else {
        panic!("not new")
    };
    gateway.set_peer_listening(woken, true);
    assert_eq!(gateway.poll_timeout(), Some(Deadline::new(woken, Reason::Output)));
    assert!(gateway.poll_transmit(woken, &mut buffer).unwrap().is_some());
    assert!(!gateway.nothing_waiting());
    let readings = Body::DataResponse { readings: heapless::Vec::new() };
    let response = Message { id: MessageId(1), subject: None, body: readings };
    gateway.handle_answer(woken, &response).unwrap();
    assert!(gateway.nothing_waiting());
    let last = Body::Acknowledgement { nothing_waiting: gateway.nothing_waiting() };
    let length = from_device.answer(awake, None, last, &mut buffer).unwrap();
    assert_eq!(buffer[..length], [0x83, 7, 1, 0xf5]);
}
