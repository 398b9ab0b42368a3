//! One attempt at a session, from the first datagram to the negotiation service
//! to the end of the handshake with the transmission service.

use core::time::Duration;

use crate::connection::transfer::{Incoming, MAX_MESSAGE, Segments};
use crate::connection::{
    Initiator, InitiatorParameters, LocalParty, Negotiated, NegotiationError, NegotiationRefusal,
    NetworkKeyId, SessionKey,
};
use crate::crypto::{EntropyError, Provider, SymmetricKey};
use crate::dtls::{
    Client, CloseReason, ConnectionEvent, Datagram, PresharedKey, PskIdentity, SendError, Session,
};
use crate::endpoint::Address;
use crate::identity::{Name, PartyId, Standing, Trust, Verifier};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::wire::BufferTooSmall;

use super::{Path, Terms};

/// The time until an unanswered negotiation request is repeated for the first
/// time; it doubles with each repetition.
const REPETITION: Duration = Duration::from_secs(1);

/// The time after which an unanswered negotiation request is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an attempt at a session failed. The next one follows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The party holds no network key, or not the one that was advertised with.
    NoNetworkKey,
    /// The provider gave no randomness.
    Entropy,
    /// The DTLS connection with the negotiation service failed. After a timeout
    /// with undecryptable records, the network keys are likely to differ.
    Negotiation(CloseReason),
    /// The negotiation service did not answer the request in time.
    NoAnswer,
    /// The peer refused this party.
    RefusedByPeer(NegotiationRefusal),
    /// This party refused the peer, or could make nothing of its answer.
    Refused(NegotiationError),
    /// The DTLS connection with the transmission service failed.
    Transmission(CloseReason),
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoNetworkKey => f.write_str("the network key is missing"),
            Self::Entropy => EntropyError.fmt(f),
            Self::Negotiation(reason) => write!(f, "the negotiation service: {reason}"),
            Self::NoAnswer => f.write_str("the negotiation service did not answer in time"),
            Self::RefusedByPeer(refusal) => write!(f, "the peer refused: {refusal}"),
            Self::Refused(error) => error.fmt(f),
            Self::Transmission(reason) => write!(f, "the transmission service: {reason}"),
        }
    }
}

impl core::error::Error for Failure {}

/// An attempt under way; each state holds what it needs and nothing else.
pub(super) enum Attempt<P: Provider, A> {
    Reaching(Reaching<P, A>),
    Requesting(Requesting<P, A>),
    Connecting(Connecting<P, A>),
}

/// The handshake with the negotiation service, under a network key.
pub(super) struct Reaching<P: Provider, A> {
    path: Path<A>,
    key: NetworkKeyId,
    connection: Client<P>,
}

/// The request, or its answer, is on its way.
pub(super) struct Requesting<P: Provider, A> {
    path: Path<A>,
    key: NetworkKeyId,
    session: Session<P>,
    initiator: Initiator,
    /// The next segment of the request to send, until all are sent.
    segment: Option<usize>,
    incoming: Incoming<MAX_MESSAGE>,
    repeat_at: Instant,
    repetition: Duration,
    expires: Instant,
}

/// The handshake with the transmission service, under the session key.
pub(super) struct Connecting<P: Provider, A> {
    path: Path<A>,
    connection: Client<P>,
    peer: Peer<A>,
}

/// An attempt that led to a session.
pub(super) struct Established<P: Provider, A> {
    pub(super) path: Path<A>,
    pub(super) session: Session<P>,
    pub(super) peer: Peer<A>,
}

/// What is to be remembered of the party that a key was negotiated with.
#[derive(Clone, Debug)]
pub(super) struct Peer<A> {
    /// Its negotiation service, to be asked for the next key.
    pub(super) negotiation: A,
    pub(super) name: Name,
    pub(super) standing: Standing,
    pub(super) incarnation: u32,
}

/// An attempt after a step.
#[allow(clippy::large_enum_variant, reason = "a device has no heap to box it on")]
pub(super) enum Step<P: Provider, A> {
    /// It goes on.
    Goes(Attempt<P, A>),
    /// The key is negotiated, under this network key; this session with the
    /// negotiation service is to be ended.
    Negotiated(Path<A>, NetworkKeyId, Session<P>, Connecting<P, A>),
    /// It led to a session.
    Stands(Established<P, A>),
    Fails(Failure),
    /// It failed; this session with the negotiation service is to be ended.
    Leaves(Path<A>, Session<P>, Failure),
}

impl<P: Provider, A: Address> Attempt<P, A> {
    /// Begins with the handshake under the network key `key`, or the preferred
    /// one.
    pub(super) fn start<T: Trust>(
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        path: Path<A>,
        key: Option<NetworkKeyId>,
    ) -> Result<Self, Failure> {
        let key = match key {
            Some(id) => party.network.find(id),
            None => party.network.preferred(),
        };
        let key = key.ok_or(Failure::NoNetworkKey)?;
        let (identity, psk) = (key.id(), key.psk(&party.provider));
        let connection = connect(terms, party, now, &identity.0, &psk)?;
        Ok(Self::Reaching(Reaching { path, key: identity, connection }))
    }

    /// The path of the DTLS connection that is in use.
    pub(super) fn path(&self) -> Path<A> {
        match self {
            Self::Reaching(state) => state.path,
            Self::Requesting(state) => state.path,
            Self::Connecting(state) => state.path,
        }
    }

    /// Takes a datagram that came in on the attempt's path.
    pub(super) fn handle_datagram<T: Trust>(
        self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        datagram: &mut Datagram<'_>,
    ) -> Step<P, A> {
        match self {
            Self::Reaching(mut state) => {
                drain(&mut state.connection, party, now, datagram);
                state.proceed(terms, party, now)
            }
            Self::Requesting(state) => state.handle_datagram(terms, party, now, datagram),
            Self::Connecting(mut state) => {
                drain(&mut state.connection, party, now, datagram);
                state.proceed()
            }
        }
    }

    /// Does what is due at `now`.
    pub(super) fn handle_timeout<T: Trust>(
        self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
    ) -> Step<P, A> {
        match self {
            Self::Reaching(mut state) => {
                state.connection.handle_timeout(&mut party.provider, now);
                state.proceed(terms, party, now)
            }
            Self::Requesting(state) => state.handle_timeout(party, now),
            Self::Connecting(mut state) => {
                state.connection.handle_timeout(&mut party.provider, now);
                state.proceed()
            }
        }
    }

    /// Writes the next datagram to the attempt's path; `None` if there is none.
    pub(super) fn poll_transmit<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        match self {
            Self::Reaching(Reaching { connection, .. })
            | Self::Connecting(Connecting { connection, .. }) => {
                connection.poll_transmit(&mut party.provider, now, buffer)
            }
            Self::Requesting(state) => state.poll_transmit(party, now, buffer),
        }
    }

    /// When to call [`Attempt::handle_timeout`] next.
    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        match self {
            Self::Reaching(Reaching { connection, .. })
            | Self::Connecting(Connecting { connection, .. }) => connection.poll_timeout(),
            Self::Requesting(state) => state.poll_timeout(),
        }
    }
}

impl<P: Provider, A: Address> Reaching<P, A> {
    fn proceed<T: Trust>(
        mut self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
    ) -> Step<P, A> {
        match self.connection.poll_event() {
            Some(ConnectionEvent::Closed(reason)) => Step::Fails(Failure::Negotiation(reason)),
            Some(ConnectionEvent::Connected) => self.request(terms, party, now),
            _ => Step::Goes(Attempt::Reaching(self)),
        }
    }

    fn request<T: Trust>(self, terms: &Terms, party: &mut Party<P, T>, now: Instant) -> Step<P, A> {
        let parameters = InitiatorParameters {
            role: terms.role,
            peer_role: terms.above,
            sleepy: terms.sleepy,
            incarnation: terms.incarnation,
            forward_secrecy: terms.forward_secrecy,
        };
        let Ok(initiator) = Initiator::new(&mut party.provider, parameters) else {
            return Step::Fails(Failure::Entropy);
        };
        match self.connection.into_session() {
            Ok(session) => Step::Goes(Attempt::Requesting(Requesting {
                path: self.path,
                key: self.key,
                session,
                initiator,
                segment: Some(0),
                incoming: Incoming::new(),
                repeat_at: now + REPETITION,
                repetition: REPETITION,
                expires: now + REQUEST_TIMEOUT,
            })),
            Err(connection) => Step::Goes(Attempt::Reaching(Self { connection, ..self })),
        }
    }
}

impl<P: Provider, A: Address> Requesting<P, A> {
    fn handle_datagram<T: Trust>(
        mut self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        datagram: &mut Datagram<'_>,
    ) -> Step<P, A> {
        while let Some(payload) = self.session.handle_record(&mut party.provider, now, datagram) {
            let Ok(Some(answer)) = self.incoming.receive(payload) else { continue };
            let answer = self.initiator.finish(
                &party.provider,
                LocalParty { identity: &party.identity, endorsements: &party.endorsements },
                Verifier::with_memory(&party.trust, &mut party.memory),
                &mut party.clock,
                now,
                answer,
            );
            match answer {
                Ok(negotiated) => return self.connect(terms, party, now, negotiated),
                // The answer to this request may still come.
                Err(NegotiationError::OtherRequest) => {}
                Err(NegotiationError::Refused(refusal)) => {
                    return self.leave(Failure::RefusedByPeer(refusal));
                }
                Err(error) => return self.leave(Failure::Refused(error)),
            }
        }
        self.proceed()
    }

    fn connect<T: Trust>(
        self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        negotiated: Negotiated,
    ) -> Step<P, A> {
        let key: &SessionKey = &negotiated.key;
        match connect(terms, party, now, &key.id().0, key.secret()) {
            Err(failure) => Step::Fails(failure),
            Ok(connection) => {
                let path = Path {
                    peer: self.path.peer.with_port(negotiated.transmission_port),
                    ..self.path
                };
                let peer = Peer {
                    negotiation: self.path.peer,
                    name: negotiated.peer.certificate().name().clone(),
                    standing: negotiated.peer.standing().clone(),
                    incarnation: negotiated.peer_incarnation,
                };
                let next = Connecting { path, connection, peer };
                Step::Negotiated(self.path, self.key, self.session, next)
            }
        }
    }

    fn leave(self, failure: Failure) -> Step<P, A> {
        Step::Leaves(self.path, self.session, failure)
    }

    fn handle_timeout<T: Trust>(mut self, party: &mut Party<P, T>, now: Instant) -> Step<P, A> {
        if now >= self.expires {
            return self.leave(Failure::NoAnswer);
        }
        if now >= self.repeat_at {
            self.segment = Some(0);
            self.repetition = self.repetition.saturating_mul(2);
            self.repeat_at = now + self.repetition;
        }
        self.session.handle_timeout(&mut party.provider, now);
        self.proceed()
    }

    fn proceed(mut self) -> Step<P, A> {
        match self.session.poll_event() {
            Some(ConnectionEvent::Closed(reason)) => Step::Fails(Failure::Negotiation(reason)),
            _ => Step::Goes(Attempt::Requesting(self)),
        }
    }

    fn poll_transmit<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if let Some(length) = self.session.poll_transmit(&mut party.provider, now, buffer)? {
            return Ok(Some(length));
        }
        let Some(index) = self.segment else {
            return Ok(None);
        };
        // Encoded anew for each segment: it is the same every time, and a device
        // has no room to keep it.
        let mut request = [0; MAX_MESSAGE];
        let local = LocalParty { identity: &party.identity, endorsements: &party.endorsements };
        let length = self.initiator.request(local, &mut request)?;
        let request = request.get(..length).unwrap_or_default();
        let mut segment = [0; MAX_MESSAGE];
        let Ok(segments) = Segments::new(request, self.session.max_payload()) else {
            self.segment = None;
            return Ok(None);
        };
        let length = segments.write(index, &mut segment)?.unwrap_or_default();
        let payload = segment.get(..length).unwrap_or_default();
        match self.session.send(&mut party.provider, now, payload, buffer) {
            Ok(length) => {
                let next = index.saturating_add(1);
                self.segment = (next < segments.count()).then_some(next);
                Ok(Some(length))
            }
            Err(SendError::BufferTooSmall(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let own = if self.segment.is_none() {
            let expires = Deadline::new(self.expires, Reason::Expiry);
            let repeat = Deadline::new(self.repeat_at, Reason::Retransmission);
            Deadline::earlier(Some(expires), Some(repeat))
        } else {
            Some(Deadline::new(Instant::ZERO, Reason::Output))
        };
        Deadline::earlier(own, self.session.poll_timeout())
    }
}

impl<P: Provider, A: Address> Connecting<P, A> {
    /// The party above.
    pub(super) fn peer(&self) -> PartyId {
        self.peer.standing.party()
    }

    fn proceed(mut self) -> Step<P, A> {
        match self.connection.poll_event() {
            Some(ConnectionEvent::Closed(reason)) => Step::Fails(Failure::Transmission(reason)),
            Some(ConnectionEvent::Connected) => match self.connection.into_session() {
                Ok(session) => {
                    Step::Stands(Established { path: self.path, session, peer: self.peer })
                }
                Err(connection) => Step::Goes(Attempt::Connecting(Self { connection, ..self })),
            },
            _ => Step::Goes(Attempt::Connecting(self)),
        }
    }
}

/// Begins a DTLS handshake with a pre-shared key.
fn connect<P: Provider, T>(
    terms: &Terms,
    party: &mut Party<P, T>,
    now: Instant,
    identity: &[u8],
    key: &SymmetricKey,
) -> Result<Client<P>, Failure> {
    let identity = PskIdentity::new(identity).ok_or(Failure::NoNetworkKey)?;
    let key = PresharedKey::new(key.expose()).ok_or(Failure::NoNetworkKey)?;
    Client::new(&terms.dtls, &mut party.provider, now, &identity, key)
        .map_err(|EntropyError| Failure::Entropy)
}

/// Takes all records of a datagram in a handshake, in which none carries a
/// payload for anyone.
fn drain<P: Provider, T>(
    connection: &mut Client<P>,
    party: &mut Party<P, T>,
    now: Instant,
    datagram: &mut Datagram<'_>,
) {
    while connection.handle_record(&mut party.provider, now, datagram).is_some() {}
}
