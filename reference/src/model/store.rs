//! The oracle of engines: a map from start to end and value, and linear scans.

use std::collections::BTreeMap;
use std::ops::Range;

use gaptree::{AllocError, Flow, GapQuery, Order, RangeStore, Segment};

use super::Position;

/// A [`RangeStore`] so simple that it is obviously right; every operation is
/// O(n) or worse. It shares no arithmetic with the engines; of the trait's
/// provided methods it keeps only those that forward, and `gaps`, which the
/// law suite checks against a walk of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferenceStore<K, V> {
    /// Start of each entry, its end and its value.
    entries: BTreeMap<K, (K, V)>,
}

/// The keys that are in both ranges; empty or inverted if there are none.
fn common<K: Ord + Copy>(a: &Range<K>, b: &Range<K>) -> Range<K> {
    a.start.max(b.start)..a.end.min(b.end)
}

impl<K: Position, V: Clone + PartialEq> ReferenceStore<K, V> {
    /// All entries in ascending order.
    fn scan(&self) -> impl DoubleEndedIterator<Item = (Range<K>, &V)> {
        self.entries
            .iter()
            .map(|(&start, (end, value))| (start..*end, value))
    }

    /// The entries that overlap or touch a range, and perhaps more, ascending:
    /// entries are disjoint, so that all before the last one that starts below
    /// the range end before that one starts.
    fn scan_near(&self, range: &Range<K>) -> impl Iterator<Item = (Range<K>, &V)> {
        let below = self.entries.range(..range.start).next_back();
        let from = below.map_or(range.start, |(&start, _)| start);
        self.entries
            .range(from..)
            .map(|(&start, (end, value))| (start..*end, value))
            .take_while(|(entry, _)| entry.start <= range.end)
    }

    /// The free ranges of `window`, ascending: what is left of it between the
    /// entries.
    pub fn free_ranges(&self, window: Range<K>) -> Vec<Range<K>> {
        let mut free = Vec::new();
        let mut from = window.start;
        for (range, _) in self.scan() {
            free.push(from..range.start.min(window.end));
            from = from.max(range.end);
        }
        free.push(from..window.end);
        free.retain(|range| !range.is_empty());
        free
    }

    /// Takes the lowest piece in `range` out.
    fn take_piece(&mut self, range: &Range<K>) -> Option<(Range<K>, V)> {
        let (whole, _) = self
            .scan_near(range)
            .find(|(entry, _)| !common(entry, range).is_empty())?;
        let (_, value) = self.entries.remove(&whole.start)?;
        let piece = common(&whole, range);
        for rest in [whole.start..piece.start, piece.end..whole.end] {
            if !rest.is_empty() {
                self.entries.insert(rest.start, (rest.end, value.clone()));
            }
        }
        Some((piece, value))
    }

    /// Makes a free range an entry, one with its equal neighbours.
    fn put(&mut self, mut range: Range<K>, value: V) {
        let adjacent = |entry: &Range<K>| entry.end == range.start || entry.start == range.end;
        let equal: Vec<Range<K>> = self
            .scan_near(&range)
            .filter(|(entry, other)| adjacent(entry) && **other == value)
            .map(|(entry, _)| entry)
            .collect();
        for neighbour in equal {
            self.entries.remove(&neighbour.start);
            range = range.start.min(neighbour.start)..range.end.max(neighbour.end);
        }
        self.entries.insert(range.start, (range.end, value));
    }
}

/// The lowest or highest start in the free range `free` that satisfies `query`.
fn start_in<K: Position>(query: &GapQuery<K>, free: &Range<K>) -> Option<K> {
    let (len, align, phase) = (
        K::wide(query.len),
        K::wide(query.align),
        K::wide(query.phase),
    );
    if len == 0 || !align.is_power_of_two() || phase >= align {
        return None;
    }
    let lowest = free.start.position();
    let highest = free.end.position().checked_sub(len)?;
    let start = match query.order {
        Order::Lowest => {
            let above = (phase + (align - free.start.residue(align))) % align;
            lowest.checked_add(above)?
        }
        Order::Highest => {
            let above = (K::at(highest)?.residue(align) + (align - phase)) % align;
            highest.checked_sub(above)?
        }
    };
    if lowest <= start && start <= highest {
        K::at(start)
    } else {
        None
    }
}

impl<K: Position, V: Clone + PartialEq> RangeStore<K, V> for ReferenceStore<K, V> {
    const EMPTY: Self = Self {
        entries: BTreeMap::new(),
    };

    type Entries<'a>
        = std::vec::IntoIter<(Range<K>, &'a V)>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        self.scan().find(|(range, _)| range.contains(&key))
    }

    fn segment_at(&self, key: K) -> Segment<'_, K, V> {
        if let Some((range, value)) = self.get(key) {
            return Segment::Entry(range, value);
        }
        let mut gap = K::MIN..K::MAX;
        for (range, _) in self.scan() {
            if range.end <= key {
                gap.start = range.end;
            } else {
                gap.end = gap.end.min(range.start);
            }
        }
        Segment::Gap(gap)
    }

    fn overlaps(&self, range: Range<K>) -> bool {
        self.scan_near(&range)
            .any(|(entry, _)| !common(&entry, &range).is_empty())
    }

    fn overlapping(&self, range: Range<K>) -> Self::Entries<'_> {
        let overlapping = self
            .scan()
            .filter(|(entry, _)| !common(entry, &range).is_empty());
        overlapping.collect::<Vec<_>>().into_iter()
    }

    fn iter(&self) -> Self::Entries<'_> {
        self.scan().collect::<Vec<_>>().into_iter()
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn first(&self) -> Option<(Range<K>, &V)> {
        self.scan().next()
    }

    fn last(&self) -> Option<(Range<K>, &V)> {
        self.scan().next_back()
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let free = self.free_ranges(query.window.clone());
        let starts = free.iter().filter_map(|gap| start_in(query, gap));
        match query.order {
            Order::Lowest => starts.min(),
            Order::Highest => starts.max(),
        }
    }

    fn best_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let length = |gap: &Range<K>| gap.end.position() - gap.start.position();
        let mut best: Option<(u128, K)> = None;
        for gap in self.free_ranges(query.window.clone()) {
            let Some(start) = start_in(query, &gap) else {
                continue;
            };
            let better = match (best, query.order) {
                (None, _) => true,
                (Some((least, _)), Order::Lowest) => length(&gap) < least,
                (Some((least, _)), Order::Highest) => length(&gap) <= least,
            };
            if better {
                best = Some((length(&gap), start));
            }
        }
        best.map(|(_, start)| start)
    }

    fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        let mut longest: Option<Range<K>> = None;
        let length = |gap: &Range<K>| gap.end.position() - gap.start.position();
        for gap in self.free_ranges(window) {
            if longest
                .as_ref()
                .is_none_or(|best| length(&gap) > length(best))
            {
                longest = Some(gap);
            }
        }
        longest
    }

    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        self.try_insert_with(range, value, |_, _| ())
    }

    fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let said = self.try_remove_with(range.clone(), sink)?;
        if !said.stops() && !range.is_empty() {
            self.put(range, value);
        }
        Ok(said)
    }

    fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        mut sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        while let Some((piece, value)) = self.take_piece(&range) {
            let said = sink(piece.clone(), value.clone());
            if said.stops() {
                self.put(piece, value);
                return Ok(said);
            }
        }
        Ok(F::GO_ON)
    }

    fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        mut f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError> {
        let mut rest = range;
        while let Some((entry, value)) = self.overlapping(rest.clone()).next() {
            let piece = common(&entry, &rest);
            let mut value = value.clone();
            let said = f(piece.clone(), &mut value);
            if said.stops() {
                return Ok(said);
            }
            rest.start = piece.end;
            self.take_piece(&piece);
            self.put(piece, value);
        }
        Ok(F::GO_ON)
    }

    fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError> {
        let Some(start) = self.find_gap(query) else {
            return Ok(None);
        };
        let end = K::at_most(start.position() + K::wide(query.len));
        self.put(start..end, value);
        Ok(Some(start))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }

    fn clear(&mut self) {
        self.entries.clear();
    }

    fn check(&self) {
        let entries: Vec<_> = self.scan().collect();
        for (range, _) in &entries {
            assert!(range.start < range.end, "an entry is never empty");
        }
        for pair in entries.windows(2) {
            let [(left, a), (right, b)] = pair else {
                unreachable!("windows of two")
            };
            assert!(
                left.end <= right.start,
                "L1, L2: entries are disjoint and ascending"
            );
            assert!(
                left.end < right.start || a != b,
                "L3: adjacent entries differ"
            );
        }
    }
}
