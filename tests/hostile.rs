//! Hostile arguments: every address of a grid with every length of another, on
//! every operation of a space and on both engines. What must come of it is
//! computed from intervals in 128 bits; nothing panics, and an error changes
//! and reports nothing.

use gaptree::{
    AddrSpace, BTreeStore, HolePolicy, MapOptions, Mapping, Page, PageMapping, Placement, Prot,
    RangeStore, Region, SortedVecStore, SpaceError,
};
use reference::ReferenceSpace;

const PAGE: u64 = 0x1000;
/// The first address that does not exist.
const TOP: u128 = 1 << 64;

/// Bytes, as first and one after the last.
type Interval = (u128, u128);

/// A space and what is mapped in it.
#[derive(Clone, Copy, Debug)]
struct Layout {
    start: u64,
    len: u64,
}

/// At the bottom, somewhere, and at the top of the 64-bit space.
const LAYOUTS: [Layout; 4] = [
    Layout {
        start: 0,
        len: 1 << 47,
    },
    Layout {
        start: 0x1_0000,
        len: 0x10_0000,
    },
    Layout {
        start: 1 << 63,
        len: 1 << 63,
    },
    Layout {
        start: 0,
        len: 0_u64.wrapping_sub(PAGE),
    },
];

impl Layout {
    fn bounds(&self) -> Interval {
        (
            self.start.into(),
            u128::from(self.start) + u128::from(self.len),
        )
    }

    /// Two pages at both ends, and four in the middle but for one.
    fn mapped(&self) -> Vec<Interval> {
        let (start, end) = self.bounds();
        let middle = (start + end) / 2 / 0x1000 * 0x1000;
        vec![
            (start, start + 0x2000),
            (middle - 0x2000, middle),
            (middle + 0x1000, middle + 0x2000),
            (end - 0x2000, end),
        ]
    }

    fn space<S: RangeStore<Page, PageMapping>>(&self) -> AddrSpace<(), S> {
        let mut space = AddrSpace::with_engine(self.start, self.len, PAGE).expect("valid bounds");
        for (start, end) in self.mapped() {
            let (addr, len) = (start.try_into().unwrap(), (end - start).try_into().unwrap());
            space
                .map_fixed_noreplace(addr, len, mapping(Prot::READ))
                .expect("free");
        }
        space
    }

    /// 32 addresses around everything that could be special.
    fn addresses(&self) -> Vec<u64> {
        let end = self.start.wrapping_add(self.len);
        let around = |addr: u64| {
            [
                addr,
                addr.wrapping_sub(1),
                addr.wrapping_add(PAGE),
                addr.wrapping_sub(PAGE),
            ]
        };
        let mut addresses: Vec<u64> = [self.start, end].into_iter().flat_map(around).collect();
        addresses.extend([0, 1, PAGE, PAGE - 1, PAGE + 1, 0x2000]);
        addresses.extend([self.start.wrapping_add(1), end.wrapping_add(1)]);
        addresses.extend([
            (self.start / 2 + end.wrapping_sub(PAGE) / 2) & !0xfff,
            end / 2,
        ]);
        for bit in [31, 32, 47, 62, 63] {
            addresses.extend([1 << bit, (1_u64 << bit) - PAGE]);
        }
        addresses.extend([u64::MAX, u64::MAX - PAGE + 1, u64::MAX - PAGE, u64::MAX / 3]);
        addresses
    }

    /// 21 lengths, likewise.
    fn lengths(&self) -> Vec<u64> {
        let mut lengths = vec![0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE];
        lengths.extend([
            self.len,
            self.len - 1,
            self.len.wrapping_add(1),
            self.len / 2,
        ]);
        lengths.extend([0_u64.wrapping_sub(self.start), self.len.wrapping_add(PAGE)]);
        for bit in [31, 32, 47, 63] {
            lengths.push(1 << bit);
        }
        lengths.extend([(1 << 63) - 1, (1 << 63) + PAGE]);
        lengths.extend([u64::MAX, u64::MAX - PAGE + 1, u64::MAX - PAGE + 2]);
        lengths
    }

    /// The bytes of a range, or why it is refused.
    fn range(&self, addr: u64, len: u64) -> Result<Interval, SpaceError> {
        let (start, end) = self.bounds();
        let first = u128::from(addr);
        let after = first + u128::from(len).next_multiple_of(PAGE.into());
        match () {
            () if len == 0 => Err(SpaceError::ZeroLength),
            () if !addr.is_multiple_of(PAGE) => Err(SpaceError::Misaligned),
            () if first < start || after > end => Err(SpaceError::OutsideSpace),
            () => Ok((first, after)),
        }
    }

    /// What is mapped of an interval.
    fn mapped_in(&self, (first, after): Interval) -> Vec<Interval> {
        let clipped = self
            .mapped()
            .into_iter()
            .map(|(a, b)| (a.max(first), b.min(after)));
        clipped.filter(|(a, b)| a < b).collect()
    }

    /// The lowest or highest page-aligned start of `len` free bytes inside the
    /// space and `window`, a multiple of `align`.
    fn place(
        &self,
        len: u64,
        window: Interval,
        align: u128,
        highest: bool,
    ) -> Result<u64, SpaceError> {
        let len = u128::from(len).next_multiple_of(PAGE.into());
        let align = align.max(PAGE.into());
        let (start, end) = self.bounds();
        let (low, high) = (window.0.max(start), window.1.min(end));
        let mut edges = vec![start];
        edges.extend(self.mapped().into_iter().flat_map(|(a, b)| [a, b]));
        edges.push(end);
        let starts = edges.chunks(2).filter_map(|gap| {
            let (low, high) = (gap[0].max(low), gap[1].min(high));
            let last = high.checked_sub(len)?;
            let start = if highest {
                last / align * align
            } else {
                low.next_multiple_of(align)
            };
            (low <= start && start <= last).then_some(start)
        });
        let best = if highest { starts.max() } else { starts.min() };
        best.map(|start| start.try_into().expect("an address"))
            .ok_or(SpaceError::NoFreeRange)
    }
}

fn mapping(prot: Prot) -> Mapping {
    Mapping::anonymous(prot, 2)
}

fn total(intervals: &[Interval]) -> u128 {
    intervals.iter().map(|(first, after)| after - first).sum()
}

fn intervals(regions: &[Region]) -> Vec<Interval> {
    let interval = |region: &Region| {
        let first = u128::from(region.addr);
        (first, first + u128::from(region.len))
    };
    regions.iter().map(interval).collect()
}

/// A space on which one call at a time is tried.
struct Trial<S> {
    layout: Layout,
    space: AddrSpace<(), S>,
    before: String,
    cases: usize,
}

impl<S: RangeStore<Page, PageMapping>> Trial<S> {
    fn new(layout: Layout) -> Self {
        let space = layout.space::<S>();
        let before = space.to_string();
        Self {
            layout,
            space,
            before,
            cases: 0,
        }
    }

    /// Makes a call on a copy of the space. It must return `expected`, report
    /// `reported` and leave `mapped` bytes mapped; after an error with nothing
    /// reported, everything is as before.
    fn call<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: std::fmt::Arguments<'_>,
        call: impl FnOnce(&mut AddrSpace<(), S>, &mut Vec<Region>) -> Result<T, SpaceError>,
        expected: &Result<T, SpaceError>,
        (reported, mapped): (&[Interval], u128),
    ) {
        self.cases += 1;
        let mut space = self.space.clone();
        let mut regions = Vec::new();
        let result = call(&mut space, &mut regions);
        let layout = self.layout;
        assert_eq!(&result, expected, "{what} in {layout:x?}");
        assert_eq!(
            intervals(&regions),
            reported,
            "reported by {what} in {layout:x?}"
        );
        assert_eq!(
            u128::from(space.mapped_bytes()),
            mapped,
            "{what} in {layout:x?}"
        );
        space.check();
        if result.is_err() && reported.is_empty() {
            assert_eq!(
                space.to_string(),
                self.before,
                "{what} in {layout:x?} changed something"
            );
        }
    }

    /// Every operation on a range.
    fn range(&mut self, addr: u64, len: u64, prot: Prot) {
        let layout = self.layout;
        let range = layout.range(addr, len);
        let before = total(&layout.mapped());
        let inside = range.map_or(Vec::new(), |range| layout.mapped_in(range));
        let size = range.map_or(0, |(first, after)| after - first);
        let all_mapped = total(&inside) == size;
        let what = format_args!("({addr:#x}, {len:#x}, {prot:?})");

        let replaced = before - total(&inside) + size;
        self.call(
            format_args!("map_at{what}"),
            |space, out| space.map_at(addr, len, mapping(prot), |region| out.push(region)),
            &range.map(drop),
            (&inside, replaced),
        );
        self.call(
            format_args!("unmap{what}"),
            |space, out| space.unmap(addr, len, |region| out.push(region)),
            &range.map(drop),
            (&inside, before - total(&inside)),
        );
        let expected = match range {
            Ok(_) if !inside.is_empty() => Err(SpaceError::Exists),
            range => range.map(drop),
        };
        self.call(
            format_args!("map_fixed_noreplace{what}"),
            |space, _| space.map_fixed_noreplace(addr, len, mapping(prot)),
            &expected,
            (
                &[],
                if expected.is_ok() {
                    before + size
                } else {
                    before
                },
            ),
        );
        for holes in [
            HolePolicy::Skip,
            HolePolicy::StopAtHole,
            HolePolicy::RequireMapped,
        ] {
            let with_holes = if all_mapped {
                Ok(())
            } else {
                Err(SpaceError::NotMapped)
            };
            let before_hole = match (range, inside.first()) {
                (Ok((first, _)), Some(&piece)) if piece.0 == first => vec![piece],
                _ => Vec::new(),
            };
            let (expected, reported) = match holes {
                HolePolicy::Skip => (Ok(()), inside.clone()),
                HolePolicy::StopAtHole => (with_holes, before_hole),
                HolePolicy::RequireMapped if all_mapped => (Ok(()), inside.clone()),
                HolePolicy::RequireMapped => (with_holes, Vec::new()),
            };
            self.call(
                format_args!("protect{what} {holes:?}"),
                |space, out| space.protect(addr, len, prot, holes, |region| out.push(region)),
                &range.and(expected),
                (&reported, before),
            );
        }
    }

    /// Every question about a range, which need not be aligned or inside.
    fn questions(&mut self, addr: u64, len: u64) {
        let layout = self.layout;
        let asked = (u128::from(addr), u128::from(addr) + u128::from(len));
        let mapped = layout.mapped_in(asked);
        let mut reached = asked.0;
        for (first, after) in &mapped {
            if *first == reached {
                reached = *after;
            }
        }
        let bad = u64::try_from(reached % TOP).expect("below 2^64");
        let expected = if reached >= asked.1 { Ok(()) } else { Err(bad) };
        let got = self
            .space
            .check_access(addr, len, |mapping| mapping.prot == Prot::READ);
        assert_eq!(
            got, expected,
            "check_access({addr:#x}, {len:#x}) in {layout:x?}"
        );
        let refused = if len == 0 { Ok(()) } else { Err(addr) };
        let got = self.space.check_access(addr, len, |_| false);
        assert_eq!(
            got, refused,
            "check_access({addr:#x}, {len:#x}) in {layout:x?}"
        );

        let whole: Vec<Interval> = layout
            .mapped()
            .into_iter()
            .filter(|(first, after)| asked.0.max(*first) < asked.1.min(*after))
            .collect();
        let got: Vec<Region> = self.space.regions_in(addr, len).collect();
        assert_eq!(
            intervals(&got),
            whole,
            "regions_in({addr:#x}, {len:#x}) in {layout:x?}"
        );

        let around = |&&(first, after): &&Interval| first <= asked.0 && asked.0 < after;
        let mapped = layout.mapped();
        let expected: Vec<Interval> = mapped.iter().find(around).copied().into_iter().collect();
        let got: Vec<Region> = self.space.query(addr).into_iter().collect();
        assert_eq!(intervals(&got), expected, "query({addr:#x}) in {layout:x?}");
        self.cases += 4;
    }

    /// Every placement, with the address as hint and as window.
    fn placements(&mut self, addr: u64, len: u64) {
        let layout = self.layout;
        let hint = match layout.range(addr, len) {
            Ok(range) if layout.mapped_in(range).is_empty() => Some(addr),
            _ => None,
        };
        let lowest = match len {
            0 => Err(SpaceError::ZeroLength),
            _ => hint.map_or_else(|| layout.place(len, layout.bounds(), 1, false), Ok),
        };
        let before = total(&layout.mapped());
        let size = u128::from(len).next_multiple_of(PAGE.into());
        let after = |expected: &Result<u64, _>| before + expected.map_or(0, |_| size);
        self.call(
            format_args!("map_any(hint {addr:#x}, {len:#x})"),
            |space, _| space.map_any(Some(addr), len, mapping(Prot::WRITE)),
            &lowest,
            (&[], after(&lowest)),
        );
        for align in [
            0,
            1,
            3,
            0x800,
            PAGE,
            0x3000,
            1 << 21,
            1 << 47,
            1 << 63,
            u64::MAX,
        ] {
            for (highest, placement) in [(false, Placement::Lowest), (true, Placement::Highest)] {
                // A window of the same length above the address.
                let window = (u128::from(addr), u128::from(addr) + u128::from(len));
                let wanted = 2 * PAGE;
                let expected = match align {
                    0 => layout.place(wanted, window, 1, highest),
                    _ if !align.is_power_of_two() => Err(SpaceError::BadAlignment),
                    _ => layout.place(wanted, window, align.into(), highest),
                };
                let options = MapOptions {
                    hint: None,
                    window: Some((addr, len)),
                    align,
                    placement: Some(placement),
                    ..MapOptions::default()
                };
                let found = self.space.find_free(wanted, &options);
                assert_eq!(found, expected, "find_free {options:x?} in {layout:x?}");
                let mapped = before + expected.map_or(0, |_| u128::from(wanted));
                self.call(
                    format_args!("map_any_with {options:x?}"),
                    |space, _| space.map_any_with(wanted, mapping(Prot::NONE), &options),
                    &expected,
                    (&[], mapped),
                );
            }
        }
    }
}

/// Tries everything; returns how many cases that were.
fn try_everything<S: RangeStore<Page, PageMapping>>() -> usize {
    let mut cases = 0;
    for layout in LAYOUTS {
        let mut trial: Trial<S> = Trial::new(layout);
        assert_eq!((layout.addresses().len(), layout.lengths().len()), (32, 21));
        for addr in layout.addresses() {
            for len in layout.lengths() {
                for prot in [Prot::NONE, Prot::READ, Prot(u32::MAX)] {
                    trial.range(addr, len, prot);
                }
                trial.questions(addr, len);
                trial.placements(addr, len);
            }
        }
        cases += trial.cases;
    }
    cases
}

#[test]
fn a_space_on_a_tree_refuses_what_it_must() {
    assert!(try_everything::<BTreeStore<Page, PageMapping>>() > 55_000);
}

#[test]
fn a_space_on_a_sorted_vector_refuses_what_it_must() {
    assert!(try_everything::<SortedVecStore<Page, PageMapping>>() > 55_000);
}

#[test]
fn every_page_size_with_every_bound() {
    let mut page_sizes: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
    page_sizes.extend([0, 3000]);
    assert_eq!(page_sizes.len(), 66);
    let mut bounds = vec![
        0,
        1,
        PAGE - 1,
        PAGE,
        3000,
        0x1_0000,
        u64::MAX,
        u64::MAX - PAGE + 1,
    ];
    bounds.extend([31, 32, 47, 61, 62, 63].map(|bit| 1 << bit));
    bounds.extend([(1 << 62) - 1, (1 << 63) + 1, (1 << 63) - PAGE]);
    for &page_size in &page_sizes {
        for &start in &bounds {
            for &len in &bounds {
                let space = AddrSpace::new(start, len, page_size);
                let what = format!("new({start:#x}, {len:#x}, {page_size:#x})");
                if !ReferenceSpace::<()>::new_is_valid(start, len, page_size) {
                    assert_eq!(space.err(), Some(SpaceError::BadSpace), "{what}");
                    continue;
                }
                let mut space = space.expect(&what);
                let shape = (space.start(), space.size(), space.page_size());
                assert_eq!(shape, (start, len, page_size), "{what}");
                // All of it can be mapped at once, and then nothing more.
                assert_eq!(space.largest_gap(), len, "{what}");
                assert_eq!(
                    space.map_any(None, len, mapping(Prot::READ)),
                    Ok(start),
                    "{what}"
                );
                assert_eq!(
                    (space.mapped_bytes(), space.largest_gap()),
                    (len, 0),
                    "{what}"
                );
                let refused = space.map_any(None, 1, mapping(Prot::READ));
                assert_eq!(refused, Err(SpaceError::NoFreeRange), "{what}");
                space.check();
            }
        }
    }
}
