//! Subjects: this library's address space, in bytes and with its own value.

use std::fmt;
use std::sync::{Arc, LazyLock};

use gaptree::{
    AddrSpace, BTreeStore, Guard, HolePolicy, MapOptions, Mapping, OffsetRule, Page, PageMapping,
    Placement, Prot, RangeStore,
};
use reference::ReferenceStore;

use crate::subject::{PAGES, Place, Side, Subject};
use crate::value::Value;

/// The page size in bytes, as a shift.
const SHIFT: u32 = 12;

/// What [`Subject::allocate_random`] starts its sequence from.
const SEED: u64 = 1;

/// A kind of address space that is measured.
pub trait Kind: Clone {
    /// Its name in tables.
    const NAME: &'static str;
    /// Whose it is.
    const SIDE: Side;
    /// What each region carries.
    type Data: Clone + PartialEq;
    /// What it is kept in.
    type Engine: RangeStore<Page, PageMapping<Self::Data>> + Clone;

    /// What a new region carries.
    fn data() -> Self::Data;

    /// Makes an empty space what it is to be.
    fn prepare(_: &mut AddrSpace<Self::Data, Self::Engine>) {}
}

/// The default: on the tree, without data.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Kind for Plain {
    const NAME: &'static str = "addr-space";
    const SIDE: Side = Side::Ours;
    type Data = ();
    type Engine = BTreeStore<Page, PageMapping>;

    fn data() {}
}

/// On the reference.
#[derive(Clone, Copy, Debug)]
pub struct Slow;

impl Kind for Slow {
    const NAME: &'static str = "reference-space";
    const SIDE: Side = Side::Oracle;
    type Data = ();
    type Engine = ReferenceStore<Page, PageMapping>;

    fn data() {}
}

/// A file object as data: one object behind a counted pointer, compared by address.
#[derive(Clone, Debug)]
pub struct File(Arc<()>);

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// With a file object for each region.
#[derive(Clone, Copy, Debug)]
pub struct WithFiles;

impl Kind for WithFiles {
    const NAME: &'static str = "addr-space-files";
    const SIDE: Side = Side::Ours;
    type Data = File;
    type Engine = BTreeStore<Page, PageMapping<File>>;

    fn data() -> File {
        static FILE: LazyLock<File> = LazyLock::new(|| File(Arc::new(())));
        FILE.clone()
    }
}

/// With a guard that no region carries: what placement can use is kept beside.
#[derive(Clone, Copy, Debug)]
pub struct WithGuard;

impl Kind for WithGuard {
    const NAME: &'static str = "addr-space-guard";
    const SIDE: Side = Side::Ours;
    type Data = ();
    type Engine = BTreeStore<Page, PageMapping>;

    fn data() {}

    fn prepare(space: &mut AddrSpace) {
        let guard = Guard::below(1 << SHIFT);
        space.set_guard(255, guard).expect("memory");
    }
}

/// An address space of some kind.
#[derive(Clone)]
pub struct Space<X: Kind>(AddrSpace<X::Data, X::Engine>);

impl<X: Kind> fmt::Debug for Space<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Space")
    }
}

fn mapping<T>(value: Value, data: T) -> Mapping<T> {
    let mapping = Mapping {
        prot: Prot(value.prot),
        flags: value.flags,
        fd: value.fd,
        offset: value.offset,
        offset_rule: OffsetRule::Verbatim,
        original: value.original,
        ..Mapping::anonymous(Prot::NONE, 0)
    };
    mapping.with_data(data)
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

impl<X: Kind> Subject for Space<X> {
    const NAME: &'static str = X::NAME;
    const SIDE: Side = X::SIDE;
    const INDEXED: bool = matches!(X::SIDE, Side::Ours);
    const RANDOM: bool = true;
    const SHIFTS: bool = matches!(X::SIDE, Side::Oracle);

    fn new() -> Self {
        let mut space = AddrSpace::with_engine(0, PAGES << SHIFT, 1 << SHIFT).expect("a space");
        space.set_placement(Placement::Random(SEED));
        X::prepare(&mut space);
        Self(space)
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        Some(self.0.query_ref(page << SHIFT)?.addr >> SHIFT)
    }

    #[inline]
    fn insert(&mut self, start: u64, end: u64, value: Value) {
        let done = self.0.map_at(
            start << SHIFT,
            (end - start) << SHIFT,
            mapping(value, X::data()),
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
        let regions = self.0.regions_in(start << SHIFT, (end - start) << SHIFT);
        for region in regions.borrowed() {
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
            .map_any_with(place.len << SHIFT, mapping(value, X::data()), &options);
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
            .map_any_with(place.len << SHIFT, mapping(value, X::data()), &options);
        found.ok().map(|addr| addr >> SHIFT)
    }

    #[inline]
    fn check_access(&self, start: u64, end: u64, prot: u32) -> Option<u64> {
        let (addr, len) = (start << SHIFT, (end - start) << SHIFT);
        let checked = self
            .0
            .check_access_ref(addr, len, |mapping| mapping.prot.contains(Prot(prot)));
        checked.err().map(|addr| addr >> SHIFT)
    }
}
