//! One message put together from fragments that come in any order, twice, or
//! overlapping.

use heapless::Vec;

use super::copy;

/// Why a fragment was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentError {
    /// The message is longer than the buffer for it.
    MessageTooLong,
    /// The fragment reaches past the end that the message announced, or
    /// announces another length than the fragments before it.
    Inconsistent,
    /// The fragments leave more gaps than are kept track of.
    TooManyGaps,
}

/// The number of separate runs of bytes that are kept track of.
const RUNS: usize = 8;

/// A message of at most `N` bytes that is being reassembled.
///
/// A byte that was received keeps its first value; a fragment that overlaps it
/// only fills what is still missing.
#[derive(Clone, Debug)]
pub struct Reassembly<const N: usize> {
    buffer: [u8; N],
    total: u16,
    /// The runs received, in order, apart from each other: start and end.
    runs: Vec<(u16, u16), RUNS, u8>,
}

impl<const N: usize> Reassembly<N> {
    /// An empty message of `total` bytes.
    ///
    /// # Errors
    /// [`FragmentError::MessageTooLong`] if `total` is more than `N`.
    pub fn new(total: usize) -> Result<Self, FragmentError> {
        match u16::try_from(total) {
            Ok(length) if total <= N => {
                Ok(Self { buffer: [0; N], total: length, runs: Vec::new() })
            }
            _ => Err(FragmentError::MessageTooLong),
        }
    }

    /// The length of the whole message, in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        usize::from(self.total)
    }

    /// Takes the fragment `bytes` that begins at `offset` of a message of
    /// `total` bytes.
    ///
    /// # Errors
    /// [`FragmentError`]; the fragment then changed nothing.
    pub fn insert(
        &mut self,
        total: usize,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), FragmentError> {
        let end = offset.checked_add(bytes.len()).ok_or(FragmentError::Inconsistent)?;
        if total != self.total() || end > total {
            return Err(FragmentError::Inconsistent);
        }
        let (Ok(start), Ok(stop)) = (u16::try_from(offset), u16::try_from(end)) else {
            return Err(FragmentError::Inconsistent);
        };
        let runs = merged(&self.runs, start, stop)?;
        if self.runs.is_empty()
            && let Some(place) = self.buffer.get_mut(offset..end)
        {
            copy(bytes, place);
            self.runs = runs;
            return Ok(());
        }
        for (at, byte) in (start..stop).zip(bytes) {
            let received = self.runs.iter().any(|&(from, to)| from <= at && at < to);
            if !received && let Some(place) = self.buffer.get_mut(usize::from(at)) {
                *place = *byte;
            }
        }
        self.runs = runs;
        Ok(())
    }

    /// The message, once every byte of it was received.
    #[must_use]
    pub fn complete(&self) -> Option<&[u8]> {
        let whole = self.total == 0 || self.runs.first() == Some(&(0, self.total));
        if whole { self.buffer.get(..self.total()) } else { None }
    }
}

/// `runs` with the run from `start` to `stop` joined to those that it touches.
fn merged(
    runs: &[(u16, u16)],
    start: u16,
    stop: u16,
) -> Result<Vec<(u16, u16), RUNS, u8>, FragmentError> {
    let mut result = Vec::new();
    let mut joined = (start, stop);
    let mut placed = start == stop;
    let mut push = |run| result.push(run).map_err(|_| FragmentError::TooManyGaps);
    for &(from, to) in runs {
        if to < joined.0 {
            push((from, to))?;
        } else if from > joined.1 || placed {
            if !placed {
                push(joined)?;
                placed = true;
            }
            push((from, to))?;
        } else {
            joined = (joined.0.min(from), joined.1.max(to));
        }
    }
    if !placed {
        push(joined)?;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(order: &[(usize, &[u8])]) -> Reassembly<16> {
        let mut message = Reassembly::new(8).unwrap();
        for &(offset, bytes) in order {
            message.insert(8, offset, bytes).unwrap();
        }
        message
    }

    #[test]
    fn fragments_in_any_order_twice_and_overlapping_give_the_message() {
        let message = filled(&[(6, b"gh"), (0, b"abc"), (0, b"abc"), (2, b"cdefg")]);
        assert_eq!(message.complete(), Some(&b"abcdefgh"[..]));
    }

    #[test]
    fn a_byte_keeps_its_first_value() {
        let message = filled(&[(2, b"cde"), (0, b"XXXXXXXX")]);
        assert_eq!(message.complete(), Some(&b"XXcdeXXX"[..]));
    }

    #[test]
    fn a_message_with_a_gap_is_not_complete() {
        assert_eq!(filled(&[(0, b"abc"), (4, b"efgh")]).complete(), None);
        assert_eq!(filled(&[]).complete(), None);
        assert_eq!(Reassembly::<16>::new(0).unwrap().complete(), Some(&[][..]));
    }

    #[test]
    fn inconsistent_fragments_change_nothing() {
        let mut message = filled(&[(0, b"abcd")]);
        assert_eq!(message.insert(9, 4, b"e"), Err(FragmentError::Inconsistent));
        assert_eq!(message.insert(8, 6, b"ghi"), Err(FragmentError::Inconsistent));
        assert_eq!(message.insert(8, usize::MAX, b"gh"), Err(FragmentError::Inconsistent));
        message.insert(8, 4, b"efgh").unwrap();
        assert_eq!(message.complete(), Some(&b"abcdefgh"[..]));
        assert_eq!(Reassembly::<16>::new(17).err(), Some(FragmentError::MessageTooLong));
    }

    #[test]
    fn more_gaps_than_are_tracked_are_refused_until_some_close() {
        let mut message = Reassembly::<64>::new(64).unwrap();
        for at in 0..RUNS {
            message.insert(64, at * 2, b"x").unwrap();
        }
        assert_eq!(message.insert(64, 40, b"x"), Err(FragmentError::TooManyGaps));
        message.insert(64, 1, b"x").unwrap();
        message.insert(64, 40, b"x").unwrap();
    }
}
