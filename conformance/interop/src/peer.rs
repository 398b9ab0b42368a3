//! The peer's end: a session of another implementation, on a UDP socket that does
//! not block.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::{bail, ensure};

pub use iot_crypto_peers::{Library, Settings, Side};
use iot_crypto_peers::{Session, Step, UdpTransport};

/// Those that have our suite, and so can be in the matrix.
pub const LIBRARIES: [Library; 4] =
    [Library::OpenSsl, Library::GnuTls, Library::MbedTls, Library::WolfSsl];
/// Longer than any payload.
const BUFFER: usize = 1 << 15;

/// Where a peer's connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The handshake goes on.
    Handshaking,
    /// The handshake has ended.
    Connected,
    /// The other side's `close_notify` has come.
    Closed,
    /// It has failed, as the library puts it.
    Failed(String),
}

/// A peer's end of a connection.
pub struct Peer {
    session: Box<dyn Session>,
    address: SocketAddr,
    status: Status,
    buffer: Vec<u8>,
    /// Payloads received and not taken yet.
    pub received: VecDeque<Vec<u8>>,
}

impl Peer {
    /// An end that talks to `remote`.
    ///
    /// # Errors
    /// If the library is not linked or does not take the settings, or there is no
    /// socket.
    pub fn new(
        library: Library,
        side: Side,
        settings: &Settings,
        remote: SocketAddr,
    ) -> anyhow::Result<Self> {
        let transport = UdpTransport::new(remote)?;
        let address = transport.address()?;
        let session = library.endpoint(side, settings)?.session(Box::new(transport))?;
        let (status, buffer, received) = (Status::Handshaking, vec![0; BUFFER], VecDeque::new());
        Ok(Self { session, address, status, buffer, received })
    }

    /// Where this end is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the connection is.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The greatest payload that it sends, in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.session.max_payload()
    }

    /// Sends `payload`.
    ///
    /// # Errors
    /// What the library says.
    pub fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        match self.session.send(payload) {
            Step::Done(()) => Ok(()),
            other => bail!("the peer can't send {} bytes: {other:?}", payload.len()),
        }
    }

    /// Sends `close_notify`.
    ///
    /// # Errors
    /// What the library says.
    pub fn close(&mut self) -> anyhow::Result<()> {
        let closed = self.session.close();
        ensure!(
            matches!(closed, Step::Done(()) | Step::Closed),
            "the peer can't close: {closed:?}"
        );
        Ok(())
    }

    /// Goes on; gives whether anything has happened.
    pub fn turn(&mut self) -> bool {
        match self.status {
            Status::Handshaking => {
                let step = self.session.handshake();
                self.follow(step.clone(), Status::Connected);
                step != Step::Waiting
            }
            Status::Connected => self.receive(),
            Status::Closed | Status::Failed(_) => false,
        }
    }

    fn receive(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.session.receive(&mut self.buffer) {
                Step::Done(length) => {
                    self.received.push_back(self.buffer.get(..length).unwrap_or_default().to_vec());
                }
                Step::Waiting => return moved,
                end => {
                    self.follow(end, Status::Connected);
                    return true;
                }
            }
            moved = true;
        }
    }

    fn follow<T>(&mut self, step: Step<T>, done: Status) {
        self.status = match step {
            Step::Done(_) => done,
            Step::Waiting => return,
            Step::Closed => Status::Closed,
            Step::Failed(why) => Status::Failed(why),
        };
    }
}
