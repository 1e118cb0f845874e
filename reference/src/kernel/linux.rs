//! The library's answers to the calls, with a model host behind it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use gaptree::linux::flags::{
    PROT_EXEC, VM_GROWSDOWN, VM_MAYEXEC, VM_MAYREAD, VM_MAYSHARE, VM_MAYWRITE, VM_NORESERVE,
};
use gaptree::linux::{self, Backing, Config, Errno, Fault, Mm};
use gaptree::{
    AddrSpace, Guard, HintRule, MapOptions, Mapping, Page, PageMapping, Prot, RangeStore,
};

use super::Layout;
use super::calls::STACK_GAP;
use super::maps::Counts;
use super::raw::Raw;
use super::sys::{self, Answer, Limit, PAGE, TASK_END};
use super::touch::refused;
use super::window::{BORDER, READ_ONLY, WRITE_ONLY};
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

    fn size(&self) -> u64 {
        SIZES[self.0 as usize].load(Ordering::Relaxed)
    }
}

/// The lengths of the files.
static SIZES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// What a region of the library's books keeps.
pub(super) type Kept = PageMapping<Backing<Memfd>>;

/// A row of the library as listings have it, with its flags.
pub(super) fn row(row: &linux::Row<'_, Memfd>) -> (Row, Option<u32>) {
    let shown = Row {
        start: row.addr,
        end: row.addr + row.len,
        prot: row.prot,
        shared: row.flags & VM_MAYSHARE != 0,
        object: match *row.backing {
            Backing::Anonymous => Object::Anonymous,
            Backing::Shared { object, .. } => Object::Shared(object),
            Backing::File(Memfd(file)) => Object::File(file),
        },
        offset: row.offset,
    };
    (shown, Some(row.flags))
}

/// How much data there is beside the window.
const BORDERS: u64 = 2 * PAGE;

/// The signal of an access as the answer of a call.
fn signal(fault: Fault) -> i32 {
    match fault {
        Fault::NotMapped => refused(libc::SIGSEGV, 1),
        Fault::Denied => refused(libc::SIGSEGV, 2),
        Fault::PastEnd => refused(libc::SIGBUS, 2),
        Fault::Host(errno) => errno.number(),
    }
}

/// The library's process whose only free memory is the window.
pub(super) struct Linux<S> {
    pub(super) mm: Mm<Memfd, S>,
    pub(super) host: Pages<Memfd>,
    window: Range<u64>,
    /// How much is taken outside the window, in bytes.
    outside: u64,
}

impl<S: RangeStore<Page, Kept>> Linux<S> {
    /// An empty window. With a number of rows outside it matters how many there may be.
    pub(super) fn new(
        window: &Range<u64>,
        layout: Layout,
        outside: Option<usize>,
    ) -> Result<Self, String> {
        let mut config = Config::x86_64();
        config.end = TASK_END;
        config.base = TASK_END;
        config.legacy_base = window.start;
        // Ours outside are four.
        if let Some(most) = outside.and_then(|outside| sys::max_map_count()?.checked_sub(outside)) {
            config.max_map_count = most + 4;
        }
        config.limits.stack = u64::MAX;
        config.limits.locked = u64::MAX;
        config.layout = match layout {
            Layout::Default => linux::Layout::TopDown,
            Layout::Legacy => linux::Layout::BottomUp,
        };
        let mut mm = Mm::with_engine(config).map_err(|error| error.to_string())?;
        let (below, above) = (window.start - PAGE, window.end + PAGE);
        for (addr, end, prot) in [
            (PAGE, below, 0),
            (below, window.start, BORDER),
            (window.end, above, BORDER),
            (above, TASK_END, 0),
        ] {
            let taken = linux::Row {
                addr,
                len: end - addr,
                prot,
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
            outside: TASK_END - PAGE - (window.end - window.start),
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
            Raw::Fork { .. } => return Ok(0),
            Raw::Limit { limit, bytes } => {
                self.limit(limit, bytes);
                return Ok(0);
            }
            Raw::Truncate { file, len } => {
                SIZES[file as usize].store(len, Ordering::Relaxed);
                return Ok(0);
            }
            Raw::Touch { addr, access } => {
                let found = mm.fault(addr.of(start), access, host);
                return found.map(|_| 0).map_err(signal);
            }
            Raw::Advise { addr, len, advice } => {
                mm.madvise(addr.of(start), len, advice, host).map(|()| 0)
            }
            Raw::Lock { addr, len, flags } => {
                mm.mlock2(addr.of(start), len, flags, host).map(|()| 0)
            }
            Raw::Unlock { addr, len } => mm.munlock(addr.of(start), len, host).map(|()| 0),
            Raw::LockAll { flags } => mm.mlockall(flags, host).map(|()| 0),
            Raw::UnlockAll => mm.munlockall(host).map(|()| 0),
            Raw::Sync { addr, len, flags } => {
                mm.msync(addr.of(start), len, flags, host).map(|()| 0)
            }
            Raw::Resident { addr, len } => mm.mincore(addr.of(start), len).map(|()| 0),
            Raw::Seal { addr, len, flags } => {
                mm.mseal(addr.of(start), len, flags, host).map(|()| 0)
            }
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

    /// Becomes the child.
    pub(super) fn fork(&mut self) -> Result<(), String> {
        self.mm = self.mm.fork().map_err(|errno| errno.to_string())?;
        let budget = self.host.budget;
        self.host = Pages::of(self.rows());
        self.host.budget = budget;
        Ok(())
    }

    fn limit(&mut self, limit: Limit, bytes: Option<u64>) {
        let mut limits = self.mm.config().limits.clone();
        let bytes = bytes.unwrap_or(u64::MAX);
        match limit {
            Limit::AddressSpace => limits.address_space = self.outside.saturating_add(bytes),
            Limit::Data => limits.data = bytes.saturating_add(BORDERS),
            Limit::Stack => limits.stack = bytes,
            Limit::Locked => limits.locked = bytes,
        }
        self.mm.set_limits(limits);
    }

    /// How much there is in the window.
    pub(super) fn counts(&self) -> Counts {
        let all = self.mm.counters();
        Counts {
            size: all.size - self.outside,
            locked: all.locked,
            data: all.data - BORDERS,
            stack: all.stack,
            exec: all.exec,
        }
    }

    /// Whether a jump to an address could succeed, perhaps after a stack has grown.
    pub(super) fn may_execute(&self, addr: u64) -> bool {
        let next = self.mm.rows_in(addr, u64::MAX).next();
        next.is_some_and(|row| row.prot & PROT_EXEC as u32 != 0)
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
