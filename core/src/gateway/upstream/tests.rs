use std::string::String;
use std::vec;

use super::*;
use crate::transmission::{ErrorCode, Label, Reading, Value};

const NOW: Instant = Instant::ZERO;

fn device(number: u32) -> PartyId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    PartyId(id)
}

fn connected(max_payload: usize) -> Upstream {
    let mut upstream = Upstream::new(max_payload);
    upstream.connect(NOW, true);
    upstream
}

fn reading(number: i64) -> OwnedReading {
    OwnedReading::from(&Reading::new(Label::Number(1), Value::Integer(number)))
}

fn readings(from: u32, number: i64) -> Item {
    Item { device: device(from), news: News::Readings(vec![reading(number)]) }
}

fn alert(from: u32, number: i64) -> Item {
    let severity = Severity::Critical;
    let news = News::Alert { severity, reading: reading(number), text: String::new() };
    Item { device: device(from), news }
}

fn name() -> Name {
    Name::new("device").unwrap()
}

/// Takes what is sent, and has the cloud acknowledge it; what was told, in order.
fn told(upstream: &mut Upstream) -> Vec<Vec<u8>> {
    let mut told = Vec::new();
    loop {
        upstream.refill(NOW);
        let Some(bytes) = upstream.poll_transmit(NOW) else { return told };
        let Message { id, .. } = Message::decode(&bytes).unwrap();
        let body = Body::Acknowledgement { nothing_waiting: true };
        upstream.handle_answer(NOW, &Message { id, subject: None, body });
        told.push(bytes);
    }
}

fn kinds(told: &[Vec<u8>]) -> Vec<Kind> {
    told.iter().map(|bytes| Message::decode(bytes).unwrap().body.kind()).collect()
}

#[test]
fn readings_give_way_to_alerts_and_alerts_to_nothing() {
    let mut upstream = Upstream::new(1000);
    for number in 0..MAX_QUEUE as u32 {
        assert!(upstream.push(readings(number / 60, number.into())));
    }
    assert!(upstream.push(readings(1000, 0)));
    assert_eq!(upstream.queue.len(), MAX_QUEUE);
    for number in 0..MAX_QUEUE as u32 {
        assert!(upstream.push(alert(2000 + number, number.into())));
    }
    assert!(!upstream.push(alert(9000, 0)) && !upstream.push(readings(9000, 0)));
    assert_eq!(upstream.queue.len(), MAX_QUEUE);
    upstream.connect(NOW, true);
    let told = told(&mut upstream);
    assert_eq!(kinds(&told), vec![Kind::Alert; MAX_QUEUE]);
}

#[test]
fn a_device_takes_its_own_room_only() {
    let mut upstream = Upstream::new(1000);
    assert!(upstream.push(readings(1, 0)));
    for number in 0..MAX_QUEUE_OF_DEVICE {
        assert!(upstream.push(alert(1, number as i64)));
    }
    assert!(!upstream.push(alert(1, 64)));
    assert!(upstream.push(alert(2, 0)));
}

#[test]
fn only_how_a_device_stands_now_is_told_and_before_its_news() {
    let mut upstream = Upstream::new(1000);
    upstream.push(alert(1, 1));
    upstream.note_presence(device(1), PresenceState::Connected, name());
    upstream.note_presence(device(1), PresenceState::Disconnected, name());
    upstream.connect(NOW, true);
    let told = told(&mut upstream);
    assert_eq!(kinds(&told), [Kind::Presence, Kind::Alert]);
    let Body::Presence { state, .. } = Message::decode(&told[0]).unwrap().body else { panic!() };
    assert_eq!(state, PresenceState::Disconnected);
}

#[test]
fn of_a_device_one_presence_is_told_at_a_time() {
    let mut upstream = connected(1000);
    upstream.note_presence(device(1), PresenceState::Connected, name());
    upstream.refill(NOW);
    let first = upstream.poll_transmit(NOW).unwrap();
    upstream.note_presence(device(1), PresenceState::Disconnected, name());
    upstream.refill(NOW);
    assert_eq!(upstream.poll_transmit(NOW), None);
    let id = Message::decode(&first).unwrap().id;
    let busy = Body::Error { code: ErrorCode::Busy, text: "" };
    upstream.handle_answer(NOW, &Message { id, subject: None, body: busy });
    assert_eq!(upstream.poll_transmit(NOW), None);
    let body = Body::Acknowledgement { nothing_waiting: true };
    upstream.handle_answer(NOW, &Message { id, subject: None, body });
    assert!(upstream.poll_transmit(NOW).is_some());
}

#[test]
fn who_is_refused_takes_little_room() {
    let mut upstream = Upstream::new(1000);
    for number in 0..10_000 {
        upstream.note_presence(device(number), PresenceState::Refused(4), name());
    }
    assert_eq!(upstream.presence.len(), MAX_REFUSED);
    upstream.note_presence(device(20_000), PresenceState::Connected, name());
    assert_eq!(upstream.presence.len(), MAX_REFUSED + 1);
    assert!(upstream.push(alert(1, 1)));
}

#[test]
fn a_report_that_is_too_long_for_a_datagram_is_told_in_parts() {
    let long = Reading::new(Label::parse("temperature").unwrap(), Value::Float(1.5));
    let news = News::Readings(vec![OwnedReading::from(&long); 8]);
    let mut upstream = connected(100);
    upstream.push(Item { device: device(1), news });
    let told = told(&mut upstream);
    let mut count = 0;
    for bytes in &told {
        assert!(bytes.len() <= 100);
        let Body::Report { readings } = Message::decode(bytes).unwrap().body else { panic!() };
        count += readings.len();
    }
    assert_eq!(count, 8);
}

#[test]
fn answers_are_not_for_the_next_incarnation_of_the_cloud() {
    let mut upstream = connected(1000);
    let ticket = upstream.handle_request(NOW, MessageId(1), Kind::Command).unwrap();
    upstream.forward(ticket, device(1), MessageId(7));
    upstream.push_message(MessageId(2), Body::Acknowledgement { nothing_waiting: true });
    upstream.connect(NOW, true);
    assert!(!upstream.is_forwarded(device(1), MessageId(7)));
    assert_eq!(upstream.poll_transmit(NOW), None);
}

#[test]
fn answers_that_wait_are_limited() {
    let mut upstream = connected(1000);
    for number in 1..1000 {
        let body = Body::Acknowledgement { nothing_waiting: true };
        upstream.push_message(MessageId(number), body);
    }
    assert_eq!(upstream.answers.len(), MAX_ANSWERS);
}
