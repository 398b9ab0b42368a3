//! Every cell of the matrix, and the table of their results.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::case::Case;
use crate::pair::Direction;
use crate::peer::{LIBRARIES, Library};

/// How many cells run at once. They mostly wait for timers.
const WORKERS: usize = 8;

/// One cell: a peer, a direction, a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Whom we talk to.
    pub library: Library,
    /// Which side ours is.
    pub direction: Direction,
    /// What is tried.
    pub case: Case,
}

impl Cell {
    /// Every cell of the peers in `libraries`.
    #[must_use]
    pub fn all(libraries: &[Library]) -> Vec<Self> {
        let mut cells = Vec::new();
        for &case in &Case::ALL {
            for &library in libraries {
                for &direction in &Direction::ALL {
                    cells.push(Self { library, direction, case });
                }
            }
        }
        cells
    }

    /// Tries it; gives its note.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(self) -> anyhow::Result<Option<String>> {
        self.case.run(self.library, self.direction)
    }
}

/// How a cell went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed, perhaps with a note.
    Passed(Option<String>),
    /// It failed.
    Failed(String),
}

/// A cell and how it went.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The cell.
    pub cell: Cell,
    /// How it went.
    pub outcome: Outcome,
}

/// The table of results.
#[derive(Clone, Debug)]
pub struct Table {
    /// The peers that are linked, and their versions.
    pub versions: Vec<(Library, String)>,
    /// Every cell of them.
    pub entries: Vec<Entry>,
}

impl Table {
    /// Runs every cell of the peers that are linked; `progress` is told of each.
    #[must_use]
    pub fn measure(progress: impl Fn(&Entry) + Sync) -> Self {
        let versions: Vec<_> = LIBRARIES
            .into_iter()
            .filter_map(|library| Some((library, library.version()?)))
            .collect();
        let cells = Cell::all(&Vec::from_iter(versions.iter().map(|(library, _)| *library)));
        let (next, entries) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(&cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = match cell.run() {
                            Ok(note) => Outcome::Passed(note),
                            Err(error) => Outcome::Failed(format!("{error:#}")),
                        };
                        let entry = Entry { cell, outcome };
                        progress(&entry);
                        if let Ok(mut entries) = entries.lock() {
                            entries.push(entry);
                        }
                    }
                });
            }
        });
        let mut entries = entries.into_inner().unwrap_or_default();
        entries.sort_by_key(|entry| (entry.cell.case, entry.cell.library, entry.cell.direction));
        Self { versions, entries }
    }

    /// The cells that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (Cell, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.outcome {
            Outcome::Passed(_) => None,
            Outcome::Failed(why) => Some((entry.cell, why.as_str())),
        })
    }

    /// The table in Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from(
            "# Interoperability\n\nMade by `cargo run -p iot-crypto-interop --features peers`; \
             [README.md](README.md) says how to have the peers. TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 \
             over DTLS 1.2, on the loopback interface.\n\n| |",
        );
        for (library, version) in &self.versions {
            for direction in Direction::ALL {
                let _ = write!(text, " {} {version}, {} |", library.name(), direction.name());
            }
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.versions.len() * Direction::ALL.len()));
        for case in Case::ALL {
            let _ = write!(text, "\n| {} |", case.name());
            for entry in self.entries.iter().filter(|entry| entry.cell.case == case) {
                let cell = match &entry.outcome {
                    Outcome::Passed(None) => "✓".to_owned(),
                    Outcome::Passed(Some(note)) => format!("✓ {note}"),
                    Outcome::Failed(_) => "✗".to_owned(),
                };
                let _ = write!(text, " {cell} |");
            }
        }
        text.push_str("\n\n## The cases\n\n");
        for case in Case::ALL {
            let _ = writeln!(text, "- **{}**: {}", case.name(), case.description());
        }
        for library in LIBRARIES {
            if self.versions.iter().all(|(linked, _)| *linked != library) {
                let _ = write!(text, "\nLeft out: {}.\n", library.how_to_link());
            }
        }
        text
    }

    /// The table in JSON.
    ///
    /// # Errors
    /// [`serde_json::Error`], which does not happen.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            peer: &'static str,
            version: &'a str,
            direction: &'static str,
            case: &'static str,
            outcome: &'a Outcome,
        }
        let rows = self.entries.iter().map(|Entry { cell, outcome }| {
            let version = self.versions.iter().find(|(library, _)| *library == cell.library);
            Row {
                peer: cell.library.name(),
                version: version.map_or("", |(_, version)| version),
                direction: cell.direction.name(),
                case: cell.case.name(),
                outcome,
            }
        });
        serde_json::to_string_pretty(&Vec::from_iter(rows))
    }
}
