//! What the unit tests share: two sides of DTLS, and all that passes between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chacha20::ChaCha20Rng;
use iot_crypto::crypto::{KeyLog, KeyLogLabel, RustCrypto};
use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, SingleServer,
};
use iot_crypto::time::Instant;
use rand_core::SeedableRng as _;

use crate::key_log::KeyLogLine;

/// A provider whose randomness follows from `seed`.
pub(crate) fn provider(seed: u8) -> RustCrypto<ChaCha20Rng> {
    RustCrypto::new(ChaCha20Rng::from_seed([seed; 32]))
}

/// What passed between the two sides, as the server's machine sees it.
#[derive(Clone, Debug)]
pub(crate) enum Passed {
    Up(Vec<u8>),
    Down(Vec<u8>),
    Secret(KeyLogLine),
}

/// All of it, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Passed>>>);

impl Log {
    fn push(&self, passed: Passed) {
        self.0.lock().unwrap().push(passed);
    }

    /// What passed so far; from now on, it is forgotten.
    pub(crate) fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl KeyLog for Log {
    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.push(Passed::Secret(KeyLogLine::new(label, client_random, secret).unwrap()));
    }
}

/// The provider of the server, which logs.
type Logging = RustCrypto<ChaCha20Rng, Log>;

/// A client and a server that are connected.
pub(crate) struct Pair {
    pub(crate) log: Log,
    client: Client<RustCrypto<ChaCha20Rng>>,
    server: SingleServer<Logging>,
    client_provider: RustCrypto<ChaCha20Rng>,
    server_provider: Logging,
}

pub(crate) const NOW: Instant = Instant::ZERO;

pub(crate) fn client_address() -> SocketAddr {
    ([192, 0, 2, 1], 50_000).into()
}

pub(crate) fn server_address() -> SocketAddr {
    ([192, 0, 2, 2], 4442).into()
}

impl Pair {
    /// Two that have connected, under a PSK identity.
    pub(crate) fn connected(seed: u8, identity: &[u8]) -> Self {
        let log = Log::default();
        let mut client_provider = provider(seed);
        let mut server_provider = provider(seed ^ 0xff).with_key_log(log.clone());
        let config = Config::default();
        let identity = PskIdentity::new(identity).unwrap();
        let key = PresharedKey::new(&[seed; 32]).unwrap();
        let client = Client::new(&config, &mut client_provider, NOW, &identity, key).unwrap();
        let server = SingleServer::new(&config, &mut server_provider).unwrap();
        let mut pair = Self { log, client, server, client_provider, server_provider };
        pair.carry(&PresharedKey::new(&[seed; 32]).unwrap());
        assert!(pair.client.is_connected() && pair.server.is_connected());
        pair
    }

    fn carry(&mut self, key: &PresharedKey) {
        let mut buffer = [0; 2048];
        loop {
            let mut quiet = true;
            let provider = &mut self.client_provider;
            while let Some(length) = self.client.poll_transmit(provider, NOW, &mut buffer).unwrap()
            {
                quiet = false;
                let bytes = &mut buffer[..length];
                self.log.push(Passed::Up(bytes.to_vec()));
                let mut datagram = Datagram::new(bytes);
                let provider = &mut self.server_provider;
                while self.server.handle_record(provider, NOW, &mut datagram).is_some() {}
            }
            let provider = &mut self.server_provider;
            while let Some(event) = self.server.poll_event() {
                if let ConnectionEvent::PskRequired(identity) = event {
                    self.server.provide_psk(provider, NOW, &identity, Some(key.clone()));
                }
            }
            while let Some(length) = self.server.poll_transmit(provider, NOW, &mut buffer).unwrap()
            {
                quiet = false;
                let bytes = &mut buffer[..length];
                self.log.push(Passed::Down(bytes.to_vec()));
                let mut datagram = Datagram::new(bytes);
                let provider = &mut self.client_provider;
                while self.client.handle_record(provider, NOW, &mut datagram).is_some() {}
            }
            while self.client.poll_event().is_some() {}
            if quiet {
                return;
            }
        }
    }

    /// The client sends `payload`.
    pub(crate) fn up(&mut self, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let provider = &mut self.client_provider;
        let length = self.client.send(provider, NOW, payload, &mut buffer).unwrap();
        self.log.push(Passed::Up(buffer[..length].to_vec()));
    }

    /// The server sends `payload`.
    pub(crate) fn down(&mut self, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let provider = &mut self.server_provider;
        let length = self.server.send(provider, NOW, payload, &mut buffer).unwrap();
        self.log.push(Passed::Down(buffer[..length].to_vec()));
    }

    /// The client ends the session.
    pub(crate) fn close(&mut self) {
        self.client.close(NOW);
        let mut buffer = [0; 2048];
        let provider = &mut self.client_provider;
        let length = self.client.poll_transmit(provider, NOW, &mut buffer).unwrap().unwrap();
        self.log.push(Passed::Up(buffer[..length].to_vec()));
    }
}
