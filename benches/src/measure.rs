//! Interleaved rounds of all subjects, and a verdict on every answer.

use std::fmt;
use std::time::{Duration, Instant};

use crate::case::{Case, Round, round};
use crate::subject::{Side, Subject};

/// The most regions with which the reference takes part; it scans for each
/// operation.
pub const REFERENCE_LIMIT: usize = 1_000;

/// A line of the results.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The workload's name.
    pub workload: String,
    /// How many regions there were.
    pub n: usize,
    /// The subject's name.
    pub subject: &'static str,
    /// What is counted: `ns` or `bytes`.
    pub unit: &'static str,
    /// The least of all rounds, for one operation.
    pub min: f64,
    /// The median of all rounds.
    pub median: f64,
    /// How many rounds there were.
    pub rounds: usize,
    /// Of the answers.
    pub hash: u64,
}

/// A subject answered something else than the oracle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrongAnswer {
    /// The workload's name.
    pub workload: String,
    /// How many regions there were.
    pub n: usize,
    /// Who answered wrongly.
    pub subject: &'static str,
    /// Hash of its answers.
    pub got: u64,
    /// Who is right.
    pub oracle: &'static str,
    /// Hash of the right answers.
    pub expected: u64,
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            workload,
            n,
            subject,
            got,
            oracle,
            expected,
        } = self;
        write!(
            f,
            "`{subject}` gave a wrong answer in {workload}, {n} regions\n  \
             expected hash {expected:016x}, that of `{oracle}`\n  got      hash {got:016x}"
        )
    }
}

impl std::error::Error for WrongAnswer {}

/// How long to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// The most rounds of a subject in a case.
    pub rounds: usize,
    /// After this time a subject has no more rounds in a case; it has one
    /// always.
    pub budget: Duration,
}

/// A subject of any type in the ring.
pub trait Contender {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Whose it is.
    fn side(&self) -> Side;

    /// Why it does not take part in a case.
    fn absent(&self, case: &Case) -> Option<&'static str>;

    /// Brings the subject into the case's state.
    fn prepare(&mut self, case: &Case);

    /// Runs the case once; [`prepare`](Self::prepare) was called for it.
    fn round(&self, case: &Case) -> Round;
}

/// A subject with the state of the last case, which the next often shares.
#[derive(Debug)]
pub struct Entrant<S> {
    prepared: Option<(String, S)>,
}

impl<S> Default for Entrant<S> {
    fn default() -> Self {
        Self { prepared: None }
    }
}

impl<S: Subject> Contender for Entrant<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn side(&self) -> Side {
        S::SIDE
    }

    fn absent(&self, case: &Case) -> Option<&'static str> {
        let trace = case.workload.starts_with("trace:");
        let scans = case.places() && !S::INDEXED;
        if case.is_random() && !S::RANDOM {
            Some("places nothing at random")
        } else if S::SIDE == Side::Floor && (case.body.is_whole() || case.is_random()) {
            Some("nothing to do")
        } else if S::SIDE == Side::Oracle && case.n > REFERENCE_LIMIT && !trace {
            Some("slow on purpose")
        } else if scans && (case.n > 200_000 || case.workload == "fill" && case.n > 20_000) {
            Some("scans for a gap: takes minutes")
        } else if case.workload == "unmap_half" && S::SHIFTS && !S::INDEXED && case.n > 20_000 {
            Some("moves all others for each entry: takes minutes")
        } else {
            None
        }
    }

    fn prepare(&mut self, case: &Case) {
        if self
            .prepared
            .as_ref()
            .is_none_or(|(key, _)| *key != case.state_key)
        {
            // The old state first: two large ones would not be needed at once.
            self.prepared = None;
            self.prepared = Some((case.state_key.clone(), case.state.build()));
        }
    }

    fn round(&self, case: &Case) -> Round {
        let (_, base) = self
            .prepared
            .as_ref()
            .expect("a case is prepared before its rounds");
        round(case, base)
    }
}

macro_rules! entrants {
    ($($subject:ty),*) => {
        vec![$(Box::new(Entrant::<$subject>::default()) as Box<dyn Contender>),*]
    };
}

/// Every subject, in the order of tables.
#[must_use]
pub fn contenders() -> Vec<Box<dyn Contender>> {
    crate::for_subjects!(entrants)
}

/// Who is right in a case, the first of these that can take part:
/// - the reference, while it is fast enough;
/// - the standard library's map, which agrees with it on smaller cases;
/// - the sorted vector, where that map would scan too long;
/// - for random placement, which only address spaces have, the one on the tree:
///   tests hold it to the one on the reference.
const ORACLES: [&str; 4] = ["reference", "std-btreemap", "gaptree-vec", "addr-space"];

/// The index of the oracle among those who take part.
fn oracle(present: &[usize], contenders: &[Box<dyn Contender>]) -> Option<usize> {
    ORACLES.iter().find_map(|name| {
        let named = |&index: &usize| contenders[index].name() == *name;
        present.iter().copied().find(named)
    })
}

/// Measures one case: rounds of all subjects in turn. `wanted` says whose
/// results count; the oracle takes part in any case.
///
/// # Errors
/// The first wrong answer.
///
/// # Panics
/// No oracle takes part.
pub fn measure(
    case: &Case,
    contenders: &mut [Box<dyn Contender>],
    wanted: &dyn Fn(&str) -> bool,
    effort: Effort,
) -> Result<Vec<Row>, WrongAnswer> {
    let mut present: Vec<usize> = (0..contenders.len())
        .filter(|&index| contenders[index].absent(case).is_none())
        .collect();
    let judge = oracle(&present, contenders).expect("an oracle for every case");
    present.retain(|&index| index == judge || wanted(contenders[index].name()));
    // The oracle begins: everybody is compared with its first round.
    present.sort_by_key(|&index| index != judge);
    let mut expected = None;
    let mut tallies: Vec<Tally> = present.iter().map(|&index| Tally::new(index)).collect();
    for turn in 0..effort.rounds {
        for tally in &mut tallies {
            let contender = &mut contenders[tally.index];
            if turn > 0 && tally.spent >= effort.budget {
                continue;
            }
            if turn == 0 {
                contender.prepare(case);
            }
            let begin = Instant::now();
            let round = contender.round(case);
            tally.spent += begin.elapsed();
            let right = *expected.get_or_insert(round.hash);
            if round.hash != right && contender.side() != Side::Floor {
                return Err(WrongAnswer {
                    workload: case.workload.clone(),
                    n: case.n,
                    subject: contender.name(),
                    got: round.hash,
                    oracle: contenders[judge].name(),
                    expected: right,
                });
            }
            tally.rounds.push(round);
        }
    }
    tallies.sort_by_key(|tally| tally.index);
    let counted = tallies
        .iter()
        .filter(|tally| wanted(contenders[tally.index].name()));
    Ok(counted
        .map(|tally| tally.row(case, contenders[tally.index].name()))
        .collect())
}

/// The rounds of one subject.
struct Tally {
    index: usize,
    /// Wall time, what is not timed included.
    spent: Duration,
    rounds: Vec<Round>,
}

impl Tally {
    fn new(index: usize) -> Self {
        Self {
            index,
            spent: Duration::ZERO,
            rounds: Vec::new(),
        }
    }

    fn row(&self, case: &Case, subject: &'static str) -> Row {
        let each = (case.units * case.copies) as f64;
        let mut times: Vec<f64> = self
            .rounds
            .iter()
            .map(|round| round.time.as_secs_f64() * 1e9 / each)
            .collect();
        times.sort_by(f64::total_cmp);
        Row {
            workload: case.workload.clone(),
            n: case.n,
            subject,
            unit: "ns",
            min: times[0],
            median: times[times.len() / 2],
            rounds: times.len(),
            hash: self.rounds[0].hash,
        }
    }
}
