//! The peer's end: a session of another implementation, on a UDP socket that does
//! not block.

#[cfg(feature = "gnutls")]
mod gnutls;
#[cfg(feature = "mbedtls")]
mod mbedtls;
#[cfg(feature = "openssl")]
mod openssl;
mod transport;
#[cfg(feature = "wolfssl")]
mod wolfssl;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{bail, ensure};

pub use transport::Transport;

/// How long a peer waits before it repeats a flight for the first time.
pub const RETRANSMISSION: Duration = Duration::from_millis(200);
/// Longer than any payload.
const BUFFER: usize = 1 << 15;

/// An implementation to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Library {
    /// OpenSSL, as the system has it.
    OpenSsl,
    /// GnuTLS, as the system has it.
    GnuTls,
    /// Mbed TLS, built by the crate `mbedtls-rs-sys`.
    MbedTls,
    /// wolfSSL, built by the crate `wolfssl-sys`.
    WolfSsl,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenSsl, Self::GnuTls, Self::MbedTls, Self::WolfSsl];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "OpenSSL",
            Self::GnuTls => "GnuTLS",
            Self::MbedTls => "Mbed TLS",
            Self::WolfSsl => "wolfSSL",
        }
    }

    /// The Cargo feature of this crate that links it.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::GnuTls => "gnutls",
            Self::MbedTls => "mbedtls",
            Self::WolfSsl => "wolfssl",
        }
    }

    /// The Debian packages that its feature needs.
    #[must_use]
    pub const fn packages(self) -> &'static str {
        match self {
            Self::OpenSsl => "gcc libssl-dev pkg-config",
            Self::GnuTls => "gcc libgnutls28-dev",
            Self::MbedTls => "gcc cmake clang libclang-dev",
            Self::WolfSsl => "gcc autoconf automake libtool make patch clang libclang-dev",
        }
    }

    /// The version that is linked; `None` if none is.
    #[must_use]
    pub fn version(self) -> Option<String> {
        match self {
            #[cfg(feature = "openssl")]
            Self::OpenSsl => Some(openssl::version()),
            #[cfg(feature = "gnutls")]
            Self::GnuTls => Some(gnutls::version()),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => Some(mbedtls::version()),
            #[cfg(feature = "wolfssl")]
            Self::WolfSsl => Some(wolfssl::version()),
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            _ => None,
        }
    }

    /// What is to be done about a library that is not linked.
    #[must_use]
    pub fn how_to_link(self) -> String {
        let (name, feature, packages) = (self.name(), self.feature(), self.packages());
        format!(
            "{name} is not linked: install {packages}, and build with `--features {feature}` \
             (all peers: `--features peers`)"
        )
    }

    fn open(
        self,
        side: Side,
        settings: &Settings,
        transport: Transport,
    ) -> anyhow::Result<Box<dyn Session>> {
        match self {
            #[cfg(feature = "openssl")]
            Self::OpenSsl => openssl::open(side, settings, transport),
            #[cfg(feature = "gnutls")]
            Self::GnuTls => gnutls::open(side, settings, transport),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => mbedtls::open(side, settings, transport),
            #[cfg(feature = "wolfssl")]
            Self::WolfSsl => wolfssl::open(side, settings, transport),
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            _ => {
                let _ = (side, settings, transport);
                bail!(self.how_to_link())
            }
        }
    }
}

/// Which side of a handshake an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It begins.
    Client,
    /// It answers.
    Server,
}

/// What a peer's end is configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the key; printable, since some take it as a C string.
    pub identity: String,
    /// The key.
    pub key: Vec<u8>,
    /// Whether a server demands a cookie. wolfSSL's always does.
    pub cookie: bool,
    /// A server's identity hint. Mbed TLS never sends one.
    pub hint: Option<String>,
    /// A server name that a client asks for, which makes its `ClientHello` long.
    pub server_name: Option<String>,
    /// The greatest datagram to send, in bytes of UDP payload; `None` for as much
    /// as the library can.
    pub max_datagram: Option<u16>,
    /// Whether the extended master secret is offered or taken.
    pub extended_master_secret: bool,
}

/// How a call went that must not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// It goes on when a datagram or a timer has come.
    Waiting,
    /// The other side has sent `close_notify`.
    Closed,
    /// The connection has failed, as the library puts it.
    Failed(String),
}

/// A connection of a library. Its calls never wait, and do what its timers want.
pub trait Session {
    /// Goes on with the handshake.
    fn handshake(&mut self) -> Step<()>;

    /// Sends `payload` in one record.
    fn send(&mut self, payload: &[u8]) -> Step<()>;

    /// Receives a payload into `buffer`; gives its length.
    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize>;

    /// The greatest payload that it sends in one record, in bytes.
    fn max_payload(&self) -> usize;

    /// Sends `close_notify`.
    fn close(&mut self) -> Step<()>;
}

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
        let transport = Transport::new(remote)?;
        let address = transport.address()?;
        let session = library.open(side, settings, transport)?;
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
