//! A figure as numbers, and how it is printed: for people, as Markdown, and as JSON.

use std::fmt::{self, Display, Formatter};

use comfy_table::{CellAlignment, LineStyle, TableStyle, presets};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Lines above and below the table and its header, and no others.
const PLAIN: TableStyle = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// One of the paper's figures, measured here.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Figure {
    /// Its number in the paper.
    pub number: u8,
    /// What it shows.
    pub title: &'static str,
    /// The seed of everything that is drawn for it.
    pub seed: u64,
    /// The command that gives it again.
    pub command: String,
    /// What the paper says in words about its own figure; quoted.
    pub paper: Vec<&'static str>,
    /// The numbers.
    pub tables: Vec<Table>,
    /// What has to be known to read them.
    pub notes: Vec<String>,
}

/// Rows of cells under the names of their columns.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Table {
    /// What the numbers are, and their unit.
    pub caption: String,
    /// The rows, of one cell for each column.
    pub rows: Vec<Row>,
    #[serde(skip)]
    columns: Vec<&'static str>,
}

/// The cells of a row, each with the name of its column.
#[derive(Clone, Debug)]
pub struct Row(Vec<(&'static str, Cell)>);

/// What stands in a place of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number of things: bytes, calls.
    Count(u64),
    /// A measured number, and how many of its digits behind the point are shown.
    Measured(f64, usize),
}

impl Figure {
    /// The figure `number`, without tables and notes yet.
    pub(super) fn new(number: u8, title: &'static str, seed: u64, paper: &[&'static str]) -> Self {
        Self {
            number,
            title,
            seed,
            command: format!(
                "cargo run --release -p iot-crypto-simulator -- figures {number} --seed {seed}"
            ),
            paper: paper.to_vec(),
            tables: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The figure as a section of a Markdown file.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Self { number, title, seed, command, paper, tables, notes } = self;
        let mut lines = vec![
            format!("## Figure {number}: {title}\n"),
            format!("Seed {seed}: `{command}`\n"),
            "The paper says of its own:\n".to_owned(),
        ];
        lines.extend(paper.iter().map(|words| format!("> “{words}”\n>")));
        if let Some(last) = lines.last_mut() {
            last.truncate(last.len() - ">".len());
        }
        for table in tables {
            lines.push(format!("{}:\n", table.caption));
            lines.push(format!("{}\n", table.drawn(presets::ASCII_MARKDOWN)));
        }
        lines.extend(notes.iter().map(|note| format!("* {note}")));
        lines.join("\n")
    }
}

/// For people.
impl Display for Figure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { number, title, seed, command, paper, tables, notes } = self;
        writeln!(f, "Figure {number}: {title}")?;
        writeln!(f, "  seed {seed}: {command}")?;
        paper.iter().try_for_each(|words| writeln!(f, "  the paper: “{words}”"))?;
        for table in tables {
            writeln!(f, "\n{}:\n{}", table.caption, table.drawn(PLAIN))?;
        }
        writeln!(f)?;
        notes.iter().try_for_each(|note| writeln!(f, "* {note}"))
    }
}

impl Table {
    /// A table of `rows`, each with as many cells as there are `columns`.
    pub(super) fn new(
        caption: impl Into<String>,
        columns: &[&'static str],
        rows: impl IntoIterator<Item = Vec<Cell>>,
    ) -> Self {
        let named = |cells: Vec<Cell>| {
            assert_eq!(cells.len(), columns.len(), "a cell for each column");
            Row(columns.iter().copied().zip(cells).collect())
        };
        Self {
            caption: caption.into(),
            rows: rows.into_iter().map(named).collect(),
            columns: columns.to_vec(),
        }
    }

    fn drawn(&self, style: TableStyle) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(style).set_header(&self.columns);
        for Row(cells) in &self.rows {
            table.add_row(cells.iter().map(|(_, cell)| cell));
        }
        let first = self.rows.first().map(|Row(cells)| cells.as_slice()).unwrap_or_default();
        for (column, (_, cell)) in table.column_iter_mut().zip(first) {
            if !matches!(cell, Cell::Text(_)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }
}

impl Row {
    /// The cell in the column `name`.
    #[must_use]
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.0.iter().find(|(column, _)| *column == name).map(|(_, cell)| cell)
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Measured(value, digits) => write!(f, "{value:.digits$}"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

/// As an object with a member for each column.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(column, cell)| members.serialize_entry(column, cell))?;
        members.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Measured(value, _) => serializer.serialize_f64(*value),
        }
    }
}
