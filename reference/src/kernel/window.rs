//! The window: the only free memory of the process.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gaptree::linux::flags::{
    MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_HUGEPAGE, MADV_MERGEABLE, MADV_NOHUGEPAGE,
    MADV_UNMERGEABLE, VM_MAYBE_GUARD,
};

use super::maps::{Counts, Maps};
use super::sys::{self, Answer, ENOMEM, EPERM, Limit, PAGE, TASK_END};
use super::touch;

/// Pages of the window: little enough that mappings meet.
const NARROW: u64 = 64;

/// Pages of the window that has room for the gap below a stack, 256 pages, and beside
/// it. Too few for a huge page, so that the kernel does not align for them.
const WIDE: u64 = 448;

/// The files that were opened for reading only, and for writing only.
pub(super) const READ_ONLY: u32 = 2;
pub(super) const WRITE_ONLY: u32 = 3;

/// What the heap may need while there is no memory outside the window.
const HEAP: i32 = 64 << 20;

/// How much stack is in use from the start: it cannot grow later.
const STACK: usize = 1 << 20;

/// The protection of the pages beside the window: what is mapped in it joins none.
pub(super) const BORDER: u32 = (libc::PROT_WRITE | libc::PROT_EXEC).cast_unsigned();

/// How often a page may turn out to be free outside the window.
const PROBES: u32 = 10_000;

/// A window, the files to map in it, and the kernel's listing.
pub(super) struct Window {
    pub(super) range: Range<u64>,
    pub(super) files: Vec<File>,
    pub(super) maps: Maps,
    /// What is above it, until it is wide.
    reserved: Range<u64>,
    /// Advice that this kernel answers in another way than one with all that there is.
    pub(super) unknown: Vec<u64>,
    /// What is cut into many rows outside, for a while.
    crowded: Range<u64>,
    /// What the process has outside.
    pub(super) outside: Counts,
}

/// What the kernel refused.
fn refused(what: &str, errno: i32) -> String {
    format!("{what}: {}", io::Error::from_raw_os_error(errno))
}

/// Uses this much stack.
fn grow_stack(bytes: usize) {
    let page = black_box([0_u8; 4096]);
    if bytes > page.len() {
        grow_stack(bytes - page.len());
    }
    black_box(page);
}

/// Reserves memory that nothing can be placed in.
fn reserve(addr: u64, len: u64, flags: i32) -> sys::Answer {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    sys::mmap(addr, len, 0, flags.cast_unsigned().into(), -1, 0)
}

impl Window {
    /// Pages of the window.
    pub(super) fn pages(&self) -> u64 {
        (self.range.end - self.range.start) / PAGE
    }

    /// What a kernel without KSM or huge pages refuses, and guards where rows are not
    /// marked that may have some.
    fn unknown_advice(&mut self) -> Result<Vec<u64>, String> {
        let mut unknown = Vec::new();
        let lacks = |folder: &str| !Path::new("/sys/kernel/mm").join(folder).exists();
        if lacks("ksm") {
            unknown.extend([MADV_MERGEABLE, MADV_UNMERGEABLE]);
        }
        if lacks("transparent_hugepage") {
            unknown.extend([MADV_HUGEPAGE, MADV_NOHUGEPAGE]);
        }
        let Range { start, .. } = self.range;
        reserve(start, PAGE, libc::MAP_FIXED).map_err(|errno| refused("mmap", errno))?;
        let guarded = sys::memory(libc::SYS_madvise, [start, PAGE, MADV_GUARD_INSTALL]);
        let rows = self.maps.rows(&self.range, true);
        let rows = rows.map_err(|error| format!("/proc/self/smaps: {error}"))?;
        let marked = |flags: &Option<u32>| flags.is_some_and(|flags| flags & VM_MAYBE_GUARD != 0);
        if guarded.is_err() || !rows.iter().any(|(_, flags)| marked(flags)) {
            unknown.extend([MADV_GUARD_INSTALL, MADV_GUARD_REMOVE]);
        }
        sys::munmap(start, PAGE).map_err(|errno| refused("munmap", errno))?;
        Ok(unknown)
    }

    /// Whether it is wide enough for stacks.
    pub(super) fn is_wide(&self) -> bool {
        self.pages() > NARROW
    }

    /// Makes it wide enough for stacks. The error says what the kernel refused.
    pub(super) fn widen(&mut self) -> Result<(), String> {
        let Range { start, end } = self.reserved.clone();
        sys::munmap(start, end - start).map_err(|errno| {
            let error = io::Error::from_raw_os_error(errno);
            format!("munmap above the window: {error}")
        })?;
        self.range.end = end;
        Ok(())
    }

    /// Looks at what is outside; nothing is mapped in the window.
    pub(super) fn measure(&mut self) -> Result<(), String> {
        let counts = self.maps.counts();
        self.outside = counts.map_err(|error| format!("/proc/self/status: {error}"))?;
        Ok(())
    }

    /// The resource of a limit, and how much of it is outside.
    fn resource(&self, limit: Limit) -> (libc::__rlimit_resource_t, u64) {
        let outside = &self.outside;
        match limit {
            Limit::AddressSpace => (libc::RLIMIT_AS, outside.size),
            Limit::Data => (libc::RLIMIT_DATA, outside.data),
            Limit::Stack => (libc::RLIMIT_STACK, 0),
            Limit::Locked => (libc::RLIMIT_MEMLOCK, outside.locked),
        }
    }

    /// Sets a limit for what is in the window.
    pub(super) fn limit(&self, limit: Limit, bytes: Option<u64>) -> Answer {
        let (resource, outside) = self.resource(limit);
        sys::limit(resource, bytes.map(|bytes| outside + bytes))
    }

    /// The highest limit for what is in the window, if there is one.
    pub(super) fn most(&self, limit: Limit) -> Option<u64> {
        let (resource, outside) = self.resource(limit);
        let most = sys::hard_limit(resource).filter(|&most| most != libc::RLIM_INFINITY);
        most.map(|most| most.saturating_sub(outside))
    }

    /// Cuts memory outside into so many rows that there may be only `left` more in the
    /// window. Returns how many rows there are outside.
    pub(super) fn crowd(&mut self, left: usize) -> Result<usize, String> {
        let listed = |error: io::Error| format!("/proc/self/maps: {error}");
        let taken = self.maps.taken().map_err(listed)?;
        // The last row is no memory of the process.
        let rows =
            taken.len() - usize::from(taken.last().is_some_and(|last| last.start > TASK_END));
        let most = sys::max_map_count().ok_or("/proc/sys/vm/max_map_count cannot be read")?;
        let cuts = most.saturating_sub(rows + left) / 2;
        // A page in every second one of the widest row.
        let widest = taken
            .into_iter()
            .max_by_key(|range| range.end - range.start);
        let widest = widest.filter(|range| (range.end - range.start) / PAGE > 2 * cuts as u64 + 2);
        let widest = widest.ok_or("no room for so many rows")?;
        for cut in 0..cuts as u64 {
            let page = widest.start + (2 * cut + 1) * PAGE;
            sys::mprotect(page, PAGE, 1).map_err(|errno| refused("mprotect", errno))?;
        }
        self.crowded = widest;
        Ok(rows + 2 * cuts)
    }

    /// Makes one row of what was cut.
    pub(super) fn calm(&mut self) -> Result<(), String> {
        let Range { start, end } = self.crowded;
        let joined = sys::mprotect(start, end - start, 0);
        joined
            .map(|_| ())
            .map_err(|errno| refused("mprotect", errno))
    }

    /// Gives a file another length.
    pub(super) fn truncate(&self, file: u32, len: u64) -> Answer {
        let cut = self.files[file as usize].set_len(len);
        let errno = |error: io::Error| error.raw_os_error().unwrap_or_default();
        cut.map(|()| 0).map_err(errno)
    }

    /// Takes everything that is free but the window. The error says what the
    /// kernel refused.
    pub(super) fn open() -> Result<Self, String> {
        sys::keep_heap_in_one_piece(HEAP);
        drop(black_box(Vec::<u8>::with_capacity(1 << 20)));
        grow_stack(STACK);
        let names = [c"one", c"two", c"read only", c"write only"];
        let files: io::Result<Vec<File>> = names.map(sys::memfd).into_iter().collect();
        let mut files = files.map_err(|error| format!("memfd_create: {error}"))?;
        for (file, mode) in [(READ_ONLY, libc::O_RDONLY), (WRITE_ONLY, libc::O_WRONLY)] {
            let file = &mut files[file as usize];
            let reopened = sys::reopened(file, mode);
            *file = reopened.map_err(|error| format!("open of a memfd: {error}"))?;
        }
        let inodes: io::Result<Vec<u64>> = files
            .iter()
            .map(|file| file.metadata().map(|metadata| metadata.ino()))
            .collect();
        let maps = inodes.and_then(Maps::open);
        let mut maps = maps.map_err(|error| format!("/proc/self/maps: {error}"))?;
        // One page more on each side keeps the neighbours apart, with a protection that no
        // call gives.
        let all = (WIDE + 2) * PAGE;
        let start = reserve(0, all, 0).map_err(|errno| refused("no room for the window", errno))?;
        let range = start + PAGE..start + (NARROW + 1) * PAGE;
        let reserved = range.end..start + all - PAGE;
        sys::mprotect(start, all, BORDER.into()).map_err(|errno| refused("mprotect", errno))?;
        fill(&mut maps)?;
        for _ in 0..PROBES {
            match reserve(0, PAGE, 0) {
                // Below `vm.mmap_min_addr`, which only some may take.
                Err(ENOMEM | EPERM) => {
                    sys::munmap(range.start, range.end - range.start)
                        .map_err(|errno| refused("munmap of the window", errno))?;
                    let mut window = Self {
                        range,
                        files,
                        maps,
                        reserved,
                        unknown: Vec::new(),
                        crowded: 0..0,
                        outside: Counts::default(),
                    };
                    sys::lift(libc::RLIMIT_MEMLOCK);
                    sys::obey_lock_limit().map_err(|error| format!("capset: {error}"))?;
                    touch::prepare().map_err(|error| format!("sigaction: {error}"))?;
                    window.unknown = window.unknown_advice()?;
                    return Ok(window);
                }
                Err(errno) => return Err(refused("mmap", errno)),
                Ok(_) => {}
            }
        }
        Err("the kernel finds ever more free memory outside the window".to_owned())
    }
}

/// Reserves every gap of the process.
fn fill(maps: &mut Maps) -> Result<(), String> {
    let taken = maps
        .taken()
        .map_err(|error| format!("/proc/self/maps: {error}"))?;
    let mut free = PAGE;
    for range in taken {
        let gap = free..range.start.min(TASK_END);
        free = range.end;
        if gap.start >= gap.end {
            continue;
        }
        let filled = reserve(gap.start, gap.end - gap.start, libc::MAP_FIXED_NOREPLACE);
        // The lowest gap begins with pages that only some may take.
        if let Err(errno) = filled
            && gap.start > PAGE
        {
            let error = io::Error::from_raw_os_error(errno);
            return Err(format!(
                "reserving {:#x}-{:#x}: {error}",
                gap.start, gap.end
            ));
        }
    }
    fill_low(maps)
}

/// Reserves the gap at the bottom without the pages that may be refused.
fn fill_low(maps: &mut Maps) -> Result<(), String> {
    let taken = maps
        .taken()
        .map_err(|error| format!("/proc/self/maps: {error}"))?;
    let lowest = taken.first().map_or(TASK_END, |range| range.start);
    let (mut low, mut last) = (PAGE, Ok(0));
    while low < lowest && low <= 1 << 20 {
        last = reserve(low, lowest - low, libc::MAP_FIXED_NOREPLACE);
        if last.is_ok() {
            return Ok(());
        }
        low *= 2;
    }
    last.map(|_| ()).map_err(|errno| {
        let error = io::Error::from_raw_os_error(errno);
        format!("reserving the lowest addresses: {error}")
    })
}
