//! Kernel and address space side by side.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::Range;

use gaptree::{BTreeStore, Page, PageMapping, Placement, RangeStore, SortedVecStore};

use super::Report;
use super::calls::{Call, Calls, Move, Place};
use super::linux::{Linux, row};
use super::sys::{Answer, ENOMEM, EPERM, PAGE};
use super::window::Window;
use crate::trace::{Object, Row, coalesce};

/// How many calls a message shows.
const SHOWN: usize = 12;

/// Runs calls on every engine in turn. `progress` is told how many were made.
///
/// # Errors
/// The first disagreement, as text.
pub(super) fn run(
    window: &mut Window,
    placement: Placement,
    (operations, seed): (u64, u64),
    mut progress: impl FnMut(u64),
) -> Result<Report, String> {
    let mut report = Report::default();
    let share = operations / 6;
    for part in 0..6 {
        let count = if part == 0 {
            operations - 5 * share
        } else {
            share
        };
        let stacks = part >= 3;
        if part == 3 {
            window.widen()?;
        }
        let calls = Calls::new(seed.wrapping_add(part), window.pages(), stacks);
        let done = report.operations;
        let progress = |count| progress(done + count);
        let begin = Begin {
            placement,
            stacks,
            calls,
            count,
        };
        let result = match part % 3 {
            0 => part_of_run::<BTreeStore<_, _>>(window, begin, progress),
            1 => part_of_run::<BTreeStore<_, _, 3, 3>>(window, begin, progress),
            _ => part_of_run::<SortedVecStore<_, _>>(window, begin, progress),
        };
        report.add(&result.map_err(|problem| format!("seed {seed}, part {part}, {problem}"))?);
    }
    Ok(report)
}

/// How a part of a run is made.
struct Begin {
    placement: Placement,
    /// Whether there are stacks among the mappings.
    stacks: bool,
    calls: Calls,
    count: u64,
}

fn part_of_run<S: RangeStore<Page, PageMapping>>(
    window: &mut Window,
    begin: Begin,
    mut progress: impl FnMut(u64),
) -> Result<Report, String> {
    let mut drive = Drive::<S>::new(window, &begin)?;
    let mut calls = begin.calls;
    let mut recent = VecDeque::with_capacity(SHOWN);
    for index in 0.. {
        if drive.report.operations == begin.count {
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
    Ok(drive.report)
}

struct Drive<'a, S> {
    window: &'a mut Window,
    linux: Linux<S>,
    /// The kernel's rows as it shows them, after the last call.
    raw: Vec<Row>,
    report: Report,
    stacks: bool,
}

impl<'a, S: RangeStore<Page, PageMapping>> Drive<'a, S> {
    fn new(window: &'a mut Window, begin: &Begin) -> Result<Self, String> {
        let linux = Linux::new(&window.range, begin.placement, begin.stacks);
        let linux = linux.map_err(|error| error.to_string())?;
        let mut drive = Self {
            window,
            linux,
            raw: Vec::new(),
            report: Report::default(),
            stacks: begin.stacks,
        };
        drive.clear()?;
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

    /// Whether the call is an `mremap` that concerns more than one of the
    /// kernel's rows, or one that copies a file, which older kernels refuse.
    fn leaves_out(&self, call: &Call) -> bool {
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
        if !addr.is_multiple_of(PAGE) {
            return false;
        }
        let copies = matches!(movement, Move::Copy | Move::CopyTo(_));
        match self
            .raw
            .iter()
            .find(|row| row.start <= addr && addr < row.end)
        {
            Some(row) => row.end < end || copies && row.object != Object::Anonymous,
            // With an address to go to, old kernels unmap that before they refuse.
            None => matches!(movement, Move::To(_) | Move::CopyTo(_)),
        }
    }

    /// Our rows as the kernel's listing could have them: it does not show whether
    /// memory is a stack.
    fn shown(&self, rows: Vec<Row>) -> Vec<Row> {
        if self.stacks { coalesce(rows) } else { rows }
    }

    /// Makes a call on both sides and compares everything.
    fn step(&mut self, call: &Call) -> Result<(), String> {
        let mut pieces = Vec::new();
        let ours = self.linux.answer(call, |region| pieces.push(row(&region)));
        let mut kernel = call.ask(self.window);
        if kernel == Err(EPERM) && call.leaves_the_place_open() {
            // What it found is below `vm.mmap_min_addr`, where only some may map.
            kernel = Err(ENOMEM);
        }
        if kernel != ours {
            return Err(differ("answer", show(kernel), show(ours)));
        }
        let pieces = self.shown(pieces);
        self.compare_pieces(call, &pieces)?;
        let rows = self.window.maps.rows(&self.window.range);
        self.raw = rows.map_err(|error| format!("/proc/self/maps: {error}"))?;
        let expected = coalesce(self.raw.iter().copied());
        let space = &self.linux.space;
        let got = self.shown(space.regions().map(|region| row(&region)).collect());
        if expected != got {
            return Err(differ("listing", list(&expected), list(&got)));
        }
        space.check();
        self.report.operations += 1;
        self.report.pieces += pieces.len() as u64;
        self.report.split += u64::from(self.raw.len() > expected.len());
        match kernel {
            Ok(_) => self.report.placements += u64::from(call.leaves_the_place_open()),
            Err(_) => self.report.refused += 1,
        }
        Ok(())
    }

    /// Compares what the space reported with the kernel's listing before.
    fn compare_pieces(&self, call: &Call, pieces: &[Row]) -> Result<(), String> {
        let (at, len, whole) = match *call {
            Call::Map {
                place: Place::Fixed(at),
                len,
                ..
            }
            | Call::Unmap { at, len } => (at, len, true),
            Call::Protect { at, len, .. } => (at, len, false),
            _ => return Ok(()),
        };
        let start = self.window.range.start + at;
        let range = start..start + len.next_multiple_of(PAGE);
        let mut expected = if start.is_multiple_of(PAGE) && len > 0 {
            clipped(&self.raw, &range)
        } else {
            Vec::new()
        };
        if !whole {
            // `mprotect` ends at the first hole.
            let mut end = start;
            expected.retain(|row| {
                let goes_on = row.start == end;
                end = if goes_on { row.end } else { u64::MAX };
                goes_on
            });
        }
        if expected == pieces {
            Ok(())
        } else {
            Err(differ("pieces", list(&expected), list(pieces)))
        }
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

/// The parts of the rows inside a range, made one where they could be.
fn clipped(rows: &[Row], range: &Range<u64>) -> Vec<Row> {
    let inside = rows
        .iter()
        .filter(|row| row.start < range.end && row.end > range.start);
    coalesce(inside.map(|row| {
        let start = row.start.max(range.start);
        let offset = match row.object {
            Object::Anonymous => 0,
            _ => row.offset + (start - row.start),
        };
        Row {
            start,
            end: row.end.min(range.end),
            offset,
            ..*row
        }
    }))
}

fn show(answer: Answer) -> String {
    match answer {
        Ok(addr) => format!("{addr:#x}"),
        Err(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
    }
}

fn list(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("\n    {row}")).collect()
}

fn differ(what: &str, expected: String, got: String) -> String {
    format!("{what}:\n  kernel {expected}\n  ours   {got}")
}
