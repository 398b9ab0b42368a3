//! The costs as tables for people.

use std::fmt::{self, Display, Formatter};

use comfy_table::{CellAlignment, Table, presets};

use super::work::Work;
use super::{Costs, against_aims, aims};

/// Crates with less text are one line together, in bytes.
const SMALL: u64 = 500;

impl Display for Costs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "The program device on a Cortex-M3 (thumbv7m-none-eabi, opt-level z, rustc {})\n",
            self.compiler
        )?;
        let bytes = against_aims(self).map(|(what, bytes, aim)| {
            [what.to_owned(), bytes.to_string(), aim.to_string(), verdict(bytes <= aim)]
        });
        draw(f, &["bytes", "", "aim", ""], bytes)?;
        let heap = if self.heap.is_empty() { "none" } else { "an allocator is linked" };
        writeln!(f, "\nheap: {heap}\n")?;
        self.write_crates(f)?;
        writeln!(f)?;
        self.write_instructions(f)?;
        writeln!(f)?;
        self.write_panics(f)?;
        writeln!(f)?;
        for remark in &self.remarks {
            let compiler = aims::COMPILER;
            writeln!(f, "not held, as the compiler is not {compiler}: {remark}")?;
        }
        match &*self.failures {
            [] if !self.remarks.is_empty() => writeln!(f, "All else is within its aims."),
            [] => writeln!(f, "All is within its aims."),
            failures => failures.iter().try_for_each(|failure| writeln!(f, "FAILED: {failure}")),
        }
    }
}

impl Costs {
    fn write_crates(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Where the text comes from, in bytes: in the functions and constants of each")?;
        writeln!(
            f,
            "crate, with what is inlined there; and by the source, wherever it is inlined."
        )?;
        let is_small = |functions: u64, source: u64| functions.max(source) < SMALL;
        let (small, large): (Vec<_>, Vec<_>) =
            self.crates.iter().partition(|text| is_small(text.functions, text.source));
        let rows = large.into_iter().map(|text| {
            let package = match text.package.as_str() {
                super::UNKNOWN => "(constants, and code of no one crate)",
                package => package,
            };
            [package.to_owned(), text.functions.to_string(), text.source.to_string()]
        });
        let sum = |of: fn(&super::CrateText) -> u64| small.iter().map(|text| of(text)).sum::<u64>();
        let rest = [
            format!("({} others)", small.len()),
            sum(|text| text.functions).to_string(),
            sum(|text| text.source).to_string(),
        ];
        draw(f, &["crate", "functions", "source"], rows.chain([rest]))
    }

    fn write_instructions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Instructions of the device, the same in two runs; and how many times those of"
        )?;
        writeln!(f, "the cryptography: the operations with public keys for the negotiation, the")?;
        writeln!(f, "others for the handshake, the AEAD alone for a record.")?;
        let rows = self.instructions.iter().map(|row| {
            let (all, met) = (row.instructions, row.aim.map(|aim| row.ratio <= aim));
            let rest = all.total.saturating_sub(all.public_key + all.symmetric + all.random);
            [
                row.work.name().to_owned(),
                all.total.to_string(),
                all.public_key.to_string(),
                all.symmetric.to_string(),
                all.random.to_string(),
                rest.to_string(),
                row.cryptography.to_string(),
                format!("{:.3}", row.ratio),
                row.aim.map(|aim| aim.to_string()).unwrap_or_default(),
                met.map(verdict).unwrap_or_default(),
            ]
        });
        let head = [
            "",
            "all",
            "public keys",
            "symmetric",
            "random",
            "rest",
            "against",
            "times",
            "aim",
            "",
        ];
        draw(f, &head, rows)
    }

    fn write_panics(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (all, review) = (self.panics.len(), &self.review);
        let reachable = review.reachable.iter().map(|(_, found)| found).sum::<usize>();
        writeln!(
            f,
            "Panics: {all} places that could come to one; {} not in panics.toml, {reachable} that \
             input can reach",
            review.unlisted.len()
        )?;
        for (entry, _) in &review.reachable {
            writeln!(f, "  reachable: {}: {}", entry.name(), entry.reason)?;
        }
        for (entry, left) in &review.gone {
            let (name, listed) = (entry.name(), entry.sites);
            writeln!(f, "  gone: {name}: {left} of {listed}; take the rest out of panics.toml")?;
        }
        for site in &review.unlisted {
            let place = &site.place;
            let (package, file) = (&place.origin.package, &place.origin.file);
            writeln!(
                f,
                "  not listed: {package} {file}:{} {}, by {} at {:#x} in {}",
                place.line, place.function, site.panics_by, site.address, site.part_of
            )?;
        }
        Ok(())
    }
}

impl Work {
    /// What it is, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiation => "negotiation",
            Self::Handshake => "handshake",
            Self::Seal => "seal a record of 32 bytes",
            Self::Open => "open a record of 32 bytes",
            Self::RawSeal => "the AEAD alone seals",
            Self::RawOpen => "the AEAD alone opens",
            Self::Nothing => "nothing",
        }
    }
}

fn verdict(is_met: bool) -> String {
    if is_met { "met" } else { "MISSED" }.to_owned()
}

/// A table whose first column is text, and the others numbers.
fn draw<const N: usize>(
    f: &mut Formatter<'_>,
    head: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(f, "{}", table.trim_fmt())
}
