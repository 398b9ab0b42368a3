//! A gateway and its devices: whoever comes is asked once a minute, in virtual time as on
//! real sockets.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iot_crypto_bench::fleet::{Fleet, GatewayProcess, Simulation};

/// Memory is counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_iot-crypto-bench");

#[test]
fn each_device_is_asked_once_in_a_virtual_minute() {
    let _alone = alone();
    let mut simulation = Simulation::new(7).unwrap();
    for _ in 0..7 {
        let contact = simulation.connect_one(Duration::from_secs(1)).unwrap();
        // Two handshakes, the negotiation between them, and the first reading.
        assert!(contact.datagrams >= 12, "{contact:?}");
        assert!(contact.seconds > 0.0);
    }
    for _ in 0..3 {
        let minute = simulation.minute().unwrap();
        assert_eq!((minute.readings, minute.datagrams), (7, 14));
    }
}

#[test]
fn the_heap_grows_with_the_devices() {
    let _alone = alone();
    let mut simulation = Simulation::new(40).unwrap();
    let mut heap = || {
        simulation.connect_one(Duration::from_millis(10)).unwrap();
        simulation.heap()
    };
    let Some(few) = (0..10).map(|_| heap()).last().unwrap() else { return };
    let many = (0..30).map(|_| heap()).last().unwrap().unwrap();
    let each = (many - few) / 30;
    assert!((500..20_000).contains(&each), "{each} bytes for each device");
}

#[test]
fn devices_find_their_gateway_on_real_sockets() {
    let _alone = alone();
    let mut gateway = GatewayProcess::start(Path::new(PROGRAM), 5).unwrap();
    let mut fleet = Fleet::new(gateway.ports).unwrap();
    fleet.connect(5).unwrap();
    // Each is asked as soon as it has come.
    let mut readings = 0;
    for _ in 0..100 {
        fleet.run(Duration::from_millis(20)).unwrap();
        readings = gateway.state().unwrap().readings;
        if readings == 5 {
            break;
        }
    }
    let state = gateway.state().unwrap();
    assert_eq!((readings, state.readings), (5, 5));
    assert!(state.memory > 0 && state.seconds > 0.0, "{state:?}");
}

#[test]
fn a_fleet_of_none_is_refused() {
    for arguments in [["--devices", "0"], ["--real", "many"], ["--minutes", "0"]] {
        let output = Command::new(PROGRAM).arg("fleet").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("from 1 to 1000000"), "{error}");
    }
}
