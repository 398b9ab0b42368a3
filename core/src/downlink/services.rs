//! What the two services do with what comes in, and when a peer is due.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::connection::{Negotiated, NetworkKeyId, SessionKeyId};
use crate::crypto::Provider;
use crate::dtls::{PresharedKey, ServerEvent, SessionId};
use crate::endpoint::{Address, LocalPort, Transmit};
use crate::identity::{PartyId, Trust};
use crate::party::Party;
use crate::time::Instant;
use crate::transmission::{Answered, Body, ErrorCode, Kind, Message, MessageId, Rejected, Verdict};
use crate::uplink::Disconnection;
use crate::wire::BufferTooSmall;

use super::negotiations::{Decision, Terms};
use super::peer::{Peer, Presence, REQUEST_SIZE};
use super::{Downlink, DownlinkEvent, MAX_ANSWERS};

impl<P: Provider, A: Address> Downlink<P, A> {
    /// Takes a payload from the negotiation port.
    pub(super) fn negotiate<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        session: SessionId,
        payload: &[u8],
    ) {
        let terms = Terms {
            below: self.below,
            transmission_port: self.settings.transmission_port,
            has_room: self.has_room(),
        };
        match self.negotiations.handle(party, now, session, payload, terms) {
            None => {}
            Some(Decision::Accepted(negotiated)) => {
                let peer = negotiated.peer.id();
                let expires = now + self.settings.key_lifetime;
                self.keys.add(*negotiated, expires, self.settings.max_peers);
                self.events.push_back(DownlinkEvent::Negotiated { peer });
            }
            Some(Decision::Refused(who, refusal)) => {
                self.events.push_back(DownlinkEvent::Refused { who, refusal });
            }
        }
    }

    /// Answers the questions of the negotiation port's DTLS server.
    pub(super) fn serve_negotiation<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        while let Some(event) = self.negotiation.poll_event() {
            match event {
                ServerEvent::PskRequired { session, identity } => {
                    let key = <[u8; 4]>::try_from(identity.as_bytes())
                        .ok()
                        .and_then(|id| party.network.find(NetworkKeyId(id)))
                        .and_then(|key| PresharedKey::new(key.psk(&party.provider).expose()));
                    self.negotiation.provide_psk(&mut party.provider, now, session, key);
                }
                ServerEvent::Closed { session, .. } => self.negotiations.forget(session),
                ServerEvent::Connected { .. } => {}
            }
        }
    }

    /// Answers the questions of the transmission port's DTLS server, and
    /// connects and disconnects peers.
    pub(super) fn serve_transmission<T: Trust>(&mut self, party: &mut Party<P, T>, now: Instant) {
        while let Some(event) = self.transmission.poll_event() {
            match event {
                ServerEvent::PskRequired { session, identity } => {
                    let key = session_key_id(identity.as_bytes())
                        .and_then(|id| self.keys.get(id))
                        .and_then(|key| PresharedKey::new(key.key.secret().expose()));
                    self.transmission.provide_psk(&mut party.provider, now, session, key);
                }
                ServerEvent::Connected { session, identity, .. } => {
                    let key = session_key_id(identity.as_bytes()).and_then(|id| self.keys.take(id));
                    match key {
                        Some(negotiated) => self.connect(party, now, session, &negotiated),
                        None => self.transmission.close(now, session),
                    }
                }
                ServerEvent::Closed { session, reason } => {
                    let Some(peer) = self.sessions.remove(&session) else { continue };
                    let Some(known) = self.peers.get_mut(&peer) else { continue };
                    if known.session() == Some(session) {
                        known.disconnect(now);
                        let reason = Disconnection::Session(reason);
                        self.events.push_back(DownlinkEvent::Disconnected { peer, reason });
                        self.reschedule(now, peer);
                    }
                }
            }
        }
    }

    fn connect<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        session: SessionId,
        negotiated: &Negotiated,
    ) {
        let peer = negotiated.peer.id();
        let standing = negotiated.peer.standing();
        // Whom the party trusts, and the time, may have changed since.
        let trusted =
            party.clock.at(now).is_some_and(|time| party.trust.check(standing, time).is_ok());
        if !trusted || !self.make_room(peer) {
            self.transmission.close(now, session);
            return;
        }
        let known = self.peers.entry(peer).or_insert_with(|| Box::new(Peer::new(now, negotiated)));
        let before = known.connect(now, session, negotiated);
        known.trust_ends = party.clock.instant_of(standing.valid_until());
        self.sessions.insert(session, peer);
        if let Some(before) = before {
            self.sessions.remove(&before);
            self.transmission.close(now, before);
        }
        self.events.push_back(DownlinkEvent::Connected { peer, replaced: before.is_some() });
        self.reschedule(now, peer);
    }

    /// Whether one more peer finds a place, if need be that of one that is not
    /// connected.
    fn has_room(&self) -> bool {
        self.peers.len() < self.settings.max_peers || self.sessions.len() < self.settings.max_peers
    }

    /// Makes a place for `peer`: the peer that was disconnected first gives way.
    fn make_room(&mut self, peer: PartyId) -> bool {
        if self.peers.contains_key(&peer) || self.peers.len() < self.settings.max_peers {
            return true;
        }
        let oldest = self
            .peers
            .iter()
            .filter_map(|(id, peer)| match peer.presence {
                Presence::Disconnected { since } => Some((since, *id)),
                Presence::Connected { .. } => None,
            })
            .min();
        let Some((_, id)) = oldest else { return false };
        self.peers.remove(&id);
        self.timers.set(id, None);
        true
    }

    /// Takes a payload of a live session.
    pub(super) fn receive(&mut self, now: Instant, session: SessionId, payload: &[u8]) {
        let Some(&peer) = self.sessions.get(&session) else { return };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.hear(now);
        let records = self.transmission.records_sent(session).unwrap_or_default();
        if records >= self.settings.rotation.records {
            known.ask_to_renegotiate(now);
        }
        match Message::decode(payload) {
            Err(Rejected::Dropped(_)) => {}
            Err(Rejected::Answerable { id, code }) => self.reject(peer, id, code),
            Ok(message) if message.body.kind().is_request() => {
                self.receive_request(now, peer, &message, payload);
            }
            Ok(message) => match known.requests.handle_answer(now, &message) {
                Some(Answered::Final(request)) => {
                    let message = payload.to_vec();
                    self.events.push_back(DownlinkEvent::Answer { peer, request, message });
                    if let Some(known) = self.peers.get_mut(&peer) {
                        known.refill(now);
                    }
                    self.let_sleep(peer);
                }
                Some(Answered::Deferred(_)) | None => {}
            },
        }
        self.reschedule(now, peer);
    }

    fn receive_request(
        &mut self,
        now: Instant,
        peer: PartyId,
        message: &Message<'_>,
        payload: &[u8],
    ) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let kind = message.body.kind();
        if !matches!(kind, Kind::Alert | Kind::Awake | Kind::Presence | Kind::Report) {
            return self.reject(peer, message.id, ErrorCode::NotPermitted);
        }
        match known.responses.receive(now, message.id, kind) {
            Verdict::New(ticket) if kind == Kind::Awake => {
                known.requests.restart(now);
                if let Some(former) = known.awake.replace(ticket) {
                    let body = Body::Acknowledgement { nothing_waiting: false };
                    self.answer(peer, former, body);
                }
                self.let_sleep(peer);
            }
            Verdict::New(ticket) => {
                let message = payload.to_vec();
                self.events.push_back(DownlinkEvent::Request { peer, ticket, message });
            }
            // Its answer is still to come, from the application or when nothing
            // waits any more.
            Verdict::InProgress => {}
            Verdict::Answered(answer) => {
                let answer = answer.to_vec();
                self.push_answer(peer, answer);
            }
            Verdict::Acknowledged => {
                let body = Body::Acknowledgement { nothing_waiting: known.requests.is_empty() };
                self.push_message(peer, message.id, body);
            }
            Verdict::Refused(code) => self.reject(peer, message.id, code),
        }
    }

    /// Tells a peer that asked what is waiting for it that nothing is, once that
    /// is so.
    fn let_sleep(&mut self, peer: PartyId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if known.requests.nothing_waiting()
            && let Some(ticket) = known.awake.take()
        {
            self.answer(peer, ticket, Body::Acknowledgement { nothing_waiting: true });
        }
    }

    fn reject(&mut self, peer: PartyId, id: MessageId, code: ErrorCode) {
        self.push_message(peer, id, Body::Error { code, text: "" });
    }

    fn push_message(&mut self, peer: PartyId, id: MessageId, body: Body<'_>) {
        let mut bytes = alloc::vec![0; 128];
        if let Ok(length) = (Message { id, subject: None, body }).encode(&mut bytes) {
            bytes.truncate(length);
            self.push_answer(peer, bytes);
        }
    }

    /// Puts an answer in the queue; if that is full, the request will come again.
    pub(super) fn push_answer(&mut self, peer: PartyId, message: Vec<u8>) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back((peer, message));
        }
    }

    /// Seals a message for `peer`; `None` if it is not connected or the message
    /// is too long for its session.
    pub(super) fn send<T>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        peer: PartyId,
        message: &[u8],
        buffer: &mut [u8],
    ) -> Option<Transmit<A>> {
        let session = self.peers.get(&peer)?.session()?;
        let (to, length) =
            self.transmission.send(&mut party.provider, now, session, message, buffer).ok()?;
        self.sent.note(message, length);
        Some(Transmit::new(LocalPort::Transmission, to, length))
    }

    /// Sends the next request that is due.
    pub(super) fn poll_requests<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        while let Some(&peer) = self.ready.first() {
            let mut message = [0; REQUEST_SIZE];
            let due = match self.peers.get_mut(&peer) {
                Some(known) => known.requests.poll_transmit(now, &mut message)?,
                None => None,
            };
            self.ready.remove(&peer);
            if let Some(length) = due {
                self.reschedule(now, peer);
                let message = message.get(..length).unwrap_or_default();
                if let Some(sent) = self.send(party, now, peer, message, buffer) {
                    return Ok(Some(sent));
                }
            }
        }
        Ok(None)
    }

    /// Does what is due for one peer.
    pub(super) fn look_after<T: Trust>(
        &mut self,
        party: &mut Party<P, T>,
        now: Instant,
        peer: PartyId,
    ) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.requests.handle_timeout(now);
        while let Some(request) = known.requests.poll_event() {
            self.events.push_back(DownlinkEvent::GivenUp { peer, request });
        }
        if known.sleeps_at().is_some_and(|at| now >= at) {
            known.requests.set_peer_listening(now, false);
        }
        let Presence::Connected { since, .. } = known.presence else {
            return self.reschedule(now, peer);
        };
        let untrusted = known
            .trust_ends
            .filter(|at| now >= *at)
            .and_then(|_| party.clock.at(now))
            .and_then(|time| party.trust.check(&known.standing, time).err());
        let age = now.since(since);
        let rotation = self.settings.rotation;
        let reason = if let Some(refusal) = untrusted {
            Some(Disconnection::Untrusted(refusal))
        } else if now >= known.silent_at(&self.settings) {
            Some(Disconnection::Silent)
        } else if age >= rotation.age.saturating_add(rotation.grace) {
            Some(Disconnection::KeyTooOld)
        } else {
            None
        };
        if let Some(reason) = reason {
            return self.disconnect(now, peer, reason);
        }
        if age >= rotation.age {
            known.ask_to_renegotiate(now);
        }
        self.reschedule(now, peer);
    }

    /// Puts a peer in its place among the timers and among those that have
    /// something to send.
    pub(super) fn reschedule(&mut self, now: Instant, peer: PartyId) {
        let Some(known) = self.peers.get(&peer) else { return };
        let at = known.poll_timeout(&self.settings).map(|deadline| deadline.at);
        self.timers.set(peer, at);
        if known.requests.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
            self.ready.insert(peer);
        }
    }
}

fn session_key_id(identity: &[u8]) -> Option<SessionKeyId> {
    identity.try_into().ok().map(SessionKeyId)
}
