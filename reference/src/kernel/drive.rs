//! Kernel and address space side by side.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gaptree::linux::Access;
use gaptree::linux::flags::VM_MAYBE_GUARD;
use gaptree::{BTreeStore, Page, RangeStore, SortedVecStore};

use super::calls::{Call, Calls, Move};
use super::linux::{Kept, Linux, row};
use super::maps::Counts;
use super::raw::Raw;
use super::sys::{self, Answer, ENOMEM, EPERM, Limit, PAGE};
use super::window::Window;
use super::{Layout, Report};
use crate::trace::{Object, Row, coalesce};

/// How many ranges are sealed in the last part: they stay in the window.
const SEALS: u32 = 24;

/// After how many calls the flags of all rows are compared.
const FLAGS: u64 = 16;

/// How many rows there may be in the window when there are many outside.
const LEFT: usize = 14;

/// How many calls a child makes.
const CHILD: u64 = 40;

/// How many calls a message shows.
const SHOWN: usize = 24;

/// Runs calls on every engine in turn. `progress` is told how many were made.
///
/// # Errors
/// The first disagreement, as text.
pub(super) fn run(
    window: &mut Window,
    layout: Layout,
    (operations, seed): (u64, u64),
    mut progress: impl FnMut(u64),
) -> Result<Report, String> {
    let mut report = Report::default();
    let crowded = operations / 64;
    let share = (operations - crowded) / 6;
    for (part, kind) in (0..).zip(Kind::ALL) {
        let count = match kind {
            Kind::Crowded => crowded,
            Kind::Sealing => operations - crowded - 5 * share,
            Kind::Narrow | Kind::Wide => share,
        };
        // `mremap` leaves memory that counts as locked and is not. In a long run that can be
        // all that the process may lock.
        window.measure()?;
        let all = window.range.end - window.range.start;
        if window.most(Limit::Locked).is_some_and(|most| most < all) {
            report.left_out += count;
            continue;
        }
        let begin = Begin {
            layout,
            kind,
            seed: seed.wrapping_add(part),
            count,
        };
        let done = report.operations;
        let progress = |count| progress(done + count);
        let result = match part % 3 {
            0 => part_of_run::<BTreeStore<_, _>>(window, begin, progress),
            1 => part_of_run::<BTreeStore<_, _, 3, 3>>(window, begin, progress),
            _ => part_of_run::<SortedVecStore<_, _>>(window, begin, progress),
        };
        report.add(&result.map_err(|problem| format!("seed {seed}, part {part}, {problem}"))?);
    }
    Ok(report)
}

/// What is special about a part of a run.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// Little room, so that mappings meet.
    Narrow,
    /// Nearly as many rows outside as there may be at all.
    Crowded,
    /// Room for stacks.
    Wide,
    /// The same, and some memory is sealed, for ever: the last.
    Sealing,
}

impl Kind {
    /// In this order, each engine has each.
    const ALL: [Self; 7] = [
        Self::Narrow,
        Self::Narrow,
        Self::Narrow,
        Self::Crowded,
        Self::Wide,
        Self::Wide,
        Self::Sealing,
    ];

    fn has_stacks(self) -> bool {
        matches!(self, Self::Wide | Self::Sealing)
    }
}

/// How a part of a run is made.
#[derive(Clone, Copy)]
struct Begin {
    layout: Layout,
    kind: Kind,
    seed: u64,
    count: u64,
}

fn part_of_run<S: RangeStore<Page, Kept>>(
    window: &mut Window,
    begin: Begin,
    mut progress: impl FnMut(u64),
) -> Result<Report, String> {
    if begin.kind.has_stacks() && !window.is_wide() {
        window.widen()?;
    }
    let mut drive = Drive::<S>::new(window, begin)?;
    let mut calls = Calls::new(begin.seed, drive.window.pages(), begin.kind.has_stacks());
    calls.seals = if begin.kind == Kind::Sealing {
        SEALS
    } else {
        0
    };
    let mut recent = VecDeque::with_capacity(SHOWN);
    for index in 0.. {
        if drive.report.operations >= begin.count {
            break;
        }
        let call = calls.next();
        if drive.leaves_out(&call) {
            drive.report.left_out += 1;
            continue;
        }
        if recent.len() == SHOWN {
            recent.pop_front();
        }
        recent.push_back(call);
        if let Err(problem) = drive.step(&call) {
            return Err(drive.message(&recent, index, &problem));
        }
        if drive.report.operations.is_multiple_of(1024) {
            progress(drive.report.operations);
        }
    }
    drive.clear()?;
    if begin.kind == Kind::Crowded {
        drive.window.calm()?;
    }
    Ok(drive.report)
}

struct Drive<'a, S> {
    window: &'a mut Window,
    linux: Linux<S>,
    /// The kernel's rows as it shows them after the last call, sometimes with their flags.
    raw: Vec<(Row, Option<u32>)>,
    report: Report,
    begin: Begin,
    /// Whether the kernel is one that the library says it is like.
    is_new: bool,
    /// The inode of each shared object without a file, by our number.
    objects: HashMap<u64, u64>,
}

impl<'a, S: RangeStore<Page, Kept>> Drive<'a, S> {
    fn new(window: &'a mut Window, begin: Begin) -> Result<Self, String> {
        let outside = match begin.kind {
            Kind::Crowded => Some(window.crowd(LEFT)?),
            _ => None,
        };
        let linux = Linux::new(&window.range, begin.layout, outside)?;
        let mut drive = Self {
            window,
            linux,
            raw: Vec::new(),
            report: Report::default(),
            begin,
            is_new: sys::is_at_least(6, 17),
            objects: HashMap::new(),
        };
        drive.window.measure()?;
        let limits = [
            Limit::AddressSpace,
            Limit::Data,
            Limit::Stack,
            Limit::Locked,
        ];
        for limit in limits {
            drive.step(&Call::Raw(Raw::Limit { limit, bytes: None }))?;
        }
        drive.step(&Call::Raw(Raw::UnlockAll))?;
        drive.clear()?;
        for file in 0..2 {
            drive.step(&Call::Raw(Raw::Truncate { file, len: 0 }))?;
        }
        drive.report = Report::default();
        Ok(drive)
    }

    /// Unmaps the whole window on both sides.
    fn clear(&mut self) -> Result<(), String> {
        let len = self.window.range.end - self.window.range.start;
        let count = self.report;
        let result = self.step(&Call::Unmap { at: 0, len });
        self.report = count;
        result
    }

    /// Whether a kernel before 6.17 answers such a call in another way: an `mremap` that
    /// concerns more than one row or that copies a file, and odd arguments. Whether this
    /// kernel does not know advice. And whether pages are touched that may be guards.
    fn leaves_out(&self, call: &Call) -> bool {
        if !self.is_new && matches!(call, Call::Raw(_)) {
            return true;
        }
        if let Call::Raw(Raw::Advise { advice, .. }) = call
            && self.window.unknown.contains(advice)
        {
            return true;
        }
        if let Call::Raw(raw) = call
            && let Some((addr, end)) = raw.touched(self.window.range.start)
        {
            // Which pages are guards, the host knows.
            let mut rows = self.linux.mm.rows_in(addr, end - addr);
            return rows.any(|row| row.flags & VM_MAYBE_GUARD != 0);
        }
        let Call::Remap {
            at,
            old_len,
            movement,
            ..
        } = *call
        else {
            return false;
        };
        let addr = self.window.range.start + at;
        let end = addr + old_len.next_multiple_of(PAGE);
        if self.is_new || !addr.is_multiple_of(PAGE) {
            return false;
        }
        let copies = matches!(movement, Move::Copy | Move::CopyTo(_));
        let mut rows = self.raw.iter().map(|(row, _)| row);
        match rows.find(|row| row.start <= addr && addr < row.end) {
            Some(row) => row.end < end || copies && row.object != Object::Anonymous,
            // With an address to go to, old kernels unmap that before they refuse.
            None => matches!(movement, Move::To(_) | Move::CopyTo(_)),
        }
    }

    /// Makes a call on both sides and compares everything.
    fn step(&mut self, call: &Call) -> Result<(), String> {
        let guarded = self.guarded(call);
        let before = self.linux.host.actions;
        let raw = self.tamed(call.raw());
        if let Raw::Fork { seed } = raw {
            self.report.operations += 1;
            return self.fork(seed);
        }
        let ours = catch_unwind(AssertUnwindSafe(|| self.linux.answer(raw)));
        let ours = ours.map_err(|_| "the library or its host panicked, see above")?;
        let mut kernel = raw.ask(self.window);
        if kernel == Err(EPERM) && ours == Err(ENOMEM) && call.leaves_the_place_open() {
            // What it found is below `vm.mmap_min_addr`, where only some may map.
            kernel = Err(ENOMEM);
        }
        if kernel != ours {
            return Err(differ("answer", show(kernel), show(ours)));
        }
        if let Some(guarded) = guarded
            && kernel.is_ok()
            && guarded != kernel.ok()
        {
            let ours = format!("{guarded:x?}");
            return Err(differ("address beside guards", show(kernel), ours));
        }
        // With many rows outside the listing has no room in memory.
        let flags =
            self.begin.kind != Kind::Crowded && self.report.operations.is_multiple_of(FLAGS);
        let rows = self.window.maps.rows(&self.window.range, flags);
        self.raw = rows.map_err(|error| format!("/proc/self/maps: {error}"))?;
        let got: Vec<(Row, Option<u32>)> = self.linux.rows().map(|found| row(&found)).collect();
        if !self.agree(&got) {
            return Err(differ("listing", list(&self.raw), list(&got)));
        }
        self.compare_counts()?;
        if !self.linux.host.are(self.linux.rows()) {
            return Err("the host has other pages than the books".to_owned());
        }
        self.linux.mm.check();
        self.report.operations += 1;
        self.report.actions += self.linux.host.actions - before;
        let rows = got.iter().map(|&(row, _)| row);
        self.report.split += u64::from(coalesce(rows).len() < got.len());
        match kernel {
            Ok(_) => self.report.placements += u64::from(call.leaves_the_place_open()),
            Err(_) => self.report.refused += 1,
        }
        Ok(())
    }

    /// Forks. The child compares what it has, makes calls of its own, and ends.
    fn fork(&mut self, seed: u64) -> Result<(), String> {
        match sys::fork() {
            Err(errno) => Err(format!("fork: {}", io::Error::from_raw_os_error(errno))),
            Ok(0) => match self.be_child(seed) {
                Ok(()) => sys::exit(0),
                Err(problem) => {
                    println!("in a child: {problem}");
                    sys::exit(1)
                }
            },
            Ok(child) if sys::ended_well(child) => Ok(()),
            Ok(_) => Err("a child disagrees, see above".to_owned()),
        }
    }

    fn be_child(&mut self, seed: u64) -> Result<(), String> {
        self.linux.fork()?;
        let maps = self.window.maps.reopened();
        self.window.maps = maps.map_err(|error| format!("/proc/self: {error}"))?;
        self.window.outside.locked = 0;
        self.step(&Call::Raw(Raw::Limit {
            limit: Limit::Locked,
            bytes: None,
        }))?;
        let stacks = self.begin.kind.has_stacks();
        let mut calls = Calls::new(seed, self.window.pages(), stacks);
        let mut recent = VecDeque::new();
        for index in 0..CHILD {
            let call = calls.next();
            // The files are its parent's as well.
            let left = matches!(call, Call::Raw(Raw::Fork { .. } | Raw::Truncate { .. }));
            if left || self.leaves_out(&call) {
                continue;
            }
            recent.push_back(call);
            self.step(&call)
                .map_err(|problem| self.message(&recent, index, &problem))?;
        }
        Ok(())
    }

    /// The same call without a jump to what can be executed, and without a limit that is
    /// more than the process may have.
    fn tamed(&self, raw: Raw) -> Raw {
        match raw {
            Raw::Touch { addr, .. } if self.linux.may_execute(addr.of(self.window.range.start)) => {
                let access = Access::Read;
                Raw::Touch { addr, access }
            }
            Raw::Limit { limit, bytes } => {
                let most = self.window.most(limit);
                let bytes = bytes.into_iter().chain(most).min();
                Raw::Limit { limit, bytes }
            }
            raw => raw,
        }
    }

    fn compare_counts(&mut self) -> Result<(), String> {
        let counts = self.window.maps.counts();
        let counts = counts.map_err(|error| format!("/proc/self/status: {error}"))?;
        let (outside, ours) = (&self.window.outside, self.linux.counts());
        let inside = Counts {
            size: counts.size - outside.size,
            locked: counts.locked - outside.locked,
            data: counts.data - outside.data,
            stack: counts.stack - outside.stack,
            exec: counts.exec - outside.exec,
        };
        if inside == ours {
            return Ok(());
        }
        Err(differ(
            "counters",
            format!("{inside:x?}"),
            format!("{ours:x?}"),
        ))
    }

    /// Where a space with guards would map, if the kernel is to map there.
    fn guarded(&self, call: &Call) -> Option<Option<u64>> {
        let (hint, len) = call.open_place()?;
        let hint = hint.map(|at| self.window.range.start.wrapping_add(at));
        let found = self.linux.guarded(hint, len);
        let taken = hint.is_some_and(|hint| found == Some(hint & !(PAGE - 1)));
        (len > 0 && (taken || self.begin.layout == Layout::Legacy)).then_some(found)
    }

    /// Whether our rows are the kernel's, one by one; shared objects have their own
    /// numbers on each side.
    fn agree(&mut self, got: &[(Row, Option<u32>)]) -> bool {
        let (raw, objects) = (&self.raw, &mut self.objects);
        raw.len() == got.len()
            && raw
                .iter()
                .zip(got)
                .all(|((kernel, flags), (ours, our_flags))| {
                    if flags.is_some() && flags != our_flags {
                        return false;
                    }
                    let (Object::Shared(inode), Object::Shared(number)) =
                        (kernel.object, ours.object)
                    else {
                        return kernel == ours;
                    };
                    let object = kernel.object;
                    *objects.entry(number).or_insert(inode) == inode
                        && *kernel == Row { object, ..*ours }
                })
    }

    fn message(&self, recent: &VecDeque<Call>, index: u64, problem: &str) -> String {
        let mut text = format!(
            "call {index}, {}: {problem}\nthe last calls, distances from {:x}:\n",
            std::any::type_name::<S>(),
            self.window.range.start
        );
        for call in recent {
            writeln!(text, "  {call}").expect("writing to a string");
        }
        write!(text, "the kernel's rows now:\n{}", list(&self.raw)).expect("writing to a string");
        text
    }
}

fn show(answer: Answer) -> String {
    match answer {
        Ok(addr) => format!("{addr:#x}"),
        Err(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
    }
}

fn list(rows: &[(Row, Option<u32>)]) -> String {
    let line = |(row, flags): &(Row, Option<u32>)| match flags {
        Some(flags) => format!("\n    {row} flags {flags:x}"),
        None => format!("\n    {row}"),
    };
    rows.iter().map(line).collect()
}

fn differ(what: &str, expected: String, got: String) -> String {
    format!("{what}:\n  kernel {expected}\n  ours   {got}")
}
