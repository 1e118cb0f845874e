//! The memory of a recorded process: its system calls, answered by the library.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use gaptree::linux::flags::{
    MAP_32BIT, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_TYPE,
    MREMAP_FIXED, PROT_WRITE, VM_ACCOUNT, VM_DONTDUMP, VM_GROWSDOWN, VM_MAYEXEC, VM_MAYREAD,
    VM_MAYSHARE, VM_MAYWRITE, VM_SHARED,
};
use gaptree::linux::{self, Access, Backing, Config, Mm};
use gaptree::{Page, PageMapping, RangeStore};

use super::faults::{self, Fault};
use super::header::{Init, PAGE_SIZE, Trace};
use super::listing::{Object, Row};
use super::op::{Call, Errno, Op};

/// What the library's books keep of a recorded process.
pub type Kept = PageMapping<Backing<u32>>;

/// One past the last address that a program can map, on x86-64 with four levels of page tables.
const SPACE_END: u64 = (1 << 47) - PAGE_SIZE;

/// What a call returned.
type Answer = Result<u64, String>;

/// What the kernel answered, and we did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Conflict {
    /// To a call whose result is an address, or nothing.
    Answer { expected: Answer, got: Answer },
    /// A mapping at the start does not fit.
    Start(linux::Errno),
    /// The kernel has the break elsewhere.
    Break { expected: u64, got: u64 },
    /// The break moves before the trace has said where it is.
    NoBreak,
}

fn text(answer: &Answer) -> String {
    match answer {
        Ok(0) => "success".to_owned(),
        Ok(addr) => format!("address {addr:x}"),
        Err(name) => format!("-{name}"),
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, got) = match self {
            Self::Answer { expected, got } => (text(expected), text(got)),
            Self::Start(errno) => ("a free range of user memory".to_owned(), errno.to_string()),
            Self::Break { expected, got } => (
                format!("the break at {expected:x}"),
                format!("the break at {got:x}"),
            ),
            Self::NoBreak => ("a `# brk` line in the header".to_owned(), "none".to_owned()),
        };
        write!(f, "expected {expected}\n  got      {got}")
    }
}

/// Results that were predicted, by call and outcome, and calls that were followed
/// instead, by reason.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Results {
    /// How many calls of this name had this outcome, `"success"` or an error's name.
    pub predicted: BTreeMap<(&'static str, String), usize>,
    /// How many were followed, and why.
    pub followed: BTreeMap<&'static str, usize>,
}

impl Results {
    /// Adds those of another trace.
    pub fn add(&mut self, other: &Self) {
        for (result, count) in &other.predicted {
            *self.predicted.entry(result.clone()).or_default() += count;
        }
        for (reason, count) in &other.followed {
            *self.followed.entry(reason).or_default() += count;
        }
    }
}

/// A recorded process, as the library has it.
pub(super) struct Process<S> {
    pub(super) mm: Mm<u32, S>,
    /// Whether the trace shows where the kernel begins to search.
    has_base: bool,
    has_brk: bool,
    /// The kernel's own mappings, which listings pass over.
    special: Vec<Range<u64>>,
    /// How many addresses the kernel chose as we did.
    pub(super) placements: usize,
    pub(super) results: Results,
}

/// The row of a mapping at the start.
fn row<'a>(init: &Init, backing: &'a Backing<u32>) -> linux::Row<'a, u32> {
    let map = u64::from(init.flags);
    let shared = matches!(map & MAP_TYPE, MAP_SHARED | MAP_SHARED_VALIDATE);
    let mut flags = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | init.flags & VM_GROWSDOWN;
    if shared {
        flags |= VM_SHARED | VM_MAYSHARE;
    } else if u64::from(init.prot) & PROT_WRITE != 0 {
        flags |= VM_ACCOUNT;
    }
    if init.special && !init.stack {
        flags |= VM_DONTDUMP;
    }
    linux::Row {
        addr: init.start,
        len: init.end - init.start,
        prot: init.prot,
        flags,
        backing,
        offset: init.offset,
    }
}

impl Trace {
    /// Where the kernel begins to search: the end of the highest mapping at the start
    /// below the stack.
    fn base(&self) -> Option<u64> {
        let stack = self.init.iter().find(|init| init.stack);
        let stack = stack.map_or(SPACE_END, |init| init.start);
        let ends = self.init.iter().map(|init| init.end);
        ends.filter(|&end| end <= stack).max()
    }

    /// The memory before the first operation.
    ///
    /// # Errors
    /// The mapping that does not fit.
    pub fn start<S>(&self) -> Result<Mm<u32, S>, (linux::Errno, Init)>
    where
        S: RangeStore<Page, Kept>,
    {
        let mut config = Config::x86_64();
        config.end = SPACE_END;
        config.base = self.base().unwrap_or(0);
        let (start, now) = self.brk.unwrap_or_default();
        config.brk = start;
        let mut mm = Mm::with_engine(config).expect("a page size and an end");
        mm.adopt_brk(now);
        for &init in &self.init {
            let backing = init.file.map_or(Backing::Anonymous, Backing::File);
            let adopted = mm.adopt(&row(&init, &backing));
            adopted.map_err(|errno| (errno, init))?;
        }
        Ok(mm)
    }
}

impl<S: RangeStore<Page, Kept>> Process<S> {
    /// The memory before the first operation. An error comes with the mapping
    /// that does not fit.
    pub(super) fn new(trace: &Trace) -> Result<Self, (Conflict, Option<Init>)> {
        let mm = trace.start();
        let mm = mm.map_err(|(errno, init)| (Conflict::Start(errno), Some(init)))?;
        let special = trace.init.iter().filter(|init| init.special);
        Ok(Self {
            mm,
            has_base: trace.base().is_some(),
            has_brk: trace.brk.is_some(),
            special: special.map(|init| init.start..init.end).collect(),
            placements: 0,
            results: Results::default(),
        })
    }

    /// What the books show, the kernel's own mappings left out.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        // A stack may have grown below what it was.
        let inside = |row: &linux::Row<'_, u32>| {
            let last = row.addr + row.len - 1;
            self.special.iter().any(|range| range.contains(&last))
        };
        let ordinary = self.mm.rows().filter(move |row| !inside(row));
        ordinary.map(|row| Row {
            start: row.addr,
            end: row.addr + row.len,
            prot: row.prot,
            shared: row.flags & VM_MAYSHARE != 0,
            object: match *row.backing {
                Backing::Anonymous => Object::Anonymous,
                Backing::Shared { object, .. } => Object::Shared(object),
                Backing::File(file) => Object::File(file),
            },
            offset: row.offset,
        })
    }

    /// The page fault of an access.
    pub(super) fn touch(&mut self, fault: &Fault) {
        let access = match fault.access {
            faults::Access::Read => Access::Read,
            faults::Access::Write => Access::Write,
            faults::Access::Exec => Access::Execute,
        };
        let _ = self.mm.fault(fault.addr, access, &mut ());
    }

    /// Answers a call. `Err` says where the kernel disagrees.
    pub(super) fn apply(&mut self, op: &Op) -> Result<(), Conflict> {
        let expected: Answer = op.result.clone().map_err(|errno| errno.to_string());
        if let Call::Brk { addr } = op.call {
            return self.brk(addr, &expected);
        }
        let Some(name) = name(&op.call) else {
            return Ok(());
        };
        if let Some(reason) = self.unknown(op) {
            *self.results.followed.entry(reason).or_default() += 1;
            return self.follow(op);
        }
        // A refused call changes nothing, but for those that stop at a hole, or pass it.
        let partly = expected == Err("ENOMEM".into())
            && matches!(op.call, Call::Mprotect { .. } | Call::Madvise { .. });
        let mut trial = (expected.is_err() && !partly).then(|| self.mm.clone());
        let got = answer(trial.as_mut().unwrap_or(&mut self.mm), &op.call);
        if got != expected {
            let reason = excuse(&op.call, &expected, &got);
            let reason = reason.ok_or(Conflict::Answer { expected, got })?;
            *self.results.followed.entry(reason).or_default() += 1;
            return Ok(());
        }
        if leaves_the_place_open(&op.call, &expected) {
            self.placements += 1;
        }
        let outcome = expected.err().unwrap_or_else(|| "success".to_owned());
        *self.results.predicted.entry((name, outcome)).or_default() += 1;
        Ok(())
    }

    /// Does what the kernel did, as fast as can be: what it refused without an effect is
    /// passed over.
    pub(super) fn repeat(&mut self, op: &Op) -> Result<(), Conflict> {
        let partly = |errno: &Errno| matches!(op.call, Call::Mprotect { .. }) && errno.is("ENOMEM");
        if !op.call.is_replayed() {
            return Ok(());
        }
        if op.result.as_ref().is_err_and(|errno| !partly(errno)) {
            return Ok(());
        }
        match op.call {
            Call::Brk { addr } => {
                self.mm.brk(addr, &mut ());
            }
            _ if self.unknown(op).is_some() => self.follow(op)?,
            _ => {
                let got = answer(&mut self.mm, &op.call);
                let expected = op.result.clone().map_err(|errno| errno.to_string());
                if got != expected {
                    return Err(Conflict::Answer { expected, got });
                }
            }
        }
        Ok(())
    }

    /// Why the address of a call cannot be known.
    fn unknown(&self, op: &Op) -> Option<&'static str> {
        let Call::Mmap { flags, .. } = op.call else {
            return None;
        };
        let flags = u64::from(flags);
        if op.result.is_err() || flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
            return None;
        }
        if flags & MAP_32BIT != 0 {
            return Some("MAP_32BIT: where the kernel begins to search is drawn at random");
        }
        (!self.has_base).then_some("mmap: the trace does not show where mappings end")
    }

    /// Maps where the kernel did.
    fn follow(&mut self, op: &Op) -> Result<(), Conflict> {
        let (mut call, kernel) = (op.call, op.result.clone().unwrap_or(0));
        if let Call::Mmap { hint, flags, .. } = &mut call {
            *hint = kernel;
            *flags |= MAP_FIXED_NOREPLACE as u32;
        }
        let (expected, got) = (Ok(kernel), answer(&mut self.mm, &call));
        match got == expected {
            true => Ok(()),
            false => Err(Conflict::Answer { expected, got }),
        }
    }

    fn brk(&mut self, addr: u64, expected: &Answer) -> Result<(), Conflict> {
        let Ok(kernel) = *expected else { return Ok(()) };
        if !self.has_brk {
            // A question says where it is.
            if kernel == addr {
                return Err(Conflict::NoBreak);
            }
            self.has_brk = true;
            self.mm.adopt_brk(kernel);
            return Ok(());
        }
        let got = self.mm.brk(addr, &mut ());
        if got != kernel {
            return Err(Conflict::Break {
                expected: kernel,
                got,
            });
        }
        let outcome = if kernel == addr {
            "success"
        } else {
            "as before"
        };
        let result = ("brk", outcome.to_owned());
        *self.results.predicted.entry(result).or_default() += 1;
        Ok(())
    }
}

/// The name of a call that is answered.
fn name(call: &Call) -> Option<&'static str> {
    match call {
        Call::Mmap { .. } => Some("mmap"),
        Call::Munmap { .. } => Some("munmap"),
        Call::Mprotect { .. } => Some("mprotect"),
        Call::Mremap { .. } => Some("mremap"),
        Call::Madvise { .. } => Some("madvise"),
        Call::Mlock { .. } => Some("mlock"),
        Call::Munlock { .. } => Some("munlock"),
        Call::Brk { .. } => None,
    }
}

/// The library's answer.
fn answer<S: RangeStore<Page, Kept>>(mm: &mut Mm<u32, S>, call: &Call) -> Answer {
    let answer = match *call {
        Call::Mmap {
            hint,
            len,
            prot,
            flags,
            file,
            offset,
        } => mm.mmap(hint, len, prot.into(), flags.into(), file, offset, &mut ()),
        Call::Munmap { addr, len } => mm.munmap(addr, len, &mut ()).map(|()| 0),
        Call::Mprotect { addr, len, prot } => {
            mm.mprotect(addr, len, prot.into(), &mut ()).map(|()| 0)
        }
        Call::Mremap {
            addr,
            old_len,
            new_len,
            flags,
            new_addr,
        } => mm.mremap(addr, old_len, new_len, flags.into(), new_addr, &mut ()),
        Call::Madvise { addr, len, advice } => {
            mm.madvise(addr, len, advice.into(), &mut ()).map(|()| 0)
        }
        Call::Mlock { addr, len } => mm.mlock(addr, len, &mut ()).map(|()| 0),
        Call::Munlock { addr, len } => mm.munlock(addr, len, &mut ()).map(|()| 0),
        Call::Brk { .. } => Ok(0),
    };
    answer.map_err(|errno| errno.to_string())
}

/// Whether the kernel chose the address that it returned.
fn leaves_the_place_open(call: &Call, result: &Answer) -> bool {
    match (*call, result) {
        (Call::Mmap { flags, .. }, Ok(_)) => {
            u64::from(flags) & (MAP_FIXED | MAP_FIXED_NOREPLACE) == 0
        }
        (Call::Mremap { addr, flags, .. }, Ok(to)) => {
            u64::from(flags) & MREMAP_FIXED == 0 && *to != addr
        }
        _ => false,
    }
}

/// Why the kernel may refuse what we do: it knows what the trace does not say.
fn excuse(call: &Call, expected: &Answer, got: &Answer) -> Option<&'static str> {
    let later = got.as_ref().is_err_and(|name| name == "ENOMEM");
    match (call, expected.as_ref().err()?.as_str()) {
        (Call::Mremap { .. }, "EFAULT") if got.is_ok() || later => {
            Some("mremap, EFAULT: rows that look as if they were one are two")
        }
        _ if got.is_err() => None,
        (_, "ENOMEM") => Some("ENOMEM: the kernel was short of something else than addresses"),
        _ => None,
    }
}
