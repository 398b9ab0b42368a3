//! What the applications do, on either side.

use iot_crypto::dtls::{PresharedKey, PskIdentity, SendError};

use super::{Answer, Datagram, HOSTS, Host, RIGHT_KEY, Server, To, World};
use crate::input::Input;

impl World {
    pub(super) fn provide_psk(&mut self, session: u64, name: &PskIdentity) {
        let key = match self.answer {
            Answer::Unknown => None,
            Answer::Wrong => PresharedKey::new(&[9]),
            Answer::Right | Answer::Late => PresharedKey::new(&RIGHT_KEY),
        };
        self.server.provide_psk(self.now, session, name, key);
    }

    pub(super) fn client_sends(&mut self, host: Host, length: usize, room: usize) {
        let payload = self.payload(b'c', host, length);
        let Some(client) = self.clients.get_mut(&host) else { return };
        match client.party.send(self.now, 0, &payload, room) {
            Ok((_, bytes)) => {
                assert!(client.is_connected && !client.is_closed, "sent without a session");
                self.payloads.insert(payload, false);
                self.send(Datagram { to: To::Server, from: host, bytes });
            }
            Err(error) => {
                let is_open = client.is_connected && !client.is_closed;
                let is_too_long = matches!(error, SendError::PayloadTooLarge { maximum } if payload.len() > maximum);
                assert!(!is_open || is_too_long, "nothing is sent in an open session: {error}");
            }
        }
    }

    pub(super) fn server_sends(&mut self, index: usize, length: usize, room: usize) {
        let session = self.sessions.iter().nth(index).map(|(session, host)| (*session, *host));
        let Some((session, host)) = session else { return };
        let payload = self.payload(b's', host, length);
        match self.server.send(self.now, session, &payload, room) {
            Ok((to, bytes)) => {
                assert_eq!(to, host);
                self.payloads.insert(payload, false);
                self.send(Datagram { to: To::Client(host), from: host, bytes });
            }
            Err(error) => {
                let is_too_long = matches!(error, SendError::PayloadTooLarge { maximum } if payload.len() > maximum);
                assert!(is_too_long, "nothing is sent in an open session: {error}");
            }
        }
    }

    /// A payload that is unlike every other.
    fn payload(&mut self, by: u8, host: Host, length: usize) -> Vec<u8> {
        self.counter += 1;
        let mut payload = vec![by, host.0];
        payload.extend(self.counter.to_be_bytes());
        payload.resize((length % (self.config.dtls.max_datagram + 1)).max(6), 0);
        payload
    }

    pub(super) fn close(&mut self, input: &mut Input<'_>) {
        let index = input.below(8);
        if let Some(client) = self.clients.get_mut(&Host(index as u8)) {
            client.party.close(self.now, 0);
        } else if self.kind == Server::Single {
            self.server.close(self.now, 0);
        } else if let Some(session) = self.sessions.keys().nth(index % usize::from(HOSTS)) {
            self.server.close(self.now, *session);
        } else if let Some((session, _)) = self.questions.pop() {
            self.server.close(self.now, session);
        }
    }
}
