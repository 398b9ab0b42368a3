//! One attempt at a session, from the first datagram to the negotiation service
//! to the end of the handshake with the transmission service.

use core::time::Duration;

use crate::connection::transfer::{Incoming, MAX_MESSAGE, Segments};
use crate::connection::{
    Initiator, LocalParty, Negotiated, NegotiationError, NegotiationRefusal, NetworkKeyId,
    SessionKey,
};
use crate::crypto::{EntropyError, Provider, SymmetricKey};
use crate::dtls::{
    Client, CloseReason, ConnectionEvent, Datagram, Offering, PresharedKey, PskIdentity, SendError,
    Session,
};
use crate::endpoint::Address;
use crate::identity::{Name, PartyId, Standing, Trust, Verifier};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason, doubled};
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

/// What an attempt is begun with.
pub(super) struct Beginning {
    key: NetworkKeyId,
    offering: Offering,
}

/// The handshake with the negotiation service, under a network key.
pub(super) struct Reaching<P: Provider, A> {
    path: Path<A>,
    key: NetworkKeyId,
    connection: Client<P>,
}

/// The request, or its answer, is on its way.
pub(super) struct Requesting<P: Provider, A> {
    pub(super) path: Path<A>,
    pub(super) key: NetworkKeyId,
    pub(super) session: Session<P>,
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
    pub(super) path: Path<A>,
    pub(super) connection: Client<P>,
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

/// What a negotiation led to: the way to the transmission service of the party above,
/// and the key for it.
pub(super) struct Agreement<A> {
    path: Path<A>,
    key: SessionKey,
    peer: Peer<A>,
}

/// What came of a step of an attempt, which stays where it is.
pub(super) enum Step<A> {
    /// It goes on.
    Goes,
    /// The key is negotiated; the session with the negotiation service is to be ended.
    Negotiated(Agreement<A>),
    /// It led to a session.
    Stands,
    Fails(Failure),
    /// It failed; the session with the negotiation service is to be ended.
    Leaves(Failure),
}

impl<P: Provider, A: Address> Attempt<P, A> {
    /// Begins with the handshake under a network key.
    #[inline(never)] // It is made where it is to be.
    pub(super) fn start(terms: &Terms, now: Instant, path: Path<A>, beginning: Beginning) -> Self {
        let Beginning { key, offering } = beginning;
        let connection = Client::offer(&terms.dtls, now, offering);
        Self::Reaching(Reaching { path, key, connection })
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
        &mut self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        datagram: &mut Datagram<'_>,
    ) -> Step<A> {
        match self {
            Self::Reaching(Reaching { connection, .. })
            | Self::Connecting(Connecting { connection, .. }) => {
                drain(connection, &mut party.provider, now, datagram);
            }
            Self::Requesting(state) => match state.handle_datagram(party, now, datagram) {
                Step::Goes => {}
                step => return step,
            },
        }
        self.proceed(terms, party, now)
    }

    /// Does what is due at `now`.
    pub(super) fn handle_timeout<T: Trust>(
        &mut self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
    ) -> Step<A> {
        match self {
            Self::Reaching(Reaching { connection, .. })
            | Self::Connecting(Connecting { connection, .. }) => {
                connection.handle_timeout(&mut party.provider, now);
            }
            Self::Requesting(state) if now >= state.expires => {
                return Step::Leaves(Failure::NoAnswer);
            }
            Self::Requesting(state) => state.handle_timeout(&mut party.provider, now),
        }
        self.proceed(terms, party, now)
    }

    /// Looks what became of the DTLS connection.
    fn proceed<T>(&mut self, terms: &Terms, party: &mut Party<P, T>, now: Instant) -> Step<A> {
        let event = match self {
            Self::Reaching(Reaching { connection, .. })
            | Self::Connecting(Connecting { connection, .. }) => connection.poll_event(),
            Self::Requesting(state) => state.session.poll_event(),
        };
        match (&*self, event) {
            (Self::Connecting(_), Some(ConnectionEvent::Closed(reason))) => {
                Step::Fails(Failure::Transmission(reason))
            }
            (_, Some(ConnectionEvent::Closed(reason))) => Step::Fails(Failure::Negotiation(reason)),
            (Self::Connecting(_), Some(ConnectionEvent::Connected)) => Step::Stands,
            (Self::Reaching(_), Some(ConnectionEvent::Connected)) => {
                match Initiator::new(&mut party.provider, terms.initiator()) {
                    Ok(initiator) => self.request(now, initiator),
                    Err(EntropyError) => return Step::Fails(Failure::Entropy),
                }
                Step::Goes
            }
            _ => Step::Goes,
        }
    }

    /// Goes on from the handshake with the negotiation service to the request.
    #[inline(never)] // An attempt on its way to its place is large.
    fn request(&mut self, now: Instant, initiator: Initiator) {
        if let Self::Reaching(state) = self
            && let Some(session) = state.connection.take_session()
        {
            *self = Self::Requesting(Requesting {
                path: state.path,
                key: state.key,
                session,
                initiator,
                segment: Some(0),
                incoming: Incoming::new(),
                repeat_at: now + REPETITION,
                repetition: REPETITION,
                expires: now + REQUEST_TIMEOUT,
            });
        }
    }

    /// Goes on from the request to the handshake with the transmission service.
    pub(super) fn connect<T>(
        &mut self,
        terms: &Terms,
        party: &mut Party<P, T>,
        now: Instant,
        agreement: Agreement<A>,
    ) -> Result<(), Failure> {
        let Agreement { path, key, peer } = agreement;
        let offering = offering(party, &key.id().0, key.secret())?;
        *self = Self::connecting(terms, now, path, peer, offering);
        Ok(())
    }

    #[inline(never)] // It is made where it is to be.
    fn connecting(
        terms: &Terms,
        now: Instant,
        path: Path<A>,
        peer: Peer<A>,
        offering: Offering,
    ) -> Self {
        let connection = Client::offer(&terms.dtls, now, offering);
        Self::Connecting(Connecting { path, connection, peer })
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

impl<P: Provider, A: Address> Requesting<P, A> {
    #[inline(never)] // What is negotiated is there only until it was looked at.
    fn handle_datagram<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        datagram: &mut Datagram<'_>,
    ) -> Step<A> {
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
            match &answer {
                Ok(negotiated) => return Step::Negotiated(self.agreement(negotiated)),
                // The answer to this request may still come.
                Err(NegotiationError::OtherRequest) => {}
                Err(NegotiationError::Refused(refusal)) => {
                    return Step::Leaves(Failure::RefusedByPeer(*refusal));
                }
                Err(error) => return Step::Leaves(Failure::Refused(*error)),
            }
        }
        Step::Goes
    }

    fn agreement(&self, negotiated: &Negotiated) -> Agreement<A> {
        let path =
            Path { peer: self.path.peer.with_port(negotiated.transmission_port), ..self.path };
        let peer = Peer {
            negotiation: self.path.peer,
            name: negotiated.peer.certificate().name().clone(),
            standing: negotiated.peer.standing().clone(),
            incarnation: negotiated.peer_incarnation,
        };
        Agreement { path, key: negotiated.key.clone(), peer }
    }

    fn handle_timeout(&mut self, provider: &mut P, now: Instant) {
        if now >= self.repeat_at {
            self.segment = Some(0);
            self.repetition = doubled(self.repetition, 1);
            self.repeat_at = now + self.repetition;
        }
        self.session.handle_timeout(provider, now);
    }

    #[inline(never)] // The request is large, and there only until it is sealed.
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

impl<A> Agreement<A> {
    /// The party above.
    pub(super) fn peer(&self) -> PartyId {
        self.peer.standing.party()
    }
}

impl Beginning {
    /// With the network key `key`, or the preferred one.
    pub(super) fn new<P: Provider, T>(
        party: &mut Party<P, T>,
        key: Option<NetworkKeyId>,
    ) -> Result<Self, Failure> {
        let key = match key {
            Some(id) => party.network.find(id),
            None => party.network.preferred(),
        };
        let key = key.ok_or(Failure::NoNetworkKey)?;
        let (identity, psk) = (key.id(), key.psk(&party.provider));
        Ok(Self { key: identity, offering: offering(party, &identity.0, &psk)? })
    }
}

/// What a DTLS handshake with a pre-shared key is begun with.
fn offering<P: Provider, T>(
    party: &mut Party<P, T>,
    identity: &[u8],
    key: &SymmetricKey,
) -> Result<Offering, Failure> {
    let identity = PskIdentity::new(identity).ok_or(Failure::NoNetworkKey)?;
    let key = PresharedKey::new(key.expose()).ok_or(Failure::NoNetworkKey)?;
    Offering::new(&mut party.provider, &identity, key).map_err(|EntropyError| Failure::Entropy)
}

/// Takes all records of a datagram in a handshake, in which none carries a
/// payload for anyone.
#[inline(never)] // A handshake takes other room than a negotiation.
fn drain<P: Provider>(
    connection: &mut Client<P>,
    provider: &mut P,
    now: Instant,
    datagram: &mut Datagram<'_>,
) {
    while connection.handle_record(provider, now, datagram).is_some() {}
}
