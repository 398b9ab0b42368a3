//! An insider above: with the two services, the network key, and an identity.

use std::collections::{BTreeMap, VecDeque};

use iot_crypto::connection::transfer::{Incoming, MAX_MESSAGE, Segments};
use iot_crypto::connection::{
    LocalParty, NegotiationRefusal, RespondError, ResponderParameters, refuse, respond,
};
use iot_crypto::dtls::{
    self, CookiePolicy, Datagram, PresharedKey, Received, Server, ServerConfig, ServerEvent,
    SessionId,
};
use iot_crypto::identity::Role;
use iot_crypto::time::{Instant, UnixTime};

use super::insider::Insiders;
use super::{ABOVE, NEGOTIATION, Place, TRANSMISSION};
use crate::cast::{Cast, NOW};
use crate::input::Input;
use crate::mutation::mutate;
use crate::toy::Toy;

/// What it does with a request for key negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    Refusing(u8),
    /// It answers with what was captured before, or made up.
    Lying,
    Silent,
}

pub(super) struct Above {
    toy: Toy,
    role: Role,
    /// Which of the insiders it is at present.
    pub(super) who: usize,
    pub(super) incarnation: u32,
    pub(super) manner: Manner,
    /// What it answers when it lies.
    pub(super) lie: Vec<u8>,
    negotiation: Server<Toy, Place>,
    transmission: Server<Toy, Place>,
    incoming: BTreeMap<SessionId, Incoming<MAX_MESSAGE>>,
    /// The session keys, by their ids.
    keys: VecDeque<(Vec<u8>, [u8; 32])>,
    /// The sessions of the transmission service, the last one first.
    sessions: VecDeque<SessionId>,
    /// What it was told last.
    pub(super) heard: VecDeque<Vec<u8>>,
    out: Vec<super::Datagram>,
}

impl Above {
    pub(super) fn new(role: Role, max_datagram: usize) -> Self {
        let mut toy = Toy::new(200);
        let config = ServerConfig {
            dtls: dtls::Config { max_datagram, ..dtls::Config::default() },
            cookies: CookiePolicy::Never,
            ..ServerConfig::default()
        };
        Self {
            negotiation: Server::new(config, &mut toy).unwrap(),
            transmission: Server::new(config, &mut toy).unwrap(),
            toy,
            role,
            who: 0,
            incarnation: 7,
            manner: Manner::Honest,
            lie: Vec::new(),
            incoming: BTreeMap::new(),
            keys: VecDeque::new(),
            sessions: VecDeque::new(),
            heard: VecDeque::new(),
            out: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, now: Instant, port: u16, from: Place, bytes: &mut [u8]) {
        let mut datagram = Datagram::new(bytes);
        if port == NEGOTIATION {
            let mut payloads = Vec::new();
            while let Some(Received { session, payload }) =
                self.negotiation.handle_record(&mut self.toy, now, from, &mut datagram)
            {
                payloads.push((session, payload.to_vec()));
            }
            self.drive(now);
            for (session, payload) in payloads {
                self.negotiate(now, session, &payload);
            }
        } else if port == TRANSMISSION {
            while let Some(Received { payload, .. }) =
                self.transmission.handle_record(&mut self.toy, now, from, &mut datagram)
            {
                self.heard.truncate(7);
                self.heard.push_front(payload.to_vec());
            }
        }
        self.drive(now);
    }

    fn negotiate(&mut self, now: Instant, session: SessionId, payload: &[u8]) {
        let incoming = self.incoming.entry(session).or_default();
        let Ok(Some(request)) = incoming.receive(payload) else { return };
        let request = request.to_vec();
        let mut answer = vec![0; MAX_MESSAGE];
        let length = match self.manner {
            Manner::Silent => return,
            Manner::Refusing(code) => {
                let refusal = NegotiationRefusal::from_code(code);
                refuse(&self.toy, &request, refusal, &mut answer).unwrap()
            }
            Manner::Lying => {
                answer = self.lie.clone();
                answer.truncate(MAX_MESSAGE);
                answer.len()
            }
            Manner::Honest => match self.respond(now, &request, &mut answer) {
                Some(length) => length,
                None => return,
            },
        };
        answer.truncate(length);
        if self.manner == Manner::Honest {
            self.lie = answer.clone();
        }
        let segments = Segments::new(&answer, self.negotiation.max_payload()).unwrap();
        let mut segment = [0; MAX_MESSAGE];
        for index in 0..segments.count() {
            let length = segments.write(index, &mut segment).unwrap().unwrap();
            self.send(now, NEGOTIATION, session, &segment[..length]);
        }
    }

    fn respond(&mut self, now: Instant, request: &[u8], answer: &mut [u8]) -> Option<usize> {
        let insider = Insiders::of(self.role).get(self.who);
        let local = LocalParty { identity: &insider.identity, endorsements: &insider.endorsements };
        let below = if self.role == Role::Cloud { Role::Gateway } else { Role::Device };
        let parameters = ResponderParameters {
            peer_role: below,
            incarnation: self.incarnation,
            transmission_port: TRANSMISSION,
            now: Some(UnixTime::from_secs(NOW.as_secs() + now.as_millis() / 1000)),
        };
        let trust = Cast::get().trust();
        match respond(&mut self.toy, local, &trust, &parameters, request, answer) {
            Ok((negotiated, length)) => {
                self.keys.truncate(7);
                let key = negotiated.key;
                self.keys.push_front((key.id().0.to_vec(), *key.secret().expose()));
                Some(length)
            }
            Err(RespondError::Refused(refusal)) => refuse(&self.toy, request, refusal, answer).ok(),
            Err(error) => panic!("the request is not even refused: {error}"),
        }
    }

    /// Says something in the last session, or the one before.
    pub(super) fn say(&mut self, now: Instant, index: usize, payload: &[u8]) {
        if let Some(session) = self.sessions.get(index).copied() {
            self.send(now, TRANSMISSION, session, payload);
        }
    }

    /// Ends the last session, or the one before.
    pub(super) fn hang_up(&mut self, now: Instant, index: usize) {
        if let Some(session) = self.sessions.get(index) {
            self.transmission.close(now, *session);
        }
        self.drive(now);
    }

    fn send(&mut self, now: Instant, port: u16, session: SessionId, payload: &[u8]) {
        let mut buffer = [0; 1200];
        let server =
            if port == NEGOTIATION { &mut self.negotiation } else { &mut self.transmission };
        if let Ok((to, length)) = server.send(&mut self.toy, now, session, payload, &mut buffer) {
            self.push(port, to, &buffer[..length]);
        }
    }

    fn push(&mut self, port: u16, to: Place, bytes: &[u8]) {
        let from = Place { host: ABOVE, port };
        self.out.push(super::Datagram { from, to, bytes: bytes.to_vec() });
    }

    /// Does what is due; what it has to send.
    pub(super) fn drive(&mut self, now: Instant) {
        self.negotiation.handle_timeout(&mut self.toy, now);
        self.transmission.handle_timeout(&mut self.toy, now);
        while let Some(event) = self.negotiation.poll_event() {
            match event {
                ServerEvent::PskRequired { session, .. } => {
                    let key = Cast::get().network_key.psk(&self.toy);
                    let key = PresharedKey::new(key.expose());
                    self.negotiation.provide_psk(&mut self.toy, now, session, key);
                }
                ServerEvent::Closed { session, .. } => {
                    self.incoming.remove(&session);
                }
                _ => {}
            }
        }
        while let Some(event) = self.transmission.poll_event() {
            match event {
                ServerEvent::PskRequired { session, identity } => {
                    let known = self.keys.iter().find(|(id, _)| id == identity.as_bytes());
                    let key = known.and_then(|(_, key)| PresharedKey::new(key));
                    self.transmission.provide_psk(&mut self.toy, now, session, key);
                }
                ServerEvent::Connected { session, .. } => {
                    self.sessions.truncate(1);
                    self.sessions.push_front(session);
                }
                _ => {}
            }
        }
        let mut buffer = [0; 1200];
        loop {
            let negotiation = self.negotiation.poll_transmit(&mut self.toy, now, &mut buffer);
            if let Some((to, length)) = negotiation.unwrap() {
                self.push(NEGOTIATION, to, &buffer[..length]);
                continue;
            }
            let transmission = self.transmission.poll_transmit(&mut self.toy, now, &mut buffer);
            let Some((to, length)) = transmission.unwrap() else { break };
            self.push(TRANSMISSION, to, &buffer[..length]);
        }
    }

    pub(super) fn take_out(&mut self) -> Vec<super::Datagram> {
        std::mem::take(&mut self.out)
    }

    /// Becomes somebody else, or behaves otherwise.
    pub(super) fn change(&mut self, input: &mut Input<'_>) {
        match input.below(4) {
            0 => self.who = input.below(Insiders::of(self.role).len()),
            1 => self.incarnation = u32::from(input.u8()),
            _ => {
                self.manner = match input.below(5) {
                    0 => Manner::Silent,
                    1 => Manner::Refusing(input.u8()),
                    2 => {
                        self.lie = mutate(input, &self.lie);
                        Manner::Lying
                    }
                    _ => Manner::Honest,
                }
            }
        }
    }
}
