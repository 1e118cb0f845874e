//! `cargo xtask bench`: measures, and shows what was measured.

pub(crate) mod charts;
mod instructions;
mod page;
pub(crate) mod results;
pub(crate) mod tables;
pub(crate) mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Subcommand;

use crate::project;
use results::Results;

/// What `cargo xtask bench` accepts.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// Fewer rounds and sizes: under two minutes.
    #[arg(long)]
    quick: bool,
    /// Workloads by name or the beginning of a name (`find`, `trace:`, `grow`,
    /// `bytes`); all by default.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Numbers of regions.
    #[arg(long, value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=MAX_SIZE))]
    sizes: Vec<u32>,
    /// Subjects by name; all by default.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Also measures the rivals in C and C++ whose sources are here: Linux's maple
    /// tree, Boost.ICL, LLVM.
    #[arg(long)]
    cpp: bool,
    /// Folder for `results.csv` and `report.html`.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Counts instructions instead, and compares with the committed counts.
    #[arg(long, conflicts_with_all = ["quick", "workloads", "sizes", "subjects", "cpp", "out"])]
    instructions: bool,
    /// With `--instructions`: commits to the new counts.
    #[arg(long, requires = "instructions")]
    bless: bool,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Shows what became faster or slower, beyond noise.
    Compare {
        /// Results before.
        before: PathBuf,
        /// Results after.
        after: PathBuf,
    },
    /// Shows a results file and writes the page of it.
    Show {
        /// Results.
        results: PathBuf,
        /// The page.
        page: PathBuf,
    },
}

/// What `--sizes` accepts: beyond it, building states alone takes minutes.
const MAX_SIZE: i64 = 10_000_000;
const QUICK_SIZES: [u32; 4] = [16, 128, 1_000, 10_000];
const SIZES: [u32; 6] = [16, 128, 1_000, 10_000, 100_000, 1_000_000];

/// Exit status 1 if something failed: a wrong answer, a count that rose.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.other {
        Some(Other::Compare { before, after }) => compare(before, after),
        Some(Other::Show { results, page }) => show(results, page),
        None if arguments.instructions => instructions::run(arguments.bless),
        None => bench(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(before: &Path, after: &Path) -> Result<(), String> {
    let (before, after) = (Results::load(before)?, Results::load(after)?);
    tables::heads(&before, &after);
    tables::compare(&before, &after);
    Ok(())
}

fn show(path: &Path, page: &Path) -> Result<(), String> {
    let results = Results::load(path)?;
    tables::workloads(&results);
    tables::targets(&targets::verdicts(&results));
    let html = page::page(&results).map_err(|error| error.to_string())?;
    fs::write(page, html).map_err(|error| format!("{}: {error}", page.display()))
}

fn bench(arguments: &Arguments) -> Result<(), String> {
    let build = [
        "build",
        "--profile",
        "bench",
        "--package",
        "benches",
        "--bins",
    ];
    let cpp = arguments.cpp.then_some(["--features", "cpp-rivals"]);
    succeed(project::cargo(&build).args(cpp.into_iter().flatten()))?;
    fs::create_dir_all(&arguments.out)
        .map_err(|error| format!("{}: {error}", arguments.out.display()))?;
    let csv = arguments.out.join("results.csv");
    let metadata = project::metadata().map_err(|error| error.to_string())?;
    let programs = metadata.target_directory.join("release");
    let sizes = match (arguments.sizes.is_empty(), arguments.quick) {
        (false, _) => arguments.sizes.clone(),
        (true, true) => QUICK_SIZES.to_vec(),
        (true, false) => SIZES.to_vec(),
    };
    let listed = |option: &str, items: &[String]| {
        let list = (!items.is_empty()).then(|| [option.to_owned(), items.join(",")]);
        list.into_iter().flatten().collect::<Vec<_>>()
    };
    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
    let mut shared = listed("--sizes", &sizes);
    shared.extend(listed("--subjects", &arguments.subjects));
    let mut measure = Command::new(programs.join("measure"));
    measure.args(&shared).arg("--out").arg(&csv);
    measure.args(listed("--workloads", &arguments.workloads));
    measure
        .arg("--traces")
        .arg(project::root().join("tests/traces"));
    measure.args(arguments.quick.then_some("--quick"));
    for comment in comments() {
        measure.arg("--comment").arg(comment);
    }
    succeed(&mut measure)?;
    let bytes = |name: &String| {
        "bytes peak largest"
            .split(' ')
            .any(|word| name.starts_with(word))
    };
    if arguments.workloads.is_empty() || arguments.workloads.iter().any(bytes) {
        succeed(
            Command::new(programs.join("memory"))
                .args(&shared)
                .arg("--out")
                .arg(&csv),
        )?;
    }
    let page = arguments.out.join("report.html");
    show(&csv, &page)?;
    println!("written: {} and {}", csv.display(), page.display());
    Ok(())
}

/// Runs a program to its end.
fn succeed(command: &mut Command) -> Result<(), String> {
    let program = Path::new(command.get_program()).display().to_string();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` failed: {status}")),
        Err(error) => Err(format!("cannot run `{program}`: {error}")),
    }
}

/// What a program prints, or `unknown`.
fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command
        .current_dir(project::root())
        .args(arguments)
        .output();
    let text = output.ok().filter(|output| output.status.success());
    let text = text.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "unknown".to_owned())
}

/// Where and of what the results are.
fn comments() -> [String; 3] {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |model| {
        model.trim_start_matches(['\t', ':', ' '])
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let dirty = if output("git", &["status", "--porcelain"]).is_empty() {
        ""
    } else {
        ", changed"
    };
    [
        format!(
            "machine: {model}, {cores} cores, {}",
            std::env::consts::ARCH
        ),
        format!(
            "commit: {}{dirty}",
            output("git", &["rev-parse", "--short", "HEAD"])
        ),
        format!(
            "compiler: {}, fat LTO, no target flags",
            output("rustc", &["--version"])
        ),
    ]
}
