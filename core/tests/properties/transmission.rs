//! Requests of one party to another in DTLS sessions, over a channel that loses,
//! repeats, reorders and damages, while sessions are replaced and both parties may
//! begin anew: a command runs at most once, what is said of it is true, and an alert
//! that was acknowledged was delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use iot_crypto::dtls::{Config, ServerConfig};
use iot_crypto::endpoint::{Endpoint as _, LocalPort};
use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    Answered, Body, Cause, CommandState, ErrorCode, Kind, Label, Message, MessageId, Reading,
    Requests, Responses, Severity, Ticket, Value, Verdict,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use rand_core::SeedableRng as _;

use crate::dtls::sides::{ClientSide, Knowledge, NAMES, SERVER, Serving as _, SingleSide};
use crate::harness::{Place, Subject as _};
use crate::testing::one_in;

const CLIENT: Place = Place { host: 1, port: 0 };
const PORT: LocalPort = LocalPort::FirstClient;

#[derive(Clone, Debug)]
enum Operation {
    /// The application of the sender asks for something, and gives it up after so
    /// many milliseconds; alerts are never given up.
    Ask(Kind, u64),
    /// It takes something back.
    Cancel(Index),
    /// So many events pass: arrivals, answers, deadlines.
    Pass(u32),
    /// A new session takes the place of the one before. What is under way in the one
    /// before still arrives.
    ReplaceSession,
    /// There is no session for so many milliseconds.
    LoseSession(u64),
    RestartSender,
    RestartReceiver,
}

/// How the channel and the receiver are: chances out of 100.
#[derive(Clone, Debug)]
struct Weather {
    seed: u64,
    loss: u32,
    repetition: u32,
    damage: u32,
    /// How often the receiver says first that it is at work, that it is busy, or never
    /// anything (but to alerts).
    deferral: u32,
    refusal: u32,
    silence: u32,
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind =
        prop::sample::select(vec![Kind::Command, Kind::Command, Kind::Alert, Kind::DataRequest]);
    prop_oneof![
        8 => (kind, 1_000..300_000_u64).prop_map(|(kind, after)| Operation::Ask(kind, after)),
        1 => any::<Index>().prop_map(Operation::Cancel),
        10 => (1..40_u32).prop_map(Operation::Pass),
        2 => Just(Operation::ReplaceSession),
        1 => (0..90_000_u64).prop_map(Operation::LoseSession),
        1 => Just(Operation::RestartSender),
        1 => Just(Operation::RestartReceiver),
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    let chance = |most: u32| prop_oneof![Just(0), 0..=most];
    (any::<u64>(), chance(60), chance(40), chance(20), (chance(40), chance(30), chance(10)))
        .prop_map(|(seed, loss, repetition, damage, (deferral, refusal, silence))| Weather {
            seed,
            loss,
            repetition,
            damage,
            deferral,
            refusal,
            silence,
        })
}

/// What became of one request, as seen from outside.
#[derive(Debug, Default)]
struct Observed {
    kind: Option<Kind>,
    expires: Option<Instant>,
    /// How often it was carried out; of an alert, how often it was taken charge of.
    runs: u32,
    /// In which incarnation of the receiver it was carried out last.
    ran_in: u32,
    /// The results of the runs.
    results: Vec<i64>,
    /// What the sender was told in the end.
    last_words: u32,
    given_up: Option<Cause>,
    cancelled: bool,
}

/// A request is known by the incarnation of its sender, and its id.
type Name = (u32, MessageId);

/// A DTLS session of these incarnations.
struct Session {
    client: ClientSide,
    server: SingleSide,
}

/// What the receiver's application is at work on.
struct Work {
    done: Instant,
    ticket: Ticket,
    name: Name,
    kind: Kind,
    body: Option<ErrorCode>,
    says_so_first: bool,
}

struct World {
    weather: Weather,
    random: ChaCha20Rng,
    now: Instant,
    sender: Requests<4, 160>,
    receiver: Responses<4, 96>,
    incarnations: (u32, u32),
    /// The present session, and the one before it.
    sessions: Vec<(u64, Session)>,
    count: u64,
    absent_until: Option<Instant>,
    /// When it arrives, in which session, whether to the receiver, and the datagram.
    channel: Vec<(Instant, u64, bool, Vec<u8>)>,
    work: Vec<Work>,
    observed: BTreeMap<Name, Observed>,
    results: i64,
}

impl World {
    fn new(weather: &Weather) -> Self {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&weather.seed.to_be_bytes());
        let mut world = Self {
            weather: weather.clone(),
            random: ChaCha20Rng::from_seed(bytes),
            now: Instant::from_millis(1_000_000),
            sender: Requests::new(),
            receiver: Responses::new(),
            incarnations: (1, 1),
            sessions: Vec::new(),
            count: 0,
            absent_until: None,
            channel: Vec::new(),
            work: Vec::new(),
            observed: BTreeMap::new(),
            results: 0,
        };
        world.connect();
        world.sender.handle_session(world.now, true);
        world
    }

    fn chance(&mut self, of_100: u32) -> bool {
        self.random.next_u32() % 100 < of_100
    }

    fn within(&mut self, milliseconds: u32) -> Instant {
        let delay = self.random.next_u32() % milliseconds;
        self.now + Duration::from_millis(delay.into())
    }

    /// A handshake, over a good network.
    fn connect(&mut self) {
        self.count += 1;
        let (seed, now) = (self.count * 2, self.now);
        let (key, config) = (Knowledge::Right.key().unwrap(), Config::default());
        let mut session = Session {
            client: ClientSide::new(seed, config, now, NAMES[0], &key),
            server: SingleSide::new(seed + 1, ServerConfig::default()),
        };
        let mut buffer = [0; 1200];
        while !session.client.connected {
            while let Some(sent) = session.client.poll_transmit(now, &mut buffer).unwrap() {
                session.server.handle_datagram(now, PORT, CLIENT, &mut buffer[..sent.length]);
            }
            while session.server.event().is_some() {}
            session.server.answer(now, Knowledge::Right);
            while let Some(sent) = session.server.poll_transmit(now, &mut buffer).unwrap() {
                session.client.handle_datagram(now, PORT, SERVER, &mut buffer[..sent.length]);
            }
            while session.client.event().is_some() || session.server.event().is_some() {}
        }
        self.sessions.push((self.count, session));
        if self.sessions.len() > 2 {
            self.sessions.remove(0);
        }
    }

    /// Nothing of the sessions of before arrives any more.
    fn break_off(&mut self) {
        self.sessions.clear();
        self.channel.clear();
    }

    /// Sends a message in the present session.
    fn carry(&mut self, to_receiver: bool, message: &[u8]) {
        let Some((number, session)) = self.sessions.last_mut() else { return };
        let number = *number;
        let sealed = if to_receiver {
            session.client.say(self.now, message).unwrap()
        } else {
            session.server.say(self.now, 0, message).unwrap().1
        };
        if self.chance(self.weather.loss) {
            return;
        }
        let copies = 1 + u32::from(self.chance(self.weather.repetition));
        for _ in 0..copies {
            let at = self.within(5_000);
            let mut datagram = sealed.clone();
            if self.chance(self.weather.damage) {
                let place = self.random.next_u32() as usize % datagram.len();
                datagram[place] ^= 1 << (self.random.next_u32() % 8);
            }
            self.channel.push((at, number, to_receiver, datagram));
        }
    }

    fn say(&mut self, id: MessageId, body: Body<'_>) {
        let mut buffer = [0; 96];
        let length = Message { id, subject: None, body }.encode(&mut buffer).unwrap();
        self.carry(false, &buffer[..length]);
    }

    fn ask(&mut self, kind: Kind, after: u64) {
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
        let expires = (kind != Kind::Alert).then(|| self.now + Duration::from_millis(after));
        if let Ok(id) = self.sender.send(self.now, body, None, expires) {
            let request = Observed { kind: Some(kind), expires, ..Observed::default() };
            let name = (self.incarnations.0, id);
            assert!(self.observed.insert(name, request).is_none(), "an id was used twice");
        }
    }

    fn request(&mut self, name: Name) -> &mut Observed {
        self.observed.get_mut(&name).expect("nobody made this request")
    }

    fn arrive_at_receiver(&mut self, bytes: &[u8]) {
        let message = Message::decode(bytes).unwrap();
        let (id, kind) = (message.id, message.body.kind());
        let name = (self.incarnations.0, id);
        match self.receiver.receive(self.now, id, kind) {
            Verdict::New(ticket) => {
                let refused = self.chance(self.weather.refusal);
                let body = refused.then_some(ErrorCode::Busy);
                if kind == Kind::Command && !refused {
                    // Carried out at once; how it ended is told later.
                    let incarnation = self.incarnations.1;
                    self.results += 1;
                    let result = self.results;
                    let request = self.request(name);
                    request.runs += 1;
                    request.ran_in = incarnation;
                    request.results.push(result);
                }
                // An alert has no deadline, so that one that is never answered has no end.
                if kind == Kind::Alert || !self.chance(self.weather.silence) {
                    let done = self.within(20_000);
                    let says_so_first = self.chance(self.weather.deferral);
                    self.work.push(Work { done, ticket, name, kind, body, says_so_first });
                }
            }
            Verdict::InProgress if kind == Kind::Alert => {}
            Verdict::InProgress | Verdict::Acknowledged => {
                self.say(id, Body::Acknowledgement { nothing_waiting: true });
            }
            Verdict::Answered(answer) => {
                let answer = answer.to_vec();
                self.carry(false, &answer);
            }
            Verdict::Refused(code) => self.say(id, Body::error(code)),
        }
    }

    fn arrive_at_sender(&mut self, bytes: &[u8]) {
        let message = Message::decode(bytes).unwrap();
        let answered = self.sender.handle_answer(self.now, &message);
        let Some(Answered::Final(kind)) = answered else { return };
        let receiver = self.incarnations.1;
        let request = self.request((self.incarnations.0, message.id));
        assert_eq!(request.kind, Some(kind));
        request.last_words += 1;
        match (kind, &message.body) {
            (Kind::Command, Body::CommandStatus { state, result }) => {
                assert_eq!((*state, request.runs), (CommandState::Done, 1), "it was not done");
                assert_eq!(*result, Some(Value::Integer(request.results[0])), "another result");
            }
            (Kind::Command, Body::Error { code: ErrorCode::AlreadyDone, .. }) => {
                assert_eq!((request.runs, request.ran_in), (1, receiver), "it was not done");
            }
            (Kind::Alert, Body::Acknowledgement { .. }) => {
                assert!(request.runs >= 1, "acknowledged, but not delivered");
            }
            (Kind::DataRequest, Body::DataResponse { .. }) => {}
            (_, Body::Error { code: ErrorCode::Expired, .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    fn finish_work(&mut self, mut work: Work) {
        if std::mem::take(&mut work.says_so_first) && work.kind != Kind::Alert {
            let body = Body::Acknowledgement { nothing_waiting: true };
            let mut buffer = [0; 96];
            if let Ok(length) = self.receiver.answer(work.ticket, None, body, &mut buffer) {
                self.carry(false, &buffer[..length]);
                work.done = self.within(90_000);
                self.work.push(work);
            }
            return;
        }
        let result = self.request(work.name).results.last().copied();
        let body = match (work.body, work.kind) {
            (Some(code), _) => Body::error(code),
            (None, Kind::Command) => Body::CommandStatus {
                state: CommandState::Done,
                result: result.map(Value::Integer),
            },
            (None, Kind::Alert) => Body::Acknowledgement { nothing_waiting: true },
            (None, _) => Body::DataResponse { readings: heapless::Vec::new() },
        };
        let mut buffer = [0; 96];
        let answered = self.receiver.answer(work.ticket, None, body, &mut buffer);
        let Ok(length) = answered else { return };
        if work.kind == Kind::Alert && work.body.is_none() {
            let incarnation = self.incarnations.1;
            let request = self.request(work.name);
            assert!(request.runs == 0 || request.ran_in < incarnation, "delivered twice");
            request.runs += 1;
            request.ran_in = incarnation;
        }
        self.carry(false, &buffer[..length]);
    }

    fn deliver(&mut self, number: u64, to_receiver: bool, mut datagram: Vec<u8>) {
        let (now, sessions) = (self.now, &mut self.sessions);
        let Some((_, session)) = sessions.iter_mut().find(|(known, _)| *known == number) else {
            return;
        };
        let payloads = if to_receiver {
            session.server.handle_datagram(now, PORT, CLIENT, &mut datagram);
            session.server.payloads()
        } else {
            session.client.handle_datagram(now, PORT, SERVER, &mut datagram);
            session.client.payloads()
        };
        for (_, payload) in payloads {
            if to_receiver {
                self.arrive_at_receiver(&payload);
            } else {
                self.arrive_at_sender(&payload);
            }
        }
    }

    /// Goes on to the next arrival, end of work or deadline; false if there is
    /// nothing more to come.
    fn step(&mut self) -> bool {
        let arrival = self.channel.iter().map(|(at, ..)| *at).min();
        let work = self.work.iter().map(|work| work.done).min();
        let deadline = self.sender.poll_timeout().map(|deadline| deadline.at);
        let next = [arrival, work, deadline, self.absent_until].into_iter().flatten().min();
        let Some(next) = next else { return false };
        self.now = self.now.max(next);
        if self.absent_until.is_some_and(|at| at <= self.now) {
            self.absent_until = None;
            self.connect();
            self.sender.handle_session(self.now, false);
        }
        if let Some(index) = self.channel.iter().position(|(at, ..)| *at <= self.now) {
            let (_, number, to_receiver, datagram) = self.channel.swap_remove(index);
            self.deliver(number, to_receiver, datagram);
        }
        if let Some(index) = self.work.iter().position(|work| work.done <= self.now) {
            let work = self.work.swap_remove(index);
            self.finish_work(work);
        }
        self.settle();
        true
    }

    fn settle(&mut self) {
        self.sender.handle_timeout(self.now);
        while let Some(given_up) = self.sender.poll_event() {
            let now = self.now;
            let request = self.request((self.incarnations.0, given_up.id));
            request.last_words += 1;
            request.given_up = Some(given_up.cause);
            match given_up.cause {
                Cause::Expired => assert!(request.expires.is_some_and(|at| at <= now)),
                Cause::PeerRestarted => {
                    assert!(given_up.kind == Kind::Command && given_up.was_sent);
                }
            }
            assert!(given_up.was_sent || request.runs == 0, "it was sent after all");
        }
        let mut buffer = [0; 160];
        while let Some(length) = self.sender.poll_transmit(self.now, &mut buffer).unwrap() {
            self.carry(true, &buffer[..length]);
        }
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Ask(kind, after) => self.ask(*kind, *after),
            Operation::Cancel(which) => {
                let mine = self.observed.iter_mut().filter(|((incarnation, _), request)| {
                    *incarnation == self.incarnations.0 && request.last_words == 0
                });
                let mut mine: Vec<_> = mine.collect();
                if !mine.is_empty() {
                    let which = which.index(mine.len());
                    let ((_, id), request) = &mut mine[which];
                    request.cancelled |= self.sender.cancel(*id);
                }
            }
            Operation::Pass(count) => {
                for _ in 0..*count {
                    self.step();
                }
            }
            Operation::ReplaceSession if self.absent_until.is_none() => {
                self.connect();
                self.sender.handle_session(self.now, false);
            }
            Operation::ReplaceSession => {}
            Operation::LoseSession(milliseconds) => {
                self.break_off();
                self.sender.set_peer_listening(self.now, false);
                self.absent_until = Some(self.now + Duration::from_millis(*milliseconds));
            }
            Operation::RestartSender => {
                self.break_off();
                self.incarnations.0 += 1;
                self.sender = Requests::new();
                self.receiver.reset();
                self.absent_until = None;
                self.connect();
                self.sender.handle_session(self.now, true);
            }
            Operation::RestartReceiver => {
                self.break_off();
                self.incarnations.1 += 1;
                self.receiver = Responses::new();
                // Its application is gone as well.
                self.work.clear();
                self.absent_until = None;
                self.connect();
                self.sender.handle_session(self.now, true);
            }
        }
        self.settle();
    }

    /// Lets everything come to its end, over a channel that still isn't good.
    fn finish(mut self) -> Vec<Observed> {
        self.weather.silence = 0;
        self.weather.refusal = 0;
        for _ in 0..3_000 {
            if !self.step() {
                break;
            }
        }
        assert!(self.sender.is_empty(), "a request without an end");
        let last = self.incarnations.0;
        for ((incarnation, id), request) in &self.observed {
            let ends = request.last_words + u32::from(request.cancelled);
            assert_eq!(ends.min(1), u32::from(ends > 0 || *incarnation == last), "request {id}");
            assert!(ends <= 1, "request {id} ended twice: {request:?}");
            assert!(request.kind != Some(Kind::Command) || request.runs <= 1, "{id}: {request:?}");
        }
        self.observed.into_values().collect()
    }
}

fn run(weather: &Weather, operations: &[Operation]) -> Vec<Observed> {
    let mut world = World::new(weather);
    operations.iter().for_each(|operation| world.perform(operation));
    world.finish()
}

proptest! {
    #![proptest_config(one_in(2))]

    #[test]
    fn a_command_runs_at_most_once_and_an_acknowledged_alert_was_delivered(
        weather in weather(),
        operations in prop::collection::vec(operation(), 0..60),
    ) {
        run(&weather, &operations);
    }
}

/// Or else the property would say little.
#[test]
fn commands_are_run_and_alerts_delivered() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = (weather(), prop::collection::vec(operation(), 60));
    let (mut run_once, mut not_run, mut delivered, mut restarted) = (0, 0, 0, 0);
    for _ in 0..50 {
        let (weather, operations) = cases.new_tree(&mut runner).unwrap().current();
        for request in run(&weather, &operations) {
            match (request.kind, request.runs) {
                (Some(Kind::Command), 0) => not_run += 1,
                (Some(Kind::Command), _) => run_once += 1,
                (Some(Kind::Alert), 1..) => delivered += 1,
                _ => {}
            }
            restarted += u32::from(request.given_up == Some(Cause::PeerRestarted));
        }
    }
    let all = (run_once, not_run, delivered, restarted);
    assert!(run_once >= 100 && not_run >= 20 && delivered >= 50 && restarted >= 5, "{all:?}");
}
