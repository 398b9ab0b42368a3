//! The places in a program from which it can come to a panic.
//!
//! They are found in the code itself: the calls of, and jumps to, functions of `core` that
//! panic. Where a function of `core` calls such a one for its caller, as that of a slice
//! which copies and compares the lengths first, it is a panicking function itself, and
//! the places are those that call it. The same holds for what the compiler has taken out
//! of several functions, and for all that has no line of its own.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;

use super::origin::{Origin, Packages, UNKNOWN, crate_of};
use super::program::{Place, Program, Symbol, last_segment};

/// A place from which the program can come to a panic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Site {
    /// Where in the source: the innermost function that is not one of the library.
    #[serde(flatten)]
    pub place: Place,
    /// The function of the library that it calls.
    pub panics_by: String,
    /// The function of the program that it is a part of.
    pub part_of: String,
    /// The address.
    pub address: u64,
}

/// All of them, by their places in the source.
///
/// # Errors
/// If the line numbers can't be read.
pub fn sites(program: &Program, packages: &mut Packages) -> Result<Vec<Site>> {
    let is_root = |symbol: &Symbol| symbol.name.starts_with("core::panicking::");
    let roots = program.symbols.iter().filter(|symbol| is_root(symbol));
    let mut panicking =
        BTreeMap::from_iter(roots.map(|symbol| (symbol.address, symbol.name.clone())));
    let mut looked_at = BTreeSet::new();
    let mut sites = Vec::new();
    // Each function that is found to be one of them makes sites of those that call it.
    loop {
        let known = panicking.len();
        for branch in &program.branches {
            let Some(panics_by) = panicking.get(&branch.target) else { continue };
            let function = program.symbol_at(branch.at).filter(|it| !is_root(it));
            let Some(function) = function.filter(|_| looked_at.insert(branch.at)) else { continue };
            match place(program.places(branch.at, packages)?, function) {
                Some(place) => sites.push(Site {
                    place,
                    panics_by: panics_by.clone(),
                    part_of: function.name.clone(),
                    address: branch.at,
                }),
                None => {
                    // What the compiler has put together has no name worth a word.
                    let is_named = crate_of(&function.name) != UNKNOWN;
                    let name = if is_named { &function.name } else { panics_by }.clone();
                    panicking.entry(function.address).or_insert(name);
                }
            }
        }
        if panicking.len() == known {
            break;
        }
    }
    sites.sort();
    Ok(sites)
}

/// Of the `places` of an instruction the innermost that is not in the library; `None` if
/// there is none, in a `function` that acts for its callers.
fn place(places: Vec<Place>, function: &Symbol) -> Option<Place> {
    let package = crate_of(&function.name);
    // What was put together of several functions has no line, and whatever file.
    let together = |place: &Place| package == UNKNOWN && place.line == 0;
    let is_known = |place: &Place| !is_library(&place.origin.package) && !together(place);
    let mut places = places.into_iter().filter(is_known);
    let own_name = || last_segment(&function.name).to_owned();
    let Some(place) = places.next() else {
        let origin = Origin { package: package.to_owned(), file: String::new() };
        return (!is_library(package)).then(|| Place { origin, function: own_name(), line: 0 });
    };
    // A closure has no name of its own; the function that it is in has.
    let is_named = |place: &Place| !place.function.starts_with('{');
    let named = if is_named(&place) { Some(place.clone()) } else { places.find(is_named) };
    let name = named.map(|named| named.function).filter(|name| !name.is_empty());
    Some(Place { function: name.unwrap_or_else(own_name), ..place })
}

fn is_library(package: &str) -> bool {
    ["core", "compiler_builtins", UNKNOWN].contains(&package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(package: &str, function: &str, line: u32) -> Place {
        let origin = Origin { package: package.to_owned(), file: "f".to_owned() };
        Place { origin, function: function.to_owned(), line }
    }

    fn place_in(function: &str, places: &[Place]) -> Option<(String, String, u32)> {
        let symbol = Symbol { name: function.to_owned(), address: 0, size: 2, is_text: true };
        let Place { origin, function, line } = place(places.to_vec(), &symbol)?;
        Some((origin.package, function, line))
    }

    fn found(package: &str, function: &str, line: u32) -> Option<(String, String, u32)> {
        Some((package.to_owned(), function.to_owned(), line))
    }

    #[test]
    fn the_innermost_place_outside_of_the_library_counts() {
        let inlined = [at("core", "index", 1), at("a", "b", 2), at("c", "d", 3)];
        assert_eq!(place_in("c::d", &inlined), found("a", "b", 2));
        // Whatever function of the library the code is in.
        assert_eq!(place_in("core::e::f", &inlined), found("a", "b", 2));
    }

    #[test]
    fn a_closure_is_called_by_the_function_around_it() {
        let inlined = [at("a", "{closure#0}", 1), at("core", "map", 2), at("a", "b", 3)];
        assert_eq!(place_in("c::d", &inlined), found("a", "b", 1));
        assert_eq!(place_in("c::d", &[at("a", "", 1)]), found("a", "d", 1));
    }

    #[test]
    fn what_acts_for_its_callers_has_no_place() {
        assert_eq!(place_in("core::slice::copy", &[at("core", "copy", 1)]), None);
        // What the compiler has put together is in whatever file, and at no line.
        assert_eq!(place_in("OUTLINED_FUNCTION_1", &[at("a", "b", 0)]), None);
        assert_eq!(place_in("OUTLINED_FUNCTION_1", &[]), None);
    }

    #[test]
    fn a_function_without_lines_is_a_place_itself() {
        assert_eq!(place_in("a::b::c", &[at("core", "index", 1)]), found("a", "c", 0));
        assert_eq!(place_in("a::b::c", &[at("a", "d", 0)]), found("a", "d", 0));
    }
}
