//! `cargo xtask capi`: builds the C library and installs it with its header and
//! the files for pkg-config and CMake.

mod archive;
mod bench;
mod build;
mod check;
mod install;

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use build::Build;
use install::Installed;

/// What `cargo xtask capi` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where `include` and `lib` are; by default `capi/installed`
    /// in cargo's target folder.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Compiles and runs C programs against what was installed.
    #[arg(long)]
    check: bool,
    /// Measures what a call from C costs more than one from Rust.
    #[arg(long)]
    bench: bool,
}

/// Changes with the first number of the version that breaks programs.
const SONAME: &str = "libmmap.so.0";

/// Why a command failed, for people.
type Result<T> = std::result::Result<T, String>;

/// Exit status 1 for whatever goes wrong.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match try_run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the libraries cannot be built here, beyond a tool that does not run.
pub(crate) fn cannot_build() -> Option<String> {
    archive::linker(env::var_os("LD")).err()
}

fn try_run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(
            "the C library is built for Linux only, for want of tests elsewhere".to_owned(),
        );
    }
    let built = Build::run()?;
    let prefix = match &arguments.prefix {
        Some(prefix) => {
            std::path::absolute(prefix).map_err(|error| format!("{}: {error}", prefix.display()))?
        }
        None => built.folder.join("installed"),
    };
    let installed = Installed { prefix };
    installed.write(&built)?;
    installed.explain();
    if arguments.check {
        check::run(&installed, &built)?;
    }
    if arguments.bench {
        bench::run(&installed, &built.folder)?;
    }
    Ok(())
}

/// Runs a command that has to succeed; what it printed.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    Err(format!(
        "`{program} {}` failed, {}\n{stderr}",
        arguments.join(" "),
        output.status
    ))
}

/// A compiler, or a tool of the binutils that every compiler on Linux needs.
fn tool(variable: &str, name: &str) -> Command {
    Command::new(env::var_os(variable).unwrap_or_else(|| name.into()))
}
