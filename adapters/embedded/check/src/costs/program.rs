//! A program of the firmware as the linker has made it: an ELF file.

use std::fmt::Display;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Context as _, Result, anyhow, ensure};
use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind};
use serde::Serialize;

use super::origin::{Origin, Packages};
use super::thumb::{Branch, branches, loads};

/// What a program takes of the chip's memory, in bytes, as `size` says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// What is in flash and never changes: code, constants, and the vector table.
    pub text: u64,
    /// Variables that have a value at the start, which is in flash too.
    pub data: u64,
    /// Variables that are zero at the start.
    pub bss: u64,
}

/// A symbol that has a size: a function or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name, demangled.
    pub name: String,
    /// Where it begins.
    pub address: u64,
    /// In bytes.
    pub size: u64,
    /// Whether it is part of the text.
    pub is_text: bool,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Whose source.
    #[serde(flatten)]
    pub origin: Origin,
    /// The function.
    pub function: String,
    /// The line of the file.
    pub line: u32,
}

/// A program.
pub struct Program {
    /// The version of the compiler.
    pub compiler: String,
    /// What it takes.
    pub sizes: Sizes,
    /// Its symbols, by their addresses, at each address one.
    pub symbols: Vec<Symbol>,
    /// The names of everything that was linked.
    pub names: Vec<String>,
    /// Its branches, to functions whose address it loads as well.
    pub branches: Vec<Branch>,
    /// Where its code begins and ends.
    text: Vec<(u64, u64)>,
    lines: Loader,
}

/// The version of the compiler, as it is in the program.
fn compiler(file: &object::File<'_>) -> Result<String> {
    let comment = file.section_by_name(".comment").context("the program has no comment")?;
    let comment = comment.data()?;
    comment
        .split(|byte| *byte == 0)
        .filter_map(|line| std::str::from_utf8(line).ok()?.strip_prefix("rustc version "))
        .find_map(|rest| rest.split(' ').next())
        .map(str::to_owned)
        .context("the program doesn't say which compiler has made it")
}

impl Program {
    /// Reads the program in the file `path`.
    ///
    /// # Errors
    /// If it can't be read, or is no ELF file with symbols and line numbers.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        let file = object::File::parse(&*bytes)?;
        let mut sizes = Sizes::default();
        let (mut text, mut branches_of_all) = (Vec::new(), Vec::new());
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            let kind = section.kind();
            if sh_flags.0 & SHF_ALLOC.0 == 0 {
                continue;
            }
            match (kind, sh_flags.0 & SHF_WRITE.0 != 0) {
                (SectionKind::UninitializedData, _) => sizes.bss += section.size(),
                (_, true) => sizes.data += section.size(),
                (_, false) => sizes.text += section.size(),
            }
            if kind == SectionKind::Text {
                let (begin, end) = (section.address(), section.address() + section.size());
                text.push((begin, end));
                let data = section.data()?;
                for (from, to) in instructions(&file, begin, end) {
                    let range = usize::try_from(from - begin)?..usize::try_from(to - begin)?;
                    let code = data.get(range).unwrap_or_default();
                    branches_of_all.extend(branches(code, from));
                    // What is called several times is called by way of a register.
                    branches_of_all.extend(loads(code, from).filter_map(|(at, constant)| {
                        let place = usize::try_from(constant.checked_sub(begin)?).ok()?;
                        let word = u32::from_le_bytes(*data.get(place..)?.first_chunk()?);
                        // The address of a function is odd.
                        (word & 1 == 1).then_some(Branch { at, target: u64::from(word - 1) })
                    }));
                }
            }
        }
        let lines = Loader::new(path).map_err(unreadable)?;
        let (symbols, names) = symbols(&file);
        // Nothing would be found in it, and nothing said.
        ensure!(
            !symbols.is_empty() && !branches_of_all.is_empty(),
            "{} has no symbols; build it without strip",
            path.display()
        );
        let compiler = compiler(&file)?;
        Ok(Self { compiler, sizes, symbols, names, branches: branches_of_all, text, lines })
    }

    /// The symbol in which `address` is.
    #[must_use]
    pub fn symbol_at(&self, address: u64) -> Option<&Symbol> {
        let next = self.symbols.partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols.get(next.checked_sub(1)?)?;
        (address < symbol.address + symbol.size).then_some(symbol)
    }

    /// The functions of which the instruction at `address` is a part, the innermost first:
    /// the others have it inlined.
    ///
    /// # Errors
    /// If the line numbers can't be read.
    pub fn places(&self, address: u64, packages: &mut Packages) -> Result<Vec<Place>> {
        let mut frames = self.lines.find_frames(address).map_err(unreadable)?;
        let mut places = Vec::new();
        while let Some(frame) = frames.next()? {
            let location = frame.location.and_then(|it| Some((it.file?, it.line.unwrap_or(0))));
            let Some((file, line)) = location else { continue };
            let function = match &frame.function {
                Some(function) => last_segment(&function.demangle()?).to_owned(),
                None => String::new(),
            };
            places.push(Place { origin: packages.origin(file), function, line });
        }
        Ok(places)
    }

    /// Where each piece of the code comes from: a file of the source, and how many bytes
    /// it is.
    ///
    /// # Errors
    /// If the line numbers can't be read.
    pub fn bytes_of_files(&self) -> Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for (begin, end) in &self.text {
            let lines = self.lines.find_location_range(*begin, *end);
            for (_, length, location) in lines.map_err(unreadable)? {
                if let Some(file) = location.file {
                    all.push((file.to_owned(), length));
                }
            }
        }
        Ok(all)
    }
}

fn unreadable(error: impl Display) -> anyhow::Error {
    anyhow!("the line numbers of the program can't be read: {error}")
}

/// The parts of a section that are instructions and not data between them, by the marks
/// that the assembler leaves (ELF for the Arm Architecture, section 5.5.5).
fn instructions(file: &object::File<'_>, begin: u64, end: u64) -> Vec<(u64, u64)> {
    let marks = file.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let is_code = name == "$t" || name.starts_with("$t.");
        let is_data = name == "$d" || name.starts_with("$d.");
        let here = (begin..end).contains(&symbol.address());
        (here && (is_code || is_data)).then_some((symbol.address(), is_code))
    });
    let mut marks = Vec::from_iter(marks);
    marks.sort_unstable();
    let ends = marks.iter().skip(1).map(|(address, _)| *address).chain([end]);
    let parts = marks.iter().zip(ends);
    parts.filter_map(|((from, is_code), to)| is_code.then_some((*from, to))).collect()
}

/// The symbols that have a size, and the names of all.
fn symbols(file: &object::File<'_>) -> (Vec<Symbol>, Vec<String>) {
    let (mut sized, mut names) = (Vec::new(), Vec::new());
    for symbol in file.symbols().filter(object::ObjectSymbol::is_definition) {
        let Ok(name) = symbol.name() else { continue };
        let name = format!("{:#}", rustc_demangle::demangle(name));
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        let is_text = section.is_some_and(|section| {
            matches!(section.kind(), SectionKind::Text | SectionKind::ReadOnlyData)
        });
        if symbol.size() > 0 {
            // The lowest bit of the address of Thumb code is no part of it.
            let address = symbol.address() & !1;
            sized.push(Symbol { name: name.clone(), address, size: symbol.size(), is_text });
        }
        names.push(name);
    }
    sized.sort_by_key(|symbol| symbol.address);
    // Functions of the same code have one place.
    sized.dedup_by_key(|symbol| symbol.address);
    (sized, names)
}

/// The name of a function without its path and its parameters.
pub(super) fn last_segment(name: &str) -> &str {
    let (mut depth, mut begin, mut end) = (0_u32, 0, name.len());
    for (at, character) in name.char_indices() {
        match character {
            '<' => {
                // Those of a method, `::<…>`, and of an inlined function, `name<…>`.
                if depth == 0 && at > begin {
                    end = at;
                }
                depth += 1;
            }
            // Of `->` it closes nothing.
            '>' if name.get(..at).is_some_and(|before| before.ends_with('-')) => {}
            '>' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                let rest = name.get(at + 1..).unwrap_or_default();
                if !rest.is_empty() && !rest.starts_with([':', '<']) {
                    (begin, end) = (at + 1, name.len());
                }
            }
            _ => {}
        }
    }
    name.get(begin..end).unwrap_or_default().trim_end_matches(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_a_name_without_its_path_and_parameters() {
        for (name, expected) in [
            ("a::b::c", "c"),
            ("a::c::<d::E>", "c"),
            ("<a::B<c::D> as e::F>::g", "g"),
            ("<a::B>::g::<c::D, e::F>", "g"),
            ("digest<a::B<c::D>>", "digest"),
            ("take<fn(u8) -> a::B, c::D>", "take"),
            ("<a::B>::g::{closure#0}", "{closure#0}"),
            ("{closure#0}<3, a::B>", "{closure#0}"),
            ("Reset", "Reset"),
        ] {
            assert_eq!(last_segment(name), expected, "{name}");
        }
    }
}
