//! The way between two hosts: one hop after another, each on a network with a
//! profile.

use std::time::Duration;

use iot_crypto::time::Instant;

use crate::profile::{Access, IPV6_UDP, Profile};
use crate::random::Dice;

/// The way between two hosts, in both directions.
#[derive(Debug)]
pub struct Path {
    hops: Vec<Hop>,
    /// Besides what the networks lose: of 10,000 datagrams, how many are lost.
    pub loss: u64,
    /// Of 10,000 datagrams, how many come twice.
    pub duplication: u64,
    /// Of 10,000 datagrams, how many have a bit turned.
    pub corruption: u64,
}

impl Path {
    /// A way over these networks, from the host with the lesser number to the other;
    /// `dice` draws when the connections began.
    #[must_use]
    pub fn new(profiles: &[Profile], dice: &mut Dice) -> Self {
        let hops = profiles.iter().map(|profile| Hop::new(*profile, dice)).collect();
        Self { hops, loss: 0, duplication: 0, corruption: 0 }
    }

    /// The number of networks.
    #[must_use]
    pub fn length(&self) -> usize {
        self.hops.len()
    }

    /// The greatest UDP payload that passes, in bytes.
    #[must_use]
    pub fn max_datagram(&self) -> usize {
        self.hops.iter().map(|hop| hop.profile.max_datagram()).min().unwrap_or(usize::MAX)
    }

    /// The copies of `bytes` that set out.
    pub(crate) fn admit(&self, dice: &mut Dice, bytes: &[u8]) -> Vec<Vec<u8>> {
        const OF: u64 = 10_000;
        if dice.happens(self.loss, OF) {
            return Vec::new();
        }
        let copies = 1 + usize::from(dice.happens(self.duplication, OF));
        let mut copies = vec![bytes.to_vec(); copies];
        for copy in &mut copies {
            let at = dice.below(copy.len() as u64) as usize;
            if dice.happens(self.corruption, OF)
                && let Some(byte) = copy.get_mut(at)
            {
                *byte ^= 1 << dice.below(8);
            }
        }
        copies
    }

    /// When a datagram of `length` bytes that has passed `hops` networks, and is sent
    /// over the next one at `now`, arrives behind it, if it does; `backward` tells
    /// the direction.
    pub(crate) fn carry(
        &mut self,
        dice: &mut Dice,
        now: Instant,
        length: usize,
        backward: bool,
        hops: usize,
    ) -> Option<Instant> {
        let index = if backward { self.hops.len().checked_sub(hops + 1)? } else { hops };
        let at = self.hops.get_mut(index)?.carry(dice, micros(now), length, backward)?;
        // A world has milliseconds: what arrives within one is there at its end.
        Some(Instant::from_millis(at.div_ceil(1000).max(now.as_millis())))
    }
}

fn micros(instant: Instant) -> u64 {
    instant.as_millis().saturating_mul(1000)
}

/// One network on the way.
#[derive(Debug)]
struct Hop {
    profile: Profile,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Until when each direction is busy, in microseconds.
    Free {
        busy: [u64; 2],
    },
    Connection(Connection),
}

/// A connection with events, all in microseconds.
#[derive(Debug)]
struct Connection {
    /// When the first event was, before the world began.
    anchor: u64,
    interval: u64,
    /// The bytes that fit into one event.
    capacity: usize,
    /// The event that is being filled, and by how many bytes.
    event: u64,
    used: usize,
}

impl Hop {
    fn new(profile: Profile, dice: &mut Dice) -> Self {
        let state = match profile.access {
            Access::Free => State::Free { busy: [0; 2] },
            Access::ConnectionEvents { interval, goodput } => {
                // Intervals are multiples of 1.25 ms (Bluetooth Core, volume 6,
                // part B, section 4.5.1).
                let interval = dice.between((interval.0 / 1250, interval.1 / 1250)) * 1250;
                let capacity = goodput * interval / 8_000_000;
                State::Connection(Connection {
                    anchor: dice.below(interval),
                    interval,
                    capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
                    event: 0,
                    used: 0,
                })
            }
        };
        Self { profile, state }
    }

    fn carry(&mut self, dice: &mut Dice, at: u64, length: usize, backward: bool) -> Option<u64> {
        let profile = &self.profile;
        if length > profile.max_datagram() {
            return None;
        }
        let frames = profile.frames(length);
        let lost = frames.iter().any(|_| dice.happens(profile.loss, 10_000));
        let arrival = match &mut self.state {
            State::Free { busy } => {
                let busy = &mut busy[usize::from(backward)];
                let mut at = at.max(*busy);
                let mut delays = 0;
                for frame in &frames {
                    at += as_micros(profile.time_of(*frame));
                    let delay = dice.between(profile.delay);
                    if profile.in_order {
                        at += delay;
                    } else {
                        delays = delays.max(delay);
                    }
                }
                *busy = at;
                at + delays
            }
            // What counts against the goodput is what IP carries.
            State::Connection(connection) => {
                connection.carry(profile, at, length + IPV6_UDP, frames.iter().sum())
            }
        };
        (!lost).then_some(arrival)
    }
}

impl Connection {
    fn carry(&mut self, profile: &Profile, at: u64, bytes: usize, on_air: usize) -> u64 {
        let next = at.saturating_sub(self.anchor).div_ceil(self.interval);
        if next > self.event {
            self.event = next;
            self.used = 0;
        }
        let mut rest = bytes;
        loop {
            let part = rest.min(self.capacity - self.used);
            self.used += part;
            rest -= part;
            if rest == 0 {
                break;
            }
            self.event += 1;
            self.used = 0;
        }
        let began = self.anchor + self.event * self.interval;
        // What else went in the same event went before.
        let before = as_micros(profile.time_of(self.used.max(on_air).min(self.capacity)));
        began + before.min(self.interval)
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{BLE, ETHERNET, IEEE_802_15_4, WIFI};

    fn arrivals(profiles: &[Profile], length: usize, count: u64, gap: u64) -> Vec<Option<u64>> {
        let mut dice = Dice::new(1, 7);
        let mut path = Path::new(profiles, &mut dice);
        let mut send = |number| {
            let at = Instant::from_millis(number * gap);
            let mut at = Some(at);
            for hop in 0..path.length() {
                at = at.and_then(|at| path.carry(&mut dice, at, length, false, hop));
            }
            at.map(|arrival| arrival.as_millis())
        };
        (0..count).map(&mut send).collect()
    }

    #[test]
    fn a_datagram_that_is_too_long_for_one_of_the_hops_is_lost() {
        assert!(arrivals(&[ETHERNET], ETHERNET.max_datagram(), 1, 1)[0].is_some());
        assert_eq!(arrivals(&[ETHERNET], ETHERNET.max_datagram() + 1, 1, 1), [None]);
        assert_eq!(arrivals(&[ETHERNET, BLE], BLE.max_datagram() + 1, 1, 1), [None]);
    }

    #[test]
    fn a_connection_sends_in_its_events_only_and_keeps_the_order() {
        let arrivals = arrivals(&[BLE], 100, 500, 7);
        let times: Vec<u64> = arrivals.into_iter().map(Option::unwrap).collect();
        for (number, pair) in times.windows(2).enumerate() {
            assert!(pair[0] <= pair[1], "{number}");
        }
        for (number, time) in times.iter().enumerate() {
            let waited = time - number as u64 * 7;
            assert!(waited <= 70, "{number} waited {waited} ms");
        }
    }

    #[test]
    fn a_connection_carries_no_more_than_its_goodput() {
        let count = 1000;
        let arrivals = arrivals(&[BLE], 1000, count, 0);
        let last = arrivals.last().unwrap().unwrap();
        let bits = (1000 + IPV6_UDP as u64) * 8 * count;
        assert!(bits * 1000 / last <= 239_200, "{} bit/s", bits * 1000 / last);
        assert!(bits * 1000 / last >= 230_000, "{} bit/s", bits * 1000 / last);
    }

    #[test]
    fn more_fragments_are_lost_more_often() {
        let lost = |length| {
            arrivals(&[IEEE_802_15_4], length, 4000, 100).iter().filter(|at| at.is_none()).count()
        };
        let (one, many) = (lost(50), lost(1000));
        // 1 % of the frames: 40 of 4,000, and about 11 times as many in 11 frames.
        assert!((20..80).contains(&one), "{one}");
        assert!((300..560).contains(&many), "{many}");
    }

    #[test]
    fn a_path_loses_repeats_and_damages_as_many_as_it_should() {
        let mut dice = Dice::new(1, 8);
        let mut path = Path::new(&[ETHERNET], &mut dice);
        (path.loss, path.duplication, path.corruption) = (2000, 1000, 500);
        let (mut lost, mut repeated, mut damaged) = (0, 0, 0);
        for _ in 0..10_000 {
            let copies = path.admit(&mut dice, &[0; 20]);
            lost += usize::from(copies.is_empty());
            repeated += usize::from(copies.len() == 2);
            damaged += copies.iter().filter(|copy| **copy != [0; 20]).count();
        }
        assert!((1850..2150).contains(&lost), "{lost}");
        assert!((700..900).contains(&repeated), "{repeated}");
        assert!((370..500).contains(&damaged), "{damaged}");
    }

    #[test]
    fn datagrams_overtake_where_the_network_lets_them() {
        let overtaken = |profile| {
            let times: Vec<u64> = arrivals(&[profile], 100, 500, 2).into_iter().flatten().collect();
            times.windows(2).filter(|pair| pair[0] > pair[1]).count()
        };
        assert!(overtaken(WIFI) > 50);
        assert_eq!(overtaken(ETHERNET), 0);
    }
}
