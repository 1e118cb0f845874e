//! The trait behind which every subject is measured.

use crate::value::Value;

/// One past the last page that a workload may use: 2^40.
pub const PAGES: u64 = 1 << 40;

/// A placement: `[start, start + len)` free and inside the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// In pages, not zero.
    pub len: u64,
    /// First page of the window and one past its last.
    pub window: (u64, u64),
    /// A power of two, in pages.
    pub align: u64,
    /// The highest start that satisfies, else the lowest.
    pub highest: bool,
}

impl Place {
    /// The lowest place for `len` pages anywhere.
    #[inline]
    #[must_use]
    pub fn lowest(len: u64) -> Self {
        Self {
            len,
            window: (0, PAGES),
            align: 1,
            highest: false,
        }
    }

    /// The start in the free pages `[low, high)`, if it fits there.
    #[inline]
    fn within(&self, low: u64, high: u64) -> Option<u64> {
        let (low, high) = (low.max(self.window.0), high.min(self.window.1));
        let last = high.checked_sub(self.len)?;
        let start = if self.highest {
            last & !(self.align - 1)
        } else {
            low.checked_next_multiple_of(self.align)?
        };
        (low <= start && start <= last).then_some(start)
    }
}

/// Where a placement goes between entries that come from the window's low end,
/// or from its high end for a highest placement. This is what a map without a
/// gap index can do.
#[inline]
pub fn scan(place: &Place, entries: impl Iterator<Item = (u64, u64)>) -> Option<u64> {
    let (mut low, mut high) = place.window;
    for (start, end) in entries {
        let gap = if place.highest {
            (end, high)
        } else {
            (low, start)
        };
        // Most gaps are too short: that is decided without the alignment.
        if gap.1 >= gap.0.saturating_add(place.len)
            && let Some(found) = place.within(gap.0, gap.1)
        {
            return Some(found);
        }
        if place.highest {
            high = high.min(start);
        } else {
            low = low.max(end);
        }
    }
    place.within(low, high)
}

/// A map from disjoint ranges of pages to values, as a workload sees it.
/// Adjacent equal entries are one.
pub trait Subject: Clone {
    /// Its name in tables; a new subject needs one that is not taken.
    const NAME: &'static str;
    /// Whose it is.
    const SIDE: Side;
    /// Whether placing searches an index; the others scan, and large sizes of
    /// placing workloads are left out for them.
    const INDEXED: bool = false;
    /// Whether it can place at random.
    const RANDOM: bool = false;
    /// Whether an insertion moves everything above it.
    const SHIFTS: bool = false;

    /// Whether its memory comes from Rust's allocator, which counts.
    const COUNTED: bool = true;

    /// A subject without entries.
    fn new() -> Self;

    /// A subject with these entries, which are disjoint and in order.
    fn from_sorted(entries: &[(u64, u64, Value)]) -> Self {
        let mut subject = Self::new();
        for &(start, end, value) in entries {
            subject.insert(start, end, value);
        }
        subject
    }

    /// The start of the entry that contains the page.
    fn find(&self, page: u64) -> Option<u64>;

    /// Makes `[start, end)` one entry with this value, whatever was there.
    fn insert(&mut self, start: u64, end: u64, value: Value);

    /// Takes the pages out.
    fn remove(&mut self, start: u64, end: u64);

    /// Gives the entries' pages in the range this protection.
    fn protect(&mut self, start: u64, end: u64, prot: u32);

    /// Calls `f` with start, end and protection of every entry that overlaps the range,
    /// ascending, until it returns `false`.
    fn overlapping(&self, start: u64, end: u64, f: impl FnMut(u64, u64, u32) -> bool);

    /// Calls `f` with start, end and value of all entries, ascending.
    fn for_each(&self, f: impl FnMut(u64, u64, Value));

    /// Where a placement goes.
    fn find_gap(&self, place: &Place) -> Option<u64>;

    /// Puts a value where the placement goes.
    fn allocate(&mut self, place: &Place, value: Value) -> Option<u64> {
        let start = self.find_gap(place)?;
        self.insert(start, start + place.len, value);
        Some(start)
    }

    /// Puts a value at a random place in the window.
    ///
    /// # Panics
    /// The subject has no such operation: see [`RANDOM`](Self::RANDOM).
    fn allocate_random(&mut self, place: &Place, value: Value) -> Option<u64> {
        unimplemented!(
            "{} places nothing at random: {place:?}, {value:?}",
            Self::NAME
        )
    }

    /// The first page of the range that is not mapped with all these bits.
    #[inline]
    fn check_access(&self, start: u64, end: u64, prot: u32) -> Option<u64> {
        let mut good = start;
        self.overlapping(start, end, |low, high, found| {
            let continues = low <= good && found & prot == prot;
            if continues {
                good = high;
            }
            continues
        });
        (good < end).then_some(good)
    }
}

/// On whose side a subject is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// This library.
    Ours,
    /// Another crate, or what one would write without a crate.
    Rival,
    /// The reference, slow on purpose.
    Oracle,
    /// No subject at all: what the harness costs.
    Floor,
}

#[cfg(test)]
mod tests {
    use super::{PAGES, Place, scan};

    #[test]
    fn a_scan_finds_the_lowest_and_the_highest_place() {
        let entries = [(4, 8), (10, 20), (23, 30)];
        let place = |len, align, window, highest| Place {
            len,
            window,
            align,
            highest,
        };
        let lowest = |len, align, window: (u64, u64)| {
            scan(
                &place(len, align, window, false),
                entries.into_iter().filter(|entry| entry.1 > window.0),
            )
        };
        let highest = |len, align, window: (u64, u64)| {
            let below = entries.into_iter().filter(|entry| entry.0 < window.1);
            scan(&place(len, align, window, true), below.rev())
        };
        assert_eq!(lowest(4, 1, (0, PAGES)), Some(0));
        assert_eq!(lowest(5, 1, (0, PAGES)), Some(30));
        assert_eq!(lowest(2, 1, (3, PAGES)), Some(8));
        assert_eq!(lowest(2, 4, (1, PAGES)), Some(8));
        assert_eq!(lowest(3, 4, (1, 30)), Some(20));
        assert_eq!(lowest(3, 8, (1, 30)), None);
        assert_eq!(highest(3, 1, (0, 30)), Some(20));
        assert_eq!(highest(2, 8, (0, 30)), Some(8));
        assert_eq!(highest(4, 4, (0, 30)), Some(0));
        assert_eq!(highest(4, 4, (0, 41)), Some(36));
        assert_eq!(highest(4, 4, (1, 30)), None);
    }
}
