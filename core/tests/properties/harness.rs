//! Parties that are driven alike, and twins of them that must never differ.

use std::fmt::Debug;

use iot_crypto::endpoint::{Address, Endpoint, LocalPort, Transmit};
use iot_crypto::time::Instant;
use iot_crypto::wire::BufferTooSmall;

/// A host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) host: u16,
    pub(crate) port: u16,
}

impl Address for Place {
    fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

/// A datagram, and whence and where to it goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parcel {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) bytes: Vec<u8>,
}

/// A datagram as a party sends it.
pub(crate) type Sent = (Transmit<Place>, Vec<u8>);

/// What the suites need of a party: it and its application in one.
pub(crate) trait Subject: Endpoint<Address = Place> {
    /// The next event, as text. The application keeps what it can answer.
    fn event(&mut self) -> Option<String>;

    /// The application data that has come, and the number of its session.
    fn payloads(&mut self) -> Vec<(u64, Vec<u8>)> {
        Vec::new()
    }

    /// How much was dropped so far.
    fn dropped(&self) -> u32;

    /// The length of a buffer that always suffices, in bytes.
    fn limit(&self) -> usize;

    /// The application makes a mistake, of a kind that `which` chooses, and asserts
    /// that it is told so.
    fn mistake(&mut self, now: Instant, which: u8);
}

/// Two parties that began alike and are given the same. One of them is tried
/// besides, with what must change nothing: bad datagrams, calls that are too early,
/// buffers that are too small, mistakes of the application. So all that either of
/// them does must be the same, byte for byte.
///
/// It also watches over the deadlines: what is ready, output or event, was
/// advertised before.
pub(crate) struct Twin<S> {
    plain: S,
    tried: S,
    /// The lengths of the buffers that are tried, in turn.
    buffers: Vec<usize>,
    turn: usize,
    trials: Trials,
}

/// How often something bad was tried in earnest, to see that it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trials {
    /// A datagram was dropped as a whole.
    pub(crate) dropped: u32,
    /// A buffer was refused.
    pub(crate) refused: u32,
    /// A call came before its time.
    pub(crate) early: u32,
}

impl std::ops::AddAssign for Trials {
    fn add_assign(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.refused += other.refused;
        self.early += other.early;
    }
}

impl<S: Subject> Twin<S> {
    /// `make` is called twice, and must make the same both times.
    pub(crate) fn new(buffers: &[usize], make: impl Fn() -> S) -> Self {
        let (buffers, trials) = (buffers.to_vec(), Trials::default());
        Self { plain: make(), tried: make(), buffers, turn: 0, trials }
    }

    /// The one that is not tried.
    pub(crate) fn plain(&self) -> &S {
        &self.plain
    }

    /// What was tried so far.
    pub(crate) fn trials(&self) -> Trials {
        self.trials
    }

    /// Does the same with both.
    pub(crate) fn both<R: PartialEq + Debug>(&mut self, act: impl Fn(&mut S) -> R) -> R {
        let result = act(&mut self.plain);
        assert_eq!(act(&mut self.tried), result, "the tried one differs");
        result
    }

    /// The deadline that both advertise.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.plain.poll_timeout();
        assert_eq!(self.tried.poll_timeout(), deadline, "the tried one has another deadline");
        deadline.map(|deadline| deadline.at)
    }

    /// Whether the deadline has come.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// Both take a datagram; gives the application data in it.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        port: LocalPort,
        from: Place,
        bytes: &[u8],
    ) -> Vec<(u64, Vec<u8>)> {
        self.both(|subject| {
            subject.handle_datagram(now, port, from, &mut bytes.to_vec());
            subject.payloads()
        })
    }

    /// Both do what is due.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.both(|subject| subject.handle_timeout(now));
    }

    /// The next datagram of both. The tried one is offered buffers that are too
    /// small first, and then one of the length that it asked for.
    pub(crate) fn transmit(&mut self, now: Instant) -> Option<Sent> {
        let was_due = self.is_due(now);
        let limit = self.plain.limit();
        let expected = transmit(&mut self.plain, now, limit).expect("a whole datagram suffices");
        let mut length = self.buffers.get(self.turn).copied().unwrap_or(limit);
        self.turn = (self.turn + 1) % (self.buffers.len() + 1);
        let mut tries = 0;
        let sent = loop {
            match transmit(&mut self.tried, now, length) {
                Ok(sent) => break sent,
                Err(BufferTooSmall { needed }) => {
                    assert!(needed > length && needed <= limit, "{length}, then {needed}");
                    length = needed;
                    self.trials.refused += 1;
                }
            }
            tries += 1;
            assert!(tries == 1, "what was said to suffice did not");
        };
        assert_eq!(sent, expected, "the tried one sends something else");
        assert!(was_due || sent.is_none(), "output that was not advertised");
        sent
    }

    /// The next event of both.
    pub(crate) fn event(&mut self, now: Instant) -> Option<String> {
        let was_due = self.is_due(now);
        let event = self.both(|subject| subject.event().as_deref().map(without_hint));
        assert!(was_due || event.is_none(), "an event that was not advertised: {event:?}");
        event
    }

    /// Only the tried one is called before its deadline.
    pub(crate) fn try_early(&mut self, now: Instant) {
        if !self.is_due(now) {
            self.trials.early += 1;
            self.tried.handle_timeout(now);
            let limit = self.tried.limit();
            assert_eq!(transmit(&mut self.tried, now, limit), Ok(None), "output before its time");
            assert_eq!(self.tried.event(), None, "an event before its time");
            self.deadline();
        }
    }

    /// Only the tried one's application makes a mistake.
    pub(crate) fn try_mistake(&mut self, now: Instant, which: u8) {
        self.tried.mistake(now, which);
        self.deadline();
    }

    /// Only the tried one takes a datagram, which is known to be dropped.
    pub(crate) fn try_bad(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &[u8]) {
        self.trials.dropped += 1;
        self.tried.handle_datagram(now, port, from, &mut bytes.to_vec());
        assert_eq!(self.tried.payloads(), [], "{bytes:02x?} was taken");
        self.deadline();
    }

    /// The tried one takes a datagram that may be bad. If all its records were
    /// dropped, that was all; or else the other takes it as well.
    pub(crate) fn try_any(
        &mut self,
        now: Instant,
        port: LocalPort,
        from: Place,
        bytes: &[u8],
    ) -> Vec<(u64, Vec<u8>)> {
        let take = |subject: &mut S| {
            subject.handle_datagram(now, port, from, &mut bytes.to_vec());
            subject.payloads()
        };
        let before = self.tried.dropped();
        let payloads = take(&mut self.tried);
        let dropped = (self.tried.dropped() - before) as usize;
        if dropped == records(bytes).len() && payloads.is_empty() {
            self.trials.dropped += 1;
        } else {
            assert_eq!(take(&mut self.plain), payloads);
        }
        self.deadline();
        payloads
    }
}

/// Whether records came that could not be decrypted is told with the reason for
/// which a handshake ended, and depends on what was dropped, as a counter does.
fn without_hint(event: &str) -> String {
    event.replace("undecryptable: true", "undecryptable: false")
}

fn transmit<S: Subject>(
    subject: &mut S,
    now: Instant,
    length: usize,
) -> Result<Option<Sent>, BufferTooSmall> {
    let mut buffer = vec![0; length];
    let sent = subject.poll_transmit(now, &mut buffer)?;
    Ok(sent.map(|sent| (sent, buffer[..sent.length].to_vec())))
}

/// The records of a datagram (RFC 6347 section 4.1), the last of which may be what
/// is left over.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = match bytes {
            [_, 0xfe, version, epoch, poch, ..] if bytes.len() >= 13 => {
                let length = 13 + usize::from(bytes[11]) * 256 + usize::from(bytes[12]);
                let is_known = *version == 0xfd || (*version == 0xff && (*epoch, *poch) == (0, 0));
                let fits = length <= bytes.len() && length <= 13 + (1 << 14) + 16;
                if is_known && fits { length } else { bytes.len() }
            }
            _ => bytes.len(),
        };
        let (record, rest) = bytes.split_at(length);
        all.push(record);
        bytes = rest;
    }
    all
}
