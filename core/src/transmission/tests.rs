//! Two parties over a channel that loses, repeats and reorders, in virtual time,
//! against what they were asked to do.

use std::collections::BTreeMap;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::*;
use crate::time::{Deadline, Instant, Reason};

type Sender = Requests<4, 160>;
type Receiver = Responses<4, 96>;

#[test]
fn the_state_of_a_device_is_small() {
    let size = size_of::<Sender>() + size_of::<Receiver>();
    assert!(size <= 1_272, "{size} bytes");
}

/// How the channel treats what is sent: chances out of 100.
#[derive(Clone, Copy)]
struct Weather {
    loss: u32,
    repetition: u32,
}

/// What was observed of one request.
#[derive(Debug, Default)]
struct Observed {
    /// How often it was carried out.
    runs: u32,
    /// Whether it had its last word, and what that was.
    last_words: Vec<Kind>,
    expired: bool,
    /// When it may be given up.
    expires: Option<Instant>,
    kind: Option<Kind>,
}

struct World {
    random: ChaCha20Rng,
    weather: Weather,
    now: Instant,
    sender: Sender,
    receiver: Receiver,
    /// What is under way: the instant of its arrival, and whether it goes to
    /// the receiver.
    channel: Vec<(Instant, bool, Vec<u8>)>,
    /// What the receiver is at work on, and when it will be done.
    work: Vec<(Instant, Ticket, Kind)>,
    observed: BTreeMap<u32, Observed>,
}

impl World {
    fn new(seed: u8, weather: Weather) -> Self {
        let mut sender = Sender::new();
        sender.set_peer_listening(Instant::ZERO, true);
        Self {
            random: ChaCha20Rng::from_seed([seed; 32]),
            weather,
            now: Instant::ZERO,
            sender,
            receiver: Receiver::new(),
            channel: Vec::new(),
            work: Vec::new(),
            observed: BTreeMap::new(),
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        self.random.next_u32() % end
    }

    /// An instant at most `milliseconds` from now.
    fn within(&mut self, milliseconds: u32) -> Instant {
        let delay = self.below(milliseconds);
        Instant::from_millis(self.now.as_millis() + u64::from(delay))
    }

    fn send(&mut self) {
        let kind = [Kind::Command, Kind::Alert, Kind::DataRequest][self.below(3) as usize];
        let body = match kind {
            Kind::Command => Body::Command {
                label: Label::Number(10),
                argument: Value::Bool(true),
                nothing_waiting: true,
                lifetime: None,
            },
            Kind::Alert => Body::Alert {
                severity: Severity::Warning,
                reading: Reading::new(Label::Number(1), Value::Integer(1)),
                text: "",
            },
            _ => Body::DataRequest { labels: heapless::Vec::new(), nothing_waiting: true },
        };
        let expires = if kind == Kind::Alert { None } else { Some(self.within(300_000)) };
        if let Ok(id) = self.sender.send(self.now, body, None, expires) {
            let request = Observed { expires, kind: Some(kind), ..Observed::default() };
            assert!(self.observed.insert(id.0, request).is_none(), "an id was used twice");
        }
    }

    fn carry(&mut self, to_receiver: bool, bytes: &[u8]) {
        if self.below(100) < self.weather.loss {
            return;
        }
        let copies = 1 + u32::from(self.below(100) < self.weather.repetition);
        for _ in 0..copies {
            let at = self.within(5_000);
            self.channel.push((at, to_receiver, bytes.to_vec()));
        }
    }

    fn answer(&mut self, ticket: Ticket, body: Body<'_>) {
        let mut buffer = [0; 96];
        let length = self.receiver.answer(ticket, None, body, &mut buffer).unwrap();
        self.carry(false, &buffer[..length]);
    }

    fn reply(&mut self, id: MessageId, body: Body<'_>) {
        let mut buffer = [0; 96];
        let length = Message { id, subject: None, body }.encode(&mut buffer).unwrap();
        self.carry(false, &buffer[..length]);
    }

    fn arrive_at_receiver(&mut self, bytes: &[u8]) {
        let message = Message::decode(bytes).unwrap();
        let (id, kind) = (message.id, message.body.kind());
        let acknowledgement = Body::Acknowledgement { nothing_waiting: true };
        match self.receiver.receive(self.now, id, kind) {
            Verdict::New(ticket) => {
                self.observed.get_mut(&id.0).unwrap().runs += 1;
                let done = self.within(20_000);
                self.work.push((done, ticket, kind));
            }
            Verdict::InProgress if kind == Kind::Alert => {}
            Verdict::InProgress | Verdict::Acknowledged => self.reply(id, acknowledgement),
            Verdict::Answered(answer) => {
                let answer = answer.to_vec();
                self.carry(false, &answer);
            }
            Verdict::Refused(code) => self.reply(id, Body::Error { code, text: "" }),
        }
    }

    fn arrive_at_sender(&mut self, bytes: &[u8]) {
        let message = Message::decode(bytes).unwrap();
        if let Some(Answered::Final(kind)) = self.sender.handle_answer(self.now, &message) {
            let request = self.observed.get_mut(&message.id.0).unwrap();
            assert_eq!(request.kind, Some(kind));
            request.last_words.push(message.body.kind());
        }
    }

    fn finish_work(&mut self, ticket: Ticket, kind: Kind) {
        let body = match kind {
            Kind::Command => Body::CommandStatus { state: CommandState::Done, result: None },
            Kind::Alert => Body::Acknowledgement { nothing_waiting: true },
            _ => Body::DataResponse { readings: heapless::Vec::new() },
        };
        self.answer(ticket, body);
    }

    /// Goes on to the next advertised deadline, arrival or end of work, and does
    /// what is due then; false if there is nothing more to do.
    fn step(&mut self) -> bool {
        let arrival = self.channel.iter().map(|(at, ..)| *at).min();
        let work = self.work.iter().map(|(at, ..)| *at).min();
        let deadline = self.sender.poll_timeout().map(|deadline| deadline.at);
        let Some(next) = [arrival, work, deadline].into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(next);
        if let Some(index) = self.channel.iter().position(|(at, ..)| *at <= self.now) {
            let (_, to_receiver, bytes) = self.channel.swap_remove(index);
            if to_receiver {
                self.arrive_at_receiver(&bytes)
            } else {
                self.arrive_at_sender(&bytes)
            }
        }
        if let Some(index) = self.work.iter().position(|(at, ..)| *at <= self.now) {
            let (_, ticket, kind) = self.work.swap_remove(index);
            self.finish_work(ticket, kind);
        }
        self.sender.handle_timeout(self.now);
        let mut buffer = [0; 160];
        while let Some(length) = self.sender.poll_transmit(self.now, &mut buffer).unwrap() {
            self.carry(true, &buffer[..length]);
        }
        while let Some(given_up) = self.sender.poll_event() {
            let request = self.observed.get_mut(&given_up.id.0).unwrap();
            assert!(request.expires.is_some_and(|at| at <= self.now));
            request.expired = true;
        }
        true
    }

    fn run(mut self) -> BTreeMap<u32, Observed> {
        for _ in 0..3_000 {
            if self.below(4) == 0 {
                self.send();
            }
            match self.below(60) {
                0 => self.sender.restart(self.now),
                1 => self.sender.set_peer_listening(self.now, false),
                2..=8 => self.sender.set_peer_listening(self.now, true),
                _ => {}
            }
            self.step();
        }
        self.sender.set_peer_listening(self.now, true);
        while self.step() {}
        assert!(self.sender.is_empty());
        self.observed
    }
}

#[test]
fn in_any_weather_a_command_runs_at_most_once_and_an_alert_exactly_once() {
    let (mut commands, mut answered, mut alerts) = (0, 0, 0);
    for seed in 0..12 {
        let loss = [0, 10, 40, 70][usize::from(seed) % 4];
        let weather = Weather { loss, repetition: 20 };
        for (id, request) in World::new(seed, weather).run() {
            let outcomes = request.last_words.len() + usize::from(request.expired);
            assert_eq!(outcomes, 1, "seed {seed}, request {id}: {request:?}");
            match request.kind {
                Some(Kind::Command) => {
                    commands += 1;
                    assert!(request.runs <= 1, "seed {seed}, request {id}: {request:?}");
                    if request.last_words == [Kind::CommandStatus] {
                        answered += 1;
                        assert_eq!(request.runs, 1, "seed {seed}, request {id}");
                    }
                }
                Some(Kind::Alert) => {
                    alerts += 1;
                    assert_eq!(request.runs, 1, "seed {seed}, request {id}: {request:?}");
                    assert_eq!(request.last_words, [Kind::Acknowledgement]);
                }
                _ => {}
            }
        }
    }
    assert!(commands > 500 && answered > 200 && alerts > 500, "{commands} {answered} {alerts}");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let weather = Weather { loss: 30, repetition: 20 };
    let run = |seed| std::format!("{:?}", World::new(seed, weather).run());
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
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
