//! `cargo xtask ci` and `cargo xtask test`: the checks, one after the other.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use cargo_metadata::Message;

use crate::capi;
use crate::fuzz;
use crate::project;
use crate::tidy;

/// How a step ended.
enum Outcome {
    Passed,
    Failed,
    /// It could not run here; why.
    Skipped(String),
}

/// A check: its name, and what runs it.
type Step = (&'static str, fn() -> io::Result<Outcome>);

const STEPS: &[Step] = &[
    ("formatting", || check(&["fmt", "--all", "--check"])),
    ("tidy", || {
        Ok(if tidy::report() {
            Outcome::Passed
        } else {
            Outcome::Failed
        })
    }),
    ("clippy", || {
        check(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    }),
    ("documentation", documentation),
    ("tests", || Ok(outcome(test_command(&[]).status()?))),
    ("tests without SSE2 intrinsics", scalar_tests),
    ("build without std", || {
        check(&["build", "--package", "gaptree", "--no-default-features"])
    }),
    ("link without std", no_std),
    ("C library", c_library),
    ("fuzzing, and the canary", fuzzing),
    ("replay, btree", || replay("btree")),
    ("replay, sorted-vec", || replay("sorted-vec")),
    ("replay, reference", || replay("reference")),
];

/// Runs every step, also after one has failed.
pub(crate) fn run() -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, step) in STEPS {
        println!("== {name}");
        let begin = Instant::now();
        let outcome = step();
        let seconds = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("== {name}: passed in {seconds:.1} s");
            }
            Ok(Outcome::Failed) => {
                failed += 1;
                println!("== {name}: FAILED after {seconds:.1} s");
            }
            Ok(Outcome::Skipped(reason)) => {
                skipped += 1;
                println!("== {name}: skipped: {reason}");
            }
            Err(error) => {
                failed += 1;
                println!("== {name}: FAILED, could not be started: {error}");
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `cargo xtask test`: the whole suite, with further arguments for `cargo test`.
pub(crate) fn test(arguments: &[String]) -> ExitCode {
    match test_command(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn test_command(arguments: &[String]) -> Command {
    let mut command = project::cargo(&["test", "--workspace"]);
    command.args(arguments);
    command
}

fn outcome(status: ExitStatus) -> Outcome {
    if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed
    }
}

fn check(arguments: &[&str]) -> io::Result<Outcome> {
    Ok(outcome(project::cargo(arguments).status()?))
}

fn documentation() -> io::Result<Outcome> {
    let mut command = project::cargo(&["doc", "--workspace", "--no-deps"]);
    Ok(outcome(
        command.env("RUSTDOCFLAGS", "-D warnings").status()?,
    ))
}

/// The library's own tests with the scalar twins of its SSE2 loops. The flag is
/// for the library alone, so that nothing else is built again.
fn scalar_tests() -> io::Result<Outcome> {
    let build = [
        "rustc",
        "--package",
        "gaptree",
        "--lib",
        "--profile",
        "test",
    ];
    let mut cargo = project::cargo(&build)
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--", "--cfg", "gaptree_scalar"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut program = None;
    if let Some(messages) = cargo.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            if let Message::CompilerArtifact(artifact) = message? {
                program = artifact.executable.or(program);
            }
        }
    }
    match (cargo.wait()?.success(), program) {
        (true, Some(program)) => Ok(outcome(
            Command::new(program)
                .current_dir(project::root())
                .status()?,
        )),
        _ => Ok(Outcome::Failed),
    }
}

/// A library without std that has its own panic handler: if anything pulled in
/// std, there would be two.
fn no_std() -> io::Result<Outcome> {
    let target = target_folder("no_std")?;
    let mut command = project::cargo(&[
        "build",
        "--manifest-path",
        "tests/no_std/Cargo.toml",
        "--target-dir",
    ]);
    Ok(outcome(command.arg(target).status()?))
}

/// Every target for a while, and the canary, which must crash.
fn fuzzing() -> io::Result<Outcome> {
    const SECONDS: u64 = 20;
    match fuzz::fuzz(&[], &fuzz::Options::seconds(SECONDS)) {
        Ok(fuzz::Outcome::Clean(_)) => Ok(Outcome::Passed),
        Ok(fuzz::Outcome::Failed) => Ok(Outcome::Failed),
        Ok(fuzz::Outcome::Skipped(reason)) => Ok(Outcome::Skipped(reason)),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// The C library, installed in cargo's target folder and linked from there.
fn c_library() -> io::Result<Outcome> {
    let tools = [
        ("CC", "cc"),
        ("OBJCOPY", "objcopy"),
        ("PKG_CONFIG", "pkg-config"),
    ];
    let absent = tools
        .iter()
        .find_map(|(variable, name)| missing(variable, name));
    match absent.or_else(capi::cannot_build) {
        Some(reason) => Ok(Outcome::Skipped(reason)),
        None => this_program(&["capi", "--check"]),
    }
}

/// Why a tool, which a variable of the environment may name, cannot be used.
fn missing(variable: &str, default: &str) -> Option<String> {
    let tool = env::var_os(variable).unwrap_or_else(|| default.into());
    let status = Command::new(&tool)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let runs = status.is_ok_and(|status| status.success());
    (!runs).then(|| format!("it needs `{}`, which does not run", tool.display()))
}

/// The recordings on one engine.
fn replay(store: &str) -> io::Result<Outcome> {
    this_program(&["replay", "--store", store])
}

/// Another command of this very program.
fn this_program(arguments: &[&str]) -> io::Result<Outcome> {
    let mut command = Command::new(env::current_exe()?);
    command.current_dir(project::root()).args(arguments);
    Ok(outcome(command.status()?))
}

/// A folder of its own inside cargo's target folder.
fn target_folder(name: &str) -> io::Result<OsString> {
    let metadata = project::metadata().map_err(io::Error::other)?;
    Ok(metadata.target_directory.join(name).into_os_string())
}
