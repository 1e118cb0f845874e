//! What an edit takes down the tree and brings back, and why a leaf refuses one.

use arrayvec::ArrayVec;

use crate::run::Full;
use crate::span::Span;
use crate::value;

/// Why an edit of one leaf was refused. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The leaf has no room: [`room`](super::room) makes some.
    Full(Full),
    /// The span touches another leaf as well: [`across`](super::across) and
    /// [`update`](super::update) have the edits of several leaves.
    Across,
}

impl From<Full> for Refused {
    #[inline]
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

/// The context of an edit. Removals and updates put nothing in.
#[derive(Debug)]
pub(crate) struct Edit<F, P = ()> {
    /// The number of entries in the tree. The store takes it over after an edit of
    /// one leaf; an edit across leaves keeps the store's own count instead, and
    /// after a panic the store counts anew.
    pub(crate) len: usize,
    /// Called with each piece: the caller's sink, or the closure of an update.
    pub(crate) visit: F,
    pub(crate) put: P,
}

impl<F> Edit<F> {
    /// An edit that puts nothing in.
    pub(crate) fn new(len: usize, visit: F) -> Self {
        Self {
            len,
            visit,
            put: (),
        }
    }
}

/// An insertion that reports nothing of what it overwrites.
pub(crate) type Quiet<R, V, const LEAF: usize> = Edit<fn(Span<R>, V), Put<V, LEAF>>;

impl<R, V, const LEAF: usize> Quiet<R, V, LEAF> {
    pub(crate) fn quiet(len: usize, value: V) -> Self {
        let put = Put::new(value, false);
        // An insertion across leaves removes first, and drops what this gets.
        let visit = |_, _| ();
        Self { len, visit, put }
    }
}

impl<F, V, const LEAF: usize> Edit<F, Put<V, LEAF>> {
    /// An insertion that calls `visit` with each piece that it overwrites.
    pub(crate) fn reporting(len: usize, value: V, visit: F) -> Self {
        let put = Put::new(value, true);
        Self { len, visit, put }
    }
}

/// What an insertion puts in.
#[derive(Debug)]
pub(crate) struct Put<V, const LEAF: usize> {
    /// The value, until it is in.
    pub(crate) value: Option<V>,
    /// Whether pieces that are overwritten are reported.
    pub(crate) reports: bool,
    /// Values that were replaced: they are dropped when the tree is valid again.
    pub(crate) old: ArrayVec<V, LEAF>,
}

impl<V, const LEAF: usize> Put<V, LEAF> {
    fn new(value: V, reports: bool) -> Self {
        Self {
            value: Some(value),
            reports,
            old: ArrayVec::new(),
        }
    }
}

impl<V: PartialEq, const LEAF: usize> Put<V, LEAF> {
    /// Whether the new entry joins an adjacent one with this value.
    #[inline]
    pub(crate) fn joins(&self, neighbour: &V) -> bool {
        self.value
            .as_ref()
            .is_some_and(|value| value::joins(value, neighbour))
    }
}
