//! What is checked of the device on a network that floods it, with as many frames as it
//! takes: it goes on, before it has a gateway and in a session, and when the flood is over
//! a reading arrives.
//!
//! During the flood only that much is checked: the stack goes on to take frames, and to
//! answer some (that the device takes its turns meanwhile is for the tests of the driver).
//! That it is heard is not promised: of what its gateway sends, most is lost where every
//! place for a frame is taken. Nor is that it is back at once: whoever answers in its
//! router's name by ARP keeps it away until the router asks where it is, as the bridge
//! does, or for a minute, when smoltcp asks again.

mod frames;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::board::Board;
use crate::bridge::{Bridge, Broadcast};
use crate::dice::Dice;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{DISCOVERY, Inbound, Medium, Network};
use crate::parties::{Parties, free_port};
use frames::Frames;

/// The age at which the gateway replaces the key of a session: not in this check.
const ROTATION: &str = "1d";

/// How many frames a flood has.
const FRAMES: usize = 20_000;

/// How long the board may take for one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks the device, with the frames of a seed.
///
/// # Errors
/// The step that was not taken.
pub fn check(seed: u64) -> Result<()> {
    let program = firmware::build("device")?;
    let parties = Parties::new()?;
    let discovery = free_port()?;
    let board = Board::new()?;
    board.set_store(&parties.image()?, None)?;
    let broadcast = Some(Broadcast { heard: discovery, delivered: DISCOVERY });
    let inbound = Inbound { service: None, broadcast };
    let network = Network::new(Medium::Bridge, board.folder(), inbound)?;
    let bridge = network.bridge.as_ref().context("there is no bridge")?;

    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it starts", "started")?;
    // Without a gateway it says nothing more; a frame is taken as soon as it can be.
    flood(bridge, Frames::new(Dice::new(seed), Vec::new(), Vec::new()))?;
    machine.goes_on("it goes on", &[])?;
    let mut gateway = parties.gateway(discovery, ROTATION)?;
    machine.says("it negotiates after the flood", "negotiated")?;
    machine.says("it is connected", "connected")?;
    gateway.reads("it reads the temperature")?;

    let services = gateway.services.to_vec();
    flood(bridge, Frames::new(Dice::new(seed + 1), bridge.ports(), services))?;
    machine.goes_on("it goes on", &[])?;
    gateway.forget();
    gateway.reads("it reads the temperature after the flood")?;
    Ok(())
}

/// Sends a flood.
fn flood(bridge: &Bridge, mut frames: Frames) -> Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let (begin, before) = (Instant::now(), bridge.frames());
    for number in 0..FRAMES {
        // QEMU takes no more than the controller has room for, and the socket waits for it.
        let sent = socket.send_to(&frames.next(), bridge.boards());
        sent.with_context(|| format!("the board takes no frame any more, after {number}"))?;
    }
    let sent = bridge.frames() - before;
    ensure!(sent > 0, "the board sent nothing while it was flooded");
    let milliseconds = begin.elapsed().as_millis();
    eprintln!("  ok it takes {FRAMES} frames, and sends {sent} meanwhile ({milliseconds} ms)");
    Ok(())
}
