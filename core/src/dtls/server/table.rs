//! The server's table of clients: found by what they are called, where they
//! are, and when they want to be called, never by scanning.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::SessionId;
use super::addresses::Addresses;
use super::slab::Slab;
use crate::crypto::Provider;
use crate::dtls::v12::ending::Farewell;
use crate::dtls::v12::established::Established;
use crate::dtls::v12::hello::Random;
use crate::dtls::v12::server::Handshake;
use crate::dtls::{CloseReason, PskIdentity};
use crate::endpoint::Address;
use crate::time::{Deadline, Instant, Reason};

/// One client. The address leads to it (in one of the two maps) as long as its
/// handshake or session is not over.
pub(super) struct Peer<P: Provider, A> {
    id: SessionId,
    pub(super) address: A,
    /// The start of the random value in its `ClientHello`: a late repetition of
    /// that is no new handshake.
    hello: u64,
    pub(super) state: PeerState<P>,
}

// A session is in the table itself: there may be many of them, and a pointer to
// each would be memory and time. The others are few, and large or soon gone.
#[allow(clippy::large_enum_variant)]
pub(super) enum PeerState<P: Provider> {
    Handshake(Box<Beginning<P>>),
    Session(Established<P>),
    /// A handshake that has failed, as long as its farewell waits.
    Failed(Box<Failed>),
}

/// A handshake in the table.
pub(super) struct Beginning<P: Provider> {
    pub(super) handshake: Handshake<P>,
    /// Whether the application has heard of it.
    announced: bool,
    /// The entry in the set of deadlines.
    scheduled: Option<Instant>,
}

/// What a handshake that has failed leaves behind.
pub(super) struct Failed {
    since: Instant,
    pub(super) farewell: Farewell,
}

impl<P: Provider, A> Peer<P, A> {
    /// When something is to be sent: since it is.
    fn output(&self) -> Option<Deadline> {
        match &self.state {
            PeerState::Handshake(beginning) => beginning.handshake.output(),
            PeerState::Session(session) => session.output(),
            PeerState::Failed(failed) => {
                (!failed.farewell.is_empty()).then(|| Deadline::new(failed.since, Reason::Output))
            }
        }
    }

    fn timer(&self) -> Option<Deadline> {
        match &self.state {
            PeerState::Handshake(beginning) => Some(beginning.handshake.timer()),
            PeerState::Session(_) | PeerState::Failed(_) => None,
        }
    }

    fn is_over(&self) -> bool {
        match &self.state {
            PeerState::Handshake(_) => false,
            PeerState::Session(session) => !session.is_open(),
            PeerState::Failed(_) => true,
        }
    }
}

/// How many clients the table can hold at most.
const MAX_PEERS: u32 = 1 << SessionId::PLACE_BITS;

pub(super) struct Table<P: Provider, A: Address> {
    peers: Slab<Peer<P, A>>,
    last_serial: u64,
    sessions: Addresses,
    handshakes: BTreeMap<A, SessionId>,
    /// The same handshakes, the oldest first.
    half_open: BTreeSet<SessionId>,
    deadlines: BTreeSet<(Instant, SessionId)>,
    ready: BTreeSet<SessionId>,
}

fn start_of(random: &Random) -> u64 {
    random.first_chunk().map_or(0, |start| u64::from_be_bytes(*start))
}

impl<P: Provider, A: Address> Table<P, A> {
    /// A table without clients. `hash_key` is secret.
    pub(super) fn new(hash_key: &[u8; 16]) -> Self {
        Self {
            peers: Slab::new(),
            last_serial: 0,
            sessions: Addresses::new(hash_key),
            handshakes: BTreeMap::new(),
            half_open: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            ready: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn half_open(&self) -> usize {
        self.half_open.len()
    }

    pub(super) fn oldest_handshake(&self) -> Option<SessionId> {
        self.half_open.first().copied()
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Peer<P, A>> {
        self.peers.get(id.place()).filter(|peer| peer.id == id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Peer<P, A>> {
        self.peers.get_mut(id.place()).filter(|peer| peer.id == id)
    }

    pub(super) fn handshake(&mut self, id: SessionId) -> Option<&mut Handshake<P>> {
        match &mut self.get_mut(id)?.state {
            PeerState::Handshake(beginning) => Some(&mut beginning.handshake),
            _ => None,
        }
    }

    pub(super) fn handshake_at(&mut self, address: A) -> Option<(SessionId, &mut Handshake<P>)> {
        let id = *self.handshakes.get(&address)?;
        Some((id, self.handshake(id)?))
    }

    /// The place of the session of `address`.
    fn place_at(&self, address: A) -> Option<u32> {
        self.sessions.get(&address, |place| Some(self.peers.get(place)?.address))
    }

    pub(super) fn session_at(&mut self, address: A) -> Option<(SessionId, &mut Established<P>)> {
        let peers = &self.peers;
        let place = self.sessions.get_again(&address, |place| Some(peers.get(place)?.address))?;
        let peer = self.peers.get_mut(place)?;
        match &mut peer.state {
            PeerState::Session(session) => Some((peer.id, session)),
            _ => None,
        }
    }

    pub(super) fn has_handshake(&self, address: A) -> bool {
        self.handshakes.contains_key(&address)
    }

    pub(super) fn is_occupied(&self, address: A) -> bool {
        self.has_handshake(address) || self.place_at(address).is_some()
    }

    /// Whether the session of `address` began with the `ClientHello` that has this
    /// random value.
    pub(super) fn is_hello_of_session(&self, address: A, random: &Random) -> bool {
        let peer = self.place_at(address).and_then(|place| self.peers.get(place));
        peer.is_some_and(|peer| peer.hello == start_of(random))
    }

    /// Whether there is a place for another client, and a name for it.
    pub(super) fn has_place(&self) -> bool {
        self.peers.next(MAX_PEERS).is_some() && self.last_serial < SessionId::MAX_SERIAL
    }

    /// Takes a new handshake in, if there is a place.
    pub(super) fn insert(&mut self, address: A, handshake: Handshake<P>) {
        let Some(place) = self.peers.next(MAX_PEERS) else { return };
        self.last_serial = self.last_serial.saturating_add(1);
        let id = SessionId::new(self.last_serial, place);
        let hello = start_of(handshake.client_random());
        let beginning = Beginning { handshake, announced: false, scheduled: None };
        let state = PeerState::Handshake(Box::new(beginning));
        self.peers.insert(Peer { id, address, hello, state });
        self.handshakes.insert(address, id);
        self.half_open.insert(id);
        self.settle(id);
    }

    /// The application hears of a handshake; gives the identity whose key is
    /// waited for.
    pub(super) fn announce(&mut self, id: SessionId) -> Option<PskIdentity> {
        self.settle(id);
        let PeerState::Handshake(beginning) = &mut self.get_mut(id)?.state else { return None };
        beginning.announced = true;
        beginning.handshake.required_psk().cloned()
    }

    /// Takes a handshake out of the maps of handshakes; gives whether the
    /// application had heard of it.
    fn end_handshake(&mut self, id: SessionId, state: PeerState<P>) -> Option<bool> {
        let peer = self.get_mut(id)?;
        let address = peer.address;
        let before = core::mem::replace(&mut peer.state, state);
        self.handshakes.remove(&address);
        self.half_open.remove(&id);
        let PeerState::Handshake(beginning) = before else { return None };
        if let Some(at) = beginning.scheduled {
            self.deadlines.remove(&(at, id));
        }
        Some(beginning.announced)
    }

    /// A handshake has become a session; gives the one that it replaces.
    pub(super) fn establish(
        &mut self,
        id: SessionId,
        established: Established<P>,
    ) -> Option<SessionId> {
        self.end_handshake(id, PeerState::Session(established))?;
        let address = self.get(id)?.address;
        let peers = &self.peers;
        let address_of = |place| Some(peers.get(place)?.address);
        let replaced = self.sessions.insert(&address, id.place(), address_of);
        let replaced = replaced.and_then(|place| self.peers.remove(place)).map(|peer| peer.id);
        if let Some(replaced) = replaced {
            self.ready.remove(&replaced);
        }
        self.settle(id);
        replaced
    }

    /// A handshake has failed; gives whether the application had heard of it.
    pub(super) fn fail(&mut self, id: SessionId, now: Instant, farewell: Farewell) -> bool {
        let failed = Box::new(Failed { since: now, farewell });
        let announced = self.end_handshake(id, PeerState::Failed(failed));
        self.settle(id);
        announced.unwrap_or(false)
    }

    /// Brings a session up to date; gives why it is over, once.
    pub(super) fn settle_session(&mut self, id: SessionId) -> Option<CloseReason> {
        let peer = self.get_mut(id)?;
        let PeerState::Session(session) = &mut peer.state else { return None };
        let reason = session.poll_closed();
        if reason.is_some() {
            let address = peer.address;
            self.sessions.remove(&address, id.place());
        }
        self.settle(id);
        reason
    }

    /// Brings the sets of deadlines and of what is ready up to date; removes a
    /// client that is over and has nothing more to send.
    pub(super) fn settle(&mut self, id: SessionId) {
        let Some(peer) = self.peers.get_mut(id.place()).filter(|peer| peer.id == id) else {
            return;
        };
        let timer = peer.timer().map(|deadline| deadline.at);
        if let PeerState::Handshake(beginning) = &mut peer.state
            && beginning.scheduled != timer
        {
            if let Some(at) = core::mem::replace(&mut beginning.scheduled, timer) {
                self.deadlines.remove(&(at, id));
            }
            if let Some(at) = timer {
                self.deadlines.insert((at, id));
            }
        }
        if peer.output().is_some() {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
            if peer.is_over() {
                self.peers.remove(id.place());
            }
        }
    }

    /// A client that has something to send.
    pub(super) fn first_ready(&mut self) -> Option<(SessionId, &mut Peer<P, A>)> {
        let id = *self.ready.first()?;
        Some((id, self.get_mut(id)?))
    }

    /// Those whose deadline is `now` or earlier.
    pub(super) fn due(&self, now: Instant) -> Vec<SessionId> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let ready = self.ready.first().and_then(|id| self.get(*id)).and_then(Peer::output);
        let first = self.deadlines.first().and_then(|(_, id)| self.get(*id));
        Deadline::earlier(ready, first.and_then(Peer::timer))
    }
}
