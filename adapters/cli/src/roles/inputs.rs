//! What comes from outside the network while a role runs: signals, lines that
//! are typed, and changes of its files. Each wakes the driver.

use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use iot_crypto_mio::Waker;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::error::Error;

/// Something that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The role is to end.
    Stop,
    /// The files that may change while it runs are to be looked at again.
    Files,
    /// It is to tell what it sent so far.
    Statistics,
    /// A program that it had started may have ended.
    Child,
    /// A line was typed.
    Line(String),
}

/// What standard input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stdin {
    /// Nobody reads it.
    Unused,
    /// Commands are typed there. When it ends, the role goes on.
    Commands,
    /// The same, but when it ends, so does the role.
    CommandsUntilEnd,
}

/// Collects what comes in.
pub(super) struct Inputs {
    receiver: Receiver<Input>,
    /// Files are watched for as long as this is kept; without it (which was
    /// warned of), changes are taken over on SIGHUP only.
    _watcher: Option<RecommendedWatcher>,
}

/// How an input gets from another thread to the loop.
#[derive(Clone)]
struct Post {
    sender: Sender<Input>,
    waker: Waker,
}

impl Post {
    /// Hands an input over; `false` if nobody takes it any more.
    fn send(&self, input: Input) -> bool {
        self.sender.send(input).is_ok() && self.waker.wake().is_ok()
    }
}

impl Inputs {
    /// Listens from now on; `files` are the ones to watch.
    pub(super) fn open(waker: Waker, stdin: Stdin, files: &[&Path]) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let post = Post { sender, waker };
        hear_signals(post.clone())?;
        if stdin != Stdin::Unused {
            let post = post.clone();
            thread::spawn(move || read_lines(&post, stdin));
        }
        let watcher = watch(post, files).inspect_err(|error| {
            tracing::warn!(%error, "changed files are taken over on SIGHUP only");
        });
        Ok(Self { receiver, _watcher: watcher.ok() })
    }

    /// The next input, if there is one.
    pub(super) fn poll(&self) -> Option<Input> {
        self.receiver.try_recv().ok()
    }
}

fn hear_signals(post: Post) -> Result<(), Error> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD])
        .map_err(|error| Error::Unexpected(format!("signals can't be heard: {error}")))?;
    let had_terminal = io::stdin().is_terminal();
    thread::spawn(move || {
        for signal in signals.forever() {
            let input = match signal {
                SIGUSR1 => Input::Statistics,
                SIGCHLD => Input::Child,
                // It is also what a program gets when its terminal is closed.
                SIGHUP if had_terminal && !io::stdin().is_terminal() => Input::Stop,
                SIGHUP => Input::Files,
                _ => Input::Stop,
            };
            if !post.send(input) {
                break;
            }
        }
    });
    Ok(())
}

fn read_lines(post: &Post, stdin: Stdin) {
    let mut lines = io::stdin().lock().lines();
    wait_for_foreground();
    while let Some(Ok(line)) = lines.next() {
        if !line.trim().is_empty() && !post.send(Input::Line(line)) {
            return;
        }
        wait_for_foreground();
    }
    if stdin == Stdin::CommandsUntilEnd {
        post.send(Input::Stop);
    }
}

/// Waits while the terminal is another program's: reading from it in the
/// background would stop this one.
fn wait_for_foreground() {
    let is_in_background = || {
        let stdin = io::stdin();
        stdin.is_terminal()
            && rustix::termios::tcgetpgrp(&stdin)
                .is_ok_and(|foreground| foreground != rustix::process::getpgrp())
    };
    while is_in_background() {
        thread::sleep(Duration::from_secs(1));
    }
}

/// Watches the directories of `files`, since a file that is replaced as a whole
/// is another one.
fn watch(post: Post, files: &[&Path]) -> notify::Result<RecommendedWatcher> {
    let names: Vec<OsString> =
        files.iter().filter_map(|path| path.file_name()).map(ToOwned::to_owned).collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = |path: &PathBuf| {
            path.file_name().is_some_and(|name| names.iter().any(|known| known == name))
        };
        // An error may mean that events were lost.
        if event.is_ok_and(|event| !is_whole(event.kind) || !event.paths.iter().any(concerns)) {
            return;
        }
        post.send(Input::Files);
    })?;
    let mut directories: Vec<&Path> = files
        .iter()
        .filter_map(|path| path.parent())
        .map(|directory| if directory.as_os_str().is_empty() { Path::new(".") } else { directory })
        .collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Whether a file is as whole after this event as it is going to be. Where the
/// system tells (inotify), it is when it got its name or was closed: in between,
/// an editor that empties a file to fill it again would have everybody cut off.
fn is_whole(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Modify(_) | EventKind::Create(_) => !cfg!(target_os = "linux"),
        EventKind::Remove(_) => false,
        EventKind::Any | EventKind::Other => true,
    }
}
