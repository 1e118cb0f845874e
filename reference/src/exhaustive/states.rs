//! Every state that an engine can reach on a few keys, and every operation in
//! each of them.
//!
//! The search starts from an empty store and goes breadth first, until no
//! operation leads to a state that is not known. States are told apart by their
//! *physical* shape, so that every split, merge and root collapse of a tree with
//! tiny nodes is inside the claim. The oracle is one slot a key.

use std::collections::HashSet;
use std::ops::Range;

use gaptree::{BTreeStore, GapQuery, Order, Page, RangeStore, SortedVecStore};

/// The most keys that [`all_states`] can take.
pub const MAX_KEYS: u8 = 12;

/// What [`all_states`] went through, all of it in agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explored {
    /// States that can be reached. Each physical shape counts; exchanging the
    /// two values makes no other state.
    pub states: u64,
    /// Operations applied: all of them in every state.
    pub transitions: u64,
    /// Questions asked: all of them in every state.
    pub questions: u64,
}

/// A store that knows how it is built.
pub trait Physical: RangeStore<Page, u8> {
    /// Differs wherever the same entries are kept in different ways.
    fn shape(&self) -> Vec<usize>;
}

impl<const LEAF: usize, const FANOUT: usize> Physical for BTreeStore<Page, u8, LEAF, FANOUT> {
    fn shape(&self) -> Vec<usize> {
        self.shape()
    }
}

impl Physical for SortedVecStore<Page, u8> {
    /// The columns are the entries, nothing else.
    fn shape(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// What each key holds: 0 nothing, else a value.
type Slots = [u8; MAX_KEYS as usize];

#[derive(Clone, Debug)]
enum Op {
    Insert(Range<u8>, u8),
    Remove(Range<u8>),
    /// Turns each value into the other.
    Flip(Range<u8>),
    /// Gives all pieces this value.
    Level(Range<u8>, u8),
    Allocate {
        len: u8,
        order: Order,
        value: u8,
    },
}

/// Pieces that were reported, and the start of a placement.
type Answer = (Vec<(Range<u8>, u8)>, Option<u8>);

/// The other value; nothing stays nothing.
fn other(value: u8) -> u8 {
    if value > 0 { 3 - value } else { 0 }
}

fn page(key: u8) -> Page {
    Page::new(u64::from(key)).expect("a small number")
}

fn pages(range: &Range<u8>) -> Range<Page> {
    page(range.start)..page(range.end)
}

fn key(page: Page) -> u8 {
    u8::try_from(page.number()).unwrap_or(u8::MAX)
}

fn keys(range: &Range<Page>) -> Range<u8> {
    key(range.start)..key(range.end)
}

/// All ranges of the keys below `end`.
fn ranges(end: u8) -> impl Iterator<Item = Range<u8>> {
    (0..end).flat_map(move |start| (start + 1..=end).map(move |end| start..end))
}

fn operations(count: u8) -> Vec<Op> {
    let mut ops = Vec::new();
    for range in ranges(count) {
        ops.extend([1, 2].map(|value| Op::Insert(range.clone(), value)));
        ops.push(Op::Remove(range.clone()));
        ops.push(Op::Flip(range.clone()));
        ops.extend([1, 2].map(|value| Op::Level(range.clone(), value)));
    }
    for len in 1..=count {
        for order in [Order::Lowest, Order::Highest] {
            ops.extend([1, 2].map(|value| Op::Allocate { len, order, value }));
        }
    }
    ops
}

/// The runs of equal slots in a range that hold something.
fn runs(slots: &Slots, range: Range<u8>) -> Vec<(Range<u8>, u8)> {
    let mut runs: Vec<(Range<u8>, u8)> = Vec::new();
    for key in range {
        let value = slots[usize::from(key)];
        match runs.last_mut() {
            Some((run, last)) if run.end == key && *last == value => run.end += 1,
            _ if value > 0 => runs.push((key..key + 1, value)),
            _ => {}
        }
    }
    runs
}

/// The lowest or highest start whose keys are all free.
fn placement(
    slots: &Slots,
    window: &Range<u8>,
    len: u8,
    fits: (u8, u8),
    order: Order,
) -> Option<u8> {
    let free = |start: &u8| {
        start % fits.0 == fits.1 && (*start..start + len).all(|key| slots[usize::from(key)] == 0)
    };
    let mut starts = window.start..=window.end.checked_sub(len)?;
    match order {
        Order::Lowest => starts.find(free),
        Order::Highest => starts.rev().find(free),
    }
}

fn expected(slots: &mut Slots, op: &Op, count: u8) -> Answer {
    let mut set = |range: &Range<u8>, f: &dyn Fn(u8) -> u8| {
        let pieces = runs(slots, range.clone());
        for key in range.clone() {
            slots[usize::from(key)] = f(slots[usize::from(key)]);
        }
        (pieces, None)
    };
    match *op {
        Op::Insert(ref range, value) => set(range, &|_| value),
        Op::Remove(ref range) => set(range, &|_| 0),
        Op::Flip(ref range) => set(range, &other),
        Op::Level(ref range, value) => set(range, &|old| if old > 0 { value } else { 0 }),
        Op::Allocate { len, order, value } => {
            let start = placement(slots, &(0..count), len, (1, 0), order);
            if let Some(start) = start {
                slots[usize::from(start)..usize::from(start + len)].fill(value);
            }
            (Vec::new(), start)
        }
    }
}

fn apply(store: &mut impl Physical, op: &Op, count: u8) -> Answer {
    let mut pieces = Vec::new();
    let mut report = |range: Range<Page>, value: u8| pieces.push((keys(&range), value));
    let mut start = None;
    match *op {
        Op::Insert(ref range, value) => store.insert_with(pages(range), value, report),
        Op::Remove(ref range) => store.remove_with(pages(range), report),
        Op::Flip(ref range) => store.update(pages(range), |range, value| {
            report(range, *value);
            *value = 3 - *value;
        }),
        Op::Level(ref range, new) => store.update(pages(range), |range, value| {
            report(range, *value);
            *value = new;
        }),
        Op::Allocate { len, order, value } => {
            let query = GapQuery::new(u64::from(len)).within(pages(&(0..count)));
            start = store.allocate(&query.order(order), value).map(key);
        }
    }
    (pieces, start)
}

/// How a state was reached: from which one, by which operation.
#[derive(Clone, Copy)]
struct Origin {
    state: usize,
    op: usize,
}

struct Search<S> {
    count: u8,
    ops: Vec<Op>,
    /// The lesser of each state and its twin.
    known: HashSet<(Slots, Vec<usize>)>,
    /// Reached and not yet left; its position is its number.
    states: Vec<Option<(Slots, S)>>,
    origins: Vec<Option<Origin>>,
    transitions: u64,
    questions: u64,
}

impl<S: Physical> Search<S> {
    fn add(&mut self, slots: Slots, store: S, origin: Option<Origin>) {
        let twin = slots.map(other);
        if self.known.insert((slots.min(twin), store.shape())) {
            self.states.push(Some((slots, store)));
            self.origins.push(origin);
        }
    }

    /// The operations that led to a state.
    fn path(&self, state: usize) -> Vec<&Op> {
        let mut path = Vec::new();
        let mut at = self.origins[state];
        while let Some(Origin { state, op }) = at {
            path.push(&self.ops[op]);
            at = self.origins[state];
        }
        path.reverse();
        path
    }

    /// Applies every operation in a state.
    fn leave(&mut self, state: usize) {
        let Some((slots, store)) = self.states[state].take() else {
            return;
        };
        self.ask(state, &slots, &store);
        for op in 0..self.ops.len() {
            let (mut slots, mut subject) = (slots, store.clone());
            let wanted = expected(&mut slots, &self.ops[op], self.count);
            let got = apply(&mut subject, &self.ops[op], self.count);
            let last = &self.ops[op];
            assert_eq!(
                got,
                wanted,
                "answer to {last:?} after {:?}",
                self.path(state)
            );
            subject.check();
            let entries = subject.iter().map(|(range, &value)| (keys(&range), value));
            let entries: Vec<_> = entries.collect();
            let wanted = runs(&slots, 0..self.count);
            assert_eq!(
                entries,
                wanted,
                "entries after {:?} and {last:?}",
                self.path(state)
            );
            assert_eq!(subject.len(), wanted.len(), "number of entries");
            self.transitions += 1;
            self.add(slots, subject, Some(Origin { state, op }));
        }
    }

    /// Asks every question in a state.
    fn ask(&mut self, state: usize, slots: &Slots, store: &S) {
        let all = runs(slots, 0..self.count);
        for key in 0..self.count {
            let entry = all.iter().find(|(range, _)| range.contains(&key));
            let got = store
                .get(page(key))
                .map(|(range, &value)| (keys(&range), value));
            assert_eq!(
                got.as_ref(),
                entry,
                "get {key} after {:?}",
                self.path(state)
            );
        }
        let mut asked = u64::from(self.count);
        for window in ranges(self.count) {
            let touches = |range: &Range<u8>| range.start < window.end && range.end > window.start;
            let wanted: Vec<_> = all.iter().filter(|(range, _)| touches(range)).collect();
            let entries = store.overlapping(pages(&window));
            let got: Vec<_> = entries
                .map(|(range, &value)| (keys(&range), value))
                .collect();
            let same = got.iter().eq(wanted.iter().copied());
            assert!(
                same,
                "overlapping {window:?} is {got:?} after {:?}",
                self.path(state)
            );
            let free = runs(&slots.map(|value| u8::from(value == 0)), window.clone());
            let gaps = store.gaps(pages(&window)).map(|gap| keys(&gap));
            let same = gaps.eq(free.into_iter().map(|(gap, _)| gap));
            assert!(same, "gaps of {window:?} after {:?}", self.path(state));
            asked += 2 + self.ask_for_placements(state, slots, store, &window);
        }
        self.questions += asked;
    }

    fn ask_for_placements(
        &self,
        state: usize,
        slots: &Slots,
        store: &S,
        window: &Range<u8>,
    ) -> u64 {
        let mut asked = 0;
        for len in 1..=window.end - window.start {
            for (align, phase) in [(1, 0), (2, 0), (2, 1), (4, 0)] {
                for order in [Order::Lowest, Order::Highest] {
                    let wanted = placement(slots, window, len, (align, phase), order);
                    let query = GapQuery {
                        len: u64::from(len),
                        window: pages(window),
                        align: u64::from(align),
                        phase: u64::from(phase),
                        order,
                    };
                    let got = store.find_gap(&query).map(key);
                    assert_eq!(got, wanted, "{query:?} after {:?}", self.path(state));
                    asked += 1;
                }
            }
        }
        asked
    }
}

/// Goes through everything that an engine can reach on `count` keys with two
/// values.
///
/// # Panics
/// The engine and the oracle disagree, or `count` is above [`MAX_KEYS`]; the
/// message has the shortest sequence of operations that shows it.
#[must_use]
pub fn all_states<S: Physical>(count: u8) -> Explored {
    assert!(count <= MAX_KEYS, "{count} keys are too many");
    let mut search = Search {
        count,
        ops: operations(count),
        known: HashSet::new(),
        states: Vec::new(),
        origins: Vec::new(),
        transitions: 0,
        questions: 0,
    };
    search.add(Slots::default(), S::EMPTY, None);
    let mut state = 0;
    while state < search.states.len() {
        search.leave(state);
        state += 1;
    }
    Explored {
        states: state as u64,
        transitions: search.transitions,
        questions: search.questions,
    }
}
