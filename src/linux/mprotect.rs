//! `mprotect`.

use super::backing::{Backing, File};
use super::change::Holes;
use super::errno::Errno;
use super::flags::{
    ACCESS, PROT_GROWSDOWN, PROT_GROWSUP, PROT_SEM, PROT_WRITE, VM_ACCOUNT, VM_GROWSDOWN,
    VM_LOCKED, VM_NORESERVE, VM_SEALED, VM_SHARED,
};
use super::host::Host;
use super::kept::{Fields, Kept};
use super::mm::Mm;
use crate::addr_space::{Page, PageMapping, Region};
use crate::store::RangeStore;

/// How far a bit of protection is below the one that says that it may be given.
const MAY_SHIFT: u32 = 4;

/// The flags of a row that gets another protection.
fn with_access<F>(mapping: &Kept<F>, prot: u32) -> u32 {
    let (old, flags) = (mapping.prot.0, mapping.flags);
    let write = PROT_WRITE as u32;
    if prot & write != 0 {
        let uncounted = flags & (VM_ACCOUNT | VM_SHARED | VM_NORESERVE) == 0;
        if uncounted && old & write == 0 {
            return flags | VM_ACCOUNT;
        }
    } else if matches!(mapping.data, Backing::Anonymous) && mapping.anon().is_none() {
        return flags & !VM_ACCOUNT;
    }
    flags
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `mprotect`. What is below the first page that is not mapped, or may not have this
    /// protection, has it afterwards, also where that is an error. O(log n + k).
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for both `PROT_GROWSDOWN` and
    /// `PROT_GROWSUP`, and a misaligned address; `ENOMEM` for a length beyond the address
    /// space; `EINVAL` for a protection that is none; `ENOMEM` where a page is not mapped;
    /// `EINVAL` for `PROT_GROWSDOWN` elsewhere than in a stack, and for `PROT_GROWSUP`;
    /// `EACCES` to write shared memory of a file that was opened for reading, or to
    /// execute a `noexec` one; `EPERM` for what is sealed; `ENOMEM` beyond the
    /// [limits](super::Limits), and without memory for the books. And what the host says. A
    /// length of 0 is no error.
    pub fn mprotect<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        prot: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
        let prot = prot & !grows;
        if grows == PROT_GROWSDOWN | PROT_GROWSUP || !self.is_aligned(addr) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let len = self.page_align(len);
        let end = addr.checked_add(len).filter(|_| len > 0);
        let end = end.ok_or(Errno::ENOMEM)?;
        if prot & !(ACCESS | PROT_SEM) != 0 {
            return Err(Errno::EINVAL);
        }
        let first = self.next(addr).ok_or(Errno::ENOMEM)?;
        let mut start = addr;
        if grows == PROT_GROWSDOWN {
            if first.addr >= end {
                return Err(Errno::ENOMEM);
            }
            start = first.addr;
            if first.mapping.flags & VM_GROWSDOWN == 0 {
                return Err(Errno::EINVAL);
            }
        } else if first.addr > addr {
            return Err(Errno::ENOMEM);
        } else if grows == PROT_GROWSUP {
            return Err(Errno::EINVAL);
        }
        let prot = (prot & ACCESS) as u32;
        self.walk((start, end), Holes::Stop, |mm, part| {
            mm.protect_part(part, prot, host)
        })
    }

    fn protect_part<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        prot: u32,
        host: &mut H,
    ) -> Result<(), Errno> {
        let (old, flags) = (part.mapping.prot.0, part.mapping.flags);
        if prot & !(flags >> MAY_SHIFT) != 0 {
            return Err(Errno::EACCES);
        }
        if flags & VM_SEALED != 0 {
            return Err(Errno::EPERM);
        }
        if old == prot {
            return Ok(());
        }
        let new = with_access(&part.mapping, prot);
        if prot & PROT_WRITE as u32 != 0 {
            // Only where it turns into data.
            if !self.may_expand(part.len, prot, flags) && self.may_expand(part.len, old, flags) {
                return Err(Errno::ENOMEM);
            }
            if new & !flags & VM_ACCOUNT != 0 {
                self.commit(part.len)?;
            }
        }
        self.change::<H>(part, (prot, new), |row| host.protect(row, prot))?;
        // What is locked and private has its own pages once it may be written.
        let locked = flags & (VM_LOCKED | VM_SHARED) == VM_LOCKED;
        if locked && prot & !old & PROT_WRITE as u32 != 0 {
            self.populate(part.addr, part.len, host);
        }
        Ok(())
    }
}
