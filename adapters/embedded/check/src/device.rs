//! What is checked of the device: its whole life with an ordinary gateway, what it does
//! with a flash and a source of entropy that are not as they should be, and that it
//! comes back after a loss of power.

use anyhow::{Context as _, Result, ensure};
use crc::{CRC_32_ISCSI, Crc};
use iot_crypto_embedded::store::{HEADER_CHECK, HEADER_VERSION};
use serde_json::Value;

use crate::board::{Board, Source};
use crate::bridge::Broadcast;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{DISCOVERY, Inbound, Medium, Network};
use crate::parties::{BOARD, Gateway, Parties, free_port, of_board, text};

/// The age at which the gateway replaces the key of a session.
const ROTATION: &str = "8s";

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
    machine.says("it starts", "started")?;
    machine.says("it sees that its flash is blank", "the flash is blank")?;
    let image = parties.image()?;
    let half = image.get(..200).unwrap_or_default();
    board.set_flash(half)?;
    machine.says("it sees that its flash is half-written", "the flash is half-written")?;
    board.set_flash(&of_another_version(&image)?)?;
    machine.says("it sees that its flash is of another version", "the flash is of another")?;
    let mut gateway = parties.gateway(discovery, ROTATION)?;
    // Without broadcasts it is told where the gateway is.
    let [negotiation, _] = gateway.services;
    let told = (medium == Medium::User).then_some(negotiation);
    machine.lose_power()?;
    board.set_store(&image, told)?;
    let network = join()?;
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it sees that its entropy is stuck", "the source of entropy fails")?;
    board.set_entropy(Source::Missing)?;
    machine.says("it sees that it has no entropy", "there is no source of entropy")?;
    board.set_entropy(Source::Working)?;

    live(&mut machine, &mut gateway)?;

    machine.says("its key is rotated", "connected anew")?;
    gateway.forget();
    gateway.reads("it reads the temperature in the new session")?;
    parties.run("network rotate gateway.network")?;
    machine.says("it is handed a new network key", "network key received")?;
    let stack = machine.stack()?;

    // Power goes while it is asked each second.
    machine.lose_power()?;
    gateway.forget();
    let network = join()?;
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it starts again after a loss of power", "started")?;
    machine.says("it is connected again", "connected")?;
    let stack = stack.max(machine.stack()?);
    gateway.reads("it reads the temperature again")?;
    Ok(stack)
}

/// What a device is for, in its first session.
fn live(machine: &mut Machine, gateway: &mut Gateway) -> Result<()> {
    machine.says("it negotiates a key", "negotiated")?;
    machine.says("it is connected", "connected")?;
    let alert = gateway.told("it takes the alert", of_board("alert"))?;
    ensure!(text(&alert, "/text") == Some("warm"), "another alert came: {alert}");
    machine.says("its alert is acknowledged", "alert delivered")?;
    let readings = gateway.reads("it reads the temperature")?;
    let celsius = readings.pointer("/readings/0/value").and_then(Value::as_f64).unwrap_or_default();
    ensure!((10.0..60.0).contains(&celsius), "{celsius} is no temperature of the chip");
    for state in ["on", "off"] {
        let on = state == "on";
        gateway.type_line(&format!("command {BOARD} switch {on}"))?;
        machine.says(&format!("it switches its lamp {state}"), &format!("lamp {state}"))?;
        let status = gateway.told("the command is done", of_board("command_status"))?;
        let result = status.pointer("/result").and_then(Value::as_bool);
        ensure!((text(&status, "/state"), result) == (Some("done"), Some(on)), "{status}");
    }
    Ok(())
}

/// The image as another program has made it.
fn of_another_version(image: &[u8]) -> Result<Vec<u8>> {
    let mut other = image.to_vec();
    let short = "the image is shorter than its header";
    *other.get_mut(HEADER_VERSION).context(short)? += 1;
    let header = other.get(..HEADER_CHECK).context(short)?;
    let check = Crc::<u32>::new(&CRC_32_ISCSI).checksum(header).to_le_bytes();
    let place = other.get_mut(HEADER_CHECK..).and_then(|rest| rest.first_chunk_mut());
    *place.context(short)? = check;
    Ok(other)
}
