//! The list of the places from which the device can come to a panic, each with the reason
//! why nothing that comes in leads to it: `panics.toml`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::panics::Site;

/// The list, as it is in the repository.
const LIST: &str = include_str!("../../panics.toml");

/// Places of one function, of one file, or of one crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// The crate.
    #[serde(rename = "crate")]
    pub package: String,
    /// Its file; all that are not listed by themselves, if there is none.
    pub file: Option<String>,
    /// The function in that; likewise.
    pub function: Option<String>,
    /// How many there are.
    pub sites: usize,
    /// Why nothing that comes in leads to them; or what does.
    pub reason: String,
    /// Whether something does.
    #[serde(default)]
    pub reachable: bool,
}

/// The list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    reviewed: Vec<Reviewed>,
}

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Places that are not in the list.
    pub unlisted: Vec<Site>,
    /// What is in the list though there is less of it, with how many there are.
    pub gone: Vec<(Reviewed, usize)>,
    /// What is in the list as reachable, with how many there are.
    pub reachable: Vec<(Reviewed, usize)>,
}

/// The list of the repository.
///
/// # Errors
/// If it is not what it should be.
pub fn list() -> Result<Vec<Reviewed>> {
    let List { reviewed } = toml::from_str(LIST).context("adapters/embedded/check/panics.toml")?;
    for entry in &reviewed {
        ensure!(!entry.reason.is_empty(), "panics.toml: no reason for {}", entry.name());
        ensure!(
            entry.file.is_some() || entry.function.is_none(),
            "panics.toml: {} has a function, and no file",
            entry.name()
        );
        let same = reviewed.iter().filter(|other| other.name() == entry.name());
        ensure!(same.count() == 1, "panics.toml: {} is there twice", entry.name());
    }
    Ok(reviewed)
}

/// Compares the places that there are with the `list`. Each counts for the entry that
/// says most of it.
#[must_use]
pub fn compare(sites: &[Site], list: &[Reviewed]) -> Comparison {
    let mut comparison = Comparison::default();
    let mut found = BTreeMap::<usize, Vec<&Site>>::new();
    for site in sites {
        let fitting = list.iter().enumerate().filter(|(_, entry)| entry.fits(site));
        match fitting.max_by_key(|(_, entry)| (entry.file.is_some(), entry.function.is_some())) {
            Some((index, _)) => found.entry(index).or_default().push(site),
            None => comparison.unlisted.push(site.clone()),
        }
    }
    for (index, entry) in list.iter().enumerate() {
        let found = found.remove(&index).unwrap_or_default();
        if found.len() > entry.sites {
            // Which of them is the new one can't be told.
            comparison.unlisted.extend(found.into_iter().cloned());
            continue;
        }
        if found.len() < entry.sites {
            comparison.gone.push((entry.clone(), found.len()));
        }
        if entry.reachable && !found.is_empty() {
            comparison.reachable.push((entry.clone(), found.len()));
        }
    }
    comparison
}

impl Reviewed {
    /// What it is about.
    #[must_use]
    pub fn name(&self) -> String {
        let parts = [Some(&self.package), self.file.as_ref(), self.function.as_ref()];
        let parts = parts.into_iter().flatten().map(String::as_str);
        parts.collect::<Vec<_>>().join(" ")
    }

    fn fits(&self, site: &Site) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|it| it == is);
        self.package == site.place.origin.package
            && is(&self.file, &site.place.origin.file)
            && is(&self.function, &site.place.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::origin::Origin;
    use crate::costs::program::Place;

    fn site(package: &str, file: &str, function: &str, line: u32) -> Site {
        let origin = Origin { package: package.to_owned(), file: file.to_owned() };
        Site {
            place: Place { origin, function: function.to_owned(), line },
            panics_by: String::new(),
            part_of: String::new(),
            address: 0,
        }
    }

    fn reviewed(package: &str, place: [Option<&str>; 2], sites: usize) -> Reviewed {
        let [file, function] = place.map(|part| part.map(str::to_owned));
        let (package, reason) = (package.to_owned(), "because".to_owned());
        Reviewed { package, file, function, sites, reason, reachable: false }
    }

    #[test]
    fn the_list_is_what_it_should_be() {
        assert!(list().is_ok_and(|list| !list.is_empty()), "{:?}", list());
    }

    #[test]
    fn each_place_counts_for_the_entry_that_says_most_of_it() {
        let list = [
            reviewed("a", [None, None], 1),
            reviewed("a", [Some("f"), None], 1),
            reviewed("a", [Some("f"), Some("g")], 1),
        ];
        let sites = [site("a", "f", "g", 1), site("a", "f", "h", 2), site("a", "e", "g", 3)];
        assert_eq!(compare(&sites, &list), Comparison::default());
        let [first, ..] = &sites;
        let of_another = site("b", "f", "g", 1);
        let sites = [first.clone(), of_another.clone()];
        let Comparison { unlisted, gone, .. } = compare(&sites, &list);
        assert_eq!(unlisted, [of_another]);
        let gone = Vec::from_iter(gone.iter().map(|(entry, count)| (entry.name(), *count)));
        assert_eq!(gone, [("a".to_owned(), 0), ("a f".to_owned(), 0)]);
    }

    #[test]
    fn more_places_than_are_listed_are_not_listed() {
        let list = [reviewed("a", [Some("f"), None], 2)];
        let sites = [1, 2, 3].map(|line| site("a", "f", "g", line));
        let [rest @ .., _] = &sites;
        assert_eq!(compare(rest, &list), Comparison::default());
        assert_eq!(compare(&sites, &list).unlisted, sites);
    }

    #[test]
    fn what_is_reachable_is_named_as_long_as_it_is_there() {
        let entry = Reviewed { reachable: true, ..reviewed("a", [None, None], 2) };
        let list = [entry.clone()];
        assert_eq!(compare(&[site("a", "f", "g", 1)], &list).reachable, [(entry, 1)]);
        assert_eq!(compare(&[], &list).reachable, []);
    }
}
