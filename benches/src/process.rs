//! Processes that are measured: started, asked over their standard input, and ended with
//! it.

use std::io::{BufRead as _, BufReader, Write as _, stdin, stdout};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use iot_crypto_mio::Waker;
use nix::sys::resource::{UsageWho, getrusage};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// The time of the processor that this process has used.
///
/// # Errors
/// The system's.
pub fn processor_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

/// The memory of this process that is in the machine's, in bytes; `None` if the system
/// doesn't say.
#[must_use]
pub fn resident_memory() -> Option<u64> {
    let this = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[this]), false, kind);
    Some(system.process(this)?.memory())
}

/// Inside: a line of answer for each line that is asked.
pub struct Answers(Arc<AtomicBool>);

impl Answers {
    /// Answers from now on, in a thread of its own; when nobody asks any more, `waker`
    /// is told.
    pub fn give(waker: Waker, answer: impl Fn() -> String + Send + 'static) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        std::thread::spawn(move || {
            for line in stdin().lines() {
                if line.is_err() || writeln!(stdout(), "{}", answer()).is_err() {
                    break;
                }
            }
            told.store(true, Ordering::Release);
            let _ = waker.wake();
        });
        Self(ended)
    }

    /// Whether nobody asks any more.
    #[must_use]
    pub fn have_ended(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Outside: a process that answers.
pub struct Child {
    process: process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts one.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let output = BufReader::new(output.context("no output")?);
        Ok(Self { process, input, output })
    }

    /// Asks it.
    ///
    /// # Errors
    /// If it has ended.
    pub fn ask(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("it has ended")?;
        input.write_all(b"\n").context("it has ended")
    }

    /// The numbers in the next line that it prints.
    ///
    /// # Errors
    /// If they are not as many, or it has ended.
    pub fn numbers<const N: usize>(&mut self) -> anyhow::Result<[u64; N]> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers = line.split_whitespace().map_while(|word| word.parse().ok());
        match <[u64; N]>::try_from(Vec::from_iter(numbers)) {
            Ok(numbers) => Ok(numbers),
            Err(_) => bail!("it said {:?}", line.trim()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
