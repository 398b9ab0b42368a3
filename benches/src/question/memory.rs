//! What a server's sessions take of the heap while they wait.

use anyhow::Context as _;
use serde::Serialize;

use super::Who;
use crate::contestant::Contestant;
use crate::heap::growth;

/// How many sessions there are, unless other numbers are asked for.
pub const SESSIONS: [usize; 3] = [1_000, 10_000, 100_000];
/// How much memory may be taken, in bytes: numbers for which it would be more are
/// left out.
pub const LIMIT: usize = 4 << 30;

/// The memory of all contestants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// The numbers of sessions.
    pub sessions: Vec<usize>,
    /// One row for each contestant.
    pub rows: Vec<Row>,
}

/// The memory of one contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose.
    pub who: Who,
    /// The bytes of heap for each session, for each number of sessions; `None` where
    /// all of them would have been more than [`LIMIT`].
    pub bytes: Vec<Option<usize>>,
}

/// Measures the memory of all `contestants`, for each number of sessions.
///
/// # Errors
/// If one of them fails, or nobody can tell what is in use.
pub fn measure(
    contestants: &mut [Box<dyn Contestant>],
    sessions: &[usize],
) -> anyhow::Result<Memory> {
    let mut rows = Vec::new();
    for contestant in contestants {
        let (mut bytes, mut each) = (Vec::new(), 0);
        for &sessions in sessions {
            if sessions.saturating_mul(each) > LIMIT {
                bytes.push(None);
                continue;
            }
            each =
                measure_sessions(&mut **contestant, sessions).with_context(|| contestant.name())?;
            bytes.push(Some(each));
        }
        rows.push(Row { who: Who::of(&**contestant), bytes });
    }
    Ok(Memory { sessions: sessions.to_vec(), rows })
}

fn measure_sessions(contestant: &mut dyn Contestant, sessions: usize) -> anyhow::Result<usize> {
    // What a library takes once, it takes here.
    contestant.handshakes(true, 1)?;
    let (idle, growth) = growth(|| contestant.serve(sessions))?;
    drop(idle);
    let growth = growth.context("what memory is in use can be told with glibc only")?;
    // Of a C library's sessions, what our side of the call takes is not theirs.
    let taken = match contestant.heap_is_rust() {
        true => growth.all,
        false => growth.all.saturating_sub(growth.rust),
    };
    Ok(taken / sessions.max(1))
}
