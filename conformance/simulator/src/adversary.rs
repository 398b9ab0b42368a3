//! Those who attack a network from outside its parties: they hear every datagram that
//! a party sends, and send what they like in anyone's name.

use std::time::Duration;

use iot_crypto::time::Instant;

use crate::datagram::{self, CLIENT_HELLO};
use crate::place::Place;
use crate::random::Dice;

/// Somebody on the path between everyone.
pub trait Adversary {
    /// Hears a datagram that a party sent.
    fn hear(&mut self, now: Instant, from: Place, to: Place, bytes: &[u8]);

    /// When it wants to act.
    fn poll_timeout(&self) -> Option<Instant>;

    /// What it sends: from (in anyone's name), to, bytes.
    fn act(&mut self, now: Instant) -> Vec<(Place, Place, Vec<u8>)>;
}

/// How many datagrams an adversary remembers; the oldest is forgotten.
const MEMORY: usize = 4096;

/// Sends datagrams that it heard once more: as they were, in the name of another,
/// or to another.
#[derive(Debug)]
pub struct Replayer(Recorder);

impl Replayer {
    /// One that acts about every `pause`.
    #[must_use]
    pub fn new(seed: u64, pause: Duration) -> Self {
        Self(Recorder::new(1, seed, pause))
    }
}

impl Adversary for Replayer {
    fn hear(&mut self, _: Instant, from: Place, to: Place, bytes: &[u8]) {
        self.0.hear(from, to, bytes);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn act(&mut self, now: Instant) -> Vec<(Place, Place, Vec<u8>)> {
        let Some((from, to, bytes)) = self.0.pick(now) else { return Vec::new() };
        match self.0.dice.below(4) {
            0 => vec![(Place { port: from.port + 1, ..from }, to, bytes)],
            1 => vec![(to, from, bytes)],
            _ => vec![(from, to, bytes)],
        }
    }
}

/// Sends what it heard with a few bytes changed, cut off or put behind it, and
/// alerts that nobody sent.
#[derive(Debug)]
pub struct Forger(Recorder);

impl Forger {
    /// One that acts about every `pause`.
    #[must_use]
    pub fn new(seed: u64, pause: Duration) -> Self {
        Self(Recorder::new(2, seed, pause))
    }
}

/// A fatal alert of epoch 0, as anyone can make it: handshake_failure.
const FORGED_ALERT: [u8; 15] = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0x7f, 0, 0, 2, 2, 40];

impl Adversary for Forger {
    fn hear(&mut self, _: Instant, from: Place, to: Place, bytes: &[u8]) {
        self.0.hear(from, to, bytes);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn act(&mut self, now: Instant) -> Vec<(Place, Place, Vec<u8>)> {
        let Some((from, to, mut bytes)) = self.0.pick(now) else { return Vec::new() };
        let dice = &mut self.0.dice;
        match dice.below(4) {
            0 => return vec![(from, to, FORGED_ALERT.to_vec())],
            1 => bytes.truncate(dice.below(bytes.len() as u64) as usize),
            2 => {
                let length = dice.below(64) as usize;
                let more = dice.bytes(length);
                bytes.extend(more);
            }
            _ => {
                for _ in 0..=dice.below(4) {
                    let at = dice.below(bytes.len() as u64) as usize;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << dice.below(8);
                    }
                }
            }
        }
        vec![(from, to, bytes)]
    }
}

/// Sends ClientHellos like one that it heard, from many forged addresses at a time, and
/// some in the name of the client itself.
#[derive(Debug)]
pub struct Flooder {
    hellos: Recorder,
    burst: u64,
}

impl Flooder {
    /// One that sends `burst` datagrams about every `pause`.
    #[must_use]
    pub fn new(seed: u64, pause: Duration, burst: u64) -> Self {
        Self { hellos: Recorder::new(3, seed, pause), burst }
    }
}

impl Adversary for Flooder {
    fn hear(&mut self, _: Instant, from: Place, to: Place, bytes: &[u8]) {
        if datagram::is_hello(bytes, CLIENT_HELLO) {
            self.hellos.hear(from, to, bytes);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.hellos.poll_timeout()
    }

    fn act(&mut self, now: Instant) -> Vec<(Place, Place, Vec<u8>)> {
        let Some((client, to, hello)) = self.hellos.pick(now) else { return Vec::new() };
        let mut flood = Vec::new();
        for _ in 0..self.burst {
            let dice = &mut self.hellos.dice;
            let forged = Place { host: FIRST_FORGED_HOST + dice.below(5000) as u16, port: 3 };
            let from = if dice.happens(1, 8) { client } else { forged };
            let mut hello = hello.clone();
            // Another random value (RFC 5246 section 7.4.1.2), so that it is no
            // repetition.
            let random = dice.bytes(32);
            if let Some(part) = datagram::random_mut(&mut hello) {
                part.copy_from_slice(&random);
            }
            flood.push((from, to, hello));
        }
        flood
    }
}

/// Forged addresses have hosts from this number on; nobody is there.
pub const FIRST_FORGED_HOST: u16 = 60_000;

/// What an adversary remembers, and when it acts.
#[derive(Debug)]
struct Recorder {
    dice: Dice,
    pause: Duration,
    next: Option<Instant>,
    heard: std::collections::VecDeque<(Place, Place, Vec<u8>)>,
}

impl Recorder {
    fn new(purpose: u8, seed: u64, pause: Duration) -> Self {
        let dice = Dice::new(0xa0 + purpose, seed);
        Self { dice, pause, next: Some(Instant::ZERO), heard: std::collections::VecDeque::new() }
    }

    fn hear(&mut self, from: Place, to: Place, bytes: &[u8]) {
        // The answers to a flood would soon be all that is remembered.
        if to.host >= FIRST_FORGED_HOST {
            return;
        }
        if self.heard.len() >= MEMORY {
            self.heard.pop_front();
        }
        self.heard.push_back((from, to, bytes.to_vec()));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn pause(&mut self, now: Instant) {
        let pause = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
        self.next = Some(now + Duration::from_millis(1 + self.dice.below(2 * pause)));
    }

    fn pick(&mut self, now: Instant) -> Option<(Place, Place, Vec<u8>)> {
        self.pause(now);
        let index = self.dice.below(self.heard.len() as u64) as usize;
        self.heard.get(index).cloned()
    }
}
