//! Flash that loses power: for the tests here, and those in `tests/`.

use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// What is left of the word that was being written, or the page that was being
/// erased, when power was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tear {
    /// What was there before.
    Nothing,
    /// All of it is done; only nobody was told.
    All,
    /// The first part is done.
    Front,
    /// The last part is done.
    Back,
    /// Some bits are done, others not.
    Bits,
}

impl Tear {
    pub(crate) const ALL: [Self; 5] =
        [Self::Nothing, Self::All, Self::Front, Self::Back, Self::Bits];
}

/// NOR flash with words of 4 and pages of 1024 bytes. It refuses what the real
/// thing refuses: to write a word that is not erased, above all.
#[derive(Clone, Debug)]
pub(crate) struct TornFlash {
    pub(crate) bytes: Vec<u8>,
    /// The words that are still written and pages that are still erased until power
    /// is lost.
    left: Option<u64>,
    tear: Tear,
    dice: u64,
    is_off: bool,
    /// The words that were written and pages that were erased.
    pub(crate) steps: u64,
    pub(crate) erased: u64,
}

const WORD: usize = 4;
const PAGE: usize = 1024;

impl TornFlash {
    pub(crate) fn erased(length: usize) -> Self {
        Self::new(vec![0xff; length])
    }

    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, left: None, tear: Tear::Nothing, dice: 1, is_off: false, steps: 0, erased: 0 }
    }

    /// The same, that loses power in the step after the next `left` ones.
    pub(crate) fn cut_after(mut self, left: u64, tear: Tear) -> Self {
        (self.left, self.tear, self.dice) = (Some(left), tear, left * 2 + 1);
        self
    }

    /// The same, with power again.
    pub(crate) fn powered(mut self) -> Self {
        (self.left, self.is_off) = (None, false);
        self
    }

    pub(crate) fn is_off(&self) -> bool {
        self.is_off
    }

    fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    /// Goes from what is there to `target`, or part of the way.
    fn step(&mut self, at: usize, target: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.steps += 1;
        let is_cut = self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        let place = self.roll() as usize % (target.len() + 1);
        for (index, new) in target.iter().enumerate() {
            let done = match self.tear {
                _ if !is_cut => 0xff,
                Tear::Nothing => 0,
                Tear::All => 0xff,
                Tear::Front => 0xff * u8::from(index < place),
                Tear::Back => 0xff * u8::from(index >= place),
                Tear::Bits => self.roll() as u8,
            };
            let old = &mut self.bytes[at + index];
            *old = (*old & !done) | (new & done);
        }
        self.is_off = is_cut;
        if is_cut { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }

    fn check_power(&self) -> Result<(), NorFlashErrorKind> {
        if self.is_off { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

impl ErrorType for TornFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for TornFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.check_power()?;
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for TornFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.check_power()?;
        check_erase(self, from, to)?;
        for at in (from as usize..to as usize).step_by(PAGE) {
            self.step(at, &[0xff; PAGE])?;
            self.erased += 1;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.check_power()?;
        check_write(self, offset, bytes.len())?;
        for (index, word) in bytes.chunks(WORD).enumerate() {
            let at = offset as usize + index * WORD;
            assert_eq!(self.bytes[at..at + WORD], [0xff; WORD], "word {at} is written twice");
            self.step(at, word)?;
        }
        Ok(())
    }
}
