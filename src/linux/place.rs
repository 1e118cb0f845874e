//! Where Linux maps what may go anywhere.

use super::backing::{Backing, File};
use super::config::Layout;
use super::errno::Errno;
use super::flags::VM_GROWSDOWN;
use super::mm::Mm;
use crate::addr_space::{MapOptions, Page, PageMapping, Placement, Region};
use crate::store::RangeStore;

/// A call that leaves the address open, or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// The address to take: `fixed`, or if it is free. 0 is none.
    pub(super) addr: u64,
    /// Length in bytes, whole pages.
    pub(super) len: u64,
    pub(super) fixed: bool,
    /// In the first 2 GiB (`MAP_32BIT`).
    pub(super) low: bool,
    /// Where in its file it begins, if it is aligned for huge pages by that.
    pub(super) huge_offset: Option<u64>,
}

/// The range of `MAP_32BIT`.
const LOW: (u64, u64) = (0x4000_0000, 0x8000_0000);

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// The address of a mapping, or why there is none: `get_unmapped_area`.
    pub(super) fn unmapped_area(&self, request: &Request) -> Result<u64, Errno> {
        let end = self.config.end;
        let room = end.checked_sub(request.len).ok_or(Errno::ENOMEM)?;
        let addr = if request.fixed {
            // Linux takes the last 4,095 addresses for the errors that they are as negative
            // numbers.
            let number = request.addr.wrapping_neg();
            if (1..=4095).contains(&number) {
                return Err(Errno::new(number as i32));
            }
            request.addr
        } else {
            self.search(request).ok_or(Errno::ENOMEM)?
        };
        if addr > room {
            return Err(Errno::ENOMEM);
        }
        if !self.is_aligned(addr) {
            return Err(Errno::EINVAL);
        }
        if addr < self.config.min_addr && !self.config.maps_low {
            return Err(Errno::EPERM);
        }
        Ok(addr)
    }

    /// The search, with the alignment for huge pages: more room is searched for, and in
    /// that is an aligned place.
    fn search(&self, request: &Request) -> Option<u64> {
        let aligned = request.huge_offset.zip(self.config.huge_page);
        if let Some((offset, huge)) = aligned {
            let padded = Request {
                len: request.len.checked_add(huge)?,
                ..*request
            };
            match self.plain(&padded) {
                Some(start) if start == request.addr => return Some(start),
                Some(start) => {
                    let up = offset.wrapping_sub(start) & (huge - 1);
                    let down = self.config.layout == Layout::TopDown;
                    return Some(start + if up == 0 && down { huge } else { up });
                }
                None => {}
            }
        }
        self.plain(request)
    }

    fn plain(&self, request: &Request) -> Option<u64> {
        let Request { addr, len, low, .. } = *request;
        if self.config.layout == Layout::TopDown && !low {
            if addr != 0 && self.is_free(addr, len, self.config.end) {
                return Some(addr);
            }
            let (least, base) = (self.lowest_addr(), self.config.base);
            if let Some(found) = self.downwards(least, base, len) {
                return Some(found);
            }
        }
        let (begin, end) = if low {
            LOW
        } else {
            (self.config.legacy_base, self.config.end)
        };
        if addr != 0 && self.is_free(addr, len, end) {
            return Some(addr);
        }
        self.upwards(begin.max(self.lowest_addr()), end, len)
    }

    /// Where nothing is placed below, whoever asks.
    fn lowest_addr(&self) -> u64 {
        self.config.min_addr.max(self.config.page_size)
    }

    /// Whether a hint is taken.
    fn is_free(&self, addr: u64, len: u64, end: u64) -> bool {
        let Some(reach) = addr.checked_add(len).filter(|&reach| reach <= end) else {
            return false;
        };
        let next = self.next(addr);
        next.is_none_or(|next| reach <= self.start_gap(&next))
    }

    /// Where a region begins, with the room that is kept free below a stack.
    pub(super) fn start_gap(&self, region: &Region<&Backing<F>>) -> u64 {
        let gap = match region.mapping.flags & VM_GROWSDOWN {
            0 => 0,
            _ => self.config.stack_gap,
        };
        region.addr.saturating_sub(gap)
    }

    /// The highest place between two addresses. Below a stack, the search goes on below
    /// all of its gap, even if other memory is mapped in there.
    fn downwards(&self, least: u64, mut high: u64, len: u64) -> Option<u64> {
        loop {
            let found = self.fit(least, high, len, Placement::Highest)?;
            let end = found + len;
            let limit = self.next(end).map_or(end, |next| self.start_gap(&next));
            if limit >= end {
                return Some(found);
            }
            high = limit;
        }
    }

    /// The lowest place between two addresses. Where it is too near below a stack, the
    /// search goes on behind that.
    fn upwards(&self, mut least: u64, high: u64, len: u64) -> Option<u64> {
        loop {
            let found = self.fit(least, high, len, Placement::Lowest)?;
            let next = self.next(found + len);
            match next.filter(|next| self.start_gap(next) < found + len) {
                Some(next) => least = next.end()?,
                None => return Some(found),
            }
        }
    }

    /// The lowest or highest free place between two addresses.
    fn fit(&self, least: u64, high: u64, len: u64, placement: Placement) -> Option<u64> {
        let options = MapOptions {
            window: Some((least, high.checked_sub(least)?)),
            placement: Some(placement),
            ..MapOptions::default()
        };
        self.space.find_free(len, &options).ok()
    }
}
