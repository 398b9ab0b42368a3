//! The device, the gateway and the cloud as programs: the core's roles on the
//! sockets and files of this computer.
//!
//! All three run in the same loop (`run`); each has what is its own in its
//! module.

mod advice;
mod cloud;
mod console;
mod device;
mod files;
mod gateway;
mod inputs;
mod member;
mod meter;
mod recorder;
mod service;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto::time::Instant;
use iot_crypto_mio::{Config, Driver, wall_time};

pub use cloud::run as run_cloud;
pub(crate) use console::{CLOUD_HELP, HELP as CONSOLE_HELP};
pub use device::run as run_device;
pub use gateway::run as run_gateway;
pub use recorder::RecordFiles;

use crate::error::Error;
use crate::events::{Event, Ports, Printer};
use crate::exit::Exit;
use console::Flow;
use files::PartyFiles;
use inputs::{Input, Inputs, Stdin};
use member::Member;
use meter::Meter;
use recorder::Recorder;

/// The time between two looks at the clock of this computer, which may be set.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// How long the last words of all sessions may take.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// What the command line says of how to run a role, besides its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whether the role ends when its standard input does.
    pub stop_at_eof: bool,
    /// Whether its services listen on any ports that are free, instead of those
    /// in its configuration.
    pub any_port: bool,
    /// What is recorded of it.
    pub record: RecordFiles,
}

/// What one role does with its events and deadlines.
trait Program {
    /// The core's role.
    type Role: Member + Endpoint<Address = SocketAddr>;

    /// The core's role.
    fn role(&mut self) -> &mut Self::Role;

    /// Does what the events of the role ask for, and what is due at `now`.
    fn serve(&mut self, now: Instant, desk: &mut Desk) -> Result<(), Error>;

    /// When to serve next, if no event comes before.
    fn deadline(&self, _: Instant) -> Option<Instant> {
        None
    }

    /// Does what was typed.
    fn handle_line(&mut self, _: Instant, _: &str, _: &mut Desk) -> Result<Flow, Error> {
        Ok(Flow::Go)
    }

    /// What was sent so far, as [`Event::Traffic`].
    fn traffic(&self) -> Event;

    /// The last thing before the end.
    fn finish(&mut self, _: Instant, _: &mut Desk) -> Result<(), Error> {
        Ok(())
    }
}

/// What every program has besides its role: where to write to, and its files.
struct Desk {
    printer: Printer,
    files: PartyFiles,
    recorder: Recorder,
}

/// Runs a program until it is told to stop.
fn run<P: Program>(
    mut program: P,
    mut driver: Driver,
    mut desk: Desk,
    stdin: Stdin,
    mut clock: Option<WallClockWatch>,
) -> Result<Exit, Error> {
    let inputs = Inputs::open(driver.waker(), stdin, &desk.files.paths())?;
    'running: loop {
        let now = driver.now();
        while let Some(input) = inputs.poll() {
            let flow = match input {
                Input::Stop => Flow::Stop,
                Input::Files => {
                    take_over_files(program.role(), now, &mut desk)?;
                    Flow::Go
                }
                Input::Statistics => {
                    desk.printer.print(program.traffic())?;
                    Flow::Go
                }
                // The program looks after it in its turn.
                Input::Child => Flow::Go,
                Input::Line(line) => program.handle_line(now, &line, &mut desk)?,
            };
            if flow == Flow::Stop {
                break 'running;
            }
        }
        if let Some(clock) = &mut clock {
            clock.look(program.role(), now);
        }
        program.serve(now, &mut desk)?;
        let clock = clock.as_ref().map(|clock| clock.next);
        let due = [program.deadline(now), clock].into_iter().flatten().min();
        driver.turn(program.role(), due.map(|due| due.since(driver.now()))).map_err(failed)?;
    }
    let now = driver.now();
    program.role().close(now);
    program.serve(now, &mut desk)?;
    program.finish(now, &mut desk)?;
    if let Err(error) = driver.shutdown(program.role(), SHUTDOWN) {
        tracing::warn!(%error, "not every peer was told that its session is closed");
    }
    desk.recorder.end();
    desk.printer.print(Event::Stopped)?;
    Ok(Exit::Success)
}

/// Takes over what has changed in the files; a file with mistakes is reported,
/// and what it said before stays in force.
fn take_over_files(role: &mut impl Member, now: Instant, desk: &mut Desk) -> Result<(), Error> {
    let Desk { printer, files, .. } = desk;
    match files.trust_change() {
        Ok(None) => {}
        Ok(Some(change)) => {
            printer.print(Event::TrustChanged {
                file: show(files.trust()),
                added: change.added,
                removed: change.removed,
                revocations: change.revocations,
            })?;
            role.change_trust(now, change.store);
        }
        Err(error) => {
            printer.problem(format!("{error}\nthe trust file as it was stays in force"))?
        }
    }
    match files.network_change() {
        Ok(None) => {}
        Ok(Some(change)) => {
            printer.print(Event::NetworkKeys {
                added: change.added.iter().map(|key| key.id().to_string()).collect(),
                retired: change.retired.iter().map(ToString::to_string).collect(),
            })?;
            for key in change.added {
                role.add_network_key(now, key);
            }
            for id in change.retired {
                role.retire_network_key(id);
            }
        }
        Err(error) => printer.problem(format!("{error}\nthe network keys as they were stay"))?,
    }
    Ok(())
}

/// Keeps the wall time of a role that has it from this computer.
struct WallClockWatch {
    next: Instant,
}

impl WallClockWatch {
    const fn new() -> Self {
        Self { next: Instant::ZERO }
    }

    fn look(&mut self, role: &mut impl Member, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + CLOCK_EVERY;
        if !role.set_time(now, wall_time()) {
            tracing::warn!(
                "the clock of this computer was set back; until it has caught up, the time of \
                 before goes on: restart if the clock had been wrong"
            );
        }
    }
}

/// Opens the sockets.
fn open(config: Config) -> Result<Driver, Error> {
    Driver::open(config).map_err(|error| Error::Network(error.to_string()))
}

/// Has the recorder see each datagram from now on, and the meter if there is one.
fn observe(driver: &mut Driver, recorder: &Recorder, meter: Option<Meter>) {
    let mut datagrams = recorder.datagrams();
    driver.observe(move |datagram| {
        if let Some(meter) = &meter {
            meter.note(datagram);
        }
        datagrams.note(datagram);
    });
}

fn failed(error: std::io::Error) -> Error {
    Error::Unexpected(format!("the network can't be used any more: {error}"))
}

/// The addresses of the local ports, as events tell them.
fn ports(driver: &Driver) -> Ports {
    let of = |port| driver.local_addresses(port).collect();
    Ports {
        negotiation: of(LocalPort::Negotiation),
        transmission: of(LocalPort::Transmission),
        discovery: of(LocalPort::Discovery),
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
