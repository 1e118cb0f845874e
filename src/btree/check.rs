//! The tree's invariants (T1 to T7 of the module documentation), asserted over
//! the whole structure.

use super::node::{Inner, Leaf, Summary, each_kind};
use super::tree::{BTreeStore, Root};
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::store::RangeStore;
use crate::value;

/// What a subtree turned out to hold.
struct Found<R> {
    summary: Summary<R>,
    entries: usize,
    height: usize,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
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
        let pads = |column: &[R; LEAF], pad: R| column[len..].iter().all(|&key| key == pad);
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

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    fn check(&self) -> Found<R> {
        let len = self.len();
        assert!(len > 0, "T4: inner node without children");
        let (mut entries, mut height) = (0, None);
        for c in 0..len {
            let child = each_kind!(&self.children, children => children[c].check());
            entries += child.entries;
            assert_eq!(
                *height.get_or_insert(child.height),
                child.height,
                "T4: depth of leaves"
            );
            let held = Summary {
                min_start: self.min_starts[c],
                max_end: self.max_ends[c],
                max_gap: self.max_gaps[c],
            };
            assert_eq!(held, child.summary, "T5: summary of child {c}");
            assert!(
                c == 0 || self.max_ends[c - 1] <= self.min_starts[c],
                "T1: order of children"
            );
            let before = if c == 0 {
                R::ZERO
            } else {
                held.min_start.minus(self.max_ends[c - 1])
            };
            assert_eq!(
                self.gaps[c],
                before.max(held.max_gap),
                "T5: gap that ends in child {c}"
            );
        }
        let pads = |column: &[R; FANOUT], pad: R| column[len..].iter().all(|&key| key == pad);
        assert!(
            pads(&self.max_ends, R::PAD) && pads(&self.min_starts, R::ZERO),
            "T2: key padding"
        );
        assert!(
            pads(&self.gaps, R::ZERO) && pads(&self.max_gaps, R::ZERO),
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

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
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
            let joins = |(end, below)| end == range.start && value::joins(below, value);
            assert!(
                !below.is_some_and(joins),
                "T7: {range:?} equals the one before"
            );
            below = Some((range.end, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broken::expect_each_refused;
    use crate::btree::node::Children;
    use crate::u62::U62;

    type Store = BTreeStore<u16, u8, 3, 3>;
    type Node = Inner<U62, u8, 3, 3>;

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
            node = match &mut node.children {
                Children::Inners(children) => &mut children[0],
                Children::Leaves(_) => unreachable!("they are not leaves"),
            };
        }
        node
    }

    /// The first leaf, in which a slot is free, or another.
    fn leaf(store: &mut Store, index: usize) -> &mut Leaf<U62, u8, 3> {
        match &mut node(store).children {
            Children::Leaves(children) => &mut children[index],
            Children::Inners(_) => unreachable!("they are leaves"),
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
                ("T2: padding of a leaf", |s| leaf(s, 0).starts[2] = U62(1)),
                ("T2: padding of a leaf", |s| leaf(s, 0).ends[2] = U62(99)),
                ("T3", |s| leaf(s, 0).max_gap = U62(7)),
                ("T5: summary of child 1", |s| {
                    let leaf = leaf(s, 1);
                    leaf.starts[0] = leaf.starts[0].minus(U62(1));
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
                    node(s).children = Children::Leaves(Default::default());
                }),
                ("T5: summary", |s| node(s).min_starts[1] = U62(1)),
                ("T5: summary", |s| node(s).max_ends[0] = U62(1)),
                ("T5: summary", |s| node(s).max_gaps[0] = U62(1)),
                ("T5: gap that ends in child 0", |s| node(s).gaps[0] = U62(7)),
                ("T5: gap that ends in child 1", |s| node(s).gaps[1] = U62(5)),
                ("T5: longest gap", |s| node(s).max_gap = U62(7)),
                ("T2: key padding", |s| node(s).max_ends[2] = U62(1)),
                ("T2: key padding", |s| node(s).min_starts[2] = U62(1)),
                ("T2: gap padding", |s| node(s).gaps[2] = U62(1)),
                ("T2: gap padding", |s| node(s).max_gaps[2] = U62(1)),
                ("T1: order of children", |s| {
                    let node = node(s);
                    node.min_starts.swap(0, 1);
                    node.max_ends.swap(0, 1);
                    match &mut node.children {
                        Children::Leaves(children) => children.swap(0, 1),
                        Children::Inners(_) => unreachable!("they are leaves"),
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
                ("T4: root with one child", |s| {
                    s.grow_root().expect("memory")
                }),
                ("T4: depth", |s| {
                    let Children::Inners(children) = &mut root(s).children else {
                        unreachable!("there are three levels");
                    };
                    let mut over = Node::try_over_inners().expect("memory");
                    let child = children.pop().expect("a child");
                    match &mut over.children {
                        Children::Inners(children) => children.push(child),
                        Children::Leaves(_) => unreachable!("made over inner nodes"),
                    }
                    over.rebuild_summaries();
                    children.push(over);
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
