//! `cargo xtask fuzz`: libFuzzer with stable Rust alone.
//!
//! | file | what |
//! |---|---|
//! | `targets.rs` | which there are, and how they are run |
//! | `build.rs` | the targets, instrumented |
//! | `corpus.rs` | the inputs to begin with, and those to keep |
//! | `session.rs` | running one target |
//! | `figures.rs` | what it says of itself |
//! | `crash.rs` | what was found: shrunk, readable, replayed, promoted |

mod build;
pub(crate) mod corpus;
mod crash;
mod figures;
mod session;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use build::{Build, Builder};
pub(crate) use figures::Figures;
use targets::CANARY;
pub(crate) use targets::{Options, TARGETS};

/// What `cargo xtask fuzz` accepts.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Targets; by default all of them, and the canary, which must crash.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs an input, without libFuzzer, and prints its operations if it fails.
    Replay {
        /// The input; its folder is named after the target.
        file: PathBuf,
    },
    /// Makes an input a regression that `cargo test` runs.
    Promote {
        /// The input; its folder is named after the target.
        file: PathBuf,
        /// What the regression is called; by default as the file.
        #[arg(long)]
        name: Option<String>,
    },
}

/// How a run of targets ended.
pub(crate) enum Outcome {
    /// The figures of each target; the canary crashed if it was run.
    Clean(Vec<(String, Figures)>),
    /// A target crashed, or the canary did not; all is said.
    Failed,
    /// Fuzzing is not possible here; why.
    Skipped(String),
}

/// Exit status 1 if a target crashes or the canary does not.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = match &arguments.command {
        Some(Command::Replay { file }) => crash::replay(file),
        Some(Command::Promote { file, name }) => crash::promote(file, name.as_deref()),
        None => match fuzz(&arguments.targets, &arguments.options) {
            Ok(Outcome::Clean(_)) => Ok(true),
            Ok(Outcome::Failed) => Ok(false),
            Ok(Outcome::Skipped(reason)) => {
                println!("skipped: fuzzing: {reason}");
                Ok(true)
            }
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Builds and runs targets; all of them and the canary if none is named.
pub(crate) fn fuzz(targets: &[String], options: &Options) -> Result<Outcome, String> {
    let names = TARGETS.iter().map(|(name, _)| *name).chain([CANARY]);
    let known: Vec<&str> = names.collect();
    if let Some(unknown) = targets.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        return Err(format!("there is no target `{unknown}`, only {known}"));
    }
    let wanted = |name: &&str| targets.is_empty() || targets.iter().any(|target| target == name);
    let chosen: Vec<&str> = known.into_iter().filter(wanted).collect();
    let build = match Builder::new(options.asan).build(&chosen)? {
        Build::Ready(build) => build,
        Build::Impossible(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let mut all = Vec::new();
    for name in chosen {
        let ended = session::run(&build, name, options)?;
        println!("{name:<10} {}", ended.figures);
        match (name, ended.crash) {
            (CANARY, Some(_)) => println!("{name:<10} crashed, as it must"),
            (CANARY, None) => {
                eprintln!("error: the canary did not crash: fuzzing finds nothing here");
                return Ok(Outcome::Failed);
            }
            (_, Some(input)) => {
                crash::explain(&build, name, &input)?;
                return Ok(Outcome::Failed);
            }
            (_, None) => all.push((name.to_owned(), ended.figures)),
        }
        if options.minimise && name != CANARY {
            let kept = corpus::minimise(&build, name)?;
            println!("{name:<10} {kept} inputs kept in fuzz/corpus/{name}");
        }
    }
    Ok(Outcome::Clean(all))
}
