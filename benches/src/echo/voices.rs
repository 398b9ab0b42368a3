//! What the clients say, and how they secure it.

use anyhow::{Context as _, anyhow, bail};
use iot_crypto::crypto::Provider;
use iot_crypto::dtls::{Client, ConnectionEvent, Datagram, PresharedKey, PskIdentity};
use iot_crypto::time::Instant;
use iot_crypto_host::os_provider;
use iot_crypto_peers::{
    Endpoint, Library, Link, LinkEnd, Session, Settings, Side, Step, Transport as _,
};

use super::Means;
use crate::contestant::{IDENTITY, KEY, MAX_DATAGRAM, our_config, our_credentials};

/// The time: nothing is lost, so that no timer is ever due.
const NOW: Instant = Instant::ZERO;

/// All clients of a crowd, by their numbers.
pub(super) trait Voices {
    /// One client more, whose number is how many there were before.
    fn add(&mut self) -> anyhow::Result<()>;

    /// What a client has to send so that it gets a session; `None` if that has to wait.
    fn poll_transmit(&mut self, client: usize, buffer: &mut [u8]) -> anyhow::Result<Option<usize>>;

    /// Whether it has one.
    fn is_connected(&mut self, client: usize) -> anyhow::Result<bool>;

    /// The datagram that carries `payload`.
    fn send(&mut self, client: usize, payload: &[u8], buffer: &mut [u8]) -> anyhow::Result<usize>;

    /// Takes a datagram; gives the payload, if it has one.
    fn receive<'d>(
        &mut self,
        client: usize,
        datagram: &'d mut [u8],
    ) -> anyhow::Result<Option<&'d [u8]>>;
}

/// The voices that `means` gives.
pub(super) fn voices(means: Means) -> anyhow::Result<Box<dyn Voices>> {
    Ok(match means {
        Means::Plain => Box::new(Plain),
        Means::Ours => Box::new(Ours::new(os_provider())?),
        Means::Peer(library) => Box::new(Peer::new(library)?),
    })
}

/// The settings of both sides of a peer.
pub(super) fn settings(library: Library) -> Settings {
    let max_datagram = (library != Library::TinyDtls).then_some(MAX_DATAGRAM);
    Settings { max_datagram, ..Settings::new(IDENTITY, &KEY) }
}

struct Plain;

impl Voices for Plain {
    fn add(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn poll_transmit(&mut self, _: usize, _: &mut [u8]) -> anyhow::Result<Option<usize>> {
        Ok(None)
    }

    fn is_connected(&mut self, _: usize) -> anyhow::Result<bool> {
        Ok(true)
    }

    fn send(&mut self, _: usize, payload: &[u8], buffer: &mut [u8]) -> anyhow::Result<usize> {
        buffer.get_mut(..payload.len()).context("too long")?.copy_from_slice(payload);
        Ok(payload.len())
    }

    fn receive<'d>(
        &mut self,
        _: usize,
        datagram: &'d mut [u8],
    ) -> anyhow::Result<Option<&'d [u8]>> {
        Ok(Some(datagram))
    }
}

struct Ours<P: Provider> {
    provider: P,
    identity: PskIdentity,
    key: PresharedKey,
    /// Each with whether it is connected.
    clients: Vec<(Client<P>, bool)>,
}

impl<P: Provider> Ours<P> {
    fn new(provider: P) -> anyhow::Result<Self> {
        let (identity, key) = our_credentials()?;
        Ok(Self { provider, identity, key, clients: Vec::new() })
    }
}

impl<P: Provider> Voices for Ours<P> {
    fn add(&mut self) -> anyhow::Result<()> {
        let Self { provider, identity, key, clients } = self;
        clients.push((Client::new(&our_config(), provider, NOW, identity, key.clone())?, false));
        Ok(())
    }

    fn poll_transmit(&mut self, client: usize, buffer: &mut [u8]) -> anyhow::Result<Option<usize>> {
        let (client, _) = self.clients.get_mut(client).context("no such client")?;
        Ok(client.poll_transmit(&mut self.provider, NOW, buffer)?)
    }

    fn is_connected(&mut self, client: usize) -> anyhow::Result<bool> {
        let (client, is_connected) = self.clients.get_mut(client).context("no such client")?;
        match client.poll_event() {
            Some(ConnectionEvent::Connected) => *is_connected = true,
            Some(other) => bail!("our client: {other:?}"),
            None => {}
        }
        Ok(*is_connected)
    }

    fn send(&mut self, client: usize, payload: &[u8], buffer: &mut [u8]) -> anyhow::Result<usize> {
        let (client, _) = self.clients.get_mut(client).context("no such client")?;
        Ok(client.send(&mut self.provider, NOW, payload, buffer)?)
    }

    fn receive<'d>(
        &mut self,
        client: usize,
        datagram: &'d mut [u8],
    ) -> anyhow::Result<Option<&'d [u8]>> {
        let (client, _) = self.clients.get_mut(client).context("no such client")?;
        let mut datagram = Datagram::new(datagram);
        Ok(client.handle_record(&mut self.provider, NOW, &mut datagram).map(|payload| &*payload))
    }
}

/// Clients of a peer. Their datagrams go through a queue each.
struct Peer {
    endpoint: Box<dyn Endpoint>,
    clients: Vec<PeerClient>,
}

struct PeerClient {
    session: Box<dyn Session>,
    end: LinkEnd,
    is_connected: bool,
}

impl Peer {
    fn new(library: Library) -> anyhow::Result<Self> {
        let endpoint = library.endpoint(Side::Client, &settings(library))?;
        Ok(Self { endpoint, clients: Vec::new() })
    }

    fn client(&mut self, client: usize) -> anyhow::Result<&mut PeerClient> {
        self.clients.get_mut(client).context("no such client")
    }
}

impl Voices for Peer {
    fn add(&mut self) -> anyhow::Result<()> {
        let link = Link::new();
        let session = self.endpoint.session(Box::new(link.end(Side::Client)))?;
        self.clients.push(PeerClient { session, end: link.end(Side::Server), is_connected: false });
        Ok(())
    }

    fn poll_transmit(&mut self, client: usize, buffer: &mut [u8]) -> anyhow::Result<Option<usize>> {
        let client = self.client(client)?;
        if !client.is_connected {
            match client.session.handshake() {
                Step::Done(()) => client.is_connected = true,
                Step::Waiting => {}
                other => bail!("a handshake: {other:?}"),
            }
        }
        Ok(client.end.receive(buffer))
    }

    fn is_connected(&mut self, client: usize) -> anyhow::Result<bool> {
        Ok(self.client(client)?.is_connected)
    }

    fn send(&mut self, client: usize, payload: &[u8], buffer: &mut [u8]) -> anyhow::Result<usize> {
        let client = self.client(client)?;
        match client.session.send(payload) {
            Step::Done(()) => client.end.receive(buffer).context("nothing was sent"),
            other => bail!("can't send: {other:?}"),
        }
    }

    fn receive<'d>(
        &mut self,
        client: usize,
        datagram: &'d mut [u8],
    ) -> anyhow::Result<Option<&'d [u8]>> {
        let client = self.client(client)?;
        client.end.send(datagram);
        if !client.is_connected {
            return Ok(None);
        }
        match client.session.receive(datagram) {
            Step::Done(length) => Ok(datagram.get(..length)),
            Step::Waiting => Ok(None),
            other => Err(anyhow!("can't receive: {other:?}")),
        }
    }
}
