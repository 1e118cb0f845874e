//! The library's answers to the calls, with a model host behind it.

use std::ops::Range;

use gaptree::linux::flags::{
    VM_GROWSDOWN, VM_MAYEXEC, VM_MAYREAD, VM_MAYSHARE, VM_MAYWRITE, VM_NORESERVE,
};
use gaptree::linux::{self, Backing, Config, Errno, Mm};
use gaptree::{
    AddrSpace, Guard, HintRule, MapOptions, Mapping, Page, PageMapping, Prot, RangeStore,
};

use super::Layout;
use super::calls::{Raw, STACK_GAP};
use super::sys::{Answer, PAGE};
use super::window::{READ_ONLY, TASK_END, WRITE_ONLY};
use crate::host::Pages;
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

/// A row of the library as listings have it.
pub(super) fn row(row: &linux::Row<'_, Memfd>) -> Row {
    Row {
        start: row.addr,
        end: row.addr + row.len,
        prot: row.prot,
        shared: row.flags & VM_MAYSHARE != 0,
        object: match *row.backing {
            Backing::Anonymous => Object::Anonymous,
            Backing::Shared(object) => Object::Shared(object),
            Backing::File(Memfd(file)) => Object::File(file),
        },
        offset: row.offset,
    }
}

/// The library's process whose only free memory is the window.
pub(super) struct Linux<S> {
    pub(super) mm: Mm<Memfd, S>,
    pub(super) host: Pages<Memfd>,
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
    pub(super) fn rows(&self) -> impl Iterator<Item = linux::Row<'_, Memfd>> {
        let Range { start, end } = self.window;
        self.mm.rows_in(start, end - start).map(move |whole| {
            let addr = whole.addr.max(start);
            let offset = match whole.backing {
                Backing::Anonymous => 0,
                _ => whole.offset + (addr - whole.addr),
            };
            linux::Row {
                addr,
                len: (whole.addr + whole.len).min(end) - addr,
                offset,
                ..whole
            }
        })
    }

    /// What the kernel should answer.
    pub(super) fn answer(&mut self, raw: Raw) -> Answer {
        let start = self.window.start;
        let (mm, host) = (&mut self.mm, &mut self.host);
        let answer = match raw {
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
        };
        answer.map_err(Errno::number)
    }

    /// Where an [`AddrSpace`] maps whose stacks carry a guard: in the legacy layout, and
    /// for hints, the kernel does the same.
    pub(super) fn guarded(&self, hint: Option<u64>, len: u64) -> Option<u64> {
        let Range { start, end } = self.window;
        let mut space: AddrSpace = AddrSpace::new(start, end - start, PAGE).ok()?;
        space.set_guard(1, Guard::below(STACK_GAP)).ok()?;
        for row in self.rows() {
            let stack = u8::from(row.flags & VM_GROWSDOWN != 0);
            let taken = Mapping::anonymous(Prot::NONE, 0).with_guard(stack);
            space
                .map_fixed_noreplace(row.addr, row.len, taken)
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
