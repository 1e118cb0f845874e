//! The targets, and how far the results are from each.

use super::results::{KERNEL, Results, SORTED_VEC, TREE, size};

/// Sizes that targets are about.
const SIZES: [usize; 4] = [16, 128, 1_000, 10_000];

/// Time of the tree, at most this share of the best rival's, at [`SIZES`].
const RATIOS: [(&str, [f64; 4]); 13] = [
    ("find_hit", [0.95, 0.95, 0.7, 0.7]),
    ("find_miss", [0.95, 0.95, 0.7, 0.7]),
    ("find_local", [0.95, 0.95, 0.7, 0.7]),
    ("find_dep", [0.9; 4]),
    ("churn", [0.45, 0.4, 0.2, 0.03]),
    ("churn_tight", [0.6, 0.5, 0.1, 0.01]),
    ("fill", [0.7, 0.3, 0.05, 0.005]),
    ("map_at", [0.85; 4]),
    ("protect", [0.45; 4]),
    ("mix", [0.7, 0.7, 0.4, 0.1]),
    ("query", [1.0; 4]),
    ("iterate", [1.0; 4]),
    ("clone", [1.0; 4]),
];

/// A target and what was measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Verdict {
    /// What it is about.
    pub(crate) what: String,
    /// The number of regions, or what stands for it.
    pub(crate) at: String,
    /// Compared with whom.
    pub(crate) against: String,
    /// At most this.
    pub(crate) limit: f64,
    /// What was measured.
    pub(crate) got: f64,
}

impl Verdict {
    pub(crate) fn is_met(&self) -> bool {
        self.got <= self.limit
    }
}

/// Every target about which the results say something.
pub(crate) fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (workload, limits) in RATIOS {
        for (n, limit) in SIZES.into_iter().zip(limits) {
            let best = results.best_rust_rival(workload, n);
            let own = results.min(workload, n, TREE);
            if let (Some((rival, best)), Some(own)) = (best, own) {
                verdicts.push(Verdict {
                    what: workload.to_owned(),
                    at: size(n),
                    against: rival.to_owned(),
                    limit,
                    got: own / best,
                });
            }
        }
    }
    verdicts.extend(growth(results));
    verdicts.extend(memory(results));
    verdicts.extend(traces(results));
    verdicts.extend(kernel(results));
    verdicts
}

/// Each workload beside Linux's own tree, if that was measured. The tree is to be
/// faster at every size, so the worst size counts. All recorded programs together
/// are one workload.
fn kernel(results: &Results) -> Vec<Verdict> {
    let mut worst: Vec<Verdict> = Vec::new();
    for row in results.rows.iter().filter(|row| row.subject == KERNEL) {
        let Some(own) = results.min(&row.workload, row.n, TREE) else {
            continue;
        };
        let (what, at) = match row.workload.strip_prefix("trace:") {
            Some(name) => ("all recorded programs", name.to_owned()),
            // Single operations, of which the slowest is the system's doing.
            None if row.workload.starts_with("grow") => continue,
            None => (row.workload.as_str(), size(row.n)),
        };
        let verdict = Verdict {
            what: format!("{what}, worst size"),
            at,
            against: KERNEL.to_owned(),
            limit: 1.0,
            got: own / row.min,
        };
        match worst.iter_mut().find(|known| known.what == verdict.what) {
            Some(known) if verdict.got > known.got => *known = verdict,
            Some(_) => {}
            None => worst.push(verdict),
        }
    }
    worst
}

fn growth(results: &Results) -> Option<Verdict> {
    let large = results.min("churn", 1_000_000, TREE)?;
    let small = results.min("churn", 1_000, TREE)?;
    Some(Verdict {
        what: "churn, growth".to_owned(),
        at: "1M / 1k".to_owned(),
        against: "itself".to_owned(),
        limit: 10.0,
        got: large / small,
    })
}

/// Bytes a region, from 1,000 regions on.
fn memory(results: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (subject, limit) in [(TREE, 80.0), (SORTED_VEC, 64.0)] {
        for workload in ["bytes_built", "bytes_churned"] {
            for n in results.sizes(workload).into_iter().filter(|&n| n >= 1_000) {
                if let Some(got) = results.min(workload, n, subject) {
                    verdicts.push(Verdict {
                        what: format!("{workload}, {subject}"),
                        at: size(n),
                        against: "bytes".to_owned(),
                        limit,
                        got,
                    });
                }
            }
        }
    }
    verdicts
}

/// Each recorded program: half the reference's time, and less than any rival's.
fn traces(results: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for workload in results.workloads() {
        let Some(name) = workload.strip_prefix("trace:") else {
            continue;
        };
        for n in results.sizes(workload) {
            let Some(own) = results.min(workload, n, TREE) else {
                continue;
            };
            let reference = results.min(workload, n, "reference");
            let reference = reference.map(|time| ("reference", time, 0.5));
            let rival = results.best_rust_rival(workload, n);
            let rival = rival.map(|(name, time)| (name, time, 1.0));
            for (against, time, limit) in reference.into_iter().chain(rival) {
                verdicts.push(Verdict {
                    what: format!("trace {name}"),
                    at: size(n),
                    against: against.to_owned(),
                    limit,
                    got: own / time,
                });
            }
        }
    }
    verdicts
}

/// How many targets are met, of how many.
pub(crate) fn tally(verdicts: &[Verdict]) -> (usize, usize) {
    let met = verdicts.iter().filter(|verdict| verdict.is_met()).count();
    (met, verdicts.len())
}

#[cfg(test)]
mod tests {
    use super::super::results::Results;
    use super::super::results::tests::sample;
    use super::{kernel, tally, verdicts};

    #[test]
    fn targets_are_compared_with_the_best_rival() {
        let verdicts = verdicts(&sample());
        let met: Vec<_> = verdicts
            .iter()
            .map(|v| (v.what.as_str(), v.against.as_str(), v.is_met()))
            .collect();
        assert_eq!(
            met,
            [
                ("find_hit", "brie-tree", true),
                ("churn", "nodit", false),
                ("trace x", "reference", true),
                ("trace x", "nodit", true),
            ]
        );
        assert_eq!(tally(&verdicts), (3, 4));
    }

    #[test]
    fn beside_the_kernel_the_worst_size_counts() {
        let text = "workload,n,subject,unit,min,median\n\
            churn,16,gaptree,ns,5,5\nchurn,16,maple-tree,ns,10,10\n\
            churn,1000000,gaptree,ns,21,21\nchurn,1000000,maple-tree,ns,20,20\n\
            churn,1000,gaptree,ns,1,1\nchurn,1000,maple-tree,ns,20,20\n\
            trace:x,40,gaptree,ns,1,1\ntrace:x,40,maple-tree,ns,4,4\n\
            trace:y,40,gaptree,ns,1,1\ntrace:y,40,maple-tree,ns,2,2\n\
            grow_worst,16,gaptree,ns,9,9\ngrow_worst,16,maple-tree,ns,2,2\n\
            drop,16,maple-tree,ns,2,2\n";
        let found: Vec<_> = kernel(&Results::parse(text).unwrap())
            .into_iter()
            .map(|v| (v.what, v.at, v.got))
            .collect();
        let expected = [
            ("churn, worst size", "1M", 1.05),
            ("all recorded programs, worst size", "y", 0.5),
        ];
        assert_eq!(
            found,
            expected.map(|(what, at, got)| (what.to_owned(), at.to_owned(), got))
        );
    }
}
