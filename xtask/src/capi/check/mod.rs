//! Programs against the installed library, as somebody would who has just
//! installed it.
//!
//! What cannot be tried here, for want of a linker or a library, is named with
//! the reason and counted.

mod cmake;
mod programs;
mod two_rust;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::build::{Build, exports};
use super::install::Installed;
use super::{Result, output, tool};
use crate::project;

/// Links and runs programs in every way that the documentation has.
pub(super) fn run(installed: &Installed, built: &Build) -> Result<()> {
    let context = Context {
        installed,
        private: built.private.split_whitespace().collect(),
        folder: built.folder.join("check"),
    };
    fs::create_dir_all(&context.folder)
        .map_err(|error| format!("{}: {error}", context.folder.display()))?;
    symbols(installed, &built.symbols)?;
    println!("\nchecked: {} symbols", built.symbols.len());
    programs::run(&context)?.report("programs of tests/c")?;
    two_rust::run(&context)?.report("programs with other Rust code")?;
    cmake::run(&context)?.report("programs built by CMake")
}

/// The static library shows what the shared one does, and nothing else.
fn symbols(installed: &Installed, symbols: &[String]) -> Result<()> {
    let archive = installed.archive();
    let expected: BTreeSet<&String> = symbols.iter().collect();
    let offered = exports(&archive, false)?;
    let offered: BTreeSet<&String> = offered.iter().collect();
    if offered != expected {
        return Err(format!(
            "{} shows {offered:?}, not {expected:?}",
            archive.display()
        ));
    }
    match expected.iter().find(|name| !name.starts_with("mmap_")) {
        Some(name) => Err(format!("`{name}` is exported, but not of the interface")),
        None => Ok(()),
    }
}

/// What the checks work with.
struct Context<'a> {
    installed: &'a Installed,
    /// What a program links with the static library.
    private: Vec<&'a str>,
    /// For what they build.
    folder: PathBuf,
}

impl Context<'_> {
    /// Why the C compiler cannot make a program of nothing with these flags.
    fn cannot_link(&self, flags: &[&str]) -> Option<String> {
        let source = self.folder.join("nothing.c");
        let written = fs::write(&source, "int main(void) { return 0; }\n");
        let mut cc = tool("CC", "cc");
        cc.args(flags).arg(&source);
        let made = output(cc.arg("-o").arg(self.folder.join("nothing")));
        let error = written.map_err(|error| error.to_string()).and(made).err()?;
        let lines: Vec<&str> = error.lines().collect();
        let line = lines.get(1).or(lines.first()).unwrap_or(&"no reason");
        Some((*line).to_owned())
    }
}

/// What was tried, and how it went.
#[derive(Default)]
struct Tally {
    passed: usize,
    skipped: usize,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => self.failures.push(format!("{name}: {error}")),
        }
    }

    fn skip(&mut self, name: &str, count: usize, reason: &str) {
        println!("SKIPPED {name} ({count}): {reason}");
        self.skipped += count;
    }

    /// Prints the numbers; an error if anything failed.
    fn report(self, what: &str) -> Result<()> {
        let Self {
            passed,
            skipped,
            failures,
        } = self;
        let failed = failures.len();
        println!("checked: {what}: {passed} passed, {failed} failed, {skipped} skipped");
        if failures.is_empty() {
            return Ok(());
        }
        Err(format!("{what}:\n{}", failures.join("\n")))
    }
}

/// Whether a program is here.
fn runs(program: &mut Command) -> bool {
    let program = program.arg("--version");
    let status = program.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A file of `tests/c`.
fn source(name: &str) -> PathBuf {
    project::root().join("tests/c").join(name)
}

/// Runs a program that must find its libraries by itself.
fn alone(program: &Path) -> Result<()> {
    output(Command::new(program).env_remove("LD_LIBRARY_PATH")).map(drop)
}
