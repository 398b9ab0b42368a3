//! What the device costs on the board, measured of the program `device` itself, but for
//! its instructions, which the program `costs` makes countable.
//!
//! | module | what it is |
//! |---|---|
//! | [`aims`] | what it may cost at most |
//! | [`program`] | a program as the linker has made it |
//! | [`origin`] | which crate something in it comes from |
//! | [`thumb`] | the branches of its code |
//! | [`panics`] | the places from which it can come to a panic |
//! | [`reviewed`] | the list of them, with the reasons why nothing leads there |
//! | [`work`] | the instructions of a negotiation, a handshake, and a record |

pub mod aims;
pub mod origin;
pub mod panics;
pub mod program;
pub mod reviewed;
mod table;
pub mod thumb;
pub mod work;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::network::Medium;
use crate::{device, firmware};
use origin::{Packages, UNKNOWN, crate_of};
use panics::Site;
use program::{Program, Sizes};
use reviewed::Comparison;
use work::{Counts, Instructions, Work};

/// What the device costs.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// The version of the compiler.
    pub compiler: String,
    /// What it takes of the chip's memory, in bytes.
    pub sizes: Sizes,
    /// Where its text comes from, the most first.
    pub crates: Vec<CrateText>,
    /// The stack at its deepest in a whole life, in bytes.
    pub stack: u64,
    /// The functions of an allocator that are linked.
    pub heap: Vec<String>,
    /// The places from which it can come to a panic.
    pub panics: Vec<Site>,
    /// How they compare with the list.
    pub review: Comparison,
    /// Its instructions.
    pub instructions: Vec<Row>,
    /// What is not as it should be.
    pub failures: Vec<String>,
    /// What would not be as it should be, had the compiler been that of the aims.
    pub remarks: Vec<String>,
}

/// The text of one crate, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrateText {
    /// The crate.
    #[serde(rename = "crate")]
    pub package: String,
    /// In its functions and constants, with all that was inlined in them.
    pub functions: u64,
    /// What the compiler has made of its source, wherever it was inlined.
    pub source: u64,
}

/// The instructions of one kind of work, and how many times those of the cryptography in
/// it that is.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The work.
    pub work: Work,
    /// Its instructions.
    pub instructions: Instructions,
    /// Those of the cryptography that it is held against.
    pub cryptography: u64,
    /// How many times as many it takes.
    pub ratio: f64,
    /// How many times it may.
    pub aim: Option<f64>,
}

/// Measures everything. How that goes on is said on the standard error.
///
/// # Errors
/// If something can't be measured. What costs too much is no error, but one of the
/// [`Costs::failures`].
pub fn measure() -> Result<Costs> {
    eprintln!("the program is built, as it is and with all its panics");
    let program = Program::read(&firmware::build("device")?)?;
    let mut packages = Packages::default();
    let with_panics = Program::read(&firmware::build_with_panics("device")?)?;
    let panics = panics::sites(&with_panics, &mut packages)?;
    let review = reviewed::compare(&panics, &reviewed::list()?);
    eprintln!("the instructions are counted");
    let instructions = rows(&work::count()?)?;
    let mut stack = 0;
    for medium in Medium::ALL {
        eprintln!("the device lives, {}", medium.description());
        stack = stack.max(device::check(medium)?);
    }
    let mut costs = Costs {
        compiler: program.compiler.clone(),
        sizes: program.sizes,
        crates: crates(&program, &mut packages)?,
        stack,
        heap: heap(&program.names),
        panics,
        review,
        instructions,
        failures: Vec::new(),
        remarks: Vec::new(),
    };
    costs.judge();
    Ok(costs)
}

/// Where the text comes from.
fn crates(program: &Program, packages: &mut Packages) -> Result<Vec<CrateText>> {
    let mut all = BTreeMap::<String, CrateText>::new();
    let mut of = |package: String, functions, source| {
        let none = CrateText { package: package.clone(), functions: 0, source: 0 };
        let text = all.entry(package).or_insert(none);
        text.functions += functions;
        text.source += source;
    };
    for symbol in program.symbols.iter().filter(|symbol| symbol.is_text) {
        let package = match crate_of(&symbol.name) {
            // The program is a part of the firmware's package.
            "device" => "iot_crypto_firmware",
            package => package,
        };
        of(package.to_owned(), symbol.size, 0);
    }
    for (file, bytes) in program.bytes_of_files()? {
        of(packages.origin(&file).package, 0, bytes);
    }
    let known = all.values().fold((0, 0), |(functions, source), text| {
        (functions + text.functions, source + text.source)
    });
    // Constants have no line, and most of them no symbol.
    let text = program.sizes.text;
    let rest = (text.saturating_sub(known.0), text.saturating_sub(known.1));
    let none = CrateText { package: UNKNOWN.to_owned(), functions: 0, source: 0 };
    let unknown = all.entry(UNKNOWN.to_owned()).or_insert(none);
    unknown.functions += rest.0;
    unknown.source += rest.1;
    let mut all = Vec::from_iter(all.into_values());
    all.sort_by_key(|text| std::cmp::Reverse(text.functions.max(text.source)));
    Ok(all)
}

/// The functions of an allocator among these names.
fn heap(names: &[String]) -> Vec<String> {
    let is_allocator = |name: &String| {
        let last = program::last_segment(name);
        crate_of(name) == "alloc"
            || ["__rust_", "__rg_", "__rdl_"]
                .iter()
                .any(|kind| last.strip_prefix(kind).is_some_and(|rest| rest.contains("alloc")))
            || ["malloc", "calloc", "realloc", "free"].contains(&last)
    };
    names.iter().filter(|name| is_allocator(name)).cloned().collect()
}

/// The rows of the table: what is held against which cryptography.
fn rows(counts: &Counts) -> Result<Vec<Row>> {
    let of = |work| counts.get(&work).copied().with_context(|| format!("{work:?} is missing"));
    let row = |work, cryptography: u64, aim| -> Result<Row> {
        ensure!(cryptography > 0, "{work:?} has no cryptography");
        let instructions = of(work)?;
        let ratio = instructions.total as f64 / cryptography as f64;
        Ok(Row { work, instructions, cryptography, ratio, aim })
    };
    let public_key = of(Work::Negotiation)?.public_key;
    let symmetric = of(Work::Handshake)?.symmetric;
    let [sealing, opening] = [of(Work::RawSeal)?.total, of(Work::RawOpen)?.total];
    Ok(vec![
        row(Work::Negotiation, public_key, Some(aims::NEGOTIATION))?,
        row(Work::Handshake, symmetric, None)?,
        row(Work::Seal, sealing, Some(aims::RECORD))?,
        row(Work::Open, opening, Some(aims::RECORD))?,
    ])
}

/// The bytes that have an aim, with that.
fn against_aims(costs: &Costs) -> [(&'static str, u64, u64); 3] {
    let Sizes { text, data, bss } = costs.sizes;
    [
        ("text", text, aims::TEXT),
        ("data and bss", data + bss, aims::VARIABLES),
        ("stack", costs.stack, aims::STACK),
    ]
}

impl Costs {
    /// Says what is not as it should be.
    fn judge(&mut self) {
        let mut of_compiler = Vec::new();
        for (what, bytes, aim) in against_aims(self) {
            if bytes > aim {
                let more = bytes - aim;
                of_compiler.push(format!("{what}: {bytes} bytes, {more} more than its aim"));
            }
        }
        let unlisted = self.review.unlisted.len();
        if unlisted > 0 {
            of_compiler.push(format!("panics: {unlisted} that are not in panics.toml"));
        }
        let is_its_own = self.compiler == aims::COMPILER;
        if is_its_own { &mut self.failures } else { &mut self.remarks }.extend(of_compiler);
        for row in &self.instructions {
            if row.aim.is_some_and(|aim| row.ratio > aim) {
                let (name, ratio) = (row.work.name(), row.ratio);
                self.failures.push(format!("{name}: {ratio:.3} times its cryptography"));
            }
        }
        if let [first, ..] = &*self.heap {
            self.failures.push(format!("heap: an allocator is linked ({first})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> Costs {
        let all = Instructions { total: 1099, public_key: 1000, symmetric: 50, random: 10 };
        let raw = Instructions { total: 550, ..Instructions::default() };
        let counts = Counts::from([
            (Work::Negotiation, all),
            (Work::Handshake, all),
            (Work::Seal, all),
            (Work::Open, all),
            (Work::RawSeal, raw),
            (Work::RawOpen, raw),
        ]);
        Costs {
            compiler: aims::COMPILER.to_owned(),
            sizes: Sizes { text: aims::TEXT, data: 1, bss: aims::VARIABLES - 1 },
            crates: Vec::new(),
            stack: aims::STACK,
            heap: Vec::new(),
            panics: Vec::new(),
            review: Comparison::default(),
            instructions: rows(&counts).unwrap(),
            failures: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn judged(mut costs: Costs) -> Costs {
        costs.judge();
        costs
    }

    #[test]
    fn what_is_at_its_aim_is_not_over_it() {
        let costs = judged(costs());
        assert_eq!([costs.failures, costs.remarks], [const { Vec::<String>::new() }; 2]);
    }

    #[test]
    fn each_aim_can_be_missed() {
        let site = Site {
            place: program::Place {
                origin: origin::Origin { package: String::new(), file: String::new() },
                function: String::new(),
                line: 1,
            },
            panics_by: String::new(),
            part_of: String::new(),
            address: 0,
        };
        type Miss = fn(&mut Costs, Site);
        let misses: [(&str, Miss); 7] = [
            ("text: 102401 bytes, 1 more", |it, _| it.sizes.text += 1),
            ("data and bss: 14337 bytes, 1 more", |it, _| it.sizes.data += 1),
            ("stack: 10241 bytes, 1 more", |it, _| it.stack += 1),
            ("negotiation: 1.101 times", |it, _| it.instructions[0].ratio = 1.101),
            ("open a record of 32 bytes: 2.001 times", |it, _| it.instructions[3].ratio = 2.001),
            ("heap: an allocator is linked (malloc)", |it, _| it.heap.push("malloc".to_owned())),
            ("panics: 1 that", |it, site| it.review.unlisted.push(site)),
        ];
        for (expected, miss) in misses {
            let mut costs = costs();
            miss(&mut costs, site.clone());
            let Costs { failures, remarks, .. } = judged(costs);
            assert!(matches!(&*failures, [one] if one.starts_with(expected)), "{failures:?}");
            assert!(remarks.is_empty());
        }
    }

    #[test]
    fn another_compiler_is_no_failure_of_ours() {
        let mut costs = costs();
        costs.compiler = "1.0.0".to_owned();
        costs.sizes.text += 1;
        costs.heap.push("malloc".to_owned());
        let costs = judged(costs);
        assert!(matches!(&*costs.remarks, [one] if one.starts_with("text")));
        assert!(matches!(&*costs.failures, [one] if one.starts_with("heap")));
    }

    #[test]
    fn each_work_is_held_against_its_cryptography() {
        let ratios = costs().instructions.iter().map(|row| row.ratio).collect::<Vec<_>>();
        assert_eq!(ratios, [1.099, 21.98, 1099.0 / 550.0, 1099.0 / 550.0]);
        assert!(rows(&Counts::new()).is_err());
    }

    #[test]
    fn an_allocator_is_seen_by_its_functions() {
        let names = ["__rustc::__rust_alloc", "alloc::raw_vec::grow", "malloc", "__rdl_dealloc"];
        assert_eq!(heap(&names.map(str::to_owned)).len(), names.len());
        let others = ["iot_crypto::alloc", "__rustc::rust_begin_unwind", "core::mem::free_of"];
        assert_eq!(heap(&others.map(str::to_owned)), [""; 0]);
    }
}
