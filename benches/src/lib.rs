//! Workloads: named, seeded, and the same for every engine.
//!
//! A workload returns a checksum of the answers it got. A subject whose
//! checksum differs from the reference's has no time. So far there are two,
//! `find` and `churn`.

use std::ops::Range;

use fastrand::Rng;
use gaptree::{GapQuery, Mapping, Page, Prot, RangeStore};

/// A store of about half occupied space, and the numbers that drive a workload.
#[derive(Clone, Debug)]
pub struct Workload<S> {
    store: S,
    /// What was inserted last in place of each initial entry. Neighbours may
    /// have coalesced since.
    live: Vec<Range<Page>>,
    /// One past the last page that was occupied at the start.
    end: u64,
    random: Rng,
}

/// The longest entry and the longest gap at the start, in pages.
const LONGEST: u64 = 64;

impl<S: RangeStore<Page, Mapping>> Workload<S> {
    /// A store of `entries` entries of 1 to 64 pages with as long gaps between.
    ///
    /// # Panics
    /// There are more entries than pages for them.
    #[must_use]
    pub fn new(entries: usize, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let (mut store, mut live, mut end) = (S::EMPTY, Vec::with_capacity(entries), 0);
        for _ in 0..entries {
            let start = end + random.u64(1..=LONGEST);
            end = start + random.u64(1..=LONGEST);
            let range = page(start)..page(end);
            store.insert(range.clone(), value(&mut random));
            live.push(range);
        }
        Self {
            store,
            live,
            end,
            random,
        }
    }

    /// Looks up `count` random pages, about half of them in entries. The
    /// checksum is over the starts of those found.
    pub fn find(&mut self, count: usize) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..count {
            let key = page(self.random.u64(0..self.end));
            if let Some((range, _)) = self.store.get(key) {
                sum = sum.rotate_left(1) ^ range.start.number();
            }
        }
        sum
    }

    /// `count` times removes what was inserted for a random entry and puts 1 to
    /// 64 pages into the lowest gap that is long enough. The checksum is over
    /// where.
    ///
    /// # Panics
    /// The store finds no place.
    pub fn churn(&mut self, count: usize) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..count {
            let index = self.random.usize(0..self.live.len());
            self.store.remove(self.live[index].clone());
            let len = self.random.u64(1..=LONGEST);
            let value = value(&mut self.random);
            let start = self
                .store
                .allocate(&GapQuery::new(len), value)
                .expect("space without end");
            self.live[index] = start..page(start.number() + len);
            sum = sum.rotate_left(1) ^ start.number();
        }
        sum
    }
}

fn page(number: u64) -> Page {
    Page::new(number).expect("workloads stay far below the limit")
}

/// One of three protections.
fn value(random: &mut Rng) -> Mapping {
    let prots = [
        Prot::READ,
        Prot::READ | Prot::WRITE,
        Prot::READ | Prot::EXEC,
    ];
    Mapping::anonymous(prots[random.usize(0..3)], 0)
}

#[cfg(test)]
mod tests {
    use gaptree::{BTreeStore, Mapping, Page, RangeStore, SortedVecStore};
    use reference::ReferenceStore;

    use super::Workload;

    fn checksums<S: RangeStore<Page, Mapping>>(entries: usize) -> [u64; 3] {
        let mut workload = Workload::<S>::new(entries, 1);
        [workload.find(200), workload.churn(200), workload.find(200)]
    }

    #[test]
    fn every_subject_gives_the_reference_s_answers() {
        for entries in [1, 16, 300] {
            let expected = checksums::<ReferenceStore<Page, Mapping>>(entries);
            assert_eq!(
                checksums::<BTreeStore<Page, Mapping>>(entries),
                expected,
                "{entries}"
            );
            assert_eq!(
                checksums::<SortedVecStore<Page, Mapping>>(entries),
                expected,
                "{entries}"
            );
        }
    }
}
