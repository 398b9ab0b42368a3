use super::*;
use crate::transmission::CommandState;

type Device = Responses<4, 96>;

const NOW: Instant = Instant::ZERO;

fn done() -> Body<'static> {
    Body::CommandStatus { state: CommandState::Done, result: None }
}

fn acknowledgement() -> Body<'static> {
    Body::Acknowledgement { nothing_waiting: true }
}

fn error(code: ErrorCode) -> Body<'static> {
    Body::Error { code, text: "" }
}

fn open(responses: &mut Device, id: u32, kind: Kind) -> Ticket {
    match responses.receive(NOW, MessageId(id), kind) {
        Verdict::New(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn answer(responses: &mut Device, ticket: Ticket, body: Body<'_>) -> Result<usize, AnswerError> {
    responses.answer(ticket, None, body, &mut [0; 96])
}

/// Receives and answers at once.
fn serve(responses: &mut Device, id: u32, kind: Kind, body: Body<'_>) {
    let ticket = open(responses, id, kind);
    answer(responses, ticket, body).unwrap();
}

#[test]
fn a_command_is_new_once_and_its_answer_is_kept() {
    let mut responses = Device::new();
    let id = MessageId(1);
    let ticket = open(&mut responses, 1, Kind::Command);
    assert_eq!(responses.receive(NOW, id, Kind::Command), Verdict::InProgress);
    assert_eq!(answer(&mut responses, ticket, acknowledgement()), Ok(4));
    assert_eq!(responses.receive(NOW, id, Kind::Command), Verdict::InProgress);
    assert_eq!(answer(&mut responses, ticket, done()), Ok(4));
    assert_eq!(responses.receive(NOW, id, Kind::Command), Verdict::Answered(&[0x83, 4, 1, 1]));
    assert_eq!(answer(&mut responses, ticket, done()), Err(AnswerError::NotOpen));
}

#[test]
fn a_command_whose_answer_is_forgotten_does_not_run_again() {
    let mut responses = Device::new();
    for id in 1..=5 {
        serve(&mut responses, id, Kind::Command, done());
    }
    assert_eq!(
        responses.receive(NOW, MessageId(1), Kind::Command),
        Verdict::Refused(ErrorCode::AlreadyDone)
    );
    for id in 2..=5 {
        let verdict = responses.receive(NOW, MessageId(id), Kind::Command);
        assert!(matches!(verdict, Verdict::Answered(_)), "{id}");
    }
}

#[test]
fn a_refused_command_stays_refused() {
    let mut responses = Device::new();
    serve(&mut responses, 1, Kind::Command, error(ErrorCode::NotPermitted));
    let verdict = responses.receive(NOW, MessageId(1), Kind::Command);
    assert_eq!(verdict, Verdict::Answered(&[0x84, 6, 1, 5, 0x60]));
}

#[test]
fn an_alert_is_new_until_it_is_acknowledged_and_then_never_again() {
    let mut responses = Device::new();
    let ticket = open(&mut responses, 1, Kind::Alert);
    assert_eq!(responses.receive(NOW, MessageId(1), Kind::Alert), Verdict::InProgress);
    answer(&mut responses, ticket, error(ErrorCode::Internal)).unwrap();
    serve(&mut responses, 1, Kind::Alert, acknowledgement());
    assert_eq!(responses.receive(NOW, MessageId(1), Kind::Alert), Verdict::Acknowledged);
}

#[test]
fn a_data_request_is_served_as_often_as_it_comes_but_not_twice_at_a_time() {
    let mut responses = Device::new();
    for _ in 0..3 {
        let ticket = open(&mut responses, 1, Kind::DataRequest);
        assert_eq!(responses.receive(NOW, MessageId(1), Kind::DataRequest), Verdict::InProgress);
        let body = Body::DataResponse { readings: heapless::Vec::new() };
        assert_eq!(answer(&mut responses, ticket, body), Ok(4));
    }
}

#[test]
fn a_request_that_finds_no_place_is_new_when_it_comes_again() {
    let mut responses = Device::new();
    let first = open(&mut responses, 1, Kind::Command);
    for id in 2..=4 {
        open(&mut responses, id, Kind::Command);
    }
    for id in [5, 300] {
        assert_eq!(
            responses.receive(NOW, MessageId(id), Kind::Command),
            Verdict::Refused(ErrorCode::Busy)
        );
    }
    answer(&mut responses, first, done()).unwrap();
    open(&mut responses, 5, Kind::Command);
}

#[test]
fn a_busy_answer_leaves_the_command_new() {
    let mut responses = Device::new();
    serve(&mut responses, 1, Kind::Command, error(ErrorCode::Busy));
    serve(&mut responses, 1, Kind::Command, done());
}

#[test]
fn a_request_that_is_never_answered_gives_its_place_up_in_the_end() {
    let mut responses = Device::new();
    let first = open(&mut responses, 1, Kind::Command);
    open(&mut responses, 2, Kind::Alert);
    open(&mut responses, 3, Kind::Command);
    open(&mut responses, 4, Kind::Command);
    let late = NOW + PATIENCE;
    assert!(matches!(responses.receive(late, MessageId(5), Kind::Command), Verdict::New(_)));
    assert!(matches!(responses.receive(late, MessageId(6), Kind::Command), Verdict::New(_)));
    assert_eq!(answer(&mut responses, first, done()), Err(AnswerError::NotOpen));
    assert_eq!(
        responses.receive(late, MessageId(1), Kind::Command),
        Verdict::Refused(ErrorCode::AlreadyDone)
    );
    assert!(matches!(responses.receive(late, MessageId(2), Kind::Alert), Verdict::New(_)));
}

#[test]
fn requests_may_come_out_of_order_within_the_window_only() {
    let mut responses = Device::new();
    serve(&mut responses, 100, Kind::Command, done());
    serve(&mut responses, 37, Kind::Command, done());
    assert_eq!(
        responses.receive(NOW, MessageId(36), Kind::Command),
        Verdict::Refused(ErrorCode::Expired)
    );
    serve(&mut responses, 101, Kind::Command, done());
    assert_eq!(
        responses.receive(NOW, MessageId(37), Kind::Command),
        Verdict::Refused(ErrorCode::Expired)
    );
    serve(&mut responses, u32::MAX, Kind::Command, done());
    assert!(matches!(
        responses.receive(NOW, MessageId(u32::MAX), Kind::Command),
        Verdict::Answered(_)
    ));
    assert_eq!(
        responses.receive(NOW, MessageId(101), Kind::Command),
        Verdict::Refused(ErrorCode::Expired)
    );
}

#[test]
fn a_new_incarnation_counts_from_1_again_and_gets_no_answer_of_the_old_one() {
    let mut responses = Device::new();
    let old = open(&mut responses, 1, Kind::Command);
    serve(&mut responses, 90, Kind::Command, done());
    responses.reset();
    let new = open(&mut responses, 1, Kind::Command);
    assert_eq!(answer(&mut responses, old, done()), Err(AnswerError::NotOpen));
    assert_eq!(answer(&mut responses, new, done()), Ok(4));
}

#[test]
fn an_answer_that_can_not_be_given_leaves_the_request_open() {
    let mut responses: Responses<1, 3> = Responses::new();
    let Verdict::New(ticket) = responses.receive(NOW, MessageId(1), Kind::Command) else {
        panic!("not new")
    };
    let mut buffer = [0; 160];
    let mut refused = |body, length: usize| {
        responses.answer(ticket, None, body, &mut buffer[..length]).unwrap_err()
    };
    let long = Body::Error { code: ErrorCode::Internal, text: &"x".repeat(65) };
    assert_eq!(refused(long, 160), AnswerError::OutOfLimits);
    assert_eq!(refused(Body::Awake, 160), AnswerError::NotItsAnswer);
    assert_eq!(refused(done(), 160), AnswerError::TooLarge { needed: 4 });
    assert_eq!(refused(done(), 3), AnswerError::BufferTooSmall(BufferTooSmall { needed: 4 }));
    assert_eq!(responses.receive(NOW, MessageId(1), Kind::Command), Verdict::InProgress);
}
