//! The law suite over both engines and over the reference itself; the tree
//! also with nodes so small that everything splits.
//!
//! The simple engines take every type of key through the edges of its domain.
//! The tree takes one signed and one unsigned type of each kind of ordinal, as
//! it is compiled anew for each type.

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

#[test]
fn the_reference_obeys_the_laws() {
    run!(all, Reference: u8 i64 Page);
    run!(edges, Reference: u16 u32 u64 u128 usize i8 i16 i32 i128 isize);
}

#[test]
fn the_sorted_vector_obeys_the_laws() {
    run!(all, SortedVec: u8 i64 Page);
    run!(edges, SortedVec: u16 u32 u64 u128 usize i8 i16 i32 i128 isize);
}

#[test]
fn a_tree_of_nodes_of_3_obeys_the_laws() {
    run!(all, Tree3: i8 u64);
    run!(edges, Tree3: i128);
}

#[test]
fn a_tree_of_nodes_of_4_obeys_the_laws() {
    run!(all, Tree4: Page);
}

#[test]
fn the_tree_obeys_the_laws() {
    run!(all, Tree: i64);
    run!(edges, Tree: u8 u128);
}
