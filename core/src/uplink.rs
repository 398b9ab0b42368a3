//! The constrained side's half of every role: from nothing to a live session
//! with the party above, and from one session to the next.
//!
//! A device's way to its gateway and a gateway's way to its cloud are the same:
//!
//! ```text
//! Waiting ── advertisement, configured address, or rotation
//!   │
//! Reaching     DTLS handshake with the negotiation service, network key as PSK
//!   │
//! Requesting   key negotiation: request out, response or refusal in
//!   │
//! Connecting   DTLS handshake with the transmission service, session key as PSK
//!   │
//! Live         the session; the one that it replaces is closed only now
//! ```
//!
//! An attempt that fails in any state leaves the live session as it is, and is
//! repeated after a time that doubles with each failure.

mod attempt;
mod event;
mod pursuit;
mod settings;

use core::time::Duration;

use heapless::{Deque, Vec};

use crate::connection::{
    Advertisement, AdvertisementFilter, ForwardSecrecy, InitiatorParameters, Versions,
};
use crate::crypto::Provider;
use crate::dropped::Dropped;
use crate::dtls::{self, Datagram, SendError, Session};
use crate::endpoint::{Address, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Role, Standing, Trust};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::{BufferTooSmall, copy};

use attempt::{Attempt, Peer};

pub use attempt::Failure;
pub(crate) use event::UplinkEvent;
pub use event::{Disconnection, Unheeded};
pub use settings::{Search, Settings};

/// What an attempt needs to know of the settings.
struct Terms {
    role: Role,
    /// The role that the party above must have been granted.
    above: Role,
    sleepy: bool,
    forward_secrecy: ForwardSecrecy,
    dtls: dtls::Config,
    /// By which the party above tells what it has to remember (SPEC.md section
    /// 9.2).
    incarnation: u32,
}

impl Terms {
    /// What is said in a request.
    const fn initiator(&self) -> InitiatorParameters {
        InitiatorParameters {
            role: self.role,
            peer_role: self.above,
            sleepy: self.sleepy,
            incarnation: self.incarnation,
            forward_secrecy: self.forward_secrecy,
        }
    }
}

/// The only party above that knows the present incarnation, and its own: the two
/// remember each other's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Acquaintance {
    party: PartyId,
    incarnation: u32,
}

/// The live session.
struct Live<P: Provider, A> {
    path: Path<A>,
    session: Session<P>,
    peer: Peer<A>,
    liveness: Liveness,
}

/// Whether the peer is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Liveness {
    /// It was heard at this instant.
    Heard(Instant),
    /// It is being asked since this instant.
    Asked(Instant),
}

/// The least time between attempts, whatever is configured.
const LEAST_DELAY: Duration = Duration::from_millis(10);

/// The silence after which a peer is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(60);

/// How long it may take to give one, repetitions included.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Where a DTLS connection leads: from which local port to which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path<A> {
    port: LocalPort,
    peer: A,
}

/// A last datagram, to a peer whose session is already forgotten.
struct Farewell<A> {
    path: Path<A>,
    datagram: Vec<u8, FAREWELL>,
}

/// The length of a close_notify: two bytes in a record.
const FAREWELL: usize = dtls::RECORD_OVERHEAD + 2;

/// The events that wait for [`Uplink::poll_event`]; the oldest gives way.
const EVENTS: usize = 3;

/// How far a gateway's wall clock may lie from this party's, if both have one.
const FRESHNESS: Duration = Duration::from_secs(120);

/// The gateways whose last advertisement is remembered.
const GATEWAYS: usize = 2;

/// The way to the party above.
pub(crate) struct Uplink<P: Provider, A> {
    terms: Terms,
    search: Search<A>,
    retry: Duration,
    retry_limit: Duration,
    acquaintance: Option<Acquaintance>,
    live: Option<Live<P, A>>,
    /// The close_notify of sessions that are over.
    farewell: Option<Farewell<A>>,
    pursuit: Pursuit<P, A>,
    /// Attempts that failed since the last session stood.
    failures: u32,
    heard: AdvertisementFilter<GATEWAYS>,
    dropped_advertisements: u32,
    dropped_messages: u32,
    events: Deque<UplinkEvent, EVENTS>,
}

/// What is being done to get a session, or the next one.
#[expect(clippy::large_enum_variant, reason = "a device has no heap to put an attempt on")]
enum Pursuit<P: Provider, A> {
    /// Nothing: all is well, or the uplink is closed.
    None,
    /// An attempt may begin at this instant.
    Waiting(Instant),
    Attempting(Attempt<P, A>),
}

impl<P: Provider, A: Address> Uplink<P, A> {
    /// The uplink of a party with the role `role` to one with the role `above`;
    /// its first attempt begins at once, or with the first advertisement.
    pub(crate) fn new(
        settings: Settings<A>,
        role: Role,
        above: Role,
        incarnation: u32,
        now: Instant,
    ) -> Self {
        Self {
            terms: Terms {
                role,
                above,
                sleepy: settings.sleepy,
                forward_secrecy: settings.forward_secrecy,
                dtls: settings.dtls,
                incarnation,
            },
            search: settings.search,
            retry: settings.retry,
            retry_limit: settings.retry_limit,
            acquaintance: None,
            live: None,
            farewell: None,
            pursuit: Pursuit::Waiting(now),
            failures: 0,
            heard: AdvertisementFilter::new(FRESHNESS),
            dropped_advertisements: 0,
            dropped_messages: 0,
            events: Deque::new(),
        }
    }

    /// The verified party above, while a session with it stands.
    pub(crate) fn peer(&self) -> Option<&Standing> {
        self.live.as_ref().map(|live| &live.peer.standing)
    }

    /// Its name.
    pub(crate) fn peer_name(&self) -> Option<&Name> {
        self.live.as_ref().map(|live| &live.peer.name)
    }

    /// The largest datagram that is sent, in bytes.
    pub(crate) fn max_datagram(&self) -> usize {
        self.terms.dtls.datagram_limit()
    }

    /// What was dropped on the way from above.
    pub(crate) fn dropped(&self) -> Dropped {
        Dropped {
            records: self.live.as_ref().map_or_else(Default::default, |live| *live.session.drops()),
            advertisements: self.dropped_advertisements,
            messages: self.dropped_messages,
        }
    }

    /// Counts a message of the live session that nobody can make anything of.
    pub(crate) fn count_dropped_message(&mut self) {
        self.dropped_messages = self.dropped_messages.saturating_add(1);
    }

    /// Takes a datagram from the discovery port. What is not followed is counted.
    pub(crate) fn handle_advertisement<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        from: A,
        datagram: &[u8],
    ) {
        if self.hear(party, now, from, datagram).is_err() {
            self.dropped_advertisements = self.dropped_advertisements.saturating_add(1);
        }
    }

    /// Takes a datagram from the discovery port. The error is why it was not
    /// followed.
    #[inline(never)] // An advertisement takes other room than a record.
    fn hear<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        from: A,
        datagram: &[u8],
    ) -> Result<(), Unheeded> {
        let (advertisement, key) = Advertisement::open(&party.provider, &party.network, datagram)
            .map_err(Unheeded::Advertisement)?;
        if !advertisement.versions.intersect(Versions::V1) {
            return Err(Unheeded::Versions);
        }
        // A clock that was learnt may have drifted out of every window since.
        let clock = party.clock.at(now).filter(|_| party.clock.is_own());
        self.heard.accept(&advertisement, now, clock).map_err(Unheeded::NotFresh)?;
        if let Some(live) = &self.live {
            if live.peer.standing.party() == advertisement.gateway
                && live.peer.incarnation != advertisement.incarnation
            {
                self.ask(now);
            }
            return Ok(());
        }
        if let (Pursuit::Waiting(at), Search::Advertisement) = (&self.pursuit, &self.search)
            && now >= *at
            && self.chooses(party)
        {
            let negotiation = from.with_port(advertisement.negotiation_port);
            self.attempt(party, now, negotiation, Some(key));
        }
        Ok(())
    }

    /// Goes on with a datagram from a client port until it gives a payload of
    /// the live session, or is used up. To be called until it gives none.
    pub(crate) fn handle_record<'d, T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        port: LocalPort,
        from: A,
        datagram: &mut Datagram<'d>,
    ) -> Option<&'d mut [u8]> {
        let path = Path { port, peer: from };
        if let Some(live) = self.live.as_mut().filter(|live| live.path == path) {
            let payload = live.session.handle_record(&mut party.provider, now, datagram);
            if payload.is_some() {
                live.liveness = Liveness::Heard(now);
            } else {
                self.settle(party, now);
            }
            return payload;
        }
        if let Pursuit::Attempting(attempt) = &mut self.pursuit
            && attempt.path() == path
        {
            let step = attempt.handle_datagram(&self.terms, party, now, datagram);
            self.follow(party, now, step);
        }
        None
    }

    /// Seals `payload` for the live session into `buffer`.
    pub(crate) fn send<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<Transmit<A>, SendError> {
        let live = self.live.as_mut().ok_or(SendError::NotConnected)?;
        let length = live.session.send(&mut party.provider, now, payload, buffer)?;
        Ok(live.path.transmit(length))
    }

    /// Has the peer asked for a sign of life, unless it is being asked already.
    pub(crate) fn ask(&mut self, now: Instant) {
        if let Some(live) = &mut self.live
            && let Liveness::Heard(_) = live.liveness
        {
            live.liveness = Liveness::Asked(now);
            self.report(UplinkEvent::PeerMayBeGone);
        }
    }

    /// Notes that a request is sent. To a party that sleeps its answer is the only
    /// sign of life that it waits for.
    pub(crate) fn note_request(&mut self, now: Instant) {
        if let Some(live) = &mut self.live
            && let Liveness::Heard(_) = live.liveness
            && self.terms.sleepy
        {
            live.liveness = Liveness::Asked(now);
        }
    }

    /// Negotiates a new key; the live session stays until the new one stands.
    pub(crate) fn rotate<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        if let (Some(live), Pursuit::None) = (&self.live, &self.pursuit) {
            let negotiation = live.peer.negotiation;
            self.attempt(party, now, negotiation, None);
        }
    }

    /// Ends the live session, with a close_notify, and looks for a new one.
    pub(crate) fn disconnect<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        reason: Disconnection,
    ) {
        if let Some(live) = &mut self.live {
            let peer = live.peer.standing.party();
            let provider = &mut party.provider;
            Farewell::bid(&mut self.farewell, provider, now, live.path, &mut live.session);
            self.live = None;
            self.report(UplinkEvent::Disconnected { peer, reason });
            self.wait(party, now);
        }
    }

    /// Ends everything; no new attempt follows.
    pub(crate) fn close<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        self.disconnect(party, now, Disconnection::ByApplication);
        self.pursuit = Pursuit::None;
    }

    /// Ends the live session if the peer is no longer trusted. To be called when
    /// whom the party trusts has changed.
    pub(crate) fn check_trust<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        if let (Some(live), Some(time)) = (&self.live, party.clock.at(now))
            && let Err(refusal) = party.trust.check(&live.peer.standing, time)
        {
            self.disconnect(party, now, Disconnection::Untrusted(refusal));
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        if let Some(live) = &mut self.live {
            live.session.handle_timeout(&mut party.provider, now);
            self.settle(party, now);
        }
        if self.trust_ends(party).is_some_and(|at| now >= at) {
            self.check_trust(party, now);
        }
        if let Some(live) = &self.live
            && self.liveness_ends().is_some_and(|at| now >= at)
        {
            match live.liveness {
                Liveness::Heard(_) => self.ask(now),
                Liveness::Asked(_) => self.disconnect(party, now, Disconnection::Silent),
            }
        }
        match &mut self.pursuit {
            Pursuit::Waiting(at) if now >= *at => {
                if let Search::At(negotiation) = self.search {
                    self.attempt(party, now, negotiation, None);
                } else if let Some(live) = &self.live {
                    let negotiation = live.peer.negotiation;
                    self.attempt(party, now, negotiation, None);
                }
            }
            Pursuit::Attempting(attempt) => {
                let step = attempt.handle_timeout(&self.terms, party, now);
                self.follow(party, now, step);
            }
            Pursuit::None | Pursuit::Waiting(_) => {}
        }
    }

    /// Writes the next datagram; `None` if there is none.
    pub(crate) fn poll_transmit<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        if let Some(farewell) = &self.farewell {
            let needed = farewell.datagram.len();
            let room = buffer.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
            copy(&farewell.datagram, room);
            let transmit = farewell.path.transmit(needed);
            self.farewell = None;
            return Ok(Some(transmit));
        }
        if let Some(live) = &mut self.live
            && let Some(length) = live.session.poll_transmit(&mut party.provider, now, buffer)?
        {
            return Ok(Some(live.path.transmit(length)));
        }
        if let Pursuit::Attempting(attempt) = &mut self.pursuit {
            let path = attempt.path();
            let sent = attempt.poll_transmit(party, now, buffer)?;
            return Ok(sent.map(|length| path.transmit(length)));
        }
        Ok(None)
    }

    /// When to call [`Uplink::handle_timeout`] next.
    pub(crate) fn poll_timeout<T: Trust>(&self, party: &Party<P, T>) -> Option<Deadline> {
        if self.farewell.is_some() || !self.events.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        let pursuit = match &self.pursuit {
            Pursuit::None => None,
            Pursuit::Waiting(at) => match self.search {
                Search::Advertisement if self.live.is_none() => None,
                _ => Some(Deadline::new(*at, Reason::Retry)),
            },
            Pursuit::Attempting(attempt) => attempt.poll_timeout(),
        };
        let session = self.live.as_ref().and_then(|live| live.session.poll_timeout());
        let trust = self.trust_ends(party).map(|at| Deadline::new(at, Reason::TrustEnds));
        let liveness = self.liveness_ends().map(|at| Deadline::new(at, Reason::Liveness));
        [session, trust, liveness].into_iter().fold(pursuit, Deadline::earlier)
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<UplinkEvent> {
        self.events.pop_front()
    }

    fn trust_ends<T: Trust>(&self, party: &Party<P, T>) -> Option<Instant> {
        party.clock.instant_of(self.live.as_ref()?.peer.standing.valid_until())
    }

    /// When the peer is to be asked for a sign of life, or is taken to be gone. A
    /// party that sleeps asks only when it wakes.
    fn liveness_ends(&self) -> Option<Instant> {
        match self.live.as_ref()?.liveness {
            Liveness::Heard(_) if self.terms.sleepy => None,
            Liveness::Heard(at) => Some(at + SILENCE),
            Liveness::Asked(at) => Some(at + ANSWER_TIME),
        }
    }

    fn report(&mut self, event: UplinkEvent) {
        if self.events.is_full() {
            self.events.pop_front();
        }
        let _ = self.events.push_back(event);
    }
}

impl<A: Copy> Path<A> {
    const fn transmit(self, length: usize) -> Transmit<A> {
        Transmit::new(self.port, self.peer, length)
    }
}
