//! Moving and growing what is mapped: the bookkeeping of `mremap`.

use super::error::SpaceError;
use super::mapping::{PageMapping, Region};
use super::page::Page;
use super::space::AddrSpace;
use crate::flow::Flow;
use crate::relocate::{Source, overlap, relocated};
use crate::store::RangeStore;

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// Moves what is mapped in `len` bytes at `from` to `to`: regions with their data,
    /// and holes. Each page keeps its offset in its file. Whatever was at `to` is
    /// replaced and reported to `sink`; what is moved is not reported. Where
    /// [`Source::Keep`] is asked for, the range at `from` stays as it is.
    ///
    /// All or nothing as to memory: it is obtained before the first report. If the sink
    /// stops or panics, the target is unmapped as far as [`unmap`](Self::unmap) would be,
    /// and nothing has moved. What is moved is not [`original`](crate::Mapping::original).
    ///
    /// Copies the store: O(n), and its memory twice until the call returns. A range in
    /// which nothing is mapped can be moved too: it leaves the target unmapped, where
    /// Linux says `EFAULT`.
    ///
    /// # Errors
    /// Those of a range, for `from` and then for `to`;
    /// [`Overlap`](SpaceError::Overlap) if a page is in both;
    /// [`ByteLimit`](SpaceError::ByteLimit), [`RegionLimit`](SpaceError::RegionLimit);
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, Source};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::file(Prot::READ, 0, 3, 0), |_| ())?;
    /// space.relocate(0x3000, 0x2000, 0x8000, Source::Remove, |_| ())?;
    /// assert_eq!(space.query(0x8000).unwrap().mapping.offset, 0x1000);
    /// assert_eq!(space.gap_at(0x3000), Some((0x3000, 0x2000)));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn relocate<F: Flow>(
        &mut self,
        from: u64,
        len: u64,
        to: u64,
        source: Source,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.geometry.pages_of(from, len)?;
        let target = self.geometry.pages_of(to, len)?;
        if self.rules.any {
            self.check_reserved(&pages)?;
            self.check_shut(&target)?;
            self.check_sealed(&pages)?;
        }
        if overlap(&pages, &target) {
            return Err(SpaceError::Overlap);
        }
        let kept = self.mapped - self.pages_mapped_in(&target);
        let moved = match source {
            Source::Keep => self.pages_mapped_in(&pages),
            Source::Remove => 0,
        };
        self.check_pages(kept + moved)?;
        let addr = |page| self.geometry.addr(page);
        let store = relocated(&self.store, &pages, &target, source, |value, from, to| {
            PageMapping::new(value.clone().at(addr(from)), addr(to))
        })?;
        self.check_regions(store.len())?;
        // The new store needs nothing any more; reports are those of an unmapping here.
        let relocate = |space: &mut Self| {
            let said = space.unmap_pages(target.clone(), sink)?;
            if !said.stops() {
                space.mapped += moved;
                space.store = store;
            }
            Ok(said)
        };
        if self.rules.any {
            return self.mended(pages, |space| space.mended(target.clone(), relocate));
        }
        relocate(self)
    }

    /// Maps `by` bytes, rounded up, behind the region around `addr` as the region is
    /// mapped: its offset goes on, its data is cloned. Returns the address of the first
    /// new byte. The new pages are not [`original`](crate::Mapping::original), so that
    /// behind an original region they are one of their own. O(log n).
    ///
    /// # Errors
    /// [`ZeroLength`](SpaceError::ZeroLength);
    /// [`NotMapped`](SpaceError::NotMapped) if `addr` is not mapped;
    /// [`OutsideSpace`](SpaceError::OutsideSpace);
    /// [`Exists`](SpaceError::Exists) if something is in the way;
    /// [`ByteLimit`](SpaceError::ByteLimit), [`RegionLimit`](SpaceError::RegionLimit);
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x4000, 0x1000)?;
    /// space.map_at(0x1000, 0x1000, Mapping::file(Prot::READ, 0, 3, 0), |_| ())?;
    /// assert_eq!(space.extend(0x1fff, 0x1000), Ok(0x2000));
    /// assert_eq!(space.query(0x2000).unwrap().len, 0x2000);
    /// assert_eq!(space.extend(0x1000, 0x1001), Err(SpaceError::OutsideSpace));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn extend(&mut self, addr: u64, by: u64) -> Result<u64, SpaceError> {
        let added = self.geometry.pages_for(by)?;
        let around = self
            .geometry
            .page_at(addr)
            .and_then(|page| self.store.get(page));
        let (region, value) = around.ok_or(SpaceError::NotMapped)?;
        let pages = self.geometry.pages_from(region.end, added);
        let pages = pages.ok_or(SpaceError::OutsideSpace)?;
        let value = value.clone();
        if self.rules.any {
            self.check_reserved(&pages)?;
            if value.is_sealed() {
                return Err(SpaceError::Sealed);
            }
        }
        if self.store.overlaps(pages.clone()) {
            return Err(SpaceError::Exists);
        }
        self.put_free(pages, value.anew())?;
        Ok(self.geometry.addr(region.end))
    }
}
