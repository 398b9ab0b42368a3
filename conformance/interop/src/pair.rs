//! An end of ours and one of a peer, with a relay between them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use iot_crypto::dtls::{
    CloseReason, Config, CookiePolicy, PresharedKey, PskIdentity, ServerConfig,
};

use crate::ours::{Event, Ours};
use crate::peer::{Library, Peer, Settings, Side, Status};
use crate::relay::{Faults, Relay};
use crate::traffic::Traffic;

/// Far longer than anything takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to sleep when nothing happened.
const IDLE: Duration = Duration::from_millis(1);

/// Which side ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Our client, the peer's server.
    OurClient,
    /// Our server, the peer's client.
    OurServer,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OurClient, Self::OurServer];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OurClient => "our client",
            Self::OurServer => "our server",
        }
    }
}

/// What a pair is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Our sizes and times.
    pub ours: Config,
    /// When our server demands a cookie.
    pub cookies: CookiePolicy,
    /// Our key.
    pub key: Vec<u8>,
    /// What the peer is configured with.
    pub theirs: Settings,
    /// What the relay does to datagrams.
    pub faults: Faults,
    /// What the faults follow from.
    pub seed: u8,
}

impl Default for Setup {
    /// The same key of 16 bytes on both sides, no cookie, all as large as it can be,
    /// quick repetitions, no faults.
    fn default() -> Self {
        let key: Vec<u8> = (0..16).collect();
        Self {
            ours: Config {
                max_datagram: Config::MAX_DATAGRAM,
                retransmission: Duration::from_millis(200),
                retransmission_limit: Duration::from_secs(2),
                handshake_timeout: PATIENCE,
                ..Config::default()
            },
            cookies: CookiePolicy::Never,
            theirs: Settings::new("device 1", &key),
            key,
            faults: Faults::default(),
            seed: 0,
        }
    }
}

/// Where our connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OurStatus {
    /// The handshake goes on.
    Handshaking,
    /// The handshake has ended.
    Connected,
    /// It is closed.
    Closed(CloseReason),
}

/// Both ends of a connection, and the relay between them.
pub struct Pair {
    direction: Direction,
    /// Our end.
    pub ours: Ours,
    /// The peer's end.
    pub theirs: Peer,
    relay: Relay,
    our_status: OurStatus,
}

impl Pair {
    /// Both ends, which begin their handshake when they turn.
    ///
    /// # Errors
    /// If an end does not take its settings, or there is no socket.
    pub fn new(library: Library, direction: Direction, setup: &Setup) -> anyhow::Result<Self> {
        let identity = PskIdentity::new(setup.theirs.identity.as_bytes()).context("identity")?;
        let key = PresharedKey::new(&setup.key).context("key")?;
        let mut relay = Relay::new(setup.faults, setup.seed)?;
        let (ours, theirs) = match direction {
            Direction::OurClient => {
                let theirs = Peer::new(library, Side::Server, &setup.theirs, relay.back()?)?;
                relay.set_server(theirs.address());
                (Ours::client(relay.front()?, &setup.ours, &identity, key)?, theirs)
            }
            Direction::OurServer => {
                let (dtls, cookies) = (setup.ours, setup.cookies);
                let config = ServerConfig { dtls, cookies, ..ServerConfig::default() };
                let ours = Ours::server(config, identity, key)?;
                relay.set_server(ours.address()?);
                (ours, Peer::new(library, Side::Client, &setup.theirs, relay.front()?)?)
            }
        };
        Ok(Self { direction, ours, theirs, relay, our_status: OurStatus::Handshaking })
    }

    /// Both ends, with their handshake behind them.
    ///
    /// # Errors
    /// If they don't come to that.
    pub fn connected(
        library: Library,
        direction: Direction,
        setup: &Setup,
    ) -> anyhow::Result<Self> {
        let mut pair = Self::new(library, direction, setup)?;
        pair.run_until("both are connected", |pair| {
            match (pair.our_status, pair.theirs.status()) {
                (OurStatus::Closed(reason), _) => bail!("our handshake failed: {reason}"),
                (_, Status::Failed(why)) => bail!("the peer's handshake failed: {why}"),
                (ours, theirs) => Ok(ours == OurStatus::Connected && *theirs == Status::Connected),
            }
        })?;
        Ok(pair)
    }

    /// Where our connection is.
    #[must_use]
    pub fn our_status(&self) -> OurStatus {
        self.our_status
    }

    /// What we have sent.
    #[must_use]
    pub fn from_us(&self) -> &Traffic {
        match self.direction {
            Direction::OurClient => self.relay.from_client(),
            Direction::OurServer => self.relay.from_server(),
        }
    }

    /// What the peer has sent.
    #[must_use]
    pub fn from_them(&self) -> &Traffic {
        match self.direction {
            Direction::OurClient => self.relay.from_server(),
            Direction::OurServer => self.relay.from_client(),
        }
    }

    /// What the server has sent, whichever it is.
    #[must_use]
    pub fn from_server(&self) -> &Traffic {
        self.relay.from_server()
    }

    /// Lets everything go on until `done`.
    ///
    /// # Errors
    /// What `done` finds wrong, or that `what` does not become true.
    pub fn run_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let moved = self.turn()?;
            if done(self)? {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "it does not come to pass that {what}; we are {:?}, the peer is {:?}",
                self.our_status,
                self.theirs.status()
            );
            if !moved {
                std::thread::sleep(IDLE);
            }
        }
    }

    fn turn(&mut self) -> anyhow::Result<bool> {
        let moved = [self.ours.turn()?, self.relay.turn()?, self.theirs.turn()];
        while let Some(event) = self.ours.events.pop_front() {
            self.our_status = match event {
                Event::Connected => OurStatus::Connected,
                Event::Closed(reason) => OurStatus::Closed(reason),
            };
        }
        Ok(moved.contains(&true))
    }

    /// Sends `payload` to the peer, and sees that it comes as it is.
    ///
    /// # Errors
    /// If it does not.
    pub fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.ours.send(payload)?;
        let what = format!("our {} bytes are received", payload.len());
        self.run_until(&what, |pair| Ok(!pair.theirs.received.is_empty()))?;
        let received = self.theirs.received.pop_front();
        ensure!(received.as_deref() == Some(payload), "other bytes came than we sent");
        Ok(())
    }

    /// Lets the peer send `payload` to us, and sees that it comes as it is.
    ///
    /// # Errors
    /// If it does not.
    pub fn receive(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        self.theirs.send(payload)?;
        let what = format!("the peer's {} bytes are received", payload.len());
        self.run_until(&what, |pair| Ok(!pair.ours.received.is_empty()))?;
        let received = self.ours.received.pop_front();
        ensure!(received.as_deref() == Some(payload), "other bytes came than the peer sent");
        Ok(())
    }

    /// A payload each way.
    ///
    /// # Errors
    /// If one does not come as it is.
    pub fn exchange(&mut self) -> anyhow::Result<()> {
        self.send(b"from us")?;
        self.receive(b"from the peer")
    }
}
