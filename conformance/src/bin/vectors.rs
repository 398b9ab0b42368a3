//! Generates the reference vectors, and checks an implementation against them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use iot_crypto_conformance::vectors::{self, generator, runner};

const USAGE: &str = "\
Usage: vectors [--vectors DIRECTORY] generate
       vectors [--vectors DIRECTORY] check PROGRAM [ARGUMENT...]

generate  writes the reference vectors
check     puts them to PROGRAM, which answers on standard input and output as
          conformance/vectors/README.md says, and compares its answers

Exit codes: 0 all is well; 1 an answer is wrong; 2 wrong usage; 3 the vectors
can't be read or written; 4 the program can't be started, ended early, or gave
no answer that can be read.";

enum Task {
    Generate,
    Check { program: OsString, arguments: Vec<OsString> },
}

fn main() -> ExitCode {
    let Some((directory, task)) = parse(env::args_os().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match task {
        Task::Generate => generate(&directory),
        Task::Check { program, arguments } => check(&directory, &program, &arguments),
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Option<(PathBuf, Task)> {
    let mut arguments = arguments.peekable();
    let mut directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    if arguments.next_if(|argument| argument == "--vectors").is_some() {
        directory = arguments.next()?.into();
    }
    let task = match arguments.next()?.to_str()? {
        "generate" => Task::Generate,
        "check" => {
            Task::Check { program: arguments.next()?, arguments: arguments.by_ref().collect() }
        }
        _ => return None,
    };
    arguments.next().is_none().then_some((directory, task))
}

fn generate(directory: &Path) -> ExitCode {
    for (name, file) in generator::files() {
        let path = directory.join(name);
        if let Err(error) = fs::write(&path, vectors::text(&file)) {
            eprintln!("{}: can't be written: {error}", path.display());
            return ExitCode::from(3);
        }
        println!("{}: {} vectors", path.display(), file.vectors.len());
    }
    ExitCode::SUCCESS
}

fn check(directory: &Path, program: &OsString, arguments: &[OsString]) -> ExitCode {
    let files = match vectors::load(directory) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    };
    match runner::check(program, arguments, &files) {
        Ok(report) => {
            for name in &report.unsupported {
                println!("not supported: {name}");
            }
            for difference in &report.failed {
                println!("WRONG: {}", difference.vector);
                println!("  expected: {}\n  found:    {}", difference.expected, difference.found);
            }
            let (passed, failed, unsupported) =
                (report.passed, report.failed.len(), report.unsupported.len());
            println!("{passed} right, {failed} wrong, {unsupported} not supported");
            ExitCode::from(u8::from(failed > 0))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(4)
        }
    }
}
