//! The library's answers to the calls, and a model host behind it.

use std::collections::BTreeMap;
use std::ops::Range;

use gaptree::linux::flags::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_PRIVATE,
    MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, VM_GROWSDOWN, VM_MAYEXEC,
    VM_MAYREAD, VM_MAYSHARE, VM_MAYWRITE, VM_NORESERVE,
};
use gaptree::linux::{self, Backing, Config, Errno, Host, Mm};
use gaptree::{
    AddrSpace, Guard, HintRule, MapOptions, Mapping, Page, PageMapping, Prot, RangeStore,
};

use super::Layout;
use super::calls::{Call, Move, Place, Raw, STACK_GAP, Source};
use super::sys::{Answer, PAGE};
use super::window::{READ_ONLY, TASK_END, WRITE_ONLY};
use crate::trace::{Object, Row};

/// One of the window's files, by number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Memfd(u32);

impl linux::File for Memfd {
    fn is_readable(&self) -> bool {
        self.0 != WRITE_ONLY
    }

    fn is_writable(&self) -> bool {
        self.0 != READ_ONLY
    }

    fn is_huge_aligned(&self) -> bool {
        false
    }
}

/// What a region of the library's books keeps.
pub(super) type Kept = PageMapping<Backing<Memfd>>;

/// What the host has on a page: its row, with the offset of the page.
type PageRow = (u32, bool, Object, u64);

/// A host that does what it is told on a list of pages, and checks that it can be done.
#[derive(Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, PageRow>,
    /// How many actions there were.
    pub(super) actions: u64,
    /// How many more it does; it refuses the one after that, if any.
    pub(super) budget: Option<u64>,
}

/// What a host says that refuses: no call of Linux does.
pub(super) const REFUSED: Errno = Errno::new(999);

fn object(backing: &Backing<Memfd>) -> Object {
    match *backing {
        Backing::Anonymous => Object::Anonymous,
        Backing::Shared(object) => Object::Shared(object),
        Backing::File(Memfd(file)) => Object::File(file),
    }
}

/// A row of the library as listings have it.
pub(super) fn row(row: &linux::Row<'_, Memfd>) -> Row {
    Row {
        start: row.addr,
        end: row.addr + row.len,
        prot: row.prot,
        shared: row.flags & VM_MAYSHARE != 0,
        object: object(row.backing),
        offset: row.offset,
    }
}

/// The pages of a row.
fn pages(row: &Row) -> impl Iterator<Item = (u64, PageRow)> {
    let Row {
        start,
        end,
        prot,
        shared,
        object,
        offset,
    } = *row;
    (start..end).step_by(PAGE as usize).map(move |addr| {
        let offset = match object {
            Object::Anonymous => 0,
            _ => offset + (addr - start),
        };
        (addr, (prot, shared, object, offset))
    })
}

impl Pages {
    fn act(&mut self) -> Result<(), Errno> {
        if self.budget == Some(0) {
            return Err(REFUSED);
        }
        self.budget = self.budget.map(|left| left - 1);
        self.actions += 1;
        Ok(())
    }

    /// Takes pages out that must be there.
    fn take(&mut self, from: &Row) {
        for (addr, page) in pages(from) {
            assert_eq!(self.pages.remove(&addr), Some(page), "page {addr:x}");
        }
    }

    /// Puts pages in where there must be none.
    fn put(&mut self, to: &Row) {
        for (addr, page) in pages(to) {
            assert_eq!(self.pages.insert(addr, page), None, "page {addr:x}");
        }
    }

    /// Whether these rows are all that it has.
    pub(super) fn is(&self, rows: &[Row]) -> bool {
        let rows = rows.iter().flat_map(pages);
        rows.eq(self.pages.iter().map(|(&addr, &page)| (addr, page)))
    }
}

impl Host<Memfd> for Pages {
    fn map(&mut self, new: &linux::Row<'_, Memfd>) -> Result<(), Errno> {
        self.act()?;
        self.put(&row(new));
        Ok(())
    }

    fn unmap(&mut self, old: &linux::Row<'_, Memfd>) -> Result<(), Errno> {
        self.act()?;
        self.take(&row(old));
        Ok(())
    }

    fn protect(&mut self, old: &linux::Row<'_, Memfd>, prot: u32) -> Result<(), Errno> {
        self.act()?;
        let old = row(old);
        assert_ne!(old.prot, prot, "a protection that it has already");
        self.take(&old);
        self.put(&Row { prot, ..old });
        Ok(())
    }

    fn relocate(
        &mut self,
        from: &linux::Row<'_, Memfd>,
        to: &linux::Row<'_, Memfd>,
        keep: bool,
    ) -> Result<(), Errno> {
        self.act()?;
        if from.len > 0 {
            self.take(&row(from));
        }
        if keep && from.len > 0 {
            self.put(&row(from));
        }
        self.put(&row(to));
        Ok(())
    }
}

/// The library's process whose only free memory is the window.
pub(super) struct Linux<S> {
    pub(super) mm: Mm<Memfd, S>,
    pub(super) host: Pages,
    window: Range<u64>,
}

impl<S: RangeStore<Page, Kept>> Linux<S> {
    /// An empty window.
    pub(super) fn new(window: &Range<u64>, layout: Layout) -> Result<Self, String> {
        let mut config = Config::x86_64();
        config.end = TASK_END;
        config.base = TASK_END;
        config.legacy_base = window.start;
        config.layout = match layout {
            Layout::Default => linux::Layout::TopDown,
            Layout::Legacy => linux::Layout::BottomUp,
        };
        let mut mm = Mm::with_engine(config).map_err(|error| error.to_string())?;
        for (addr, end) in [(PAGE, window.start), (window.end, TASK_END)] {
            let taken = linux::Row {
                addr,
                len: end - addr,
                prot: 0,
                flags: VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_NORESERVE,
                backing: &Backing::Anonymous,
                offset: 0,
            };
            mm.adopt(&taken).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            mm,
            host: Pages::default(),
            window: window.clone(),
        })
    }

    /// The rows of the window, clipped: one can have joined the memory around it.
    pub(super) fn rows(&self) -> Vec<Row> {
        let Range { start, end } = self.window;
        let rows = self.mm.rows_in(start, end - start).map(|found| {
            let whole = row(&found);
            Row {
                start: whole.start.max(start),
                end: whole.end.min(end),
                ..whole
            }
        });
        rows.collect()
    }

    /// What the kernel should answer.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let addr = |at: u64| self.window.start.wrapping_add(at);
        let (mm, host) = (&mut self.mm, &mut self.host);
        let answer = match *call {
            Call::Map {
                place,
                len,
                prot,
                source,
            } => {
                let (addr, fixed) = match place {
                    Place::Anywhere => (0, 0),
                    Place::Near(at) => (addr(at), 0),
                    Place::Fixed(at) => (addr(at), MAP_FIXED),
                    Place::NoReplace(at) => (addr(at), MAP_FIXED_NOREPLACE),
                };
                let (flags, file, offset) = match source {
                    Source::Anonymous => (MAP_PRIVATE | MAP_ANONYMOUS, None, 0),
                    Source::Unreserved => (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, None, 0),
                    Source::Stack => (MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, None, 0),
                    Source::File {
                        file,
                        offset,
                        shared,
                    } => {
                        let kind = if shared { MAP_SHARED } else { MAP_PRIVATE };
                        (kind, Some(Memfd(file as u32)), offset)
                    }
                };
                mm.mmap(addr, len, prot.into(), flags | fixed, file, offset, host)
            }
            Call::Unmap { at, len } => mm.munmap(addr(at), len, host).map(|()| 0),
            Call::Protect { at, len, prot } => {
                mm.mprotect(addr(at), len, prot.into(), host).map(|()| 0)
            }
            Call::Remap {
                at,
                old_len,
                new_len,
                movement,
            } => {
                let copy = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
                let (flags, to) = match movement {
                    Move::Stay => (0, 0),
                    Move::Anywhere => (MREMAP_MAYMOVE, 0),
                    Move::To(to) => (MREMAP_MAYMOVE | MREMAP_FIXED, addr(to)),
                    Move::Copy => (copy, 0),
                    Move::CopyTo(to) => (copy | MREMAP_FIXED, addr(to)),
                };
                mm.mremap(addr(at), old_len, new_len, flags, to, host)
            }
            Call::Raw(raw) => self.raw_answer(raw),
        };
        answer.map_err(Errno::number)
    }

    fn raw_answer(&mut self, raw: Raw) -> Result<u64, Errno> {
        let start = self.window.start;
        let (mm, host) = (&mut self.mm, &mut self.host);
        match raw {
            Raw::Map {
                addr,
                len,
                prot,
                flags,
                file,
                offset,
            } => {
                let (addr, file) = (addr.of(start), file.map(Memfd));
                mm.mmap(addr, len, prot, flags, file, offset, host)
            }
            Raw::Unmap { addr, len } => mm.munmap(addr.of(start), len, host).map(|()| 0),
            Raw::Protect { addr, len, prot } => {
                mm.mprotect(addr.of(start), len, prot, host).map(|()| 0)
            }
            Raw::Remap {
                addr,
                old_len,
                new_len,
                flags,
                new_addr,
            } => {
                let (addr, new_addr) = (addr.of(start), new_addr.of(start));
                mm.mremap(addr, old_len, new_len, flags, new_addr, host)
            }
        }
    }

    /// Where an [`AddrSpace`] maps whose stacks carry a guard: in the legacy layout, and
    /// for hints, the kernel does the same.
    pub(super) fn guarded(&self, hint: Option<u64>, len: u64) -> Option<u64> {
        let Range { start, end } = self.window;
        let mut space: AddrSpace = AddrSpace::new(start, end - start, PAGE).ok()?;
        space.set_guard(1, Guard::below(STACK_GAP)).ok()?;
        for found in self.mm.rows_in(start, end - start) {
            let stack = u8::from(found.flags & VM_GROWSDOWN != 0);
            let taken = Mapping::anonymous(Prot::NONE, 0).with_guard(stack);
            let (low, high) = (found.addr.max(start), (found.addr + found.len).min(end));
            space
                .map_fixed_noreplace(low, high - low, taken)
                .expect("rows are disjoint");
        }
        let options = MapOptions {
            hint,
            hint_rule: HintRule::RoundDown,
            ..MapOptions::default()
        };
        space.find_free(len, &options).ok()
    }
}
