//! Actuators: what a device does when it is commanded to.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::value::Value;

/// What stands for the value of the command in the arguments of a program.
pub const PLACEHOLDER: &str = "{value}";

/// What a command to an actuator does.
#[derive(Clone, Debug, PartialEq)]
pub enum Actuator {
    /// It keeps the value, which can be read like that of a sensor.
    State(Value),
    /// It runs a program.
    Run(Program),
}

/// A program to run, without a shell in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments; [`PLACEHOLDER`] in them is replaced by the value.
    ///
    /// The value comes from the network, and one that begins with `-` would be
    /// taken for an option by many programs: have a `--` before it.
    pub arguments: Vec<String>,
    /// When it is ended by force.
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It says that it did what it should.
    Done,
    /// It says that it did not, with this exit code, or was ended by a signal.
    Failed(Option<i32>),
    /// It took too long, and was ended.
    TimedOut,
}

/// A program that was started. If it is dropped, the program is ended.
#[derive(Debug)]
pub struct Running {
    child: Child,
    deadline: Instant,
}

impl Program {
    /// Starts the program with `value` in its arguments, and doesn't wait for it.
    /// It gets no input, and its output is thrown away.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::InvalidInput`] if the
    /// value contains a NUL, which no argument can.
    pub fn start(&self, value: &Value, now: Instant) -> io::Result<Running> {
        let value = value.to_string();
        let arguments = self.arguments.iter().map(|text| text.replace(PLACEHOLDER, &value));
        let child = Command::new(&self.program)
            .args(arguments.map(OsString::from))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let deadline = now.checked_add(self.timeout).unwrap_or(now);
        Ok(Running { child, deadline })
    }
}

impl Running {
    /// When the program is ended by force. There is no event when it ends by
    /// itself: ask now and then.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How the program ended, if it has; never waits. Once it has told, it is
    /// done with.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_finish(&mut self, now: Instant) -> io::Result<Option<Outcome>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(outcome(status)));
        }
        if now < self.deadline {
            return Ok(None);
        }
        self.child.kill()?;
        // It was killed, so that this takes no time.
        self.child.wait()?;
        Ok(Some(Outcome::TimedOut))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // A failure means that it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn outcome(status: ExitStatus) -> Outcome {
    if status.success() { Outcome::Done } else { Outcome::Failed(status.code()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(program: &str, arguments: &[&str]) -> Program {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Program { program: program.into(), arguments, timeout: Duration::from_secs(60) }
    }

    /// Waits for the end while the clock of the test stands still.
    fn finish(program: &Program, value: &Value) -> Outcome {
        let now = Instant::now();
        let mut running = program.start(value, now).unwrap();
        loop {
            if let Some(outcome) = running.try_finish(now).unwrap() {
                return outcome;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_value_is_one_argument_and_no_shell_sees_it() {
        let directory = tempfile::tempdir().unwrap();
        let touched = directory.path().join("touched");
        let value = Value::Text(format!("x; touch {}", touched.display()));
        let expected = value.to_string();
        let program = program("/usr/bin/test", &["{value}", "=", &expected]);
        assert_eq!(finish(&program, &value), Outcome::Done);
        assert_eq!(finish(&program, &Value::Bool(true)), Outcome::Failed(Some(1)));
        assert!(!touched.exists());
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let now = Instant::now();
        let mut running = program("sleep", &["{value}"]).start(&Value::Integer(600), now).unwrap();
        assert_eq!(running.try_finish(now).unwrap(), None);
        let late = running.deadline();
        assert_eq!(late, now + Duration::from_secs(60));
        assert_eq!(running.try_finish(late).unwrap(), Some(Outcome::TimedOut));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let program = program("/nonexistent/program", &[]);
        assert!(program.start(&Value::Bool(true), Instant::now()).is_err());
    }
}
