//! The server's process, from inside and from outside.

use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto_host::os_provider;
use iot_crypto_mio::{Config, Driver};
use nix::sys::resource::{UsageWho, getrusage};

use super::{Means, servers};

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
    let (waker, ended) = (driver.waker(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&ended);
    std::thread::spawn(move || {
        for line in stdin().lines() {
            let used = processor_time().unwrap_or_default();
            if line.is_err() || writeln!(std::io::stdout(), "{}", used.as_micros()).is_err() {
                break;
            }
        }
        told.store(true, Ordering::Release);
        let _ = waker.wake();
    });
    while !ended.load(Ordering::Acquire) {
        driver.turn(server, None)?;
    }
    Ok(())
}

/// The time of the processor that this process has used.
pub(super) fn processor_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = [user, system].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

/// A server in a process of its own; it ends with this.
pub struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Running {
    /// Starts one, for so many clients.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(program: &std::path::Path, means: Means, clients: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .arg("echo-server")
            .args([means.to_string(), clients.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let output = BufReader::new(output.context("no output")?);
        let mut running = Self { process, input, output, port: 0 };
        running.port = running.line().context("the server didn't start")?;
        Ok(running)
    }

    fn line<T: std::str::FromStr>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim().parse() {
            Ok(value) => Ok(value),
            Err(_) => bail!("the server said {:?}", line.trim()),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    /// The time of the processor that it has used so far.
    ///
    /// # Errors
    /// If it doesn't say.
    pub fn processor_time(&mut self) -> anyhow::Result<Duration> {
        let input = self.input.as_mut().context("it has ended")?;
        input.write_all(b"\n").context("the server has ended")?;
        Ok(Duration::from_micros(self.line()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
