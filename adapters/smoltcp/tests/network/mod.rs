//! A network in memory and in virtual time: stations that hear each other's frames,
//! some of which are late, twice there, or lost.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test needs some of it")]

mod dice;
mod mld;
pub mod parties;
pub mod port;
pub mod station;

pub use dice::Dice;
pub use mld::mld_query;
pub use parties::{Event, polling};
pub use port::Port;
pub use station::{Kind, Station, address};

use iot_crypto::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many turns may be taken at the same instant before a station is said never to
/// come to rest.
const AT_ONCE: usize = 1000;

/// How frames fare.
#[derive(Clone, Copy)]
pub struct Link {
    /// How many of 100 are lost, and how many arrive twice.
    pub lost: u64,
    pub doubled: u64,
    /// How many milliseconds they take at most; later ones may overtake.
    pub delay: u64,
}

impl Link {
    pub const GOOD: Self = Self { lost: 0, doubled: 0, delay: 1 };
    pub const BAD: Self = Self { lost: 10, doubled: 5, delay: 20 };
    /// For datagrams in several frames each.
    pub const FRAGMENTS: Self = Self { lost: 2, doubled: 2, delay: 3 };
}

pub struct World {
    pub now: Instant,
    pub link: Link,
    pub dice: Dice,
    pub stations: Vec<Station>,
    /// The frames on their way, by when they arrive, and at which station.
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    count: u64,
    /// Every frame that was sent, and by whom.
    pub sent: Vec<(usize, Vec<u8>)>,
}

impl World {
    pub fn new(seed: u64, link: Link, stations: Vec<Station>) -> Self {
        Self {
            now: Instant::ZERO,
            link,
            dice: Dice::new(seed),
            stations,
            flying: BTreeMap::new(),
            count: 0,
            sent: Vec::new(),
        }
    }

    /// Has a frame arrive at a station in a while.
    pub fn inject(&mut self, station: usize, delay: u64, frame: Vec<u8>) {
        self.count += 1;
        let at = self.now + Duration::from_millis(delay);
        self.flying.insert((at, self.count), (station, frame));
    }

    fn send(&mut self, from: usize, frame: Vec<u8>) {
        for to in (0..self.stations.len()).filter(|to| *to != from) {
            if self.dice.happens(self.link.lost) {
                continue;
            }
            for _ in 0..=u64::from(self.dice.happens(self.link.doubled)) {
                let delay = 1 + self.dice.below(self.link.delay);
                self.inject(to, delay, frame.clone());
            }
        }
        self.sent.push((from, frame));
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.flying.keys().next().map(|(at, _)| *at);
        self.stations.iter().filter_map(|station| station.wake).chain(arrival).min()
    }

    /// Lets time pass until `is_done`, for at most `seconds`; whether it came to that.
    pub fn run_until(&mut self, seconds: u64, is_done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        let mut at_once = 0;
        while !is_done(self) {
            let Some(next) = self.next().filter(|next| *next <= end) else {
                self.now = end;
                return false;
            };
            at_once = if next > self.now { 0 } else { at_once + 1 };
            assert!(at_once < AT_ONCE, "a station never comes to rest at {:?}", self.now);
            self.now = self.now.max(next);
            self.step();
        }
        true
    }

    pub fn run(&mut self, seconds: u64) {
        self.run_until(seconds, |_| false);
    }

    fn step(&mut self) {
        let later = self.flying.split_off(&(self.now, u64::MAX));
        let mut heard = vec![false; self.stations.len()];
        for (station, frame) in std::mem::replace(&mut self.flying, later).into_values() {
            self.stations[station].port.arrive(frame);
            heard[station] = true;
        }
        for (index, heard) in heard.into_iter().enumerate() {
            let station = &mut self.stations[index];
            if heard || station.wake.is_some_and(|wake| wake <= self.now) {
                station.turn(self.now);
                for frame in std::mem::take(&mut station.port.outbox) {
                    self.send(index, frame);
                }
            }
        }
    }
}
