//! `mlock` and its like.

use super::backing::{Backing, File};
use super::change::Holes;
use super::errno::Errno;
use super::flags::{
    MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, VM_DROPPABLE, VM_LOCKED, VM_LOCKED_MASK,
    VM_LOCKONFAULT, VM_SPECIAL,
};
use super::host::Host;
use super::mm::Mm;
use crate::addr_space::{Page, PageMapping, Region};
use crate::store::RangeStore;

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `mlock`: [`mlock2`](Self::mlock2) without flags.
    ///
    /// # Errors
    /// As for [`mlock2`](Self::mlock2).
    pub fn mlock<H: Host<F>>(&mut self, addr: u64, len: u64, host: &mut H) -> Result<(), Errno> {
        self.mlock2(addr, len, 0, host)
    }

    /// `mlock2`: the rows of all pages that have a byte in the range are locked, and
    /// their pages fetched, without `MLOCK_ONFAULT`. O(log n + k log n).
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for an unknown flag; `EPERM` if nothing may
    /// be locked; `ENOMEM` for more than may be locked; `EINVAL` for a range beyond 2^64;
    /// `ENOMEM` at the first page that is not mapped, and for too many rows. What is below
    /// is locked then. After all was locked, `ENOMEM` for a page that cannot be fetched:
    /// it may not be accessed, or is behind the end of its file. And what the host says: of
    /// an `EFAULT` or `ENOMEM` when it fetches, Linux makes `ENOMEM` and `EAGAIN`.
    pub fn mlock2<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        flags: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        if flags & !MLOCK_ONFAULT != 0 {
            return Err(Errno::EINVAL);
        }
        if !self.can_lock() {
            return Err(Errno::EPERM);
        }
        let (addr, len) = self.around(addr, len);
        let limits = &self.config.limits;
        if !limits.locks_anything {
            let pages = |bytes: u64| bytes / self.config.page_size;
            let limit = pages(limits.locked);
            let wanted = pages(self.counters.locked) + pages(len);
            if wanted > limit && wanted - pages(self.bytes_with(VM_LOCKED, addr, len)) > limit {
                return Err(Errno::ENOMEM);
            }
        }
        let bits = match flags {
            0 => VM_LOCKED,
            _ => VM_LOCKED | VM_LOCKONFAULT,
        };
        self.lock_range(addr, len, bits, host)?;
        match self.populate_all((addr, addr + len), host) {
            Err(Errno::EFAULT) => Err(Errno::ENOMEM),
            Err(Errno::ENOMEM) => Err(Errno::EAGAIN),
            said => said,
        }
    }

    /// `munlock`. O(log n + k log n).
    ///
    /// # Errors
    /// `EINVAL` for a range beyond 2^64; `ENOMEM` at the first page that is not mapped, and
    /// for too many rows. What is below is unlocked then. And what the host says.
    pub fn munlock<H: Host<F>>(&mut self, addr: u64, len: u64, host: &mut H) -> Result<(), Errno> {
        let (addr, len) = self.around(addr, len);
        self.lock_range(addr, len, 0, host)
    }

    /// `mlockall`. What cannot be locked or fetched is passed over. O(n log n).
    ///
    /// # Errors
    /// `EINVAL` for an unknown flag, none, and `MCL_ONFAULT` alone; `EPERM` if nothing may
    /// be locked; `ENOMEM` for `MCL_CURRENT` if there is more than may be locked. And what
    /// the host says.
    pub fn mlockall<H: Host<F>>(&mut self, flags: u64, host: &mut H) -> Result<(), Errno> {
        let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
        if flags & !known != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
            return Err(Errno::EINVAL);
        }
        if !self.can_lock() {
            return Err(Errno::EPERM);
        }
        let limits = &self.config.limits;
        let current = flags & MCL_CURRENT != 0;
        if current && !limits.locks_anything && self.counters.size > limits.locked {
            return Err(Errno::ENOMEM);
        }
        let bits = match flags & MCL_ONFAULT {
            0 => VM_LOCKED,
            _ => VM_LOCKED | VM_LOCKONFAULT,
        };
        self.default_flags = if flags & MCL_FUTURE != 0 { bits } else { 0 };
        if !current {
            return Ok(());
        }
        self.lock_all(bits, host)?;
        let (start, len) = (self.space.start(), self.space.size());
        self.populate(start, len, host);
        Ok(())
    }

    /// `munlockall`. O(n log n).
    ///
    /// # Errors
    /// What the host says.
    pub fn munlockall<H: Host<F>>(&mut self, host: &mut H) -> Result<(), Errno> {
        self.default_flags = 0;
        self.lock_all(0, host)
    }

    /// Whether the process may lock anything at all.
    pub(super) fn can_lock(&self) -> bool {
        let limits = &self.config.limits;
        limits.locked != 0 || limits.locks_anything
    }

    /// The whole pages around a range, modulo 2^64.
    fn around(&self, addr: u64, len: u64) -> (u64, u64) {
        let before = addr % self.config.page_size;
        (addr - before, self.page_align(len.wrapping_add(before)))
    }

    fn lock_range<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        bits: u32,
        host: &mut H,
    ) -> Result<(), Errno> {
        let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
        self.walk((addr, end), Holes::Stop, |mm, part| {
            mm.lock_part(part, bits, host)
        })
    }

    /// Locks all rows, whatever is the matter with some.
    fn lock_all<H: Host<F>>(&mut self, bits: u32, host: &mut H) -> Result<(), Errno> {
        let mut said = Ok(());
        let range = (self.space.start(), self.config.end);
        let _ = self.walk(range, Holes::Pass, |mm, part| {
            let locked = mm.lock_part(part, bits, host);
            said = said.and(locked);
            Ok(())
        });
        said
    }

    fn lock_part<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        bits: u32,
        host: &mut H,
    ) -> Result<(), Errno> {
        let flags = part.mapping.flags;
        if flags & (VM_SPECIAL | VM_DROPPABLE) != 0 {
            return Ok(());
        }
        self.flag(part, flags & !VM_LOCKED_MASK | bits, host)
    }
}
