//! What stores, their iterators and errors share with the standard library:
//! `Default`, `Clone`, `Debug`, `Display`, `Error`.

use std::error::Error;

use gaptree::{
    AddrSpace, BTreeStore, GapQuery, Mapping, Order, Page, PageMapping, Prot, RangeStore,
    SortedVecStore, SpaceError,
};

/// Two entries on an engine made in each way there is.
fn is_empty_then_clones_its_entries<S: RangeStore<u32, char>>(made: [S; 2]) {
    for mut store in made {
        assert!(store.is_empty());
        store.insert(1..2, 'a');
        store.insert(5..9, 'b');
        let mut entries = store.iter();
        assert_eq!(entries.next(), Some((1..2, &'a')));
        // The rest, not all.
        let rest: Vec<_> = entries.collect();
        assert_eq!(rest, [(5..9, &'b')]);
    }
}

#[test]
fn a_new_store_is_a_default_store() {
    is_empty_then_clones_its_entries([
        BTreeStore::<u32, char>::new(),
        BTreeStore::<u32, char>::default(),
    ]);
    is_empty_then_clones_its_entries([
        SortedVecStore::<u32, char>::new(),
        SortedVecStore::<u32, char>::default(),
    ]);
}

/// A copy of an iterator goes on from where the original was, on its own.
macro_rules! copies {
    ($($name:ident: $store:ty;)*) => {$(
        #[test]
        fn $name() {
            let mut store = <$store>::default();
            for start in 0..100_u32 {
                store.insert(2 * start..2 * start + 1, 'a');
            }
            let mut entries = store.iter();
            entries.next();
            entries.next_back();
            let copy = entries.clone();
            assert!(copy.eq(entries.clone()));
            assert_eq!(entries.count(), 98);
            assert!(format!("{:?}", store.iter()).starts_with("Entries"));
        }
    )*};
}
copies! {
    entries_of_the_tree_can_be_copied: BTreeStore<u32, char, 4, 4>;
    entries_of_the_sorted_vector_can_be_copied: SortedVecStore<u32, char>;
}

#[test]
fn the_sorted_vector_knows_how_many_entries_are_left() {
    let mut space = AddrSpace::<(), SortedVecStore<Page, PageMapping>>::with_engine(0, 1 << 20, 1)
        .expect("a space");
    let mut store = SortedVecStore::<u32, char>::new();
    for start in 0..100_u32 {
        store.insert(2 * start..2 * start + 1, 'a');
        let data = Mapping::anonymous(Prot::READ, start);
        space.map_any(None, 1, data).expect("there is room");
    }
    assert_eq!(store.iter().size_hint(), (100, Some(100)));
    let mut left = store.overlapping(10..20);
    left.next();
    assert_eq!(left.size_hint(), (4, Some(4)));
    assert_eq!(space.regions().size_hint(), (100, Some(100)));
    let mut left = space.regions_in(10, 10);
    left.next_back();
    assert_eq!(left.size_hint(), (9, Some(9)));
}

#[test]
fn protections_are_sets_of_bits() {
    assert_eq!(Prot::READ | Prot::WRITE, Prot(3));
    assert_eq!(Prot(3) | Prot::READ, Prot(3));
    assert!(Prot(3).contains(Prot::WRITE) && Prot(3).contains(Prot::NONE));
    assert!(!Prot(3).contains(Prot(5)));
}

#[test]
fn a_query_asks_for_a_phase() {
    let mut store = BTreeStore::<u32, char>::new();
    store.insert(0..10, 'a');
    let query = GapQuery::new(2).aligned(8).phase(3);
    assert_eq!(store.find_gap(&query), Some(11));
    let highest = query.within(0..64).order(Order::Highest);
    assert_eq!(store.find_gap(&highest), Some(59));
}

#[test]
fn errors_of_a_space_have_linux_numbers_and_one_line_each() {
    let errors = [
        (SpaceError::BadSpace, 22),
        (SpaceError::ZeroLength, 22),
        (SpaceError::Misaligned, 22),
        (SpaceError::OutsideSpace, 22),
        (SpaceError::BadAlignment, 22),
        (SpaceError::Exists, 17),
        (SpaceError::NoFreeRange, 12),
        (SpaceError::NotMapped, 12),
        (SpaceError::OutOfMemory, 12),
    ];
    let mut texts = Vec::new();
    for (error, number) in errors {
        assert_eq!(error.errno(), number, "{error:?}");
        let error: Box<dyn Error> = Box::new(error);
        texts.push(error.to_string());
    }
    assert!(texts.iter().all(|text| text.lines().count() == 1));
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), errors.len(), "each says something else");
}
