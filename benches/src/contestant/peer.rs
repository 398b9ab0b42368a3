//! A peer: an endpoint for each side, in memory.

use anyhow::{bail, ensure};
use iot_crypto_peers::{
    Endpoint, Library, Link, Session, Settings, Side, Step, Suite, Traffic, Version,
};

use super::{Connection, Contestant, IDENTITY, Idle, KEY, MAX_DATAGRAM};

/// Room for a payload.
const BUFFER: usize = 1 << 11;
/// How often each side is called until a handshake must have ended; far less is enough.
const TURNS: usize = 100;

/// A library, with a client and servers with and without cookies.
pub(super) struct PeerContestant {
    library: Library,
    version: Version,
    link: Link,
    client: Box<dyn Endpoint>,
    server: Box<dyn Endpoint>,
    server_with_cookies: Box<dyn Endpoint>,
}

impl PeerContestant {
    pub(super) fn new(library: Library, version: Version) -> anyhow::Result<Self> {
        let max_datagram = (library != Library::TinyDtls).then_some(MAX_DATAGRAM);
        let settings = Settings { version, max_datagram, ..Settings::new(IDENTITY, &KEY) };
        let with_cookie = Settings { cookie: true, ..settings.clone() };
        Ok(Self {
            library,
            version,
            link: Link::new(),
            client: library.endpoint(Side::Client, &settings)?,
            server: library.endpoint(Side::Server, &settings)?,
            server_with_cookies: library.endpoint(Side::Server, &with_cookie)?,
        })
    }

    fn handshake(&self, cookie: bool) -> anyhow::Result<(Box<dyn Session>, Box<dyn Session>)> {
        let server = if cookie { &self.server_with_cookies } else { &self.server };
        let mut client = self.client.session(Box::new(self.link.end(Side::Client)))?;
        let mut server = server.session(Box::new(self.link.end(Side::Server)))?;
        let (mut client_done, mut server_done) = (false, false);
        for _ in 0..TURNS {
            // A side that is done is left alone: GnuTLS would begin anew.
            client_done = client_done || self.advance(&mut *client)?;
            server_done = server_done || self.advance(&mut *server)?;
            if client_done && server_done {
                self.link.discard();
                return Ok((client, server));
            }
        }
        bail!("the handshake of {} does not end", self.library.name())
    }

    /// Lets one side go on; gives whether it is done.
    fn advance(&self, session: &mut dyn Session) -> anyhow::Result<bool> {
        match session.handshake() {
            Step::Done(()) => Ok(true),
            Step::Waiting => Ok(false),
            other => bail!("the handshake of {}: {other:?}", self.library.name()),
        }
    }
}

impl Contestant for PeerContestant {
    fn name(&self) -> String {
        let version = self.library.version().unwrap_or_default();
        let dtls = match self.version {
            Version::Dtls12 => "",
            Version::Dtls13 => ", DTLS 1.3 psk_ke",
        };
        format!("{} {version}{dtls}", self.library.name())
    }

    fn is_ours(&self) -> bool {
        false
    }

    fn version(&self) -> Version {
        self.version
    }

    fn suite(&self) -> Suite {
        self.library.suite()
    }

    fn always_demands_cookie(&self) -> bool {
        self.library.always_demands_cookie(self.version)
    }

    fn handshakes(&mut self, cookie: bool, count: usize) -> anyhow::Result<Traffic> {
        self.link.clear();
        for _ in 0..count {
            self.handshake(cookie)?;
        }
        Ok(self.link.sent())
    }

    fn connect(&mut self) -> anyhow::Result<Box<dyn Connection>> {
        // A link of its own: the connection may outlive other handshakes.
        self.link = Link::new();
        let (client, server) = self.handshake(self.always_demands_cookie())?;
        let link = std::mem::take(&mut self.link);
        let (buffer, length, record_length) = (vec![0; BUFFER], 0, 0);
        Ok(Box::new(PeerConnection { client, server, link, buffer, length, record_length }))
    }

    fn serve(&mut self, sessions: usize) -> anyhow::Result<Box<dyn Idle>> {
        self.link.clear();
        let mut idle = Vec::with_capacity(sessions);
        for _ in 0..sessions {
            idle.push(self.handshake(true)?.1);
        }
        Ok(Box::new(idle))
    }

    fn heap_is_rust(&self) -> bool {
        self.library == Library::Dimpl
    }
}

impl Idle for Vec<Box<dyn Session>> {}

struct PeerConnection {
    client: Box<dyn Session>,
    server: Box<dyn Session>,
    link: Link,
    buffer: Vec<u8>,
    length: usize,
    record_length: usize,
}

impl Connection for PeerConnection {
    fn seal(&mut self, payload: &[u8], count: usize) -> anyhow::Result<()> {
        self.link.clear();
        for _ in 0..count {
            match self.client.send(payload) {
                Step::Done(()) => {}
                other => bail!("it can't be sent: {other:?}"),
            }
        }
        let Traffic { datagrams, bytes } = self.link.sent_by(Side::Client);
        ensure!(datagrams == count as u64, "{count} records came to {datagrams} datagrams");
        self.record_length = usize::try_from(bytes / datagrams.max(1))?;
        Ok(())
    }

    fn open(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            match self.server.receive(&mut self.buffer) {
                Step::Done(length) => self.length = length,
                other => bail!("it does not arrive: {other:?}"),
            }
        }
        Ok(())
    }

    fn payload(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    fn record_length(&self) -> usize {
        self.record_length
    }
}
