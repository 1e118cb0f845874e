//! Page faults: what an access finds, stacks that grow, and pages that are fetched
//! beforehand.

use core::fmt;

use super::backing::{Backing, File, Row};
use super::change::Holes;
use super::errno::Errno;
use super::flags::{
    ACCESS, MADV_POPULATE_READ, MADV_POPULATE_WRITE, PROT_EXEC, PROT_READ, PROT_WRITE,
    VM_GROWSDOWN, VM_IO, VM_LOCKONFAULT, VM_PFNMAP, VM_SHARED,
};
use super::host::{Host, told};
use super::mm::{Mm, reported};
use crate::addr_space::{Page, PageMapping, Region};
use crate::store::RangeStore;

/// What a program does to a byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
    /// It executes it.
    Execute,
}

/// Why an access fails: the signal that the program gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// `SIGSEGV`, `SEGV_MAPERR`: nothing is mapped there.
    NotMapped,
    /// `SIGSEGV`, `SEGV_ACCERR`: the protection does not allow it.
    Denied,
    /// `SIGBUS`, `BUS_ADRERR`: behind the end of the file.
    PastEnd,
    /// The host refused to let a stack grow, or the books have no memory for it.
    Host(Errno),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMapped => f.write_str("SIGSEGV: nothing is mapped there"),
            Self::Denied => f.write_str("SIGSEGV: the protection does not allow it"),
            Self::PastEnd => f.write_str("SIGBUS: behind the end of the file"),
            Self::Host(errno) => write!(f, "the host: {errno}"),
        }
    }
}

impl core::error::Error for Fault {}

/// Whether a protection allows an access. On x86 all that may be accessed may be read.
fn allows(prot: u32, access: Access) -> bool {
    let bits = match access {
        Access::Read => ACCESS,
        Access::Write => PROT_WRITE,
        Access::Execute => PROT_EXEC,
    };
    prot & bits as u32 != 0
}

/// Whether a page of a row is behind the end of its file.
fn is_past_end<F: File>(row: &Row<'_, F>, addr: u64, page_size: u64) -> bool {
    let offset = row.offset.saturating_add(addr - row.addr);
    size(row.backing).is_some_and(|size| offset - offset % page_size >= size)
}

/// How long the object behind a row is; nothing is behind memory without one.
fn size<F: File>(backing: &Backing<F>) -> Option<u64> {
    match backing {
        Backing::Anonymous => None,
        Backing::Shared { size, .. } => Some(*size),
        Backing::File(file) => Some(file.size()),
    }
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// What an access to a byte finds as it is, without that a stack grows: its row,
    /// whole, or the signal for the program. Allocates nothing; O(log n).
    ///
    /// # Errors
    /// See [`Fault`].
    #[inline]
    pub fn access(&self, addr: u64, access: Access) -> Result<Row<'_, F>, Fault> {
        let row = self.row_at(addr).ok_or(Fault::NotMapped)?;
        // To execute a page the processor reads it first.
        let first = match access {
            Access::Execute => Access::Read,
            access => access,
        };
        if !allows(row.prot, first) {
            return Err(Fault::Denied);
        }
        if is_past_end(&row, addr, self.config.page_size) {
            return Err(Fault::PastEnd);
        }
        if !allows(row.prot, access) {
            return Err(Fault::Denied);
        }
        Ok(row)
    }

    /// A page fault: what the first access to a page finds, as [`access`](Self::access)
    /// has it. An access below a stack makes it grow: the host maps what is new. A write
    /// to private memory decides which rows this one joins later; who wants exactly
    /// Linux's rows tells of the first write to each row. O(log n).
    ///
    /// # Errors
    /// See [`Fault`]. A stack that may not grow is [`Fault::NotMapped`].
    pub fn fault<H: Host<F>>(
        &mut self,
        addr: u64,
        access: Access,
        host: &mut H,
    ) -> Result<Row<'_, F>, Fault> {
        if self.space.query_ref(addr).is_none() {
            self.grow_stack(addr, host)?;
        }
        let row = self.row_at(addr).ok_or(Fault::NotMapped)?;
        let writes = access == Access::Write && row.flags & VM_SHARED == 0;
        if writes && allows(row.prot, access) {
            self.write(addr).map_err(Fault::Host)?;
        }
        self.access(addr, access)
    }

    /// Lets the stack above an address grow down to it.
    fn grow_stack<H: Host<F>>(&mut self, addr: u64, host: &mut H) -> Result<(), Fault> {
        let stack = self.next(addr).ok_or(Fault::NotMapped)?;
        let (start, len) = (stack.addr, stack.len);
        let (prot, flags) = (stack.mapping.prot.0, stack.mapping.flags);
        let page = addr - addr % self.config.page_size;
        let grown = start - page;
        if flags & VM_GROWSDOWN == 0
            || page < self.config.min_addr
            || self.is_crowded(page)
            || grown > stack.mapping.offset
        {
            return Err(Fault::NotMapped);
        }
        self.write(start).map_err(Fault::Host)?;
        if !self.may_expand(grown, prot, flags)
            || len + grown > self.config.limits.stack
            || !self.may_lock(grown, flags)
            || self.commit(grown).is_err()
        {
            return Err(Fault::NotMapped);
        }
        self.part_from(page, start);
        let stack = self.space.query(start).ok_or(Fault::NotMapped)?;
        let mut mapping = stack.mapping;
        mapping.offset -= grown;
        self.put_apart(page, grown, mapping, host)
            .map_err(Fault::Host)
    }

    /// Whether memory that may be accessed and is no stack is too near below.
    fn is_crowded(&self, page: u64) -> bool {
        let below = self.space.regions_in(0, page).borrowed().next_back();
        below.is_some_and(|below| {
            let end = below.addr + below.len;
            below.mapping.prot.0 != 0
                && below.mapping.flags & VM_GROWSDOWN == 0
                && page - end < self.config.stack_gap
        })
    }

    /// Fetches pages that a call has just mapped or locked, as far as it is possible.
    pub(super) fn populate<H: Host<F>>(&mut self, addr: u64, len: u64, host: &mut H) {
        let _ = self.walk((addr, addr + len), Holes::Pass, |mm, part| {
            let _ = mm.populate_part(part, host);
            Ok(())
        });
    }

    /// Fetches pages, until that is not possible. Pages that are not mapped are passed over.
    pub(super) fn populate_all<H: Host<F>>(
        &mut self,
        range: (u64, u64),
        host: &mut H,
    ) -> Result<(), Errno> {
        let mut said = Ok(());
        let _ = self.walk(range, Holes::Pass, |mm, part| {
            said = mm.populate_part(part, host);
            said
        });
        said
    }

    fn populate_part<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        host: &mut H,
    ) -> Result<(), Errno> {
        let (prot, flags) = (part.mapping.prot.0, part.mapping.flags);
        if flags & (VM_LOCKONFAULT | VM_IO | VM_PFNMAP) != 0 {
            return Ok(());
        }
        if prot == 0 {
            return Err(Errno::EFAULT);
        }
        let writes = prot & PROT_WRITE as u32 != 0 && flags & VM_SHARED == 0;
        self.fetch(part, writes, host)
    }

    /// `madvise` with `MADV_POPULATE_READ` or `MADV_POPULATE_WRITE`.
    pub(super) fn advise_populate<H: Host<F>>(
        &mut self,
        range: (u64, u64),
        writes: bool,
        host: &mut H,
    ) -> Result<(), Errno> {
        let needed = if writes { PROT_WRITE } else { PROT_READ };
        self.walk(range, Holes::Stop, |mm, part| {
            let (prot, flags) = (part.mapping.prot.0, part.mapping.flags);
            if prot & needed as u32 == 0 || flags & (VM_IO | VM_PFNMAP) != 0 {
                return Err(Errno::EINVAL);
            }
            mm.fetch(part, writes, host)
        })
    }

    /// Fetches the pages of a part of a row.
    fn fetch<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        writes: bool,
        host: &mut H,
    ) -> Result<(), Errno> {
        if writes && part.mapping.flags & VM_SHARED == 0 {
            self.write(part.addr)?;
        }
        let row = reported(part);
        let inside = size(row.backing).and_then(|size| {
            let inside = size.saturating_sub(row.offset);
            inside.checked_next_multiple_of(self.config.page_size)
        });
        let len = inside.map_or(part.len, |inside| inside.min(part.len));
        let advice = if writes {
            MADV_POPULATE_WRITE
        } else {
            MADV_POPULATE_READ
        };
        if len > 0 {
            told::<F, H>(host.advise(&Row { len, ..row }, advice))?;
        }
        if len < part.len {
            return Err(Errno::EFAULT);
        }
        Ok(())
    }
}
