//! How much memory a process has.

use super::flags::{PROT_EXEC, PROT_WRITE, VM_ACCOUNT, VM_GROWSDOWN, VM_LOCKED, VM_SHARED};
use crate::addr_space::Region;

/// How much memory a process has, in bytes; the lines of `/proc/PID/status`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// All that is mapped: `VmSize`.
    pub size: u64,
    /// Locked: `VmLck`.
    pub locked: u64,
    /// Private and writable, without stacks: `VmData`.
    pub data: u64,
    /// Stacks: `VmStk`.
    pub stack: u64,
    /// Executable and not writable: `VmExe` and `VmLib` together.
    pub exec: u64,
    /// Counts against what the system can commit to (`VM_ACCOUNT`).
    pub committed: u64,
}

/// Whether memory counts as data.
pub(super) fn is_data(prot: u32, flags: u32) -> bool {
    prot & PROT_WRITE as u32 != 0 && flags & (VM_SHARED | VM_GROWSDOWN) == 0
}

impl Counters {
    /// The counter beside the size that memory belongs to.
    fn kind(&mut self, prot: u32, flags: u32) -> Option<&mut u64> {
        let write = prot & PROT_WRITE as u32 != 0;
        let exec = prot & PROT_EXEC as u32 != 0;
        if flags & VM_GROWSDOWN != 0 {
            Some(&mut self.stack)
        } else if exec && !write {
            Some(&mut self.exec)
        } else if is_data(prot, flags) {
            Some(&mut self.data)
        } else {
            None
        }
    }

    /// Counts memory that is mapped.
    pub(super) fn add(&mut self, len: u64, prot: u32, flags: u32) {
        self.size += len;
        if let Some(kind) = self.kind(prot, flags) {
            *kind += len;
        }
        if flags & VM_LOCKED != 0 {
            self.locked += len;
        }
        if flags & VM_ACCOUNT != 0 {
            self.committed += len;
        }
    }

    /// Counts memory that is unmapped.
    pub(super) fn sub(&mut self, len: u64, prot: u32, flags: u32) {
        self.size -= len;
        if let Some(kind) = self.kind(prot, flags) {
            *kind -= len;
        }
        if flags & VM_LOCKED != 0 {
            self.locked -= len;
        }
        if flags & VM_ACCOUNT != 0 {
            self.committed -= len;
        }
    }

    /// Counts a region that was unmapped.
    pub(super) fn sub_region<T>(&mut self, region: &Region<T>) {
        self.sub(region.len, region.mapping.prot.0, region.mapping.flags);
    }
}
