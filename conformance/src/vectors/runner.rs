//! The runner: puts the requests of the vectors to a program, and compares its
//! answers.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::VectorFile;

/// How long a program may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(1);

/// Why a program could not be checked to the end. It says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error(
        "{program}: can't be started: {error}. Name a program that answers requests on standard \
         input and output, as conformance/vectors/README.md says"
    )]
    Start {
        /// The program.
        program: String,
        /// Why not.
        error: io::Error,
    },
    /// It ended, or closed its input or output.
    #[error("{program}: ended before it had answered {vector}. Run it alone with that request")]
    Ended {
        /// The program.
        program: String,
        /// The vector that it owes an answer to.
        vector: String,
    },
    /// It is silent.
    #[error(
        "{program}: gave no answer to {vector} within {} s. It must write each answer as one line \
         and flush it",
        PATIENCE.as_secs()
    )]
    Silent {
        /// The program.
        program: String,
        /// The vector that it owes an answer to.
        vector: String,
    },
    /// It wrote something else than an answer.
    #[error("{program}: the answer to {vector} is not a JSON object: {line:?}")]
    NotAnAnswer {
        /// The program.
        program: String,
        /// The vector.
        vector: String,
        /// What it wrote.
        line: String,
    },
}

/// What came of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of right answers.
    pub passed: usize,
    /// The wrong answers.
    pub failed: Vec<Difference>,
    /// The names of the vectors that the program does not support.
    pub unsupported: Vec<String>,
}

/// A wrong answer.
#[derive(Debug)]
pub struct Difference {
    /// File and name of the vector.
    pub vector: String,
    /// What had to be answered.
    pub expected: Value,
    /// What was answered.
    pub found: Value,
}

/// A program that answers.
struct Subject {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<io::Result<String>>,
}

impl Subject {
    fn start(program: &OsString, arguments: &[OsString]) -> Result<Self, RunError> {
        let name = program.to_string_lossy().into_owned();
        let start = |error| RunError::Start { program: name.clone(), error };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| start(io::ErrorKind::BrokenPipe.into()))?;
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, input, output: receiver })
    }

    fn ask(&mut self, vector: &str, request: &Value) -> Result<Value, RunError> {
        let program = || self.name.clone();
        let vector = || vector.to_owned();
        let ended = || RunError::Ended { program: program(), vector: vector() };
        let input = self.input.as_mut().ok_or_else(ended)?;
        writeln!(input, "{request}").and_then(|()| input.flush()).map_err(|_| ended())?;
        let line = match self.output.recv_timeout(PATIENCE) {
            Ok(Ok(line)) => line,
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            Err(RecvTimeoutError::Timeout) => {
                return Err(RunError::Silent { program: program(), vector: vector() });
            }
        };
        match serde_json::from_str(&line) {
            Ok(answer @ Value::Object(_)) => Ok(answer),
            _ => Err(RunError::NotAnAnswer { program: program(), vector: vector(), line }),
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // A program that does as it should ends when its input does; one that
        // does not is ended. Neither has anything to say any more.
        self.input = None;
        if !matches!(self.output.recv_timeout(GRACE), Err(RecvTimeoutError::Disconnected)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Puts all requests to `program`.
///
/// # Errors
/// [`RunError`].
pub fn check(
    program: &OsString,
    arguments: &[OsString],
    files: &[(String, VectorFile)],
) -> Result<Report, RunError> {
    let mut subject = Subject::start(program, arguments)?;
    let mut report = Report::default();
    for (name, file) in files {
        for vector in &file.vectors {
            let full_name = format!("{name}: {}", vector.name);
            let found = subject.ask(&full_name, &vector.request)?;
            if found == vector.answer {
                report.passed += 1;
            } else if found.get("unsupported").is_some() {
                report.unsupported.push(full_name);
            } else {
                let expected = vector.answer.clone();
                report.failed.push(Difference { vector: full_name, expected, found });
            }
        }
    }
    Ok(report)
}
