//! `mprotect`.

use super::backing::{Backing, File};
use super::errno::Errno;
use super::flags::{
    ACCESS, PROT_GROWSDOWN, PROT_GROWSUP, PROT_SEM, PROT_WRITE, VM_ACCOUNT, VM_GROWSDOWN,
    VM_NORESERVE, VM_SHARED,
};
use super::host::Host;
use super::mm::{Mm, refusal, reported};
use crate::addr_space::{HolePolicy, Mapping, Page, PageMapping, Prot, Region};
use crate::store::RangeStore;

/// How far a bit of protection is below the one that says that it may be given.
const MAY_SHIFT: u32 = 4;

/// The flags of a row that gets another protection.
fn with_access<F>(mapping: &Mapping<Backing<F>>, prot: u32) -> u32 {
    let (old, flags) = (mapping.prot.0, mapping.flags);
    let write = PROT_WRITE as u32;
    if prot & write != 0 {
        let uncounted = flags & (VM_ACCOUNT | VM_SHARED | VM_NORESERVE) == 0;
        if uncounted && old & write == 0 {
            return flags | VM_ACCOUNT;
        }
    } else if matches!(mapping.data, Backing::Anonymous) {
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
    /// execute a `noexec` one; `ENOMEM` without memory for the books. And what the host
    /// says. A length of 0 is no error.
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
        // Nothing is mapped at the end of user addresses, or beyond.
        let inside = end.min(self.config.end);
        let prot = (prot & ACCESS) as u32;
        let change = |region: Region<Backing<F>>, mapping: &mut Mapping<Backing<F>>| {
            if prot & !(mapping.flags >> MAY_SHIFT) != 0 {
                return Err(Errno::EACCES);
            }
            if mapping.prot.0 == prot {
                return Ok(());
            }
            let said = host.protect(&reported(&region), prot);
            if H::CAN_REFUSE {
                said?;
            }
            mapping.flags = with_access(mapping, prot);
            mapping.prot = Prot(prot);
            Ok(())
        };
        let policy = HolePolicy::StopAtHole;
        let changed = self.space.update(start, inside - start, policy, change);
        changed.map_err(refusal)??;
        if inside < end {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}
