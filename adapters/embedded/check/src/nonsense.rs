//! What is checked of the device when its gateway answers nonsense: its attempts fail or
//! go on, a session that stands goes on, and as soon as the answers make sense again, it
//! is connected and answers.

mod datagrams;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::dice::Dice;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{Inbound, Medium, Network};
use crate::parties::Gateway;
use crate::proxy::{Honest, Manner, Proxy, Side};
use crate::recording::Recording;
use crate::setting::Setting;

/// The age at which the gateway replaces the key of a session: not in this check.
const ROTATION: &str = "1d";

/// How many datagrams with nonsense the board gets before it has a session, and in one.
/// The more attempts fail, the longer it waits for the next one.
const BEFORE: usize = datagrams::LONGEST + 2 * ANSWERS;
const DURING: usize = 1000;

/// How many of the board's and its gateway's datagrams are damaged before it has a
/// session, and how many readings arrive in one all the same.
const DAMAGED: usize = 25;
const READINGS: u32 = 3;

/// How long the board may take to get so many datagrams.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many datagrams with nonsense answer one.
const ANSWERS: usize = 40;

/// Checks the device on a board that is on a network of this kind, with the nonsense of a
/// seed.
///
/// # Errors
/// The step that was not taken.
pub fn check(medium: Medium, seed: u64) -> Result<()> {
    let program = firmware::build("device")?;
    let Setting { parties: _files, proxy, mut gateway, board } = Setting::new(ROTATION)?;
    let network = Network::new(medium, board.folder(), Inbound::default())?;

    proxy.behave(Nonsense::new(seed, false));
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it starts", "started")?;
    machine.says("an attempt at nonsense fails", "an attempt failed")?;
    machine.says("so does another one", "an attempt failed")?;
    delivered(&proxy, BEFORE)?;
    machine.goes_on("it goes on, whatever it is answered", &["connected"])?;
    proxy.behave(Honest);
    machine.says("it negotiates once the answers make sense", "negotiated")?;
    machine.says("it is connected", "connected")?;
    gateway.reads("it reads the temperature")?;

    proxy.behave(Nonsense::new(seed, true));
    delivered(&proxy, proxy.delivered() + DURING)?;
    read_on(&mut gateway, "readings arrive between nonsense")?;
    machine.goes_on("its session goes on", &ENDS)?;
    proxy.behave(Damage::new(seed));
    read_on(&mut gateway, "readings arrive between damaged datagrams")?;
    machine.goes_on("its session goes on", &ENDS)?;

    machine.lose_power()?;
    let before = proxy.delivered();
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it starts where all datagrams are damaged", "started")?;
    delivered(&proxy, before + DAMAGED)?;
    proxy.behave(Honest);
    gateway.forget();
    gateway.reads("it reads the temperature once they are whole")?;
    machine.goes_on("it goes on", &[])?;
    let mut recording = Recording::default();
    recording.take(&proxy.take_sent())?;
    eprintln!("  ok no nonce was used twice in {} records", recording.records());
    Ok(())
}

/// What the device says when a session ends or begins.
const ENDS: [&str; 2] = ["disconnected", "connected"];

/// Waits until so many datagrams went to the board.
fn delivered(proxy: &Proxy, wanted: usize) -> Result<()> {
    let begin = Instant::now();
    while proxy.delivered() < wanted {
        let delivered = proxy.delivered();
        ensure!(
            begin.elapsed() < PATIENCE,
            "the board was sent only {delivered} datagrams instead of {wanted}, since it sent too few"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!("  ok it was sent {wanted} datagrams ({} ms)", begin.elapsed().as_millis());
    Ok(())
}

/// Waits for a few readings of now.
fn read_on(gateway: &mut Gateway, what: &str) -> Result<()> {
    gateway.forget();
    for number in 1..=READINGS {
        gateway.reads(&format!("{what}: {number}"))?;
    }
    Ok(())
}

/// Nonsense for the board, in answer to what it sends.
struct Nonsense {
    dice: Dice,
    /// Whether the datagrams go on besides.
    goes_on: bool,
    has_begun: bool,
}

impl Nonsense {
    fn new(seed: u64, goes_on: bool) -> Self {
        Self { dice: Dice::new(seed), goes_on, has_begun: false }
    }
}

impl Manner for Nonsense {
    fn treat(&mut self, to: Side, datagram: &[u8]) -> Vec<(Side, Vec<u8>)> {
        let mut all = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            all.extend(datagrams::of_every_length(&mut self.dice));
            all.push(datagram.to_vec());
        }
        all.extend((0..ANSWERS).map(|_| datagrams::nonsense(&mut self.dice, datagram)));
        let mut all: Vec<_> = all.into_iter().map(|it| (Side::Board, it)).collect();
        if self.goes_on {
            all.push((to, datagram.to_vec()));
        }
        all
    }
}

/// Damages datagrams, cuts them off, doubles them, changes their order, mixes and loses
/// them, in both directions.
struct Damage {
    dice: Dice,
    /// One that is held back, until another one has gone before it.
    held: Option<(Side, Vec<u8>)>,
    /// The one before.
    last: Vec<u8>,
}

impl Damage {
    fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), held: None, last: Vec::new() }
    }
}

impl Manner for Damage {
    fn treat(&mut self, to: Side, datagram: &[u8]) -> Vec<(Side, Vec<u8>)> {
        let whole = datagram.to_vec();
        let held = self.held.take();
        let mut all = match self.dice.below(20) {
            0 => Vec::new(),
            1 | 2 => {
                let length = self.dice.below(whole.len());
                vec![whole.get(..length).unwrap_or_default().to_vec()]
            }
            3..6 => {
                let mut damaged = whole.clone();
                self.dice.damage(&mut damaged);
                vec![damaged]
            }
            6..9 => vec![whole.clone(), whole.clone()],
            9..12 => {
                self.held = Some((to, whole.clone()));
                Vec::new()
            }
            12 | 13 => {
                let place = self.dice.below(whole.len().min(self.last.len()));
                let head = whole.get(..place).unwrap_or_default();
                vec![[head, self.last.get(place..).unwrap_or_default()].concat(), whole.clone()]
            }
            14 => vec![[self.last.as_slice(), whole.as_slice()].concat()],
            _ => vec![whole.clone()],
        };
        self.last = whole;
        let mut all: Vec<_> = all.drain(..).map(|it| (to, it)).collect();
        all.extend(held);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_takes_every_form_and_leaves_most_datagrams_whole() {
        let mut damage = Damage::new(1);
        let sent: Vec<Vec<u8>> = (0..200).map(|number| vec![number; 50]).collect();
        let mut arrived = Vec::new();
        for datagram in &sent {
            arrived.extend(damage.treat(Side::Board, datagram));
        }
        let count = |datagram: &Vec<u8>| arrived.iter().filter(|(_, it)| it == datagram).count();
        let whole = sent.iter().filter(|it| count(it) > 0).count();
        assert!((120..180).contains(&whole), "{whole}");
        assert!(sent.iter().any(|it| count(it) == 2), "none came twice");
        assert!(arrived.iter().any(|(_, it)| it.len() < 50), "none was cut off");
        assert!(arrived.iter().any(|(_, it)| it.len() == 100), "no two came in one");
        let order = arrived.iter().map(|(_, it)| it).filter(|it| sent.contains(it));
        assert!(!order.is_sorted(), "none came late");
    }

    #[test]
    fn nonsense_is_for_the_board_and_the_datagram_goes_on_if_it_is_to() {
        let datagram = [22; 60];
        for goes_on in [false, true] {
            let all = Nonsense::new(1, goes_on).treat(Side::Gateway, &datagram);
            let passed = all.contains(&(Side::Gateway, datagram.to_vec()));
            assert_eq!(passed, goes_on);
            for length in 0..=datagrams::LONGEST {
                let has_it = |it: &(Side, Vec<u8>)| it.0 == Side::Board && it.1.len() == length;
                assert!(all.iter().any(has_it), "{length}");
            }
        }
    }
}
