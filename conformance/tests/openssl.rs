//! Our DTLS against OpenSSL's, on real sockets: `openssl s_server` and
//! `openssl s_client`, with and without cookies, at a small and a usual MTU.
//!
//! Without an `openssl` the tests say so and pass, unless `CI` is `true`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iot_crypto::dtls::{
    CloseReason, Config, ConnectionEvent, CookiePolicy, PresharedKey, PskIdentity, ServerConfig,
    ServerEvent, SessionId,
};
use iot_crypto_conformance::udp::{UdpClient, UdpServer};

const OPENSSL: &str = "openssl";
const SUITE: &str = "PSK-CHACHA20-POLY1305";
const IDENTITY: &str = "dev1";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const WRONG_KEY: &str = "ff0102030405060708090a0b0c0d0e0f";
/// Far longer than anything takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn available() -> bool {
    let found = Command::new(OPENSSL).arg("version").output().is_ok();
    if !found {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "openssl is required here and was not found");
        eprintln!("SKIPPED: openssl was not found");
    }
    found
}

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

/// A running `openssl`, ended when it goes out of scope.
struct OpenSsl {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl OpenSsl {
    fn run(arguments: &[&str]) -> Self {
        let mut child = Command::new(OPENSSL)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        let stdin = child.stdin.take();
        Self { child, stdin, output }
    }

    fn server(port: u16, extra: &[&str]) -> Self {
        let accept = format!("127.0.0.1:{port}");
        let mut arguments = vec!["s_server", "-dtls1_2", "-psk", KEY, "-nocert"];
        arguments.extend(["-psk_identity", IDENTITY, "-cipher", SUITE, "-accept", &accept]);
        arguments.extend(extra);
        Self::run(&arguments)
    }

    fn client(server: SocketAddr, key: &str, extra: &[&str]) -> Self {
        let connect = server.to_string();
        let mut arguments = vec!["s_client", "-dtls1_2", "-psk", key, "-psk_identity", IDENTITY];
        arguments.extend(["-cipher", SUITE, "-connect", &connect]);
        arguments.extend(extra);
        Self::run(&arguments)
    }

    fn say(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Ends its input.
    fn hang_up(&mut self) {
        self.stdin = None;
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(buffer.get(..length).unwrap());
        }
    });
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A client of ours, connected with an `s_server`.
fn client_of(port: u16, mtu: usize, server: &OpenSsl) -> UdpClient {
    let mut client = UdpClient::connect(loopback(port), &config(mtu), &identity(), key()).unwrap();
    let done = client.run_until(PATIENCE, |client| !client.events.is_empty()).unwrap();
    assert!(done, "no event; openssl said: {}", server.output());
    assert_eq!(client.events.pop_front(), Some(ConnectionEvent::Connected));
    client
}

/// Data from the client to `s_server`, and back.
fn exchange_with_server(client: &mut UdpClient, server: &mut OpenSsl) {
    client.send(b"from the device\n").unwrap();
    wait_for("data at s_server", || server.output().contains("from the device"));
    server.say("to the device\n");
    assert!(client.run_until(PATIENCE, |client| !client.received.is_empty()).unwrap());
    assert_eq!(client.received.pop_front().unwrap(), b"to the device\n");
}

#[test]
fn our_client_and_s_server_talk_with_and_without_cookies_at_both_mtus() {
    if !available() {
        return;
    }
    for mtu in ["256", "1400"] {
        for extra in [&["-listen"][..], &[], &["-psk_hint", "a hint"]] {
            let port = free_port();
            let mut arguments = vec!["-quiet", "-mtu", mtu];
            arguments.extend(extra);
            let mut server = OpenSsl::server(port, &arguments);
            let mut client = client_of(port, mtu.parse().unwrap(), &server);
            exchange_with_server(&mut client, &mut server);
        }
    }
}

// The other way round can't be shown: s_server closes its socket before it could
// send a close_notify. s_client does, below.
#[test]
fn s_server_takes_the_close_of_our_client() {
    if !available() {
        return;
    }
    let port = free_port();
    let server = OpenSsl::server(port, &[]);
    let mut client = client_of(port, 1400, &server);
    client.close();
    assert!(client.run_until(PATIENCE, |client| !client.events.is_empty()).unwrap());
    wait_for("the end at s_server", || server.output().contains("DONE"));
}

#[test]
fn our_client_with_a_wrong_key_fails_at_its_deadline() {
    if !available() {
        return;
    }
    let port = free_port();
    let _server = OpenSsl::server(port, &["-quiet"]);
    let config = Config { handshake_timeout: Duration::from_secs(2), ..config(1400) };
    let wrong = PresharedKey::new(&[1; 16]).unwrap();
    let mut client = UdpClient::connect(loopback(port), &config, &identity(), wrong).unwrap();
    assert!(client.run_until(PATIENCE, |client| !client.events.is_empty()).unwrap());
    let event = client.events.pop_front();
    assert!(
        matches!(
            event,
            Some(ConnectionEvent::Closed(
                CloseReason::HandshakeTimeout { .. } | CloseReason::Alert(_)
            ))
        ),
        "{event:?}"
    );
}

fn server_of(cookies: CookiePolicy, mtu: usize) -> UdpServer {
    let dtls = Config { handshake_timeout: Duration::from_secs(2), ..config(mtu) };
    let config = ServerConfig { dtls, cookies, ..ServerConfig::default() };
    UdpServer::bind(config, identity(), key()).unwrap()
}

fn connected(server: &mut UdpServer, client: &OpenSsl) -> SessionId {
    let done = server.run_until(PATIENCE, |server| !server.events.is_empty()).unwrap();
    assert!(done, "no event; openssl said: {}", client.output());
    match server.events.pop_front() {
        Some(ServerEvent::Connected { session, identity: name, .. }) if name == identity() => {
            session
        }
        other => panic!("{other:?}; openssl said: {}", client.output()),
    }
}

/// Data from `s_client` to the server, and back.
fn exchange_with_client(server: &mut UdpServer, session: SessionId, client: &mut OpenSsl) {
    client.say("from openssl\n");
    assert!(server.run_until(PATIENCE, |server| !server.received.is_empty()).unwrap());
    assert_eq!(server.received.pop_front(), Some((session, b"from openssl\n".to_vec())));
    server.send(session, b"to openssl\n").unwrap();
    wait_for("data at s_client", || client.output().contains("to openssl"));
}

#[test]
fn s_client_and_our_server_talk_with_and_without_cookies_at_both_mtus() {
    if !available() {
        return;
    }
    for mtu in ["256", "1400"] {
        for cookies in [CookiePolicy::Always, CookiePolicy::Never] {
            let mut server = server_of(cookies, mtu.parse().unwrap());
            let address = server.address().unwrap();
            let mut client = OpenSsl::client(address, KEY, &["-quiet", "-mtu", mtu]);
            let session = connected(&mut server, &client);
            exchange_with_client(&mut server, session, &mut client);
        }
    }
}

#[test]
fn either_of_s_client_and_our_server_may_close() {
    if !available() {
        return;
    }
    // s_client closes at the end of its input.
    let mut server = server_of(CookiePolicy::Always, 1400);
    let mut client = OpenSsl::client(server.address().unwrap(), KEY, &[]);
    let session = connected(&mut server, &client);
    exchange_with_client(&mut server, session, &mut client);
    client.hang_up();
    assert!(server.run_until(PATIENCE, |server| !server.events.is_empty()).unwrap());
    let reason = CloseReason::ByPeer;
    assert_eq!(server.events.pop_front(), Some(ServerEvent::Closed { session, reason }));

    // Ours closes: s_client ends.
    let mut client = OpenSsl::client(server.address().unwrap(), KEY, &["-quiet"]);
    let session = connected(&mut server, &client);
    server.close(session);
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "openssl said: {}", client.output());
}

#[test]
fn s_client_with_a_wrong_key_fails_and_our_server_knows_why() {
    if !available() {
        return;
    }
    let mut server = server_of(CookiePolicy::Always, 1400);
    let mut client = OpenSsl::client(server.address().unwrap(), WRONG_KEY, &["-quiet"]);
    assert!(server.run_until(PATIENCE, |server| !server.events.is_empty()).unwrap());
    let event = server.events.pop_front();
    let reason = CloseReason::HandshakeTimeout { undecryptable: true };
    assert!(
        matches!(&event, Some(ServerEvent::Closed { reason: why, .. }) if *why == reason),
        "{event:?}"
    );
    // Told by the alert, it does not go on until its own patience ends.
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "openssl said: {}", client.output());
}
