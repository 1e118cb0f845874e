//! `mmap`, `munmap` and `brk`.

use super::backing::{Backing, File};
use super::errno::Errno;
use super::flags::{
    ACCESS, LEGACY_MAP_MASK, MAP_32BIT, MAP_ANONYMOUS, MAP_DROPPABLE, MAP_FIXED,
    MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE,
    MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MAP_SYNC, MAP_TYPE,
    PROT_EXEC, PROT_READ, PROT_WRITE, VM_ACCOUNT, VM_DONTDUMP, VM_DROPPABLE, VM_GROWSDOWN,
    VM_LOCKED, VM_LOCKED_MASK, VM_MAYEXEC, VM_MAYREAD, VM_MAYSHARE, VM_MAYWRITE, VM_NOHUGEPAGE,
    VM_NORESERVE, VM_SHARED, VM_SYNC, VM_WIPEONFORK,
};
use super::host::Host;
use super::mm::{Mm, mapping};
use super::place::Request;
use crate::addr_space::{Page, PageMapping};
use crate::store::RangeStore;

/// What may be done with memory of the process's own.
const MAY_ALL: u32 = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

/// The flags of a row without a file, or why there is none.
fn flags_without_file(kind: u64, locks: bool, mut flags: u32) -> Result<u32, Errno> {
    match kind {
        MAP_SHARED => flags |= VM_SHARED | VM_MAYSHARE,
        MAP_PRIVATE => return Ok(flags),
        MAP_DROPPABLE if locks => return Err(Errno::EINVAL),
        // It cannot be locked, not even by `mlockall`.
        MAP_DROPPABLE => {
            flags =
                flags & !VM_LOCKED_MASK | VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP
        }
        _ => return Err(Errno::EINVAL),
    }
    if flags & VM_GROWSDOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

/// The flags of a row of a file, or why there is none; in the order of Linux's checks.
fn flags_with_file<F: File>(
    file: &F,
    (prot, map_flags): (u64, u64),
    (offset, len): (u64, u64),
    mut flags: u32,
) -> Result<u32, Errno> {
    let room = file.max_offset().checked_sub(len);
    if room.is_none_or(|room| offset > room) {
        return Err(Errno::EOVERFLOW);
    }
    let kind = map_flags & MAP_TYPE;
    match kind {
        MAP_SHARED | MAP_SHARED_VALIDATE => {
            if kind == MAP_SHARED_VALIDATE && map_flags & !LEGACY_MAP_MASK != 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            if prot & PROT_WRITE != 0 && !file.is_writable() {
                return Err(Errno::EACCES);
            }
            flags |= VM_SHARED | VM_MAYSHARE;
            if !file.is_writable() {
                flags &= !(VM_MAYWRITE | VM_SHARED);
            }
        }
        MAP_PRIVATE => {}
        _ => return Err(Errno::EINVAL),
    }
    if !file.is_readable() {
        return Err(Errno::EACCES);
    }
    if file.is_noexec() {
        if prot & PROT_EXEC != 0 {
            return Err(Errno::EPERM);
        }
        flags &= !VM_MAYEXEC;
    }
    if flags & VM_GROWSDOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `mmap`: the address of the first byte. Arguments are as the system call has them,
    /// raw bits included; `file` is the object behind the descriptor, and ignored with
    /// `MAP_ANONYMOUS`. O(log n + k) for `k` rows that it replaces; a search has one descent
    /// more for each stack in its way.
    ///
    /// With `MAP_LOCKED` or `MAP_POPULATE` the host fetches the pages
    /// ([`advise`](Host::advise)); what it says then is ignored, as Linux does.
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for an offset that is not whole pages;
    /// `EBADF` without a file or `MAP_ANONYMOUS`; `EINVAL` for `MAP_HUGETLB` with a file;
    /// `ENOMEM` for it without one, as on a system that has reserved no huge page;
    /// `EINVAL` for a length of 0; `ENOMEM` for one beyond the address space, too many
    /// rows, and no free range; `EINVAL` for a misaligned fixed address, `EPERM` for one
    /// below [`min_addr`](super::Config::min_addr); `EEXIST` (`MAP_FIXED_NOREPLACE`); `EPERM`
    /// for `MAP_LOCKED` if nothing may be locked, `EAGAIN` for more than may be; what
    /// [`File`] says: `EOVERFLOW`, `EOPNOTSUPP`, `EACCES`, `EPERM`; `EINVAL` for no kind of
    /// mapping, a stack that is shared or of a file, droppable memory that is to be locked;
    /// `EPERM` over what is sealed; `ENOMEM` beyond the [limits](super::Limits). And what the
    /// host says.
    #[expect(clippy::too_many_arguments, reason = "those of the system call")]
    pub fn mmap<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        prot: u64,
        flags: u64,
        file: Option<F>,
        offset: u64,
        host: &mut H,
    ) -> Result<u64, Errno> {
        if !self.is_aligned(offset) {
            return Err(Errno::EINVAL);
        }
        let anonymous = flags & MAP_ANONYMOUS != 0;
        let file = file.filter(|_| !anonymous);
        if file.is_none() && !anonymous {
            return Err(Errno::EBADF);
        }
        if flags & MAP_HUGETLB != 0 {
            return Err(if anonymous {
                Errno::ENOMEM
            } else {
                Errno::EINVAL
            });
        }
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = self.page_align(len);
        if len == 0 || self.space.region_count() > self.config.max_map_count {
            return Err(Errno::ENOMEM);
        }
        let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        let addr = if fixed { addr } else { self.hint(addr) };
        let request = Request {
            addr,
            len,
            fixed,
            low: flags & MAP_32BIT != 0,
            huge_offset: self.huge_offset(file.as_ref(), addr, len, offset, flags),
        };
        let addr = self.unmapped_area(&request)?;
        if flags & MAP_FIXED_NOREPLACE != 0 && !self.is_unmapped(addr, len) {
            return Err(Errno::EEXIST);
        }
        let row_flags = self.row_flags(file.as_ref(), (prot, flags), (offset, len))?;
        let prot = (prot & ACCESS) as u32;
        self.check_room((addr, len), prot, row_flags, file.is_some())?;
        let (backing, offset) = match file {
            Some(file) => (Backing::File(file), offset),
            None if row_flags & VM_MAYSHARE != 0 => {
                self.objects = self.objects.checked_add(1).ok_or(Errno::ENOMEM)?;
                let (object, size) = (self.objects, len);
                (Backing::Shared { object, size }, 0)
            }
            None => (Backing::Anonymous, 0),
        };
        let mapping = mapping((prot, row_flags), backing, addr, offset);
        self.put(addr, len, mapping, host)?;
        let populates = flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE;
        if populates || (row_flags | self.default_flags) & VM_LOCKED != 0 {
            self.populate(addr, len, host);
        }
        Ok(addr)
    }

    /// Refuses what the limits do not allow in place of what is there. Linux has cut what
    /// is there by then, and does not join it again.
    fn check_room(
        &mut self,
        range: (u64, u64),
        prot: u32,
        flags: u32,
        has_file: bool,
    ) -> Result<(), Errno> {
        let (addr, len) = range;
        self.check_unmap(addr, len)?;
        let limits = &self.config.limits;
        let limited = limits.address_space != u64::MAX || limits.data != u64::MAX;
        // Shared memory counts as the object that it is; private memory takes the place of
        // what counted there.
        let shares = !has_file && flags & (VM_SHARED | VM_NORESERVE) == VM_SHARED;
        let counted = match (shares, flags & VM_ACCOUNT) {
            (true, _) => len,
            (false, 0) => 0,
            (false, _) => len - self.committed_in(addr, len),
        };
        let fits = !limited || {
            let more = len - self.space.mapped_bytes_in(addr, len);
            self.may_expand(more, prot, flags)
        };
        if fits && self.commit(counted).is_ok() {
            return Ok(());
        }
        self.cut(addr);
        self.cut(addr + len);
        Err(Errno::ENOMEM)
    }

    /// The flags of a new row, or why there is none.
    fn row_flags(
        &self,
        file: Option<&F>,
        (prot, flags): (u64, u64),
        range: (u64, u64),
    ) -> Result<u32, Errno> {
        let mut row = MAY_ALL | self.default_flags;
        let mut bit = |map: u64, vm: u32| {
            if flags & map != 0 {
                row |= vm;
            }
        };
        bit(MAP_GROWSDOWN, VM_GROWSDOWN);
        bit(MAP_LOCKED, VM_LOCKED);
        bit(MAP_SYNC, VM_SYNC);
        if self.config.huge_page.is_some() {
            bit(MAP_STACK, VM_NOHUGEPAGE);
        }
        if flags & MAP_LOCKED != 0 && !self.can_lock() {
            return Err(Errno::EPERM);
        }
        if !self.may_lock(range.1, row) {
            return Err(Errno::EAGAIN);
        }
        let mut row = match file {
            Some(file) => flags_with_file(file, (prot, flags), range, row)?,
            None => flags_without_file(flags & MAP_TYPE, flags & MAP_LOCKED != 0, row)?,
        };
        if flags & MAP_NORESERVE != 0 {
            row |= VM_NORESERVE;
        }
        if prot & PROT_WRITE != 0 && row & (VM_NORESERVE | VM_SHARED) == 0 {
            row |= VM_ACCOUNT;
        }
        Ok(row)
    }

    /// A hint as Linux takes it: rounded down, and not too low.
    fn hint(&self, addr: u64) -> u64 {
        let page = addr - addr % self.config.page_size;
        match page {
            0 => 0,
            page => page.max(self.page_align(self.config.min_addr)),
        }
    }

    /// By which offset a new mapping is aligned for huge pages, if at all: private
    /// memory that is whole huge pages and has no hint, and files that are long enough
    /// to have one.
    fn huge_offset(
        &self,
        file: Option<&F>,
        hint: u64,
        len: u64,
        offset: u64,
        flags: u64,
    ) -> Option<u64> {
        let huge = self.config.huge_page?;
        let offset = match file {
            Some(file) => file.is_huge_aligned().then_some(offset)?,
            None if flags & MAP_SHARED != 0 => return None,
            None => (hint == 0 && len.is_multiple_of(huge)).then_some(0)?,
        };
        let covered = offset
            .checked_add(len)?
            .checked_sub(offset.checked_next_multiple_of(huge)?)?;
        (covered >= huge).then_some(offset)
    }

    /// [`huge_offset`](Self::huge_offset) of a row that moves.
    pub(super) fn huge_offset_of(
        &self,
        backing: &Backing<F>,
        hint: u64,
        len: u64,
        offset: u64,
    ) -> Option<u64> {
        match backing {
            Backing::File(file) => self.huge_offset(Some(file), hint, len, offset, 0),
            Backing::Shared { .. } => None,
            Backing::Anonymous => self.huge_offset(None, hint, len, 0, 0),
        }
    }

    /// Whether nothing is mapped in a range.
    pub(super) fn is_unmapped(&self, addr: u64, len: u64) -> bool {
        self.space.regions_in(addr, len).borrowed().next().is_none()
    }

    /// `munmap`. Pages that are not mapped are passed over. O(log n + k).
    ///
    /// # Errors
    /// `EINVAL` for a misaligned address, a length of 0, and a range that is not all user
    /// addresses; `ENOMEM` if a row is cut in two and there may not be one more, or there is
    /// no memory for the books; `EPERM` for what is sealed, and then nothing is unmapped.
    /// And what the host says.
    pub fn munmap<H: Host<F>>(&mut self, addr: u64, len: u64, host: &mut H) -> Result<(), Errno> {
        let room = self.config.end.checked_sub(addr);
        if !self.is_aligned(addr) || room.is_none_or(|room| len > room) || len == 0 {
            return Err(Errno::EINVAL);
        }
        self.unmap(addr, self.page_align(len), host)
    }

    /// `brk`: where the heap ends afterwards. That is `addr`, or, if Linux refuses, where
    /// it ended before: below the start, something in the way or too near below a stack,
    /// beyond the [limits](super::Limits), sealed, no memory, or the host refused.
    /// O(log n + k).
    pub fn brk<H: Host<F>>(&mut self, addr: u64, host: &mut H) -> u64 {
        if self.try_brk(addr, host).is_some() {
            self.brk = addr;
        }
        self.brk
    }

    /// `None` if the end stays where it is.
    fn try_brk<H: Host<F>>(&mut self, addr: u64, host: &mut H) -> Option<()> {
        if addr < self.config.brk {
            return None;
        }
        if addr - self.config.brk > self.config.limits.data {
            return None;
        }
        let (new, old) = (self.page_align(addr), self.page_align(self.brk));
        if new == old {
            return Some(());
        }
        if addr <= self.brk {
            let len = old.checked_sub(new)?;
            if self.is_unmapped(new, len) {
                return None;
            }
            return self.unmap(new, len, host).ok();
        }
        let len = new.checked_sub(old)?;
        let request = Request {
            addr: old,
            len,
            fixed: true,
            low: false,
            huge_offset: None,
        };
        self.unmapped_area(&request).ok()?;
        let prot = (PROT_READ | PROT_WRITE) as u32;
        let flags = MAY_ALL | VM_ACCOUNT | self.default_flags;
        if !self.may_lock(len, flags)
            || !self.may_expand(len, prot, flags)
            || self.commit(len).is_err()
        {
            return None;
        }
        let limit = self
            .next(old)
            .map_or(u64::MAX, |next| self.start_gap(&next));
        let reach = new.checked_add(self.config.page_size)?;
        if reach > limit || self.space.region_count() > self.config.max_map_count {
            return None;
        }
        let heap = mapping((prot, flags), Backing::Anonymous, old, 0);
        self.put(old, len, heap, host).ok()?;
        if flags & VM_LOCKED != 0 {
            self.populate(old, len, host);
        }
        Some(())
    }
}
