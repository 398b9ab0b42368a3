//! Requests and answers over a network that loses, repeats and reorders, against a
//! model: a command runs at most once, nothing is answered that was not carried
//! out, deadlines drive everything, and when the network is good again, every
//! request comes to its end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    Answered, Body, CommandState, ErrorCode, Kind, Message, MessageId, Requests, Responses, Ticket,
    Verdict,
};
use iot_crypto::wire::BufferTooSmall;

use crate::input::Input;
use crate::message;

/// The room for a request, and for the answer to a command.
const SIZE: usize = 96;
/// The steps that one input may take.
const STEPS: usize = 200;

/// A party that asks, one that answers, what is between them, and what is known of
/// both.
struct World {
    now: Instant,
    requests: Requests<4, SIZE>,
    responses: Responses<3, SIZE>,
    to_responder: VecDeque<Vec<u8>>,
    to_requester: VecDeque<Vec<u8>>,
    open: Vec<(Ticket, Kind)>,
    asked: BTreeMap<MessageId, Kind>,
    carried_out: BTreeMap<MessageId, u32>,
    ended: BTreeSet<MessageId>,
}

pub(super) fn exchange(input: &mut Input<'_>) {
    let mut world = World {
        now: Instant::from_millis(u64::from(input.u16())),
        requests: Requests::new(),
        responses: Responses::new(),
        to_responder: VecDeque::new(),
        to_requester: VecDeque::new(),
        open: Vec::new(),
        asked: BTreeMap::new(),
        carried_out: BTreeMap::new(),
        ended: BTreeSet::new(),
    };
    world.requests.handle_session(world.now, false);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(input);
        world.drive(input.u8());
    }
    world.calm_down();
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(14) {
            0..=2 => self.ask(input),
            3 => self.now = self.now + Duration::from_millis(u64::from(input.u16()) * 8),
            4 => {
                if let Some(deadline) = self.requests.poll_timeout() {
                    self.now = self.now.max(deadline.at);
                }
            }
            5 | 6 => self.deliver_request(),
            7 | 8 => self.deliver_answer(),
            9 => {
                // One that is lost, comes twice, or is overtaken.
                let queue =
                    if input.bool() { &mut self.to_responder } else { &mut self.to_requester };
                match (queue.pop_front(), input.below(3)) {
                    (Some(first), 1) => queue.extend([first.clone(), first]),
                    (Some(first), 2) => queue.push_back(first),
                    _ => {}
                }
            }
            10 => {
                let index = input.below(4);
                let kind = input.below(4);
                self.answer(index, kind);
            }
            11 => {
                // A session is replaced: what was on its way is lost.
                self.lose_all();
                self.requests.handle_session(self.now, false);
            }
            12 => {
                // So it is by a responder that begins anew, and has forgotten all.
                self.lose_all();
                self.responses.reset();
                self.open.clear();
                self.requests.handle_session(self.now, true);
            }
            _ => {
                let listening = input.bool();
                self.requests.set_peer_listening(self.now, listening);
            }
        }
    }

    fn lose_all(&mut self) {
        self.to_responder.clear();
        self.to_requester.clear();
    }

    fn ask(&mut self, input: &mut Input<'_>) {
        let body = message::body(input);
        let kind = body.kind();
        let lifetime = input.u8();
        let expires = (lifetime > 0).then(|| self.now + Duration::from_secs(u64::from(lifetime)));
        let before = self.requests.poll_timeout();
        match self.requests.send(self.now, body, None, expires) {
            Ok(id) => {
                assert!(kind.is_request());
                assert_eq!(self.asked.insert(id, kind), None, "an id is used twice");
            }
            Err(_) => assert_eq!(self.requests.poll_timeout(), before),
        }
    }

    /// Takes all that is due: nothing that is not, and everything that is.
    fn drive(&mut self, room: u8) {
        if self.requests.poll_timeout().is_some_and(|deadline| deadline.at <= self.now) {
            self.requests.handle_timeout(self.now);
        }
        let mut buffer = [0; SIZE];
        for _ in 0..16 {
            let due = self.requests.poll_timeout();
            let small = &mut buffer[..usize::from(room) % SIZE];
            let sent = match self.requests.poll_transmit(self.now, small) {
                Err(BufferTooSmall { needed }) => {
                    assert!(needed > small.len() && needed <= SIZE);
                    self.requests.poll_transmit(self.now, &mut buffer[..needed]).unwrap()
                }
                Ok(sent) => sent,
            };
            let Some(length) = sent else { break };
            assert!(due.is_some_and(|due| due.at <= self.now), "output before its deadline");
            self.to_responder.push_back(buffer[..length].to_vec());
            if self.to_responder.len() > 16 {
                self.to_responder.pop_front();
            }
        }
        while let Some(given_up) = self.requests.poll_event() {
            let kind = self.asked.get(&given_up.id);
            assert_eq!(kind, Some(&given_up.kind));
            assert!(self.ended.insert(given_up.id), "a request ends twice");
            let came = self.carried_out.contains_key(&given_up.id);
            assert!(given_up.was_sent || !came, "what was carried out was never sent");
        }
        let next = self.requests.poll_timeout();
        assert!(next.is_none_or(|next| next.at > self.now), "{next:?} is due, and nothing is done");
    }

    fn deliver_request(&mut self) {
        let Some(bytes) = self.to_responder.pop_front() else { return };
        let Message { id, body, .. } = Message::decode(&bytes).unwrap();
        let kind = body.kind();
        assert_eq!(self.asked.get(&id), Some(&kind), "what is sent was never asked");
        match self.responses.receive(self.now, id, kind) {
            Verdict::New(ticket) => {
                let times = self.carried_out.entry(id).or_default();
                *times += 1;
                assert!(*times == 1 || kind != Kind::Command, "command {id} runs {times} times");
                self.open.retain(|(open, _)| open.id() != id);
                self.open.push((ticket, kind));
            }
            Verdict::Answered(answer) => {
                assert_eq!(kind, Kind::Command);
                self.to_requester.push_back(answer.to_vec());
            }
            Verdict::InProgress => {}
            Verdict::Acknowledged => {
                assert!(self.carried_out.contains_key(&id), "what never came is acknowledged");
                self.reply(id, Body::Acknowledgement { nothing_waiting: true });
            }
            Verdict::Refused(code) => self.reply(id, Body::error(code)),
        }
    }

    fn reply(&mut self, id: MessageId, body: Body<'_>) {
        let mut buffer = [0; SIZE];
        let length = Message { id, subject: None, body }.encode(&mut buffer).unwrap();
        self.to_requester.push_back(buffer[..length].to_vec());
    }

    fn answer(&mut self, index: usize, how: usize) {
        let Some((ticket, kind)) = self.open.get(index).copied() else { return };
        let body = match (how, kind) {
            (1, _) => Body::Acknowledgement { nothing_waiting: false },
            (2, _) => Body::error(ErrorCode::Busy),
            (3, _) => Body::DataResponse { readings: heapless::Vec::new() },
            (_, Kind::DataRequest) => Body::DataResponse { readings: heapless::Vec::new() },
            (_, Kind::Command) => Body::CommandStatus { state: CommandState::Done, result: None },
            _ => Body::Acknowledgement { nothing_waiting: true },
        };
        let mut buffer = [0; SIZE];
        if let Ok(length) = self.responses.answer(ticket, None, body, &mut buffer) {
            self.to_requester.push_back(buffer[..length].to_vec());
            let is_busy = how == 2;
            if let (true, Some(times)) = (is_busy, self.carried_out.get_mut(&ticket.id())) {
                // This time it was not carried out after all.
                *times -= 1;
            }
            let is_deferred = how == 1 && matches!(kind, Kind::DataRequest | Kind::Command);
            if !is_deferred {
                self.open.remove(index);
            }
        }
    }

    fn deliver_answer(&mut self) {
        let Some(bytes) = self.to_requester.pop_front() else { return };
        let message = Message::decode(&bytes).unwrap();
        if let Some(Answered::Final(kind)) = self.requests.handle_answer(self.now, &message) {
            let id = message.id;
            assert_eq!(self.asked.get(&id), Some(&kind));
            assert!(self.ended.insert(id), "a request ends twice");
            let ran = self.carried_out.get(&id).is_some_and(|times| *times > 0);
            let is_success = !matches!(message.body, Body::Error { .. });
            assert!(!is_success || ran, "{id} was never carried out");
        }
    }

    /// The network is good, and everything is answered: all requests end.
    fn calm_down(&mut self) {
        self.requests.set_peer_listening(self.now, true);
        for _ in 0..64 {
            self.drive(u8::MAX);
            while !self.to_responder.is_empty() {
                self.deliver_request();
            }
            while !self.open.is_empty() {
                let before = self.open.len();
                self.answer(0, 0);
                if self.open.len() == before {
                    // It was given up, or its place was needed.
                    self.open.remove(0);
                }
            }
            while !self.to_requester.is_empty() {
                self.deliver_answer();
            }
            match self.requests.poll_timeout() {
                Some(deadline) => self.now = self.now.max(deadline.at),
                None => break,
            }
        }
        assert!(self.requests.is_empty(), "a request never ends");
    }
}
