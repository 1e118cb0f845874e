//! An inner node: a summary of each child in columns, and the children.

use core::mem;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::leaf::Leaf;
use super::owned::Owned;
use super::summary::Summary;
use crate::alloc_error::AllocError;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::span::Span;

/// All children of a node are of one kind.
#[derive(Debug)]
pub(crate) enum Children<R, V, const LEAF: usize, const FANOUT: usize> {
    Leaves(ArrayVec<Owned<Leaf<R, V, LEAF>>, FANOUT>),
    Inners(ArrayVec<Owned<Inner<R, V, LEAF, FANOUT>>, FANOUT>),
}

/// `$body` for the children's vector, whichever kind it is of.
macro_rules! each_kind {
    ($children:expr, $list:ident => $body:expr) => {
        match $children {
            $crate::btree::node::Children::Leaves($list) => $body,
            $crate::btree::node::Children::Inners($list) => $body,
        }
    };
}
pub(crate) use each_kind;

/// The fields are in the order in which a look-up needs them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Inner<R, V, const LEAF: usize, const FANOUT: usize> {
    /// The last end of each child; padded.
    pub(crate) max_ends: [R; FANOUT],
    /// The longest gap that ends in each child: the one before it (within this
    /// node), or one inside it.
    pub(crate) gaps: [R; FANOUT],
    /// The first start of each child; padded.
    pub(crate) min_starts: [R; FANOUT],
    /// The longest gap inside each child.
    pub(crate) max_gaps: [R; FANOUT],
    /// The longest of `gaps`.
    pub(crate) max_gap: R,
    pub(crate) children: Children<R, V, LEAF, FANOUT>,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    pub(crate) fn try_new(
        children: Children<R, V, LEAF, FANOUT>,
    ) -> Result<Owned<Self>, AllocError> {
        Owned::try_with(|| Self {
            max_ends: [R::PAD; FANOUT],
            gaps: [R::ZERO; FANOUT],
            min_starts: [R::ZERO; FANOUT],
            max_gaps: [R::ZERO; FANOUT],
            max_gap: R::ZERO,
            children,
        })
    }

    /// A node over the same kind of children, without any.
    pub(crate) fn try_empty_like(&self) -> Result<Owned<Self>, AllocError> {
        Self::try_new(match self.children {
            Children::Leaves(_) => Children::Leaves(ArrayVec::new()),
            Children::Inners(_) => Children::Inners(ArrayVec::new()),
        })
    }

    /// A node over leaves, without any.
    pub(crate) fn try_over_leaves() -> Result<Owned<Self>, AllocError> {
        Self::try_new(Children::Leaves(ArrayVec::new()))
    }

    /// A node over inner nodes, without any.
    pub(crate) fn try_over_inners() -> Result<Owned<Self>, AllocError> {
        Self::try_new(Children::Inners(ArrayVec::new()))
    }

    /// The number of children.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        each_kind!(&self.children, children => children.len())
    }

    /// The node's extent and gap; it is not empty.
    #[inline]
    pub(crate) fn summary(&self) -> Summary<R> {
        debug_assert!(self.len() > 0);
        Summary {
            min_start: self.min_starts[0],
            max_end: self.max_ends[self.len() - 1],
            max_gap: self.max_gap,
        }
    }

    /// The leaf of the first entry that ends after `key`.
    ///
    /// Never inlined, so that the rest of a look-up is small enough to be inlined
    /// into its caller.
    #[inline(never)]
    pub(crate) fn leaf_above(&self, key: R) -> Option<&Leaf<R, V, LEAF>> {
        let mut inner = self;
        loop {
            let c = inner.max_ends_up_to(key);
            match &inner.children {
                Children::Inners(children) => inner = children.get(c)?,
                Children::Leaves(children) => return Some(children.get(c)?),
            }
        }
    }

    /// The leaf of the first entry that ends after `key`, and those above it in the same
    /// node. Not one function with [`leaf_above`](Self::leaf_above): look-ups have 5 to
    /// 10 % more instructions then.
    #[inline(never)]
    pub(crate) fn leaves_above(&self, key: R) -> Option<&[Owned<Leaf<R, V, LEAF>>]> {
        let mut inner = self;
        loop {
            let c = inner.max_ends_up_to(key);
            match &inner.children {
                Children::Inners(children) => inner = children.get(c)?,
                Children::Leaves(children) => return children.get(c..),
            }
        }
    }

    /// How many children end below `key`.
    #[inline]
    pub(crate) fn max_ends_below(&self, key: R) -> usize {
        R::rank_below(&self.max_ends, self.len(), key)
    }

    /// How many children end at `key` or below.
    #[inline]
    pub(crate) fn max_ends_up_to(&self, key: R) -> usize {
        R::rank_up_to(&self.max_ends, self.len(), key)
    }

    /// How many children start before `key`.
    #[inline]
    pub(crate) fn min_starts_below(&self, key: R) -> usize {
        let c = self.max_ends_below(key);
        c + usize::from(c < self.len() && self.min_starts[c] < key)
    }

    /// The child to edit for the span: the first that ends at or above the span's
    /// start. If the span ends below that child, the one before, since appending
    /// moves nothing.
    #[inline]
    pub(crate) fn route(&self, span: Span<R>) -> usize {
        let c = self.max_ends_below(span.start);
        if c > 0 && (c == self.len() || span.end < self.min_starts[c]) {
            c - 1
        } else {
            c
        }
    }

    /// The first start above child `c`, where `next_start` is the first above
    /// this node.
    #[inline]
    pub(crate) fn next_start(&self, c: usize, next_start: Option<R>) -> Option<R> {
        if c + 1 < self.len() {
            Some(self.min_starts[c + 1])
        } else {
            next_start
        }
    }

    /// The last end below child `c`, where `prev_end` is the last below this
    /// node.
    #[inline]
    pub(crate) fn prev_end(&self, c: usize, prev_end: Option<R>) -> Option<R> {
        match c.checked_sub(1) {
            Some(below) => Some(self.max_ends[below]),
            None => prev_end,
        }
    }

    /// Whether the children are leaves.
    pub(crate) fn is_over_leaves(&self) -> bool {
        matches!(self.children, Children::Leaves(_))
    }

    pub(crate) fn child_summary(&self, c: usize) -> Summary<R> {
        each_kind!(&self.children, children => children[c].summary())
    }

    /// The gap between child `c` and the one before; zero for the first.
    #[inline]
    fn gap_before(&self, c: usize) -> R {
        match c.checked_sub(1) {
            None => R::ZERO,
            Some(below) => self.min_starts[c].minus(self.max_ends[below]),
        }
    }

    /// The longest gap that ends in child `c`.
    #[inline]
    fn gap_ending_in(&self, c: usize) -> R {
        self.gap_before(c).max(self.max_gaps[c])
    }

    /// Takes over the summary of child `c`, which was edited. Returns whether this
    /// node's own summary has changed: if not, nothing above needs to know.
    #[inline]
    pub(crate) fn update_summary(&mut self, c: usize) -> bool {
        // Not by `copy_summary`: what is known of the child stays in registers.
        let child = self.child_summary(c);
        let last = self.len() - 1;
        let outer = (c == 0 && self.min_starts[c] != child.min_start)
            | (c == last && self.max_ends[c] != child.max_end);
        (self.min_starts[c], self.max_ends[c], self.max_gaps[c]) =
            (child.min_start, child.max_end, child.max_gap);
        let mut now = self.gap_before(c).max(child.max_gap);
        let mut was = mem::replace(&mut self.gaps[c], now);
        if c < last {
            let above = self.min_starts[c + 1]
                .minus(child.max_end)
                .max(self.max_gaps[c + 1]);
            now = now.max(above);
            was = was.max(mem::replace(&mut self.gaps[c + 1], above));
        }
        let before = self.max_gap;
        if now >= before {
            self.max_gap = now;
        } else if was == before {
            self.max_gap = R::longest(&self.gaps, self.len());
        }
        outer || self.max_gap != before
    }

    /// Fills the columns of child `c`; those of the child below are right.
    fn copy_summary(&mut self, c: usize) {
        let child = self.child_summary(c);
        (self.min_starts[c], self.max_ends[c], self.max_gaps[c]) =
            (child.min_start, child.max_end, child.max_gap);
        self.gaps[c] = self.gap_ending_in(c);
    }

    /// Recomputes every summary from the children.
    pub(crate) fn rebuild_summaries(&mut self) {
        let len = self.len();
        self.max_ends.fill(R::PAD);
        self.min_starts.fill(R::ZERO);
        self.max_gaps.fill(R::ZERO);
        self.gaps.fill(R::ZERO);
        for c in 0..len {
            self.copy_summary(c);
        }
        self.max_gap = R::longest(&self.gaps, self.len());
    }

    fn columns(&mut self) -> [&mut [R; FANOUT]; 4] {
        [
            &mut self.max_ends,
            &mut self.min_starts,
            &mut self.max_gaps,
            &mut self.gaps,
        ]
    }

    /// Makes room in the columns before child `c`.
    fn open_columns(&mut self, c: usize) {
        for column in self.columns() {
            column[c..].rotate_right(1);
        }
    }

    /// Removes children, which are empty.
    pub(crate) fn remove_children(&mut self, gone: Range<usize>) {
        debug_assert!(gone.clone().all(|c| self.child_len(c) == 0));
        each_kind!(&mut self.children, children => drop(children.drain(gone.clone())));
        self.close_columns(gone);
    }

    /// Closes the columns of children that are gone.
    fn close_columns(&mut self, gone: Range<usize>) {
        for column in self.columns() {
            column.copy_within(gone.end.., gone.start);
        }
        let free = FANOUT - gone.len()..;
        self.max_ends[free.clone()].fill(R::PAD);
        for column in [&mut self.min_starts, &mut self.max_gaps, &mut self.gaps] {
            column[free.clone()].fill(R::ZERO);
        }
        if gone.start < self.len() {
            self.gaps[gone.start] = self.gap_ending_in(gone.start);
        }
        self.max_gap = R::longest(&self.gaps, self.len());
    }

    /// Makes room in child `c`, which lacks it: moves some of its entries to a leaf
    /// beside it, or else splits it.
    ///
    /// ```text
    /// redistribute, with the leaf below if that has room, else with the one above:
    ///   |aaa.....|cccccccc|eeee....|  ->  |aaacc...|cccccc..|eeee....|
    /// split, in the middle:
    ///   |cccccccc|                    ->  |cccc....|cccc....|
    /// split, when appending to the last leaf of the tree:
    ///   |cccccccc|                    ->  |ccccccc.|c.......|
    /// ```
    pub(crate) fn make_room_in(&mut self, c: usize, appending: bool) -> Result<(), AllocError> {
        if !appending && self.redistribute(c) {
            return Ok(());
        }
        self.split_child(c, appending)
    }

    /// Moves entries between leaf `c` and one beside it, if that leaves some room
    /// in both. The node's own summary stays.
    fn redistribute(&mut self, c: usize) -> bool {
        // The other leaf must have a quarter of its slots free, so that it lasts,
        // and at least four: then both end with two or more.
        let most = LEAF.saturating_sub((LEAF / 4).max(4));
        let Children::Leaves(children) = &mut self.children else {
            return false;
        };
        let has_room = |c: usize| children.get(c).is_some_and(|leaf| leaf.len() <= most);
        let lower = match c.checked_sub(1) {
            Some(below) if has_room(below) => below,
            _ if has_room(c + 1) => c,
            _ => return false,
        };
        if let [lower, upper, ..] = &mut children[lower..] {
            lower.redistribute(upper);
        }
        self.copy_summary(lower);
        self.copy_summary(lower + 1);
        self.max_gap = R::longest(&self.gaps, self.len());
        true
    }

    /// Splits child `c` in two; there is room for one more. If something will be
    /// appended to the child at the very end of the tree, that child keeps all
    /// but one of its own: filling in order leaves nodes full but for one slot.
    pub(crate) fn split_child(&mut self, c: usize, appending: bool) -> Result<(), AllocError> {
        debug_assert!(self.len() < FANOUT);
        match &mut self.children {
            Children::Leaves(children) => {
                let mut upper = Leaf::try_new()?;
                let at = split_point(children[c].len(), appending);
                children[c].split_off(at, &mut upper);
                children.insert(c + 1, upper);
            }
            Children::Inners(children) => {
                let mut upper = children[c].try_empty_like()?;
                let at = split_point(children[c].len(), appending);
                children[c].split_off(at, &mut upper);
                children.insert(c + 1, upper);
            }
        }
        self.open_columns(c + 1);
        self.copy_summary(c);
        self.copy_summary(c + 1);
        self.max_gap = R::longest(&self.gaps, self.len());
        Ok(())
    }

    /// Moves the children from `at` on to the empty node `upper`.
    pub(crate) fn split_off(&mut self, at: usize, upper: &mut Self) {
        debug_assert_eq!(upper.len(), 0);
        match (&mut self.children, &mut upper.children) {
            (Children::Leaves(from), Children::Leaves(to)) => to.extend(from.drain(at..)),
            (Children::Inners(from), Children::Inners(to)) => to.extend(from.drain(at..)),
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        self.rebuild_summaries();
        upper.rebuild_summaries();
    }

    /// Takes over the children of the node above; they fit.
    pub(crate) fn merge(&mut self, upper: Self) {
        debug_assert!(self.len() + upper.len() <= FANOUT);
        match (&mut self.children, upper.children) {
            (Children::Leaves(to), Children::Leaves(from)) => to.extend(from),
            (Children::Inners(to), Children::Inners(from)) => to.extend(from),
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        self.rebuild_summaries();
    }

    /// Merges child `c` with a sibling if it is nearly empty and both fit
    /// together. The node's own summary stays.
    #[inline]
    pub(crate) fn merge_if_sparse(&mut self, c: usize) {
        // A merged leaf has a quarter free, a merged inner node, which changes
        // less, an eighth; both have two slots at least, because an update
        // relies on the room it made.
        let (len, sparse, most) = match &self.children {
            Children::Leaves(children) => (
                children[c].len(),
                LEAF * 3 / 8,
                (LEAF * 3 / 4).min(LEAF - 2),
            ),
            Children::Inners(children) => (
                children[c].len(),
                FANOUT / 2,
                (FANOUT * 7 / 8).min(FANOUT - 2),
            ),
        };
        if len < sparse.max(2) {
            self.merge_child(c, most);
        }
    }

    #[cold]
    fn merge_child(&mut self, c: usize, most: usize) {
        let fits = |lower: usize| {
            lower + 1 < self.len() && self.child_len(lower) + self.child_len(lower + 1) <= most
        };
        let lower = if c > 0 && fits(c - 1) {
            c - 1
        } else if fits(c) {
            c
        } else {
            return;
        };
        each_kind!(&mut self.children, children => {
            let upper = children.remove(lower + 1);
            children[lower].merge(upper.into_inner());
        });
        self.close_columns(lower + 1..lower + 2);
        self.update_summary(lower);
    }

    /// How many entries or children child `c` has.
    pub(crate) fn child_len(&self, c: usize) -> usize {
        each_kind!(&self.children, children => children[c].len())
    }

    pub(crate) fn try_clone(&self) -> Result<Owned<Self>, AllocError> {
        let mut copy = self.try_empty_like()?;
        match (&self.children, &mut copy.children) {
            (Children::Leaves(from), Children::Leaves(to)) => {
                for child in from {
                    to.push(child.try_clone()?);
                }
            }
            (Children::Inners(from), Children::Inners(to)) => {
                for child in from {
                    to.push(child.try_clone()?);
                }
            }
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        (copy.max_ends, copy.min_starts) = (self.max_ends, self.min_starts);
        (copy.gaps, copy.max_gaps, copy.max_gap) = (self.gaps, self.max_gaps, self.max_gap);
        Ok(copy)
    }
}

/// Where to split a node of `len`.
pub(crate) fn split_point(len: usize, appending: bool) -> usize {
    if appending { len - 1 } else { len / 2 }
}
