//! Measures times: `cargo xtask bench` runs this program and shows its results.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use benches::measure::{Effort, Row, contenders, measure};
use benches::results::Results;
use benches::tail::growth;
use benches::workload::{Generator, NAMES, Scale};
use benches::{case::Case, for_subjects, traces};
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interleaved rounds of all subjects, on one core, in thread time.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the results go.
    #[arg(long)]
    out: PathBuf,
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// Workloads by name or the beginning of a name; all by default.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Numbers of regions.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<usize>,
    /// Subjects by name; all by default.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Folder of recordings.
    #[arg(long)]
    traces: Option<PathBuf>,
    /// A line for the head of the results; can be repeated.
    #[arg(long)]
    comment: Vec<String>,
}

impl Arguments {
    fn wants(&self, workload: &str) -> bool {
        let starts = |name: &String| workload.starts_with(name.as_str());
        self.workloads.is_empty() || self.workloads.iter().any(starts)
    }

    fn wants_subject(&self, subject: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|name| name == subject)
    }

    fn effort(&self) -> Effort {
        let (rounds, budget) = if self.quick { (9, 25) } else { (40, 300) };
        Effort {
            rounds,
            budget: Duration::from_millis(budget),
        }
    }

    /// How many page faults of a recording are looked up.
    fn faults(&self) -> usize {
        if self.quick { 5_000 } else { usize::MAX }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Puts this thread on the last core, which is disturbed least.
fn pin() -> String {
    let core = core_affinity::get_core_ids().and_then(|ids| ids.last().copied());
    match core {
        Some(core) if core_affinity::set_for_current(core) => format!("pinned: core {}", core.id),
        _ => "pinned: no, the system does not allow it".to_owned(),
    }
}

/// A case still to be made.
enum Plan {
    Workload(&'static str, usize),
    Trace(PathBuf),
}

fn plan(arguments: &Arguments) -> Result<Vec<Plan>, Box<dyn std::error::Error>> {
    let mut plan = Vec::new();
    for &n in &arguments.sizes {
        let wanted = NAMES.iter().filter(|name| arguments.wants(name));
        plan.extend(wanted.map(|name| Plan::Workload(name, n)));
    }
    if let Some(folder) = &arguments.traces {
        let found = reference::trace::find(folder)?;
        let named: Vec<_> = found.iter().map(|path| traces::workload(path)).collect();
        check_traces(arguments, &named)?;
        let recordings = named.iter().zip(found);
        let wanted = recordings.filter(|(name, _)| arguments.wants(name));
        plan.extend(wanted.map(|(_, path)| Plan::Trace(path)));
    }
    Ok(plan)
}

/// The same as [`check_names`] for recorded programs.
fn check_traces(arguments: &Arguments, named: &[String]) -> Result<(), String> {
    for name in &arguments.workloads {
        let fits = |known: &String| known.starts_with(name.as_str());
        if name.starts_with("trace:") && !named.iter().any(fits) {
            let list = named.join(", ");
            return Err(format!(
                "no recording begins with `{name}`; there are {list}"
            ));
        }
    }
    Ok(())
}

/// Names that nothing has would otherwise measure nothing, silently.
fn check_names(arguments: &Arguments) -> Result<(), String> {
    let others = ["trace:", "grow", "bytes", "peak", "largest"];
    let workloads: Vec<&str> = NAMES.into_iter().chain(others).collect();
    for name in &arguments.workloads {
        let fits = |known: &&str| known.starts_with(name.as_str()) || name.starts_with("trace:");
        if !workloads.iter().any(fits) {
            let list = workloads.join(", ");
            return Err(format!(
                "no workload begins with `{name}`; there are {list}"
            ));
        }
    }
    let subjects: Vec<&str> = contenders().iter().map(|subject| subject.name()).collect();
    for name in &arguments.subjects {
        if !subjects.contains(&name.as_str()) {
            let list = subjects.join(", ");
            return Err(format!("no subject is called `{name}`; there are {list}"));
        }
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    check_names(arguments)?;
    let mut comments = arguments.comment.clone();
    comments.push(pin());
    let plan = plan(arguments)?;
    let mut results = Results::create(&arguments.out, &comments)?;
    let bar = progress(plan.len() as u64);
    let mut contenders = contenders();
    let mut generator = Generator::default();
    let wanted = |name: &str| arguments.wants_subject(name);
    for item in plan {
        let case = make(&item, &mut generator, arguments.faults())?;
        bar.set_message(format!("{}, {} regions", case.workload, case.n));
        let rows = measure(&case, &mut contenders, &wanted, arguments.effort())?;
        results.add(&rows)?;
        bar.inc(1);
    }
    if arguments.wants("grow") {
        let largest = if arguments.quick { 10_000 } else { 100_000 };
        for n in [1_000, 10_000, 100_000] {
            if n <= largest {
                bar.set_message(format!("single operations up to {n} regions"));
                results.add(&tails(&mut generator, n, &wanted))?;
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn make(
    item: &Plan,
    generator: &mut Generator,
    faults: usize,
) -> Result<Case, Box<dyn std::error::Error>> {
    Ok(match item {
        Plan::Workload(name, n) => generator
            .case(name, *n, Scale::measured(*n))
            .ok_or("unknown workload")?,
        Plan::Trace(path) => traces::case(path, faults)?,
    })
}

/// The slow end of growth to `n` regions, of all subjects.
fn tails(generator: &mut Generator, n: usize, wanted: &dyn Fn(&str) -> bool) -> Vec<Row> {
    let Some(case) = generator.case("find_hit", n, Scale::measured(n)) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    macro_rules! each {
        ($($subject:ty),*) => {$(
            if wanted(<$subject as benches::subject::Subject>::NAME) {
                rows.extend(growth::<$subject>(&case.state, n));
            }
        )*};
    }
    for_subjects!(each);
    rows
}

fn progress(length: u64) -> ProgressBar {
    let template = "{wide_bar} {pos}/{len}, {eta} left, {msg}";
    let style = ProgressStyle::with_template(template);
    let bar =
        ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}
