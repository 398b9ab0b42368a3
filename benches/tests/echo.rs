//! Echoes come back from a server in a process of its own, whatever secures them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use iot_crypto_bench::echo::{Crowd, Means, Running};
use iot_crypto_bench::question::{Effort, echo};
use iot_crypto_peers::Library;

const PROGRAM: &str = env!("CARGO_BIN_EXE_iot-crypto-bench");

fn means() -> Vec<Means> {
    let linked = |library: &Library| library.version().is_some();
    let peers = Library::ALL.into_iter().filter(linked);
    // The servers of these don't answer without a cookie, which is bound to an address
    // that they are not told.
    let peers = peers.filter(|library| !matches!(library, Library::WolfSsl | Library::TinyDtls));
    [Means::Plain, Means::Ours].into_iter().chain(peers.map(Means::Peer)).collect()
}

#[test]
fn every_client_hears_what_it_said() {
    for means in means() {
        let mut server = Running::start(Path::new(PROGRAM), means, 5).unwrap();
        let mut crowd = Crowd::connect(server.address(), means, 5, 100).unwrap();
        let before = server.processor_time().unwrap();
        let echoes = crowd.talk(3, Duration::from_millis(20)).unwrap();
        assert!(echoes.count >= 16, "{means}: {echoes:?}");
        assert!(echoes.elapsed >= Duration::from_millis(20));
        assert!(server.processor_time().unwrap() >= before);
    }
}

#[test]
fn what_the_server_does_not_understand_is_no_echo() {
    let server = Running::start(Path::new(PROGRAM), Means::Ours, 1).unwrap();
    let mut crowd = Crowd::connect(server.address(), Means::Plain, 1, 100).unwrap();
    let error = crowd.talk(1, Duration::from_millis(20)).unwrap_err();
    assert!(error.to_string().contains("the server doesn't answer"), "{error:#}");
}

#[test]
fn plain_sockets_are_what_the_others_are_compared_with() {
    let effort = Effort { rounds: 1, each: Duration::from_millis(1) };
    let answer = echo::measure(Path::new(PROGRAM), &[], &[(2, 1), (3, 2)], effort).unwrap();
    assert_eq!(answer.crowds.len(), 2);
    for crowd in &answer.crowds {
        let first = crowd.rows.first().unwrap();
        assert_eq!((first.ours, first.ratio.median), (false, 1.0));
        assert_eq!(crowd.rows.iter().filter(|row| row.ours).count(), 1);
        assert!(crowd.rows.iter().all(|row| row.per_second.median > 0.0));
    }
}

#[test]
fn a_crowd_that_is_none_is_refused() {
    for crowds in ["10000", "0/1", "1/0", "a/b"] {
        let output = Command::new(PROGRAM).args(["echo", "--crowds", crowds]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{crowds}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("like 10000/64"), "{error}");
    }
}
