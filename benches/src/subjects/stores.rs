//! Subjects: this library's engines and the reference, by their trait.

use std::ops::{ControlFlow, Range};

use gaptree::{BTreeStore, GapQuery, Order, Page, RangeStore, SortedVecStore};
use reference::ReferenceStore;

use crate::subject::{Place, Side, Subject};
use crate::value::Value;

/// A key; workloads stay far below the limit.
#[inline]
fn page(number: u64) -> Page {
    Page::new(number).unwrap_or(Page::new(0).expect("zero is a page"))
}

#[inline]
fn pages(start: u64, end: u64) -> Range<Page> {
    page(start)..page(end)
}

fn query(place: &Place) -> GapQuery<Page> {
    let order = if place.highest {
        Order::Highest
    } else {
        Order::Lowest
    };
    GapQuery::new(place.len)
        .within(pages(place.window.0, place.window.1))
        .aligned(place.align)
        .order(order)
}

macro_rules! store_subjects {
    ($($(#[$doc:meta])* $subject:ident, $store:ty, $name:literal, $side:expr, $indexed:literal, $shifts:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $subject($store);

        impl Subject for $subject {
            const NAME: &'static str = $name;
            const SIDE: Side = $side;
            const INDEXED: bool = $indexed;
            const SHIFTS: bool = $shifts;

            fn new() -> Self {
                Self(<$store>::EMPTY)
            }

            fn from_sorted(entries: &[(u64, u64, Value)]) -> Self {
                let entries = entries.iter();
                let entries = entries.map(|&(start, end, value)| (pages(start, end), value));
                Self(<$store>::try_from_entries(entries).expect("memory"))
            }

            #[inline]
            fn find(&self, number: u64) -> Option<u64> {
                let (range, _) = self.0.get(page(number))?;
                Some(range.start.number())
            }

            #[inline]
            fn insert(&mut self, start: u64, end: u64, value: Value) {
                self.0.insert(pages(start, end), value);
            }

            #[inline]
            fn remove(&mut self, start: u64, end: u64) {
                self.0.remove(pages(start, end));
            }

            #[inline]
            fn protect(&mut self, start: u64, end: u64, prot: u32) {
                self.0.update(pages(start, end), |_, value| value.prot = prot);
            }

            #[inline]
            fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
                for (range, value) in self.0.overlapping(pages(start, end)) {
                    if !f(range.start.number(), range.end.number(), value.prot) {
                        break;
                    }
                }
            }

            #[inline]
            fn check_access(&self, start: u64, end: u64, prot: u32) -> Option<u64> {
                let mut good = start;
                let _ = self.0.walk(page(start), |range, value| {
                    if range.start.number() > good || value.prot & prot != prot {
                        return ControlFlow::Break(());
                    }
                    good = range.end.number();
                    if good >= end {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                });
                (good < end).then_some(good)
            }

            #[inline]
            fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
                self.0.iter().for_each(|(range, value)| {
                    f(range.start.number(), range.end.number(), *value);
                });
            }

            #[inline]
            fn find_gap(&self, place: &Place) -> Option<u64> {
                Some(self.0.find_gap(&query(place))?.number())
            }

            #[inline]
            fn allocate(&mut self, place: &Place, value: Value) -> Option<u64> {
                Some(self.0.allocate(&query(place), value)?.number())
            }
        }
    )*};
}

impl Tree {
    /// How many entries there are.
    #[must_use]
    pub fn regions(&self) -> usize {
        self.0.len()
    }
}

store_subjects! {
    /// `BTreeStore`.
    Tree, BTreeStore<Page, Value>, "gaptree", Side::Ours, true, false;
    /// `SortedVecStore`.
    SortedVec, SortedVecStore<Page, Value>, "gaptree-vec", Side::Ours, true, true;
    /// `ReferenceStore`.
    Reference, ReferenceStore<Page, Value>, "reference", Side::Oracle, false, true;
}
