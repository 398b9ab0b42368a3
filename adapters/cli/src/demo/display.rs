//! Shows the demonstration, line by line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};

use super::measurements::Measurements;
use super::{Actor, Failure, StepReport};
use crate::error::Error;
use crate::events::{Event, Tone};
use crate::output::Format;

/// The width of a line.
const WIDTH: usize = 80;
/// Where the text begins, behind the name of the party.
const MARGIN: usize = 13;

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Shows everything to a person, or nothing if the result is to be JSON.
pub(super) struct Display {
    format: Format,
    /// What was shown in this step, so that what is repeated is shown once.
    shown: RefCell<BTreeSet<String>>,
    /// What is shown once in all steps together, and was.
    once: RefCell<BTreeSet<String>>,
}

impl Display {
    pub(super) fn new(format: Format) -> Self {
        let [shown, once] = [RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new())];
        Self { format, shown, once }
    }

    pub(super) fn title(&self) -> Result<(), Error> {
        if self.format == Format::Json {
            return Ok(());
        }
        print(&format!(
            "{BOLD}A cloud, a gateway and three devices of two companies{BOLD:#}, each a process \
             of its\nown, on UDP sockets of the loopback interface"
        ))
    }

    pub(super) fn begin_step(&self, number: usize, title: &str) {
        self.shown.borrow_mut().clear();
        self.line(&format!("\n{BOLD}{number}  {title}{BOLD:#}"));
    }

    pub(super) fn end_step(&self, ok: bool, took: Duration, note: Option<&str>) {
        let (color, mark) = if ok { (AnsiColor::Green, "✓") } else { (AnsiColor::Red, "✗") };
        let style = color.on_default().bold();
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        self.line(&format!("   {style}{mark}{style:#} {:.2} s{note}", took.as_secs_f64()));
    }

    /// What the demonstration itself does.
    pub(super) fn remark(&self, text: &str) {
        self.line(&format!("   {DIM}{text}{DIM:#}"));
    }

    /// A command that is run beside the parties.
    pub(super) fn shell(&self, line: &str) {
        let parts = wrap(&format!("$ iot-crypto {line}"), WIDTH - MARGIN);
        self.line(&format!("   {BOLD}{}{BOLD:#}", parts.join(" \\\n         ")));
    }

    /// A line that is typed for a party.
    pub(super) fn typed(&self, actor: Actor, line: &str) {
        self.say(actor, Style::new().bold(), &format!("> {line}"));
    }

    /// What a party tells, once a step.
    pub(super) fn narrate(&self, actor: Actor, event: &Event) {
        let Some(subject) = subject(actor, event) else { return };
        let shown = match event {
            Event::Readings { .. } => &self.once,
            _ => &self.shown,
        };
        if shown.borrow_mut().insert(format!("{actor:?} {subject}")) {
            self.tell(actor, event);
            if let Some(advice) = event.advice()
                && self.once.borrow_mut().insert(advice.to_owned())
            {
                self.say(actor, DIM, &format!("→ {advice}"));
            }
        }
    }

    pub(super) fn begin_staying(&self) {
        self.line(&format!("\n{BOLD}It goes on until Ctrl-C{BOLD:#}"));
    }

    /// What a party tells while the demonstration stays.
    pub(super) fn follow(&self, actor: Actor, event: &Event) {
        if matches!((actor, event), (Actor::Cloud, Event::Readings { .. })) {
            self.tell(actor, event);
        }
    }

    /// What came of it.
    pub(super) fn conclude(
        &self,
        measured: &Result<Measurements, Failure>,
        steps: &[StepReport],
        took: Duration,
    ) -> Result<(), Error> {
        let failure = match measured {
            Ok(measured) => {
                let style = AnsiColor::Green.on_default().bold();
                let took = took.as_secs_f64();
                return print(&format!(
                    "\n{measured}\n\n{style}All steps happened, in {took:.1} s{style:#}"
                ));
            }
            Err(failure) => failure,
        };
        let style = AnsiColor::Red.on_default().bold();
        let step = steps.iter().find(|step| !step.ok).map_or_else(
            || "After the last step".to_owned(),
            |step| format!("Step {} failed", step.step),
        );
        print(&format!("\n{style}{step}{style:#}: {failure}"))
    }

    fn tell(&self, actor: Actor, event: &Event) {
        let style = match event.tone() {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Plain => Style::new(),
        };
        self.say(actor, style, &event.to_string());
    }

    fn say(&self, actor: Actor, style: Style, text: &str) {
        let name = Style::new().fg_color(Some(color(actor).into()));
        for (index, part) in wrap(text, WIDTH - MARGIN).into_iter().enumerate() {
            let who = if index == 0 { actor.name() } else { "" };
            self.line(&format!("   {name}{who:<8}{name:#}  {style}{part}{style:#}"));
        }
    }

    fn line(&self, text: &str) {
        if self.format == Format::Text {
            // The steps go on though nobody looks any more.
            let _ = print(text);
        }
    }
}

/// Prints a line to standard output.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Error::Output)
}

/// What an event is about, so that it is shown once; `None` if it is not shown.
fn subject(actor: Actor, event: &Event) -> Option<String> {
    match event {
        Event::Readings { device, .. } => Some(format!("readings {}", device.label())),
        Event::Refused { peer, .. } => {
            Some(format!("refused {}", peer.as_ref().map_or("", |peer| peer.label())))
        }
        Event::Presence { device, state, .. } => Some(format!("{} {state}", device.label())),
        Event::Failed { reason, .. } => Some(reason.clone()),
        event if event.is_detail() => None,
        Event::DataRequested { .. } | Event::Traffic { .. } | Event::Stopped => None,
        Event::CommandStatus { .. } if actor == Actor::Hall => None,
        event => Some(event.to_string()),
    }
}

const fn color(actor: Actor) -> AnsiColor {
    match actor {
        Actor::Cloud => AnsiColor::Blue,
        Actor::Hall => AnsiColor::Magenta,
        Actor::Boiler | Actor::Meter => AnsiColor::Cyan,
        Actor::Freezer => AnsiColor::Yellow,
    }
}

/// The text in lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_a_long_word_is_kept() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("äää bb", 3), ["äää", "bb"]);
        assert_eq!(wrap("a longer-word b", 6), ["a", "longer-word", "b"]);
    }
}
