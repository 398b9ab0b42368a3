//! A role among insiders, and a network in the hands of an attacker.

mod oracle;

use std::collections::VecDeque;
use std::time::Duration;

use iot_crypto::connection::{Advertisement, NetworkKey, Versions};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::identity::{Authority, PartyId};
use iot_crypto::time::{Instant, UnixTime};
use iot_crypto::transmission::{Body, Hidden, Message};
use iot_crypto::wire::cbor;

use super::above::Above;
use super::below::Below;
use super::insider::Insiders;
use super::subject::Subject;
use super::twin::Twin;
use super::{
    ABOVE, BELOW, DISCOVERY, Datagram, NEGOTIATION, Place, STRANGER, SUBJECT, TRANSMISSION,
    local_port,
};
use crate::cast::{Cast, NOW};
use crate::input::Input;
use crate::message;
use crate::mutation::mutate;
use crate::toy::Toy;
use oracle::Oracle;

/// The steps that one input may take.
const STEPS: usize = 48;
/// The datagrams of the past that the attacker remembers, and those on their way.
const MEMORY: usize = 32;

pub(crate) struct World<S> {
    now: Instant,
    subject: Twin<S>,
    above: Option<Above>,
    below: Vec<Below>,
    network: VecDeque<Datagram>,
    seen: VecDeque<Datagram>,
    oracle: Oracle,
    advertised: u32,
}

impl<S: Subject> World<S> {
    /// The role that `make` makes from some flags, among its insiders.
    pub(crate) fn new(input: &mut Input<'_>, make: impl Fn(Toy, u8) -> S) -> Self {
        let flags = input.u8();
        let max_datagram = if flags & 4 != 0 { 208 } else { 1200 };
        let mut above = S::ABOVE.map(|role| Above::new(role, max_datagram));
        let below = |role| BELOW.map(|host| Below::new(host, role, max_datagram)).into();
        let mut below: Vec<Below> = S::BELOW.map(below).unwrap_or_default();
        // Who they are at first.
        let who = usize::from(input.u8());
        above.iter_mut().for_each(|above| above.who = who % 8);
        below.iter_mut().for_each(|below| below.who = who / 8 % 8);
        Self {
            now: Instant::ZERO,
            subject: Twin::new(|toy| make(toy, flags)),
            above,
            below,
            network: VecDeque::new(),
            seen: VecDeque::new(),
            oracle: Oracle::new(S::ABOVE, S::BELOW),
            advertised: 0,
        }
    }

    /// Does what `input` says.
    pub(crate) fn run(mut self, input: &mut Input<'_>) {
        self.drive(usize::MAX);
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            self.step(input);
            let room = usize::from(input.u8()) * 6;
            self.drive(room);
        }
        self.calm_down();
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(24) {
            0..=3 => self.carry(1 + input.below(16)),
            4 => {
                let is_overtaken = input.bool();
                if let Some(first) = self.network.pop_front().filter(|_| is_overtaken) {
                    self.network.push_back(first);
                }
            }
            5 | 6 => {
                let index = input.below(MEMORY);
                let Some(datagram) = self.seen.get(index).cloned() else { return };
                let bytes = mutate(input, &datagram.bytes);
                let is_changed = bytes != datagram.bytes;
                self.deliver(&Datagram { bytes, ..datagram }, is_changed);
            }
            7 => {
                let port = u16::from(input.u8() % 6);
                let from = input.pick(&[
                    Place { host: STRANGER, port: 1 },
                    Place { host: ABOVE, port: NEGOTIATION },
                    Place { host: ABOVE, port: TRANSMISSION },
                    Place { host: BELOW[0], port: 50 + NEGOTIATION },
                ]);
                let to = Place { host: SUBJECT, port };
                let bytes = input.long_bytes().to_vec();
                self.deliver(&Datagram { from, to, bytes }, true);
            }
            8 => self.wait(input),
            9..=11 => self.speak(input),
            12 => self.answer(input),
            13 => {
                if let Some(above) = &mut self.above {
                    above.change(input);
                }
            }
            14 => self.advertise(input),
            15 | 16 => {
                let (index, now) = (input.below(BELOW.len()), self.now);
                if let Some(below) = self.below.get_mut(index) {
                    below.negotiate(now, input);
                    self.carry(24);
                }
            }
            17 => {
                let (index, now) = (input.below(BELOW.len()), self.now);
                let what = input.below(4);
                if let Some(below) = self.below.get_mut(index) {
                    match what {
                        0 => below.begin_session(now),
                        1 => below.hang_up(now),
                        _ => below.change(input),
                    }
                }
            }
            18 => {
                let index = input.below(2);
                if let Some(above) = &mut self.above {
                    above.hang_up(self.now, index);
                }
            }
            19..=21 => {
                let bytes = input.bytes();
                let now = self.now;
                self.subject.both(|subject| subject.act(now, &mut Input::new(bytes)));
            }
            22 => self.change_trust(input),
            _ => self.carry(usize::MAX),
        }
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        self.now = match input.below(4) {
            0 => self.now + Duration::from_millis(u64::from(input.u16())),
            1 => self.now + Duration::from_secs(u64::from(input.u8())),
            2 => self.subject.next().unwrap_or(self.now).max(self.now),
            _ => {
                let next = self.subject.next().map_or(0, |at| at.as_millis().saturating_sub(1));
                self.now.max(Instant::from_millis(next))
            }
        };
    }

    /// An insider says something that is well-formed, or not.
    fn speak(&mut self, input: &mut Input<'_>) {
        let who = input.below(4);
        let mut payload = vec![0; 1200];
        if input.u8() < 200 {
            let mut message = message::message(input);
            // In the name of a device that is known, now and then.
            if input.bool() {
                message.subject = Some(Cast::get().device.identity.id());
            }
            if let Body::NetworkKey { .. } | Body::Revocation { .. } = message.body {
                return self.hand(input, who, &message);
            }
            let Ok(length) = message.encode(&mut payload) else { return };
            payload.truncate(length);
        } else {
            payload = input.bytes().to_vec();
        }
        self.say(who, &payload);
    }

    /// An insider hands out a network key or a revocation that is as it should be.
    fn hand(&mut self, input: &mut Input<'_>, who: usize, message: &Message<'_>) {
        let (cast, toy) = (Cast::get(), Toy::new(0));
        let mut object = [0; 256];
        let body = if let Body::NetworkKey { .. } = message.body {
            let key = NetworkKey::from_secret(&toy, SymmetricKey::new([input.u8(); 32]));
            let length = key.encode(&mut object).unwrap();
            Body::NetworkKey { key: Hidden(&object[..length]) }
        } else {
            let issuer = input.pick(&[&cast.company, &cast.partner, &cast.other.identity]);
            let subject = PartyId([input.u8(); 16]);
            let revocation = issuer.revoke(&toy, subject, NOW).unwrap();
            let length = cbor::encode(&revocation, &mut object).unwrap();
            Body::Revocation { revocation: &object[..length] }
        };
        let mut payload = [0; 512];
        let message = Message { id: message.id, subject: message.subject, body };
        let Ok(length) = message.encode(&mut payload) else { return };
        self.say(who, &payload[..length]);
    }

    /// An insider answers what it heard last.
    fn answer(&mut self, input: &mut Input<'_>) {
        let who = input.below(4);
        let heard = match who {
            0 | 1 if self.above.is_some() => self.above.as_ref().map(|above| &above.heard),
            _ => self.below.get(who % 2).map(|below| &below.heard),
        };
        let index = input.below(4);
        let Some(heard) = heard.and_then(|heard| heard.get(index)).cloned() else { return };
        let Ok(Message { id, subject, .. }) = Message::decode(&heard) else { return };
        let body = if input.bool() {
            Body::Acknowledgement { nothing_waiting: input.bool() }
        } else {
            message::body(input)
        };
        let mut payload = [0; 1200];
        if let Ok(length) = (Message { id, subject, body }).encode(&mut payload) {
            self.say(who, &payload[..length]);
        }
    }

    fn say(&mut self, who: usize, payload: &[u8]) {
        match (who, &mut self.above) {
            (0 | 1, Some(above)) => {
                self.oracle.note_said_above(payload);
                above.say(self.now, who, payload);
            }
            _ => {
                if let Some(below) = self.below.get_mut(who % 2) {
                    below.say(self.now, payload);
                }
            }
        }
    }

    fn advertise(&mut self, input: &mut Input<'_>) {
        let Some(above) = S::ABOVE else { return };
        self.advertised += u32::from(input.u8() % 4);
        let who = Insiders::of(above).get(input.below(8)).identity.id();
        let wall = UnixTime::from_secs(NOW.as_secs() + self.now.as_millis() / 1000);
        let other = u32::from(input.u8());
        let advertisement = Advertisement {
            gateway: who,
            negotiation_port: if input.u8() < 220 { NEGOTIATION } else { input.u16() },
            transmission_port: TRANSMISSION,
            versions: Versions(u32::from(input.u8() < 240)),
            time: input.pick(&[Some(wall), None, Some(UnixTime::from_secs(1))]),
            sequence: self.advertised,
            incarnation: input.pick(&[7, other]),
        };
        let mut bytes = [0; Advertisement::MAX_LEN];
        let key = &Cast::get().network_key;
        let length = advertisement.seal(&Toy::new(0), key, &mut bytes).unwrap();
        let from = Place { host: ABOVE, port: NEGOTIATION };
        let to = Place { host: SUBJECT, port: DISCOVERY };
        let bytes = bytes[..length].to_vec();
        self.deliver(&Datagram { from, to, bytes }, false);
    }

    /// Takes the company off the list, or puts it back.
    fn change_trust(&mut self, input: &mut Input<'_>) {
        let cast = Cast::get();
        let (issuer, is_partner) =
            if input.bool() { (&cast.partner, true) } else { (&cast.company, false) };
        let is_removal = input.bool();
        let now = self.now;
        self.subject.both(|subject| {
            subject.change_trust(now, &mut |trust, toy| {
                if is_removal {
                    trust.remove_party(&issuer.id());
                } else {
                    let authority = if is_partner { Authority::Endorse } else { Authority::Full };
                    trust.add_party(toy, issuer.certificate(), authority).unwrap();
                }
            });
        });
        self.oracle.note_trust(is_partner, !is_removal);
        self.oracle.check_trust(self.subject.eager());
    }

    /// Delivers the first `count` datagrams, and those that they cause.
    fn carry(&mut self, count: usize) {
        for _ in 0..count.min(100) {
            let Some(first) = self.network.pop_front() else { return };
            self.deliver(&first, false);
            self.drive(usize::MAX);
        }
    }

    fn deliver(&mut self, datagram: &Datagram, is_changed: bool) {
        let Datagram { from, to, bytes } = datagram;
        match to.host {
            SUBJECT => {
                if let Some(port) = local_port(to.port) {
                    self.subject.deliver(self.now, port, *from, bytes, is_changed);
                }
            }
            ABOVE => {
                if let Some(above) = &mut self.above {
                    above.handle(self.now, to.port, *from, &mut bytes.clone());
                }
            }
            host => {
                if let Some(index) = BELOW.iter().position(|below| *below == host)
                    && let Some(below) = self.below.get_mut(index)
                {
                    below.handle(self.now, *from, &mut bytes.clone());
                }
            }
        }
    }

    /// Takes out everything that all have to say.
    fn drive(&mut self, room: usize) {
        let driven = self.subject.drive(self.now, room);
        self.oracle.follow(&driven.happened, self.above.as_ref(), self.subject.eager());
        self.send(driven.sent);
        if let Some(above) = &mut self.above {
            above.drive(self.now);
            let sent = above.take_out();
            self.send(sent);
        }
        for index in 0..self.below.len() {
            self.below[index].drive(self.now);
            let sent = self.below[index].take_out();
            self.send(sent);
        }
    }

    fn send(&mut self, datagrams: Vec<Datagram>) {
        for datagram in datagrams {
            for queue in [&mut self.seen, &mut self.network] {
                if queue.len() == MEMORY {
                    queue.pop_front();
                }
                queue.push_back(datagram.clone());
            }
        }
    }

    /// The insiders fall silent: the role goes on from deadline to deadline, and comes
    /// to no end of them at one instant.
    fn calm_down(&mut self) {
        self.network.clear();
        for _ in 0..24 {
            let Some(next) = self.subject.next() else { return };
            assert!(next > self.now, "nothing is done that is due");
            self.now = next;
            let driven = self.subject.drive(self.now, usize::MAX);
            self.oracle.follow(&driven.happened, self.above.as_ref(), self.subject.eager());
        }
    }
}
