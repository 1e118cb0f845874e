//! Iterators over an address space: regions whole or clipped, and segments.
//!
//! All borrow the space, allocate nothing and are double-ended. Each yields regions
//! with a clone of their data, or, after `borrowed`, with a reference to it.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;

use super::geometry::{Geometry, count};
use super::mapping::{PageMapping, Region};
use super::page::Page;
use super::space::region;
use crate::span::common;
use crate::store::RangeStore;

/// The region that an entry of the store stands for, with its data borrowed.
#[inline]
pub(super) fn view<'a, T>(
    geometry: &Geometry,
    pages: &Range<Page>,
    value: &'a PageMapping<T>,
) -> Region<&'a T> {
    let addr = geometry.addr(pages.start);
    Region {
        addr,
        len: geometry.bytes(count(pages)),
        mapping: value.view(addr),
    }
}

/// Regions of an address space, ascending and double-ended; made by
/// [`AddrSpace::regions`](crate::AddrSpace::regions) and
/// [`AddrSpace::regions_in`](crate::AddrSpace::regions_in).
pub struct Regions<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    entries: S::Entries<'a>,
    geometry: Geometry,
}

impl<'a, T, S> Regions<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    pub(super) fn new(entries: S::Entries<'a>, geometry: Geometry) -> Self {
        Self { entries, geometry }
    }

    /// The same with the data borrowed: no clone is made.
    pub fn borrowed(
        self,
    ) -> impl DoubleEndedIterator<Item = Region<&'a T>> + FusedIterator + Clone {
        let geometry = self.geometry;
        self.entries
            .map(move |(pages, value)| view(&geometry, &pages, value))
    }
}

impl<'a, T, S> Iterator for Regions<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    type Item = Region<T>;

    #[inline]
    fn next(&mut self) -> Option<Region<T>> {
        let (pages, value) = self.entries.next()?;
        Some(region(&self.geometry, &pages, value.clone()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }

    fn fold<A, F: FnMut(A, Region<T>) -> A>(self, init: A, mut f: F) -> A {
        let geometry = self.geometry;
        self.entries.fold(init, |folded, (pages, value)| {
            f(folded, region(&geometry, &pages, value.clone()))
        })
    }
}

impl<'a, T, S> DoubleEndedIterator for Regions<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    #[inline]
    fn next_back(&mut self) -> Option<Region<T>> {
        let (pages, value) = self.entries.next_back()?;
        Some(region(&self.geometry, &pages, value.clone()))
    }
}

/// Regions of a range, clipped to it, ascending and double-ended; made by
/// [`AddrSpace::pieces`](crate::AddrSpace::pieces).
pub struct Pieces<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    entries: S::Entries<'a>,
    geometry: Geometry,
    pages: Range<Page>,
}

impl<'a, T, S> Pieces<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    pub(super) fn new(store: &'a S, geometry: Geometry, pages: Range<Page>) -> Self {
        Self {
            entries: store.overlapping(pages.clone()),
            geometry,
            pages,
        }
    }

    fn piece(&self, (entry, value): (Range<Page>, &'a PageMapping<T>)) -> Region<&'a T> {
        view(&self.geometry, &common(&entry, &self.pages), value)
    }

    fn next_ref(&mut self) -> Option<Region<&'a T>> {
        let entry = self.entries.next()?;
        Some(self.piece(entry))
    }

    fn next_back_ref(&mut self) -> Option<Region<&'a T>> {
        let entry = self.entries.next_back()?;
        Some(self.piece(entry))
    }

    /// The same with the data borrowed: no clone is made.
    pub fn borrowed(
        self,
    ) -> impl DoubleEndedIterator<Item = Region<&'a T>> + FusedIterator + Clone {
        Borrowed(self)
    }
}

/// A part of a range of an address space, as
/// [`AddrSpace::segments`](crate::AddrSpace::segments) yields them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpaceSegment<T = ()> {
    /// Pages with one mapping.
    Region(Region<T>),
    /// Pages that are not mapped.
    Gap {
        /// Address of the first byte.
        addr: u64,
        /// Length in bytes.
        len: u64,
    },
}

impl<T: Clone> SpaceSegment<&T> {
    /// The same with a clone of the data.
    #[must_use]
    pub fn cloned(self) -> SpaceSegment<T> {
        match self {
            Self::Region(region) => SpaceSegment::Region(region.cloned()),
            Self::Gap { addr, len } => SpaceSegment::Gap { addr, len },
        }
    }
}

/// An entry of the store that an end of a [`Segments`] has met, and not yet passed.
type Met<'a, T> = Option<(Range<Page>, &'a PageMapping<T>)>;

/// Regions and gaps of a range, clipped to it, ascending and double-ended; made by
/// [`AddrSpace::segments`](crate::AddrSpace::segments).
pub struct Segments<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    entries: S::Entries<'a>,
    front: Met<'a, T>,
    back: Met<'a, T>,
    geometry: Geometry,
    /// What neither end has passed yet.
    pages: Range<Page>,
}

impl<'a, T, S> Segments<'a, T, S>
where
    T: Clone + PartialEq + 'a,
    S: RangeStore<Page, PageMapping<T>> + 'a,
{
    pub(super) fn new(store: &'a S, geometry: Geometry, pages: Range<Page>) -> Self {
        Self {
            entries: store.overlapping(pages.clone()),
            front: None,
            back: None,
            geometry,
            pages,
        }
    }

    fn gap(&self, pages: &Range<Page>) -> SpaceSegment<&'a T> {
        let (addr, len) = self.geometry.range(pages);
        SpaceSegment::Gap { addr, len }
    }

    fn next_ref(&mut self) -> Option<SpaceSegment<&'a T>> {
        let Range { start, end } = self.pages;
        if start >= end {
            return None;
        }
        let met = self.front.take().or_else(|| self.entries.next());
        let Some((entry, value)) = met.or_else(|| self.back.take()) else {
            self.pages.start = end;
            return Some(self.gap(&(start..end)));
        };
        if entry.start > start {
            self.pages.start = entry.start;
            let gap = self.gap(&(start..entry.start));
            self.front = Some((entry, value));
            return Some(gap);
        }
        self.pages.start = entry.end.min(end);
        let region = view(&self.geometry, &(start..self.pages.start), value);
        Some(SpaceSegment::Region(region))
    }

    fn next_back_ref(&mut self) -> Option<SpaceSegment<&'a T>> {
        let Range { start, end } = self.pages;
        if start >= end {
            return None;
        }
        let met = self.back.take().or_else(|| self.entries.next_back());
        let Some((entry, value)) = met.or_else(|| self.front.take()) else {
            self.pages.end = start;
            return Some(self.gap(&(start..end)));
        };
        if entry.end < end {
            self.pages.end = entry.end;
            let gap = self.gap(&(entry.end..end));
            self.back = Some((entry, value));
            return Some(gap);
        }
        self.pages.end = entry.start.max(start);
        let region = view(&self.geometry, &(self.pages.end..end), value);
        Some(SpaceSegment::Region(region))
    }

    /// The same with the data borrowed: no clone is made.
    pub fn borrowed(
        self,
    ) -> impl DoubleEndedIterator<Item = SpaceSegment<&'a T>> + FusedIterator + Clone {
        Borrowed(self)
    }
}

/// An iterator whose items have their data borrowed.
#[derive(Clone)]
struct Borrowed<I>(I);

/// Iterators that are written once, with the data borrowed.
macro_rules! iterators {
    ($($name:ident: $item:ident;)*) => {$(
        impl<'a, T, S> Iterator for Borrowed<$name<'a, T, S>>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            type Item = $item<&'a T>;

            fn next(&mut self) -> Option<Self::Item> {
                self.0.next_ref()
            }
        }

        impl<'a, T, S> DoubleEndedIterator for Borrowed<$name<'a, T, S>>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.0.next_back_ref()
            }
        }

        impl<'a, T, S> FusedIterator for Borrowed<$name<'a, T, S>>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
        }

        impl<'a, T, S> Iterator for $name<'a, T, S>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            type Item = $item<T>;

            fn next(&mut self) -> Option<Self::Item> {
                Some(self.next_ref()?.cloned())
            }
        }

        impl<'a, T, S> DoubleEndedIterator for $name<'a, T, S>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            fn next_back(&mut self) -> Option<Self::Item> {
                Some(self.next_back_ref()?.cloned())
            }
        }
    )*};
}

iterators! {
    Pieces: Region;
    Segments: SpaceSegment;
}

/// What all these iterators are beside, with the fields that they have.
macro_rules! fused_clone_debug {
    ($($name:ident: $($field:ident)*;)*) => {$(
        impl<'a, T, S> FusedIterator for $name<'a, T, S>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
        }

        impl<'a, T, S> Clone for $name<'a, T, S>
        where
            T: Clone + PartialEq + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            fn clone(&self) -> Self {
                Self {
                    $($field: self.$field.clone(),)*
                }
            }
        }

        /// What is left.
        impl<'a, T, S> fmt::Debug for $name<'a, T, S>
        where
            T: Clone + PartialEq + fmt::Debug + 'a,
            S: RangeStore<Page, PageMapping<T>> + 'a,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }
    )*};
}

fused_clone_debug! {
    Regions: entries geometry;
    Pieces: entries geometry pages;
    Segments: entries geometry pages front back;
}
