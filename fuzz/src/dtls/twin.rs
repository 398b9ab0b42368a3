//! A side beside its twin.
//!
//! Both get the same inputs, and must do the same. But one is driven by somebody who
//! calls everything all the time, with buffers that are too small, and gets all the
//! garbage; the other only at its deadlines, and never sees a datagram that the first
//! has dropped as a whole. So what is dropped changed nothing, a call too many does no
//! harm, a small buffer loses nothing, and the deadlines drive everything.

use iot_crypto::dtls::{CloseReason, PresharedKey, PskIdentity, SendError};
use iot_crypto::time::Instant;
use iot_crypto::wire::BufferTooSmall;

use super::record;
use super::side::{Event, Host, Side};
use crate::toy::{Tap, Toy};

/// What may come out at once, before it counts as without end.
const LIMIT: usize = 200;

/// Where a datagram comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From anyone, without a key.
    Network,
    /// From who holds the key: what such a one has dropped still counts as received.
    Insider,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Driven {
    pub(crate) sent: Vec<(Host, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
}

/// A side, perhaps with a twin.
pub(crate) trait Party {
    fn deliver(&mut self, now: Instant, from: Host, bytes: &[u8], origin: Origin) -> Vec<Vec<u8>>;
    /// Takes out all that there is. `room` is the size of the buffers that are tried
    /// first.
    fn drive(&mut self, now: Instant, room: usize) -> Driven;
    fn send(
        &mut self,
        now: Instant,
        session: u64,
        payload: &[u8],
        room: usize,
    ) -> Result<(Host, Vec<u8>), SendError>;
    fn close(&mut self, now: Instant, session: u64);
    fn provide_psk(
        &mut self,
        now: Instant,
        session: u64,
        identity: &PskIdentity,
        key: Option<PresharedKey>,
    );
    fn shrink(&mut self);
    fn next(&self) -> Option<Instant>;
    fn tap(&self) -> Option<Tap>;
    fn set_dry(&mut self, is_dry: bool);
}

pub(crate) struct Twin<S> {
    eager: S,
    toy: Toy,
    lazy: Option<(S, Toy)>,
    /// The largest datagram that may be sent, in bytes.
    limit: usize,
}

impl<S: Side> Twin<S> {
    /// What `make` makes, alone or twice.
    pub(crate) fn new(
        seed: u64,
        limit: usize,
        has_twin: bool,
        make: impl Fn(&mut Toy) -> S,
    ) -> Self {
        let made = || {
            let mut toy = Toy::new(seed);
            (make(&mut toy), toy)
        };
        let (eager, toy) = made();
        Self { eager, toy, lazy: has_twin.then(made), limit }
    }

    /// One datagram, tried with a buffer of `room` bytes first.
    fn poll_transmit(&mut self, now: Instant, room: usize) -> Option<(Host, Vec<u8>)> {
        let mut buffer = vec![0; self.limit.max(room)];
        let deadline = self.eager.poll_timeout();
        let first = self.eager.poll_transmit(&mut self.toy, now, &mut buffer[..room]);
        let sent = match first {
            Ok(sent) => sent,
            Err(BufferTooSmall { needed }) => {
                assert!(needed > room, "{needed} bytes are needed, and {room} are too few");
                assert!(needed <= self.limit, "{needed} bytes are needed of {}", self.limit);
                assert_eq!(self.eager.poll_timeout(), deadline);
                let again = self.eager.poll_transmit(&mut self.toy, now, &mut buffer[..needed]);
                let sent = again.expect("a buffer of the length that suffices suffices");
                assert!(sent.is_some(), "a small buffer has lost a datagram");
                sent
            }
        };
        let (host, length) = sent?;
        assert!(length <= self.limit, "a datagram of {length} bytes, over {}", self.limit);
        assert!(length > 0, "a datagram of nothing");
        assert!(deadline.is_some_and(|it| it.at <= now), "output at {now:?} before {deadline:?}");
        buffer.truncate(length);
        Some((host, buffer))
    }

    fn drive_eager(&mut self, now: Instant, room: usize) -> Driven {
        let mut driven = Driven::default();
        for _ in 0..LIMIT {
            self.eager.handle_timeout(&mut self.toy, now);
            while let Some(sent) = self.poll_transmit(now, room) {
                driven.sent.push(sent);
                assert!(driven.sent.len() < LIMIT, "it sends without end");
            }
            loop {
                let deadline = self.eager.poll_timeout();
                let Some(event) = self.eager.poll_event() else { break };
                let is_due = deadline.is_some_and(|it| it.at <= now);
                assert!(is_due, "{event:?} before {deadline:?}");
                driven.events.push(event);
            }
            if self.eager.poll_timeout().is_none_or(|it| it.at > now) {
                return driven;
            }
        }
        panic!("{:?} is due, and nothing is done", self.eager.poll_timeout());
    }
}

fn drive_lazy<S: Side>(side: &mut S, toy: &mut Toy, now: Instant, limit: usize) -> Driven {
    let mut driven = Driven::default();
    let mut buffer = vec![0; limit];
    for _ in 0..LIMIT {
        if side.poll_timeout().is_none_or(|it| it.at > now) {
            return driven;
        }
        side.handle_timeout(toy, now);
        while let Some((host, length)) = side.poll_transmit(toy, now, &mut buffer).unwrap() {
            driven.sent.push((host, buffer[..length].to_vec()));
        }
        driven.events.extend(std::iter::from_fn(|| side.poll_event()));
    }
    panic!("{:?} is due, and nothing is done", side.poll_timeout());
}

/// The one thing that a drop may change besides a counter: what is guessed to be the
/// reason when the handshake has timed out.
fn without_guess(mut driven: Driven) -> Driven {
    for event in &mut driven.events {
        if let Event::Closed { reason: CloseReason::HandshakeTimeout { undecryptable }, .. } = event
        {
            *undecryptable = false;
        }
    }
    driven
}

impl<S: Side> Party for Twin<S> {
    fn deliver(&mut self, now: Instant, from: Host, bytes: &[u8], origin: Origin) -> Vec<Vec<u8>> {
        let before = self.eager.drops();
        let payloads = self.eager.handle(&mut self.toy, now, from, &mut bytes.to_vec());
        let dropped = self.eager.drops() - before;
        let records = record::count(bytes);
        assert!(dropped <= records, "{dropped} drops of {records} records");
        if let Some((lazy, toy)) = &mut self.lazy {
            if origin == Origin::Network && dropped == records && payloads.is_empty() {
                // Random numbers may have been drawn in vain.
                toy.follow(&self.toy);
            } else {
                let same = lazy.handle(toy, now, from, &mut bytes.to_vec());
                assert_eq!(same, payloads, "what was dropped before has changed something");
            }
        }
        payloads
    }

    fn drive(&mut self, now: Instant, room: usize) -> Driven {
        let driven = self.drive_eager(now, room);
        if let Some((lazy, toy)) = &mut self.lazy {
            let same = without_guess(drive_lazy(lazy, toy, now, self.limit));
            let driven =
                without_guess(Driven { sent: driven.sent.clone(), events: driven.events.clone() });
            assert_eq!(same, driven, "driven by its deadlines alone, it does otherwise");
            assert_eq!(lazy.poll_timeout(), self.eager.poll_timeout());
        }
        driven
    }

    fn send(
        &mut self,
        now: Instant,
        session: u64,
        payload: &[u8],
        room: usize,
    ) -> Result<(Host, Vec<u8>), SendError> {
        let mut buffer = vec![0; room.max(self.limit + 1)];
        let before = self.eager.sent(session);
        let (eager, toy) = (&mut self.eager, &mut self.toy);
        let mut sent = eager.send(toy, now, session, payload, &mut buffer[..room]);
        if let Err(SendError::BufferTooSmall(BufferTooSmall { needed })) = sent {
            assert!(needed == payload.len() + 29 && needed > room && needed <= self.limit);
            sent = eager.send(toy, now, session, payload, &mut buffer[..needed]);
            assert!(sent.is_ok(), "a buffer of the length that suffices does not: {sent:?}");
        }
        let after = self.eager.sent(session);
        if let (Some((before, max)), Some((after, _))) = (before, after) {
            let is_too_long = payload.len() > max;
            assert_eq!(after - before, u64::from(sent.is_ok()), "a failure uses a number up");
            assert!(!(is_too_long && sent.is_ok()), "{} of {max} bytes are sent", payload.len());
        }
        let sent = sent.map(|(host, length)| {
            assert_eq!(length, payload.len() + 29);
            (host, buffer[..length].to_vec())
        });
        if let Some((lazy, toy)) = &mut self.lazy {
            let mut buffer = vec![0; self.limit + 1];
            let same = lazy.send(toy, now, session, payload, &mut buffer);
            let same = same.map(|(host, length)| (host, buffer[..length].to_vec()));
            assert_eq!(same, sent);
        }
        sent
    }

    fn close(&mut self, now: Instant, session: u64) {
        self.eager.close(now, session);
        if let Some((lazy, _)) = &mut self.lazy {
            lazy.close(now, session);
        }
    }

    fn provide_psk(
        &mut self,
        now: Instant,
        session: u64,
        identity: &PskIdentity,
        key: Option<PresharedKey>,
    ) {
        if let Some((lazy, toy)) = &mut self.lazy {
            lazy.provide_psk(toy, now, session, identity, key.clone());
        }
        self.eager.provide_psk(&mut self.toy, now, session, identity, key);
    }

    fn shrink(&mut self) {
        self.eager.shrink();
        if let Some((lazy, _)) = &mut self.lazy {
            lazy.shrink();
        }
    }

    fn next(&self) -> Option<Instant> {
        self.eager.poll_timeout().map(|deadline| deadline.at)
    }

    fn tap(&self) -> Option<Tap> {
        self.toy.tap()
    }

    fn set_dry(&mut self, is_dry: bool) {
        self.toy.set_dry(is_dry);
        if let Some((_, toy)) = &self.lazy {
            toy.set_dry(is_dry);
        }
    }
}
