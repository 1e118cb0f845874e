//! The two kinds of nodes, the boxes they are in, and the summary that a node
//! gives of itself to the one above.

pub(crate) mod inner;
pub(crate) mod leaf;
pub(crate) mod owned;
mod summary;

pub(crate) use inner::{Children, Inner, each_kind};
pub(crate) use leaf::Leaf;
pub(crate) use owned::Owned;
pub(crate) use summary::Summary;
