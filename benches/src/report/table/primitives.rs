//! Primitives: a table for each, with its operations side by side.

use std::fmt::{self, Formatter};

use super::draw;
use crate::question::primitives::{Measured, Primitives};

pub(super) fn primitives(f: &mut Formatter<'_>, answer: &Primitives) -> fmt::Result {
    let rounds = answer.rounds;
    writeln!(f, "\nPrimitives: what a provider needs, by library; {rounds} rounds")?;
    writeln!(f, "(ns: median ± spread; ratio: to the first of the column, round by round)")?;
    for of_one in answer.operations.chunk_by(|one, next| one.primitive == next.primitive) {
        let Some(first) = of_one.first() else { continue };
        writeln!(f, "\n{}:", first.primitive)?;
        let columns = of_one.iter().flat_map(|measured| [measured.operation.as_str(), "ratio"]);
        let head = Vec::from_iter([""].into_iter().chain(columns));
        draw(f, 1, &head, libraries(of_one).into_iter().map(|library| row(library, of_one)))?;
        for Measured { operation, left_out, .. } in of_one {
            for left_out in left_out {
                writeln!(f, "{operation}: without {}, {}", left_out.library, left_out.why)?;
            }
        }
    }
    Ok(())
}

/// Everyone who can do one of the operations, in the order in which they come.
fn libraries(operations: &[Measured]) -> Vec<&str> {
    let mut all = Vec::new();
    for row in operations.iter().flat_map(|measured| &measured.rows) {
        if !all.contains(&row.library.as_str()) {
            all.push(&row.library);
        }
    }
    all
}

/// The operations of a library; where there is none, the cell is empty.
fn row(library: &str, operations: &[Measured]) -> Vec<String> {
    let cells = operations.iter().flat_map(|measured| {
        let row = measured.rows.iter().find(|row| row.library == library);
        row.map(|row| [format!("{:.0}", row.nanoseconds), format!("{:.2}", row.ratio)])
            .unwrap_or_default()
    });
    [library.to_owned()].into_iter().chain(cells).collect()
}
