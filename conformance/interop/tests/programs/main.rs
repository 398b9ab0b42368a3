//! Our DTLS against the programs of OpenSSL and GnuTLS: what can be repeated by hand,
//! and needs nothing to be linked.
//!
//! Without a program its tests say so and pass, unless `CI` is `true`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod gnutls;
mod openssl;
mod program;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use iot_crypto::dtls::{Config, CookiePolicy, PresharedKey, PskIdentity, ServerConfig};
use iot_crypto_interop::ours::{Event, Ours};

use program::Program;

const IDENTITY: &str = "dev1";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const WRONG_KEY: &str = "ff0102030405060708090a0b0c0d0e0f";
/// Far longer than anything takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn identity() -> PskIdentity {
    PskIdentity::new(IDENTITY.as_bytes()).unwrap()
}

fn key() -> PresharedKey {
    PresharedKey::new(&core::array::from_fn::<u8, 16, _>(|i| i as u8)).unwrap()
}

/// Quick repetitions, a datagram limit that fits the MTU over IPv4.
fn config(mtu: usize) -> Config {
    Config {
        max_datagram: mtu - 28,
        retransmission: Duration::from_millis(200),
        ..Config::default()
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Lets ours go on until it reports something.
fn event_of(ours: &mut Ours, program: &Program) -> Event {
    let done = ours.run_until(PATIENCE, |ours| !ours.events.is_empty()).unwrap();
    assert!(done, "no event; the program said: {}", program.output());
    ours.events.pop_front().unwrap()
}

/// Lets ours go on until data has come.
fn data_of(ours: &mut Ours, program: &Program) -> Vec<u8> {
    let done = ours.run_until(PATIENCE, |ours| !ours.received.is_empty()).unwrap();
    assert!(done, "no data; the program said: {}", program.output());
    ours.received.pop_front().unwrap()
}

/// A client of ours, connected with a server that listens or soon will.
fn client_of(port: u16, mtu: usize, server: &Program) -> Ours {
    let mut client = Ours::client(loopback(port), &config(mtu), &identity(), key()).unwrap();
    let event = event_of(&mut client, server);
    assert_eq!(event, Event::Connected, "the program said: {}", server.output());
    client
}

/// A server of ours, which gives up on a handshake soon.
fn server_of(cookies: CookiePolicy, mtu: usize) -> Ours {
    let dtls = Config { handshake_timeout: Duration::from_secs(2), ..config(mtu) };
    let config = ServerConfig { dtls, cookies, ..ServerConfig::default() };
    Ours::server(config, identity(), key()).unwrap()
}

fn connected(server: &mut Ours, client: &Program) {
    let event = event_of(server, client);
    assert_eq!(event, Event::Connected, "the program said: {}", client.output());
}
