//! `results.csv`: what was measured, and questions about it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The subject that targets are about: the tree.
pub(crate) const TREE: &str = "gaptree";
/// The sorted vector.
pub(crate) const SORTED_VEC: &str = "gaptree-vec";
/// All subjects of this library.
pub(crate) const OURS: [&str; 3] = [TREE, SORTED_VEC, "addr-space"];
/// Subjects that nobody competes with.
const NO_RIVALS: [&str; 2] = ["reference", "floor"];

/// The first columns, as `benches` writes them.
const COLUMNS: [&str; 6] = ["workload", "n", "subject", "unit", "min", "median"];

/// Linux's tree of memory areas, which the tree is to outrun at any size.
pub(crate) const KERNEL: &str = "maple-tree";
/// Rivals that a Rust program cannot use as they are.
const IN_C: [&str; 3] = ["boost-icl", "llvm", KERNEL];

/// Whether it is neither ours nor the reference nor the harness.
pub(crate) fn is_rival(subject: &str) -> bool {
    !OURS.contains(&subject) && !NO_RIVALS.contains(&subject)
}

/// A line of the results.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) n: usize,
    pub(crate) subject: String,
    pub(crate) unit: String,
    pub(crate) min: f64,
    pub(crate) median: f64,
}

/// A results file.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// `key: value` lines of the head: machine, commit and the like.
    pub(crate) head: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
    index: HashMap<(String, usize, String), usize>,
}

impl Results {
    /// Reads a file; an error says which file, and which line if it is a line.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut results = Self::default();
        let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
        for (key, value) in comments.filter_map(|comment| comment.split_once(": ")) {
            results.head.push((key.to_owned(), value.to_owned()));
        }
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| error.to_string())?;
        if !header.iter().take(COLUMNS.len()).eq(COLUMNS) {
            return Err(format!("no results: no line `{},...`", COLUMNS.join(",")));
        }
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            let row = Row::parse(&record).ok_or_else(|| format!("line {line} is no result"))?;
            results.add(row);
        }
        if results.rows.is_empty() {
            return Err("no results: nothing was measured".to_owned());
        }
        Ok(results)
    }

    /// The rows that satisfy a condition, without the head.
    pub(crate) fn only(&self, wanted: impl Fn(&Row) -> bool) -> Self {
        let mut results = Self::default();
        for row in self.rows.iter().filter(|row| wanted(row)) {
            results.add(row.clone());
        }
        results
    }

    fn add(&mut self, row: Row) {
        let key = (row.workload.clone(), row.n, row.subject.clone());
        self.index.insert(key, self.rows.len());
        self.rows.push(row);
    }

    pub(crate) fn row(&self, workload: &str, n: usize, subject: &str) -> Option<&Row> {
        let key = (workload.to_owned(), n, subject.to_owned());
        Some(&self.rows[*self.index.get(&key)?])
    }

    /// The minimum of a subject.
    pub(crate) fn min(&self, workload: &str, n: usize, subject: &str) -> Option<f64> {
        Some(self.row(workload, n, subject)?.min)
    }

    /// Workloads in the order of the file.
    pub(crate) fn workloads(&self) -> Vec<&str> {
        distinct(self.rows.iter().map(|row| row.workload.as_str()))
    }

    /// Subjects in the order of the file, without the harness's floor.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        let names = self.rows.iter().map(|row| row.subject.as_str());
        distinct(names.filter(|name| *name != "floor"))
    }

    /// The sizes at which a workload was measured.
    pub(crate) fn sizes(&self, workload: &str) -> Vec<usize> {
        let rows = self.rows.iter().filter(|row| row.workload == workload);
        distinct(rows.map(|row| row.n))
    }

    /// The best rival and its minimum.
    pub(crate) fn best_rival(&self, workload: &str, n: usize) -> Option<(&str, f64)> {
        self.best(workload, n, is_rival)
    }

    /// The same without rivals in C and C++.
    pub(crate) fn best_rust_rival(&self, workload: &str, n: usize) -> Option<(&str, f64)> {
        self.best(workload, n, |subject| {
            is_rival(subject) && !IN_C.contains(&subject)
        })
    }

    fn best(&self, workload: &str, n: usize, among: impl Fn(&str) -> bool) -> Option<(&str, f64)> {
        let here = |row: &&Row| row.workload == workload && row.n == n && among(&row.subject);
        let best = self.rows.iter().filter(here);
        let best = best.min_by(|a, b| a.min.total_cmp(&b.min))?;
        Some((&best.subject, best.min))
    }

    /// A value of the head.
    pub(crate) fn head(&self, key: &str) -> &str {
        let found = self.head.iter().find(|(name, _)| name == key);
        found.map_or("unknown", |(_, value)| value)
    }
}

impl Row {
    fn parse(record: &csv::StringRecord) -> Option<Self> {
        let value = |column| {
            let value: f64 = record.get(column)?.parse().ok()?;
            (value.is_finite() && value >= 0.0).then_some(value)
        };
        Some(Self {
            workload: record.get(0)?.to_owned(),
            n: record.get(1)?.parse().ok()?,
            subject: record.get(2)?.to_owned(),
            unit: record.get(3)?.to_owned(),
            min: value(4)?,
            median: value(5)?,
        })
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

/// A value in few characters: `7.4`, `312`, `12.8k`, `1.3M`.
pub(crate) fn short(value: f64) -> String {
    match value {
        ..100.0 => format!("{value:.1}"),
        ..10_000.0 => format!("{value:.0}"),
        ..1e6 => format!("{:.1}k", value / 1e3),
        _ => format!("{:.1}M", value / 1e6),
    }
}

/// A number of regions: `16`, `10k`, `1M`.
pub(crate) fn size(n: usize) -> String {
    match n {
        _ if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        _ if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        _ => n.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Results, short, size};

    /// Results of which targets and tables are tested.
    pub(crate) fn sample() -> Results {
        Results::parse(
            "# machine: test\nworkload,n,subject,unit,min,median,rounds,hash\n\
             find_hit,16,gaptree,ns,4,5,3,0\nfind_hit,16,brie-tree,ns,8,9,3,0\n\
             find_hit,16,nodit,ns,20,21,3,0\nfind_hit,16,reference,ns,1,1,3,0\n\
             churn,1000,gaptree,ns,100,110,3,0\nchurn,1000,nodit,ns,200,210,3,0\n\
             trace:x,40,gaptree,ns,10,10,3,0\ntrace:x,40,reference,ns,90,90,3,0\n\
             trace:x,40,nodit,ns,30,30,3,0\n",
        )
        .unwrap()
    }

    #[test]
    fn the_reference_is_no_rival() {
        let results = sample();
        assert_eq!(results.head("machine"), "test");
        assert_eq!(results.best_rival("find_hit", 16), Some(("brie-tree", 8.0)));
        assert_eq!(results.min("find_hit", 16, "gaptree"), Some(4.0));
        assert_eq!(results.best_rival("find_hit", 17), None);
    }

    #[test]
    fn rivals_in_cpp_are_shown_and_are_no_rust_rivals() {
        let mut results = sample();
        let mut llvm = results.rows[1].clone();
        (llvm.subject, llvm.min) = ("llvm".to_owned(), 6.0);
        results.add(llvm);
        assert_eq!(results.best_rival("find_hit", 16), Some(("llvm", 6.0)));
        let rust = results.best_rust_rival("find_hit", 16);
        assert_eq!(rust, Some(("brie-tree", 8.0)));
    }

    #[test]
    fn a_bad_line_is_named() {
        for line in ["a,b,c,d,e,f", "a", "a,1,c,ns,NaN,2", "a,1,c,ns,2,-1"] {
            let text = format!("# x: y\nworkload,n,subject,unit,min,median\n{line}\n");
            let error = Results::parse(&text).unwrap_err();
            assert_eq!(error, "line 3 is no result", "{line}");
        }
    }

    #[test]
    fn another_file_and_an_empty_one_are_refused() {
        for text in ["", "# x: y\n", "a,b\n1,2,3\n"] {
            let error = Results::parse(text).unwrap_err();
            assert!(
                error.starts_with("no results: no line `workload,n"),
                "{error}"
            );
        }
        let error = Results::parse("workload,n,subject,unit,min,median\n").unwrap_err();
        assert_eq!(error, "no results: nothing was measured");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [short(7.44), short(312.4), short(12_840.0), short(1.3e6)],
            ["7.4", "312", "12.8k", "1.3M"]
        );
        assert_eq!(
            [size(16), size(10_000), size(1_000_000), size(1_045)],
            ["16", "10k", "1M", "1045"]
        );
    }
}
