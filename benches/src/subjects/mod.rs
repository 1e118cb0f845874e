//! Every subject: this library, its rivals, the reference, and the harness
//! alone.

#[cfg(any(boost_icl, llvm, maple_tree))]
mod cpp;
mod crates;
mod ordered;
mod space;
mod stores;

use std::collections::BTreeMap;

use brie_tree::nonmax::NonMaxU64;
#[cfg(boost_icl)]
pub use cpp::BoostIcl;
#[cfg(llvm)]
pub use cpp::Llvm;
#[cfg(maple_tree)]
pub use cpp::Maple;
pub use crates::{Nodit, Rangemap};
pub use ordered::{FlatVec, Ordered, OrderedMap, Slot};
pub use space::{File, Kind, Plain, Slow, Space, WithFiles, WithGuard};
pub use stores::{Reference, SortedVec, Tree};

use crate::subject::{Place, Side, Subject};
use crate::value::Value;

/// `AddrSpace` on the tree.
pub type TreeSpace = Space<Plain>;
/// `AddrSpace` on the reference.
pub type ReferenceSpace = Space<Slow>;
/// The standard library's map.
pub type StdMap = Ordered<BTreeMap<u64, Slot>>;
/// brie-tree.
pub type Brie = Ordered<brie_tree::BTree<NonMaxU64, Slot>>;
/// bbtree.
pub type Bbtree = Ordered<bbtree::unsync::BBTreeMap<u64, Slot>>;
/// A sorted vector.
pub type Flat = Ordered<FlatVec>;

/// A subject that does nothing: what is left is the harness.
#[derive(Clone, Copy, Debug)]
pub struct Floor;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const SIDE: Side = Side::Floor;
    const INDEXED: bool = true;

    fn new() -> Self {
        Self
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        Some(page)
    }

    #[inline]
    fn insert(&mut self, _: u64, _: u64, _: Value) {}

    #[inline]
    fn remove(&mut self, _: u64, _: u64) {}

    #[inline]
    fn protect(&mut self, _: u64, _: u64, _: u32) {}

    #[inline]
    fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
        f(start, end, 7);
    }

    #[inline]
    fn for_each(&self, _: impl FnMut(u64, u64, Value)) {}

    #[inline]
    fn find_gap(&self, place: &Place) -> Option<u64> {
        Some(place.len)
    }
}

/// Calls a macro with every subject that is measured, in the order of tables.
#[macro_export]
macro_rules! for_subjects {
    ($with:ident) => {
        $crate::with_boost_icl! { $with }
    };
}

/// A step of [`for_subjects!`]: hands Boost.ICL on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(boost_icl)]
macro_rules! with_boost_icl {
    ($with:ident) => {
        $crate::with_llvm! { $with $crate::subjects::BoostIcl, }
    };
}

/// A step of [`for_subjects!`]: hands Boost.ICL on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(not(boost_icl))]
macro_rules! with_boost_icl {
    ($with:ident) => {
        $crate::with_llvm! { $with }
    };
}

/// A step of [`for_subjects!`]: hands LLVM's map on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(llvm)]
macro_rules! with_llvm {
    ($with:ident $($rival:path,)*) => {
        $crate::with_maple! { $with $($rival,)* $crate::subjects::Llvm, }
    };
}

/// A step of [`for_subjects!`]: hands LLVM's map on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(not(llvm))]
macro_rules! with_llvm {
    ($with:ident $($rival:path,)*) => {
        $crate::with_maple! { $with $($rival,)* }
    };
}

/// A step of [`for_subjects!`]: hands Linux's tree on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(maple_tree)]
macro_rules! with_maple {
    ($with:ident $($rival:path,)*) => {
        $crate::with_all! { $with $($rival,)* $crate::subjects::Maple, }
    };
}

/// A step of [`for_subjects!`]: hands Linux's tree on, if it is here.
#[doc(hidden)]
#[macro_export]
#[cfg(not(maple_tree))]
macro_rules! with_maple {
    ($with:ident $($rival:path,)*) => {
        $crate::with_all! { $with $($rival,)* }
    };
}

/// The last step of [`for_subjects!`]; the rivals from C and C++ come after the others.
#[doc(hidden)]
#[macro_export]
macro_rules! with_all {
    ($with:ident $($rival:path,)*) => {
        $with! {
            $crate::subjects::Tree, $crate::subjects::SortedVec, $crate::subjects::TreeSpace,
            $crate::subjects::Brie, $crate::subjects::Bbtree, $crate::subjects::StdMap,
            $crate::subjects::Rangemap, $crate::subjects::Nodit, $crate::subjects::Flat,
            $($rival,)*
            $crate::subjects::Reference, $crate::subjects::Floor
        }
    };
}
