//! Subjects: this library's address space, in bytes and with its own value.

use std::fmt;

use gaptree::{
    AddrSpace, BTreeStore, HolePolicy, MapOptions, Mapping, OffsetRule, Page, PageMapping,
    Placement, Prot, RangeStore,
};
use reference::ReferenceStore;

use crate::subject::{PAGES, Place, Side, Subject};
use crate::value::Value;

/// The page size in bytes, as a shift.
const SHIFT: u32 = 12;

/// What [`Subject::allocate_random`] starts its sequence from.
const SEED: u64 = 1;

/// `AddrSpace` on an engine.
#[derive(Clone)]
pub struct Space<S>(AddrSpace<(), S>);

impl<S> fmt::Debug for Space<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Space")
    }
}

/// An engine under an address space, and what it is called in tables.
pub trait SpaceEngine: RangeStore<Page, PageMapping> {
    /// The name of the address space on this engine.
    const NAME: &'static str;
    /// Whose it is.
    const SIDE: Side;
}

impl SpaceEngine for BTreeStore<Page, PageMapping> {
    const NAME: &'static str = "addr-space";
    const SIDE: Side = Side::Ours;
}

impl SpaceEngine for ReferenceStore<Page, PageMapping> {
    const NAME: &'static str = "reference-space";
    const SIDE: Side = Side::Oracle;
}

fn mapping(value: Value) -> Mapping {
    Mapping {
        prot: Prot(value.prot),
        flags: value.flags,
        fd: value.fd,
        offset: value.offset,
        offset_rule: OffsetRule::Verbatim,
        original: value.original,
        ..Mapping::anonymous(Prot::NONE, 0)
    }
}

fn options(place: &Place) -> MapOptions {
    let placement = if place.highest {
        Placement::Highest
    } else {
        Placement::Lowest
    };
    let (low, high) = place.window;
    MapOptions {
        hint: None,
        window: Some((low << SHIFT, (high - low) << SHIFT)),
        align: place.align << SHIFT,
        placement: Some(placement),
        ..MapOptions::default()
    }
}

impl<S: SpaceEngine> Subject for Space<S> {
    const NAME: &'static str = S::NAME;
    const SIDE: Side = S::SIDE;
    const INDEXED: bool = matches!(S::SIDE, Side::Ours);
    const RANDOM: bool = true;
    const SHIFTS: bool = matches!(S::SIDE, Side::Oracle);

    fn new() -> Self {
        let mut space = AddrSpace::with_engine(0, PAGES << SHIFT, 1 << SHIFT).expect("a space");
        space.set_placement(Placement::Random(SEED));
        Self(space)
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        Some(self.0.query(page << SHIFT)?.addr >> SHIFT)
    }

    #[inline]
    fn insert(&mut self, start: u64, end: u64, value: Value) {
        let done = self.0.map_at(
            start << SHIFT,
            (end - start) << SHIFT,
            mapping(value),
            |_| (),
        );
        done.expect("inside the space");
    }

    #[inline]
    fn remove(&mut self, start: u64, end: u64) {
        let done = self.0.unmap(start << SHIFT, (end - start) << SHIFT, |_| ());
        done.expect("inside the space");
    }

    #[inline]
    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        let (addr, len) = (start << SHIFT, (end - start) << SHIFT);
        let done = self
            .0
            .protect(addr, len, Prot(prot), HolePolicy::Skip, |_| ());
        done.expect("inside the space");
    }

    #[inline]
    fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
        for region in self.0.regions_in(start << SHIFT, (end - start) << SHIFT) {
            let start = region.addr >> SHIFT;
            let end = start + (region.len >> SHIFT);
            if !f(start, end, region.mapping.prot.0) {
                break;
            }
        }
    }

    #[inline]
    fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
        self.0.regions().for_each(|region| {
            let Mapping {
                prot,
                flags,
                fd,
                offset,
                ..
            } = region.mapping;
            let start = region.addr >> SHIFT;
            let end = start + (region.len >> SHIFT);
            f(start, end, Value::new(prot.0, flags, fd, offset));
        });
    }

    #[inline]
    fn find_gap(&self, place: &Place) -> Option<u64> {
        let found = self.0.find_free(place.len << SHIFT, &options(place));
        found.ok().map(|addr| addr >> SHIFT)
    }

    #[inline]
    fn allocate(&mut self, place: &Place, value: Value) -> Option<u64> {
        let options = options(place);
        let found = self
            .0
            .map_any_with(place.len << SHIFT, mapping(value), &options);
        found.ok().map(|addr| addr >> SHIFT)
    }

    #[inline]
    fn allocate_random(&mut self, place: &Place, value: Value) -> Option<u64> {
        let options = MapOptions {
            placement: None,
            ..options(place)
        };
        let found = self
            .0
            .map_any_with(place.len << SHIFT, mapping(value), &options);
        found.ok().map(|addr| addr >> SHIFT)
    }

    #[inline]
    fn check_access(&self, start: u64, end: u64, prot: u32) -> Option<u64> {
        let (addr, len) = (start << SHIFT, (end - start) << SHIFT);
        let allow = |mapping: &Mapping| mapping.prot.contains(Prot(prot));
        let checked = self.0.check_access(addr, len, allow);
        checked.err().map(|addr| addr >> SHIFT)
    }
}
