//! The tree's invariants (T1 to T7 of the module documentation), asserted over
//! the whole structure.

use super::inner::{Inner, Kids, each_kind};
use super::leaf::Leaf;
use super::{BTreeStore, Root, Summary};
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::RangeStore;

/// What a subtree turned out to hold.
struct Found<R> {
    summary: Summary<R>,
    entries: usize,
    height: usize,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    fn check(&self) -> Found<R> {
        let len = self.len();
        assert!(len > 0, "T4: empty leaf");
        assert_eq!(self.values.len(), len, "T1: detached slots left behind");
        for slot in 0..len {
            assert!(self.starts[slot] < self.ends[slot], "T1: empty entry");
            assert!(
                slot == 0 || self.ends[slot - 1] <= self.starts[slot],
                "T1: order"
            );
        }
        let pads = |column: &[R; B], pad: R| column[len..].iter().all(|&key| key == pad);
        assert!(
            pads(&self.starts, R::ZERO) && pads(&self.ends, R::PAD),
            "T2: padding of a leaf"
        );
        assert_eq!(
            self.max_gap,
            self.longest_gap(),
            "T3: longest gap of a leaf"
        );
        Found {
            summary: self.summary(),
            entries: len,
            height: 0,
        }
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    fn check(&self) -> Found<R> {
        let len = self.len();
        assert!(len > 0, "T4: inner node without children");
        let (mut entries, mut height) = (0, None);
        for c in 0..len {
            let kid = each_kind!(&self.kids, kids => kids[c].check());
            entries += kid.entries;
            assert_eq!(
                *height.get_or_insert(kid.height),
                kid.height,
                "T4: depth of leaves"
            );
            let held = Summary {
                first: self.firsts[c],
                last: self.lasts[c],
                gap: self.inside[c],
            };
            assert_eq!(held, kid.summary, "T5: summary of child {c}");
            assert!(
                c == 0 || self.lasts[c - 1] <= self.firsts[c],
                "T1: order of children"
            );
            let before = if c == 0 {
                R::ZERO
            } else {
                held.first.minus(self.lasts[c - 1])
            };
            assert_eq!(
                self.gaps[c],
                before.max(held.gap),
                "T5: gap that ends in child {c}"
            );
        }
        let pads = |column: &[R; F], pad: R| column[len..].iter().all(|&key| key == pad);
        assert!(
            pads(&self.lasts, R::PAD) && pads(&self.firsts, R::ZERO),
            "T2: key padding"
        );
        assert!(
            pads(&self.gaps, R::ZERO) && pads(&self.inside, R::ZERO),
            "T2: gap padding"
        );
        assert_eq!(
            self.max_gap,
            self.gaps[..len].iter().copied().fold(R::ZERO, R::max),
            "T5: longest gap"
        );
        Found {
            summary: self.summary(),
            entries,
            height: height.map_or(0, |height| height + 1),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    pub(crate) fn check_all(&self) {
        let entries = match &self.root {
            None => 0,
            Some(Root::Leaf(leaf)) => leaf.check().entries,
            Some(Root::Inner(inner)) => {
                assert!(inner.len() >= 2, "T4: root with one child");
                inner.check().entries
            }
        };
        assert_eq!(self.len, entries, "T6: number of entries");
        let mut below = None;
        for (range, value) in self.iter() {
            assert!(
                below != Some((range.start, value)),
                "T7: {range:?} equals the one before"
            );
            below = Some((range.end, value));
        }
    }
}

impl<R: Ordinal, V, const B: usize, const F: usize> Inner<R, V, B, F> {
    /// Whether the children are leaves.
    pub(crate) fn is_over_leaves(&self) -> bool {
        matches!(self.kids, Kids::Leaves(_))
    }
}
