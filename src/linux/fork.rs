//! `fork`, and files that become shorter.

use core::cell::Cell;

use super::backing::{Backing, File};
use super::counters::Counters;
use super::errno::Errno;
use super::flags::{MADV_DONTNEED, VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK};
use super::host::{Host, told};
use super::kept::{Anon, Fields, Kept};
use super::mm::{Mm, row_of};
use crate::addr_space::{Page, PageMapping};
use crate::store::RangeStore;

/// Marks that no row has: with them all rows are apart while they change.
const MEANWHILE: u8 = 4;

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// `fork`: the memory of the child. It has what its parent has, but for rows with
    /// `VM_DONTCOPY`, and without locks. What its parent has written to is its own from
    /// here on, which shows in the rows that join later. O(n).
    ///
    /// Both number new shared objects on from the same number: it tells them apart within a
    /// process only.
    ///
    /// What `execve` leaves is an [`Mm`] of its own.
    ///
    /// # Errors
    /// `ENOMEM` without memory for the books, and for a row that commits to more than
    /// there is.
    pub fn fork(&self) -> Result<Self, Errno> {
        let rows = || self.space.regions().borrowed();
        let counts = |flags: u32| flags & (VM_ACCOUNT | VM_DONTCOPY) == VM_ACCOUNT;
        for row in rows().filter(|row| counts(row.mapping.flags)) {
            self.commit(row.len)?;
        }
        if rows().count() >= Anon::MAX as usize / 2 {
            return Err(Errno::ENOMEM);
        }
        let space = self.space.try_clone().map_err(|_| Errno::ENOMEM)?;
        let mut child = Self {
            space,
            config: self.config.clone(),
            brk: self.brk,
            objects: self.objects,
            counters: Counters::default(),
            left_locked: 0,
            anons: 0,
            has_hidden: true,
            has_sealed: self.has_sealed,
            default_flags: 0,
        };
        child.drop_uncopied();
        child.become_forked();
        Ok(child)
    }

    /// Unmaps what a child does not get.
    fn drop_uncopied(&mut self) {
        let mut at = self.space.start();
        while let Some(row) = self.next(at) {
            let (addr, len, end) = (row.addr, row.len, row.end());
            if row.mapping.flags & VM_DONTCOPY != 0 {
                self.drop_pending(addr, len);
            }
            let Some(end) = end else { break };
            at = end;
        }
    }

    /// Makes the rows those of a child. None joins another.
    fn become_forked(&mut self) {
        let parity = Cell::new(0);
        let apart = |mapping: &mut Kept<F>, first: u8| {
            parity.set(1 - parity.get());
            mapping.set_mark(first + parity.get());
        };
        let (start, len) = (self.space.start(), self.space.size());
        self.set(start, len, |mapping| apart(mapping, MEANWHILE));
        let anons = Cell::new(0);
        self.set(start, len, |mapping| {
            mapping.flags &= !VM_LOCKED_MASK;
            let written = mapping.anon().is_some() && mapping.flags & VM_WIPEONFORK == 0;
            mapping.set_anon(written.then(|| Anon::new(anons.get(), true)));
            anons.set(anons.get() + 1);
            apart(mapping, 0);
        });
        self.anons = anons.get();
        for row in self.space.regions().borrowed() {
            let mapping = &row.mapping;
            self.counters.add(row.len, mapping.prot.0, mapping.flags);
        }
    }

    /// What `truncate` of a file to `len` bytes does to the memory of this process: pages
    /// behind the new end are thrown away, private copies too, as `MADV_DONTNEED` does.
    /// The rows stay; a [`fault`](Self::fault) there is a `SIGBUS` from now on. Looks at
    /// every row, O(n).
    ///
    /// # Errors
    /// What the host says; what is below has been thrown away then.
    pub fn truncate<H: Host<F>>(&self, file: &F, len: u64, host: &mut H) -> Result<(), Errno> {
        let kept = len.checked_next_multiple_of(self.config.page_size);
        for row in self.space.regions().borrowed() {
            let Backing::File(of) = row.mapping.data else {
                continue;
            };
            let below = match kept {
                Some(kept) => kept.saturating_sub(row.mapping.offset).min(row.len),
                None => row.len,
            };
            if of != file || below == row.len {
                continue;
            }
            let gone = row_of(
                (row.addr + below, row.len - below),
                &row.mapping.at(below),
                row.mapping.data,
            );
            told::<F, H>(host.advise(&gone, MADV_DONTNEED))?;
        }
        Ok(())
    }
}
