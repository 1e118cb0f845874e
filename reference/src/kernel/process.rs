//! The process in which the comparison runs: this program, started again.

use super::window::Window;
use super::{Layout, Outcome, Report, drive, sys};
use std::env;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// The first argument of such a process.
const MARK: &str = "kernel-process";

/// The exit status for what the kernel or a container does not allow.
const SKIPPED: u8 = 77;

/// Compares `operations` calls, in a process of its own. `progress` is told how
/// many were made.
///
/// # Errors
/// The process could not be started or talked to.
pub fn check(
    layout: Layout,
    operations: u64,
    seed: u64,
    mut progress: impl FnMut(u64),
) -> io::Result<Outcome> {
    let mut child = Command::new(env::current_exe()?)
        .args([MARK.to_owned(), layout.to_string()])
        .args([operations.to_string(), seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut report = None;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(done) = line.strip_prefix("done ") {
                progress(done.parse().map_err(io::Error::other)?);
            } else if let Some(numbers) = line.strip_prefix("report ") {
                report = Some(parse(numbers).map_err(io::Error::other)?);
            } else {
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    let status = child.wait()?;
    let text = text.trim_end().to_owned();
    Ok(match (status.code(), report) {
        (Some(0), Some(report)) => Outcome::Agreed(report),
        (Some(code), _) if code == i32::from(SKIPPED) => Outcome::Skipped(text),
        _ => Outcome::Disagreed(format!("{layout} layout, {status}: {text}")),
    })
}

fn parse(numbers: &str) -> Result<Report, std::num::ParseIntError> {
    let numbers: Result<Vec<u64>, _> = numbers.split(' ').map(str::parse).collect();
    let mut numbers = numbers?.into_iter();
    let mut next = || numbers.next().unwrap_or_default();
    Ok(Report {
        operations: next(),
        placements: next(),
        refused: next(),
        actions: next(),
        split: next(),
        left_out: next(),
    })
}

/// If this process was started by [`check`], runs the comparison and returns
/// the exit status. To be called first in `main`, before there is a second
/// thread.
#[must_use]
pub fn as_child() -> Option<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mark, layout, operations, seed] = arguments.as_slice() else {
        return None;
    };
    if mark != MARK {
        return None;
    }
    let (layout, operations, seed) = (
        layout.parse().ok()?,
        operations.parse().ok()?,
        seed.parse().ok()?,
    );
    Some(run(layout, operations, seed))
}

/// Says why the comparison cannot run here.
fn skip(reason: impl fmt::Display) -> ExitCode {
    println!("{reason}");
    ExitCode::from(SKIPPED)
}

fn run(layout: Layout, operations: u64, seed: u64) -> ExitCode {
    if layout == Layout::Legacy && !sys::is_legacy() {
        return restart();
    }
    if layout == Layout::Default && sys::is_legacy() {
        return skip("the process has the legacy layout, as after `ulimit -s unlimited`");
    }
    let mut window = match Window::open() {
        Ok(window) => window,
        Err(reason) => return skip(reason),
    };
    let mut output = io::stdout();
    let result = drive::run(&mut window, layout, (operations, seed), |done| {
        // Nobody listens any more: go on, the status tells the rest.
        let _ = writeln!(output, "done {done}");
    });
    match result {
        Ok(report) => {
            let Report {
                operations,
                placements,
                refused,
                actions,
                split,
                left_out,
            } = report;
            println!("report {operations} {placements} {refused} {actions} {split} {left_out}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again, in the legacy layout.
fn restart() -> ExitCode {
    const ONCE: &str = "GAPTREE_KERNEL_RESTARTED";
    if env::var_os(ONCE).is_some() {
        return skip("the kernel does not keep the legacy layout");
    }
    if let Err(error) = sys::become_legacy() {
        return skip(format!("personality: {error}"));
    }
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => return skip(error),
    };
    skip(
        Command::new(program)
            .args(env::args_os().skip(1))
            .env(ONCE, "1")
            .exec(),
    )
}
