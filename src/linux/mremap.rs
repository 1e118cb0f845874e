//! `mremap`, as Linux 6.17 and later have it.

use super::backing::{Backing, File};
use super::errno::Errno;
use super::flags::{
    MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, VM_ACCOUNT, VM_DONTEXPAND, VM_LOCKED,
    VM_LOCKED_MASK, VM_MAYBE_GUARD, VM_MAYSHARE, VM_PFNMAP, VM_SEALED,
};
use super::host::{Host, told};
use super::kept::{Fields, Kept};
use super::mm::{Mm, refusal, reported, row_of};
use super::place::Request;
use crate::addr_space::{HolePolicy, Page, PageMapping, Region};
use crate::store::RangeStore;

/// A call, its lengths in whole pages.
#[derive(Clone, Copy, Debug)]
struct Remap {
    addr: u64,
    old_len: u64,
    new_len: u64,
    flags: u64,
    new_addr: u64,
}

impl Remap {
    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether it says where to go, or at least that it does.
    fn moves(&self) -> bool {
        self.has(MREMAP_FIXED | MREMAP_DONTUNMAP)
    }
}

/// What does not grow, and does not stay without its pages.
const FIXED: u32 = VM_DONTEXPAND | VM_PFNMAP;

/// Refuses a row because of its flags, whatever the call does to it.
fn check_flags(call: &Remap, flags: u32) -> Result<(), Errno> {
    if flags & VM_SEALED != 0 {
        return Err(Errno::EPERM);
    }
    if call.has(MREMAP_DONTUNMAP) && flags & FIXED != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `mremap`: the address of the range afterwards. O(log n + k).
    ///
    /// With `MREMAP_FIXED` and equal lengths, several rows and the holes between them are
    /// moved, one row after the other; an error stops that, and what has moved stays
    /// moved. What is mapped at the target is unmapped where a row goes.
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for an unknown flag, a misaligned address,
    /// a new length of 0 or beyond the address space; for a target that is outside,
    /// misaligned, overlapping, without `MREMAP_MAYMOVE`, or with `MREMAP_DONTUNMAP` and
    /// another length; `ENOMEM` for too many rows; `EFAULT` if the address is not mapped;
    /// `EPERM` for what is sealed;
    /// `EINVAL` for an old length of 0 of private memory; `EFAULT` for a range that is not
    /// inside one row, but one that shrinks; `EAGAIN` for more than may be locked; `ENOMEM`
    /// beyond the [limits](super::Limits), if it cannot grow where it is and must not move,
    /// or nothing is free; `EPERM` for a target below
    /// [`min_addr`](super::Config::min_addr). And what the host says.
    pub fn mremap<H: Host<F>>(
        &mut self,
        addr: u64,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new_addr: u64,
        host: &mut H,
    ) -> Result<u64, Errno> {
        let call = Remap {
            addr,
            old_len: self.page_align(old_len),
            new_len: self.page_align(new_len),
            flags,
            new_addr,
        };
        self.check_arguments(&call)?;
        if call.has(MREMAP_FIXED) && call.old_len == call.new_len {
            return self.move_rows(call, host);
        }
        self.check_row(&call)?;
        if call.moves() {
            return self.move_to(call, host);
        }
        if call.new_len <= call.old_len {
            if call.new_len < call.old_len {
                self.shrink(&call, host)?;
            }
            return Ok(addr);
        }
        self.grow(&call, host)
    }

    fn check_arguments(&self, call: &Remap) -> Result<(), Errno> {
        let known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
        let Remap {
            addr,
            old_len,
            new_len,
            new_addr,
            ..
        } = *call;
        let room = self.config.end.checked_sub(new_len);
        let Some(room) = room.filter(|_| !call.has(!known) && self.is_aligned(addr) && new_len > 0)
        else {
            return Err(Errno::EINVAL);
        };
        if !call.moves() {
            return Ok(());
        }
        let resized = call.has(MREMAP_DONTUNMAP) && old_len != new_len;
        let old_end = addr.wrapping_add(old_len);
        if new_addr > room
            || !self.is_aligned(new_addr)
            || !call.has(MREMAP_MAYMOVE)
            || resized
            || old_end > new_addr && new_addr + new_len > addr
        {
            return Err(Errno::EINVAL);
        }
        if self.space.region_count() + 2 >= self.config.max_map_count.saturating_sub(3) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// The row around an address.
    fn region(&self, addr: u64) -> Result<Region<Backing<F>>, Errno> {
        self.space.query(addr).ok_or(Errno::EFAULT)
    }

    /// Refuses a range that is not one row's.
    fn check_row(&self, call: &Remap) -> Result<(), Errno> {
        let region = self.space.query_ref(call.addr).ok_or(Errno::EFAULT)?;
        let Remap {
            addr,
            old_len,
            new_len,
            ..
        } = *call;
        let mapping = region.mapping;
        check_flags(call, mapping.flags)?;
        if !call.moves() && new_len <= old_len {
            return Ok(());
        }
        if old_len == 0 && mapping.flags & VM_MAYSHARE == 0 {
            return Err(Errno::EINVAL);
        }
        let before = addr - region.addr;
        // What is cut off may be of other rows.
        if old_len.min(new_len) > region.len - before {
            return Err(Errno::EFAULT);
        }
        if new_len <= old_len {
            return Ok(());
        }
        if mapping
            .offset
            .wrapping_add(before)
            .checked_add(new_len)
            .is_none()
        {
            return Err(Errno::EINVAL);
        }
        if mapping.flags & FIXED != 0 {
            return Err(Errno::EFAULT);
        }
        let more = new_len - old_len;
        if !self.may_lock(more, mapping.flags) {
            return Err(Errno::EAGAIN);
        }
        if !self.may_expand(more, mapping.prot.0, mapping.flags) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn shrink<H: Host<F>>(&mut self, call: &Remap, host: &mut H) -> Result<(), Errno> {
        self.munmap(call.addr + call.new_len, call.old_len - call.new_len, host)
    }

    /// Grows in place, or where there is room.
    fn grow<H: Host<F>>(&mut self, call: &Remap, host: &mut H) -> Result<u64, Errno> {
        let Remap {
            addr,
            old_len,
            new_len,
            ..
        } = *call;
        let region = self.region(addr)?;
        let more = new_len - old_len;
        if region.end() == Some(addr + old_len) {
            let start = addr + old_len;
            let fits = self.config.end.checked_sub(start);
            let fits = fits.is_some_and(|room| more <= room);
            if fits && self.is_unmapped(start, more) {
                let mapping = region.mapping.at(start - region.addr);
                let flags = mapping.flags;
                if flags & VM_ACCOUNT != 0 {
                    self.commit(more)?;
                }
                self.put(start, more, mapping, host)?;
                if flags & VM_LOCKED != 0 {
                    self.populate(start, more, host);
                }
                return Ok(addr);
            }
        }
        if !call.has(MREMAP_MAYMOVE) {
            return Err(Errno::ENOMEM);
        }
        let to = self.target(call, &region)?;
        self.move_row(call, region, to, host)
    }

    /// Moves with a target that the call names, if only as a hint.
    fn move_to<H: Host<F>>(&mut self, mut call: Remap, host: &mut H) -> Result<u64, Errno> {
        if call.has(MREMAP_FIXED) {
            self.unmap(call.new_addr, call.new_len, host)?;
        }
        let mut region = self.region(call.addr)?;
        if call.new_len < call.old_len {
            self.shrink(&call, host)?;
            call.old_len = call.new_len;
            region = self.region(call.addr)?;
        }
        if call.has(MREMAP_DONTUNMAP)
            && !self.may_expand(call.old_len, region.mapping.prot.0, region.mapping.flags)
        {
            return Err(Errno::ENOMEM);
        }
        let to = self.target(&call, &region)?;
        self.move_row(&call, region, to, host)
    }

    /// Moves all rows of a range, and the holes between them.
    fn move_rows<H: Host<F>>(&mut self, call: Remap, host: &mut H) -> Result<u64, Errno> {
        let end = call.addr.wrapping_add(call.old_len);
        let mut from = call.addr;
        let mut moved = None;
        while from < end {
            let next = self.space.regions_in(from, end - from).borrowed().next();
            let Some(next) = next else { break };
            if moved.is_none() && next.addr > from {
                break;
            }
            check_flags(&call, next.mapping.flags)?;
            from = next.addr.max(from);
            let len = next.end().map_or(end, |reach| reach.min(end)) - from;
            let new_addr = call.new_addr + (from - call.addr);
            let row = Remap {
                addr: from,
                old_len: len,
                new_len: len,
                new_addr,
                ..call
            };
            let to = self.move_to(row, host)?;
            moved = moved.or(Some(to));
            from += len;
        }
        moved.ok_or(Errno::EFAULT)
    }

    /// Where a row goes.
    fn target(&self, call: &Remap, region: &Region<Backing<F>>) -> Result<u64, Errno> {
        let addr = if call.moves() { call.new_addr } else { 0 };
        let offset = region.mapping.offset.wrapping_add(call.addr - region.addr);
        self.unmapped_area(&Request {
            addr,
            len: call.new_len,
            fixed: call.has(MREMAP_FIXED),
            low: false,
            huge_offset: self.huge_offset_of(&region.mapping.data, addr, call.new_len, offset),
        })
    }

    /// Moves a range of one row to a free one. The old range and the new are marked
    /// first, each an entry of its own; so what follows needs no memory.
    fn move_row<H: Host<F>>(
        &mut self,
        call: &Remap,
        region: Region<Backing<F>>,
        to: u64,
        host: &mut H,
    ) -> Result<u64, Errno> {
        let Remap {
            addr,
            old_len,
            new_len,
            ..
        } = *call;
        if self.space.region_count() >= self.config.max_map_count.saturating_sub(3) {
            return Err(Errno::ENOMEM);
        }
        let keep = call.has(MREMAP_DONTUNMAP) || old_len == 0;
        let (prot, flags) = (region.mapping.prot.0, region.mapping.flags);
        if flags & VM_ACCOUNT != 0 {
            self.commit(if keep { new_len } else { new_len - old_len })?;
        }
        let (start, end, region_len) = (region.addr, region.end(), region.len);
        let moved = region.mapping.at(addr - start);
        let mut marked = moved.clone();
        marked.set_pending(true);
        if matches!(moved.data, Backing::Anonymous) && moved.anon().is_none() {
            marked.offset = to;
        }
        let put = self.space.map_fixed_noreplace(to, new_len, marked);
        put.map_err(refusal)?;
        if !keep && let Err(error) = self.mark(addr, old_len) {
            self.drop_pending(to, new_len);
            return Err(error);
        }
        let [from_row, to_row] =
            [(addr, old_len), (to, new_len)].map(|range| row_of(range, &moved, &moved.data));
        // The two may touch and be one entry: the new one is cut off before the old is
        // what it was.
        let stay = |mm: &mut Self| {
            mm.drop_pending(to, new_len);
            if !keep {
                mm.unmark(addr, old_len);
            }
        };
        self.ask(stay, || match host.relocate(&from_row, &to_row, keep) {
            Err(errno) if H::CAN_REFUSE => Err(errno),
            _ => Ok(()),
        })?;
        self.counters.add(new_len, prot, flags);
        if !keep {
            self.drop_pending(addr, old_len);
            self.counters.sub(old_len, prot, flags);
        }
        self.unmark(to, new_len);
        self.join(to);
        self.join(to + new_len);
        if !keep && (end == Some(to) || to + new_len == start) {
            let rests = [(start, addr), (addr + old_len, start + region_len)];
            self.spread(to, rests);
        }
        if call.has(MREMAP_DONTUNMAP) {
            self.leave(addr, old_len, host)?;
        }
        if flags & VM_LOCKED != 0 && new_len > old_len {
            self.populate(to + old_len, new_len - old_len, host);
        }
        Ok(to)
    }

    /// Where a row moves to its own end, Linux joins it there, and what follows, before it
    /// cuts the old range out: what is left of the old row has what the whole had.
    fn spread(&mut self, to: u64, rests: [(u64, u64); 2]) {
        let Some(joined) = self.space.query_ref(to) else {
            return;
        };
        let (anon, guards) = (joined.mapping.anon(), joined.mapping.flags & VM_MAYBE_GUARD);
        if !matches!(joined.mapping.data, Backing::Anonymous) || anon.is_none() && guards == 0 {
            return;
        }
        let joined = joined.addr;
        for (from, until) in rests {
            let rest = self.space.query_ref(from).filter(|_| from < until);
            if rest.is_none_or(|rest| rest.addr == joined || rest.mapping.anon().is_some()) {
                continue;
            }
            self.set_apart(from, until - from, |mapping| {
                mapping.set_anon(anon);
                mapping.flags |= guards;
            });
        }
    }

    /// What stays of a row whose pages have moved is not locked any more, all of the row,
    /// but Linux counts it as locked. If all of it moved, nobody has written to it.
    fn leave<H: Host<F>>(&mut self, addr: u64, len: u64, host: &mut H) -> Result<(), Errno> {
        let Some(row) = self.space.query(addr) else {
            return Ok(());
        };
        let written = row.mapping.anon().is_some();
        if (row.addr, row.len) == (addr, len) && written {
            self.set_apart(row.addr, row.len, |mapping| mapping.set_anon(None));
        }
        let flags = row.mapping.flags & !VM_LOCKED_MASK;
        if flags == row.mapping.flags {
            return Ok(());
        }
        told::<F, H>(host.flag(&reported(&row), flags))?;
        if flags & VM_LOCKED != row.mapping.flags & VM_LOCKED {
            self.left_locked = self.left_locked.saturating_add(row.len);
        }
        self.set_apart(row.addr, row.len, |mapping| mapping.flags = flags);
        Ok(())
    }

    /// Marks a range of one row.
    fn mark(&mut self, addr: u64, len: u64) -> Result<(), Errno> {
        let mark = |_, mapping: &mut Kept<F>| mapping.set_pending(true);
        let marked = self.space.update(addr, len, HolePolicy::Skip, mark);
        marked.map_err(refusal)
    }
}
