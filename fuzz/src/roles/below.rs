//! An insider below: a client of the two services, with the network key and an
//! identity.

use std::collections::VecDeque;

use iot_crypto::connection::transfer::{Incoming, MAX_MESSAGE, Segments};
use iot_crypto::connection::{ForwardSecrecy, Initiator, InitiatorParameters, LocalParty};
use iot_crypto::dtls::{self, Client, Datagram, PresharedKey, PskIdentity};
use iot_crypto::identity::Role;
use iot_crypto::time::{Instant, WallClock};

use super::insider::Insiders;
use super::{NEGOTIATION, Place, SUBJECT, TRANSMISSION};
use crate::cast::{Cast, NOW};
use crate::input::Input;
use crate::mutation::mutate;
use crate::toy::Toy;

/// Its own port, less that of the service that it talks to.
const PORT: u16 = 50;

pub(super) struct Below {
    toy: Toy,
    host: u8,
    role: Role,
    /// Which of the insiders it is at present.
    pub(super) who: usize,
    incarnation: u32,
    max_datagram: usize,
    negotiation: Option<Attempt>,
    transmission: Option<Client<Toy>>,
    key: Option<(Vec<u8>, [u8; 32])>,
    /// What it was told last.
    pub(super) heard: VecDeque<Vec<u8>>,
    out: Vec<super::Datagram>,
}

struct Attempt {
    client: Client<Toy>,
    initiator: Initiator,
    who: usize,
    request: Vec<u8>,
    incoming: Incoming<MAX_MESSAGE>,
    is_sent: bool,
}

impl Below {
    pub(super) fn new(host: u8, role: Role, max_datagram: usize) -> Self {
        Self {
            toy: Toy::new(300 + u64::from(host)),
            host,
            role,
            who: 0,
            incarnation: 5,
            max_datagram,
            negotiation: None,
            transmission: None,
            key: None,
            heard: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// Begins a negotiation, as whoever it is, with a request that is as it should be
    /// or not.
    pub(super) fn negotiate(&mut self, now: Instant, input: &mut Input<'_>) {
        let flags = input.u8();
        let insider = Insiders::of(self.role).get(self.who);
        let claimed = match flags >> 6 {
            3 => Role::Cloud,
            2 => Role::Gateway,
            _ => self.role,
        };
        let above = if self.role == Role::Device { Role::Gateway } else { Role::Cloud };
        let parameters = InitiatorParameters {
            role: claimed,
            peer_role: above,
            sleepy: flags & 1 != 0,
            incarnation: self.incarnation,
            forward_secrecy: if flags & 2 != 0 { ForwardSecrecy::Off } else { ForwardSecrecy::On },
        };
        let initiator = Initiator::new(&mut self.toy, parameters).unwrap();
        let local = LocalParty { identity: &insider.identity, endorsements: &insider.endorsements };
        let mut request = vec![0; MAX_MESSAGE];
        let length = initiator.request(local, &mut request).unwrap();
        request.truncate(length);
        let mut request = mutate(input, &request);
        request.truncate(MAX_MESSAGE);
        let network = &Cast::get().network_key;
        let key = network.psk(&self.toy);
        let client = self.connect(now, &network.id().0, key.expose());
        let (who, incoming) = (self.who, Incoming::new());
        self.negotiation =
            Some(Attempt { client, initiator, who, request, incoming, is_sent: false });
        self.drive(now);
    }

    /// Connects with the key that it negotiated last.
    pub(super) fn begin_session(&mut self, now: Instant) {
        if let Some((id, key)) = self.key.clone() {
            self.transmission = Some(self.connect(now, &id, &key));
            self.drive(now);
        }
    }

    fn connect(&mut self, now: Instant, id: &[u8], key: &[u8]) -> Client<Toy> {
        let config = dtls::Config { max_datagram: self.max_datagram, ..dtls::Config::default() };
        let identity = PskIdentity::new(id).unwrap();
        let key = PresharedKey::new(key).unwrap();
        Client::new(&config, &mut self.toy, now, &identity, key).unwrap()
    }

    pub(super) fn handle(&mut self, now: Instant, from: Place, bytes: &mut [u8]) {
        let mut datagram = Datagram::new(bytes);
        if from.port == NEGOTIATION {
            let mut has_key = false;
            if let Some(attempt) = &mut self.negotiation {
                while let Some(payload) =
                    attempt.client.handle_record(&mut self.toy, now, &mut datagram)
                {
                    let Ok(Some(answer)) = attempt.incoming.receive(payload) else { continue };
                    let insider = Insiders::of(self.role).get(attempt.who);
                    let local = LocalParty {
                        identity: &insider.identity,
                        endorsements: &insider.endorsements,
                    };
                    let mut clock = WallClock::with_floor(NOW);
                    let trust = Cast::get().trust();
                    let initiator = &attempt.initiator;
                    let done = initiator.finish(&self.toy, local, &trust, &mut clock, now, answer);
                    if let Ok(negotiated) = done {
                        let key = negotiated.key;
                        self.key = Some((key.id().0.to_vec(), *key.secret().expose()));
                        has_key = true;
                    }
                }
            }
            if has_key {
                self.begin_session(now);
            }
        } else if let Some(client) = &mut self.transmission {
            while let Some(payload) = client.handle_record(&mut self.toy, now, &mut datagram) {
                self.heard.truncate(7);
                self.heard.push_front(payload.to_vec());
            }
        }
        self.drive(now);
    }

    pub(super) fn say(&mut self, now: Instant, payload: &[u8]) {
        let mut buffer = [0; 1200];
        if let Some(client) = &mut self.transmission
            && let Ok(length) = client.send(&mut self.toy, now, payload, &mut buffer)
        {
            self.push(TRANSMISSION, &buffer[..length]);
        }
    }

    /// Ends what it has.
    pub(super) fn hang_up(&mut self, now: Instant) {
        if let Some(client) = &mut self.transmission {
            client.close(now);
        }
        self.drive(now);
    }

    /// Becomes somebody else, or begins anew.
    pub(super) fn change(&mut self, input: &mut Input<'_>) {
        if input.bool() {
            self.who = input.below(Insiders::of(self.role).len());
        } else {
            self.incarnation = u32::from(input.u8());
        }
    }

    /// Does what is due.
    pub(super) fn drive(&mut self, now: Instant) {
        let mut buffer = [0; 1200];
        if let Some(attempt) = &mut self.negotiation {
            attempt.client.handle_timeout(&mut self.toy, now);
            while attempt.client.poll_event().is_some() {}
            let mut datagrams = Vec::new();
            while let Ok(Some(length)) =
                attempt.client.poll_transmit(&mut self.toy, now, &mut buffer)
            {
                datagrams.push(buffer[..length].to_vec());
            }
            if attempt.client.is_connected() && !attempt.is_sent {
                attempt.is_sent = true;
                let max_payload = attempt.client.max_payload().unwrap();
                let segments = Segments::new(&attempt.request, max_payload).unwrap();
                let mut segment = [0; MAX_MESSAGE];
                for index in 0..segments.count() {
                    let length = segments.write(index, &mut segment).unwrap().unwrap();
                    let (client, payload) = (&mut attempt.client, &segment[..length]);
                    let length = client.send(&mut self.toy, now, payload, &mut buffer).unwrap();
                    datagrams.push(buffer[..length].to_vec());
                }
            }
            datagrams.iter().for_each(|bytes| self.push(NEGOTIATION, bytes));
        }
        if let Some(client) = &mut self.transmission {
            client.handle_timeout(&mut self.toy, now);
            while client.poll_event().is_some() {}
            let mut datagrams = Vec::new();
            while let Ok(Some(length)) = client.poll_transmit(&mut self.toy, now, &mut buffer) {
                datagrams.push(buffer[..length].to_vec());
            }
            datagrams.iter().for_each(|bytes| self.push(TRANSMISSION, bytes));
        }
    }

    fn push(&mut self, service: u16, bytes: &[u8]) {
        let from = Place { host: self.host, port: PORT + service };
        let to = Place { host: SUBJECT, port: service };
        self.out.push(super::Datagram { from, to, bytes: bytes.to_vec() });
    }

    pub(super) fn take_out(&mut self) -> Vec<super::Datagram> {
        std::mem::take(&mut self.out)
    }
}
