//! What the limits of a process allow.

use super::backing::{Backing, File};
use super::counters::{Counters, is_data};
use super::errno::Errno;
use super::flags::{VM_ACCOUNT, VM_LOCKED};
use super::mm::Mm;
use crate::addr_space::{Page, PageMapping};
use crate::store::RangeStore;

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// How much memory the process has. Constant time.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the limits of a process allow this much memory more: `may_expand_vm`.
    pub(super) fn may_expand(&self, len: u64, prot: u32, flags: u32) -> bool {
        let limits = &self.config.limits;
        let pages = |bytes: u64| bytes / self.config.page_size;
        let fits = |used: u64, limit: u64| pages(used) + pages(len) <= pages(limit);
        fits(self.counters.size, limits.address_space)
            && (!is_data(prot, flags) || fits(self.counters.data, limits.data))
    }

    /// Whether the limits allow that this much memory more is locked, if it would be.
    pub(super) fn may_lock(&self, len: u64, flags: u32) -> bool {
        let limits = &self.config.limits;
        let pages = |bytes: u64| bytes / self.config.page_size;
        flags & VM_LOCKED == 0
            || limits.locks_anything
            || pages(self.counters.locked) + pages(len) <= pages(limits.locked)
    }

    /// How much of a range counts as committed; not looked at without a limit.
    pub(super) fn committed_in(&self, addr: u64, len: u64) -> u64 {
        if self.config.memory == u64::MAX {
            return 0;
        }
        self.bytes_with(VM_ACCOUNT, addr, len)
    }

    /// How much of a range has a flag.
    pub(super) fn bytes_with(&self, flag: u32, addr: u64, len: u64) -> u64 {
        let end = addr.saturating_add(len);
        let rows = self.space.regions_in(addr, len).borrowed();
        let rows = rows.filter(|row| row.mapping.flags & flag != 0);
        let clipped = rows.map(|row| {
            let reach = row.end().map_or(end, |reach| reach.min(end));
            reach - row.addr.max(addr)
        });
        clipped.sum()
    }

    /// Refuses a single commitment of more than there is.
    pub(super) fn commit(&self, len: u64) -> Result<(), Errno> {
        if len > self.config.memory {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}
