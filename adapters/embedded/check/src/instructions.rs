//! Exact counts of the instructions that a program executes between two points of it, by
//! a plugin of QEMU (`firmware/tools/instructions.c`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The plugin, and the points at which it writes the count down.
#[derive(Debug)]
pub struct Counter {
    plugin: PathBuf,
    counts: PathBuf,
    points: Vec<(String, u64)>,
}

/// A point that the program has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The name of the point.
    pub point: String,
    /// The instructions that were executed since the start, without its own.
    pub count: u64,
}

impl Counter {
    /// Builds the plugin in `folder`, for the starts of these functions of the program in
    /// the file `firmware`: each a name for the point, and the function's own, as `nm -C`
    /// shows it.
    ///
    /// # Errors
    /// If there is no C compiler or no `nm`, or the program has no such function, or two.
    pub fn new(folder: &Path, firmware: &Path, functions: &[(&str, &str)]) -> Result<Self> {
        let plugin = folder.join("instructions.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name("firmware")
            .join("tools")
            .join("instructions.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&plugin, &source])
            .status()
            .context("can't run cc; install a C compiler")?;
        ensure!(status.success(), "{} can't be built; see above", source.display());
        let symbols = Command::new("nm")
            .arg("-C")
            .arg(firmware)
            .output()
            .context("can't run nm; install binutils")?;
        let symbols = String::from_utf8_lossy(&symbols.stdout);
        let points = functions
            .iter()
            .map(|(point, function)| Ok(((*point).to_owned(), address(&symbols, function)?)))
            .collect::<Result<_>>()?;
        Ok(Self { plugin, counts: folder.join("counts"), points })
    }

    /// The options with which QEMU counts. Time then runs by the instructions too, one a
    /// nanosecond, so that two runs with the same inputs are the same.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let mut plugin = format!("{},out={}", self.plugin.display(), self.counts.display());
        for (name, address) in &self.points {
            plugin.push_str(&format!(",{name}={address:x}"));
        }
        ["-icount", "shift=0,sleep=off", "-plugin", &plugin].map(str::to_owned).into()
    }

    /// The points that the program has come to, in their order.
    ///
    /// # Errors
    /// If there is no file with them: QEMU was not started with the options.
    pub fn passages(&self) -> Result<Vec<Passage>> {
        let text = std::fs::read_to_string(&self.counts).context("QEMU has counted nothing")?;
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        Ok(lines.filter_map(passage).collect())
    }
}

fn passage(line: &str) -> Option<Passage> {
    let (point, count) = line.split_once(' ')?;
    Some(Passage { point: point.to_owned(), count: count.parse().ok()? })
}

/// The address of a function, of the output of `nm`.
fn address(symbols: &str, function: &str) -> Result<u64> {
    let mut found = symbols.lines().filter_map(|line| {
        let mut words = line.splitn(3, ' ');
        let (address, _, name) = (words.next()?, words.next()?, words.next()?);
        (name == function).then(|| u64::from_str_radix(address, 16).ok())?
    });
    let address = found.next().with_context(|| format!("the program has no '{function}'"))?;
    ensure!(found.next().is_none(), "the program has more than one '{function}'");
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "\
00000401 T Reset
00003ffd t iot_crypto_firmware::stack::peak
00004021 t <A as B>::take
00005021 t <A as B>::take
         U _undefined
";

    #[test]
    fn a_function_is_found_if_there_is_one() {
        assert_eq!(address(SYMBOLS, "iot_crypto_firmware::stack::peak").ok(), Some(0x3ffd));
        for function in ["peak", "_undefined", "<A as B>::take"] {
            assert!(address(SYMBOLS, function).is_err(), "{function}");
        }
    }
}
