//! All of a mapping as C has it, and back; and data whose copies are counted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr;

use gaptree::capi::{MMapDataFns, MMapMapping, MMapSegment};
use gaptree::{OffsetRule, Prot, SpaceSegment};

/// A region of a space with data.
pub(super) type Region = gaptree::Region<u64>;
/// A mapping with data.
pub(super) type Mapping = gaptree::Mapping<u64>;

thread_local! {
    /// How often spaces of this thread have each number whose copies are counted, less
    /// how often they should.
    static HELD: RefCell<BTreeMap<u64, i64>> = const { RefCell::new(BTreeMap::new()) };
}

extern "C-unwind" fn copy_data(data: u64) {
    HELD.with_borrow_mut(|held| *held.entry(data).or_default() += 1);
}

extern "C-unwind" fn release_data(data: u64) {
    HELD.with_borrow_mut(|held| *held.entry(data).or_default() -= 1);
}

/// How often spaces of this thread have each number that is counted.
pub(super) fn held() -> BTreeMap<u64, i64> {
    HELD.with_borrow(|held| {
        let had = held.iter().filter(|&(_, &count)| count != 0);
        had.map(|(&data, &count)| (data, count)).collect()
    })
}

/// Begins to count anew.
pub(super) fn forget_held() {
    HELD.with_borrow_mut(BTreeMap::clear);
}

static COUNTED: MMapDataFns = MMapDataFns {
    copy: Some(copy_data),
    release: Some(release_data),
};

/// Copies of odd data are counted.
fn data_fns(data: u64) -> *const MMapDataFns {
    if data % 2 == 1 {
        &raw const COUNTED
    } else {
        ptr::null()
    }
}

/// All of a mapping, for C.
pub(super) fn c_mapping(mapping: &Mapping) -> MMapMapping {
    let data = mapping.data;
    MMapMapping {
        prot: mapping.prot.0.cast_signed(),
        flags: mapping.flags.cast_signed(),
        fd: mapping.fd,
        offset: mapping.offset.cast_signed(),
        data,
        data_fns: data_fns(data),
        guard: mapping.guard,
        linear: if mapping.offset_rule == OffsetRule::Linear {
            255
        } else {
            0
        },
        original: mapping.original.into(),
        sealed: mapping.sealed.into(),
    }
}

/// All of a mapping, as C is told.
///
/// # Panics
/// The functions are not those that were given with the data.
pub(super) fn mapping_of(mapping: &MMapMapping) -> Mapping {
    assert_eq!(
        mapping.data_fns,
        data_fns(mapping.data),
        "functions of data"
    );
    let rule = if mapping.linear == 0 {
        OffsetRule::Verbatim
    } else {
        OffsetRule::Linear
    };
    Mapping {
        prot: Prot(mapping.prot.cast_unsigned()),
        flags: mapping.flags.cast_unsigned(),
        fd: mapping.fd,
        offset: mapping.offset.cast_unsigned(),
        offset_rule: rule,
        original: mapping.original == 1,
        sealed: mapping.sealed == 1,
        guard: mapping.guard,
        data: mapping.data,
    }
}

/// The region that a segment is, unless it is a gap.
pub(super) fn region_of(segment: &MMapSegment) -> Option<Region> {
    segment.mapped.then(|| Region {
        addr: segment.start as u64,
        len: segment.len as u64,
        mapping: mapping_of(&segment.mapping),
    })
}

/// A region, or a gap, as C is told.
pub(super) fn segment_of(segment: &MMapSegment) -> SpaceSegment<u64> {
    match region_of(segment) {
        Some(region) => SpaceSegment::Region(region),
        None => {
            let mapping = mapping_of(&segment.mapping);
            let nothing = gaptree::Mapping::anonymous(Prot::NONE, 0).with_data(0);
            assert_eq!(mapping, nothing, "the mapping of a gap");
            SpaceSegment::Gap {
                addr: segment.start as u64,
                len: segment.len as u64,
            }
        }
    }
}
