//! What the two services do with what comes in, and when a peer is due.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::connection::{Negotiated, NetworkKeyId, SessionKeyId};
use crate::crypto::Provider;
use crate::dtls::{PresharedKey, RECORD_OVERHEAD, ServerEvent, SessionId};
use crate::endpoint::{Address, LocalPort, Transmit};
use crate::identity::{PartyId, Trust};
use crate::party::Party;
use crate::time::Instant;
use crate::transmission::{Answered, Body, ErrorCode, Kind, Message, MessageId, Rejected, Verdict};
use crate::uplink::Disconnection;
use crate::wire::BufferTooSmall;

use super::negotiations::{Decision, Terms};
use super::peer::{Peer, Presence, REQUEST_SIZE};
use super::{Downlink, DownlinkEvent, MAX_ANSWERS, OVERLAP};

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
            // A peer that is known has its place. Another takes that of one that
            // is not connected, if need be.
            has_room: |peer| {
                self.peers.contains_key(&peer)
                    || self.peers.len() < self.settings.max_peers
                    || self.disconnected.first().is_some()
            },
        };
        match self.negotiations.handle(party, now, session, payload, &terms) {
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
                ServerEvent::Connected { session, .. } => self.negotiations.begin(now, session),
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
                    let Some(&peer) = self.sessions.get(&session) else { continue };
                    let known = self.peers.get(&peer);
                    if known.is_some_and(|known| known.session() == Some(session)) {
                        self.part(now, peer, Disconnection::Session(reason));
                    } else {
                        self.close_former(now, Some(session));
                    }
                }
            }
        }
    }

    /// Closes a session that was replaced.
    pub(super) fn close_former(&mut self, now: Instant, former: Option<SessionId>) {
        let Some(session) = former else { return };
        self.former.set(session, None);
        if let Some(peer) = self.sessions.remove(&session)
            && let Some(known) = self.peers.get_mut(&peer)
            && known.former == Some(session)
        {
            known.former = None;
        }
        self.transmission.close(now, session);
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
        let max_payload = self.transmission.max_payload();
        let known = self
            .peers
            .entry(peer)
            .or_insert_with(|| Box::new(Peer::new(now, negotiated, max_payload)));
        let new_incarnation = !known.remembers(negotiated);
        if new_incarnation {
            // It would take them for the answers to its own first requests.
            self.answers.retain(|(to, _)| *to != peer);
        }
        let before = known.connect(now, session, negotiated);
        self.disconnected.set(peer, None);
        self.trust_ends.set(peer, Some(standing.valid_until()));
        self.sessions.insert(session, peer);
        if let Some(before) = before
            && let Some(known) = self.peers.get_mut(&peer)
        {
            // Make before break: the peer uses it until the end of the handshake
            // has got through.
            let older = known.former.replace(before);
            self.former.set(before, Some(now + OVERLAP));
            self.close_former(now, older);
        }
        let replaced = before.is_some();
        self.events.push_back(DownlinkEvent::Connected { peer, replaced, new_incarnation });
        self.reschedule(now, peer);
    }

    /// Notes that the session of `peer` is over; returns it.
    pub(super) fn part(
        &mut self,
        now: Instant,
        peer: PartyId,
        reason: Disconnection,
    ) -> Option<SessionId> {
        let known = self.peers.get_mut(&peer)?;
        let session = known.session()?;
        let former = known.former;
        known.disconnect(now);
        self.close_former(now, former);
        self.sessions.remove(&session);
        self.trust_ends.set(peer, None);
        self.disconnected.set(peer, Some(now));
        self.events.push_back(DownlinkEvent::Disconnected { peer, reason });
        self.reschedule(now, peer);
        Some(session)
    }

    /// Makes a place for `peer`: the peer that was disconnected first gives way.
    fn make_room(&mut self, peer: PartyId) -> bool {
        if self.peers.contains_key(&peer) || self.peers.len() < self.settings.max_peers {
            return true;
        }
        let Some((_, oldest)) = self.disconnected.first() else { return false };
        self.disconnected.set(oldest, None);
        self.timers.set(oldest, None);
        if let Some(mut forgotten) = self.peers.remove(&oldest) {
            // Whoever waits for an answer is told that none will come.
            forgotten.requests.handle_timeout(Instant::from_millis(u64::MAX));
            report_given_up(&mut self.events, oldest, &mut forgotten);
        }
        true
    }

    /// Takes a payload of a live session.
    pub(super) fn receive(&mut self, now: Instant, session: SessionId, payload: &[u8]) {
        let Some(&peer) = self.sessions.get(&session) else { return };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        self.received.note(payload, payload.len().saturating_add(RECORD_OVERHEAD));
        known.hear(now);
        if known.session() == Some(session) {
            let records = self.transmission.records_sent(session).unwrap_or_default();
            if records >= self.settings.rotation.records {
                known.ask_to_renegotiate(now);
            }
            // It uses the new session, and so needs the former one no longer.
            let former = known.former;
            self.close_former(now, former);
        }
        let Some(known) = self.peers.get_mut(&peer) else { return };
        match Message::decode(payload) {
            Err(Rejected::Dropped(_)) => {
                self.dropped_messages = self.dropped_messages.saturating_add(1);
            }
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
                let nothing_waiting = known.requests.nothing_waiting();
                let body = Body::Acknowledgement { nothing_waiting };
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
        self.push_message(peer, id, Body::error(code));
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
    pub(super) fn look_after(&mut self, now: Instant, peer: PartyId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.requests.handle_timeout(now);
        report_given_up(&mut self.events, peer, known);
        self.let_sleep(peer);
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if known.sleeps_at().is_some_and(|at| now >= at) {
            known.requests.set_peer_listening(now, false);
        }
        let Presence::Connected { since, .. } = known.presence else {
            return self.reschedule(now, peer);
        };
        let age = now.since(since);
        let rotation = self.settings.rotation;
        let reason = if now >= known.silent_at(&self.settings) {
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

fn report_given_up(events: &mut VecDeque<DownlinkEvent>, peer: PartyId, known: &mut Peer) {
    while let Some(request) = known.requests.poll_event() {
        events.push_back(DownlinkEvent::GivenUp { peer, request });
    }
}

fn session_key_id(identity: &[u8]) -> Option<SessionKeyId> {
    identity.try_into().ok().map(SessionKeyId)
}
