//! `gnutls-serv` and `gnutls-cli`, with and without cookies, at a small and a usual
//! MTU.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use iot_crypto::dtls::{CloseReason, Config, CookiePolicy, PresharedKey};
use iot_crypto_interop::ours::{Event, Ours};
use tempfile::NamedTempFile;

use super::program::{self, Program};
use super::{
    IDENTITY, KEY, PATIENCE, WRONG_KEY, client_of, config, connected, data_of, event_of, free_port,
    identity, loopback, server_of,
};

const PRIORITY: &str = "NONE:+VERS-DTLS1.2:+PSK:+CHACHA20-POLY1305:+AEAD:+SHA256:+COMP-NULL:\
                        +SIGN-ALL:+GROUP-ALL";

fn available() -> bool {
    program::available("gnutls-cli", "gnutls-bin")
}

/// A server that sends back what it gets, and the file with its key.
fn gnutls_serv(port: u16, extra: &[&str]) -> (Program, NamedTempFile) {
    let mut keys = NamedTempFile::new().unwrap();
    writeln!(keys, "{IDENTITY}:{KEY}").unwrap();
    let port = port.to_string();
    let mut arguments = vec!["--udp", "--echo", "--priority", PRIORITY, "--port", &port];
    arguments.extend(["--pskpasswd", keys.path().to_str().unwrap()]);
    arguments.extend(extra);
    (Program::run("gnutls-serv", &arguments), keys)
}

fn gnutls_cli(server: SocketAddr, key: &str, mtu: &str) -> Program {
    let port = server.port().to_string();
    let mut arguments = vec!["--udp", "--mtu", mtu, "--priority", PRIORITY, "--port", &port];
    arguments.extend(["--pskusername", IDENTITY, "--pskkey", key, "127.0.0.1"]);
    Program::run("gnutls-cli", &arguments)
}

#[test]
fn our_client_and_gnutls_serv_talk_with_and_without_cookies_at_both_mtus() {
    if !available() {
        return;
    }
    for mtu in ["256", "1400"] {
        for extra in [&[][..], &["--nocookie"], &["--pskhint", "a hint"]] {
            let port = free_port();
            let mut arguments = vec!["--mtu", mtu];
            arguments.extend(extra);
            let (server, _keys) = gnutls_serv(port, &arguments);
            let mut client = client_of(port, mtu.parse().unwrap(), &server);
            client.send(b"from the device\n").unwrap();
            assert_eq!(data_of(&mut client, &server), b"from the device\n");
        }
    }
}

#[test]
fn gnutls_serv_answers_the_close_of_our_client_and_takes_the_next_one() {
    if !available() {
        return;
    }
    let port = free_port();
    let (server, _keys) = gnutls_serv(port, &[]);
    for _ in 0..2 {
        // It serves one client at a time: the next comes in once the first has gone.
        let mut client = client_of(port, 1400, &server);
        client.close();
        event_of(&mut client, &server);
    }
}

#[test]
fn our_client_with_a_wrong_key_fails_with_gnutls_serv() {
    if !available() {
        return;
    }
    let port = free_port();
    let (server, _keys) = gnutls_serv(port, &[]);
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
fn gnutls_cli_and_our_server_talk_with_and_without_cookies_at_both_mtus() {
    if !available() {
        return;
    }
    for mtu in ["256", "1400"] {
        for cookies in [CookiePolicy::Always, CookiePolicy::Never] {
            let mut server = server_of(cookies, mtu.parse().unwrap());
            let mut client = gnutls_cli(server.address().unwrap(), KEY, mtu);
            connected(&mut server, &client);
            client.say("from gnutls\n");
            assert_eq!(data_of(&mut server, &client), b"from gnutls\n");
            server.send(b"to gnutls\n").unwrap();
            client.wait_for("to gnutls");
        }
    }
}

#[test]
fn either_of_gnutls_cli_and_our_server_may_close() {
    if !available() {
        return;
    }
    // gnutls-cli closes at the end of its input.
    let mut server = server_of(CookiePolicy::Always, 1400);
    let mut client = gnutls_cli(server.address().unwrap(), KEY, "1400");
    connected(&mut server, &client);
    client.hang_up();
    assert_eq!(event_of(&mut server, &client), Event::Closed(CloseReason::ByPeer));

    let mut client = gnutls_cli(server.address().unwrap(), KEY, "1400");
    connected(&mut server, &client);
    server.close();
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "gnutls-cli said: {}", client.output());
}

#[test]
fn gnutls_cli_with_a_wrong_key_fails_and_our_server_knows_why() {
    if !available() {
        return;
    }
    let mut server = server_of(CookiePolicy::Always, 1400);
    let mut client = gnutls_cli(server.address().unwrap(), WRONG_KEY, "1400");
    let reason = CloseReason::HandshakeTimeout { undecryptable: true };
    assert_eq!(event_of(&mut server, &client), Event::Closed(reason));
    // Told by the alert, it does not go on until its own patience ends.
    let ended = server.run_until(PATIENCE, |_| client.has_ended()).unwrap();
    assert!(ended, "gnutls-cli said: {}", client.output());
}
