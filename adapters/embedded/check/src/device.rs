//! What is checked of the device: its whole life with an ordinary gateway, what it does
//! with a flash and a source of entropy that are not as they should be, and that it
//! comes back after a loss of power.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use crc::{CRC_32_ISCSI, Crc};
use serde_json::Value;

use crate::board::{Board, Source};
use crate::bridge::Broadcast;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{HOST, Inbound, Medium, Network};
use crate::parties::{BOARD, Gateway, Parties, free_port, kind, text};

/// The port on which the board hears advertisements.
const DISCOVERY: u16 = 4440;

/// Where the store ends, and the address of the gateway begins.
const GATEWAY: usize = 8192;

/// Where in the header of the store the version of its format is, and where the CRC-32C of
/// what is before it.
const VERSION: usize = 8;
const HEADER_CHECK: usize = 14;

/// Checks the device on a board that is on a network of this kind; gives how deep its
/// stack ever was, in bytes.
///
/// # Errors
/// The step that was not taken.
pub fn check(medium: Medium) -> Result<u64> {
    let program = firmware::build("device")?;
    let parties = Parties::new()?;
    let discovery = free_port()?;
    let broadcast = Broadcast { heard: discovery, delivered: DISCOVERY };
    let broadcast = (medium == Medium::Bridge).then_some(broadcast);
    let board = Board::new()?;
    let join = || Network::new(medium, board.folder(), Inbound { service: None, broadcast });

    // It begins with nothing, and gets what it lacks while it runs.
    board.set_entropy(Source::Stuck)?;
    let network = join()?;
    let mut machine = Machine::start(&board, &network, &program)?;
    says(&mut machine, "it starts", "started")?;
    says(&mut machine, "it sees that its flash is blank", "the flash is blank")?;
    let image = parties.image()?;
    let half = image.get(..200).unwrap_or_default();
    board.set_flash(half)?;
    says(&mut machine, "it sees that its flash is half-written", "the flash is half-written")?;
    board.set_flash(&of_another_version(&image)?)?;
    says(&mut machine, "it sees that its flash is of another version", "the flash is of another")?;
    let mut gateway = parties.gateway(discovery)?;
    // Without broadcasts it is told where the gateway is.
    let told = (medium == Medium::User).then_some(gateway.negotiation);
    machine.lose_power();
    board.set_flash(&flash(&image, told))?;
    let network = join()?;
    let mut machine = Machine::start(&board, &network, &program)?;
    says(&mut machine, "it sees that its entropy is stuck", "the source of entropy fails")?;
    board.set_entropy(Source::Missing)?;
    says(&mut machine, "it sees that it has no entropy", "there is no source of entropy")?;
    board.set_entropy(Source::Working)?;

    live(&mut machine, &mut gateway)?;

    says(&mut machine, "its key is rotated", "connected anew")?;
    gateway.forget();
    gateway.told("it reads the temperature in the new session", of_board("readings"))?;
    parties.run("network rotate gateway.network")?;
    says(&mut machine, "it is handed a new network key", "network key received")?;
    let stack = machine.stack()?;

    // Power goes while it is asked each second.
    machine.lose_power();
    gateway.forget();
    let network = join()?;
    let mut machine = Machine::start(&board, &network, &program)?;
    says(&mut machine, "it starts again after a loss of power", "started")?;
    says(&mut machine, "it is connected again", "connected")?;
    let stack = stack.max(machine.stack()?);
    gateway.told("it reads the temperature again", of_board("readings"))?;
    Ok(stack)
}

/// What a device is for, in its first session.
fn live(machine: &mut Machine, gateway: &mut Gateway) -> Result<()> {
    says(machine, "it negotiates a key", "negotiated")?;
    says(machine, "it is connected", "connected")?;
    let alert = gateway.told("it takes the alert", of_board("alert"))?;
    ensure!(text(&alert, "/text") == Some("warm"), "another alert came: {alert}");
    says(machine, "its alert is acknowledged", "alert delivered")?;
    let readings = gateway.told("it reads the temperature", of_board("readings"))?;
    let celsius = readings.pointer("/readings/0/value").and_then(Value::as_f64).unwrap_or_default();
    ensure!((10.0..60.0).contains(&celsius), "{celsius} is no temperature of the chip");
    for state in ["on", "off"] {
        let on = state == "on";
        gateway.type_line(&format!("command {BOARD} switch {on}"))?;
        says(machine, &format!("it switches its lamp {state}"), &format!("lamp {state}"))?;
        let status = gateway.told("the command is done", of_board("command_status"))?;
        let result = status.pointer("/result").and_then(Value::as_bool);
        ensure!((text(&status, "/state"), result) == (Some("done"), Some(on)), "{status}");
    }
    Ok(())
}

/// The event of this kind that is about the board.
fn of_board(wanted: &'static str) -> impl Fn(&Value) -> Option<Value> {
    move |event| {
        let is_it = kind(event) == wanted && text(event, "/device/name") == Some(BOARD);
        is_it.then(|| event.clone())
    }
}

/// The board says a line that begins like this.
fn says(machine: &mut Machine, step: &str, line: &str) -> Result<()> {
    machine.step(step, |said| said.starts_with(line).then_some(()))
}

/// The image as another program has made it.
fn of_another_version(image: &[u8]) -> Result<Vec<u8>> {
    let mut other = image.to_vec();
    let short = "the image is shorter than its header";
    *other.get_mut(VERSION).context(short)? += 1;
    let header = other.get(..HEADER_CHECK).context(short)?;
    let check = Crc::<u32>::new(&CRC_32_ISCSI).checksum(header).to_le_bytes();
    let place = other.get_mut(HEADER_CHECK..).and_then(|rest| rest.first_chunk_mut());
    *place.context(short)? = check;
    Ok(other)
}

/// The contents of the flash: the store, and the address of the gateway if the board is
/// told.
fn flash(image: &[u8], gateway: Option<SocketAddr>) -> Vec<u8> {
    let mut cells = image.to_vec();
    cells.resize(GATEWAY, 0xff);
    if let Some(gateway) = gateway {
        // This machine, as the board sees it.
        cells.extend(HOST.octets());
        cells.extend(gateway.port().to_be_bytes());
    }
    cells
}
