//! dimpl, a crate, with AWS-LC.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use dimpl::{Config, Dtls, Output, PskResolver};

use crate::{Endpoint, RETRANSMISSION, Session, Settings, Side, Step, Transport};

/// The version that the workspace asks for.
const VERSION: &str = "0.9.0";
/// Longer than any datagram.
const BUFFER: usize = 1 << 14;
/// What a record of its suite adds: a header of 13 bytes, a nonce of 8, a tag of 8.
const OVERHEAD: usize = 29;
/// The greatest datagram when none is asked for: that which it has by default.
const MAX_DATAGRAM: usize = 1150;
/// How long a handshake may take: longer than any test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Its version.
pub(super) fn version() -> String {
    VERSION.to_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    ensure!(settings.extended_master_secret, "dimpl can't do without the extended master secret");
    ensure!(settings.server_name.is_none(), "dimpl asks for no server name");
    let identity = settings.identity.as_bytes().to_vec();
    let key = Arc::new(Key { identity: identity.clone(), key: settings.key.clone() });
    let max_datagram = settings.max_datagram.map_or(MAX_DATAGRAM, usize::from);
    let config = Config::builder()
        .mtu(max_datagram)
        .use_server_cookie(settings.cookie)
        .flight_start_rto(RETRANSMISSION)
        .handshake_timeout(PATIENCE);
    let config = match side {
        Side::Client => config.with_psk_client(identity, key),
        Side::Server => {
            config.with_psk_server(settings.hint.as_ref().map(|hint| hint.as_bytes().to_vec()), key)
        }
    };
    Ok(Box::new(DimplEndpoint {
        side,
        config: Arc::new(config.build()?),
        max_datagram,
        buffer: Rc::new(RefCell::new(vec![0; BUFFER])),
    }))
}

struct Key {
    identity: Vec<u8>,
    key: Vec<u8>,
}

impl PskResolver for Key {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        (identity == self.identity).then(|| self.key.clone())
    }
}

struct DimplEndpoint {
    side: Side,
    config: Arc<Config>,
    max_datagram: usize,
    buffer: Buffer,
}

/// Room for a datagram or payload, which all sessions of an endpoint use in turn.
type Buffer = Rc<RefCell<Vec<u8>>>;

impl Endpoint for DimplEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        let mut dtls = Dtls::new_12_psk(self.config.clone(), Instant::now());
        dtls.set_active(self.side == Side::Client);
        Ok(Box::new(Dimpl {
            dtls,
            transport,
            buffer: self.buffer.clone(),
            status: Status::Handshaking,
            received: VecDeque::new(),
            max_payload: self.max_datagram.saturating_sub(OVERHEAD),
        }))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Handshaking,
    Connected,
    Closed,
}

struct Dimpl {
    dtls: Dtls,
    transport: Box<dyn Transport>,
    buffer: Buffer,
    status: Status,
    /// Payloads that came before they were asked for.
    received: VecDeque<Vec<u8>>,
    max_payload: usize,
}

impl Dimpl {
    /// Sends what it wants to; a payload that has come is put to `payload`, and gives
    /// its length.
    fn poll(&mut self, payload: &mut [u8]) -> Option<usize> {
        let mut length = None;
        let buffer = &mut *self.buffer.borrow_mut();
        loop {
            match self.dtls.poll_output(buffer) {
                Output::Packet(datagram) => self.transport.send(datagram),
                Output::ApplicationData(data) => match payload.get_mut(..data.len()) {
                    Some(payload) if length.is_none() => {
                        payload.copy_from_slice(data);
                        length = Some(data.len());
                    }
                    _ => self.received.push_back(data.to_vec()),
                },
                Output::Connected => self.status = Status::Connected,
                Output::CloseNotify => self.status = Status::Closed,
                Output::Timeout(_) => return length,
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                _ => {}
            }
        }
    }

    /// Takes the datagrams that have come, until there is a payload.
    fn turn(&mut self, payload: &mut [u8]) -> Result<Option<usize>, dimpl::Error> {
        self.dtls.handle_timeout(Instant::now())?;
        let mut length = self.poll(payload);
        while length.is_none() {
            {
                let buffer = &mut *self.buffer.borrow_mut();
                let Some(received) = self.transport.receive(buffer) else { break };
                self.dtls.handle_packet(buffer.get(..received).unwrap_or_default())?;
            }
            length = self.poll(payload);
        }
        Ok(length)
    }
}

impl Session for Dimpl {
    fn handshake(&mut self) -> Step<()> {
        match self.turn(&mut []) {
            Err(error) => Step::Failed(error.to_string()),
            Ok(_) => match self.status {
                Status::Handshaking => Step::Waiting,
                Status::Connected => Step::Done(()),
                Status::Closed => Step::Closed,
            },
        }
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        match self.dtls.send_application_data(payload) {
            Ok(_) => {
                self.poll(&mut []);
                Step::Done(())
            }
            Err(error) => Step::Failed(error.to_string()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        if let Some(payload) = self.received.pop_front() {
            return match buffer.get_mut(..payload.len()) {
                Some(buffer) => {
                    buffer.copy_from_slice(&payload);
                    Step::Done(payload.len())
                }
                None => Step::Failed("the buffer is too small".to_owned()),
            };
        }
        match self.turn(buffer) {
            Err(error) => Step::Failed(error.to_string()),
            Ok(Some(length)) => Step::Done(length),
            Ok(None) if self.status == Status::Closed => Step::Closed,
            Ok(None) => Step::Waiting,
        }
    }

    fn max_payload(&self) -> usize {
        self.max_payload
    }

    fn close(&mut self) -> Step<()> {
        match self.dtls.close() {
            Ok(()) => {
                self.poll(&mut []);
                Step::Done(())
            }
            Err(error) => Step::Failed(error.to_string()),
        }
    }
}
