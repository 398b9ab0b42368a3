//! A board that runs, and what it says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::board::Board;
use crate::network::Network;

/// How long each step may take: longer than the device waits after a few attempts that
/// failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// A board that runs. It loses its power when it is dropped.
#[derive(Debug)]
pub struct Machine {
    qemu: Child,
    lines: Receiver<String>,
    last: Vec<String>,
}

impl Machine {
    /// Gives power to `board`, on which the program in the file `firmware` is.
    ///
    /// # Errors
    /// If there is no QEMU, or it doesn't start.
    pub fn start(board: &Board, network: &Network, firmware: &Path) -> Result<Self> {
        Self::start_with(board, network, firmware, &[])
    }

    /// The same, with more options for QEMU.
    ///
    /// # Errors
    /// As with [`Machine::start`].
    pub fn start_with(
        board: &Board,
        network: &Network,
        firmware: &Path,
        options: &[String],
    ) -> Result<Self> {
        let mut qemu = Command::new("qemu-system-arm")
            .args(["-M", "lm3s6965evb", "-display", "none", "-monitor", "none"])
            .args(["-serial", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(&network.options)
            .args(options)
            .arg("-kernel")
            .arg(firmware)
            .current_dir(board.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("can't run qemu-system-arm; install Debian's package of this name")?;
        let (sender, lines) = channel();
        let output = qemu.stdout.take().context("QEMU has no output")?;
        std::thread::spawn(move || {
            let said = BufReader::new(output).lines().map_while(Result::ok);
            // Ends when QEMU does, or nobody listens any more.
            let _ = said.map(|line| sender.send(line)).find(Result::is_err);
        });
        Ok(Self { qemu, lines, last: Vec::new() })
    }

    /// Waits for the board to take a step: to say a line of which `read` makes something;
    /// and tells it.
    ///
    /// # Errors
    /// If it doesn't within 90 seconds, or has ended; with what it said instead.
    pub fn step<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        let found = self.wait(name, read)?;
        eprintln!("  ok {name} ({} ms)", begin.elapsed().as_millis());
        Ok(found)
    }

    /// The same, without telling it.
    ///
    /// # Errors
    /// As with [`Machine::step`].
    pub fn wait<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = PATIENCE.as_secs();
                    bail!("the step '{name}' is missing after {seconds} s; {}", self.what_it_said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the step '{name}' is missing: {}", self.how_it_ended())
                }
            };
            let found = read(&line);
            self.last.push(line);
            if let Some(found) = found {
                self.last.clear();
                return Ok(found);
            }
        }
    }

    /// The same, with a line that begins like this.
    ///
    /// # Errors
    /// As with [`Machine::step`].
    pub fn says(&mut self, name: &str, line: &str) -> Result<()> {
        self.step(name, |said| said.starts_with(line).then_some(()))
    }

    /// Waits for the board to tell how deep its stack ever was since it started, in bytes.
    ///
    /// # Errors
    /// As with [`Machine::step`].
    pub fn stack(&mut self) -> Result<u64> {
        self.step("it tells the depth of its stack", |line| {
            line.strip_prefix("the stack was ")?.strip_suffix(" bytes deep")?.parse().ok()
        })
    }

    /// That the board runs, and of the lines since the last step none begins like one of
    /// these.
    ///
    /// # Errors
    /// If one does, or it has ended.
    pub fn goes_on(&mut self, name: &str, without: &[&str]) -> Result<()> {
        loop {
            match self.lines.try_recv() {
                Ok(line) => {
                    let is_wrong = without.iter().any(|it| line.starts_with(it));
                    self.last.push(line);
                    ensure!(!is_wrong, "not the case: {name}; {}", self.what_it_said());
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    bail!("not the case: {name}; {}", self.how_it_ended())
                }
            }
        }
        self.last.clear();
        eprintln!("  ok {name}");
        Ok(())
    }

    /// That QEMU has ended, and what was said before.
    fn how_it_ended(&mut self) -> String {
        let end = self.qemu.wait().map_or_else(|it| it.to_string(), |it| it.to_string());
        format!("QEMU ended ({end}); {}", self.what_it_said())
    }

    /// What was said since the last step.
    fn what_it_said(&self) -> String {
        if self.last.is_empty() {
            "the board said nothing".to_owned()
        } else {
            format!("the board said:\n    {}", self.last.join("\n    "))
        }
    }

    /// Waits for the program to end by itself.
    ///
    /// # Errors
    /// If it doesn't within 90 seconds.
    pub fn end(mut self) -> Result<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.qemu.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the program has not ended after {} s", PATIENCE.as_secs())
    }

    /// Takes the power away, in the middle of whatever the board does, and gives the lines
    /// that it said since the last step.
    ///
    /// # Errors
    /// If it had ended before, by a panic, say.
    pub fn lose_power(mut self) -> Result<Vec<String>> {
        if self.qemu.try_wait()?.is_some() {
            self.last.extend(self.lines.iter());
            bail!("the board had ended before its power went: {}", self.how_it_ended());
        }
        self.qemu.kill()?;
        self.last.extend(self.lines.iter());
        Ok(std::mem::take(&mut self.last))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
