//! The server's table of clients: found by what they are called, where they
//! are, and when they want to be called, never by scanning.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::SessionId;
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
    pub(super) address: A,
    /// The start of the random value in its `ClientHello`: a late repetition of
    /// that is no new handshake.
    hello: u64,
    /// The entry in the set of deadlines.
    scheduled: Option<Instant>,
    pub(super) state: PeerState<P>,
}

pub(super) enum PeerState<P: Provider> {
    /// `announced`: the application has heard of it.
    Handshake {
        handshake: Box<Handshake<P>>,
        announced: bool,
    },
    Session(Box<Established<P>>),
    /// A handshake that has failed, as long as its farewell waits.
    Failed {
        since: Instant,
        farewell: Box<Farewell>,
    },
}

impl<P: Provider, A> Peer<P, A> {
    /// When something is to be sent: since it is.
    fn output(&self) -> Option<Deadline> {
        match &self.state {
            PeerState::Handshake { handshake, .. } => handshake.output(),
            PeerState::Session(session) => session.output(),
            PeerState::Failed { since, farewell } => {
                (!farewell.is_empty()).then(|| Deadline::new(*since, Reason::Output))
            }
        }
    }

    fn timer(&self) -> Option<Deadline> {
        match &self.state {
            PeerState::Handshake { handshake, .. } => Some(handshake.timer()),
            PeerState::Session(_) | PeerState::Failed { .. } => None,
        }
    }

    fn is_over(&self) -> bool {
        match &self.state {
            PeerState::Handshake { .. } => false,
            PeerState::Session(session) => !session.is_open(),
            PeerState::Failed { .. } => true,
        }
    }
}

pub(super) struct Table<P: Provider, A: Address> {
    peers: BTreeMap<SessionId, Peer<P, A>>,
    sessions: BTreeMap<A, SessionId>,
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
    pub(super) const fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            sessions: BTreeMap::new(),
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
        self.peers.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Peer<P, A>> {
        self.peers.get_mut(&id)
    }

    pub(super) fn handshake(&mut self, id: SessionId) -> Option<&mut Handshake<P>> {
        match &mut self.peers.get_mut(&id)?.state {
            PeerState::Handshake { handshake, .. } => Some(handshake),
            _ => None,
        }
    }

    pub(super) fn handshake_at(&mut self, address: A) -> Option<(SessionId, &mut Handshake<P>)> {
        let id = *self.handshakes.get(&address)?;
        Some((id, self.handshake(id)?))
    }

    pub(super) fn session_at(&mut self, address: A) -> Option<(SessionId, &mut Established<P>)> {
        let id = *self.sessions.get(&address)?;
        match &mut self.peers.get_mut(&id)?.state {
            PeerState::Session(session) => Some((id, session)),
            _ => None,
        }
    }

    pub(super) fn has_handshake(&self, address: A) -> bool {
        self.handshakes.contains_key(&address)
    }

    pub(super) fn is_occupied(&self, address: A) -> bool {
        self.has_handshake(address) || self.sessions.contains_key(&address)
    }

    /// Whether the session of `address` began with the `ClientHello` that has this
    /// random value.
    pub(super) fn is_hello_of_session(&self, address: A, random: &Random) -> bool {
        let peer = self.sessions.get(&address).and_then(|id| self.peers.get(id));
        peer.is_some_and(|peer| peer.hello == start_of(random))
    }

    /// Takes a new handshake in.
    pub(super) fn insert(&mut self, id: SessionId, address: A, handshake: Handshake<P>) {
        let hello = start_of(handshake.client_random());
        let state = PeerState::Handshake { handshake: Box::new(handshake), announced: false };
        self.peers.insert(id, Peer { address, hello, scheduled: None, state });
        self.handshakes.insert(address, id);
        self.half_open.insert(id);
        self.settle(id);
    }

    /// The application hears of a handshake; gives the identity whose key is
    /// waited for.
    pub(super) fn announce(&mut self, id: SessionId) -> Option<PskIdentity> {
        self.settle(id);
        let PeerState::Handshake { handshake, announced } = &mut self.peers.get_mut(&id)?.state
        else {
            return None;
        };
        *announced = true;
        handshake.required_psk().cloned()
    }

    /// A handshake has become a session; gives the one that it replaces.
    pub(super) fn establish(
        &mut self,
        id: SessionId,
        established: Established<P>,
    ) -> Option<SessionId> {
        let peer = self.peers.get_mut(&id)?;
        let address = peer.address;
        peer.state = PeerState::Session(Box::new(established));
        self.handshakes.remove(&address);
        self.half_open.remove(&id);
        let replaced = self.sessions.insert(address, id);
        if let Some(replaced) = replaced {
            self.peers.remove(&replaced);
            self.ready.remove(&replaced);
        }
        self.settle(id);
        replaced
    }

    /// A handshake has failed; gives whether the application had heard of it.
    pub(super) fn fail(&mut self, id: SessionId, now: Instant, farewell: Farewell) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let failed = PeerState::Failed { since: now, farewell: Box::new(farewell) };
        let before = core::mem::replace(&mut peer.state, failed);
        self.handshakes.remove(&peer.address);
        self.half_open.remove(&id);
        self.settle(id);
        matches!(before, PeerState::Handshake { announced: true, .. })
    }

    /// Brings a session up to date; gives why it is over, once.
    pub(super) fn settle_session(&mut self, id: SessionId) -> Option<CloseReason> {
        let peer = self.peers.get_mut(&id)?;
        let PeerState::Session(session) = &mut peer.state else { return None };
        let reason = session.poll_closed();
        if reason.is_some() {
            self.sessions.remove(&peer.address);
        }
        self.settle(id);
        reason
    }

    /// Brings the sets of deadlines and of what is ready up to date; removes a
    /// client that is over and has nothing more to send.
    pub(super) fn settle(&mut self, id: SessionId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let timer = peer.timer().map(|deadline| deadline.at);
        if timer != peer.scheduled {
            if let Some(at) = core::mem::replace(&mut peer.scheduled, timer) {
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
                self.peers.remove(&id);
            }
        }
    }

    /// A client that has something to send.
    pub(super) fn first_ready(&mut self) -> Option<(SessionId, &mut Peer<P, A>)> {
        let id = *self.ready.first()?;
        Some((id, self.peers.get_mut(&id)?))
    }

    /// Those whose deadline is `now` or earlier.
    pub(super) fn due(&self, now: Instant) -> Vec<SessionId> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let ready = self.ready.first().and_then(|id| self.peers.get(id)).and_then(Peer::output);
        let first = self.deadlines.first().and_then(|(_, id)| self.peers.get(id));
        Deadline::earlier(ready, first.and_then(Peer::timer))
    }
}
