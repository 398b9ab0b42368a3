//! Which crate something in a program comes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The crate of what is in no crate.
pub const UNKNOWN: &str = "?";

/// A file of a crate's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The crate.
    #[serde(rename = "crate")]
    pub package: String,
    /// The file, from the crate's folder on.
    pub file: String,
}

/// The packages that files belong to.
#[derive(Debug, Default)]
pub struct Packages {
    /// What is known of folders: the name and the folder of the package that they are in.
    known: BTreeMap<PathBuf, Option<(String, PathBuf)>>,
}

impl Packages {
    /// Where a file comes from, by the nearest `Cargo.toml` above it.
    pub fn origin(&mut self, file: &str) -> Origin {
        let path = Path::new(file);
        let folder = path.parent().filter(|folder| folder.is_absolute());
        let package = folder.and_then(|folder| self.package(folder));
        let (package, file) = match package {
            Some((name, folder)) => (name, path.strip_prefix(folder).unwrap_or(path)),
            None => (UNKNOWN.to_owned(), path),
        };
        Origin { package, file: file.display().to_string() }
    }

    fn package(&mut self, folder: &Path) -> Option<(String, PathBuf)> {
        if let Some(known) = self.known.get(folder) {
            return known.clone();
        }
        let here = std::fs::read_to_string(folder.join("Cargo.toml"));
        let here = here.ok().and_then(|manifest| name_of(&manifest));
        let found = match here {
            Some(name) => Some((name, folder.to_owned())),
            None => folder.parent().and_then(|above| self.package(above)),
        };
        self.known.insert(folder.to_owned(), found.clone());
        found
    }
}

/// The name of a package, as crates are called in code.
fn name_of(manifest: &str) -> Option<String> {
    let manifest: toml::Table = toml::from_str(manifest).ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.replace('-', "_"))
}

/// The crate of a symbol, by its demangled name. What a crate implements of another's
/// trait, or for another's type, is its own.
#[must_use]
pub fn crate_of(symbol: &str) -> &str {
    let Some(inner) = symbol.strip_prefix('<') else { return first_segment(symbol) };
    let (of_type, of_trait) = parts(inner);
    match (first_segment(of_type), of_trait.map(first_segment)) {
        ("core" | UNKNOWN, Some(of_trait)) if of_trait != UNKNOWN => of_trait,
        (of_type, _) => of_type,
    }
}

/// Of `Type as Trait>::…` the type and the trait, of `Type>::…` the type.
fn parts(inner: &str) -> (&str, Option<&str>) {
    let (mut depth, mut of_type) = (0_u32, None);
    let mut before = '<';
    for (at, character) in inner.char_indices() {
        match character {
            '<' | '(' | '[' => depth += 1,
            // Of `->` it closes nothing.
            '>' if before == '-' => {}
            '>' if depth == 0 => {
                let (start, inner) = (of_type.map_or(0, |(_, start)| start), inner.get(..at));
                let last = inner.and_then(|inner| inner.get(start..)).unwrap_or_default();
                return match of_type {
                    Some((of_type, _)) => (of_type, Some(last)),
                    None => (last, None),
                };
            }
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && of_type.is_none() => {
                let rest = inner.get(at..).unwrap_or_default();
                if rest.starts_with(" as ") {
                    of_type = inner.get(..at).map(|of_type| (of_type, at + " as ".len()));
                }
            }
            _ => {}
        }
        before = character;
    }
    (inner, None)
}

/// The first segment of a path, behind what makes a reference, a slice or a tuple of it.
fn first_segment(mut path: &str) -> &str {
    loop {
        let before = path;
        path = path.trim_start_matches(['&', '*', '[', '(', '<']);
        for word in ["mut ", "const ", "dyn "] {
            path = path.strip_prefix(word).unwrap_or(path);
        }
        if path == before {
            break;
        }
    }
    let is_word = |word: &str| word.chars().all(|it| it.is_alphanumeric() || it == '_');
    path.split_once("::").map(|(first, _)| first).filter(|it| is_word(it)).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_of_the_crate_that_has_written_it() {
        for (symbol, expected) in [
            ("smoltcp::iface::poll", "smoltcp"),
            ("<p256::Scalar as core::ops::arith::Mul>::mul", "p256"),
            ("<&curve25519_dalek::Field as core::ops::arith::Mul>::mul", "curve25519_dalek"),
            ("<&mut [a::B]>::c", "a"),
            ("<core::option::Option<p256::Scalar>>::unwrap", "core"),
            ("<core::option::Option<u8> as minicbor::encode::Encode<()>>::encode", "minicbor"),
            ("<u8 as minicbor::decode::Decode<()>>::decode", "minicbor"),
            ("<[u8] as core::cmp::Ord>::cmp", "core"),
            ("<a::B<c::D as e::F> as g::H>::i", "a"),
            ("<fn(u8) -> a::B as core::ops::function::FnOnce<()>>::call_once", "core"),
            ("iot_crypto::drain::<smoltcp::X>", "iot_crypto"),
            ("OUTLINED_FUNCTION_7", UNKNOWN),
            ("Reset", UNKNOWN),
        ] {
            assert_eq!(crate_of(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn a_file_is_of_the_package_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        // A workspace is no package.
        write("Cargo.toml", "[workspace]");
        write("one/Cargo.toml", "[package]\nname = \"the-one\"");
        let origin = |file: &str| {
            Packages::default().origin(&folder.path().join(file).display().to_string())
        };
        let one = Origin { package: "the_one".to_owned(), file: "src/a/b.rs".to_owned() };
        assert_eq!(origin("one/src/a/b.rs"), one);
        assert_eq!(origin("other/b.rs").package, UNKNOWN);
        assert_eq!(Packages::default().origin("b.rs").package, UNKNOWN);
    }
}
