//! Replaying a recording: every operation, every address that the kernel
//! chose, every listing and every look-up, in the recorded order.

use std::fmt;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gaptree::{AddrSpace, Page, PageMapping, RangeStore};

use super::faults::Fault;
use super::listing::coalesce;
use super::op::{Call, Op};
use super::placement::{GROWSDOWN, LOWEST};
use super::process::Process;
use super::recording::Recording;

/// How far below memory that grows downwards a fault can make it grow.
const GROWTH: u64 = 128 << 20;

/// What a replay compared, all of it in agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Operations, the ones that change nothing included.
    pub operations: usize,
    /// Addresses that the kernel chose, all predicted.
    pub placements: usize,
    /// Listings compared.
    pub listings: usize,
    /// Addresses looked up.
    pub lookups: usize,
    /// Look-ups that the recorded program was not allowed either.
    pub exceptions: Exceptions,
    /// The most regions that were mapped at once.
    pub peak: usize,
}

/// Look-ups of addresses that were not mapped, or not for this access, by
/// reason. These reasons are known from the recorded programs; any other is a
/// disagreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exceptions {
    /// Below memory that grows downwards: the stack grows.
    pub growth: usize,
    /// Near address zero: a null pointer, which Java virtual machines follow on
    /// purpose.
    pub null: usize,
    /// Mapped by the program itself in its next operation, as valgrind extends
    /// its stack.
    pub extended: usize,
    /// Mapped without permission for the access: the program tests its own
    /// protections.
    pub refused: usize,
}

impl Exceptions {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.growth + self.null + self.extended + self.refused
    }
}

impl Add for Exceptions {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            growth: self.growth + other.growth,
            null: self.null + other.null,
            extended: self.extended + other.extended,
            refused: self.refused + other.refused,
        }
    }
}

impl fmt::Display for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            growth,
            null,
            extended,
            refused,
        } = self;
        write!(f, "{growth} by growing the stack, {null} null pointers, ")?;
        write!(
            f,
            "{extended} mapped by the program next, {refused} without permission"
        )
    }
}

/// Where an address space and the kernel disagree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disagreement {
    path: PathBuf,
    line: usize,
    /// What was done last: `operation 7 (hex 7): brk 0 = 5`.
    place: String,
    /// What was expected and what was got, or what differs.
    problem: String,
}

/// `FILE:LINE: place`, then what was expected and what was got, indented.
impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.path.display(), self.line, self.place)?;
        write!(f, "  {}", self.problem)
    }
}

impl std::error::Error for Disagreement {}

impl Recording {
    /// Replays the recording through an address space on engine `S` and
    /// compares whatever can be compared. `progress` is called with the number
    /// of operations done, now and then.
    ///
    /// # Errors
    /// The first disagreement.
    pub fn replay<S>(&self, mut progress: impl FnMut(usize)) -> Result<Report, Box<Disagreement>>
    where
        S: RangeStore<Page, PageMapping>,
    {
        let mut process = self.process::<S>()?;
        let mut report = Report {
            operations: self.trace.ops.len(),
            ..Report::default()
        };
        let (mut listings, mut faults) = (
            self.listings.iter().peekable(),
            self.faults.iter().peekable(),
        );
        for done in 0..=self.trace.ops.len() {
            if let Some(op) = done.checked_sub(1).map(|last| &self.trace.ops[last]) {
                process.apply(op).map_err(|conflict| {
                    self.disagreement(&self.path, op.line, done, conflict.to_string())
                })?;
            }
            report.peak = report.peak.max(process.space.region_count());
            while let Some((path, listing)) = listings.next_if(|(_, listing)| listing.after == done)
            {
                if let Some(difference) = listing.difference(&coalesce(process.rows())) {
                    let problem = difference.to_string();
                    return Err(self.disagreement(path, listing.line, done, problem));
                }
                report.listings += 1;
            }
            while let Some(fault) = faults.next_if(|fault| fault.after == done) {
                let next = self.trace.ops.get(done);
                look_up(&process.space, fault, next, &mut report.exceptions).map_err(
                    |problem| {
                        let path = self.faults_path.as_deref().unwrap_or(&self.path);
                        self.disagreement(path, fault.line, done, problem)
                    },
                )?;
                report.lookups += 1;
            }
            if done % 1024 == 0 {
                progress(done);
            }
        }
        report.placements = process.placements;
        Ok(report)
    }

    /// How many operations [`time`](Self::time) measures: those that are
    /// replayed.
    #[must_use]
    pub fn timed(&self) -> usize {
        self.trace
            .ops
            .iter()
            .filter(|op| op.call.is_replayed())
            .count()
    }

    /// How long the operations alone take, without any comparison but that of
    /// the addresses; the fastest of several runs if one is short.
    ///
    /// # Errors
    /// The first disagreement.
    pub fn time<S>(&self) -> Result<Duration, Box<Disagreement>>
    where
        S: RangeStore<Page, PageMapping>,
    {
        let (mut fastest, mut spent) = (Duration::MAX, Duration::ZERO);
        while spent < ENOUGH {
            let mut process = self.process::<S>()?;
            let begin = Instant::now();
            for (done, op) in self.trace.ops.iter().enumerate() {
                process.apply(op).map_err(|conflict| {
                    self.disagreement(&self.path, op.line, done + 1, conflict.to_string())
                })?;
            }
            let elapsed = begin.elapsed();
            fastest = fastest.min(elapsed);
            spent += elapsed.max(Duration::from_micros(1));
        }
        Ok(fastest)
    }

    /// The process before its first operation.
    fn process<S>(&self) -> Result<Process<S>, Box<Disagreement>>
    where
        S: RangeStore<Page, PageMapping>,
    {
        Process::new(&self.trace).map_err(|(conflict, init)| {
            let line = init.map_or(1, |init| init.line);
            self.disagreement(&self.path, line, 0, conflict.to_string())
        })
    }

    /// A disagreement after `done` operations.
    fn disagreement(
        &self,
        path: &Path,
        line: usize,
        done: usize,
        problem: String,
    ) -> Box<Disagreement> {
        let place = match done
            .checked_sub(1)
            .and_then(|last| self.trace.ops.get(last))
        {
            Some(op) => format!("operation {done} (hex {done:x}): {op}"),
            None => "before the first operation".to_owned(),
        };
        Box::new(Disagreement {
            path: path.to_path_buf(),
            line,
            place,
            problem,
        })
    }
}

/// Runs are repeated until they took this long together.
const ENOUGH: Duration = Duration::from_millis(20);

/// Looks an address up in both ways, which must agree with each other and with
/// what the recorded program could do; counts the known exceptions.
fn look_up<S>(
    space: &AddrSpace<S>,
    fault: &Fault,
    next: Option<&Op>,
    exceptions: &mut Exceptions,
) -> Result<(), String>
where
    S: RangeStore<Page, PageMapping>,
{
    let Fault { addr, access, .. } = *fault;
    let region = space.query(addr);
    let checked = space.check_access(addr, 1, |mapping| access.allowed_by(mapping.prot.0));
    let Some(region) = region else {
        if checked != Err(addr) {
            return Err(format!(
                "address {addr:x}: `query` finds nothing, `check_access` {checked:?}"
            ));
        }
        let exception = if addr < LOWEST {
            &mut exceptions.null
        } else if grows_down_to(space, addr) {
            &mut exceptions.growth
        } else if next.is_some_and(|op| maps(op, addr)) {
            &mut exceptions.extended
        } else {
            return Err(format!(
                "expected {addr:x} to be mapped\n  got      no region at it"
            ));
        };
        *exception += 1;
        return Ok(());
    };
    let allowed = access.allowed_by(region.mapping.prot.0);
    let expected = if allowed { Ok(()) } else { Err(addr) };
    if addr.wrapping_sub(region.addr) >= region.len || checked != expected {
        return Err(format!(
            "address {addr:x}: `query` finds {region}, `check_access` {checked:?}"
        ));
    }
    exceptions.refused += usize::from(!allowed);
    Ok(())
}

/// Whether the next memory above grows downwards, so that a fault at `addr`
/// extends it.
fn grows_down_to<S>(space: &AddrSpace<S>, addr: u64) -> bool
where
    S: RangeStore<Page, PageMapping>,
{
    let next = space.regions_in(addr, GROWTH).next();
    next.is_some_and(|region| region.mapping.flags & GROWSDOWN != 0)
}

/// Whether the operation maps this address.
fn maps(op: &Op, addr: u64) -> bool {
    match (op.call, &op.result) {
        (Call::Mmap { len, .. }, &Ok(start)) => addr.checked_sub(start).is_some_and(|at| at < len),
        _ => false,
    }
}
