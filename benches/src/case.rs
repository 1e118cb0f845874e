//! A case: one workload at one size, and the loops that run it on a subject.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;

use crate::subject::{Place, Subject};
use crate::value::Value;

/// One operation of a stream. Values are indices into [`Body::Steps::values`]
/// or [`State::values`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Looks a page up.
    Find(u64),
    /// Fills a range.
    Insert {
        /// First page.
        start: u64,
        /// One past the last page.
        end: u64,
        /// Index of the value.
        value: u32,
    },
    /// Empties a range.
    Remove {
        /// First page.
        start: u64,
        /// One past the last page.
        end: u64,
    },
    /// Places this many pages.
    Allocate {
        /// In pages.
        len: u64,
        /// Index of the value.
        value: u32,
    },
    /// Places this many pages at random.
    Random {
        /// In pages.
        len: u64,
        /// Index of the value.
        value: u32,
    },
    /// Asks where this many pages would go.
    FindGap {
        /// In pages.
        len: u64,
    },
    /// Changes the protection of a range.
    Protect {
        /// First page.
        start: u64,
        /// One past the last page.
        end: u64,
        /// The new protection.
        prot: u32,
    },
}

/// What a workload starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// How it came about: insertions and removals in order.
    pub history: Vec<Step>,
    /// What there is in the end: start, end and value.
    pub entries: Vec<(u64, u64, Value)>,
    /// What the history's indices mean.
    pub values: Vec<Value>,
}

impl State {
    /// A subject in this state: by the whole history, or, where a change moves
    /// everything above it and history leaves no trace, from the entries.
    #[must_use]
    pub fn build<S: Subject>(&self) -> S {
        let mut subject = S::new();
        if S::SHIFTS {
            for &(start, end, value) in &self.entries {
                subject.insert(start, end, value);
            }
        } else {
            for &step in &self.history {
                match step {
                    Step::Insert { start, end, value } => {
                        subject.insert(start, end, self.values[value as usize]);
                    }
                    Step::Remove { start, end } => subject.remove(start, end),
                    _ => unreachable!("a history inserts and removes"),
                }
            }
        }
        subject
    }
}

/// What a workload does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Looks pages up.
    Find(Vec<u64>),
    /// Looks pages up, each when the answer before is known.
    FindDependent(Vec<u64>),
    /// Sums up the entries that overlap each range.
    Query(Vec<(u64, u64)>),
    /// Looks for the first page of each range without this permission.
    CheckAccess(Vec<(u64, u64, u32)>),
    /// Operations of several kinds, in order.
    Steps {
        /// The operations.
        steps: Vec<Step>,
        /// How they place; the length is each operation's own.
        place: Place,
        /// What their indices mean.
        values: Vec<Value>,
    },
    /// Goes over all entries.
    Iterate,
    /// Makes one of all entries, in order.
    Build,
    /// Makes a copy.
    Clone,
    /// Drops a copy.
    Drop,
}

impl Body {
    /// Whether its unit is an entry of the whole state.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Iterate | Self::Build | Self::Clone | Self::Drop)
    }
}

/// One workload at one size.
#[derive(Clone, Debug)]
pub struct Case {
    /// The workload's name.
    pub workload: String,
    /// How many regions there are.
    pub n: usize,
    /// Names the state: cases with one key have one state.
    pub state_key: String,
    /// What it starts from.
    pub state: Arc<State>,
    /// What is timed.
    pub body: Body,
    /// How many units of work one run of the body is: times are divided by it.
    pub units: usize,
    /// On how many copies the body runs in one round, so that a round is long
    /// enough for the clock.
    pub copies: usize,
}

impl Case {
    /// Whether subjects that scan for gaps or move entries need time in
    /// proportion to the size for each operation.
    #[must_use]
    pub fn places(&self) -> bool {
        let Body::Steps { steps, .. } = &self.body else {
            return false;
        };
        let placing = |step: &Step| matches!(step, Step::Allocate { .. } | Step::FindGap { .. });
        steps.iter().any(placing)
    }

    /// Whether it places at random.
    #[must_use]
    pub fn is_random(&self) -> bool {
        let Body::Steps { steps, .. } = &self.body else {
            return false;
        };
        steps.iter().any(|step| matches!(step, Step::Random { .. }))
    }
}

/// The result of one round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    /// Processor time of this thread for all copies.
    pub time: Duration,
    /// Of all answers and of what is in the subject at the end.
    pub hash: u64,
}

/// Takes up an answer.
#[inline]
fn mix(hash: u64, answer: u64) -> u64 {
    (hash.rotate_left(5) ^ answer).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What stands for "not found" in a hash.
const NOTHING: u64 = u64::MAX;

/// One round of a case on a subject in the case's state.
#[must_use]
pub fn round<S: Subject>(case: &Case, base: &S) -> Round {
    match &case.body {
        Body::Find(pages) => timed(case, || find(base, pages)),
        Body::FindDependent(pages) => timed(case, || find_dependent(base, pages)),
        Body::Query(ranges) => timed(case, || query(base, ranges)),
        Body::CheckAccess(ranges) => timed(case, || check_access(base, ranges)),
        Body::Iterate => timed(case, || iterate(base)),
        Body::Steps {
            steps,
            place,
            values,
        } => edited(case, base, |subject| run(subject, steps, place, values)),
        Body::Build => made(case, || S::from_sorted(&case.state.entries)),
        Body::Clone => made(case, || base.clone()),
        Body::Drop => dropped(case, base),
    }
}

/// Times something that changes nothing.
fn timed(case: &Case, mut body: impl FnMut() -> u64) -> Round {
    let begin = ThreadTime::now();
    let mut hash = 0;
    for _ in 0..case.copies {
        hash = black_box(body());
    }
    let time = begin.elapsed();
    Round { time, hash }
}

/// Times something that changes the subject, on copies made beforehand.
fn edited<S: Subject>(case: &Case, base: &S, body: impl Fn(&mut S) -> u64) -> Round {
    let mut copies: Vec<S> = (0..case.copies).map(|_| base.clone()).collect();
    let begin = ThreadTime::now();
    let mut hash = 0;
    for copy in &mut copies {
        hash = black_box(body(copy));
    }
    let time = begin.elapsed();
    let contents = copies.last().map_or(0, contents);
    Round {
        time,
        hash: mix(hash, contents),
    }
}

fn made<S: Subject>(case: &Case, make: impl Fn() -> S) -> Round {
    let mut copies = Vec::with_capacity(case.copies);
    let begin = ThreadTime::now();
    for _ in 0..case.copies {
        copies.push(black_box(make()));
    }
    let time = begin.elapsed();
    let hash = copies.last().map_or(0, contents);
    Round { time, hash }
}

fn dropped<S: Subject>(case: &Case, base: &S) -> Round {
    let copies: Vec<S> = (0..case.copies).map(|_| base.clone()).collect();
    let hash = copies.last().map_or(0, contents);
    let begin = ThreadTime::now();
    drop(black_box(copies));
    let time = begin.elapsed();
    Round { time, hash }
}

/// A hash of all entries with their values.
pub fn contents<S: Subject>(subject: &S) -> u64 {
    let mut hash = 0;
    subject.for_each(|start, end, value| {
        hash = mix(mix(hash, start), end);
        let fields = u64::from(value.prot) << 32 ^ u64::from(value.fd.cast_unsigned());
        hash = mix(
            mix(hash, value.offset),
            fields ^ u64::from(value.flags) << 16,
        );
    });
    hash
}

#[inline(never)]
fn find<S: Subject>(subject: &S, pages: &[u64]) -> u64 {
    let mut hash = 0;
    for &page in pages {
        hash = mix(hash, subject.find(page).unwrap_or(NOTHING));
    }
    hash
}

#[inline(never)]
fn find_dependent<S: Subject>(subject: &S, pages: &[u64]) -> u64 {
    let (mut hash, mut last) = (0, 0);
    // The compiler cannot know that nothing is added, and the processor must
    // wait for the answer before.
    let nothing = black_box(0);
    for &page in pages {
        last = subject.find(page + (last & nothing)).unwrap_or(0);
        hash = mix(hash, last);
    }
    hash
}

#[inline(never)]
fn query<S: Subject>(subject: &S, ranges: &[(u64, u64)]) -> u64 {
    let mut hash = 0;
    for &(start, end) in ranges {
        let mut sum = 0_u64;
        subject.overlapping(start, end, |low, high, prot| {
            sum = sum.wrapping_add(low ^ high << 8 ^ u64::from(prot));
            true
        });
        hash = mix(hash, sum);
    }
    hash
}

#[inline(never)]
fn check_access<S: Subject>(subject: &S, ranges: &[(u64, u64, u32)]) -> u64 {
    let mut hash = 0;
    for &(start, end, prot) in ranges {
        let bad = subject.check_access(start, end, prot);
        hash = mix(hash, bad.unwrap_or(NOTHING));
    }
    hash
}

#[inline(never)]
fn iterate<S: Subject>(subject: &S) -> u64 {
    let mut sum = 0_u64;
    subject.for_each(|start, end, value| {
        sum = sum.wrapping_add(start ^ end << 8 ^ u64::from(value.prot));
    });
    sum
}

/// Runs a stream of operations; the hash is over what they answer.
#[inline(never)]
pub fn run<S: Subject>(subject: &mut S, steps: &[Step], place: &Place, values: &[Value]) -> u64 {
    let mut hash = 0;
    for &step in steps {
        let answer = match step {
            Step::Find(page) => subject.find(page),
            Step::Insert { start, end, value } => {
                subject.insert(start, end, values[value as usize]);
                continue;
            }
            Step::Remove { start, end } => {
                subject.remove(start, end);
                continue;
            }
            Step::Protect { start, end, prot } => {
                subject.protect(start, end, prot);
                continue;
            }
            Step::Allocate { len, value } => {
                subject.allocate(&Place { len, ..*place }, values[value as usize])
            }
            Step::Random { len, value } => {
                subject.allocate_random(&Place { len, ..*place }, values[value as usize])
            }
            Step::FindGap { len } => subject.find_gap(&Place { len, ..*place }),
        };
        hash = mix(hash, answer.unwrap_or(NOTHING));
    }
    hash
}
