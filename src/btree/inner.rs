//! An inner node: a summary of each child in columns, and the children.

use core::mem;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::Summary;
use super::leaf::Leaf;
use super::owned::Owned;
use crate::key::Ordinal;
use crate::run::Run;
use crate::store::AllocError;

/// All children of a node are of one kind.
#[derive(Debug)]
pub(crate) enum Kids<R, V, const B: usize, const F: usize> {
    Leaves(ArrayVec<Owned<Leaf<R, V, B>>, F>),
    Inners(ArrayVec<Owned<Inner<R, V, B, F>>, F>),
}

/// `$body` for the children's vector, whichever kind it is of.
macro_rules! each_kind {
    ($kids:expr, $list:ident => $body:expr) => {
        match $kids {
            $crate::btree::inner::Kids::Leaves($list) => $body,
            $crate::btree::inner::Kids::Inners($list) => $body,
        }
    };
}
pub(crate) use each_kind;

/// The fields are in the order in which a look-up needs them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Inner<R, V, const B: usize, const F: usize> {
    /// The last end of each child; padded.
    pub(crate) lasts: [R; F],
    /// The longest gap that ends in each child: before it (within this node) or
    /// inside it.
    pub(crate) gaps: [R; F],
    /// The first start of each child; padded.
    pub(crate) firsts: [R; F],
    /// The longest gap inside each child.
    pub(crate) inside: [R; F],
    /// The longest of `gaps`.
    pub(crate) max_gap: R,
    pub(crate) kids: Kids<R, V, B, F>,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    pub(crate) fn try_new(kids: Kids<R, V, B, F>) -> Result<Owned<Self>, AllocError> {
        Owned::try_with(|| Self {
            lasts: [R::PAD; F],
            gaps: [R::ZERO; F],
            firsts: [R::ZERO; F],
            inside: [R::ZERO; F],
            max_gap: R::ZERO,
            kids,
        })
    }

    /// A node over the same kind of children, without any.
    pub(crate) fn try_empty_like(&self) -> Result<Owned<Self>, AllocError> {
        Self::try_new(match self.kids {
            Kids::Leaves(_) => Kids::Leaves(ArrayVec::new()),
            Kids::Inners(_) => Kids::Inners(ArrayVec::new()),
        })
    }

    /// A node over leaves, without any.
    pub(crate) fn try_over_leaves() -> Result<Owned<Self>, AllocError> {
        Self::try_new(Kids::Leaves(ArrayVec::new()))
    }

    /// A node over inner nodes, without any.
    pub(crate) fn try_over_inners() -> Result<Owned<Self>, AllocError> {
        Self::try_new(Kids::Inners(ArrayVec::new()))
    }

    /// The number of children.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        each_kind!(&self.kids, kids => kids.len())
    }

    /// The node's extent and gap; it is not empty.
    #[inline]
    pub(crate) fn summary(&self) -> Summary<R> {
        Summary {
            first: self.firsts[0],
            last: self.lasts[self.len() - 1],
            gap: self.max_gap,
        }
    }

    /// The leaf of the first entry that ends after `key`.
    ///
    /// By itself, so that what is left of a look-up is short enough to become
    /// part of its caller.
    #[inline(never)]
    pub(crate) fn leaf_above(&self, key: R) -> Option<&Leaf<R, V, B>> {
        let mut inner = self;
        loop {
            let c = inner.lasts_up_to(key);
            match &inner.kids {
                Kids::Inners(kids) => inner = kids.get(c)?,
                Kids::Leaves(kids) => return Some(kids.get(c)?),
            }
        }
    }

    /// How many children end below `key`.
    #[inline]
    pub(crate) fn lasts_below(&self, key: R) -> usize {
        R::rank_below(&self.lasts, self.len(), key)
    }

    /// How many children end at `key` or below.
    #[inline]
    pub(crate) fn lasts_up_to(&self, key: R) -> usize {
        R::rank_up_to(&self.lasts, self.len(), key)
    }

    /// How many children start before `key`.
    #[inline]
    pub(crate) fn starting_below(&self, key: R) -> usize {
        let c = self.lasts_below(key);
        c + usize::from(c < self.len() && self.firsts[c] < key)
    }

    pub(crate) fn kid_summary(&self, c: usize) -> Summary<R> {
        each_kind!(&self.kids, kids => kids[c].summary())
    }

    /// The gap between child `c` and the one before; zero for the first.
    #[inline]
    fn gap_before(&self, c: usize) -> R {
        match c.checked_sub(1) {
            None => R::ZERO,
            Some(below) => self.firsts[c].minus(self.lasts[below]),
        }
    }

    /// The longest gap that ends in child `c`.
    #[inline]
    fn gap_ending_in(&self, c: usize) -> R {
        self.gap_before(c).max(self.inside[c])
    }

    /// Takes over what child `c` says of itself. Returns whether this node's
    /// own summary is another now: if not, nothing above it needs to know.
    #[inline]
    pub(crate) fn refresh(&mut self, c: usize) -> bool {
        // Not by `take_over`: what is known of the child stays in registers.
        let kid = self.kid_summary(c);
        let last = self.len() - 1;
        let outer =
            (c == 0 && self.firsts[c] != kid.first) | (c == last && self.lasts[c] != kid.last);
        (self.firsts[c], self.lasts[c], self.inside[c]) = (kid.first, kid.last, kid.gap);
        let mut now = self.gap_before(c).max(kid.gap);
        let mut was = mem::replace(&mut self.gaps[c], now);
        if c < last {
            let above = self.firsts[c + 1].minus(kid.last).max(self.inside[c + 1]);
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

    /// Fills the columns of child `c`; those of the child before are right.
    fn take_over(&mut self, c: usize) {
        let kid = self.kid_summary(c);
        (self.firsts[c], self.lasts[c], self.inside[c]) = (kid.first, kid.last, kid.gap);
        self.gaps[c] = self.gap_ending_in(c);
    }

    /// Recomputes every summary from the children.
    pub(crate) fn refresh_all(&mut self) {
        let len = self.len();
        self.lasts.fill(R::PAD);
        self.firsts.fill(R::ZERO);
        self.inside.fill(R::ZERO);
        self.gaps.fill(R::ZERO);
        for c in 0..len {
            self.take_over(c);
        }
        self.max_gap = R::longest(&self.gaps, self.len());
    }

    fn columns(&mut self) -> [&mut [R; F]; 4] {
        [
            &mut self.lasts,
            &mut self.firsts,
            &mut self.inside,
            &mut self.gaps,
        ]
    }

    /// Makes room in the columns before child `c`.
    fn open(&mut self, c: usize) {
        for column in self.columns() {
            column[c..].rotate_right(1);
        }
    }

    /// Takes children, which are empty, out of the node.
    pub(crate) fn unlink(&mut self, gone: Range<usize>) {
        each_kind!(&mut self.kids, kids => drop(kids.drain(gone.clone())));
        self.close(gone);
    }

    /// Closes the columns of children that are gone.
    fn close(&mut self, gone: Range<usize>) {
        for column in self.columns() {
            column.copy_within(gone.end.., gone.start);
        }
        let free = F - gone.len()..;
        self.lasts[free.clone()].fill(R::PAD);
        for column in [&mut self.firsts, &mut self.inside, &mut self.gaps] {
            column[free.clone()].fill(R::ZERO);
        }
        if gone.start < self.len() {
            self.gaps[gone.start] = self.gap_ending_in(gone.start);
        }
        self.max_gap = R::longest(&self.gaps, self.len());
    }

    /// Makes room in child `c`, which is full: shares its entries with a leaf
    /// beside it, or else splits it.
    pub(crate) fn relieve_kid(&mut self, c: usize, appending: bool) -> Result<(), AllocError> {
        if !appending && self.even_out(c) {
            return Ok(());
        }
        self.split_kid(c, appending)
    }

    /// Shares the entries of leaf `c` with one beside it, if that leaves some
    /// room in both. The node's own summary stays.
    fn even_out(&mut self, c: usize) -> bool {
        // Two slots in each, as after a merge; a quarter, so that it lasts.
        let most = B.saturating_sub((B / 4).max(4));
        let Kids::Leaves(kids) = &mut self.kids else {
            return false;
        };
        let has_room = |c: usize| kids.get(c).is_some_and(|leaf| leaf.len() <= most);
        let lower = match c.checked_sub(1) {
            Some(below) if has_room(below) => below,
            _ if has_room(c + 1) => c,
            _ => return false,
        };
        if let [lower, upper, ..] = &mut kids[lower..] {
            lower.even_out(upper);
        }
        self.take_over(lower);
        self.take_over(lower + 1);
        self.max_gap = R::longest(&self.gaps, self.len());
        true
    }

    /// Splits child `c` in two; there is room for one more. A child at the very
    /// end of the tree to which something will be appended keeps all but one
    /// of its own, so that filling in order leaves full nodes behind.
    pub(crate) fn split_kid(&mut self, c: usize, appending: bool) -> Result<(), AllocError> {
        match &mut self.kids {
            Kids::Leaves(kids) => {
                let mut upper = Leaf::try_new()?;
                let at = split_point(kids[c].len(), appending);
                kids[c].split_off(at, &mut upper);
                kids.insert(c + 1, upper);
            }
            Kids::Inners(kids) => {
                let mut upper = kids[c].try_empty_like()?;
                let at = split_point(kids[c].len(), appending);
                kids[c].split_off(at, &mut upper);
                kids.insert(c + 1, upper);
            }
        }
        self.open(c + 1);
        self.take_over(c);
        self.take_over(c + 1);
        self.max_gap = R::longest(&self.gaps, self.len());
        Ok(())
    }

    /// Moves the children from `at` on to the empty node `upper`.
    pub(crate) fn split_off(&mut self, at: usize, upper: &mut Self) {
        match (&mut self.kids, &mut upper.kids) {
            (Kids::Leaves(from), Kids::Leaves(to)) => to.extend(from.drain(at..)),
            (Kids::Inners(from), Kids::Inners(to)) => to.extend(from.drain(at..)),
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        self.refresh_all();
        upper.refresh_all();
    }

    /// Takes over the children of the node above; they fit.
    pub(crate) fn absorb(&mut self, upper: Self) {
        match (&mut self.kids, upper.kids) {
            (Kids::Leaves(to), Kids::Leaves(from)) => to.extend(from),
            (Kids::Inners(to), Kids::Inners(from)) => to.extend(from),
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        self.refresh_all();
    }

    /// Joins child `c` with a sibling if it is nearly empty and both fit
    /// together. The node's own summary stays.
    #[inline]
    pub(crate) fn merge_if_sparse(&mut self, c: usize) {
        // Leaves leave a quarter free, inner nodes, which change less, an
        // eighth; and two slots, since an update relies on the room it found.
        let (len, sparse, most) = match &self.kids {
            Kids::Leaves(kids) => (kids[c].len(), B * 3 / 8, (B * 3 / 4).min(B - 2)),
            Kids::Inners(kids) => (kids[c].len(), F / 2, (F * 7 / 8).min(F - 2)),
        };
        if len < sparse.max(2) {
            self.merge(c, most);
        }
    }

    #[cold]
    fn merge(&mut self, c: usize, most: usize) {
        let fits = |lower: usize| {
            lower + 1 < self.len() && self.kid_len(lower) + self.kid_len(lower + 1) <= most
        };
        let lower = if c > 0 && fits(c - 1) {
            c - 1
        } else if fits(c) {
            c
        } else {
            return;
        };
        each_kind!(&mut self.kids, kids => {
            let upper = kids.remove(lower + 1);
            kids[lower].absorb(upper.into_inner());
        });
        self.close(lower + 1..lower + 2);
        self.refresh(lower);
    }

    /// How many entries or children child `c` has.
    pub(crate) fn kid_len(&self, c: usize) -> usize {
        each_kind!(&self.kids, kids => kids[c].len())
    }

    pub(crate) fn try_clone(&self) -> Result<Owned<Self>, AllocError> {
        let mut copy = self.try_empty_like()?;
        match (&self.kids, &mut copy.kids) {
            (Kids::Leaves(from), Kids::Leaves(to)) => {
                for kid in from {
                    to.push(kid.try_clone()?);
                }
            }
            (Kids::Inners(from), Kids::Inners(to)) => {
                for kid in from {
                    to.push(kid.try_clone()?);
                }
            }
            _ => debug_assert!(false, "T4: siblings have children of one kind"),
        }
        (copy.lasts, copy.firsts) = (self.lasts, self.firsts);
        (copy.gaps, copy.inside, copy.max_gap) = (self.gaps, self.inside, self.max_gap);
        Ok(copy)
    }
}

/// Where to split a node of `len`.
pub(crate) fn split_point(len: usize, appending: bool) -> usize {
    if appending { len - 1 } else { len / 2 }
}
