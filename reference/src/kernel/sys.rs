//! The system calls, as thin as they can be.
//!
//! All memory calls here are about addresses whose memory nobody uses: the
//! window and the reservations around it are never read or written.
#![expect(
    unsafe_code,
    reason = "system calls that change the memory of the process"
)]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;

pub(super) const PAGE: u64 = 4096;
pub(super) const ENOMEM: i32 = libc::ENOMEM;
pub(super) const EPERM: i32 = libc::EPERM;

/// One past the last address that a program can map, with four levels of page
/// tables and no hint above them.
pub(super) const TASK_END: u64 = (1 << 47) - PAGE;

/// A limit of the process.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Limit {
    /// All memory of the window.
    AddressSpace,
    /// Private writable memory of the window.
    Data,
    /// The length of a stack.
    Stack,
    /// What may be locked.
    Locked,
}

/// What a call returns: an address (or zero), or the number of an error.
pub(super) type Answer = Result<u64, i32>;

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn status(result: libc::c_int) -> Answer {
    if result == 0 { Ok(0) } else { Err(errno()) }
}

/// `munmap` of memory that nobody uses.
pub(super) fn munmap(addr: u64, len: u64) -> Answer {
    // SAFETY: nobody uses the memory, see above.
    status(unsafe { libc::munmap(ptr::without_provenance_mut(addr as usize), len as usize) })
}

/// `mremap` of memory that nobody uses, to where nobody uses any.
pub(super) fn mremap(addr: u64, old_len: u64, new_len: u64, flags: u64, to: u64) -> Answer {
    // SAFETY: nobody uses the memory on either side, see above.
    raw(unsafe { libc::syscall(libc::SYS_mremap, addr, old_len, new_len, flags, to) })
}

/// `mmap` where nobody uses the memory: `MAP_FIXED` is only given for such.
pub(super) fn mmap(addr: u64, len: u64, prot: u64, flags: u64, fd: i32, offset: u64) -> Answer {
    // SAFETY: nobody uses the memory.
    raw(unsafe { libc::syscall(libc::SYS_mmap, addr, len, prot, flags, fd, offset) })
}

/// `mprotect` of memory that nobody uses.
pub(super) fn mprotect(addr: u64, len: u64, prot: u64) -> Answer {
    // SAFETY: nobody uses the memory.
    raw(unsafe { libc::syscall(libc::SYS_mprotect, addr, len, prot) })
}

/// A call about memory that nobody uses: `madvise`, `mlock` and the like.
pub(super) fn memory(call: libc::c_long, [a, b, c]: [u64; 3]) -> Answer {
    // SAFETY: nobody uses the memory, and such calls change nothing that others see.
    raw(unsafe { libc::syscall(call, a, b, c) })
}

/// `mincore`, without what it says.
pub(super) fn resident(addr: u64, len: u64) -> Answer {
    let mut pages = [0_u8; 1 << 10];
    let room = pages.len() as u64 * PAGE;
    // What is longer is refused before anything is written, or it would not fit.
    let out = if len <= room || len > TASK_END {
        pages.as_mut_ptr()
    } else {
        ptr::null_mut()
    };
    // SAFETY: the kernel writes one byte for each page.
    raw(unsafe { libc::syscall(libc::SYS_mincore, addr, len, out) })
}

/// The soft limit and the hard one.
fn limits(resource: libc::__rlimit_resource_t) -> Result<libc::rlimit, i32> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is valid.
    status(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    Ok(limit)
}

/// The hard limit.
pub(super) fn hard_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    Some(limits(resource).ok()?.rlim_max)
}

/// Sets a soft limit; none is as much as is allowed.
pub(super) fn limit(resource: libc::__rlimit_resource_t, bytes: Option<u64>) -> Answer {
    let mut limit = limits(resource)?;
    limit.rlim_cur = bytes.unwrap_or(limit.rlim_max);
    // SAFETY: the structure is valid.
    status(unsafe { libc::setrlimit(resource, &raw const limit) })
}

/// Allows as much as there is, if that may be.
pub(super) fn lift(resource: libc::__rlimit_resource_t) {
    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the structure is valid.
    unsafe { libc::setrlimit(resource, &raw const limit) };
}

/// Gives up the right to lock as much as it likes.
pub(super) fn obey_lock_limit() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    const IPC_LOCK: u32 = 14;
    let header = [VERSION_3, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: the header and the sets have the layout of the third version.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw const header, &raw mut sets) == -1 {
            return Err(io::Error::last_os_error());
        }
        sets[0] &= !(1 << IPC_LOCK);
        if libc::syscall(libc::SYS_capset, &raw const header, &raw const sets) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A row as the kernel has it (`struct procmap_query`, since Linux 6.11).
#[repr(C)]
#[derive(Default)]
pub(super) struct Query {
    size: u64,
    flags: u64,
    addr: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The protection, and 8 for shared memory.
    pub(super) access: u64,
    page_size: u64,
    pub(super) offset: u64,
    pub(super) inode: u64,
    device: [u32; 2],
    lengths: [u32; 2],
    texts: [u64; 2],
}

/// The first row that ends above an address, of an open `/proc/self/maps`.
pub(super) fn row_from(maps: &File, addr: u64) -> Result<Query, i32> {
    /// `PROCMAP_QUERY`.
    const REQUEST: libc::c_ulong = 3 << 30 | 104 << 16 | 0x66 << 8 | 17;
    const COVERING_OR_NEXT: u64 = 0x10;
    let mut query = Query {
        size: size_of::<Query>() as u64,
        flags: COVERING_OR_NEXT,
        addr,
        ..Query::default()
    };
    // SAFETY: the kernel fills the structure, whose size it is told.
    status(unsafe { libc::ioctl(maps.as_raw_fd(), REQUEST, &raw mut query) })?;
    Ok(query)
}

/// `fork`: 0 in the child.
pub(super) fn fork() -> Answer {
    // SAFETY: there is one thread.
    match unsafe { libc::fork() } {
        -1 => Err(errno()),
        child => Ok(u64::from(child.unsigned_abs())),
    }
}

/// Whether a child ended well; waits for it.
pub(super) fn ended_well(child: u64) -> bool {
    let mut status = -1;
    // SAFETY: the status is written to, and nothing else.
    let ended = unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) };
    ended as u64 == child && status == 0
}

/// Ends a child at once.
pub(super) fn exit(status: i32) -> ! {
    // SAFETY: nothing is left to be done.
    unsafe { libc::_exit(status) }
}

/// What a system call returned.
fn raw(result: libc::c_long) -> Answer {
    if result == -1 {
        Err(errno())
    } else {
        Ok(result as u64)
    }
}

/// The same file, open for something else: `libc::O_RDONLY` and its like.
pub(super) fn reopened(file: &File, mode: i32) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}\0", file.as_raw_fd());
    let path = CStr::from_bytes_with_nul(path.as_bytes()).map_err(io::Error::other)?;
    // SAFETY: the path is a valid C string, and the descriptor is new and ours.
    unsafe {
        match libc::open(path.as_ptr(), mode | libc::O_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

/// A file in memory.
pub(super) fn memfd(name: &CStr) -> io::Result<File> {
    // SAFETY: the name is a valid C string, and the descriptor is new and ours.
    unsafe {
        match libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

/// Keeps `malloc` off `mmap`, and makes it ask for `bytes` at once and keep them.
pub(super) fn keep_heap_in_one_piece(bytes: i32) {
    // SAFETY: these settings are valid at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TOP_PAD, bytes);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// `vm.max_map_count`.
pub(super) fn max_map_count() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    text.trim().parse().ok()
}

/// Whether the kernel is at least of this version.
pub(super) fn is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|word| word.parse::<u32>().ok());
    let (found, rest) = (next().unwrap_or(0), next().unwrap_or(0));
    (found, rest) >= (major, minor)
}

/// Whether the process has the legacy layout.
pub(super) fn is_legacy() -> bool {
    // SAFETY: this argument only asks.
    let persona = unsafe { libc::personality(0xffff_ffff) };
    persona != -1 && persona & libc::ADDR_COMPAT_LAYOUT != 0
}

/// Gives whatever program this process executes next the legacy layout.
pub(super) fn become_legacy() -> io::Result<()> {
    // SAFETY: the flag concerns memory layouts of later programs only.
    let old = unsafe { libc::personality(0xffff_ffff) };
    let flags = libc::c_ulong::try_from(old | libc::ADDR_COMPAT_LAYOUT);
    let flags = flags.map_err(io::Error::other)?;
    // SAFETY: as before.
    match unsafe { libc::personality(flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
