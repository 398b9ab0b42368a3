//! What is checked of the board itself, with the program `echo` on it: every part works,
//! and the flash outlasts a loss of power.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::board::{Board, Source};
use crate::bridge::Broadcast;
use crate::firmware;
use crate::instructions::Counter;
use crate::machine::Machine;
use crate::network::{Inbound, Medium, Network};

/// The port of the program.
const ECHO: u16 = 7;

/// How many datagrams go there and back.
const DATAGRAMS: u8 = 100;

/// How long one may take.
const ANSWER: Duration = Duration::from_secs(30);

/// What the board is greeted with, and the time until that is repeated.
const GREETING: &[u8] = b"hello";
const REPETITION: Duration = Duration::from_millis(500);

/// The longest of them.
const LONGEST: usize = 1232;

/// Checks every part of a board that is on a network of this kind.
///
/// # Errors
/// The step that was not taken.
pub fn check(medium: Medium) -> Result<()> {
    let program = firmware::build("echo")?;
    let board = Board::new()?;
    for start in 1..=2 {
        let network = Network::new(medium, board.folder(), inbound(medium)?)?;
        let machine = live(&board, &network, &program, start)?;
        machine.lose_power()?;
    }
    count(&board, medium, &program)?;
    board.set_entropy(Source::Missing)?;
    let network = Network::new(medium, board.folder(), inbound(medium)?)?;
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.step("it says that it has no entropy", |line| (line == "no entropy").then_some(()))?;
    machine.step("it listens all the same", |line| (line == "listening").then_some(()))?;
    let socket = caller(&network)?;
    exchange(&socket, b"end")?;
    machine.stack()?;
    let status = machine.end()?;
    ensure!(status.success(), "the program ended with {status}");
    Ok(())
}

/// Checks that the instructions of two lives on the same board are the same, to the last
/// one, from the start until the first line is said.
fn count(board: &Board, medium: Medium, program: &Path) -> Result<()> {
    let points = [("start", "Reset"), ("line", "iot_crypto_firmware::console::write_line")];
    let counter = Counter::new(board.folder(), program, &points)?;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let network = Network::new(medium, board.folder(), Inbound::default())?;
        let mut machine = Machine::start_with(board, &network, program, &counter.options())?;
        machine.says("it starts, counted", "started")?;
        let passages = counter.passages()?;
        let (Some(start), Some(line)) = (passages.first(), passages.get(1)) else {
            bail!("it is at neither point, or only at one: {passages:?}");
        };
        ensure!((start.point.as_str(), line.point.as_str()) == ("start", "line"));
        counts.push(line.count - start.count);
    }
    ensure!(counts.first() == counts.last(), "two starts differ: {counts:?} instructions");
    eprintln!("  ok two starts take the same instructions: {}", counts.first().unwrap_or(&0));
    Ok(())
}

fn inbound(medium: Medium) -> Result<Inbound> {
    let broadcast = match medium {
        Medium::User => None,
        Medium::Bridge => {
            // Any free port, to be bound again by the bridge.
            let heard = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?.local_addr()?.port();
            Some(Broadcast { heard, delivered: ECHO })
        }
    };
    Ok(Inbound { service: Some(ECHO), broadcast })
}

/// One life of the board, from power on until it is switched off.
fn live(board: &Board, network: &Network, program: &Path, start: u32) -> Result<Machine> {
    let mut machine = Machine::start(board, network, program)?;
    machine.says("it starts", "started")?;
    let temperature =
        machine.step("it measures its temperature", |line| number(line, "temperature "))?;
    ensure!((-40_000..150_000).contains(&temperature), "{temperature} is no temperature");
    machine.step("it has entropy", |line| number(line, "random "))?;
    let starts =
        machine.step("it counts its starts in its flash", |line| number(line, "start "))?;
    ensure!(starts == i64::from(start), "it counts {starts} starts instead of {start}");
    machine.step("it listens", |line| (line == "listening").then_some(()))?;
    let socket = caller(network)?;
    for number in 0..DATAGRAMS {
        let length = 1 + LONGEST * usize::from(number) / usize::from(DATAGRAMS);
        exchange(&socket, &vec![number; length])?;
    }
    eprintln!("  ok it sends {DATAGRAMS} datagrams back");
    if let Some(everyone) = network.everyone {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_broadcast(true)?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.send_to(b"everyone", everyone)?;
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).context("it does not hear a broadcast")?;
        ensure!(buffer.get(..length) == Some(b"everyone"), "something else comes back");
        eprintln!("  ok it hears a broadcast");
    }
    for state in ["lamp on", "lamp off"] {
        exchange(&socket, b"lamp")?;
        machine.step(&format!("it switches its {state}"), |line| (line == state).then_some(()))?;
    }
    Ok(machine)
}

/// A socket that is connected with the board, which has answered.
fn caller(network: &Network) -> Result<UdpSocket> {
    let service = network.service.context("the network has no way to the board")?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(service)?;
    // The first one is lost if QEMU doesn't learn soon enough where the board is.
    socket.set_read_timeout(Some(REPETITION))?;
    let begin = Instant::now();
    let mut buffer = [0; 2048];
    loop {
        socket.send(GREETING)?;
        if socket.recv(&mut buffer).is_ok() {
            break;
        }
        ensure!(begin.elapsed() < ANSWER, "the board does not answer");
    }
    socket.set_read_timeout(Some(ANSWER))?;
    Ok(socket)
}

/// Sends a datagram and takes it back.
fn exchange(socket: &UdpSocket, datagram: &[u8]) -> Result<()> {
    socket.send(datagram)?;
    let mut buffer = [0; 2048];
    loop {
        let length = socket
            .recv(&mut buffer)
            .with_context(|| format!("{} bytes don't come back", datagram.len()))?;
        let back = buffer.get(..length).unwrap_or_default();
        // A greeting that was repeated comes back more than once.
        if back != GREETING {
            ensure!(back == datagram, "something else comes back");
            return Ok(());
        }
    }
}

/// The number that follows `before` in a line.
fn number(line: &str, before: &str) -> Option<i64> {
    line.strip_prefix(before)?.split(' ').next()?.parse().ok()
}
