//! A host of Linux's calls that keeps a list of pages, checks that each action can be
//! done, and refuses one where it is told to.

use std::collections::BTreeMap;
use std::fmt::Debug;

use gaptree::linux::flags::*;
use gaptree::linux::{Backing, Errno, Host, Row};

const PAGE: u64 = 4096;

/// What a [`Pages`] says that refuses: no call of Linux does.
pub const REFUSED: Errno = Errno::new(999);

/// The flags that a host is told of.
const TOLD: u32 = VM_MAYSHARE
    | VM_SEALED
    | VM_LOCKED
    | VM_LOCKONFAULT
    | VM_SEQ_READ
    | VM_RAND_READ
    | VM_DONTCOPY
    | VM_WIPEONFORK
    | VM_DONTDUMP
    | VM_HUGEPAGE
    | VM_NOHUGEPAGE
    | VM_MERGEABLE;

/// Protection, flags, of what, and where in it the page begins.
type Shown<F> = (u32, u32, Backing<F>, u64);

/// Pages by address.
#[derive(Clone, PartialEq, Debug)]
pub struct Pages<F> {
    pages: BTreeMap<u64, Shown<F>>,
    /// How many actions there were.
    pub actions: u64,
    /// How many more it does; it refuses the one after that, if any.
    pub budget: Option<u64>,
}

impl<F> Default for Pages<F> {
    fn default() -> Self {
        Self {
            pages: BTreeMap::new(),
            actions: 0,
            budget: None,
        }
    }
}

/// The pages of a row.
fn pages<F: Clone>(row: &Row<'_, F>) -> impl Iterator<Item = (u64, Shown<F>)> {
    let flags = row.flags & TOLD;
    (0..row.len).step_by(PAGE as usize).map(move |distance| {
        let offset = match row.backing {
            Backing::Anonymous => 0,
            _ => row.offset + distance,
        };
        let shown = (row.prot, flags, row.backing.clone(), offset);
        (row.addr + distance, shown)
    })
}

impl<F: Clone + PartialEq + Debug> Pages<F> {
    /// The pages of these rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = Row<'a, F>>) -> Self
    where
        F: 'a,
    {
        let mut host = Self::default();
        for row in rows {
            host.put(&row);
        }
        host
    }

    /// Whether the pages of these rows, ascending, are all that it has.
    pub fn are<'a>(&self, rows: impl IntoIterator<Item = Row<'a, F>>) -> bool
    where
        F: 'a,
    {
        let mut ours = self.pages.iter();
        let all = rows
            .into_iter()
            .all(|row| pages(&row).all(|(addr, shown)| ours.next() == Some((&addr, &shown))));
        all && ours.next().is_none()
    }

    fn act(&mut self) -> Result<(), Errno> {
        if self.budget == Some(0) {
            return Err(REFUSED);
        }
        self.budget = self.budget.map(|left| left - 1);
        self.actions += 1;
        Ok(())
    }

    /// Takes pages out that must be there.
    fn take(&mut self, row: &Row<'_, F>) {
        for (addr, page) in pages(row) {
            assert_eq!(self.pages.remove(&addr), Some(page), "page {addr:x}");
        }
    }

    /// Puts pages in where there must be none.
    fn put(&mut self, row: &Row<'_, F>) {
        for (addr, page) in pages(row) {
            assert_eq!(self.pages.insert(addr, page), None, "page {addr:x}");
        }
    }
}

impl<F: Clone + PartialEq + Debug> Host<F> for Pages<F> {
    fn map(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        self.act()?;
        self.put(row);
        Ok(())
    }

    fn unmap(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        self.act()?;
        self.take(row);
        Ok(())
    }

    fn protect(&mut self, row: &Row<'_, F>, prot: u32) -> Result<(), Errno> {
        self.act()?;
        assert_ne!(row.prot, prot, "a protection that it has already");
        self.take(row);
        self.put(&Row { prot, ..*row });
        Ok(())
    }

    fn flag(&mut self, row: &Row<'_, F>, flags: u32) -> Result<(), Errno> {
        self.act()?;
        assert_ne!(row.flags, flags, "flags that it has already");
        self.take(row);
        self.put(&Row { flags, ..*row });
        Ok(())
    }

    fn advise(&mut self, row: &Row<'_, F>, _: u64) -> Result<(), Errno> {
        self.sync(row)
    }

    fn sync(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        self.act()?;
        self.take(row);
        self.put(row);
        Ok(())
    }

    fn relocate(&mut self, from: &Row<'_, F>, to: &Row<'_, F>, keep: bool) -> Result<(), Errno> {
        self.act()?;
        self.take(from);
        if keep {
            self.put(from);
        }
        self.put(to);
        Ok(())
    }
}
