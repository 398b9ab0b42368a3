use std::vec::Vec;

use super::*;
use crate::transmission::{CommandState, ErrorCode, Label, Value};

type Device = Requests<4, 160>;

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn listening() -> Device {
    let mut requests = Device::new();
    requests.set_peer_listening(at(0), true);
    requests
}

fn command() -> Body<'static> {
    Body::Command {
        label: Label::Number(10),
        argument: Value::Bool(true),
        nothing_waiting: true,
        lifetime: None,
    }
}

fn answer(id: MessageId, body: Body<'static>) -> Message<'static> {
    Message { id, subject: None, body }
}

fn acknowledgement(id: MessageId) -> Message<'static> {
    answer(id, Body::Acknowledgement { nothing_waiting: true })
}

fn done(id: MessageId) -> Message<'static> {
    answer(id, Body::CommandStatus { state: CommandState::Done, result: None })
}

fn busy(id: MessageId) -> Message<'static> {
    answer(id, Body::Error { code: ErrorCode::Busy, text: "" })
}

/// A command that was given up.
fn given_up(id: u32, cause: Cause, was_sent: bool) -> GivenUp {
    GivenUp { id: MessageId(id), kind: Kind::Command, cause, was_sent }
}

/// What is sent at `now`: ids, and the sleepy-device flags of those that have one.
fn sent(requests: &mut Device, now: Instant) -> Vec<(u32, Option<bool>)> {
    let mut buffer = [0; 160];
    core::iter::from_fn(|| {
        let length = requests.poll_transmit(now, &mut buffer).unwrap()?;
        let mut message = Message::decode(&buffer[..length]).unwrap();
        Some((message.id.0, message.body.nothing_waiting_mut().copied()))
    })
    .collect()
}

/// Drives by the advertised deadlines alone until `end`; when something was sent.
fn transmissions(requests: &mut Device, end: Instant) -> Vec<u64> {
    let mut instants = Vec::new();
    while let Some(deadline) = requests.poll_timeout().filter(|deadline| deadline.at <= end) {
        requests.handle_timeout(deadline.at);
        instants
            .extend(sent(requests, deadline.at).iter().map(|_| deadline.at.as_millis() / 1_000));
        while requests.poll_event().is_some() {}
    }
    instants
}

#[test]
fn a_request_is_repeated_ever_less_often_until_its_deadline() {
    let mut requests = listening();
    requests.send(at(0), command(), None, Some(at(200))).unwrap();
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(0), Reason::Output)));
    assert_eq!(transmissions(&mut requests, at(199)), [0, 2, 6, 14, 30, 62, 122, 182]);
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(200), Reason::Expiry)));
    assert_eq!(sent(&mut requests, at(300)), []);
    requests.handle_timeout(at(300));
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(200), Reason::Output)));
    assert_eq!(requests.handle_answer(at(300), &done(MessageId(1))), None);
    assert_eq!(requests.poll_event(), Some(given_up(1, Cause::Expired, true)));
    assert_eq!(requests.poll_event(), None);
    assert!(requests.is_empty());
    assert_eq!(requests.poll_timeout(), None);
}

#[test]
fn a_request_without_a_deadline_is_kept_until_it_is_answered() {
    let mut requests = listening();
    let id = requests.send(at(0), Body::Awake, None, None).unwrap();
    let instants = transmissions(&mut requests, at(1_000_000));
    assert!(instants.len() > 16_000);
    assert_eq!(
        requests.handle_answer(at(1_000_000), &acknowledgement(id)),
        Some(Answered::Final(Kind::Awake))
    );
    assert_eq!(requests.handle_answer(at(1_000_000), &acknowledgement(id)), None);
    assert!(requests.is_empty());
}

#[test]
fn an_answer_must_fit_its_request() {
    let mut requests = listening();
    let id = requests.send(at(0), Body::Awake, None, None).unwrap();
    assert_eq!(requests.handle_answer(at(1), &done(id)), None);
    assert_eq!(requests.handle_answer(at(1), &answer(id, command())), None);
    assert_eq!(requests.handle_answer(at(1), &acknowledgement(MessageId(2))), None);
    assert!(!requests.is_empty());
}

#[test]
fn a_command_in_progress_is_asked_for_less_often() {
    let mut requests = listening();
    let id = requests.send(at(0), command(), None, Some(at(150))).unwrap();
    assert_eq!(transmissions(&mut requests, at(1)), [0]);
    assert_eq!(
        requests.handle_answer(at(1), &acknowledgement(id)),
        Some(Answered::Deferred(Kind::Command))
    );
    assert!(requests.nothing_waiting() && !requests.is_empty());
    assert_eq!(transmissions(&mut requests, at(149)), [61, 121]);
    assert_eq!(requests.handle_answer(at(149), &done(id)), Some(Answered::Final(Kind::Command)));
}

#[test]
fn a_busy_peer_is_asked_again_later_and_another_error_is_the_last_word() {
    let mut requests = listening();
    let id = requests.send(at(0), command(), None, None).unwrap();
    transmissions(&mut requests, at(1));
    assert_eq!(requests.handle_answer(at(1), &busy(id)), Some(Answered::Deferred(Kind::Command)));
    assert!(!requests.nothing_waiting());
    assert_eq!(transmissions(&mut requests, at(130)), [61, 121]);
    let error = answer(id, Body::Error { code: ErrorCode::NotPermitted, text: "" });
    assert_eq!(requests.handle_answer(at(130), &error), Some(Answered::Final(Kind::Command)));
}

#[test]
fn while_the_peer_does_not_listen_nothing_is_sent_but_deadlines_pass() {
    let mut requests = Device::new();
    requests.send(at(0), command(), None, Some(at(50))).unwrap();
    let alert = requests.send(at(0), Body::Awake, None, None).unwrap();
    assert_eq!(sent(&mut requests, at(40)), []);
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(50), Reason::Expiry)));
    requests.handle_timeout(at(50));
    assert_eq!(requests.poll_event(), Some(given_up(1, Cause::Expired, false)));
    assert_eq!(requests.poll_timeout(), None);
    requests.set_peer_listening(at(90), true);
    assert_eq!(sent(&mut requests, at(90)), [(alert.0, None)]);
}

#[test]
fn a_peer_that_wakes_is_asked_at_once() {
    let mut requests = listening();
    requests.send(at(0), command(), None, None).unwrap();
    assert_eq!(transmissions(&mut requests, at(30)), [0, 2, 6, 14, 30]);
    requests.set_peer_listening(at(31), false);
    requests.set_peer_listening(at(40), true);
    assert_eq!(transmissions(&mut requests, at(48)), [40, 42, 46]);
}

#[test]
fn a_new_session_gets_what_is_unanswered_at_once_with_the_same_ids() {
    let mut requests = listening();
    let first = requests.send(at(0), command(), None, None).unwrap();
    let second = requests.send(at(0), Body::Awake, None, None).unwrap();
    transmissions(&mut requests, at(20));
    requests.handle_answer(at(20), &acknowledgement(first));
    requests.restart(at(21));
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(21), Reason::Output)));
    let ids: Vec<u32> = sent(&mut requests, at(21)).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [first.0, second.0]);
    assert_eq!(requests.send(at(22), Body::Awake, None, None), Ok(MessageId(3)));
}

#[test]
fn a_command_that_may_have_run_is_not_sent_to_a_new_incarnation() {
    let mut requests = listening();
    requests.send(at(0), command(), None, None).unwrap();
    let awake = requests.send(at(0), Body::Awake, None, None).unwrap();
    transmissions(&mut requests, at(20));
    requests.restart(at(20));
    let unsent = requests.send(at(21), command(), None, None).unwrap();
    requests.handle_peer_restart(at(21));
    assert_eq!(requests.poll_timeout(), Some(Deadline::new(at(21), Reason::Output)));
    assert_eq!(requests.poll_event(), Some(given_up(1, Cause::PeerRestarted, true)));
    assert_eq!(requests.poll_event(), None);
    let ids: Vec<u32> = sent(&mut requests, at(21)).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [awake.0, unsent.0]);
}

#[test]
fn the_peer_is_not_told_that_nothing_waits_while_something_does() {
    let mut requests = listening();
    let first = requests.send(at(0), command(), None, None).unwrap();
    let second = requests.send(at(0), command(), Some(PartyId([7; 16])), None).unwrap();
    assert_eq!(sent(&mut requests, at(0)), [(1, Some(false)), (2, Some(false))]);
    requests.handle_answer(at(1), &done(first));
    assert_eq!(sent(&mut requests, at(2)), [(2, Some(true))]);
    requests.send(at(3), Body::Awake, None, None).unwrap();
    assert_eq!(sent(&mut requests, at(6)), [(3, None), (2, Some(false))]);
    requests.handle_answer(at(7), &done(second));
    assert!(!requests.nothing_waiting());
}

#[test]
fn a_full_table_refuses_and_changes_nothing() {
    let mut requests = listening();
    for id in 1..=4 {
        assert_eq!(requests.send(at(0), Body::Awake, None, None), Ok(MessageId(id)));
    }
    assert_eq!(requests.send(at(0), Body::Awake, None, None), Err(Refused::Full));
    assert!(requests.cancel(MessageId(2)));
    assert!(!requests.cancel(MessageId(2)));
    assert_eq!(requests.send(at(0), Body::Awake, None, None), Ok(MessageId(5)));
}

#[test]
fn no_request_is_made_that_could_push_another_out_of_the_window() {
    let mut requests = listening();
    let oldest = requests.send(at(0), Body::Awake, None, None).unwrap();
    for _ in 1..WINDOW {
        let id = requests.send(at(0), Body::Awake, None, None).unwrap();
        assert!(requests.cancel(id));
    }
    assert_eq!(requests.send(at(0), Body::Awake, None, None), Err(Refused::Full));
    assert!(requests.cancel(oldest));
    assert_eq!(requests.send(at(0), Body::Awake, None, None), Ok(MessageId(WINDOW + 1)));
}

#[test]
fn what_can_not_be_a_request_is_refused() {
    let mut requests: Requests<4, 5> = Requests::new();
    assert_eq!(requests.send(at(0), command(), None, None), Err(Refused::TooLarge { needed: 6 }));
    let label = Label::Text("");
    let empty =
        Body::Command { label, argument: Value::Bool(true), nothing_waiting: true, lifetime: None };
    assert_eq!(requests.send(at(0), empty, None, None), Err(Refused::OutOfLimits));
    let acknowledgement = Body::Acknowledgement { nothing_waiting: true };
    assert_eq!(requests.send(at(0), acknowledgement, None, None), Err(Refused::NotARequest));
    requests.last = u32::MAX;
    assert_eq!(requests.send(at(0), Body::Awake, None, None), Err(Refused::Exhausted));
    assert!(requests.is_empty());
}

#[test]
fn a_buffer_that_is_too_small_loses_nothing() {
    let mut requests = listening();
    requests.send(at(0), command(), None, None).unwrap();
    for length in 0..6 {
        let result = requests.poll_transmit(at(0), &mut [0; 6][..length]);
        assert_eq!(result, Err(BufferTooSmall { needed: 6 }));
    }
    assert_eq!(requests.poll_transmit(at(0), &mut [0; 6]), Ok(Some(6)));
    assert_eq!(requests.poll_transmit(at(0), &mut [0; 6]), Ok(None));
}
