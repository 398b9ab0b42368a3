//! A gateway with many devices, each asked once a minute: how busy it is, and how much
//! memory it needs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::fleet::{Fleet, GatewayProcess, Simulation, Work};
use crate::measure::Estimate;

/// A minute.
const MINUTE: Duration = Duration::from_secs(60);

/// How many parts the devices come in: as many samples as there are of what one costs.
const PARTS: usize = 10;

/// How much there is to be.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// How many devices in memory and virtual time.
    pub simulated: usize,
    /// How many on real sockets.
    pub real: usize,
    /// How many minutes are measured, once all devices have come.
    pub minutes: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { simulated: 100_000, real: 100_000, minutes: 3 }
    }
}

/// Both fleets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleets {
    /// In memory and virtual time.
    pub simulated: Simulated,
    /// On real sockets, in two processes.
    pub real: Real,
}

/// The gateway alone, in virtual time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// How many devices there are.
    pub devices: usize,
    /// The time that the gateway takes for a device that comes for the first time, in
    /// microseconds.
    pub first_contact: Estimate,
    /// The time that it takes in a minute, in which each device is asked once, as a part
    /// of that minute.
    pub load: Estimate,
    /// The time for each device that is asked, in microseconds.
    pub poll: Estimate,
    /// The gateway's heap, in bytes for each device; `None` where nobody can tell.
    pub heap: Option<usize>,
}

/// The gateway's process, drivers and kernel included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Real {
    /// How many devices there are.
    pub devices: usize,
    /// The time of the processor for a device that comes for the first time, in
    /// microseconds.
    pub first_contact: f64,
    /// The time of the processor in a minute, in which each device is asked once, as a
    /// part of that minute.
    pub load: Estimate,
    /// The time of the processor for each reading, in microseconds.
    pub poll: Estimate,
    /// The resident memory that the devices have added, in bytes for each.
    pub memory: u64,
}

impl Fleets {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let Self { simulated, real } = self;
        [&simulated.first_contact, &simulated.load, &simulated.poll, &real.load, &real.poll]
            .into_iter()
    }
}

/// Measures both. `program` is this program, which is started for the gateway, and
/// `progress` is told what goes on.
///
/// # Errors
/// If a device gets no session, or loses it.
pub fn measure(
    program: &Path,
    sizes: Sizes,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Fleets> {
    let simulated = simulated(sizes, progress)?;
    Ok(Fleets { simulated, real: real(program, sizes, progress)? })
}

fn simulated(sizes: Sizes, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Simulated> {
    let Sizes { simulated: devices, minutes, .. } = sizes;
    let mut simulation = Simulation::new(devices)?;
    // They come within a minute, so that they are asked one after the other.
    let pause = MINUTE / u32::try_from(devices)?.max(1);
    let (mut contacts, mut part, mut count) = (Vec::new(), 0.0, 0);
    for device in 0..devices {
        part += simulation.connect_one(pause)?.seconds;
        count += 1;
        if count == devices.div_ceil(PARTS) || device + 1 == devices {
            contacts.push(part * 1e6 / count as f64);
            progress(&format!("{} of {devices} devices have come", device + 1));
            (part, count) = (0.0, 0);
        }
    }
    let heap = simulation.heap().map(|bytes| bytes / devices.max(1));
    let (mut loads, mut polls) = (Vec::new(), Vec::new());
    for minute in 0..=minutes {
        let Work { seconds, readings, .. } = simulation.minute()?;
        progress(&format!("minute {minute} of {minutes}: {readings} readings"));
        // In the first one, the devices have still come.
        if minute > 0 {
            ensure!(readings == devices as u64, "{devices} devices gave {readings} readings");
            loads.push(seconds / MINUTE.as_secs_f64());
            polls.push(seconds * 1e6 / readings as f64);
        }
    }
    let nothing = "nothing was measured";
    Ok(Simulated {
        devices,
        first_contact: Estimate::of(contacts).context(nothing)?,
        load: Estimate::of(loads).context(nothing)?,
        poll: Estimate::of(polls).context(nothing)?,
        heap,
    })
}

fn real(program: &Path, sizes: Sizes, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Real> {
    let Sizes { real: devices, minutes, .. } = sizes;
    let mut gateway = GatewayProcess::start(program, devices)?;
    let empty = gateway.state()?;
    let mut fleet = Fleet::new(gateway.ports)?;
    let parts = devices.div_ceil(PARTS);
    for part in 1..=PARTS {
        let count = (part * parts).min(devices);
        fleet.connect(count)?;
        progress(&format!("{count} of {devices} devices have come, on real sockets"));
    }
    let full = gateway.state()?;
    let (mut loads, mut polls) = (Vec::new(), Vec::new());
    for minute in 1..=minutes {
        let before = gateway.state()?;
        fleet.run(MINUTE)?;
        let after = gateway.state()?;
        let (seconds, readings) =
            (after.seconds - before.seconds, after.readings - before.readings);
        progress(&format!("minute {minute} of {minutes}: {readings} readings, on real sockets"));
        // Some may come a little before or after the end of the minute.
        ensure!(readings >= devices as u64 * 9 / 10, "{devices} devices gave {readings} readings");
        loads.push(seconds / MINUTE.as_secs_f64());
        polls.push(seconds * 1e6 / readings as f64);
    }
    let nothing = "nothing was measured";
    let many = devices.max(1);
    Ok(Real {
        devices,
        first_contact: (full.seconds - empty.seconds) * 1e6 / many as f64,
        load: Estimate::of(loads).context(nothing)?,
        poll: Estimate::of(polls).context(nothing)?,
        memory: full.memory.saturating_sub(empty.memory) / u64::try_from(many)?,
    })
}
