//! The negotiation service: one request and one answer for each DTLS session
//! with the negotiation port.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::transfer::{Incoming, MAX_MESSAGE, Segments};
use crate::connection::{
    LocalParty, Negotiated, NegotiationRefusal, Request, RespondError, ResponderParameters, refuse,
    respond,
};
use crate::crypto::{Provider, Sha256Digest};
use crate::dtls::{SendError, Server, SessionId};
use crate::endpoint::Address;
use crate::identity::{Name, PartyId, Role, Trust, Verifier};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::timers::Timers;
use crate::wire::BufferTooSmall;

/// How long a DTLS session with the negotiation port lasts: longer than an
/// initiator repeats its request. It usually ends with the initiator's
/// close_notify, but that may be lost, or never be sent.
const LIFETIME: Duration = Duration::from_secs(60);

/// The negotiations under way. There are never more than DTLS sessions with the
/// negotiation port.
pub(super) struct Negotiations {
    /// When each session is to end.
    ends: Timers<SessionId>,
    by_session: BTreeMap<SessionId, Negotiation>,
    /// The sessions that have segments of an answer to send.
    sending: VecDeque<SessionId>,
}

#[derive(Default)]
struct Negotiation {
    incoming: Box<Incoming<MAX_MESSAGE>>,
    answer: Option<Answer>,
}

/// The answer that was given, to be given again if the same request comes again.
struct Answer {
    request: Sha256Digest,
    message: Vec<u8>,
    /// The next segment to send.
    segment: usize,
}

/// What came of a request.
pub(super) enum Decision {
    Accepted(Box<Negotiated>),
    /// The party named itself so in the request, if that could be read.
    Refused(Option<(PartyId, Name)>, NegotiationRefusal),
}

/// What the service tells and asks of a party.
pub(super) struct Terms<F> {
    /// The role that it must have.
    pub(super) below: Role,
    pub(super) transmission_port: u16,
    /// Whether there is room for a party.
    pub(super) has_room: F,
}

impl Negotiations {
    pub(super) const fn new() -> Self {
        Self { ends: Timers::new(), by_session: BTreeMap::new(), sending: VecDeque::new() }
    }

    /// Begins to wait for the request of `session`.
    pub(super) fn begin(&mut self, now: Instant, session: SessionId) {
        self.ends.set(session, Some(now + LIFETIME));
    }

    /// The sessions that have lasted too long.
    pub(super) fn over(&self, now: Instant) -> Vec<SessionId> {
        self.ends.due(now)
    }

    /// When [`Negotiations::over`] gives the next one.
    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        self.ends.first().map(|(at, _)| Deadline::new(at, Reason::Cleanup))
    }

    /// Takes a payload of `session`. A decision is made once, when the request
    /// is whole; repetitions are answered as the first one was.
    pub(super) fn handle<P: Provider, T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        session: SessionId,
        payload: &[u8],
        terms: &Terms<impl Fn(PartyId) -> bool>,
    ) -> Option<Decision> {
        let negotiation = self.by_session.entry(session).or_default();
        let request = negotiation.incoming.receive(payload).ok()??;
        let digest = party.provider.sha256_of(&[request]);
        if let Some(answer) = &mut negotiation.answer {
            // Another request on the same session is not answered: one decision
            // is dear enough.
            if answer.request == digest && !self.sending.contains(&session) {
                answer.segment = 0;
                self.sending.push_back(session);
            }
            return None;
        }
        let (decision, message) = decide(party, now, request, terms)?;
        negotiation.answer = Some(Answer { request: digest, message, segment: 0 });
        self.sending.push_back(session);
        Some(decision)
    }

    /// Forgets `session`, which has ended.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.ends.set(session, None);
        self.by_session.remove(&session);
    }

    /// Whether there is something to send.
    pub(super) fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    /// Writes the next datagram of an answer; `None` if there is none.
    pub(super) fn poll_transmit<P: Provider, A: Address>(
        &mut self,
        provider: &mut P,
        server: &mut Server<P, A>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<(A, usize)>, BufferTooSmall> {
        while let Some(&session) = self.sending.front() {
            let answer = self.by_session.get_mut(&session).and_then(|it| it.answer.as_mut());
            if let Some(answer) = answer {
                let mut segment = [0; MAX_MESSAGE];
                let written = Segments::new(&answer.message, server.max_payload())
                    .ok()
                    .and_then(|segments| segments.write(answer.segment, &mut segment).ok()?);
                if let Some(length) = written {
                    let payload = segment.get(..length).unwrap_or_default();
                    match server.send(provider, now, session, payload, buffer) {
                        Ok(sent) => {
                            answer.segment = answer.segment.saturating_add(1);
                            return Ok(Some(sent));
                        }
                        Err(SendError::BufferTooSmall(error)) => return Err(error),
                        Err(_) => {}
                    }
                }
            }
            self.sending.pop_front();
        }
        Ok(None)
    }
}

/// Decides on a request and writes the answer. There is none if the provider
/// fails: the initiator will repeat its request.
fn decide<P: Provider, T: Trust>(
    party: &mut Party<P, T>,
    now: Instant,
    request: &[u8],
    terms: &Terms<impl Fn(PartyId) -> bool>,
) -> Option<(Decision, Vec<u8>)> {
    let mut message = alloc::vec![0; MAX_MESSAGE];
    let parameters = ResponderParameters {
        peer_role: terms.below,
        incarnation: party.incarnation,
        transmission_port: terms.transmission_port,
        now: party.clock.at(now),
    };
    let local = LocalParty { identity: &party.identity, endorsements: &party.endorsements };
    let who = Request::decode(request).ok().map(|request| {
        let certificate = &request.credential.certificate;
        (certificate.id(&party.provider), certificate.name().clone())
    });
    let response = if who.as_ref().is_none_or(|(id, _)| (terms.has_room)(*id)) {
        let verifier = Verifier::with_memory(&party.trust, &mut party.memory);
        respond(&mut party.provider, local, verifier, &parameters, request, &mut message)
    } else {
        Err(RespondError::Refused(NegotiationRefusal::Busy))
    };
    match response {
        Ok((negotiated, length)) => {
            message.truncate(length);
            Some((Decision::Accepted(Box::new(negotiated)), message))
        }
        Err(RespondError::Refused(refusal)) => {
            let length = refuse(&party.provider, request, refusal, &mut message).ok()?;
            message.truncate(length);
            Some((Decision::Refused(who, refusal), message))
        }
        Err(_) => None,
    }
}
