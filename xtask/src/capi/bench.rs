//! What the C boundary costs: the same look-ups by `AddrSpace::query` here and
//! by `mmap_query_page` in a C program with the static library.
//!
//! The call in Rust is measured in two ways. Where its loop reads nothing but
//! the protection, the compiler puts the call inline and leaves out the rest of
//! the answer; where the loop takes the whole region, the answer is written to
//! memory as it is in C. What C costs more than the second is the boundary; what
//! it costs more than the first is also what inlining saves.
//!
//! Rounds of all three alternate, so that they meet the same machine. A round
//! does its look-ups twice and times the second pass, since what else runs
//! empties the caches in between. The fastest round of each counts. All add up
//! what they find; the sums must be equal.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gaptree::{AddrSpace, Mapping, Prot, Region};

use super::install::Installed;
use super::{Result, output, tool};
use crate::bench::tables::table;
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
    cc.arg(installed.archive());
    output(cc.arg("-o").arg(&program))?;
    println!("\nns a look-up, fastest of {ROUNDS} rounds of {LOOKUPS}:");
    let header = [
        "regions",
        "Rust, inline",
        "Rust, whole",
        "C",
        "C - inline",
        "C - whole",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for regions in REGIONS {
        let [inline, whole, c] = compare(&program, regions)?;
        let times = [inline, whole, c, c - inline, c - whole];
        let times = times.map(|time| format!("{time:.2}"));
        table.add_row([regions.to_string()].into_iter().chain(times));
    }
    println!("{table}");
    Ok(())
}

/// Nanoseconds a look-up: from Rust inline, from Rust as a whole, and from C.
fn compare(program: &Path, regions: u64) -> Result<[f64; 3]> {
    let space = prepared(regions).map_err(|error| error.to_string())?;
    let mut c = Program::start(program, regions)?;
    let mut fastest = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let (inline, found) = second_pass(|| look_up(&space, regions, |region| region));
        let (whole, found_whole) = second_pass(|| look_up(&space, regions, black_box));
        let (time, found_by_c) = c.round()?;
        for (fastest, time) in fastest.iter_mut().zip([inline, whole, time]) {
            *fastest = time.min(*fastest);
        }
        if [found_whole, found_by_c] != [found; 2] {
            return Err(format!(
                "Rust found {found} and {found_whole}, C found {found_by_c}"
            ));
        }
    }
    c.finish()?;
    Ok(fastest.map(|time| time.as_secs_f64() * 1e9 / LOOKUPS as f64))
}

/// Does a pass twice; the time of the second, and its answer.
fn second_pass(mut pass: impl FnMut() -> u64) -> (Duration, u64) {
    black_box(pass());
    let begin = Instant::now();
    let answer = black_box(pass());
    (begin.elapsed(), answer)
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

/// The loop of `query_page.c`: the sum of what it finds. Never inline, so that
/// each of its two uses is compiled alike.
#[inline(never)]
fn look_up(
    space: &AddrSpace,
    regions: u64,
    take: impl Fn(Option<Region>) -> Option<Region>,
) -> u64 {
    let (mut state, mut sum) = (1_u64, 0);
    for _ in 0..LOOKUPS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let page = ((state >> 32) * 2 * regions) >> 32;
        if let Some(region) = take(space.query(black_box(PAGE + page * PAGE))) {
            sum += u64::from(region.mapping.prot.0);
        }
    }
    sum
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
