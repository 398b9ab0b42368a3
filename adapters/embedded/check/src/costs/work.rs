//! The instructions of what a device computes, by the program `costs`, which has marks
//! around it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

use crate::board::Board;
use crate::firmware;
use crate::instructions::{Counter, Passage};
use crate::machine::Machine;
use crate::network::{Inbound, Medium, Network};

/// What is measured; each is a mark of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The device's part of a negotiation with a gateway that it meets for the first time.
    Negotiation,
    /// Its part of the handshake of a session.
    Handshake,
    /// It seals a record of 32 bytes.
    Seal,
    /// It opens one.
    Open,
    /// The AEAD alone seals 32 bytes.
    RawSeal,
    /// The AEAD alone opens 32 bytes.
    RawOpen,
    /// What a pair of marks takes.
    Nothing,
}

/// The operations within the work; each is a mark of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    PublicKey,
    Symmetric,
    Random,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Begin(Work),
    End,
    BeginOperation(Operation),
    Done,
}

/// All marks, by the functions of the program.
const MARKS: [(&str, Mark); 12] = [
    ("negotiation", Mark::Begin(Work::Negotiation)),
    ("handshake", Mark::Begin(Work::Handshake)),
    ("seal", Mark::Begin(Work::Seal)),
    ("open", Mark::Begin(Work::Open)),
    ("raw_seal", Mark::Begin(Work::RawSeal)),
    ("raw_open", Mark::Begin(Work::RawOpen)),
    ("nothing", Mark::Begin(Work::Nothing)),
    ("end", Mark::End),
    ("public_key", Mark::BeginOperation(Operation::PublicKey)),
    ("symmetric", Mark::BeginOperation(Operation::Symmetric)),
    ("random", Mark::BeginOperation(Operation::Random)),
    ("done", Mark::Done),
];

/// The instructions of one kind of work, without those of the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Instructions {
    /// All.
    pub total: u64,
    /// Within operations with public keys.
    pub public_key: u64,
    /// Within hashes, codes, key derivations and the AEAD.
    pub symmetric: u64,
    /// Within the generator of random numbers.
    pub random: u64,
}

/// The instructions of all work.
pub type Counts = BTreeMap<Work, Instructions>;

/// Counts the instructions of all work, twice.
///
/// # Errors
/// If the program can't be built or fails, or two runs differ.
pub fn count() -> Result<Counts> {
    let program = firmware::build("costs")?;
    let board = Board::new()?;
    let functions = MARKS.map(|(name, _)| (name, format!("costs::marks::{name}")));
    let functions = Vec::from_iter(functions.iter().map(|(name, path)| (*name, path.as_str())));
    let counter = Counter::new(board.folder(), &program, &functions)?;
    let mut runs = Vec::new();
    for run in ["first", "second"] {
        let network = Network::new(Medium::User, board.folder(), Inbound::default())?;
        let mut machine = Machine::start_with(&board, &network, &program, &counter.options())?;
        machine.step(&format!("the {run} run is counted"), |line| {
            (line == "measured").then_some(())
        })?;
        let status = machine.end()?;
        ensure!(status.success(), "the program ended with {status}");
        runs.push(tally(&counter.passages()?)?);
    }
    let (Some(first), Some(second)) = (runs.pop(), runs.pop()) else { bail!("there was no run") };
    ensure!(first == second, "two runs differ: {first:?} and {second:?}");
    Ok(first)
}

/// Adds up what lies between the marks.
fn tally(passages: &[Passage]) -> Result<Counts> {
    let mut counts = Counts::new();
    // What begins and ends with a mark takes the instructions of one, those of the first
    // behind its own start, and what leads to the second.
    let mut one_mark = 0;
    let mut open: Option<Open> = None;
    for passage in passages {
        let Passage { point, count } = passage;
        let mark = MARKS.iter().find(|(name, _)| name == point).map(|(_, mark)| *mark);
        match (mark.with_context(|| format!("'{point}' is no mark"))?, &mut open) {
            (Mark::Begin(work), None) => {
                open = Some(Open { work, since: *count, operation: None, within: 0 });
            }
            (Mark::BeginOperation(operation), Some(Open { operation: open @ None, .. })) => {
                *open = Some((operation, *count));
            }
            (Mark::Done, Some(Open { work, operation, within, .. })) => {
                let (operation, since) = operation.take().context("an operation ends twice")?;
                let instructions = (count - since).saturating_sub(one_mark);
                // It has two marks, of which one is in what was counted.
                *within += 2 * one_mark;
                let sums = counts.entry(*work).or_default();
                *match operation {
                    Operation::PublicKey => &mut sums.public_key,
                    Operation::Symmetric => &mut sums.symmetric,
                    Operation::Random => &mut sums.random,
                } += instructions;
            }
            (Mark::End, Some(Open { work, since, operation: None, within })) => {
                let instructions = count - *since;
                if *work == Work::Nothing {
                    one_mark = instructions;
                }
                counts.entry(*work).or_default().total +=
                    instructions.saturating_sub(one_mark + *within);
                open = None;
            }
            (mark, open) => bail!("{mark:?} comes while {open:?}"),
        }
    }
    ensure!(open.is_none(), "the last work has no end");
    Ok(counts)
}

/// Work that has begun and not ended.
#[derive(Debug)]
struct Open {
    work: Work,
    since: u64,
    /// The operation that has begun and not ended.
    operation: Option<(Operation, u64)>,
    /// What the marks of its operations took.
    within: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages(all: &[(&str, u64)]) -> Vec<Passage> {
        let passage =
            |(point, count): &(&str, u64)| Passage { point: (*point).to_owned(), count: *count };
        all.iter().map(passage).collect()
    }

    #[test]
    fn what_the_marks_take_is_not_counted() {
        // A mark takes 5: this is what lies between two of them with nothing between.
        let all = passages(&[
            ("nothing", 100),
            ("end", 105),
            ("handshake", 200),
            // 7 of the device's own, then 40 within, then 3 more.
            ("random", 212),
            ("done", 257),
            ("end", 265),
            ("handshake", 1000),
            ("symmetric", 1005),
            ("done", 1016),
            ("end", 1021),
        ]);
        let counts = tally(&all).unwrap();
        let expected = Instructions { total: 50 + 6, public_key: 0, symmetric: 6, random: 40 };
        assert_eq!(counts.get(&Work::Handshake), Some(&expected));
        assert_eq!(counts.get(&Work::Nothing), Some(&Instructions::default()));
    }

    #[test]
    fn marks_in_another_order_are_refused() {
        let wrong: [&[(&str, u64)]; 9] = [
            &[("done", 1)],
            &[("end", 1)],
            &[("random", 1)],
            &[("seal", 1)],
            &[("seal", 1), ("open", 2)],
            &[("seal", 1), ("done", 2)],
            &[("seal", 1), ("random", 2), ("symmetric", 3)],
            &[("seal", 1), ("random", 2), ("end", 3)],
            &[("other", 1)],
        ];
        for all in wrong {
            assert!(tally(&passages(all)).is_err(), "{all:?}");
        }
    }
}
