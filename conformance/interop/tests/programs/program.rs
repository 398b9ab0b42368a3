//! A running program: what it says, and what it is told.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Whether `program` can be run; a machine with `CI=true` has to have it. It comes
/// with the Debian package `package`.
pub(crate) fn available(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--help").output().is_ok();
    if !found {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "{program} was not found: install {package}");
        eprintln!("SKIPPED: {program} was not found: install {package}");
    }
    found
}

/// A running program, ended when it goes out of scope.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    pub(crate) fn run(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        let stdin = child.stdin.take();
        Self { child, stdin, output }
    }

    pub(crate) fn say(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Ends its input.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has said `text`.
    pub(crate) fn wait_for(&self, text: &str) {
        let begin = Instant::now();
        while !self.output().contains(text) {
            assert!(begin.elapsed() < PATIENCE, "no “{text}” in: {}", self.output());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(buffer.get(..length).unwrap());
        }
    });
}
