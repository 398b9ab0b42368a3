//! What is checked of the device when it loses its power at any moment, again and again:
//! it always comes back, and never uses a nonce twice. A life that is cut off before it
//! says anything shows that its store is whole, and the next ones that they begin with it.
//!
//! What keeps it from that are numbers that are reserved on its flash: each start uses one
//! up, and its generator of random numbers follows from it. So the board's source of
//! entropy gives the same bytes after every start here, and these numbers alone set one
//! life apart from another. At last an old flash is put back, a number comes again, and
//! the check has to find the reuse.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use iot_crypto_embedded::flash::RamFlash;
use iot_crypto_embedded::store::{SequenceNumbers, Store, USUAL_LEN};

use crate::board::{Board, STORE, Source};
use crate::dice::Dice;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{Inbound, Medium, Network};
use crate::parties::Parties;
use crate::recording::Recording;
use crate::setting::Setting;

/// The age at which the gateway replaces the key of a session.
const ROTATION: &str = "2s";

/// How often the power goes.
const LIVES: u32 = 25;

/// How many new network keys are handed out: the gateway accepts four.
const NEW_KEYS: u32 = 3;

/// How many lives, the first ones, end while a half of the store is erased and written, and
/// about how many milliseconds that takes.
const ERASURES: u32 = 4;
const ERASURE: usize = 10;

/// More bytes than a number takes in the store.
const PLACE: usize = 32;

/// How long the flash may take to change.
const PATIENCE: Duration = Duration::from_secs(90);

/// When the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Soon after the start.
    Start,
    /// Soon after the device has said this.
    Said(&'static str),
    /// While the flash is written after the start, or soon after.
    Written,
    /// The same, after a new network key was handed out.
    Key,
}

/// Those of which one is thrown for each life, and how many milliseconds the power may
/// last after it.
const MOMENTS: [(Moment, usize); 9] = [
    (Moment::Start, 300),
    (Moment::Said("started"), 100),
    // The negotiation.
    (Moment::Said("started"), 1500),
    (Moment::Said("negotiated"), 500),
    (Moment::Said("connected"), 500),
    // The rotation of the key.
    (Moment::Said("connected"), 3500),
    (Moment::Said("connected anew"), 100),
    (Moment::Written, 2),
    (Moment::Key, 20),
];

/// Checks the device on a board that is on a network of this kind, with the moments of a
/// seed.
///
/// # Errors
/// The step that was not taken.
pub fn check(medium: Medium, seed: u64) -> Result<()> {
    let program = firmware::build("device")?;
    let Setting { parties, proxy, mut gateway, board } = Setting::new(ROTATION)?;
    board.set_entropy(Source::Repeating)?;
    let network = Network::new(medium, board.folder(), Inbound::default())?;
    let mut world = World {
        program: &program,
        parties: &parties,
        board: &board,
        network: &network,
        dice: Dice::new(seed),
        keys: 0,
    };
    let (mut recording, mut torn) = (Recording::default(), 0);
    for life in 1..=LIVES {
        let moment = if life <= ERASURES {
            board.set_flash(&full(&board.flash()?)?)?;
            (Moment::Written, ERASURE)
        } else {
            world.dice.pick(&MOMENTS).context("there are no moments")?
        };
        let before = next_number(&board.flash()?)?;
        let how = world.live(moment).with_context(|| format!("life {life}"))?;
        let after = next_number(&board.flash()?).with_context(|| format!("life {life}"))?;
        ensure!(after >= before, "life {life}: number {after} is free, after {before}");
        // A number may be used up without a trace of it, but not the other way round.
        ensure!(after > before || !how.has_begun, "life {life}: it used up no number");
        recording.take(&proxy.take_sent())?;
        torn += u32::from(how.was_writing && after == before);
        eprintln!("  ok life {life} ends {}", how.end);
    }
    eprintln!("  ok of the ends, {torn} came while a number was being written");
    gateway.forget();
    let mut machine = Machine::start(&board, &network, &program)?;
    machine.says("it starts again", "started")?;
    machine.says("it is connected", "connected")?;
    gateway.reads("it reads the temperature")?;
    machine.lose_power()?;
    recording.take(&proxy.take_sent())?;
    eprintln!(
        "  ok no nonce was used twice, in {} handshakes and {} records",
        recording.handshakes(),
        recording.records()
    );

    // Two lives that begin with the same flash.
    let old = board.flash()?;
    for number in 0..2 {
        board.set_flash(&old)?;
        let mut machine = Machine::start(&board, &network, &program)?;
        machine.wait("it is connected", |line| (line == "connected").then_some(()))?;
        machine.lose_power()?;
        match (number, recording.take(&proxy.take_sent())) {
            (0, taken) => taken?,
            (_, Err(_)) => eprintln!("  ok with an old flash, the reuse is found"),
            (_, Ok(())) => bail!("with an old flash, the reuse is not found"),
        }
    }
    Ok(())
}

/// How a life ended.
struct Ended {
    end: String,
    /// Whether a node has begun in it, for which a number is used up before.
    has_begun: bool,
    /// Whether the flash had just begun to change.
    was_writing: bool,
}

struct World<'w> {
    program: &'w Path,
    parties: &'w Parties,
    board: &'w Board,
    network: &'w Network,
    dice: Dice,
    /// How many new network keys were handed out.
    keys: u32,
}

impl World<'_> {
    /// One life of the board, until a moment and so many milliseconds, at most, after it.
    fn live(&mut self, (mut moment, most): (Moment, usize)) -> Result<Ended> {
        if moment == Moment::Key && self.keys == NEW_KEYS {
            moment = Moment::Written;
        }
        let left = Duration::from_micros(self.dice.below(1000 * most).try_into()?);
        let before = self.board.flash()?;
        let mut machine = Machine::start(self.board, self.network, self.program)?;
        let mut has_begun = false;
        let after = match moment {
            Moment::Start => "the start".to_owned(),
            Moment::Said(line) => {
                machine.wait(line, |said| (said == line).then_some(()))?;
                has_begun = line != "started";
                format!("'{line}'")
            }
            Moment::Written => {
                self.wait_for_change(&before)?;
                "it began to write to its flash".to_owned()
            }
            Moment::Key => {
                let wanted = "connected";
                machine.wait(wanted, |said| (said == wanted).then_some(()))?;
                has_begun = true;
                let before = self.board.flash()?;
                self.parties.run("network rotate gateway.network")?;
                self.keys += 1;
                self.wait_for_change(&before)?;
                "it began to write a network key".to_owned()
            }
        };
        std::thread::sleep(left);
        let rest = machine.lose_power()?;
        has_begun |= rest.iter().any(|said| said == "negotiated");
        let end = format!("{:.1} ms after {after}", left.as_secs_f64() * 1000.0);
        Ok(Ended { end, has_begun, was_writing: moment == Moment::Written })
    }

    /// Waits until the flash is not as it was.
    fn wait_for_change(&self, before: &[u8]) -> Result<()> {
        let begin = Instant::now();
        while self.board.flash()? == before {
            ensure!(begin.elapsed() < PATIENCE, "nothing is written to the flash");
            std::thread::sleep(Duration::from_micros(20));
        }
        Ok(())
    }
}

type Flash = RamFlash<[u8; STORE]>;

/// The store in a flash.
fn store(cells: &[u8]) -> Result<Store<Flash>> {
    let cells = cells.first_chunk().context("the flash is shorter than a store")?;
    Store::open(Flash::new(*cells), 0..USUAL_LEN).context("the store of the device")
}

/// The number that the next start uses up.
fn next_number(cells: &[u8]) -> Result<u64> {
    Ok(SequenceNumbers::new(NonZeroU32::MIN).take(&mut store(cells)?)?)
}

/// The store after a number is used up.
fn after_a_start(cells: &[u8]) -> Result<Vec<u8>> {
    let mut store = store(cells)?;
    SequenceNumbers::new(NonZeroU32::MIN).take(&mut store)?;
    Ok(store.into_flash().bytes().to_vec())
}

/// Whether the next number is written to the other half, which is erased before: then more
/// changes than the place of a number.
fn will_erase(cells: &[u8]) -> Result<bool> {
    let next = after_a_start(cells)?;
    Ok(next.iter().zip(cells).filter(|(next, now)| next != now).count() > PLACE)
}

/// The flash after so many starts that at the next one, half of the store is full.
fn full(cells: &[u8]) -> Result<Vec<u8>> {
    let mut cells = cells.to_vec();
    while !will_erase(&cells)? {
        let next = after_a_start(&cells)?;
        cells.get_mut(..STORE).context("the flash is shorter than a store")?.copy_from_slice(&next);
    }
    Ok(cells)
}
