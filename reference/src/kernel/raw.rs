//! Calls as the system calls have them, and how the kernel is asked.

use std::os::fd::AsRawFd;

use gaptree::linux::Access;
use gaptree::linux::flags::{MADV_POPULATE_READ, MADV_POPULATE_WRITE};

use super::sys::{self, Answer, Limit, PAGE, TASK_END};
use super::touch;
use super::window::Window;

/// An address: 0, in the window or near it, or beyond all that can be mapped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addr {
    Zero,
    In(u64),
    Beyond(u64),
}

impl Addr {
    /// The address, in a window that begins at `start`.
    pub(super) fn of(self, start: u64) -> u64 {
        match self {
            Self::Zero => 0,
            Self::In(at) => start.wrapping_add(at),
            Self::Beyond(by) => TASK_END.saturating_add(by),
        }
    }
}

/// A call as the system call has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw {
    /// Sets a limit in bytes; none lifts it.
    Limit {
        limit: Limit,
        bytes: Option<u64>,
    },
    /// Forks; the child makes calls of its own, and what it has is compared too.
    Fork {
        seed: u64,
    },
    /// Gives a file another length.
    Truncate {
        file: u32,
        len: u64,
    },
    /// Reads, writes or jumps to a byte.
    Touch {
        addr: Addr,
        access: Access,
    },
    Advise {
        addr: Addr,
        len: u64,
        advice: u64,
    },
    Lock {
        addr: Addr,
        len: u64,
        flags: u64,
    },
    Unlock {
        addr: Addr,
        len: u64,
    },
    LockAll {
        flags: u64,
    },
    UnlockAll,
    Sync {
        addr: Addr,
        len: u64,
        flags: u64,
    },
    Resident {
        addr: Addr,
        len: u64,
    },
    Seal {
        addr: Addr,
        len: u64,
        flags: u64,
    },
    Map {
        addr: Addr,
        len: u64,
        prot: u64,
        flags: u64,
        file: Option<u32>,
        offset: u64,
    },
    Unmap {
        addr: Addr,
        len: u64,
    },
    Protect {
        addr: Addr,
        len: u64,
        prot: u64,
    },
    Remap {
        addr: Addr,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new_addr: Addr,
    },
}

impl Raw {
    /// The range whose pages are fetched, in a window that begins at `start`.
    pub(super) fn touched(self, start: u64) -> Option<(u64, u64)> {
        let (addr, len) = match self {
            Self::Touch { addr, .. } => (addr, 1),
            Self::Lock { addr, len, .. } => (addr, len),
            Self::Advise {
                addr,
                len,
                advice: MADV_POPULATE_READ | MADV_POPULATE_WRITE,
            } => (addr, len),
            _ => return None,
        };
        let addr = addr.of(start);
        let end = addr.checked_add(len)?.checked_next_multiple_of(PAGE)?;
        Some((addr, end))
    }

    /// Asks the kernel. `Ok` is an absolute address, or zero.
    pub(super) fn ask(self, window: &mut Window) -> Answer {
        let start = window.range.start;
        match self {
            Self::Map {
                addr,
                len,
                prot,
                flags,
                file,
                offset,
            } => {
                let fd = match file {
                    None => -1,
                    Some(file) => window.files[file as usize].as_raw_fd(),
                };
                sys::mmap(addr.of(start), len, prot, flags, fd, offset)
            }
            Self::Unmap { addr, len } => sys::munmap(addr.of(start), len),
            Self::Protect { addr, len, prot } => sys::mprotect(addr.of(start), len, prot),
            Self::Remap {
                addr,
                old_len,
                new_len,
                flags,
                new_addr,
            } => sys::mremap(addr.of(start), old_len, new_len, flags, new_addr.of(start)),
            Self::Fork { .. } => sys::fork(),
            Self::Limit { limit, bytes } => window.limit(limit, bytes),
            Self::Truncate { file, len } => window.truncate(file, len),
            Self::Touch { addr, access } => touch::touch(addr.of(start), access),
            Self::Advise { addr, len, advice } => {
                sys::memory(libc::SYS_madvise, [addr.of(start), len, advice])
            }
            Self::Lock { addr, len, flags } => {
                sys::memory(libc::SYS_mlock2, [addr.of(start), len, flags])
            }
            Self::Unlock { addr, len } => sys::memory(libc::SYS_munlock, [addr.of(start), len, 0]),
            Self::LockAll { flags } => sys::memory(libc::SYS_mlockall, [flags, 0, 0]),
            Self::UnlockAll => sys::memory(libc::SYS_munlockall, [0; 3]),
            Self::Sync { addr, len, flags } => {
                sys::memory(libc::SYS_msync, [addr.of(start), len, flags])
            }
            Self::Resident { addr, len } => sys::resident(addr.of(start), len),
            Self::Seal { addr, len, flags } => {
                sys::memory(libc::SYS_mseal, [addr.of(start), len, flags])
            }
        }
    }
}
