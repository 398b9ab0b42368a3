//! One side of a DTLS connection, taken through a transcript.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use iot_crypto::dtls::{
    Client, CloseReason, Config, ConnectionEvent, CookiePolicy, Datagram, ExtendedMasterSecret,
    PresharedKey, PskIdentity, Server, ServerConfig, ServerEvent, SessionId,
};
use iot_crypto::endpoint::Address;
use iot_crypto::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Failure, SubjectProvider, provider, written};
use crate::hex::Hex;

type Provider = SubjectProvider;

/// The largest datagram of a transcript, in bytes.
const LARGEST: usize = 2048;

/// Which side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The one that begins.
    Client,
    /// The one that answers.
    Server,
}

/// How one side is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Which side it is.
    pub side: Side,
    /// The pre-shared key, and the identity that it belongs to.
    pub psk: Hex,
    /// The name of the key.
    pub identity: Hex,
    /// The random bytes that it draws, in their order.
    pub random: Hex,
    /// The largest datagram to send, in bytes.
    pub datagram_limit: usize,
    /// Whether a peer without the extended master secret is refused.
    pub extended_master_secret: Extension,
    /// Whether the server demands cookies.
    pub cookies: bool,
}

/// Whether an extension is insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extension {
    /// A peer that does not know it is refused.
    Required,
    /// It is used with every peer that knows it.
    Preferred,
}

/// What one side is given, and when.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Step {
    /// Milliseconds since the beginning.
    pub at: u64,
    /// What it is given.
    #[serde(flatten)]
    pub action: Action,
}

/// What one side is given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Nothing: the time alone has passed.
    Wait,
    /// A datagram of the peer.
    Receive {
        /// The datagram.
        datagram: Hex,
    },
    /// Application data to send.
    Send {
        /// The data.
        payload: Hex,
    },
    /// The end of the session.
    Close,
}

/// What one side did in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// The datagrams that it sent.
    pub sent: Vec<Hex>,
    /// The application data that it took.
    pub received: Vec<Hex>,
    /// `connected`, or `closed` and the reason.
    pub events: Vec<String>,
}

/// Takes one side through a transcript.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transcript {
    settings: Settings,
    steps: Vec<Step>,
}

impl Transcript {
    pub(super) fn carry_out(self) -> Result<Value, Failure> {
        let mut endpoint = Endpoint::new(self.settings).map_err(Failure::Request)?;
        let happened = self.steps.iter().map(|step| endpoint.step(step));
        let happened: Vec<_> = happened.collect::<Result<_, _>>().map_err(Failure::Request)?;
        Ok(json!({ "steps": happened }))
    }
}

/// The only peer of a server in a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Peer;

impl Hash for Peer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(b"peer");
    }
}

impl Address for Peer {
    fn with_port(self, _: u16) -> Self {
        self
    }
}

/// One side of a connection.
pub struct Endpoint {
    settings: Settings,
    key: PresharedKey,
    provider: Provider,
    state: State,
}

#[allow(clippy::large_enum_variant, reason = "there is one of it")]
enum State {
    /// A client that has not begun.
    Ready(Config, PskIdentity),
    Client(Client<Provider>),
    Server(Server<Provider, Peer>, Option<SessionId>),
}

impl Endpoint {
    /// A side that has done nothing yet. A client begins with its first step.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let dtls = Config {
            max_datagram: settings.datagram_limit,
            retransmission: Duration::from_secs(1),
            extended_master_secret: match settings.extended_master_secret {
                Extension::Required => ExtendedMasterSecret::Required,
                Extension::Preferred => ExtendedMasterSecret::Preferred,
            },
            ..Config::default()
        };
        let key = PresharedKey::new(&settings.psk.0).ok_or("the key has no or too many bytes")?;
        let identity =
            PskIdentity::new(&settings.identity.0).ok_or("the identity has too many bytes")?;
        let mut provider = provider(&settings.random.0);
        let state = match settings.side {
            Side::Client => State::Ready(dtls, identity),
            Side::Server => {
                let cookies =
                    if settings.cookies { CookiePolicy::Always } else { CookiePolicy::Never };
                let config = ServerConfig { dtls, cookies, ..ServerConfig::default() };
                let server = Server::new(config, &mut provider);
                State::Server(server.map_err(|error| error.to_string())?, None)
            }
        };
        Ok(Self { settings, key, provider, state })
    }

    /// Takes one step, and tells what came of it.
    ///
    /// # Errors
    /// What is wrong with the step.
    pub fn step(&mut self, step: &Step) -> Result<Happened, String> {
        let now = Instant::from_millis(step.at);
        let mut happened = Happened::default();
        if let State::Ready(config, identity) = &self.state {
            let key = self.key.clone();
            let client = Client::new(config, &mut self.provider, now, identity, key);
            self.state = State::Client(client.map_err(|error| error.to_string())?);
        }
        match &step.action {
            Action::Wait => {}
            Action::Receive { datagram } => {
                self.receive(now, &mut datagram.0.clone(), &mut happened)
            }
            Action::Send { payload } => happened.sent.push(Hex(self.send(now, &payload.0)?)),
            Action::Close => self.close(now),
        }
        self.settle(now, &mut happened)?;
        Ok(happened)
    }

    fn receive(&mut self, now: Instant, datagram: &mut [u8], happened: &mut Happened) {
        let provider = &mut self.provider;
        let mut datagram = Datagram::new(datagram);
        match &mut self.state {
            State::Ready(..) => {}
            State::Client(client) => {
                while let Some(payload) = client.handle_record(provider, now, &mut datagram) {
                    happened.received.push(Hex(payload.to_vec()));
                }
            }
            State::Server(server, _) => {
                while let Some(data) = server.handle_record(provider, now, Peer, &mut datagram) {
                    happened.received.push(Hex(data.payload.to_vec()));
                }
            }
        }
    }

    fn send(&mut self, now: Instant, payload: &[u8]) -> Result<Vec<u8>, String> {
        let mut buffer = [0; LARGEST];
        let provider = &mut self.provider;
        let length = match &mut self.state {
            State::Client(client) => client.send(provider, now, payload, &mut buffer),
            State::Server(server, Some(session)) => {
                server.send(provider, now, *session, payload, &mut buffer).map(|(_, length)| length)
            }
            State::Ready(..) | State::Server(_, None) => return Err("not connected".to_owned()),
        };
        length.map(|length| written(&buffer, length).to_vec()).map_err(|error| error.to_string())
    }

    fn close(&mut self, now: Instant) {
        match &mut self.state {
            State::Client(client) => client.close(now),
            State::Server(server, Some(session)) => server.close(now, *session),
            State::Ready(..) | State::Server(_, None) => {}
        }
    }

    /// Lets it do what is due, until nothing is.
    fn settle(&mut self, now: Instant, happened: &mut Happened) -> Result<(), String> {
        let mut buffer = [0; LARGEST];
        match &mut self.state {
            State::Ready(..) => {}
            State::Client(client) => client.handle_timeout(&mut self.provider, now),
            State::Server(server, _) => server.handle_timeout(&mut self.provider, now),
        }
        loop {
            if let Some(event) = self.event(now) {
                happened.events.extend(event);
                continue;
            }
            let provider = &mut self.provider;
            let sent = match &mut self.state {
                State::Ready(..) => Ok(None),
                State::Client(client) => client.poll_transmit(provider, now, &mut buffer),
                State::Server(server, _) => server
                    .poll_transmit(provider, now, &mut buffer)
                    .map(|sent| sent.map(|(_, length)| length)),
            };
            match sent.map_err(|error| error.to_string())? {
                Some(length) => happened.sent.push(Hex(written(&buffer, length).to_vec())),
                None => return Ok(()),
            }
        }
    }

    /// The next event, and what there is to say of it.
    fn event(&mut self, now: Instant) -> Option<Option<String>> {
        let connected = || Some("connected".to_owned());
        match &mut self.state {
            State::Ready(..) => None,
            State::Client(client) => Some(match client.poll_event()? {
                ConnectionEvent::Connected => connected(),
                ConnectionEvent::Closed(reason) => Some(closed(reason)),
                _ => None,
            }),
            State::Server(server, current) => Some(match server.poll_event()? {
                ServerEvent::PskRequired { session, identity } => {
                    let known = identity.as_bytes() == self.settings.identity.0;
                    let key = Some(self.key.clone()).filter(|_| known);
                    server.provide_psk(&mut self.provider, now, session, key);
                    None
                }
                ServerEvent::Connected { session, .. } => {
                    *current = Some(session);
                    connected()
                }
                ServerEvent::Closed { reason, .. } => Some(closed(reason)),
                _ => None,
            }),
        }
    }
}

fn closed(reason: CloseReason) -> String {
    match reason {
        CloseReason::ByPeer => "closed: by the peer".to_owned(),
        CloseReason::ByApplication => "closed: by the application".to_owned(),
        CloseReason::Alert(alert) => format!("closed: alert {} came", alert.code()),
        CloseReason::Protocol(alert) => format!("closed: alert {} sent", alert.code()),
        CloseReason::HandshakeTimeout { .. } => "closed: no answer in time".to_owned(),
        other => format!("closed: {other}"),
    }
}
