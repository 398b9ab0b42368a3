//! Ours: a client and a server of the core, over any provider.

use anyhow::{Context as _, anyhow, ensure};
use iot_crypto::crypto::Provider;
use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, CookiePolicy, Datagram, PresharedKey, PskIdentity, Server,
    ServerConfig, ServerEvent,
};
use iot_crypto::time::Instant;
use iot_crypto_peers::{Link, LinkEnd, Side, Suite, Traffic, Transport as _, Version};

use super::raw::Raw;
use super::slots::Slots;
use super::{Connection, Contestant, IDENTITY, Idle, KEY, MAX_DATAGRAM};

/// The time: nothing is lost, so that no timer is ever due.
pub(super) const NOW: Instant = Instant::ZERO;
/// Room for a datagram.
pub(super) const BUFFER: usize = MAX_DATAGRAM as usize;
/// How many sessions a server has at most when only handshakes are measured.
const SESSIONS: usize = 1 << 20;

/// Ours, with the providers that `provider` makes.
pub(super) struct Ours<F> {
    name: &'static str,
    provider: F,
    link: Link,
    dtls: Config,
    identity: PskIdentity,
    key: PresharedKey,
}

impl<P: Provider, F: Fn() -> P> Ours<F> {
    /// # Panics
    /// Never: the key and its name are as long as they may be.
    #[allow(clippy::expect_used)]
    pub(super) fn new(name: &'static str, provider: F) -> Self {
        let identity = PskIdentity::new(IDENTITY.as_bytes()).expect("of 4 bytes");
        let key = PresharedKey::new(&KEY).expect("of 16 bytes");
        let dtls = Config { max_datagram: MAX_DATAGRAM.into(), ..Config::default() };
        Self { name, provider, link: Link::new(), dtls, identity, key }
    }

    fn listen(&self, cookies: CookiePolicy, sessions: usize) -> anyhow::Result<Listener<P>> {
        let mut provider = (self.provider)();
        let config = ServerConfig {
            dtls: self.dtls,
            cookies,
            max_sessions: sessions,
            ..ServerConfig::default()
        };
        let server = Server::new(config, &mut provider).map_err(no_random)?;
        let (identity, key) = (self.identity.clone(), self.key.clone());
        Ok(Listener { server, provider, end: self.link.end(Side::Server), identity, key })
    }

    /// A handshake with a client at `address`.
    fn handshake(
        &self,
        listener: &mut Listener<P>,
        provider: &mut P,
        address: Address,
    ) -> anyhow::Result<Client<P>> {
        let (mut buffer, end) = ([0; BUFFER], self.link.end(Side::Client));
        let mut client = Client::new(&self.dtls, provider, NOW, &self.identity, self.key.clone())
            .map_err(no_random)?;
        loop {
            while let Some(length) = client.poll_transmit(provider, NOW, &mut buffer)? {
                end.send(buffer.get(..length).unwrap_or_default());
            }
            listener.turn(address, &mut buffer)?;
            let mut moved = false;
            while let Some(length) = end.receive(&mut buffer) {
                let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
                while client.handle_record(provider, NOW, &mut datagram).is_some() {}
                moved = true;
            }
            match client.poll_event() {
                Some(ConnectionEvent::Connected) => return Ok(client),
                Some(other) => return Err(anyhow!("our client: {other:?}")),
                None => ensure!(moved, "our handshake does not go on"),
            }
        }
    }
}

fn no_random(error: iot_crypto::crypto::EntropyError) -> anyhow::Error {
    anyhow!("no random numbers: {error}")
}

/// An address in the benchmark's network: a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address(pub(super) u32);

impl iot_crypto::endpoint::Address for Address {
    fn with_port(self, _: u16) -> Self {
        self
    }
}

/// The server, and what belongs to it.
struct Listener<P: Provider> {
    server: Server<P, Address>,
    provider: P,
    end: LinkEnd,
    identity: PskIdentity,
    key: PresharedKey,
}

impl<P: Provider> Listener<P> {
    /// Takes what has come from `address`, and answers.
    fn turn(&mut self, address: Address, buffer: &mut [u8; BUFFER]) -> anyhow::Result<()> {
        let Self { server, provider, end, identity, key } = self;
        while let Some(length) = end.receive(buffer) {
            let mut datagram = Datagram::new(buffer.get_mut(..length).unwrap_or_default());
            while server.handle_record(provider, NOW, address, &mut datagram).is_some() {}
        }
        while let Some(event) = server.poll_event() {
            match event {
                ServerEvent::PskRequired { session, identity: name } => {
                    let key = (name == *identity).then(|| key.clone());
                    server.provide_psk(provider, NOW, session, key);
                }
                ServerEvent::Connected { .. } => {}
                other => return Err(anyhow!("our server: {other:?}")),
            }
        }
        while let Some((_, length)) = server.poll_transmit(provider, NOW, buffer)? {
            end.send(buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }
}

impl<P: Provider + 'static, F: Fn() -> P> Contestant for Ours<F> {
    fn name(&self) -> String {
        format!("IoT-Crypto ({})", self.name)
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn version(&self) -> Version {
        Version::Dtls12
    }

    fn suite(&self) -> Suite {
        Suite::ChaCha20Poly1305
    }

    fn always_demands_cookie(&self) -> bool {
        false
    }

    /// From one address after the other to one server, as the clients of a gateway.
    fn handshakes(&mut self, cookie: bool, count: usize) -> anyhow::Result<Traffic> {
        let cookies = if cookie { CookiePolicy::Always } else { CookiePolicy::Never };
        self.link.clear();
        let mut listener = self.listen(cookies, SESSIONS)?;
        let mut provider = (self.provider)();
        for number in 0..count {
            self.handshake(&mut listener, &mut provider, Address(number as u32))?;
        }
        Ok(self.link.sent())
    }

    fn connect(&mut self) -> anyhow::Result<Box<dyn Connection>> {
        self.link.clear();
        let mut listener = self.listen(CookiePolicy::Never, 1)?;
        let mut provider = (self.provider)();
        let client = self.handshake(&mut listener, &mut provider, Address(0))?;
        let records = Slots::default();
        Ok(Box::new(OurConnection { client, provider, listener, records }))
    }

    fn serve(&mut self, sessions: usize) -> anyhow::Result<Box<dyn Idle>> {
        self.link.clear();
        let mut listener = self.listen(CookiePolicy::Always, sessions)?;
        let mut provider = (self.provider)();
        for number in 0..sessions {
            self.handshake(&mut listener, &mut provider, Address(number as u32))?;
        }
        ensure!(listener.server.len() == sessions, "our server has fewer sessions");
        Ok(Box::new(listener))
    }

    fn heap_is_rust(&self) -> bool {
        true
    }

    fn raw(&self) -> Option<Box<dyn Connection>> {
        Some(Box::new(Raw::new((self.provider)())))
    }
}

impl<P: Provider> Idle for Listener<P> {}

/// Our client seals, and our server opens, in place.
struct OurConnection<P: Provider> {
    client: Client<P>,
    provider: P,
    listener: Listener<P>,
    records: Slots,
}

impl<P: Provider> Connection for OurConnection<P> {
    fn seal(&mut self, payload: &[u8], count: usize) -> anyhow::Result<()> {
        let Self { client, provider, records, .. } = self;
        for (buffer, length) in records.begin(count) {
            *length = client.send(provider, NOW, payload, buffer)?;
        }
        Ok(())
    }

    fn open(&mut self, count: usize) -> anyhow::Result<()> {
        let Listener { server, provider, .. } = &mut self.listener;
        self.records.open(count, |record| {
            let mut datagram = Datagram::new(record);
            let received = server.handle_record(provider, NOW, Address(0), &mut datagram);
            Ok(received.context("our record was not taken")?.payload)
        })
    }

    fn payload(&self) -> &[u8] {
        self.records.payload()
    }

    fn record_length(&self) -> usize {
        self.records.length()
    }
}
