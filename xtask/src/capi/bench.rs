//! What the C boundary costs: the same look-ups by `AddrSpace::query` here and
//! by `mmap_query_page` in a C program with the static library.
//!
//! Rounds of the two alternate, so that both meet the same machine, and the
//! fastest of each counts. Both add up what they find; the sums must be equal.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gaptree::{AddrSpace, Mapping, Prot};

use super::{Installed, Result, output, tool};
use crate::project;

const PAGE: u64 = 4096;
/// Many short rounds: on a busy machine, some are not interrupted.
const ROUNDS: u32 = 401;
const LOOKUPS: u64 = 50_000;
const REGIONS: [u64; 4] = [1, 100, 1_000, 100_000];

pub(super) fn run(installed: &Installed, folder: &Path) -> Result<()> {
    let program = folder.join("query_page");
    let mut cc = tool("CC", "cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-I"]);
    cc.arg(installed.include());
    cc.arg(project::root().join("benches/c/query_page.c"));
    cc.arg(installed.lib().join("libmmap.a"));
    output(cc.arg("-o").arg(&program))?;
    println!("\nns a look-up, fastest of {ROUNDS} rounds of {LOOKUPS}:");
    println!(
        "{:>8} {:>8} {:>8} {:>12}",
        "regions", "Rust", "C", "C - Rust"
    );
    for regions in REGIONS {
        let (rust, c) = compare(&program, regions)?;
        let difference = c - rust;
        println!("{regions:>8} {rust:>8.2} {c:>8.2} {difference:>12.2}");
    }
    Ok(())
}

/// Nanoseconds a look-up, from Rust and from C.
fn compare(program: &Path, regions: u64) -> Result<(f64, f64)> {
    let space = prepared(regions).map_err(|error| error.to_string())?;
    let mut c = Program::start(program, regions)?;
    let (mut fastest_rust, mut fastest_c) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let (time, sum) = rust_round(&space, regions);
        fastest_rust = fastest_rust.min(time);
        let (time, c_sum) = c.round()?;
        fastest_c = fastest_c.min(time);
        if sum != c_sum {
            return Err(format!("Rust found {sum}, C found {c_sum}"));
        }
    }
    c.finish()?;
    let each = |time: Duration| time.as_secs_f64() * 1e9 / LOOKUPS as f64;
    Ok((each(fastest_rust), each(fastest_c)))
}

/// A space of that many regions of a page, with a page free after each.
fn prepared(regions: u64) -> std::result::Result<AddrSpace, gaptree::SpaceError> {
    let mut space = AddrSpace::new(PAGE, 2 * regions * PAGE, PAGE)?;
    for (i, prot) in (0..regions).zip((1..=7).cycle()) {
        let mapping = Mapping::anonymous(Prot(prot), 0);
        space.map_at(PAGE + 2 * i * PAGE, PAGE, mapping, |_| ())?;
    }
    Ok(space)
}

/// The loop of `query_page.c`.
fn rust_round(space: &AddrSpace, regions: u64) -> (Duration, u64) {
    let (mut state, mut sum) = (1_u64, 0);
    let begin = Instant::now();
    for _ in 0..LOOKUPS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let page = ((state >> 32) * 2 * regions) >> 32;
        if let Some(region) = space.query(black_box(PAGE + page * PAGE)) {
            sum += u64::from(region.mapping.prot.0);
        }
    }
    (begin.elapsed(), sum)
}

/// The C program, waiting for a line to run a round.
struct Program {
    child: Child,
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(program: &Path, regions: u64) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([regions.to_string(), LOOKUPS.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, answers) = pipes.ok_or("no pipes")?;
        let answers = BufReader::new(answers);
        Ok(Self {
            child,
            input,
            answers,
        })
    }

    fn round(&mut self) -> Result<(Duration, u64)> {
        let mut line = String::new();
        writeln!(self.input)
            .and_then(|()| self.answers.read_line(&mut line))
            .map_err(|error| error.to_string())?;
        let mut numbers = line.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(time)), Some(Ok(sum))) => Ok((Duration::from_nanos(time), sum)),
            _ => Err(format!("`{line}` is no answer of query_page.c")),
        }
    }

    fn finish(mut self) -> Result<()> {
        drop(self.input);
        let status = self.child.wait().map_err(|error| error.to_string())?;
        status.success().then_some(()).ok_or(status.to_string())
    }
}
