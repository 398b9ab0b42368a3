//! `openssl s_server` and `openssl s_client`, with and without cookies, at a small
//! and a usual MTU.

use std::net::SocketAddr;
use std::time::Duration;

use iot_crypto::dtls::{CloseReason, Config, CookiePolicy, PresharedKey};
use iot_crypto_interop::ours::{Event, Ours};

use super::program::{self, Program};
use super::{
    IDENTITY, KEY, PATIENCE, WRONG_KEY, client_of, config, connected, data_of, event_of, free_port,
    identity, loopback, server_of,
};

const OPENSSL: &str = "openssl";
const SUITE: &str = "PSK-CHACHA20-POLY1305";

fn available() -> bool {
    program::available(OPENSSL, "openssl")
}

fn s_server(port: u16, extra: &[&str]) -> Program {
    let accept = format!("127.0.0.1:{port}");
    let mut arguments = vec!["s_server", "-dtls1_2", "-psk", KEY, "-nocert"];
    arguments.extend(["-psk_identity", IDENTITY, "-cipher", SUITE, "-accept", &accept]);
    arguments.extend(extra);
    Program::run(OPENSSL, &arguments)
}

fn s_client(server: SocketAddr, key: &str, extra: &[&str]) -> Program {
    let connect = server.to_string();
    let mut arguments = vec!["s_client", "-dtls1_2", "-psk", key, "-psk_identity", IDENTITY];
    arguments.extend(["-cipher", SUITE, "-connect", &connect]);
    arguments.extend(extra);
    Program::run(OPENSSL, &arguments)
}

/// Data from the client to `s_server`, and back.
fn exchange_with_server(client: &mut Ours, server: &mut Program) {
    client.send(b"from the device\n").unwrap();
    server.wait_for("from the device");
    server.say("to the device\n");
    assert_eq!(data_of(client, server), b"to the device\n");
}

/// Data from `s_client` to the server, and back.
fn exchange_with_client(server: &mut Ours, client: &mut Program) {
    client.say("from openssl\n");
    assert_eq!(data_of(server, client), b"from openssl\n");
    server.send(b"to openssl\n").unwrap();
    client.wait_for("to openssl");
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
            let mut server = s_server(port, &arguments);
            let mut client = client_of(port, mtu.parse().unwrap(), &server);
            exchange_with_server(&mut client, &mut server);
        }
    }
}

// The other way round can't be shown: s_server closes its socket before it could
// send a close_notify. The matrix shows it with the library.
#[test]
fn s_server_takes_the_close_of_our_client() {
    if !available() {
        return;
    }
    let port = free_port();
    let server = s_server(port, &[]);
    let mut client = client_of(port, 1400, &server);
    client.close();
    event_of(&mut client, &server);
    server.wait_for("DONE");
}

#[test]
fn our_client_with_a_wrong_key_fails_at_its_deadline() {
    if !available() {
        return;
    }
    let port = free_port();
    let server = s_server(port, &["-quiet"]);
    let config = Config { handshake_timeout: Duration::from_secs(2), ..config(1400) };
    let wrong = PresharedKey::new(&[1; 16]).unwrap();
    let mut client = Ours::client(loopback(port), &config, &identity(), wrong).unwrap();
    let event = event_of(&mut client, &server);
    assert!(
        matches!(
            event,
            Event::Closed(CloseReason::HandshakeTimeout { .. } | CloseReason::Alert(_))
        ),
        "{event:?}"
    );
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
            let mut client = s_client(address, KEY, &["-quiet", "-mtu", mtu]);
            connected(&mut server, &client);
            exchange_with_client(&mut server, &mut client);
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
    let mut client = s_client(server.address().unwrap(), KEY, &[]);
    connected(&mut server, &client);
    exchange_with_client(&mut server, &mut client);
    client.hang_up();
    assert_eq!(event_of(&mut server, &client), Event::Closed(CloseReason::ByPeer));

    // Ours closes: s_client ends.
    let mut client = s_client(server.address().unwrap(), KEY, &["-quiet"]);
    connected(&mut server, &client);
    server.close();
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "openssl said: {}", client.output());
}

#[test]
fn s_client_with_a_wrong_key_fails_and_our_server_knows_why() {
    if !available() {
        return;
    }
    let mut server = server_of(CookiePolicy::Always, 1400);
    let mut client = s_client(server.address().unwrap(), WRONG_KEY, &["-quiet"]);
    let reason = CloseReason::HandshakeTimeout { undecryptable: true };
    assert_eq!(event_of(&mut server, &client), Event::Closed(reason));
    // Told by the alert, it does not go on until its own patience ends.
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "openssl said: {}", client.output());
}
