//! The answers as tables, as JSON and as pictures.

mod chart;
pub(crate) mod table;

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, RefreshKind, System};

use crate::measure::DISTURBED;
use crate::question::Answer;
use chart::Chart;

/// The machine that was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its processor.
    pub processor: String,
    /// How many of its cores there are.
    pub cores: usize,
    /// Its operating system.
    pub system: String,
    /// Whether this program was built without optimization, so that its times say
    /// nothing.
    pub unoptimized: bool,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let kind = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        let system = System::new_with_specifics(kind).ok();
        let cores = system.as_ref().map(System::cpus).unwrap_or_default();
        Self {
            processor: cores.first().map(|cpu| cpu.brand().to_owned()).unwrap_or_default(),
            cores: cores.len(),
            system: System::long_os_version().unwrap_or_default(),
            unoptimized: cfg!(debug_assertions),
        }
    }
}

/// All answers of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// The spread, as a part of the median, from which on an estimate is disturbed.
    pub disturbed_from: f64,
    /// What was left out, and what to do about it.
    pub left_out: Vec<String>,
    /// Whether one of the estimates was disturbed.
    pub disturbed: bool,
    /// The answers.
    pub answers: Vec<Answer>,
}

impl Report {
    /// The report of `answers`, measured on this machine.
    #[must_use]
    pub fn new(answers: Vec<Answer>, left_out: Vec<String>) -> Self {
        Self {
            machine: Machine::this(),
            disturbed_from: DISTURBED,
            left_out,
            disturbed: answers.iter().any(Answer::is_disturbed),
            answers,
        }
    }

    /// The report in JSON.
    ///
    /// # Errors
    /// [`serde_json::Error`], which does not happen.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// Writes the pictures into `directory`, which is made if need be; gives their
    /// files.
    ///
    /// # Errors
    /// If one can't be drawn or written.
    pub fn draw(&self, directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(directory)
            .with_context(|| format!("can't make {}", directory.display()))?;
        let mut files = Vec::new();
        for chart in self.answers.iter().flat_map(Chart::of) {
            let file = directory.join(chart.file());
            fs::write(&file, chart.to_svg()?)
                .with_context(|| format!("can't write {}", file.display()))?;
            files.push(file);
        }
        Ok(files)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, system, unoptimized } = &self.machine;
        writeln!(f, "{processor}, {cores} cores, {system}")?;
        if *unoptimized {
            writeln!(f, "NOT OPTIMIZED: run it with --release, or its times say nothing")?;
        }
        self.answers.iter().try_for_each(|answer| table::write(f, answer))?;
        if self.disturbed {
            let percent = self.disturbed_from * 100.0;
            writeln!(
                f,
                "(!) The machine was disturbed: the middle half of these measurements lies more \
                 than {percent:.0} % apart."
            )?;
        }
        self.left_out.iter().try_for_each(|left_out| writeln!(f, "{left_out}"))
    }
}
