//! The less constrained side's half of a gateway and of a cloud: the negotiation
//! service and the transmission service for the parties below.
//!
//! ```text
//! negotiation port   DTLS under a network key ─ request ─ decision ─ response
//!                                                   │
//!                                       negotiated key, kept for a while
//!                                                   │
//! transmission port  DTLS under the session key ─ live session of the peer
//! ```
//!
//! A peer is known by its [`PartyId`]. Its requests and answers outlive its
//! sessions: when a new session replaces the old one, what is unanswered is
//! repeated on the new one, and only then is the old one closed.

mod keys;
mod negotiations;
mod peer;
mod services;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::NegotiationRefusal;
use crate::crypto::{EntropyError, Provider};
use crate::dropped::Dropped;
use crate::dtls::{CookiePolicy, Datagram, Received, Server, ServerConfig, SessionId};
use crate::endpoint::{Address, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Refusal, Revocation, Role, Standing, Trust};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason, UnixTime};
use crate::timers::Timers;
use crate::transmission::{Body, GivenUp, Kind, MessageId, Refused, Tally, Ticket};
use crate::uplink::Disconnection;
use crate::wire::BufferTooSmall;

use keys::PendingKeys;
use negotiations::Negotiations;
pub(crate) use peer::Object;
use peer::Peer;

/// When a session's key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which a session is to be replaced.
    pub age: Duration,
    /// The number of records sent in a session after which it is to be replaced.
    pub records: u64,
    /// How long the peer has to do so. A session that is older than `age` and
    /// `grace` together is closed.
    pub grace: Duration,
}

impl Default for Rotation {
    /// After a day or a million records, with an hour of grace.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(24 * 3600),
            records: 1_000_000,
            grace: Duration::from_secs(3600),
        }
    }
}

/// What the services for the parties below are configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port of the transmission service, as peers are told it.
    pub transmission_port: u16,
    /// The settings of the two DTLS servers.
    pub server: ServerConfig,
    /// The number of peers that are known at a time, connected or not. When it
    /// is reached, the peer that was disconnected first is forgotten; if all are
    /// connected, a new one is refused as busy.
    pub max_peers: usize,
    /// How long a negotiated key waits for its peer to connect with it.
    pub key_lifetime: Duration,
    /// When keys are replaced.
    pub rotation: Rotation,
    /// The silence after which a peer is given up. Peers give a sign of life
    /// once a minute.
    pub silence: Duration,
    /// The same for peers that sleep.
    pub sleepy_silence: Duration,
}

impl Settings {
    /// The usual settings of a party whose transmission service has this port:
    /// a thousand peers, given up after three minutes of silence, or after a day
    /// if they sleep.
    ///
    /// Cookies are asked for only under load, as IKEv2 does (RFC 7296 section
    /// 2.6). RFC 6347 section 4.2.1 recommends them always, against amplification
    /// and against handshakes that only take memory: the answer of this server is
    /// hardly longer than its request, and its half-open handshakes are bounded.
    /// A handshake without costs a constrained device a round trip and 119 bytes
    /// less.
    #[must_use]
    pub fn new(transmission_port: u16) -> Self {
        Self {
            transmission_port,
            server: ServerConfig {
                cookies: CookiePolicy::UnderLoad { half_open: HALF_OPEN },
                max_sessions: 2048,
                ..ServerConfig::default()
            },
            max_peers: 1000,
            key_lifetime: Duration::from_secs(60),
            rotation: Rotation::default(),
            silence: Duration::from_secs(180),
            sleepy_silence: Duration::from_secs(24 * 3600),
        }
    }
}

/// The number of half-open handshakes from which on cookies are asked for.
const HALF_OPEN: usize = 16;

/// How long a sleepy peer listens after it was heard.
const AWAKE: Duration = Duration::from_secs(10);

/// How long a session stays open that was replaced, unless the peer shows before
/// that it uses the new one: as long as the end of the handshake, which makes the
/// new session stand on the peer's side, may take to get through.
const OVERLAP: Duration = Duration::from_secs(30);

/// The number of answers that wait to be sent. One more is dropped: its request
/// will be repeated.
const MAX_ANSWERS: usize = 1024;

/// The number of events that wait. While there are as many, datagrams are not
/// taken: what they carry will be repeated.
const MAX_EVENTS: usize = 4096;

/// What happened below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DownlinkEvent {
    /// A party was verified and has a session key now.
    Negotiated { peer: PartyId },
    /// A party was refused; who, if its request could be read.
    Refused { who: Option<(PartyId, Name)>, refusal: NegotiationRefusal },
    /// A peer's session stands; `replaced` if it takes the place of another.
    /// It has a new incarnation if what it was handed before may be forgotten.
    Connected { peer: PartyId, replaced: bool, new_incarnation: bool },
    /// A peer's session ended.
    Disconnected { peer: PartyId, reason: Disconnection },
    /// A request came in that was not seen before: an encoded message, which is
    /// known to decode.
    Request { peer: PartyId, ticket: Ticket, message: Vec<u8> },
    /// The answer to a request of this party's: an encoded message, which is
    /// known to decode.
    Answer { peer: PartyId, request: Kind, message: Vec<u8> },
    /// A request of this party's was given up.
    GivenUp { peer: PartyId, request: GivenUp },
}

/// Why a request to a peer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No such peer is known.
    UnknownPeer,
    /// The request itself.
    Refused(Refused),
}

impl core::fmt::Display for RequestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::UnknownPeer => f.write_str("no party with this id is known here"),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl core::error::Error for RequestError {}

/// The parties below, and the services that they use.
pub(crate) struct Downlink<P: Provider, A: Address> {
    settings: Settings,
    /// The role that peers must have been granted.
    below: Role,
    negotiation: Server<P, A>,
    transmission: Server<P, A>,
    negotiations: Negotiations,
    keys: PendingKeys,
    peers: BTreeMap<PartyId, Box<Peer>>,
    /// The peers by their sessions, replaced ones that are still open included.
    sessions: BTreeMap<SessionId, PartyId>,
    /// When replaced sessions are to be closed.
    former: Timers<SessionId>,
    /// The peers without a session, and since when.
    disconnected: Timers<PartyId>,
    /// When what a session rests on ends.
    trust_ends: Timers<PartyId, UnixTime>,
    /// When each peer is to be looked after next.
    timers: Timers<PartyId>,
    /// The peers that have requests to be sent.
    ready: BTreeSet<PartyId>,
    answers: VecDeque<(PartyId, Vec<u8>)>,
    dropped_messages: u32,
    sent: Tally,
    received: Tally,
    events: VecDeque<DownlinkEvent>,
    /// Whether the services take nothing any more.
    closed: bool,
}

impl<P: Provider, A: Address> Downlink<P, A> {
    /// Services for parties with the role `below`.
    ///
    /// # Errors
    /// [`EntropyError`] if the provider has no randomness for cookie secrets.
    pub(crate) fn new(
        settings: Settings,
        below: Role,
        provider: &mut P,
    ) -> Result<Self, EntropyError> {
        let negotiation = Server::new(settings.server, provider)?;
        // Room for a second session of each peer, while it replaces the first.
        let max_sessions = settings.server.max_sessions.max(settings.max_peers.saturating_mul(2));
        let server = ServerConfig { max_sessions, ..settings.server };
        let transmission = Server::new(server, provider)?;
        Ok(Self {
            settings,
            below,
            negotiation,
            transmission,
            negotiations: Negotiations::new(),
            keys: PendingKeys::default(),
            peers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            former: Timers::new(),
            disconnected: Timers::new(),
            trust_ends: Timers::new(),
            timers: Timers::new(),
            ready: BTreeSet::new(),
            answers: VecDeque::new(),
            dropped_messages: 0,
            sent: Tally::new(),
            received: Tally::new(),
            events: VecDeque::new(),
            closed: false,
        })
    }

    /// The largest datagram that is sent, in bytes.
    pub(crate) fn max_datagram(&self) -> usize {
        self.settings.server.dtls.datagram_limit()
    }

    /// The name and standing of a peer that is known.
    pub(crate) fn peer(&self, peer: PartyId) -> Option<(&Name, &Standing)> {
        self.peers.get(&peer).map(|peer| (&peer.name, &peer.standing))
    }

    /// The peers that are connected, and their names.
    pub(crate) fn connected(&self) -> impl Iterator<Item = (PartyId, &Name)> {
        self.peers
            .iter()
            .filter(|(_, peer)| peer.session().is_some())
            .map(|(id, peer)| (*id, &peer.name))
    }

    /// What was dropped of what came from below.
    pub(crate) fn dropped(&self) -> Dropped {
        let mut records = *self.negotiation.drops();
        records.add_all(self.transmission.drops());
        Dropped { records, advertisements: 0, messages: self.dropped_messages }
    }

    /// What was sent to all peers together.
    pub(crate) const fn sent(&self) -> &Tally {
        &self.sent
    }

    /// What came from all peers together.
    pub(crate) const fn received(&self) -> &Tally {
        &self.received
    }

    /// Whether a peer is connected.
    pub(crate) fn is_connected(&self, peer: PartyId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.session().is_some())
    }

    /// Takes a datagram from one of the two services' ports.
    pub(crate) fn handle_datagram<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        port: LocalPort,
        from: A,
        datagram: &mut [u8],
    ) {
        if self.closed || self.events.len() >= MAX_EVENTS {
            return;
        }
        let mut datagram = Datagram::new(datagram);
        match port {
            LocalPort::Negotiation => {
                while let Some(Received { session, payload }) =
                    self.negotiation.handle_record(&mut party.provider, now, from, &mut datagram)
                {
                    self.negotiate(party, now, session, payload);
                }
                self.serve_negotiation(party, now);
            }
            LocalPort::Transmission => {
                while let Some(Received { session, payload }) =
                    self.transmission.handle_record(&mut party.provider, now, from, &mut datagram)
                {
                    // A session may carry its first message in the datagram that
                    // completes its handshake.
                    self.serve_transmission(party, now);
                    self.receive(now, session, payload);
                }
                self.serve_transmission(party, now);
            }
            _ => {}
        }
    }

    /// Sends a request to `peer`, now or when it is connected and awake.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        peer: PartyId,
        body: Body<'_>,
        subject: Option<PartyId>,
        expires: Option<Instant>,
    ) -> Result<MessageId, RequestError> {
        let known = self.peers.get_mut(&peer).ok_or(RequestError::UnknownPeer)?;
        let id = known.requests.send(now, body, subject, expires).map_err(RequestError::Refused)?;
        self.reschedule(now, peer);
        Ok(id)
    }

    /// Hands an object to a peer that is connected.
    pub(crate) fn hand(&mut self, now: Instant, peer: PartyId, object: Object) {
        if let Some(known) = self.peers.get_mut(&peer)
            && known.session().is_some()
        {
            known.hand(now, object);
            self.reschedule(now, peer);
        }
    }

    /// Hands an object to all who are connected.
    pub(crate) fn spread(&mut self, now: Instant, object: &Object) {
        let peers: Vec<PartyId> = self.connected().map(|(id, _)| id).collect();
        for peer in peers {
            self.hand(now, peer, object.clone());
        }
    }

    /// Answers a request of `peer`. An answer that finds no room is dropped: the
    /// request will come again.
    pub(crate) fn answer(&mut self, peer: PartyId, ticket: Ticket, body: Body<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let mut message = alloc::vec![0; self.transmission.max_payload()];
        if let Ok(length) = known.responses.answer(ticket, None, body, &mut message) {
            message.truncate(length);
            self.push_answer(peer, message);
        }
    }

    /// Acknowledges a request of `peer`, and says whether anything waits for it.
    pub(crate) fn acknowledge(&mut self, peer: PartyId, ticket: Ticket) {
        let nothing_waiting =
            self.peers.get(&peer).is_some_and(|known| known.requests.nothing_waiting());
        self.answer(peer, ticket, Body::Acknowledgement { nothing_waiting });
    }

    /// Ends the session with `peer`, with a close_notify.
    pub(crate) fn disconnect(&mut self, now: Instant, peer: PartyId, reason: Disconnection) {
        if let Some(session) = self.part(now, peer, reason) {
            self.transmission.close(now, session);
        }
    }

    /// Ends every session, and lets no other begin.
    pub(crate) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.keys.clear();
        let connected: Vec<PartyId> = self.connected().map(|(id, _)| id).collect();
        for peer in connected {
            self.disconnect(now, peer, Disconnection::ByApplication);
        }
    }

    /// Changes whom the party trusts: revocations that were not known before are
    /// spread, and sessions that are no longer covered end.
    pub(crate) fn change_trust<T: Trust, R>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        change: impl FnOnce(&mut T, &P) -> R,
    ) -> R {
        let id = |revocation: &Revocation| (revocation.issuer(), revocation.subject());
        let known: BTreeSet<_> = party.trust.revocations().map(id).collect();
        let result = change(&mut party.trust, &party.provider);
        // Devices verify no devices, and have room for few revocations.
        let is_of_interest = |revocation: &&Revocation| {
            self.below != Role::Device || !self.peers.contains_key(&revocation.subject())
        };
        let news = party
            .trust
            .revocations()
            .filter(|revocation| !known.contains(&id(revocation)))
            .filter(is_of_interest);
        let news: Vec<Object> = news.map(Object::of_revocation).collect();
        for revocation in &news {
            self.spread(now, revocation);
        }
        self.check_trust(party, now);
        result
    }

    /// Ends the sessions, and forgets the negotiated keys, of all who are no
    /// longer trusted.
    fn check_trust<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        let Some(time) = party.clock.at(now) else { return };
        self.keys.retain(|key| party.trust.check(key.peer.standing(), time).is_ok());
        let untrusted: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.session().is_some())
            .filter_map(|(id, peer)| {
                party.trust.check(&peer.standing, time).err().map(|refusal| (*id, refusal))
            })
            .collect();
        for (peer, refusal) in untrusted {
            self.disconnect(now, peer, Disconnection::Untrusted(refusal));
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        self.negotiation.handle_timeout(&mut party.provider, now);
        for session in self.negotiations.over(now) {
            self.negotiation.close(now, session);
        }
        self.serve_negotiation(party, now);
        self.transmission.handle_timeout(&mut party.provider, now);
        self.serve_transmission(party, now);
        self.keys.handle_timeout(now);
        let expired = party.clock.at(now).map(|time| self.trust_ends.due(time));
        for peer in expired.unwrap_or_default() {
            self.disconnect(now, peer, Disconnection::Untrusted(Refusal::Expired));
        }
        for session in self.former.due(now) {
            self.close_former(now, Some(session));
        }
        // Each once: a peer with a request to send stays due.
        for peer in self.timers.due(now) {
            self.look_after(now, peer);
        }
    }

    /// Writes the next datagram; `None` if there is none.
    pub(crate) fn poll_transmit<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let provider = &mut party.provider;
        let needed = self.max_datagram();
        if buffer.len() < needed {
            return Err(BufferTooSmall { needed });
        }
        if let Some((to, length)) = self.negotiation.poll_transmit(provider, now, buffer)? {
            return Ok(Some(Transmit::new(LocalPort::Negotiation, to, length)));
        }
        if let Some((to, length)) =
            self.negotiations.poll_transmit(provider, &mut self.negotiation, now, buffer)?
        {
            return Ok(Some(Transmit::new(LocalPort::Negotiation, to, length)));
        }
        if let Some((to, length)) = self.transmission.poll_transmit(provider, now, buffer)? {
            return Ok(Some(Transmit::new(LocalPort::Transmission, to, length)));
        }
        while let Some((peer, message)) = self.answers.pop_front() {
            if let Some(sent) = self.send(party, now, peer, &message, buffer) {
                return Ok(Some(sent));
            }
        }
        self.poll_requests(party, now, buffer)
    }

    /// When to call [`Downlink::handle_timeout`] next.
    pub(crate) fn poll_timeout<T>(&self, party: &Party<P, T>) -> Option<Deadline> {
        let is_ready = !self.answers.is_empty()
            || !self.ready.is_empty()
            || !self.events.is_empty()
            || self.negotiations.is_sending();
        if is_ready {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        let peers = self.timers.first().map(|(at, _)| Deadline::new(at, Reason::Liveness));
        // The clock may have been set since these times were noted.
        let trust = self.trust_ends.first().and_then(|(until, _)| party.clock.instant_of(until));
        [
            trust.map(|at| Deadline::new(at, Reason::TrustEnds)),
            self.former.first().map(|(at, _)| Deadline::new(at, Reason::Cleanup)),
            self.keys.poll_timeout(),
            self.negotiations.poll_timeout(),
            self.negotiation.poll_timeout(),
            self.transmission.poll_timeout(),
        ]
        .into_iter()
        .fold(peers, Deadline::earlier)
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<DownlinkEvent> {
        self.events.pop_front()
    }
}
