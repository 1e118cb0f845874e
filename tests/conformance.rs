//! The law suite over both engines and over the reference itself; the tree
//! also with nodes so small that everything splits.
//!
//! The whole suite runs for one type of key of each kind, the part about the
//! edges of the domain for all of them.

use gaptree::Page;
use reference::laws;

type Reference<K> = reference::ReferenceStore<K, char>;
type SortedVec<K> = gaptree::SortedVecStore<K, char>;
type Tree3<K> = gaptree::BTreeStore<K, char, 3, 3>;
type Tree4<K> = gaptree::BTreeStore<K, char, 4, 4>;
type Tree<K> = gaptree::BTreeStore<K, char>;

/// Runs a part of the suite for each type of key.
macro_rules! run {
    ($part:ident, $store:ident: $($key:ty)*) => {
        $(laws::$part::<$key, $store<$key>>();)*
    };
}

/// A module of tests for each engine.
macro_rules! conformance {
    ($($name:ident: $store:ident;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn obeys_the_laws() {
                run!(all, $store: u8 i64 Page);
            }

            #[test]
            fn obeys_them_at_the_edges_of_the_domain() {
                run!(edges, $store: u16 u32 u64 u128 usize i8 i16 i32 i128 isize);
            }
        }
    )*};
}

conformance! {
    reference_store: Reference;
    sorted_vec: SortedVec;
    tree_of_3: Tree3;
    tree_of_4: Tree4;
    tree: Tree;
}
