//! Which rows that touch are one. The books join what is equal; here is the rest: what
//! Linux joins although one was written to and the other was not, and what it keeps apart
//! although it is equal.

use super::backing::{Backing, File};
use super::errno::Errno;
use super::flags::VM_MAYBE_GUARD;
use super::kept::{Anon, Fields, Kept, MARKS};
use super::mm::Mm;
use crate::addr_space::{HolePolicy, Page, PageMapping, Region};
use crate::store::RangeStore;

/// Whether the second goes on where the first ends, in memory and in its file.
fn continues<F>(first: &Region<&Backing<F>>, second: &Region<&Backing<F>>) -> bool {
    let offset = first.mapping.offset.wrapping_add(first.len);
    first.end() == Some(second.addr) && offset == second.mapping.offset
}

/// Whether the two are one row, but for who wrote to them.
fn is_one<F: File>(first: &Region<&Backing<F>>, second: &Region<&Backing<F>>) -> bool {
    let (one, other) = (&first.mapping, &second.mapping);
    one.prot == other.prot
        && (one.flags ^ other.flags) & !VM_MAYBE_GUARD == 0
        && continues(first, second)
        && one.data == other.data
}

/// Who wrote to a row that two become; `None` if they stay two.
fn joined(one: Option<Anon>, other: Option<Anon>) -> Option<Option<Anon>> {
    match (one, other) {
        (Some(anon), None) | (None, Some(anon)) => (!anon.is_forked()).then_some(Some(anon)),
        _ => (one == other).then_some(one),
    }
}

/// The lowest mark that no neighbour has.
fn other_mark(neighbours: [Option<u8>; 2]) -> u8 {
    let mark = (0..MARKS).find(|&mark| !neighbours.contains(&Some(mark)));
    mark.unwrap_or_default()
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// The region that ends at an address.
    fn before(&self, addr: u64) -> Option<Region<&Backing<F>>> {
        let region = self.space.query_ref(addr.checked_sub(1)?)?;
        (region.end() == Some(addr)).then_some(region)
    }

    /// The region that begins at an address.
    fn behind(&self, addr: u64) -> Option<Region<&Backing<F>>> {
        let region = self.space.query_ref(addr)?;
        (region.addr == addr).then_some(region)
    }

    /// Makes the regions on both sides of an address one, if Linux does where one of
    /// them has changed.
    pub(super) fn join(&mut self, addr: u64) {
        if !self.has_hidden {
            return;
        }
        let (Some(left), Some(right)) = (self.before(addr), self.behind(addr)) else {
            return;
        };
        let anon = joined(left.mapping.anon(), right.mapping.anon());
        let Some(anon) = anon.filter(|_| is_one(&left, &right)) else {
            return;
        };
        let guards = (left.mapping.flags | right.mapping.flags) & VM_MAYBE_GUARD;
        let (start, len) = (left.addr, left.len + right.len);
        self.set_apart(start, len, |mapping| {
            mapping.flags |= guards;
            mapping.set_anon(anon);
        });
    }

    /// Changes whole regions without the host, and joins none of their neighbours.
    pub(super) fn set_apart(&mut self, addr: u64, len: u64, change: impl Fn(&mut Kept<F>)) {
        let mark_of =
            |region: Option<Region<&Backing<F>>>| region.map(|region| region.mapping.mark());
        let taken = [mark_of(self.before(addr)), mark_of(self.behind(addr + len))];
        let mark = other_mark(taken);
        self.has_hidden = true;
        self.set(addr, len, |mapping| {
            change(mapping);
            mapping.set_mark(mark);
        });
    }

    /// Prepares a region to grow down to an address without joining what ends there.
    pub(super) fn part_from(&mut self, down_to: u64, start: u64) {
        let (Some(below), Some(region)) = (self.before(down_to), self.behind(start)) else {
            return;
        };
        let mark = below.mapping.mark();
        if region.mapping.mark() != mark {
            return;
        }
        let len = region.len;
        let behind = self.behind(start + len).map(|behind| behind.mapping.mark());
        let mark = other_mark([Some(mark), behind]);
        self.has_hidden = true;
        self.set(start, len, |mapping| mapping.set_mark(mark));
    }

    /// Keeps what a region has from an address on apart from what is before it: a row
    /// that Linux has cut and not changed. Without memory for that it stays one.
    pub(super) fn cut(&mut self, addr: u64) {
        let Some(region) = self
            .space
            .query_ref(addr)
            .filter(|region| region.addr < addr)
        else {
            return;
        };
        let (Some(end), mark) = (region.end(), region.mapping.mark()) else {
            return;
        };
        let taken = self.behind(end).map(|next| next.mapping.mark());
        let mark = other_mark([Some(mark), taken]);
        self.has_hidden = true;
        let change = |_, mapping: &mut Kept<F>| mapping.set_mark(mark);
        let _ = self
            .space
            .update(addr, end - addr, HolePolicy::Skip, change);
    }

    /// Whether a part of a region would join a neighbour if it were so.
    pub(super) fn would_join(&self, part: &Region<&Backing<F>>) -> bool {
        let joins = |first: &Region<&Backing<F>>, second: &Region<&Backing<F>>| {
            is_one(first, second) && joined(first.mapping.anon(), second.mapping.anon()).is_some()
        };
        let before = self.before(part.addr);
        let behind = part.end().and_then(|end| self.behind(end));
        before.is_some_and(|before| joins(&before, part))
            || behind.is_some_and(|behind| joins(part, &behind))
    }

    /// A write to memory that is private: whoever wrote to a neighbour that only the
    /// protection keeps apart has written here too, else somebody new. No change where
    /// somebody has written before.
    ///
    /// # Errors
    /// `ENOMEM` if there were 2^29 writers and no memory to number them anew.
    pub(super) fn write(&mut self, addr: u64) -> Result<(), Errno> {
        let Some(region) = self.space.query_ref(addr) else {
            return Ok(());
        };
        if region.mapping.anon().is_some() {
            return Ok(());
        }
        let (start, len) = (region.addr, region.len);
        let shares = |first: &Region<&Backing<F>>, second: &Region<&Backing<F>>| {
            let (one, other) = (&first.mapping, &second.mapping);
            (one.flags ^ other.flags) & !VM_MAYBE_GUARD == 0
                && continues(first, second)
                && one.data == other.data
        };
        let anon_of =
            |region: Region<&Backing<F>>| region.mapping.anon().filter(|anon| !anon.is_forked());
        let next = self.behind(start + len);
        let next = next.filter(|next| shares(&region, next));
        let prev = self.before(start).filter(|prev| shares(prev, &region));
        let anon = next.and_then(anon_of).or_else(|| prev.and_then(anon_of));
        let anon = match anon {
            Some(anon) => anon,
            None => self.new_anon(false)?,
        };
        self.set_apart(start, len, |mapping| mapping.set_anon(Some(anon)));
        Ok(())
    }

    /// Somebody who has not written yet.
    pub(super) fn new_anon(&mut self, forked: bool) -> Result<Anon, Errno> {
        if self.anons == Anon::MAX / 2 {
            self.number_anew()?;
        }
        let anon = Anon::new(self.anons, forked);
        self.anons += 1;
        Ok(anon)
    }

    /// Numbers the writers anew that are still there.
    fn number_anew(&mut self) -> Result<(), Errno> {
        let mut known = alloc::vec::Vec::new();
        known
            .try_reserve_exact(self.space.region_count())
            .map_err(|_| Errno::ENOMEM)?;
        let regions = self.space.regions().borrowed();
        known.extend(regions.filter_map(|region| region.mapping.anon()));
        known.sort_unstable();
        known.dedup();
        let count = i32::try_from(known.len()).map_err(|_| Errno::ENOMEM)?;
        if count >= Anon::MAX / 2 {
            return Err(Errno::ENOMEM);
        }
        // In two steps: no number is a new one and an old one at any time.
        let high = Anon::MAX / 2;
        for (from, to) in [(0, high), (high, 0)] {
            self.renumber(|anon| {
                let number = match from {
                    0 => known.binary_search(&anon).map_or(0, |number| number as i32),
                    _ => anon.number() - from,
                };
                Anon::new(number + to, anon.is_forked())
            });
        }
        self.anons = count;
        Ok(())
    }

    fn renumber(&mut self, new: impl Fn(Anon) -> Anon) {
        let (start, len) = (self.space.start(), self.space.size());
        self.set(start, len, |mapping| {
            let anon = mapping.anon().map(&new);
            mapping.set_anon(anon);
        });
    }
}
