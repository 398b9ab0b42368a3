//! Prints events to standard output, one line each.

use std::io::Write as _;
use std::time::SystemTime;

use anstyle::{AnsiColor, Effects, Style};

use super::{Event, Line, Tone};
use crate::error::Error;
use crate::output::Format;

/// Prints what one role tells.
#[derive(Clone, Debug)]
pub struct Printer {
    format: Format,
    /// The name of the role, in front of each line for people.
    name: String,
}

impl Printer {
    /// Prints for the role with this name.
    #[must_use]
    pub const fn new(format: Format, name: String) -> Self {
        Self { format, name }
    }

    /// Prints an event of now.
    ///
    /// # Errors
    /// [`Error::Output`] if standard output can't be written to.
    pub fn print(&self, event: Event) -> Result<(), Error> {
        let at = SystemTime::now();
        let text = match self.format {
            Format::Json => serde_json::to_string(&Line { at, event })
                .map_err(|error| Error::Unexpected(error.to_string()))?,
            Format::Text if event.is_detail() => return Ok(()),
            Format::Text => self.for_people(at, &event),
        };
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Error::Output)
    }

    /// Prints what went wrong without harm.
    ///
    /// # Errors
    /// As [`Printer::print`].
    pub fn problem(&self, problem: impl ToString) -> Result<(), Error> {
        self.print(Event::Problem { problem: problem.to_string() })
    }

    fn for_people(&self, at: SystemTime, event: &Event) -> String {
        let time = humantime::format_rfc3339_seconds(at).to_string();
        let time = time.get(11..).unwrap_or_default();
        let (dim, bold) = (Style::new().effects(Effects::DIMMED), Style::new().bold());
        let tone = style(event.tone());
        let mut text =
            format!("{dim}{time}{dim:#} {bold}{}{bold:#}  {tone}{event}{tone:#}", self.name);
        if let Some(advice) = event.advice() {
            text.push_str(&format!("\n{:10}{dim}→ {advice}{dim:#}", ""));
        }
        text
    }
}

fn style(tone: Tone) -> Style {
    let color = match tone {
        Tone::Good => AnsiColor::Green,
        Tone::Warning => AnsiColor::Yellow,
        Tone::Bad => AnsiColor::Red,
        Tone::Plain => return Style::new(),
    };
    Style::new().fg_color(Some(color.into()))
}
