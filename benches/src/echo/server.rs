//! The server's process, from inside and from outside.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto_host::os_provider;
use iot_crypto_mio::{Config, Driver};

use super::{Means, servers};
use crate::process::{Answers, Child, processor_time};

/// Serves echoes until the standard input ends. Prints the port, and the time of the
/// processor that was used so far, in microseconds, for each line that is read.
///
/// # Errors
/// If there is no socket.
pub fn serve(means: Means, clients: usize) -> anyhow::Result<()> {
    match means {
        Means::Plain => drive(&mut servers::Plain::new()),
        Means::Ours => drive(&mut servers::Ours::new(os_provider(), clients)?),
        Means::Peer(library) => drive(&mut servers::Peer::new(library)?),
    }
}

fn drive(server: &mut impl Endpoint<Address = SocketAddr>) -> anyhow::Result<()> {
    let mut config = Config::cloud(0, 0).on(&[Ipv4Addr::LOCALHOST.into()]);
    config.bindings.retain(|binding| binding.port == LocalPort::Transmission);
    let mut driver = Driver::open(config)?;
    let local = driver.local_addresses(LocalPort::Transmission).next().context("no socket")?;
    println!("{}", local.port());
    let used = || processor_time().unwrap_or_default().as_micros().to_string();
    let answers = Answers::give(driver.waker(), used);
    while !answers.have_ended() {
        driver.turn(server, None)?;
    }
    Ok(())
}

/// A server in a process of its own; it ends with this.
pub struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Starts one, for so many clients.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(program: &Path, means: Means, clients: usize) -> anyhow::Result<Self> {
        let arguments = [means.to_string(), clients.to_string()];
        let [means, clients] = arguments.each_ref().map(String::as_str);
        let mut child = Child::start(program, &["echo-server", means, clients])?;
        let [port] = child.numbers().context("the server didn't start")?;
        Ok(Self { child, port: u16::try_from(port)? })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    /// The time of the processor that it has used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn processor_time(&mut self) -> anyhow::Result<Duration> {
        self.child.ask()?;
        let [micros] = self.child.numbers()?;
        Ok(Duration::from_micros(micros))
    }
}
