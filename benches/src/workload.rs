//! The workloads by name: what each starts from and what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use crate::case::{Body, Case, State, Step};
use crate::subject::{PAGES, Place, Subject};
use crate::subjects::{Tree, TreeSpace};
use crate::value::{PROTS, TAGS, Value};

/// The longest entry and the longest gap at the start, in pages.
const LONGEST: u64 = 64;

/// Where everything random starts from.
const SEED: u64 = 20;

/// The synthetic workloads, in the order of tables.
pub const NAMES: [&str; 22] = [
    "find_hit",
    "find_miss",
    "find_local",
    "find_dep",
    "fill",
    "churn",
    "churn_tight",
    "map_at",
    "protect",
    "mix",
    "query",
    "check_access",
    "iterate",
    "build",
    "clone",
    "drop",
    "place_highest",
    "place_aligned",
    "place_window",
    "place_random",
    "unmap_many",
    "unmap_half",
];

/// How many operations a round has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// Operations that change nothing.
    pub reads: usize,
    /// Operations that do.
    pub edits: usize,
    /// Fewest units that a round of `fill`, `iterate`, `build`, `clone` and `drop` has.
    pub units: usize,
    /// How often each region is replaced to age a state.
    pub age: usize,
}

impl Scale {
    /// What is measured at `n` regions. Large sizes have fewer operations,
    /// for subjects that scan need milliseconds for each.
    #[must_use]
    pub fn measured(n: usize) -> Self {
        let edits = match n {
            0..=2_000 => 4_000,
            2_001..=20_000 => 2_000,
            20_001..=200_000 => 500,
            _ => 200,
        };
        Self {
            reads: 20_000,
            edits,
            units: 4_000,
            age: if n > 200_000 { 1 } else { 4 },
        }
    }

    /// What tests run.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            reads: 200,
            edits: 200,
            units: 10,
            age: 1,
        }
    }
}

/// The state in which a workload starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Shape {
    /// Nothing.
    Empty,
    /// Entries and gaps of 1 to 64 pages, inserted in random order.
    Fresh,
    /// The same, then each region replaced several times: unmapped, and as
    /// many pages as chance wants mapped at the lowest place.
    Aged,
    /// Nineteen of twenty gaps have at most 3 pages; aged by requests of 4
    /// pages and more.
    Tight,
}

/// A state and the ranges that were mapped in it.
#[derive(Debug)]
struct Generated {
    state: Arc<State>,
    /// What was mapped by one call each; neighbours may have coalesced.
    live: Vec<(u64, u64)>,
    /// One past the last mapped page.
    end: u64,
}

/// Makes cases; states are made once.
#[derive(Debug, Default)]
pub struct Generator {
    states: BTreeMap<(Shape, usize, usize), Arc<Generated>>,
}

/// A request between these lengths.
fn length(random: &mut Rng, shape: Shape) -> u64 {
    match shape {
        Shape::Tight => random.u64(4..=LONGEST),
        _ => random.u64(1..=LONGEST),
    }
}

fn tag(random: &mut Rng) -> u32 {
    random.u32(0..TAGS)
}

fn values() -> Vec<Value> {
    (0..TAGS).map(Value::tagged).collect()
}

/// A region that was unmapped, and what was mapped instead.
struct Replaced {
    removed: (u64, u64),
    len: u64,
    value: u32,
    /// Where it was mapped.
    start: Option<u64>,
}

/// Unmaps a random region and maps another. The tree says where, once, when a
/// workload is made; every subject then does the same. What fits nowhere is
/// asked for all the same.
fn replace(
    tree: &mut Tree,
    live: &mut [(u64, u64)],
    random: &mut Rng,
    shape: Shape,
    place: &Place,
) -> Replaced {
    let index = random.usize(0..live.len());
    let removed = live[index];
    let (len, value) = (length(random, shape), tag(random));
    tree.remove(removed.0, removed.1);
    let start = tree.allocate(&Place { len, ..*place }, Value::tagged(value));
    if let Some(start) = start {
        live[index] = (start, start + len);
    }
    Replaced {
        removed,
        len,
        value,
        start,
    }
}

impl Generated {
    fn new(shape: Shape, n: usize, age: usize) -> Self {
        let mut random = Rng::with_seed(SEED);
        let (mut live, mut end) = (Vec::with_capacity(n), 0);
        let count = if shape == Shape::Empty { 0 } else { n };
        for _ in 0..count {
            let gap = match shape {
                Shape::Tight if random.u32(0..20) > 0 => random.u64(1..=3),
                _ => random.u64(1..=LONGEST),
            };
            let start = end + gap;
            end = start + length(&mut random, shape);
            live.push((start, end));
        }
        random.shuffle(&mut live);
        let mut tree = Tree::new();
        let mut history = Vec::new();
        for &(start, end) in &live {
            let value = tag(&mut random);
            tree.insert(start, end, Value::tagged(value));
            history.push(Step::Insert { start, end, value });
        }
        if matches!(shape, Shape::Aged | Shape::Tight) {
            for _ in 0..age * n {
                let lowest = Place::lowest(1);
                let done = replace(&mut tree, &mut live, &mut random, shape, &lowest);
                let (start, end) = done.removed;
                history.push(Step::Remove { start, end });
                let start = done.start.expect("space without end");
                let (end, value) = (start + done.len, done.value);
                history.push(Step::Insert { start, end, value });
            }
        }
        let mut entries = Vec::new();
        tree.for_each(|start, end, value| entries.push((start, end, value)));
        let end = entries.last().map_or(0, |entry| entry.1);
        let state = Arc::new(State {
            history,
            entries,
            values: values(),
        });
        Self { state, live, end }
    }
}

impl Generator {
    /// The case of a workload at a size, or `None` if there is no workload of
    /// this name.
    ///
    /// ```
    /// use benches::workload::{Generator, Scale};
    ///
    /// let case = Generator::default().case("churn", 16, Scale::tiny()).unwrap();
    /// assert_eq!((case.n, case.units), (16, 200));
    /// ```
    pub fn case(&mut self, name: &str, n: usize, scale: Scale) -> Option<Case> {
        let name = NAMES.iter().find(|known| **known == name)?;
        let shape = match *name {
            "fill" => Shape::Empty,
            "churn" | "mix" | "unmap_many" | "place_highest" | "place_aligned" | "place_window"
            | "place_random" => Shape::Aged,
            "churn_tight" => Shape::Tight,
            _ => Shape::Fresh,
        };
        let state = self
            .states
            .entry((shape, n, scale.age))
            .or_insert_with(|| Arc::new(Generated::new(shape, n, scale.age)));
        let maker = Maker {
            generated: Arc::clone(state),
            random: Rng::with_seed(SEED + 1),
            shape,
            n,
            scale,
        };
        let (body, units) = maker.body(name);
        let copies = match *name {
            "fill" | "unmap_half" => scale.units.div_ceil(units),
            _ if body.is_whole() => scale.units.div_ceil(units),
            _ => 1,
        };
        Some(Case {
            workload: (*name).to_owned(),
            n,
            state_key: format!("{shape:?} {n} {}", scale.age),
            state: Arc::clone(&state.state),
            body,
            units,
            copies,
        })
    }
}

/// Makes the body of one case.
struct Maker {
    generated: Arc<Generated>,
    random: Rng,
    shape: Shape,
    n: usize,
    scale: Scale,
}

impl Maker {
    /// The body, and how many units of work it is.
    fn body(mut self, name: &str) -> (Body, usize) {
        let (reads, edits) = (self.scale.reads, self.scale.edits);
        let entries = self.generated.state.entries.len();
        let lowest = Place::lowest(1);
        match name {
            "find_hit" => (Body::Find(self.pages(reads, Self::mapped_page)), reads),
            "find_miss" => (Body::Find(self.pages(reads, Self::free_page)), reads),
            "find_local" => (Body::Find(self.pages(reads, Self::local_page)), reads),
            "find_dep" => {
                let pages = self.pages(reads, Self::mapped_page);
                (Body::FindDependent(pages), reads)
            }
            "fill" => (self.fill(), self.n),
            "churn" | "churn_tight" => (self.churn(edits, lowest), edits),
            "place_highest" => {
                let place = Place {
                    highest: true,
                    window: (0, self.generated.end),
                    ..lowest
                };
                (self.churn(edits, place), edits)
            }
            "place_aligned" => {
                let place = Place {
                    align: 16,
                    ..lowest
                };
                (self.churn(edits, place), edits)
            }
            "place_window" => {
                let end = self.generated.end;
                let window = (end / 2, end / 2 + PAGES / 2);
                let place = Place { window, ..lowest };
                (self.churn(edits, place), edits)
            }
            "place_random" => (self.place_random(edits), edits),
            "map_at" => (self.map_at(edits), edits),
            "protect" => (self.protect(edits), edits),
            "mix" => (self.mix(edits), edits),
            "unmap_many" => (self.unmap_many(edits), edits),
            "unmap_half" => {
                let count = entries.div_ceil(2);
                (self.unmap_half(count), count)
            }
            "query" => (Body::Query(self.windows(reads)), reads),
            "check_access" => (Body::CheckAccess(self.buffers(reads)), reads),
            "iterate" => (Body::Iterate, entries),
            "build" => (Body::Build, entries),
            "clone" => (Body::Clone, entries),
            _ => (Body::Drop, entries),
        }
    }

    fn pages(&mut self, count: usize, page: fn(&mut Self) -> u64) -> Vec<u64> {
        (0..count).map(|_| page(self)).collect()
    }

    fn page_of(&mut self, index: usize) -> u64 {
        let (start, end, _) = self.generated.state.entries[index];
        self.random.u64(start..end)
    }

    fn mapped_page(&mut self) -> u64 {
        let index = self.random.usize(0..self.generated.state.entries.len());
        self.page_of(index)
    }

    /// A page of the gap below a random entry.
    fn free_page(&mut self) -> u64 {
        let entries = &self.generated.state.entries;
        let index = self.random.usize(0..entries.len());
        let below = index.checked_sub(1).map_or(0, |below| entries[below].1);
        self.random.u64(below..entries[index].0)
    }

    /// A page of any entry; four times out of five, of one twentieth of the entries.
    fn local_page(&mut self) -> u64 {
        let entries = self.generated.state.entries.len();
        let few = (entries / 20).max(1);
        if self.random.u32(0..5) == 0 {
            self.mapped_page()
        } else {
            let index = entries / 2 + self.random.usize(0..few);
            self.page_of(index.min(entries - 1))
        }
    }

    /// Lengths from 1 page, which half of them have, to 64, which few have.
    fn fill(&mut self) -> Body {
        let steps = (0..self.n).map(|_| {
            let len = 1 << self.random.u64(..).trailing_zeros().min(6);
            let value = tag(&mut self.random);
            Step::Allocate { len, value }
        });
        steps_of(steps.collect(), Place::lowest(1))
    }

    /// Pairs of unmapping a random region and mapping another.
    fn churn(&mut self, pairs: usize, place: Place) -> Body {
        let generated = Arc::clone(&self.generated);
        let mut tree: Tree = generated.state.build();
        let mut live = generated.live.clone();
        let mut steps = Vec::with_capacity(2 * pairs);
        for _ in 0..pairs {
            let done = replace(&mut tree, &mut live, &mut self.random, self.shape, &place);
            let (start, end) = done.removed;
            steps.push(Step::Remove { start, end });
            let Replaced { len, value, .. } = done;
            steps.push(Step::Allocate { len, value });
        }
        steps_of(steps, place)
    }

    /// Pairs of mapping at random in a window that is a quarter full, and
    /// unmapping the same.
    fn place_random(&mut self, pairs: usize) -> Body {
        let mut space: TreeSpace = self.generated.state.build();
        let place = Place {
            window: (0, 2 * self.generated.end),
            ..Place::lowest(1)
        };
        let steps = (0..pairs).flat_map(|_| {
            let len = self.random.u64(1..=8);
            let value = tag(&mut self.random);
            let start = space
                .allocate_random(&Place { len, ..place }, Value::tagged(value))
                .expect("most of the window is free");
            let end = start + len;
            space.remove(start, end);
            [Step::Random { len, value }, Step::Remove { start, end }]
        });
        steps_of(steps.collect(), place)
    }

    /// A random range of up to `longest` pages.
    fn range(&mut self, longest: u64) -> (u64, u64) {
        let start = self.random.u64(0..self.generated.end);
        (start, start + self.random.u64(1..=longest))
    }

    fn map_at(&mut self, count: usize) -> Body {
        let steps = (0..count).map(|_| {
            let (start, end) = self.range(LONGEST);
            let value = tag(&mut self.random);
            Step::Insert { start, end, value }
        });
        steps_of(steps.collect(), Place::lowest(1))
    }

    fn protect(&mut self, count: usize) -> Body {
        let steps = (0..count).map(|_| {
            let start = self.mapped_page();
            let end = start + self.random.u64(1..=LONGEST / 2);
            let prot = PROTS[self.random.usize(0..3)];
            Step::Protect { start, end, prot }
        });
        steps_of(steps.collect(), Place::lowest(1))
    }

    /// Of 25 operations 20 look up, 2 map, 2 unmap, 1 protects.
    fn mix(&mut self, count: usize) -> Body {
        let mut tree: Tree = self.generated.state.build();
        let mut live = self.generated.live.clone();
        let mut steps = Vec::with_capacity(count);
        while steps.len() < count {
            let index = self.random.usize(0..live.len());
            let (start, end) = live[index];
            let kind = self.random.u32(0..25);
            steps.push(match kind {
                0..20 => Step::Find(self.random.u64(start..end)),
                20 | 21 => {
                    let (len, value) = (self.random.u64(1..=LONGEST), tag(&mut self.random));
                    let at = tree
                        .allocate(&Place::lowest(len), Value::tagged(value))
                        .expect("space without end");
                    live.push((at, at + len));
                    Step::Allocate { len, value }
                }
                22 | 23 if live.len() > 1 => {
                    tree.remove(start, end);
                    live.swap_remove(index);
                    Step::Remove { start, end }
                }
                _ => {
                    let end = start + self.random.u64(1..=LONGEST / 2);
                    let prot = PROTS[self.random.usize(0..3)];
                    tree.protect(start, end, prot);
                    Step::Protect { start, end, prot }
                }
            });
        }
        steps_of(steps, Place::lowest(1))
    }

    /// Ranges of about 8 regions emptied and filled by one.
    fn unmap_many(&mut self, count: usize) -> Body {
        let steps = (0..count).flat_map(|_| {
            let start = self.random.u64(0..self.generated.end);
            let end = start + 8 * LONGEST;
            let value = tag(&mut self.random);
            let filled = start + LONGEST;
            let fill = Step::Insert {
                start,
                end: filled,
                value,
            };
            [Step::Remove { start, end }, fill]
        });
        steps_of(steps.collect(), Place::lowest(1))
    }

    /// That many entries in the middle go at once.
    fn unmap_half(&self, count: usize) -> Body {
        let entries = &self.generated.state.entries;
        let mut middle = entries[count / 2..].iter().take(count);
        let end = middle.clone().next_back().map_or(0, |&(_, end, _)| end);
        let start = middle.next().map_or(0, |&(start, ..)| start);
        steps_of(vec![Step::Remove { start, end }], Place::lowest(1))
    }

    /// Ranges that overlap about 8 entries.
    fn windows(&mut self, count: usize) -> Vec<(u64, u64)> {
        let ranges = (0..count).map(|_| {
            let start = self.random.u64(0..self.generated.end);
            (start, start + 7 * (LONGEST + 1))
        });
        ranges.collect()
    }

    /// Buffers of 1 to 4 pages that begin in an entry, and a permission.
    fn buffers(&mut self, count: usize) -> Vec<(u64, u64, u32)> {
        let buffers = (0..count).map(|_| {
            let start = self.mapped_page();
            let prot = PROTS[self.random.usize(0..2)];
            (start, start + self.random.u64(1..=4), prot)
        });
        buffers.collect()
    }
}

fn steps_of(steps: Vec<Step>, place: Place) -> Body {
    Body::Steps {
        steps,
        place,
        values: values(),
    }
}
