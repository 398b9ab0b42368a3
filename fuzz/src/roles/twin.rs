//! A role beside its twin, as in [`crate::dtls`]: the one is driven by somebody who
//! calls everything all the time, with buffers that are too small, and gets all the
//! garbage; the other at its deadlines alone, and never sees what was dropped.

use iot_crypto::endpoint::{Destination, LocalPort};
use iot_crypto::time::{Deadline, Instant};
use iot_crypto::wire::BufferTooSmall;

use super::subject::{Happening, Subject};
use super::{Datagram, Place, SUBJECT, number};
use crate::dtls::count_records;
use crate::toy::Toy;

/// What may come out at once, before it counts as without end.
const LIMIT: usize = 1000;
/// A buffer that always suffices, in bytes.
const ROOM: usize = 1200;

/// What came out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Driven {
    pub(super) sent: Vec<Datagram>,
    pub(super) happened: Vec<Happening>,
}

pub(super) struct Twin<S> {
    eager: S,
    toy: Toy,
    lazy: S,
    lazy_toy: Toy,
}

impl<S: Subject> Twin<S> {
    /// What `make` makes, twice.
    pub(super) fn new(make: impl Fn(Toy) -> S) -> Self {
        let (toy, lazy_toy) = (Toy::new(77), Toy::new(77));
        Self { eager: make(toy.clone()), toy, lazy: make(lazy_toy.clone()), lazy_toy }
    }

    pub(super) fn eager(&self) -> &S {
        &self.eager
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.eager.endpoint_ref().poll_timeout().map(|deadline| deadline.at)
    }

    /// Has the application do the same with both.
    pub(super) fn both<R: std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut S) -> R) -> R {
        let (done, same) = (act(&mut self.eager), act(&mut self.lazy));
        // By what they show: there may be a NaN in it.
        assert_eq!(format!("{same:?}"), format!("{done:?}"));
        done
    }

    /// Takes a datagram. One that somebody changed who has no key may be dropped; then
    /// the twin never sees it.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        port: LocalPort,
        from: Place,
        bytes: &[u8],
        is_changed: bool,
    ) {
        let state = |side: &S| (side.endpoint_ref().poll_timeout(), side.above());
        let (dropped, before) = (self.eager.dropped(), state(&self.eager));
        let eager = self.eager.endpoint();
        eager.handle_datagram(now, port, from, &mut bytes.to_vec());
        let now_dropped = self.eager.dropped();
        let is_dropped = if port == LocalPort::Discovery {
            now_dropped.advertisements != dropped.advertisements
        } else {
            let records = now_dropped.records.total().checked_sub(dropped.records.total());
            records == Some(count_records(bytes))
        };
        if is_changed && is_dropped && state(&self.eager) == before {
            // Random numbers may have been drawn in vain.
            self.lazy_toy.follow(&self.toy);
        } else {
            self.lazy.endpoint().handle_datagram(now, port, from, &mut bytes.to_vec());
        }
    }

    /// Takes out all that there is. `room` is the size of the buffers that are tried
    /// first.
    pub(super) fn drive(&mut self, now: Instant, room: usize) -> Driven {
        let driven = self.drive_eager(now, room.min(ROOM));
        let same = drive_lazy(&mut self.lazy, now);
        assert_eq!(same, driven, "driven by its deadlines alone, it does otherwise");
        let deadlines = [&self.eager, &self.lazy].map(|side| side.endpoint_ref().poll_timeout());
        assert_eq!(deadlines[0], deadlines[1]);
        driven
    }

    fn drive_eager(&mut self, now: Instant, room: usize) -> Driven {
        let mut driven = Driven::default();
        for _ in 0..LIMIT {
            self.eager.endpoint().handle_timeout(now);
            while let Some(sent) = poll_transmit(&mut self.eager, now, room) {
                driven.sent.push(sent);
                assert!(driven.sent.len() < LIMIT, "it sends without end");
            }
            loop {
                let deadline = self.eager.endpoint_ref().poll_timeout();
                let Some(happening) = self.eager.serve() else { break };
                assert!(is_due(deadline, now), "{happening:?} before {deadline:?}");
                driven.happened.push(happening);
            }
            if !is_due(self.eager.endpoint_ref().poll_timeout(), now) {
                return driven;
            }
        }
        panic!("{:?} is due, and nothing is done", self.eager.endpoint_ref().poll_timeout());
    }
}

fn is_due(deadline: Option<Deadline>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| deadline.at <= now)
}

/// One datagram, tried with a buffer of `room` bytes first.
fn poll_transmit<S: Subject>(side: &mut S, now: Instant, room: usize) -> Option<Datagram> {
    let mut buffer = [0; ROOM];
    let endpoint = side.endpoint();
    let deadline = endpoint.poll_timeout();
    let sent = match endpoint.poll_transmit(now, &mut buffer[..room]) {
        Ok(sent) => sent,
        Err(BufferTooSmall { needed }) => {
            assert!(needed > room && needed <= ROOM, "{needed} bytes are needed, not {room}");
            assert_eq!(endpoint.poll_timeout(), deadline, "a small buffer changes something");
            let again = endpoint.poll_transmit(now, &mut buffer[..needed]);
            again.expect("a buffer of the length that suffices suffices")
        }
    };
    let sent = sent?;
    assert!(is_due(deadline, now), "output at {now:?} before {deadline:?}");
    assert!(sent.length > 0 && sent.length <= ROOM);
    let from = Place { host: SUBJECT, port: number(sent.from) };
    let to = match sent.to {
        Destination::Address(to) => to,
        Destination::Everyone => Place { host: u8::MAX, port: super::DISCOVERY },
    };
    Some(Datagram { from, to, bytes: buffer[..sent.length].to_vec() })
}

fn drive_lazy<S: Subject>(side: &mut S, now: Instant) -> Driven {
    let mut driven = Driven::default();
    for _ in 0..LIMIT {
        if !is_due(side.endpoint_ref().poll_timeout(), now) {
            return driven;
        }
        side.endpoint().handle_timeout(now);
        let sent = std::iter::from_fn(|| poll_transmit(side, now, ROOM));
        driven.sent.extend(sent);
        driven.happened.extend(std::iter::from_fn(|| side.serve()));
    }
    panic!("{:?} is due, and nothing is done", side.endpoint_ref().poll_timeout());
}
