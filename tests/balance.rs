//! The shapes of trees: how nodes split, share and merge. No answer depends on
//! them, but memory and speed do. src/btree/mod.rs says what is expected.

use gaptree::{BTreeStore, RangeStore};

/// With the default capacities: leaves of 32.
type Tree = BTreeStore<u32, u8>;

/// Entries of four keys, six apart, appended: `i` starts at `10 * i`.
fn appended<const LEAF: usize, const FANOUT: usize>(
    count: u32,
) -> BTreeStore<u32, u8, LEAF, FANOUT> {
    let mut store = BTreeStore::EMPTY;
    for i in 0..count {
        store.insert(10 * i..10 * i + 4, 1);
    }
    store
}

fn remove<const LEAF: usize, const FANOUT: usize>(
    store: &mut BTreeStore<u32, u8, LEAF, FANOUT>,
    entries: std::ops::Range<u32>,
) {
    store.remove(10 * entries.start..10 * entries.end);
}

/// The lengths of the nodes directly below the root of a tree of two or three
/// levels.
fn lens<const LEAF: usize, const FANOUT: usize>(
    store: &BTreeStore<u32, u8, LEAF, FANOUT>,
) -> Vec<usize> {
    store.check();
    let shape = store.shape();
    match shape[0] {
        1 => shape[2..].to_vec(),
        2 => {
            let mut inners = Vec::new();
            let mut rest = &shape[2..];
            while let [len, children @ ..] = rest {
                inners.push(*len);
                rest = &children[*len..];
            }
            inners
        }
        height => panic!("a tree of height {height}"),
    }
}

/// Leaves of at most 31 entries, each with so many left at its lower end.
fn leaves(lens_wanted: &[u32]) -> Tree {
    let mut store = appended(31 * lens_wanted.len() as u32);
    for (i, len) in (0..).zip(lens_wanted) {
        remove(&mut store, 31 * i + len..31 * (i + 1));
    }
    let wanted: Vec<usize> = lens_wanted.iter().map(|&len| len as usize).collect();
    assert_eq!(lens(&store), wanted, "the test's own tree");
    store
}

/// Puts so many entries into leaf `i`, each behind one of its lowest.
fn fill(store: &mut Tree, i: u32, entries: u32) {
    for entry in 0..entries {
        let start = 310 * i + 10 * entry + 5;
        store.insert(start..start + 3, 2);
    }
}

#[test]
fn filling_in_order_leaves_one_slot_free_in_each_leaf() {
    assert_eq!(lens(&appended::<32, 48>(100)), [31, 31, 31, 7]);
    assert_eq!(appended::<32, 48>(32).shape(), [0, 32]);
    // And one child in each inner node: 3 leaves of 3 in each of these.
    let store = appended::<4, 4>(9 * 3);
    assert_eq!(lens(&store), [3, 3, 3]);
    assert_eq!(store.shape()[2..6], [3, 3, 3, 3]);
}

#[test]
fn a_full_leaf_is_split_in_half() {
    let mut store = leaves(&[31, 31]);
    fill(&mut store, 0, 1);
    assert_eq!(lens(&store), [32, 31]);
    fill(&mut store, 0, 2);
    assert_eq!(lens(&store), [17, 16, 31]);
    // The last one as well, where the new entry is not behind all others.
    let mut store = leaves(&[31, 31]);
    fill(&mut store, 1, 2);
    assert_eq!(lens(&store), [31, 17, 16]);
}

#[test]
fn a_full_leaf_shares_with_one_beside_it_that_is_three_quarters_full() {
    let mut store = leaves(&[24, 31, 31]);
    fill(&mut store, 1, 2);
    assert_eq!(lens(&store), [29, 28, 31]);
    let mut store = leaves(&[31, 31, 24]);
    fill(&mut store, 1, 2);
    assert_eq!(lens(&store), [31, 29, 28]);
    // The lower one first.
    let mut store = leaves(&[20, 31, 14]);
    fill(&mut store, 1, 2);
    assert_eq!(lens(&store), [27, 26, 14]);
    // Not if they are fuller than that.
    let mut store = leaves(&[25, 31, 25]);
    fill(&mut store, 1, 2);
    assert_eq!(lens(&store), [25, 17, 16, 25]);
}

#[test]
fn appending_shares_nothing() {
    let mut store = leaves(&[24, 31]);
    store.insert(10 * 62..10 * 62 + 4, 1);
    assert_eq!(lens(&store), [24, 32]);
    store.insert(10 * 63..10 * 63 + 4, 1);
    assert_eq!(lens(&store), [24, 31, 2]);
}

#[test]
fn a_leaf_below_three_eighths_merges_if_a_quarter_stays_free() {
    let mut store = leaves(&[13, 12]);
    remove(&mut store, 31..32);
    assert_eq!(store.shape(), [0, 24]);
    // Together they are too many.
    let mut store = leaves(&[14, 12]);
    remove(&mut store, 31..32);
    assert_eq!(lens(&store), [14, 11]);
    // Both are full enough.
    assert_eq!(lens(&leaves(&[12, 12])), [12, 12]);
    // With the lower one if that goes, else with the upper.
    let mut store = leaves(&[13, 12, 13]);
    remove(&mut store, 31..32);
    assert_eq!(lens(&store), [24, 13]);
    let mut store = leaves(&[14, 12, 13]);
    remove(&mut store, 31..32);
    assert_eq!(lens(&store), [14, 24]);
    let mut store = leaves(&[12, 13, 31]);
    remove(&mut store, 0..1);
    assert_eq!(lens(&store), [24, 31]);
}

#[test]
fn an_inner_node_below_a_half_merges_if_an_eighth_stays_free() {
    // Leaves of 2 entries, inner nodes of 47 leaves.
    let entries = |leaves: std::ops::Range<u32>| 2 * leaves.start..2 * leaves.end;
    let mut store = appended::<3, 48>(2 * 47 * 2);
    assert_eq!(lens(&store), [47, 47]);
    remove(&mut store, entries(0..23));
    assert_eq!(lens(&store), [24, 47]);
    remove(&mut store, entries(47..75));
    assert_eq!(lens(&store), [24, 19]);
    remove(&mut store, entries(75..76));
    assert_eq!(store.shape()[..2], [1, 42]);
    store.check();
}

#[test]
fn small_nodes_leave_two_slots_free_when_they_merge() {
    let mut store = appended::<4, 4>(6);
    remove(&mut store, 2..3);
    remove(&mut store, 4..6);
    assert_eq!(lens(&store), [2, 1]);
    remove(&mut store, 1..2);
    assert_eq!(store.shape(), [0, 2]);
    // Inner nodes of 3 leaves of 3 entries.
    let mut store = appended::<4, 4>(27);
    remove(&mut store, 6..9);
    remove(&mut store, 12..18);
    assert_eq!(lens(&store), [2, 1, 3]);
}

#[test]
fn an_entry_that_grows_after_a_merge_shortens_the_gap_behind_it() {
    // The range leaves six entries in the second leaf, which joins the first;
    // it is then added to an entry with others behind it.
    let mut store = leaves(&[12, 31]);
    store.insert(114..558, 1);
    assert_eq!(store.shape(), [0, 18]);
    store.check();
}

/// Half of the entries touch the one before.
fn built(count: u32) -> BTreeStore<u32, u8, 4, 4> {
    let start = |i| 10 * (i / 2) + 4 * (i % 2);
    let entries = (0..count).map(|i| (start(i)..start(i) + 4, (i % 2) as u8));
    BTreeStore::try_from_entries(entries).unwrap()
}

#[test]
fn what_is_built_in_order_has_full_nodes() {
    assert_eq!(built(4).shape(), [0, 4]);
    assert_eq!(built(5).shape(), [1, 2, 4, 1]);
    assert_eq!(lens(&built(15)), [4, 4, 4, 3]);
    let two_levels = [2, 2, 4, 4, 4, 4, 4, 2, 4, 1];
    assert_eq!(built(21).shape(), two_levels);
    assert_eq!(built(4 * 4 * 4 * 4).shape()[..2], [3, 4]);
}

#[test]
fn leaves_that_go_together_leave_the_others_as_they_were() {
    let mut store = leaves(&[31; 8]);
    remove(&mut store, 31 + 20..5 * 31 + 10);
    assert_eq!(lens(&store), [31, 20, 21, 31, 31]);
    remove(&mut store, 5..5 * 31 + 20);
    assert_eq!(lens(&store), [16, 31, 31], "5 and 11 are one leaf");
    remove(&mut store, 0..7 * 31);
    assert_eq!(store.shape(), [0, 31]);
}
