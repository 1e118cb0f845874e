//! Replaying a recording: every operation, every address that the kernel
//! chose, every listing and every look-up, in the recorded order.

use std::fmt;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gaptree::linux::Mm;
use gaptree::linux::flags::VM_GROWSDOWN;
use gaptree::{Page, RangeStore};

use super::faults::Fault;
use super::listing::{Row, coalesce};
use super::op::{Call, Op};
use super::process::{Kept, Process, Results};
use super::recording::Recording;

/// How far below memory that grows downwards a fault can make it grow.
const GROWTH: u64 = 128 << 20;

/// What a replay compared, all of it in agreement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Operations, the ones that change nothing included.
    pub operations: usize,
    /// Addresses that the kernel chose, all predicted.
    pub placements: usize,
    /// Listings compared.
    pub listings: usize,
    /// Of these, how many have the kernel's rows without that any are coalesced.
    pub exact: usize,
    /// Addresses looked up.
    pub lookups: usize,
    /// Look-ups that found no page, or one without permission for the access.
    pub exceptions: Exceptions,
    /// The most regions that were mapped at once.
    pub peak: usize,
    /// Results and errors.
    pub results: Results,
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
        S: RangeStore<Page, Kept>,
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
            report.peak = report.peak.max(process.mm.space().region_count());
            while let Some((path, listing)) = listings.next_if(|(_, listing)| listing.after == done)
            {
                let rows: Vec<Row> = process.rows().collect();
                if let Some(difference) = listing.difference(&coalesce(rows.iter().copied())) {
                    let problem = difference.to_string();
                    return Err(self.disagreement(path, listing.line, done, problem));
                }
                report.listings += 1;
                report.exact += usize::from(listing.is_exact(&rows));
            }
            while let Some(fault) = faults.next_if(|fault| fault.after == done) {
                let next = self.trace.ops.get(done);
                look_up(&process.mm, fault, next, &mut report.exceptions).map_err(|problem| {
                    let path = self.faults_path.as_deref().unwrap_or(&self.path);
                    self.disagreement(path, fault.line, done, problem)
                })?;
                process.touch(fault);
                report.lookups += 1;
            }
            if done % 1024 == 0 {
                progress(done);
            }
        }
        report.placements = process.placements;
        report.results = process.results;
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
        S: RangeStore<Page, Kept>,
    {
        let (mut fastest, mut spent) = (Duration::MAX, Duration::ZERO);
        while spent < ENOUGH {
            let mut process = self.process::<S>()?;
            let begin = Instant::now();
            for (done, op) in self.trace.ops.iter().enumerate() {
                process.repeat(op).map_err(|conflict| {
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
        S: RangeStore<Page, Kept>,
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
    mm: &Mm<u32, S>,
    fault: &Fault,
    next: Option<&Op>,
    exceptions: &mut Exceptions,
) -> Result<(), String>
where
    S: RangeStore<Page, Kept>,
{
    let Fault { addr, access, .. } = *fault;
    let space = mm.space();
    let region = space.query_ref(addr);
    let allow = |prot| access.allowed_by(prot);
    let checked = space.check_access_ref(addr, 1, |mapping| allow(mapping.prot.0));
    let Some(region) = region else {
        if checked != Err(addr) {
            return Err(format!(
                "address {addr:x}: `query` finds nothing, `check_access` {checked:?}"
            ));
        }
        let exception = if addr < mm.config().min_addr {
            &mut exceptions.null
        } else if grows_down_to(mm, addr) {
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
fn grows_down_to<S>(mm: &Mm<u32, S>, addr: u64) -> bool
where
    S: RangeStore<Page, Kept>,
{
    let next = mm.rows_in(addr, GROWTH).next();
    next.is_some_and(|row| row.flags & VM_GROWSDOWN != 0)
}

/// Whether the operation maps this address.
fn maps(op: &Op, addr: u64) -> bool {
    match (op.call, &op.result) {
        (Call::Mmap { len, .. }, &Ok(start)) => addr.checked_sub(start).is_some_and(|at| at < len),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use gaptree::{BTreeStore, Page};

    use super::super::faults::Fault;
    use super::super::header::Trace;
    use super::super::listing::Listing;
    use super::super::source::Source;
    use super::{Exceptions, Kept, Recording, Report};

    const START: &str = "init 400000 402000 5 2 0 1000\ninit 7f0000000000 7f0000001000 1 2 1 0\n\
        init 7ff000000000 7ff000004000 3 122 - 0 # [stack]\n";
    const BELOW: &str = "400000 402000 r-xp 1000 0\n";
    const ABOVE: &str = "7f0000000000 7f0000001000 r--p 0 1\n";

    /// A recording of these operations that ends in this listing.
    fn recording(ops: &str, rows: &str, faults: &str) -> Recording {
        let header = format!(
            "# page 1000\n# ops {:x}\n# brk 500000 500800\n",
            ops.lines().count()
        );
        let trace = Trace::parse(&Source::of(&format!("{header}{START}{ops}"))).unwrap();
        let listing = format!("state {:x} final\n{BELOW}{rows}{ABOVE}", trace.ops.len());
        let listings = Listing::parse_all(&Source::of(&listing)).unwrap();
        Recording {
            path: PathBuf::from("t.trace"),
            name: "t".to_owned(),
            trace,
            listings: listings
                .into_iter()
                .map(|listing| (PathBuf::from("t.maps"), listing))
                .collect(),
            faults: Fault::parse_all(&Source::of(faults)).unwrap(),
            faults_path: Some(PathBuf::from("t.faults")),
        }
    }

    fn replay(recording: &Recording) -> Result<Report, String> {
        let result = recording.replay::<BTreeStore<Page, Kept, 4, 4>>(|_| ());
        result.map_err(|disagreement| disagreement.to_string())
    }

    /// The kernel did `ops`, then showed `rows` besides what was there before.
    fn agrees(ops: &str, rows: &str) -> Report {
        replay(&recording(ops, rows, "")).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn mmap_replaces_picks_and_refuses() {
        let report = agrees(
            "mmap 0 2fff 3 22 - 0 = 7effffffd000\n\
             mmap 0 2000 1 22 - 0 = 7effffffb000\n\
             mmap 600000 1000 3 2 5 3000 = 600000\n\
             mmap 600000 1000 3 100022 - 0 = -EEXIST\n\
             mmap 601000 1000 3 100022 - 0 = 601000\n\
             mmap 601000 1000 1 11 6 8000 = 601000\n\
             mmap 40000000 1000 1 62 - 0 = 41000000\n\
             mmap 0 0 3 22 - 0 = -EINVAL\n",
            "600000 601000 rw-p 3000 5\n601000 602000 r--s 8000 6\n41000000 41001000 r--p 0 -\n\
             7effffffb000 7effffffd000 r--p 0 -\n7effffffd000 7f0000000000 rw-p 0 -\n",
        );
        assert_eq!(
            (report.operations, report.placements, report.listings),
            (8, 3, 1)
        );
        // The stack, the program, its library; five more, two of them touching.
        assert_eq!(report.peak, 8);
    }

    #[test]
    fn munmap_and_mprotect_cut_and_stop_at_holes() {
        agrees(
            "mmap 600000 8000 3 12 5 0 = 600000\n\
             munmap 603000 1 = 0\n\
             munmap 700000 1000 = 0\n\
             munmap 600001 1000 = -EINVAL\n\
             mprotect 601000 1000 1 = 0\n\
             mprotect 602000 5000 0 = -ENOMEM\n\
             mprotect 603000 1000 0 = -ENOMEM\n\
             mprotect 607000 7f0000000000 4 = -ENOMEM\n\
             mprotect 604000 fffffffffffff000 0 = -ENOMEM\n\
             mprotect 600000 0 7 = 0\n\
             mprotect 7ff000002000 1000 1000001 = 0\n",
            "600000 601000 rw-p 0 5\n601000 602000 r--p 1000 5\n602000 603000 ---p 2000 5\n\
             604000 607000 rw-p 4000 5\n607000 608000 --xp 7000 5\n",
        );
    }

    #[test]
    fn brk_grows_shrinks_and_is_asked() {
        agrees(
            "brk 0 = 500800\nbrk 501800 = 501800\nbrk 500010 = 500010\nbrk 503001 = 503001\n\
             brk 400000 = 503001\nbrk 503001 = 503001\nbrk 502fff = 502fff\n",
            "501000 503000 rw-p 0 - [heap]\n",
        );
    }

    #[test]
    fn mremap_resizes_in_place_and_moves() {
        let report = agrees(
            "mmap 600000 4000 3 12 5 0 = 600000\n\
             mremap 600000 4000 2000 0 0 = 600000\n\
             mremap 600000 2000 3000 1 0 = 600000\n\
             mmap 603000 1000 1 32 - 0 = 603000\n\
             mremap 601000 2000 3000 1 0 = 7effffffd000\n\
             mremap 601000 2000 3000 0 0 = -EFAULT\n\
             mremap 600000 1000 5000 0 0 = -ENOMEM\n\
             mremap 600000 1000 1000 3 603000 = 603000\n",
            "603000 604000 rw-p 0 5\n7effffffd000 7f0000000000 rw-p 1000 5\n",
        );
        assert_eq!(report.placements, 1);
    }

    #[test]
    fn mremap_keeps_and_duplicates() {
        agrees(
            "mmap 600000 2000 3 31 - 0 = 600000\n\
             mmap 602000 2000 3 31 - 0 = 602000\n\
             mremap 601000 0 2000 1 0 = 7effffffe000\n\
             mmap 610000 2000 3 32 - 0 = 610000\n\
             mremap 611000 1000 1000 5 0 = 7effffffd000\n\
             mremap 610000 1000 1000 7 612000 = 612000\n\
             mremap 602000 2000 1000 3 620000 = 620000\n",
            "600000 602000 rw-s 0 s9\n610000 613000 rw-p 0 -\n620000 621000 rw-s 0 s7\n\
             7effffffd000 7effffffe000 rw-p 0 -\n7effffffe000 7f0000000000 rw-s 1000 s9\n",
        );
    }

    #[test]
    fn advice_and_locks_change_nothing() {
        let ops = "madvise 400000 1000 4 = 0\nmlock 400000 1000 = 0\nmunlock 400000 1000 = 0\n";
        agrees(ops, "");
        assert_eq!(recording(ops, "", "").timed(), 0);
        assert_eq!(recording("brk 0 = 500800\n", "", "").timed(), 1);
    }

    #[test]
    fn look_ups_know_the_exceptions() {
        let faults = "0 400fff x\n0 400000 w\n0 8 r\n0 7fefffffff00 w\n0 600123 r\n1 600123 r\n";
        let ops = "mmap 600000 1000 3 32 - 0 = 600000\n";
        let report = replay(&recording(ops, "600000 601000 rw-p 0 -\n", faults)).unwrap();
        let expected = Exceptions {
            growth: 1,
            null: 1,
            extended: 1,
            refused: 1,
        };
        assert_eq!((report.lookups, report.exceptions), (6, expected));
        let unmapped = replay(&recording(ops, "600000 601000 rw-p 0 -\n", "1 601000 r\n"));
        let text = "t.faults:1: operation 1 (hex 1): mmap 600000 1000 3 32 - 0 = 600000\n  \
            expected 601000 to be mapped\n  got      no region at it";
        assert_eq!(unmapped.unwrap_err(), text);
    }

    #[test]
    fn a_disagreement_says_where_and_what() {
        for (op, problem) in [
            (
                "mmap 0 1000 3 22 - 0 = 7effffffe000",
                "expected address 7effffffe000\n  got      address 7efffffff000",
            ),
            (
                "mmap 0 1000 3 100022 - 0 = 5000",
                "expected address 5000\n  got      -EPERM",
            ),
            (
                "mmap 0 7f0000000000 3 4022 - 0 = 1000",
                "expected address 1000\n  got      -ENOMEM",
            ),
            (
                "mmap 600000 1000 3 100022 - 0 = -EEXIST",
                "expected -EEXIST\n  got      address 600000",
            ),
            (
                "mmap 600001 1000 3 32 - 0 = 600001",
                "expected address 600001\n  got      -EINVAL",
            ),
            ("munmap 0 0 = 0", "expected success\n  got      -EINVAL"),
            (
                "munmap 7ffffffff000 1000 = 0",
                "expected success\n  got      -EINVAL",
            ),
            (
                "mprotect 401000 2000 1 = 0",
                "expected success\n  got      -ENOMEM",
            ),
            (
                "mremap 401000 2000 1000 1 0 = 405000",
                "expected address 405000\n  got      address 401000",
            ),
            (
                "mremap fffffffffffff000 2000 1000 1 0 = 405000",
                "expected address 405000\n  got      -EFAULT",
            ),
            (
                "brk 0 = 501000",
                "expected the break at 501000\n  got      the break at 500800",
            ),
        ] {
            let text = replay(&recording(op, "", "")).unwrap_err();
            assert_eq!(
                text,
                format!("t.trace:7: operation 1 (hex 1): {op}\n  {problem}")
            );
        }
        let listing = replay(&recording("munmap 401000 1000 = 0\n", "", "")).unwrap_err();
        let expected = "t.maps:1: operation 1 (hex 1): munmap 401000 1000 = 0\n  the listings differ \
            (start, end, permissions, offset, file):\n  \
            expected 000000400000 000000402000 r-xp 1000 0\n  \
            expected 7f0000000000 7f0000001000 r--p 0 1\n  \
            got      000000400000 000000401000 r-xp 1000 0\n  \
            got      7f0000000000 7f0000001000 r--p 0 1";
        assert_eq!(listing, expected);
        let mut overlapping = recording("", "", "");
        overlapping.trace.init[1].start = 0x40_1000;
        let text = "t.trace:5: before the first operation\n  expected a free range of user memory\n  got      EEXIST";
        assert_eq!(replay(&overlapping).unwrap_err(), text);
    }
}
