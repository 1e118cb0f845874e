//! Limits: every operation, in random states, at the limit that it needs exactly, at
//! one less and at one more. It is refused in the first case and in no other, and has
//! then changed and reported nothing.

use gaptree::{
    AddrSpace, BTreeStore, HolePolicy, Mapping, Page, PageMapping, Prot, RangeStore, Region,
    SortedVecStore, SpaceError,
};
use reference::ops::{Input, SpaceOp, SpaceShape};

/// What a call reports and returns.
type Answer = (Vec<Region<u8>>, Result<(), SpaceError>);

/// Runs an operation that can leave more than there was; what it reported and returned.
fn apply<S: RangeStore<Page, PageMapping<u8>>>(
    space: &mut AddrSpace<u8, S>,
    op: &SpaceOp,
) -> Option<Answer> {
    let mut reports = Vec::new();
    let mut sink = |region| reports.push(region);
    let result = match *op {
        SpaceOp::MapAny { hint, len, mapping } => space.map_any(hint, len, mapping).map(drop),
        SpaceOp::MapAnyWith {
            len,
            mapping,
            options,
        } => space.map_any_with(len, mapping, &options).map(drop),
        SpaceOp::MapAt {
            addr, len, mapping, ..
        } => space.map_at(addr, len, mapping, sink),
        SpaceOp::MapFixedNoreplace { addr, len, mapping } => {
            space.map_fixed_noreplace(addr, len, mapping)
        }
        SpaceOp::Unmap { addr, len, .. } => space.unmap(addr, len, sink),
        SpaceOp::Protect {
            addr,
            len,
            prot,
            holes,
            ..
        } => space.protect(addr, len, prot, holes, sink),
        SpaceOp::Update {
            addr,
            len,
            holes,
            change,
            ..
        } => {
            let data = change.data();
            space.update(addr, len, holes, |_, mapping: &mut Mapping<u8>| {
                change.apply(mapping, &data);
            })
        }
        SpaceOp::Relocate {
            from,
            len,
            to,
            source,
            ..
        } => space.relocate(from, len, to, source, sink),
        SpaceOp::Extend { addr, by } => space.extend(addr, by).map(drop),
        SpaceOp::UnmapNonOriginal(_) => {
            space.unmap_non_original(&mut sink);
            Ok(())
        }
        SpaceOp::MarkOriginal => {
            space.mark_original();
            Ok(())
        }
        SpaceOp::SetPlacement(placement) => {
            space.set_placement(placement);
            Ok(())
        }
        _ => return None,
    };
    Some((reports, result))
}

/// Runs an operation with limits around what it leaves; how often it was refused.
fn around_the_limits<S: RangeStore<Page, PageMapping<u8>>>(
    space: &mut AddrSpace<u8, S>,
    op: &SpaceOp,
) -> [u32; 2] {
    let mut after = space.clone();
    let Some(free) = apply(&mut after, op) else {
        return [0; 2];
    };
    let mut refused = [0; 2];
    let mut regions = (space.region_count(), after.region_count());
    if let SpaceOp::Update {
        addr, len, holes, ..
    } = *op
        && matches!(free.1, Ok(()) | Err(SpaceError::NotMapped))
        && !(free.1.is_err() && holes == HolePolicy::RequireMapped)
    {
        // What it changes is not known before: a region that it cuts may be two.
        let page = space.page_size();
        let hole = space.check_mapped(addr, len).err();
        let hole = hole.filter(|_| holes == HolePolicy::StopAtHole);
        let end = addr.wrapping_add(len.div_ceil(page) * page);
        let cuts = |at: u64| {
            let region = space.query(at);
            usize::from(region.is_some_and(|region| region.addr < at))
        };
        let cut = if hole == Some(addr) { 0 } else { cuts(addr) };
        regions.1 = regions.0 + cut + cuts(hole.unwrap_or(end));
    }
    for limit in regions.1.saturating_sub(1)..=regions.1 + 1 {
        let mut limited = space.clone();
        limited.set_region_limit(Some(limit));
        let got = apply(&mut limited, op).expect("as before");
        if regions.1 > limit && regions.1 > regions.0 {
            refused[0] += 1;
            assert_eq!(
                got,
                (Vec::new(), Err(SpaceError::RegionLimit)),
                "{op} at {limit}"
            );
            assert!(limited == *space, "{op} at {limit}: something changed");
        } else {
            assert_eq!(got, free, "{op} at {limit}");
            assert!(limited == after, "{op} at {limit}");
        }
        limited.check();
    }
    let bytes = (space.mapped_bytes(), after.mapped_bytes());
    for limit in bytes.1.saturating_sub(1)..=bytes.1.saturating_add(1) {
        let mut limited = space.clone();
        limited.set_byte_limit(Some(limit));
        let got = apply(&mut limited, op).expect("as before");
        if bytes.1 > limit && bytes.1 > bytes.0 {
            refused[1] += 1;
            assert_eq!(
                got,
                (Vec::new(), Err(SpaceError::ByteLimit)),
                "{op} at {limit:#x}"
            );
            assert!(limited == *space, "{op} at {limit:#x}: something changed");
        } else {
            assert_eq!(got, free, "{op} at {limit:#x}");
            assert!(limited == after, "{op} at {limit:#x}");
        }
    }
    *space = after;
    refused
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn sweep<S: RangeStore<Page, PageMapping<u8>>>() {
    let mut refused = [0; 2];
    let mut state = 17;
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..400).map(|_| next(&mut state) as u8).collect();
        let mut input = Input::new(&bytes);
        let shape = SpaceShape::decode(&mut input).expect("enough bytes");
        let mut space: AddrSpace<u8, S> =
            AddrSpace::with_engine(shape.start, shape.size(), shape.page_size).expect("a shape");
        while let Some(op) = SpaceOp::decode(&shape, &mut input) {
            let [regions, bytes] = around_the_limits(&mut space, &op);
            refused = [refused[0] + regions, refused[1] + bytes];
        }
    }
    assert!(
        refused.iter().all(|&refused| refused > 500),
        "only {refused:?} were refused"
    );
}

#[test]
fn limits_are_foretold_exactly_on_the_tree() {
    sweep::<BTreeStore<Page, PageMapping<u8>, 4, 4>>();
}

#[test]
fn limits_are_foretold_exactly_on_the_sorted_vector() {
    sweep::<SortedVecStore<Page, PageMapping<u8>>>();
}

#[test]
fn a_byte_limit_holds_where_lengths_add_up_beyond_2_64() {
    let size = 0_u64.wrapping_sub(4096);
    let mut space = AddrSpace::new(0, size, 4096).expect("a space");
    let data = Mapping::anonymous(Prot::READ, 0);
    space.set_byte_limit(Some(1 << 63));
    space
        .map_at(0, 1 << 63, data, |_| ())
        .expect("at the limit");
    let beyond = space.map_at(1 << 62, size - (1 << 62), data, |_| ());
    assert_eq!(beyond, Err(SpaceError::ByteLimit));
    assert_eq!(space.mapped_bytes(), 1 << 63);
}
