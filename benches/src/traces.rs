//! The recorded programs as workloads: their system calls, resolved into
//! operations on ranges, and their page faults as look-ups in between.
//!
//! What a call does to the pages is decided once, here, by a tree; whether the
//! kernel agrees with that is what `cargo xtask replay` checks.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use reference::trace::{Call, Op, PAGE_SIZE, Recording, Trace, TraceError};

use crate::case::{Body, Case, State, Step};
use crate::subject::{PAGES, Place, Subject};
use crate::subjects::Tree;
use crate::value::Value;

const MAP_SHARED: u32 = 0x1;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;
/// The flags that keep mappings apart: shared, grows down, no reserve, stack, huge pages.
const KEPT: u32 = MAP_SHARED | 0x100 | 0x4000 | 0x2_0000 | 0x4_0000;
const MREMAP_FIXED: u32 = 2;
const MREMAP_DONTUNMAP: u32 = 4;
const PROT_BITS: u32 = 7;
const PROT_GROWSDOWN: u32 = 0x100_0000;
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

/// Turns calls into operations on pages.
struct Resolver {
    tree: Tree,
    steps: Vec<Step>,
    values: Values,
    /// Where the kernel places: as high as possible below the libraries.
    place: Place,
    brk: u64,
    objects: i32,
    peak: usize,
}

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE_SIZE)
}

/// What is kept for a mapping whose first page is `page`. The offset of a file
/// is kept less the address, so that pieces of one mapping are equal.
fn value(prot: u32, flags: u32, fd: Option<i32>, offset: u64, page: u64) -> Value {
    let offset = if fd.is_some() {
        offset.wrapping_sub(page * PAGE_SIZE)
    } else {
        0
    };
    Value::new(prot & PROT_BITS, flags & KEPT, fd.unwrap_or(-1), offset)
}

fn file_number(file: Option<u32>) -> Option<i32> {
    file.map(u32::cast_signed)
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
        let mut resolver = Self {
            tree: Tree::new(),
            steps: Vec::new(),
            values: Values::default(),
            place,
            brk: trace.brk.map_or(0, |(_, now)| now),
            objects: OBJECTS,
            peak: 0,
        };
        for init in &trace.init {
            let (start, end) = (pages(init.start), pages(init.end));
            let fd = file_number(init.file);
            let value = value(init.prot, init.flags, fd, init.offset, start);
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

    fn apply(&mut self, op: &Op) {
        match (op.call, &op.result) {
            (call @ Call::Mmap { .. }, &Ok(addr)) => self.mmap(call, addr),
            (Call::Munmap { addr, len }, Ok(_)) => {
                let start = addr / PAGE_SIZE;
                self.remove(start, start + pages(len));
            }
            (Call::Mprotect { addr, len, prot }, result) => {
                let refused = result.as_ref().err();
                if refused.is_none_or(|errno| errno.is("ENOMEM")) {
                    self.mprotect(addr / PAGE_SIZE, pages(len), prot, refused.is_some());
                }
            }
            (call @ Call::Mremap { .. }, &Ok(addr)) => self.mremap(call, addr / PAGE_SIZE),
            (Call::Brk { addr }, &Ok(now)) if addr == now && self.brk != 0 => {
                let (old, new) = (pages(self.brk), pages(now));
                self.insert(old, new, value(3, 0, None, 0, old));
                self.remove(new, old);
                self.brk = now;
            }
            _ => {}
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
        let (start, len) = (addr / PAGE_SIZE, pages(len));
        let mut fd = file_number(file);
        if flags & MAP_ANONYMOUS != 0 && flags & MAP_SHARED != 0 {
            fd = Some(self.objects);
            self.objects += 1;
        }
        let value = value(prot, flags, fd, offset, start);
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 || hint / PAGE_SIZE == start {
            self.insert(start, start + len, value);
        } else {
            self.place(start, len, value);
        }
    }

    /// With `to_hole` what precedes the first hole changes.
    fn mprotect(&mut self, start: u64, len: u64, prot: u32, to_hole: bool) {
        let end = start.saturating_add(len).min(PAGES);
        let hole = self.tree.check_access(start, end, 0);
        let end = if to_hole { hole.unwrap_or(start) } else { end };
        let below = self.tree.find(start);
        let grown = prot & PROT_GROWSDOWN != 0;
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
        let (from, old_len, new_len) = (addr / PAGE_SIZE, pages(old_len), pages(new_len));
        let (old_end, new_end) = (from + old_len, to + new_len);
        if from == to {
            let last = self.tree.value_at(old_end.saturating_sub(1));
            if let Some(value) = last {
                self.insert(old_end, new_end, value);
            }
            self.remove(new_end, old_end);
            return;
        }
        let copied = old_len.max(1).min(new_len);
        let mut pieces = self.tree.pieces(from, from + copied);
        if flags & MREMAP_FIXED != 0 {
            self.remove(to, new_end);
        } else {
            self.steps.push(Step::FindGap { len: new_len });
        }
        if flags & MREMAP_DONTUNMAP == 0 && old_len > 0 {
            self.remove(from, old_end);
        }
        if let Some(last) = pieces.last_mut() {
            last.1 += new_len - copied;
        }
        for (start, end, mut value) in pieces {
            if value.fd >= 0 {
                let moved = to.wrapping_sub(from).wrapping_mul(PAGE_SIZE);
                value.offset = value.offset.wrapping_sub(moved);
            }
            self.insert(to + (start - from), to + (end - from), value);
        }
    }
}
