//! What becomes of values where entries meet or are cut: the only place that
//! compares or clones them for that.

/// Whether two adjacent entries with these values, in any order, are one entry.
#[inline]
pub(crate) fn joins<V: PartialEq>(one: &V, other: &V) -> bool {
    one == other
}

/// Whether an update left a value as it was, so that there is nothing to do.
#[inline]
pub(crate) fn is_unchanged<V: PartialEq>(old: &V, new: &V) -> bool {
    old == new
}

/// The value of a part that is cut out of an entry.
#[inline]
pub(crate) fn part<V: Clone>(whole: &V) -> V {
    whole.clone()
}
