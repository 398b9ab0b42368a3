//! A directory in which the program runs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tempfile::TempDir;

/// A directory in which the program runs. Whatever it prints there is searched
/// for the secrets in the files there.
pub(crate) struct World {
    directory: TempDir,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// Everything that the configuration of a device called lamp names.
    pub(crate) fn with_lamp() -> Self {
        let world = Self::new();
        world.ok("network new lab.network");
        world.ok("identity new lab");
        world.ok("identity new lamp");
        world.ok(
            "endorse --issuer lab.identity --subject lamp.certificate --roles device --rights all \
             --out lamp.endorsement",
        );
        world.ok("trust add lamp.trust lab.certificate --authority full");
        world
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    pub(crate) fn mode(&self, file: &str) -> u32 {
        fs::metadata(self.path(file)).unwrap().permissions().mode() & 0o7777
    }

    pub(crate) fn set_mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The line of a file that can be pasted.
    pub(crate) fn text(&self, file: &str) -> String {
        let contents = self.read(file);
        contents.lines().find(|line| line.starts_with("iot-crypto:")).unwrap().to_owned()
    }

    /// Runs the program with the arguments in `line`, split at spaces.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.run_with_input(line, "")
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_iot-crypto"))
            .args(line.split_whitespace())
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that doesn't read its input may have ended by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let outcome = Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.search_for_secrets(line, &outcome);
        outcome
    }

    /// Runs the program, which has to succeed; what it printed.
    pub(crate) fn ok(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, 0, "{line}\n{}", outcome.stderr);
        outcome.stdout
    }

    /// Runs the program, which has to succeed, with `--json`.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// Runs the program, which has to fail with this code; what it complained.
    pub(crate) fn fails(&self, code: i32, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, code, "{line}\n{}{}", outcome.stdout, outcome.stderr);
        outcome.stderr
    }

    fn search_for_secrets(&self, line: &str, outcome: &Outcome) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.ends_with(".identity") && !name.ends_with(".network") {
                continue;
            }
            let Some(secret) = secret(&self.read(&name)) else { continue };
            for output in [&outcome.stdout, &outcome.stderr] {
                for form in &secret {
                    assert!(!output.contains(form.as_str()), "{line} printed a secret of {name}");
                }
            }
        }
    }
}

/// The end of what is in a private file, which is a private key, in the forms in
/// which it could be printed.
fn secret(contents: &str) -> Option<[String; 2]> {
    let (_, base64) = contents.trim().rsplit_once(':')?;
    let bytes = BASE64URL_NOPAD.decode(base64.as_bytes()).ok()?;
    let tail = bytes.get(bytes.len().checked_sub(32)?..)?;
    Some([base64[base64.len() - 40..].to_owned(), HEXLOWER.encode(tail)])
}
