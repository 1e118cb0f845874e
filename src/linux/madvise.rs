//! `madvise`.

use super::backing::{Backing, File};
use super::change::Holes;
use super::errno::Errno;
use super::flags::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED,
    MADV_DONTNEED_LOCKED, MADV_FREE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_HUGEPAGE,
    MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT,
    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL,
    MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK, PROT_WRITE, VM_DONTCOPY, VM_DONTDUMP,
    VM_DROPPABLE, VM_HUGEPAGE, VM_IO, VM_LOCKED, VM_MAYBE_GUARD, VM_MAYSHARE, VM_MAYWRITE,
    VM_MERGEABLE, VM_NOHUGEPAGE, VM_PFNMAP, VM_RAND_READ, VM_SEALED, VM_SEQ_READ, VM_SHARED,
    VM_SPECIAL, VM_WIPEONFORK,
};
use super::host::{Host, told};
use super::mm::{Mm, reported};
use crate::addr_space::{Page, PageMapping, Region};
use crate::store::RangeStore;

/// What KSM does not merge.
const UNMERGEABLE: u32 = VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_DROPPABLE;

/// What advice does.
enum Does {
    /// Something to the row: it has these flags then.
    Flags(u32),
    /// Something to the pages.
    Pages,
}

/// What advice does to a row of these flags; `None` for advice that Linux does not know.
fn does<F>(advice: u64, region: &Region<Backing<F>>) -> Option<Result<Does, Errno>> {
    let flags = region.mapping.flags;
    let anonymous = matches!(region.mapping.data, Backing::Anonymous);
    let valid = |valid: bool, new: Does| if valid { Ok(new) } else { Err(Errno::EINVAL) };
    Some(match advice {
        MADV_NORMAL => Ok(Does::Flags(flags & !(VM_RAND_READ | VM_SEQ_READ))),
        MADV_RANDOM => Ok(Does::Flags(flags & !VM_SEQ_READ | VM_RAND_READ)),
        MADV_SEQUENTIAL => Ok(Does::Flags(flags & !VM_RAND_READ | VM_SEQ_READ)),
        MADV_DONTFORK => Ok(Does::Flags(flags | VM_DONTCOPY)),
        MADV_DOFORK => valid(flags & VM_IO == 0, Does::Flags(flags & !VM_DONTCOPY)),
        MADV_WIPEONFORK => valid(
            anonymous && flags & VM_SHARED == 0,
            Does::Flags(flags | VM_WIPEONFORK),
        ),
        MADV_KEEPONFORK => valid(
            flags & VM_DROPPABLE == 0,
            Does::Flags(flags & !VM_WIPEONFORK),
        ),
        MADV_DONTDUMP => Ok(Does::Flags(flags | VM_DONTDUMP)),
        MADV_DODUMP => valid(
            flags & (VM_SPECIAL | VM_DROPPABLE) == 0,
            Does::Flags(flags & !VM_DONTDUMP),
        ),
        MADV_MERGEABLE if flags & UNMERGEABLE != 0 => Ok(Does::Flags(flags)),
        MADV_MERGEABLE => Ok(Does::Flags(flags | VM_MERGEABLE)),
        MADV_UNMERGEABLE => Ok(Does::Flags(flags & !VM_MERGEABLE)),
        MADV_HUGEPAGE => Ok(Does::Flags(flags & !VM_NOHUGEPAGE | VM_HUGEPAGE)),
        MADV_NOHUGEPAGE => Ok(Does::Flags(flags & !VM_HUGEPAGE | VM_NOHUGEPAGE)),
        MADV_WILLNEED => Ok(Does::Pages),
        MADV_COLD | MADV_PAGEOUT | MADV_DONTNEED => {
            valid(flags & (VM_LOCKED | VM_PFNMAP) == 0, Does::Pages)
        }
        MADV_DONTNEED_LOCKED => valid(flags & VM_PFNMAP == 0, Does::Pages),
        MADV_FREE => valid(
            flags & (VM_LOCKED | VM_PFNMAP) == 0 && anonymous,
            Does::Pages,
        ),
        MADV_REMOVE if flags & VM_LOCKED != 0 || anonymous => Err(Errno::EINVAL),
        MADV_REMOVE if flags & (VM_SHARED | VM_MAYWRITE) != VM_SHARED | VM_MAYWRITE => {
            Err(Errno::EACCES)
        }
        MADV_REMOVE => Ok(Does::Pages),
        MADV_GUARD_INSTALL => valid(flags & (VM_SPECIAL | VM_LOCKED) == 0, Does::Pages),
        MADV_GUARD_REMOVE => valid(flags & VM_SPECIAL == 0, Does::Pages),
        _ => return None,
    })
}

/// Whether a seal refuses it: it would take away what is in memory of the process's own
/// that it may not write.
fn is_sealed<F>(advice: u64, region: &Region<Backing<F>>) -> bool {
    let discards = matches!(
        advice,
        MADV_FREE
            | MADV_DONTNEED
            | MADV_DONTNEED_LOCKED
            | MADV_REMOVE
            | MADV_DONTFORK
            | MADV_WIPEONFORK
            | MADV_GUARD_INSTALL
    );
    let mapping = &region.mapping;
    discards
        && mapping.flags & VM_SEALED != 0
        && matches!(mapping.data, Backing::Anonymous)
        && mapping.prot.0 & PROT_WRITE as u32 == 0
}

/// Whether Linux knows this advice.
fn is_known(advice: u64) -> bool {
    matches!(
        advice,
        MADV_NORMAL..=MADV_DONTNEED
            | MADV_FREE..=MADV_DONTNEED_LOCKED
            | MADV_GUARD_INSTALL
            | MADV_GUARD_REMOVE
    )
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `madvise`. Advice about a whole row changes its flags; other advice is the host's,
    /// which is told with [`advise`](Host::advise). Pages that are not mapped are passed
    /// over, and are an error in the end. O(log n + k log n).
    ///
    /// `MADV_COLLAPSE`, `MADV_HWPOISON` and `MADV_SOFT_OFFLINE` are `EINVAL` here.
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for unknown advice, a misaligned address
    /// and a length beyond the address space; then for each row `EPERM` if it is sealed,
    /// `EINVAL` or `EACCES` where the advice makes no sense; `EAGAIN` if there would be
    /// too many rows, or no memory for the books. What is below has been done then.
    /// `ENOMEM` where a page is not mapped, after all others were done. To populate:
    /// `EINVAL` where the protection does not allow it, `EFAULT` behind the end of a file,
    /// `ENOMEM` at the first page that is not mapped. And what the host says; an `ENOMEM`
    /// about flags is `EAGAIN` as well.
    pub fn madvise<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        advice: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        if !is_known(advice) {
            return Err(Errno::EINVAL);
        }
        let end = self.whole_pages(addr, len).ok_or(Errno::EINVAL)?;
        if end == addr {
            return Ok(());
        }
        if matches!(advice, MADV_POPULATE_READ | MADV_POPULATE_WRITE) {
            return self.advise_populate((addr, end), advice == MADV_POPULATE_WRITE, host);
        }
        self.walk((addr, end), Holes::Pass, |mm, part| {
            mm.advise_part(part, advice, host)
        })
    }

    fn advise_part<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        advice: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        if is_sealed(advice, part) {
            return Err(Errno::EPERM);
        }
        let huge = matches!(advice, MADV_HUGEPAGE | MADV_NOHUGEPAGE);
        if huge && self.config.huge_page.is_none() {
            return Err(Errno::EINVAL);
        }
        match does(advice, part).ok_or(Errno::EINVAL)?? {
            Does::Flags(flags) => self.flag(part, flags, host).map_err(|errno| match errno {
                Errno::ENOMEM => Errno::EAGAIN,
                errno => errno,
            }),
            Does::Pages => {
                if advice == MADV_GUARD_INSTALL {
                    if matches!(part.mapping.data, Backing::Anonymous) {
                        self.write(part.addr)?;
                    }
                    self.mark_guarded(part.addr);
                }
                told::<F, H>(host.advise(&reported(part), advice))
            }
        }
    }

    /// Says of a whole row that it may have guards.
    fn mark_guarded(&mut self, addr: u64) {
        let Some(row) = self.space.query_ref(addr) else {
            return;
        };
        if row.mapping.flags & VM_MAYBE_GUARD == 0 {
            let (start, len) = (row.addr, row.len);
            self.set_apart(start, len, |mapping| mapping.flags |= VM_MAYBE_GUARD);
        }
    }

    /// Gives a part of a row other flags.
    pub(super) fn flag<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        flags: u32,
        host: &mut H,
    ) -> Result<(), Errno> {
        let prot = part.mapping.prot.0;
        self.change::<H>(part, (prot, flags), |row| host.flag(row, flags))
    }

    /// The end of a range of whole pages that is to be walked over; `None` if the address
    /// is misaligned or the end beyond 2^64.
    pub(super) fn whole_pages(&self, addr: u64, len: u64) -> Option<u64> {
        let rounded = self.page_align(len);
        if !self.is_aligned(addr) || rounded == 0 && len > 0 {
            return None;
        }
        addr.checked_add(rounded)
    }
}
