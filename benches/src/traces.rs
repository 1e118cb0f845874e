//! The recorded programs as workloads: their system calls, resolved into
//! operations on ranges, and their page faults as look-ups in between.
//!
//! What a call does to the pages is what the library's `linux::Mm` tells its host;
//! whether the kernel agrees with that is what `cargo xtask replay` checks.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use gaptree::linux::flags::{
    MAP_FIXED, MAP_FIXED_NOREPLACE, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_GROWSDOWN,
};
use gaptree::linux::{Backing, Errno, Host, Mm, Row};
use reference::trace::{Call, Op, PAGE_SIZE, Recording, Trace, TraceError};

use crate::case::{Body, Case, State, Step};
use crate::subject::{PAGES, Place, Subject};
use crate::subjects::Tree;
use crate::value::Value;

const PROT_BITS: u32 = 7;
/// The first page that the kernel gives out.
const LOWEST: u64 = 0x10;
/// Where numbers of shared memory without a file begin.
const OBJECTS: i32 = 1 << 30;
/// What the kernel searches more for a mapping that could hold a huge page.
const HUGE: u64 = 512;

/// What the workload of a recording is called: `trace:` and its file's name
/// without endings.
#[must_use]
pub fn workload(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = file.split(".trace").next().unwrap_or_default();
    format!("trace:{name}")
}

/// Reads a recording and makes a case of it. `faults` limits the look-ups.
///
/// # Errors
/// The recording cannot be read.
pub fn case(path: &Path, faults: usize) -> Result<Case, TraceError> {
    let recording = Recording::load(path)?;
    let mut resolver = Resolver::new(&recording.trace);
    let state = resolver.state();
    resolver.steps.clear();
    let mut lookups = recording.faults.iter().take(faults).peekable();
    for (done, op) in recording.trace.ops.iter().enumerate() {
        while let Some(fault) = lookups.next_if(|fault| fault.after <= done) {
            resolver.find(fault.addr);
        }
        resolver.apply(op);
        resolver.peak = resolver.peak.max(resolver.tree_len());
    }
    for fault in lookups {
        resolver.find(fault.addr);
    }
    let Resolver {
        steps,
        values,
        place,
        peak,
        ..
    } = resolver;
    let units = steps.len();
    Ok(Case {
        workload: workload(path),
        n: peak,
        state_key: format!("trace {}", recording.name),
        state: Arc::new(state),
        body: Body::Steps {
            steps,
            place,
            values: values.list,
        },
        units,
        copies: 1,
    })
}

/// Values by number.
#[derive(Default)]
struct Values {
    list: Vec<Value>,
    known: HashMap<(u64, u32, u32, i32), u32>,
}

impl Values {
    fn index(&mut self, value: Value) -> u32 {
        let key = (value.offset, value.prot, value.flags, value.fd);
        *self.known.entry(key).or_insert_with(|| {
            self.list.push(value);
            u32::try_from(self.list.len() - 1).expect("fewer values than operations")
        })
    }
}

/// An action of the host, in pages.
#[derive(Clone, Copy)]
enum Action {
    Map(u64, u64, Value),
    Unmap(u64, u64),
}

/// A host that keeps what it is told to do.
#[derive(Default)]
struct Actions(Vec<Action>);

impl Host<u32> for Actions {
    fn map(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
        let (start, end) = span(row);
        self.0.push(Action::Map(start, end, value(row)));
        Ok(())
    }

    fn unmap(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
        let (start, end) = span(row);
        self.0.push(Action::Unmap(start, end));
        Ok(())
    }

    fn relocate(
        &mut self,
        from: &Row<'_, u32>,
        to: &Row<'_, u32>,
        keep: bool,
    ) -> Result<(), Errno> {
        if !keep {
            self.unmap(from)?;
        }
        self.map(to)
    }
}

/// The pages of a row.
fn span(row: &Row<'_, u32>) -> (u64, u64) {
    (pages(row.addr), pages(row.addr + row.len))
}

/// What is kept for a row. The offset of a file is kept less the address, so that pieces
/// of one mapping are equal.
fn value(row: &Row<'_, u32>) -> Value {
    let file = |number: u64| i32::try_from(number).expect("fewer files than operations");
    let fd = match *row.backing {
        Backing::Anonymous => -1,
        Backing::Shared { object, .. } => OBJECTS + file(object),
        Backing::File(number) => file(number.into()),
    };
    let offset = match row.backing {
        Backing::Anonymous => 0,
        _ => row.offset.wrapping_sub(row.addr),
    };
    Value::new(row.prot, row.flags, fd, offset)
}

/// Turns calls into operations on pages.
struct Resolver {
    mm: Mm<u32>,
    tree: Tree,
    steps: Vec<Step>,
    values: Values,
    /// Where the kernel places: as high as possible below the libraries.
    place: Place,
    peak: usize,
}

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE_SIZE)
}

impl Resolver {
    fn new(trace: &Trace) -> Self {
        let stack = trace.init.iter().find(|init| init.stack);
        let top = stack.map_or(PAGES * PAGE_SIZE, |init| init.start);
        let below = trace.init.iter().map(|init| init.end);
        let base = below.filter(|&end| end <= top).max().unwrap_or(top);
        let place = Place {
            len: 1,
            window: (LOWEST, pages(base)),
            align: 1,
            highest: true,
        };
        let mm = trace.start();
        let mut resolver = Self {
            mm: mm.unwrap_or_else(|(errno, init)| panic!("line {}: {errno}", init.line)),
            tree: Tree::new(),
            steps: Vec::new(),
            values: Values::default(),
            place,
            peak: 0,
        };
        let rows = resolver.mm.rows().map(|row| (span(&row), value(&row)));
        for ((start, end), value) in rows.collect::<Vec<_>>() {
            resolver.insert(start, end, value);
        }
        resolver
    }

    /// What is there before the first operation.
    fn state(&self) -> State {
        let mut entries = Vec::new();
        self.tree
            .for_each(|start, end, value| entries.push((start, end, value)));
        State {
            history: self.steps.clone(),
            entries,
            values: self.values.list.clone(),
        }
    }

    fn tree_len(&self) -> usize {
        self.tree.regions()
    }

    fn find(&mut self, addr: u64) {
        self.steps
            .push(Step::Find((addr / PAGE_SIZE).min(PAGES - 1)));
    }

    fn insert(&mut self, start: u64, end: u64, value: Value) {
        if start < end {
            self.tree.insert(start, end, value);
            let value = self.values.index(value);
            self.steps.push(Step::Insert { start, end, value });
        }
    }

    fn remove(&mut self, start: u64, end: u64) {
        if start < end {
            self.tree.remove(start, end);
            self.steps.push(Step::Remove { start, end });
        }
    }

    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        if start < end {
            let prot = prot & PROT_BITS;
            self.tree.protect(start, end, prot);
            self.steps.push(Step::Protect { start, end, prot });
        }
    }

    /// Maps where the kernel did. The search for the place is the same
    /// operation if it finds the kernel's, and one more if the kernel left room
    /// for huge pages.
    fn place(&mut self, start: u64, len: u64, value: Value) {
        let place = Place { len, ..self.place };
        if self.tree.find_gap(&place) == Some(start) {
            self.tree.allocate(&place, value);
            let value = self.values.index(value);
            self.steps.push(Step::Allocate { len, value });
        } else {
            self.steps.push(Step::FindGap { len: len + HUGE });
            self.insert(start, start + len, value);
        }
    }

    /// Does to the pages what the library tells its host, where the kernel did it.
    fn apply(&mut self, op: &Op) {
        let mut actions = Actions::default();
        match (op.call, &op.result) {
            (call @ Call::Mmap { .. }, &Ok(addr)) => self.mmap(call, addr),
            (Call::Munmap { addr, len }, Ok(_)) => {
                let unmapped = self.mm.munmap(addr, len, &mut actions);
                unmapped.expect("the kernel did it");
                let start = addr / PAGE_SIZE;
                self.remove(start, start + pages(len));
            }
            (Call::Mprotect { addr, len, prot }, result) => {
                let refused = result.as_ref().err();
                if refused.is_none_or(|errno| errno.is("ENOMEM")) {
                    self.mprotect(addr / PAGE_SIZE, pages(len), prot, refused.is_some());
                    let _ = self.mm.mprotect(addr, len, prot.into(), &mut actions);
                }
            }
            (call @ Call::Mremap { .. }, &Ok(addr)) => self.mremap(call, addr),
            (Call::Brk { addr }, &Ok(now)) if addr == now => {
                self.mm.brk(addr, &mut actions);
                self.act(&actions);
            }
            _ => {}
        }
    }

    fn act(&mut self, actions: &Actions) {
        for action in &actions.0 {
            match *action {
                Action::Map(start, end, value) => self.insert(start, end, value),
                Action::Unmap(start, end) => self.remove(start, end),
            }
        }
    }

    fn mmap(&mut self, call: Call, addr: u64) {
        let Call::Mmap {
            hint,
            len,
            prot,
            flags,
            file,
            offset,
        } = call
        else {
            return;
        };
        let flags = u64::from(flags);
        let is_fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        let there = if is_fixed {
            flags
        } else {
            flags | MAP_FIXED_NOREPLACE
        };
        let mut actions = Actions::default();
        let host = &mut actions;
        let mapped = self
            .mm
            .mmap(addr, len, prot.into(), there, file, offset, host);
        mapped.expect("the kernel did it");
        // What is replaced is overwritten.
        let Some(&Action::Map(start, end, value)) = actions.0.last() else {
            return;
        };
        if is_fixed || hint / PAGE_SIZE == start {
            self.insert(start, end, value);
        } else {
            self.place(start, end - start, value);
        }
    }

    /// With `to_hole` what precedes the first hole changes.
    fn mprotect(&mut self, start: u64, len: u64, prot: u32, to_hole: bool) {
        let end = start.saturating_add(len).min(PAGES);
        let hole = self.tree.check_access(start, end, 0);
        let end = if to_hole { hole.unwrap_or(start) } else { end };
        let below = self.tree.find(start);
        let grown = u64::from(prot) & PROT_GROWSDOWN != 0;
        self.protect(below.filter(|_| grown).unwrap_or(start), end, prot);
    }

    fn mremap(&mut self, call: Call, to: u64) {
        let Call::Mremap {
            addr,
            old_len,
            new_len,
            flags,
            ..
        } = call
        else {
            return;
        };
        let mut flags = u64::from(flags);
        if to != addr && flags & MREMAP_FIXED == 0 {
            // The kernel searched; the place is known.
            self.steps.push(Step::FindGap {
                len: pages(new_len),
            });
            flags |= MREMAP_FIXED | MREMAP_MAYMOVE;
        }
        let mut actions = Actions::default();
        let moved = self
            .mm
            .mremap(addr, old_len, new_len, flags, to, &mut actions);
        moved.expect("the kernel did it");
        self.act(&actions);
    }
}
