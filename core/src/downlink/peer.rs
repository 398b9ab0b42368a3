//! What a gateway or cloud keeps of each party below.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::connection::{Negotiated, NetworkKey};
use crate::crypto::Secret;
use crate::dtls::SessionId;
use crate::identity::{Name, Revocation, Standing};
use crate::time::{Deadline, Instant, Reason};
use crate::transmission::{Body, Hidden, Refused, Requests, Responses, Ticket};

use crate::wire::cbor;

use super::{AWAKE, Settings};

/// The length of a request to a peer: the longest revocation, or the longest
/// command with a subject, fits.
pub(super) const REQUEST_SIZE: usize = 192;

/// The unanswered requests to one peer.
type PeerRequests = Requests<8, REQUEST_SIZE>;

/// The answers to one peer that are kept. Only commands have theirs kept, and
/// none come from below, so that they need no room.
type PeerResponses = Responses<16, 0>;

/// The objects that wait for one peer's requests to have room. One more is
/// dropped. There is room for all revocations of the largest trust store at once.
const MAX_BACKLOG: usize = 2048;

/// Something that a peer is to have or to do, however long it takes: kept until it
/// is acknowledged.
#[derive(Clone)]
pub(crate) enum Object {
    /// A revocation.
    Revocation(Vec<u8>),
    /// A network key.
    NetworkKey(Secret<{ NetworkKey::ENCODED_LEN }>),
    /// That it is to replace the key of its session.
    Renegotiation,
}

impl Object {
    /// A revocation to be handed on.
    pub(crate) fn of_revocation(revocation: &Revocation) -> Self {
        let mut bytes = alloc::vec![0; Revocation::MAX_LEN];
        let length = cbor::encode(revocation, &mut bytes).unwrap_or_default();
        bytes.truncate(length);
        Self::Revocation(bytes)
    }

    /// A network key to be handed out.
    pub(crate) fn of_network_key(key: &NetworkKey) -> Self {
        let mut bytes = Secret::default();
        let written = key.encode(bytes.expose_mut());
        debug_assert_eq!(written, Ok(NetworkKey::ENCODED_LEN));
        Self::NetworkKey(bytes)
    }

    fn body(&self) -> Body<'_> {
        match self {
            Self::Revocation(revocation) => Body::Revocation { revocation },
            Self::NetworkKey(key) => Body::NetworkKey { key: Hidden(key.expose()) },
            Self::Renegotiation => Body::Renegotiation,
        }
    }
}

/// A party below, connected or not.
pub(super) struct Peer {
    pub(super) name: Name,
    pub(super) standing: Standing,
    /// The incarnation that knows of the requests and answers; none before its
    /// first session.
    incarnation: Option<u32>,
    pub(super) sleepy: bool,
    pub(super) heard: Instant,
    pub(super) presence: Presence,
    pub(super) requests: PeerRequests,
    pub(super) responses: PeerResponses,
    backlog: VecDeque<Object>,
    /// The session that the present one has replaced, while it is still open.
    pub(super) former: Option<SessionId>,
    /// The question of a peer that woke, until nothing is waiting for it.
    pub(super) awake: Option<Ticket>,
}

/// Whether a peer is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Connected { session: SessionId, since: Instant, rotation: RotationState },
    Disconnected,
}

/// How far the replacement of a session's key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationState {
    /// The key is not old yet.
    Fresh,
    /// The peer was asked to replace it.
    Asked,
}

impl Peer {
    /// A peer that is about to be connected.
    pub(super) fn new(now: Instant, negotiated: &Negotiated, max_payload: usize) -> Self {
        Self {
            name: negotiated.peer.certificate().name().clone(),
            standing: negotiated.peer.standing().clone(),
            incarnation: None,
            sleepy: negotiated.sleepy,
            heard: now,
            presence: Presence::Disconnected,
            requests: PeerRequests::with_limit(max_payload),
            responses: PeerResponses::new(),
            backlog: VecDeque::new(),
            former: None,
            awake: None,
        }
    }

    /// Its session, while it is connected.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self.presence {
            Presence::Connected { session, .. } => Some(session),
            Presence::Disconnected => None,
        }
    }

    /// Whether this is the incarnation that was connected before.
    pub(super) fn remembers(&self, negotiated: &Negotiated) -> bool {
        self.incarnation == Some(negotiated.peer_incarnation)
    }

    /// Takes `session` for its session from now on, and what was negotiated
    /// for what it is; returns the session before.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        session: SessionId,
        negotiated: &Negotiated,
    ) -> Option<SessionId> {
        let before = self.session();
        self.name = negotiated.peer.certificate().name().clone();
        self.standing = negotiated.peer.standing().clone();
        self.sleepy = negotiated.sleepy;
        self.heard = now;
        self.presence = Presence::Connected { session, since: now, rotation: RotationState::Fresh };
        let new_incarnation = !self.remembers(negotiated);
        if new_incarnation {
            // SPEC.md section 10.7: its ids begin anew, and it has forgotten ours.
            self.incarnation = Some(negotiated.peer_incarnation);
            self.responses.reset();
            self.awake = None;
        }
        self.requests.handle_session(now, new_incarnation);
        before
    }

    /// Notes that its session is over.
    pub(super) fn disconnect(&mut self, now: Instant) {
        self.presence = Presence::Disconnected;
        self.requests.set_peer_listening(now, false);
        self.backlog.clear();
    }

    /// Hands it an object, at once or when there is room among the requests.
    pub(super) fn hand(&mut self, now: Instant, object: Object) {
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back(object);
        }
        self.refill(now);
    }

    /// Sends as much of the backlog as there is room for.
    pub(super) fn refill(&mut self, now: Instant) {
        while let Some(object) = self.backlog.front() {
            if self.requests.send(now, object.body(), None, None) == Err(Refused::Full) {
                break;
            }
            self.backlog.pop_front();
        }
    }

    /// Asks it, once, to replace the key of its session.
    pub(super) fn ask_to_renegotiate(&mut self, now: Instant) {
        if let Presence::Connected { rotation, .. } = &mut self.presence
            && *rotation == RotationState::Fresh
        {
            *rotation = RotationState::Asked;
            self.backlog.push_front(Object::Renegotiation);
            self.refill(now);
        }
    }

    /// Notes that it was heard, and so is awake.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.requests.set_peer_listening(now, true);
    }

    /// The instant from which on it is taken to sleep.
    pub(super) fn sleeps_at(&self) -> Option<Instant> {
        let awake = self.sleepy && self.session().is_some() && self.requests.is_peer_listening();
        awake.then_some(self.heard + AWAKE)
    }

    /// The instant at which its silence has lasted too long.
    pub(super) fn silent_at(&self, settings: &Settings) -> Instant {
        self.heard + if self.sleepy { settings.sleepy_silence } else { settings.silence }
    }

    /// When it is to be looked after next.
    pub(super) fn poll_timeout(&self, settings: &Settings) -> Option<Deadline> {
        let requests = self.requests.poll_timeout();
        let Presence::Connected { since, rotation, .. } = self.presence else {
            return requests;
        };
        let age = match rotation {
            RotationState::Fresh => settings.rotation.age,
            RotationState::Asked => settings.rotation.age.saturating_add(settings.rotation.grace),
        };
        let deadlines = [
            Some(Deadline::new(since + age, Reason::Rotation)),
            Some(Deadline::new(self.silent_at(settings), Reason::Liveness)),
            self.sleeps_at().map(|at| Deadline::new(at, Reason::Liveness)),
        ];
        deadlines.into_iter().fold(requests, Deadline::earlier)
    }
}
