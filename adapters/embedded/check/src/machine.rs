//! A board that runs, and what it says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::board::Board;
use crate::network::Network;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(20);

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

    /// Waits for the board to take a step: to say a line of which `read` makes something.
    ///
    /// # Errors
    /// If it doesn't within 20 seconds, or has ended; with what it said instead.
    pub fn step<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the step '{name}' is missing after 20 s; {}", self.what_it_said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let end =
                        self.qemu.wait().map_or_else(|it| it.to_string(), |it| it.to_string());
                    bail!(
                        "the step '{name}' is missing, and QEMU ended ({end}); {}",
                        self.what_it_said()
                    )
                }
            };
            let found = read(&line);
            self.last.push(line);
            if let Some(found) = found {
                eprintln!("  ok {name} ({} ms)", begin.elapsed().as_millis());
                self.last.clear();
                return Ok(found);
            }
        }
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
    /// If it doesn't within 20 seconds.
    pub fn end(mut self) -> Result<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.qemu.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the program has not ended after 20 s")
    }

    /// Takes the power away, in the middle of whatever the board does.
    pub fn lose_power(self) {
        drop(self);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
