//! Results as tables on a terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::results::{OURS, Results, Row, short, size};
use super::targets::{Verdict, tally};

/// An aligned table: the first column to the left, numbers to the right.
pub(crate) fn table(header: Vec<String>) -> Table {
    let columns = header.len();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().take(columns).skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One table a workload: subjects by sizes, the minimum, and its ratio to the
/// best rival; the fastest is marked.
pub(crate) fn workloads(results: &Results) {
    let workloads = results.workloads();
    for workload in workloads.iter().filter(|name| !name.starts_with("trace:")) {
        let sizes = results.sizes(workload);
        let mut header = vec![(*workload).to_owned()];
        header.extend(sizes.iter().map(|&n| size(n)));
        let mut table = table(header);
        for subject in results.subjects() {
            let mut line = vec![name(subject)];
            line.extend(sizes.iter().map(|&n| cell(results, workload, n, subject)));
            table.add_row(line);
        }
        println!("{table}\n");
    }
    traces(results);
}

/// One table of all recorded programs.
fn traces(results: &Results) {
    let subjects = results.subjects();
    let mut header = vec![
        "recorded program, ns an operation".to_owned(),
        "regions".to_owned(),
    ];
    header.extend(subjects.iter().map(|subject| name(subject)));
    let mut table = table(header);
    for workload in results.workloads() {
        let Some(program) = workload.strip_prefix("trace:") else {
            continue;
        };
        for n in results.sizes(workload) {
            let mut line = vec![program.to_owned(), n.to_string()];
            line.extend(
                subjects
                    .iter()
                    .map(|subject| cell(results, workload, n, subject)),
            );
            table.add_row(line);
        }
    }
    if table.row_count() > 0 {
        println!("{table}\n");
    }
}

fn name(subject: &str) -> String {
    if OURS.contains(&subject) {
        format!("{subject} (ours)")
    } else {
        subject.to_owned()
    }
}

/// `12.3 x0.45`, with a star if nobody is faster; `-` if there is no result.
fn cell(results: &Results, workload: &str, n: usize, subject: &str) -> String {
    let Some(value) = results.min(workload, n, subject) else {
        return "-".to_owned();
    };
    let all = results.rows.iter();
    let here = all.filter(|row| row.workload == workload && row.n == n && row.subject != "floor");
    let least = here.map(|row| row.min).fold(f64::INFINITY, f64::min);
    let star = if value <= least { "*" } else { "" };
    let ratio = results
        .best_rival(workload, n)
        .map(|(_, best)| value / best);
    let ratio = ratio.map_or(String::new(), |ratio| format!(" x{ratio:.2}"));
    format!("{star}{}{ratio}", short(value))
}

/// Every target with what was measured.
pub(crate) fn targets(verdicts: &[Verdict]) {
    let header = ["target", "at", "against", "at most", "got", "met"];
    let mut table = table(header.map(str::to_owned).to_vec());
    for verdict in verdicts {
        let Verdict {
            what,
            at,
            against,
            limit,
            got,
        } = verdict;
        let met = if verdict.is_met() { "yes" } else { "NO" };
        let (limit, got) = (limit.to_string(), format!("{got:.3}"));
        table.add_row([what, at, against, &limit, &got, met]);
    }
    let (met, all) = tally(verdicts);
    println!("{table}\n{met} of {all} targets are met");
}

/// Where two runs come from, and what keeps them from being compared.
pub(crate) fn heads(before: &Results, after: &Results) {
    for (name, results) in [("before", before), ("after", after)] {
        let [machine, commit] = ["machine", "commit"].map(|key| results.head(key));
        println!("{name}: {machine}; commit {commit}");
    }
    for key in ["machine", "compiler", "pinned"] {
        let (old, new) = (before.head(key), after.head(key));
        if old != new {
            println!("take care: not the same {key}: {old}; {new}");
        }
    }
}

/// What changed from one run to another by more than noise.
pub(crate) fn compare(before: &Results, after: &Results) -> usize {
    let mut changes: Vec<(f64, &Row, &Row)> = Vec::new();
    let (mut same, mut new_ones) = (0, 0);
    for new in measured(after) {
        let Some(old) = before.row(&new.workload, new.n, &new.subject) else {
            new_ones += 1;
            continue;
        };
        // Nothing may be measured as 0 bytes.
        let ratio = if new.min == old.min {
            1.0
        } else {
            new.min / old.min
        };
        if (ratio - 1.0).abs() > noise(old).max(noise(new)) {
            changes.push((ratio, old, new));
        } else {
            same += 1;
        }
    }
    let gone = measured(before).count() - changes.len() - same;
    changes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let header = [
        "workload", "regions", "subject", "before", "after", "ratio", "change",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for (ratio, old, new) in &changes {
        let change = match (*ratio < 1.0, new.unit == "bytes") {
            (true, false) => "faster",
            (false, false) => "SLOWER",
            (true, true) => "smaller",
            (false, true) => "LARGER",
        };
        let digits = |value: f64| match value {
            ..10.0 => format!("{value:.2}"),
            _ => short(value),
        };
        let (before, after) = (digits(old.min), digits(new.min));
        let cells = [&new.workload, &size(new.n), &new.subject, &before, &after];
        let mut line: Vec<String> = cells.into_iter().cloned().collect();
        line.extend([format!("{ratio:.2}"), change.to_owned()]);
        table.add_row(line);
    }
    if !changes.is_empty() {
        println!("{table}");
    }
    let changed = changes.len();
    println!("{changed} changed beyond noise, {same} did not");
    println!("noise: 5 %, or half the way from the minimum to the median; for bytes, none");
    if gone + new_ones > 0 {
        println!("left out: {gone} measured only before, {new_ones} only after");
    }
    changed
}

/// All rows but those of the harness itself.
fn measured(results: &Results) -> impl Iterator<Item = &Row> {
    results.rows.iter().filter(|row| row.subject != "floor")
}

/// How far a minimum may move without meaning: 5 %, or half the distance from
/// the minimum to the median of a run if that is more.
fn noise(row: &Row) -> f64 {
    if row.unit == "bytes" || row.min == 0.0 {
        return 0.001;
    }
    let spread = (row.median / row.min - 1.0) / 2.0;
    spread.max(0.05)
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::{cell, compare};

    #[test]
    fn a_cell_has_the_ratio_and_marks_the_fastest() {
        let results = sample();
        assert_eq!(cell(&results, "churn", 1_000, "gaptree"), "*100 x0.50");
        assert_eq!(cell(&results, "find_hit", 16, "nodit"), "20.0 x2.50");
        assert_eq!(cell(&results, "find_hit", 16, "flat-vec"), "-");
    }

    #[test]
    fn only_what_is_beyond_noise_has_changed() {
        let before = sample();
        let mut after = sample();
        // 20 ± 2.5 %: a tenth more is a change, a hundredth is not.
        after.rows[2].min = 22.0;
        after.rows[5].min = 202.0;
        assert_eq!(compare(&before, &after), 1);
    }
}
