//! A passive observer: sees every datagram, is given secrets, and opens what these
//! protect. It takes part in nothing, and so shows what a third party sees who has
//! the key log.
//!
//! Of each handshake it needs three values that go in the open: the two random
//! values, and the length of the PSK identity, which tells a session of the key
//! negotiation from one of the transmission protocol (SPEC.md sections 7 and 9.4).
//! All of them stand at the beginning of their messages, so nothing is reassembled.

mod keys;
mod record;

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use iot_crypto::crypto::{KeyLogLabel, Provider, Secret};
use lru::LruCache;

use crate::key_log::KeyLogLine;
use keys::{Keys, Side};
use record::{ALERT, APPLICATION_DATA, HANDSHAKE, HandshakeStart, PROTECTED_EPOCH, Record};

/// Pairs of addresses with handshakes that have not finished; the one that was idle
/// longest gives way.
const MAX_HANDSHAKES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Handshakes between the same two addresses; the oldest gives way. There are several
/// when somebody else begins them in the name of a client.
const MAX_HANDSHAKES_OF_FLOW: usize = 4;
/// Secrets whose handshakes have not finished; likewise.
const MAX_SECRETS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Pairs of addresses with sessions; likewise. A gateway serves 1,000 devices,
/// each of which may use two ports.
const MAX_FLOWS: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// The addresses of a client and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
}

/// What is known of a handshake.
struct Handshake {
    client_random: [u8; 32],
    server_random: Option<[u8; 32]>,
    carries: Carries,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    Negotiation,
    Transmission,
    /// Its PSK identity is not one of this system's.
    Unknown,
}

/// A session that can be opened.
struct Session<P: Provider> {
    keys: Keys<P>,
    carries: Carries,
}

/// The sessions between two addresses: the latest one, and the one before it, which
/// may go on until the latest stands (SPEC.md section 11.7).
struct Sessions<P: Provider> {
    latest: Session<P>,
    former: Option<Session<P>>,
}

/// The content of a protected record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The dissector that shows it; none for a `Finished`, which says nothing.
    pub(crate) dissector: Option<&'static str>,
    pub(crate) content: Vec<u8>,
}

/// What was seen in a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) opened: Vec<Opened>,
    /// Whether a record waits for the secret of a handshake that has just been seen.
    pub(crate) lacks_secret: bool,
}

pub(crate) struct Observer<P: Provider> {
    provider: P,
    handshakes: LruCache<Flow, Vec<Handshake>>,
    secrets: LruCache<[u8; 32], Secret<48>>,
    sessions: LruCache<Flow, Sessions<P>>,
}

impl<P: Provider> Observer<P> {
    /// Has seen nothing yet; `provider` computes for it.
    pub(crate) fn new(provider: P) -> Self {
        Self {
            provider,
            handshakes: LruCache::new(MAX_HANDSHAKES),
            secrets: LruCache::new(MAX_SECRETS),
            sessions: LruCache::new(MAX_FLOWS),
        }
    }

    /// Takes a secret. One that is not the master secret of DTLS 1.2 is of no use.
    pub(crate) fn take_secret(&mut self, line: &KeyLogLine) {
        if let (KeyLogLabel::ClientRandom, Ok(secret)) = (line.label(), line.secret().try_into()) {
            self.secrets.put(*line.client_random(), Secret::new(secret));
        }
    }

    /// Looks at a datagram. The same one may be shown again when a secret has come.
    pub(crate) fn see(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Seen {
        let mut seen = Seen::default();
        for record in Record::all(datagram) {
            match record.epoch {
                0 if record.kind == HANDSHAKE => self.see_handshake(from, to, record.content),
                PROTECTED_EPOCH => match self.open(from, to, &record) {
                    Some(opened) => seen.opened.push(opened),
                    None => seen.lacks_secret |= self.lacks_secret(from, to),
                },
                _ => {}
            }
        }
        seen
    }

    fn see_handshake(&mut self, from: SocketAddr, to: SocketAddr, content: &[u8]) {
        let sent = Flow { client: from, server: to };
        let answered = Flow { client: to, server: from };
        for message in HandshakeStart::all(content) {
            match message {
                HandshakeStart::ClientHello { random } => self.begin(sent, random),
                HandshakeStart::ServerHello { random } => {
                    let known = self.handshakes.get_mut(&answered).into_iter().flatten();
                    known.for_each(|handshake| handshake.server_random = Some(random));
                }
                HandshakeStart::ClientKeyExchange { identity_length } => {
                    let carries = match identity_length {
                        4 => Carries::Negotiation,
                        8 => Carries::Transmission,
                        _ => Carries::Unknown,
                    };
                    let known = self.handshakes.get_mut(&sent).into_iter().flatten();
                    known.for_each(|handshake| handshake.carries = carries);
                }
            }
        }
    }

    /// Takes note of a handshake; a `ClientHello` that is repeated, as with a cookie,
    /// begins none.
    fn begin(&mut self, flow: Flow, client_random: [u8; 32]) {
        let known = self.handshakes.get_or_insert_mut(flow, Vec::new);
        if known.iter().any(|handshake| handshake.client_random == client_random) {
            return;
        }
        if known.len() >= MAX_HANDSHAKES_OF_FLOW {
            known.remove(0);
        }
        let (server_random, carries) = (None, Carries::Unknown);
        known.push(Handshake { client_random, server_random, carries });
    }

    /// Whether a handshake between them went as far as its keys, without the secret.
    fn lacks_secret(&self, from: SocketAddr, to: SocketAddr) -> bool {
        flows(from, to).iter().any(|(flow, _)| {
            self.handshakes.peek(flow).into_iter().flatten().any(|handshake| {
                handshake.server_random.is_some()
                    && !self.secrets.contains(&handshake.client_random)
            })
        })
    }

    /// Opens a record: with the keys of a handshake that ends with it, or of a
    /// session that stands.
    fn open(&mut self, from: SocketAddr, to: SocketAddr, record: &Record<'_>) -> Option<Opened> {
        flows(from, to).into_iter().find_map(|(flow, side)| {
            self.open_new(flow, side, record).or_else(|| {
                let sessions = self.sessions.get(&flow)?;
                let all = [Some(&sessions.latest), sessions.former.as_ref()];
                all.into_iter().flatten().find_map(|it| it.open(&self.provider, side, record))
            })
        })
    }

    /// Opens a record with the keys of a handshake: then its session stands.
    fn open_new(&mut self, flow: Flow, side: Side, record: &Record<'_>) -> Option<Opened> {
        let known = self.handshakes.peek(&flow)?;
        let (client_random, session, opened) = known.iter().rev().find_map(|handshake| {
            let &Handshake { client_random, server_random, carries } = handshake;
            let master = self.secrets.peek(&client_random)?;
            let keys = Keys::new(&self.provider, master, [client_random, server_random?]);
            let session = Session { keys, carries };
            let opened = session.open(&self.provider, side, record)?;
            Some((client_random, session, opened))
        })?;
        self.secrets.pop(&client_random);
        self.handshakes.pop(&flow);
        let former = self.sessions.pop(&flow).map(|sessions| sessions.latest);
        self.sessions.put(flow, Sessions { latest: session, former });
        Some(opened)
    }
}

impl<P: Provider> Session<P> {
    fn open(&self, provider: &P, side: Side, record: &Record<'_>) -> Option<Opened> {
        let content = self.keys.open(provider, side, record)?;
        let dissector = match (record.kind, self.carries) {
            (APPLICATION_DATA, Carries::Negotiation) => Some("iotcrypto.negotiation"),
            (APPLICATION_DATA, Carries::Transmission) => Some("iotcrypto.transmission"),
            // Wireshark's dissector of bytes that say nothing to it.
            (APPLICATION_DATA, Carries::Unknown) => Some("data"),
            (ALERT, _) => Some("iotcrypto.alert"),
            _ => None,
        };
        Some(Opened { dissector, content })
    }
}

/// The flows that a datagram may belong to, and who sent it in them.
fn flows(from: SocketAddr, to: SocketAddr) -> [(Flow, Side); 2] {
    [
        (Flow { client: from, server: to }, Side::Client),
        (Flow { client: to, server: from }, Side::Server),
    ]
}

#[cfg(test)]
mod tests;
