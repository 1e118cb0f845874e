//! What a node says of itself to the one above.

/// The extent of a subtree, and the longest gap between its entries.
///
/// Summaries of neighbours add up: `(s, e, g) + (s', e', g')` is
/// `(s, e', max(g, s' - e, g'))`. So none depends on anything outside its
/// subtree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Summary<R> {
    pub(crate) min_start: R,
    pub(crate) max_end: R,
    pub(crate) max_gap: R,
}
