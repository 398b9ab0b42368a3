//! The parties as processes of their own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::network::Network;
use super::{Actor, Failure};
use crate::error::Error;
use crate::events::Line;

/// How long the parties may take to close their sessions at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What came from outside.
pub(super) enum Message {
    /// A party tells something.
    Event(Actor, Box<Line>),
    /// A party has ended.
    Ended(Actor),
    /// The person, or the system, wants the end.
    Interrupted,
}

/// The parties that run. They are ended when this is dropped.
pub(super) struct Processes {
    running: BTreeMap<Actor, Running>,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

/// A process that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // A failure means that it is gone already.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl Processes {
    /// Nobody runs yet; from now on, the end may be asked for by signals.
    pub(super) fn new() -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| Error::Unexpected(format!("signals can't be heard: {error}")))?;
        let interrupt = sender.clone();
        thread::spawn(move || {
            for _ in signals.forever() {
                if interrupt.send(Message::Interrupted).is_err() {
                    break;
                }
            }
        });
        Ok(Self { running: BTreeMap::new(), sender, receiver })
    }

    /// Starts a party; what it logs goes to a file.
    pub(super) fn start(&mut self, network: &Network, actor: Actor) -> Result<(), Failure> {
        let (name, role) = (actor.name(), actor.role());
        let failed = |error| Failure::Problem(format!("{name} could not be started: {error}"));
        let log = File::create(network.path().join(format!("{name}.log"))).map_err(failed)?;
        let events = File::create(network.path().join(format!("{name}.events"))).map_err(failed)?;
        let any_port = if role == "device" { [].as_slice() } else { &["--any-port"] };
        let capture =
            network.capture(actor).map(|path| [OsStr::new("--capture"), path.as_os_str()]);
        let mut child = Command::new(network.program())
            .args([role, &format!("{name}.toml"), "--json", "--color", "never", "--stop-at-eof"])
            .args(any_port)
            .args(capture.into_iter().flatten())
            .current_dir(network.path())
            // A party whose input ends, ends: so that none stays when this process
            // is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        if let Some(stdout) = child.stdout.take() {
            let sender = self.sender.clone();
            thread::spawn(move || listen(actor, stdout, events, &sender));
        }
        self.running.insert(actor, Running(child));
        Ok(())
    }

    /// Types a line for a party.
    pub(super) fn type_line(&mut self, actor: Actor, line: &str) -> Result<(), Failure> {
        let running = self.running.get_mut(&actor);
        let stdin = running.and_then(|running| running.0.stdin.as_mut());
        match stdin.map(|stdin| writeln!(stdin, "{line}").and_then(|()| stdin.flush())) {
            Some(Ok(())) => Ok(()),
            _ => Err(Failure::Problem(format!("{} does not read any more", actor.name()))),
        }
    }

    /// Asks all for what they sent so far.
    pub(super) fn ask_for_statistics(&self) {
        self.signal_all(Signal::USR1);
    }

    /// The next message until `deadline`; `None` if there is none.
    pub(super) fn poll(&self, deadline: Instant) -> Option<Message> {
        self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Waits for the next message, for as long as it takes.
    pub(super) fn wait(&self) -> Option<Message> {
        self.receiver.recv().ok()
    }

    /// Has all close their sessions and end; who doesn't in time is killed.
    pub(super) fn end(&mut self) {
        self.signal_all(Signal::TERM);
        let deadline = Instant::now() + FAREWELL;
        while Instant::now() < deadline && self.running.values_mut().any(Running::is_alive) {
            // Their last events are of no interest, but tell that they end.
            self.poll(deadline.min(Instant::now() + Duration::from_millis(20)));
        }
        self.running.clear();
    }

    fn signal_all(&self, signal: Signal) {
        for Running(child) in self.running.values() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may have ended by itself.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Running {
    fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

fn listen(actor: Actor, stdout: ChildStdout, mut events: File, sender: &Sender<Message>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        // The file is only for whoever looks for a mistake.
        let _ = writeln!(events, "{line}");
        if let Ok(line) = serde_json::from_str(&line)
            && sender.send(Message::Event(actor, Box::new(line))).is_err()
        {
            return;
        }
    }
    let _ = sender.send(Message::Ended(actor));
}
