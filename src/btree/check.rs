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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broken::expect_each_refused;
    use crate::key::Short;

    type Store = BTreeStore<u16, u8, 3, 3>;
    type Node = Inner<Short, u8, 3, 3>;

    /// Three levels of them.
    const ENTRIES: u16 = 20;

    fn root(store: &mut Store) -> &mut Node {
        match &mut store.root {
            Some(Root::Inner(root)) => root,
            _ => panic!("the root is not an inner node"),
        }
    }

    /// The lowest inner node.
    fn node(store: &mut Store) -> &mut Node {
        let mut node = root(store);
        while !node.is_over_leaves() {
            node = match &mut node.kids {
                Kids::Inners(kids) => &mut kids[0],
                Kids::Leaves(_) => unreachable!("they are not leaves"),
            };
        }
        node
    }

    /// The first leaf, in which a slot is free, or another.
    fn leaf(store: &mut Store, index: usize) -> &mut Leaf<Short, u8, 3> {
        match &mut node(store).kids {
            Kids::Leaves(kids) => &mut kids[index],
            Kids::Inners(_) => unreachable!("they are leaves"),
        }
    }

    #[test]
    fn check_refuses_a_broken_leaf() {
        expect_each_refused::<Store>(
            ENTRIES,
            &[
                ("T4: empty leaf", |s| leaf(s, 0).set_len(0)),
                ("T1: detached", |s| leaf(s, 0).values.push(1)),
                ("T1: empty entry", |s| {
                    let leaf = leaf(s, 0);
                    leaf.ends[0] = leaf.starts[0];
                }),
                ("T1: order", |s| {
                    let leaf = leaf(s, 0);
                    leaf.ends[0] = leaf.ends[1];
                }),
                ("T2: padding of a leaf", |s| leaf(s, 0).starts[2] = Short(1)),
                ("T2: padding of a leaf", |s| leaf(s, 0).ends[2] = Short(99)),
                ("T3", |s| leaf(s, 0).max_gap = Short(7)),
                ("T5: summary of child 1", |s| {
                    let leaf = leaf(s, 1);
                    leaf.starts[0] = leaf.starts[0].minus(Short(1));
                }),
            ],
        );
    }

    #[test]
    fn check_refuses_a_broken_inner_node() {
        expect_each_refused::<Store>(
            ENTRIES,
            &[
                ("T4: inner node without", |s| {
                    node(s).kids = Kids::Leaves(Default::default());
                }),
                ("T5: summary", |s| node(s).firsts[1] = Short(1)),
                ("T5: summary", |s| node(s).lasts[0] = Short(1)),
                ("T5: summary", |s| node(s).inside[0] = Short(1)),
                ("T5: gap that ends in child 0", |s| {
                    node(s).gaps[0] = Short(7)
                }),
                ("T5: gap that ends in child 1", |s| {
                    node(s).gaps[1] = Short(5)
                }),
                ("T5: longest gap", |s| node(s).max_gap = Short(7)),
                ("T2: key padding", |s| node(s).lasts[2] = Short(1)),
                ("T2: key padding", |s| node(s).firsts[2] = Short(1)),
                ("T2: gap padding", |s| node(s).gaps[2] = Short(1)),
                ("T2: gap padding", |s| node(s).inside[2] = Short(1)),
                ("T1: order of children", |s| {
                    let node = node(s);
                    node.firsts.swap(0, 1);
                    node.lasts.swap(0, 1);
                    match &mut node.kids {
                        Kids::Leaves(kids) => kids.swap(0, 1),
                        Kids::Inners(_) => unreachable!("they are leaves"),
                    }
                }),
            ],
        );
    }

    #[test]
    fn check_refuses_a_broken_tree() {
        expect_each_refused::<Store>(
            ENTRIES,
            &[
                ("T4: root with one child", |s| s.raise().expect("memory")),
                ("T4: depth", |s| {
                    let Kids::Inners(kids) = &mut root(s).kids else {
                        unreachable!("there are three levels");
                    };
                    let mut over = Node::try_over_inners().expect("memory");
                    let kid = kids.pop().expect("a child");
                    match &mut over.kids {
                        Kids::Inners(kids) => kids.push(kid),
                        Kids::Leaves(_) => unreachable!("made over inner nodes"),
                    }
                    over.refresh_all();
                    kids.push(over);
                }),
                ("T6", |s| s.len += 1),
                ("T7", |s| {
                    let mut entries = s.iter();
                    let (first, value) = entries.next().expect("an entry");
                    let (range, _) = entries.next().expect("two");
                    let value = *value;
                    s.insert(first.end..range.start, 2);
                    let leaf = leaf(s, 0);
                    let slot = leaf.values.iter().position(|&value| value == 2);
                    leaf.values[slot.expect("it is there")] = value;
                }),
            ],
        );
    }
}
