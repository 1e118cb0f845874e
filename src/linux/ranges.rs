//! Calls that look at ranges, or seal them: `msync`, `mincore`, `mseal`.

use super::backing::{Backing, File};
use super::change::Holes;
use super::errno::Errno;
use super::flags::{MS_ASYNC, MS_INVALIDATE, MS_SYNC, VM_LOCKED, VM_SEALED, VM_SHARED};
use super::host::{Host, told};
use super::mm::{Mm, reported};
use crate::addr_space::{Page, PageMapping};
use crate::store::RangeStore;

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `msync`: shared rows of files are written back by the host, with `MS_SYNC`. Pages
    /// that are not mapped are passed over, and are an error in the end. O(log n + k log n).
    ///
    /// # Errors
    /// In the order of Linux's checks: `EINVAL` for an unknown flag, a misaligned address,
    /// `MS_ASYNC` and `MS_SYNC` at once; `ENOMEM` for a range beyond 2^64; `EBUSY` for
    /// `MS_INVALIDATE` of what is locked; `ENOMEM` where a page is not mapped. And what the
    /// host says.
    pub fn msync<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        flags: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        let both = MS_ASYNC | MS_SYNC;
        if flags & !(both | MS_INVALIDATE) != 0 || !self.is_aligned(addr) || flags & both == both {
            return Err(Errno::EINVAL);
        }
        let end = addr
            .checked_add(self.page_align(len))
            .ok_or(Errno::ENOMEM)?;
        self.walk((addr, end), Holes::Pass, |_, part| {
            let row_flags = part.mapping.flags;
            if flags & MS_INVALIDATE != 0 && row_flags & VM_LOCKED != 0 {
                return Err(Errno::EBUSY);
            }
            let file = matches!(part.mapping.data, Backing::File(_));
            if flags & MS_SYNC == 0 || row_flags & VM_SHARED == 0 || !file {
                return Ok(());
            }
            told::<F, H>(host.sync(&reported(part)))
        })
    }

    /// `mincore`, but for its answer: which pages are there, the host knows. O(log n + k).
    ///
    /// # Errors
    /// `EINVAL` for a misaligned address; `ENOMEM` for a range beyond the address space and
    /// a page that is not mapped.
    pub fn mincore(&self, addr: u64, len: u64) -> Result<(), Errno> {
        if !self.is_aligned(addr) {
            return Err(Errno::EINVAL);
        }
        let room = self.config.end.checked_sub(addr).ok_or(Errno::ENOMEM)?;
        if len > room {
            return Err(Errno::ENOMEM);
        }
        let mapped = self.space.check_mapped(addr, self.page_align(len));
        mapped.map_err(|_| Errno::ENOMEM)
    }

    /// `mseal`: what is sealed can never be unmapped, moved, resized, replaced or given
    /// another protection. O(log n + k log n).
    ///
    /// # Errors
    /// `EINVAL` for any flag, a misaligned address, a range beyond 2^64; `ENOMEM` if a page
    /// of it is not mapped, before any is sealed, and for too many rows. And what the host
    /// says.
    pub fn mseal<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        flags: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        let end = self.whole_pages(addr, len).filter(|_| flags == 0);
        let end = end.ok_or(Errno::EINVAL)?;
        if end == addr {
            return Ok(());
        }
        if end > self.config.end || self.space.check_mapped(addr, end - addr).is_err() {
            return Err(Errno::ENOMEM);
        }
        self.walk((addr, end), Holes::Stop, |mm, part| {
            mm.flag(part, part.mapping.flags | VM_SEALED, host)
        })
    }
}
