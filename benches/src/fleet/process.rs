//! The gateway in a process of its own, from inside and from outside.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use iot_crypto::endpoint::LocalPort;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto_mio::{Config, Driver};

use super::cast::Company;
use crate::process::{Answers, Child, processor_time, resident_memory};

/// Serves so many devices until the standard input ends. Prints its two ports, and for
/// each line that is read: the time of the processor that was used so far, in
/// microseconds, the readings that came, and the resident memory, in bytes.
///
/// # Errors
/// If there is no socket.
pub fn serve(devices: usize) -> anyhow::Result<()> {
    let mut config = Config::gateway(0, 0).on(&[Ipv4Addr::LOCALHOST.into()]);
    let services = [LocalPort::Negotiation, LocalPort::Transmission];
    config.bindings.retain(|binding| services.contains(&binding.port));
    let mut driver = Driver::open(config)?;
    let mut ports = [0; 2];
    for (port, service) in ports.iter_mut().zip(services) {
        *port = driver.local_addresses(service).next().context("no socket")?.port();
    }
    let mut gateway = Company::new()?.gateway(driver.now(), ports, devices)?;
    println!("{} {}", ports[0], ports[1]);
    let readings = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&readings);
    let answers = Answers::give(driver.waker(), move || {
        let used = processor_time().unwrap_or_default().as_micros();
        let memory = resident_memory().unwrap_or_default();
        format!("{used} {} {memory}", counted.load(Ordering::Relaxed))
    });
    while !answers.have_ended() {
        driver.turn(&mut gateway, None)?;
        while let Some(event) = gateway.poll_event() {
            if matches!(event, GatewayEvent::Readings { .. }) {
                readings.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

/// A gateway that runs; it ends with this.
pub struct GatewayProcess {
    child: Child,
    /// The ports of its services.
    pub ports: [u16; 2],
}

/// How a gateway is.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The time of the processor that it has used, in seconds.
    pub seconds: f64,
    /// The readings that came.
    pub readings: u64,
    /// Its resident memory, in bytes.
    pub memory: u64,
}

impl GatewayProcess {
    /// Starts one, for so many devices.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(program: &Path, devices: usize) -> anyhow::Result<Self> {
        let mut child = Child::start(program, &["fleet-gateway", &devices.to_string()])?;
        let ports = child.numbers().context("the gateway didn't start")?;
        let ports = ports.map(|port: u64| u16::try_from(port).unwrap_or_default());
        Ok(Self { child, ports })
    }

    /// How it is now.
    ///
    /// # Errors
    /// If it has ended.
    pub fn state(&mut self) -> anyhow::Result<State> {
        self.child.ask()?;
        let [used, readings, memory] = self.child.numbers()?;
        Ok(State { seconds: used as f64 / 1e6, readings, memory })
    }
}
