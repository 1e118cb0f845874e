//! `cargo xtask report`: the README's table and chart, from committed results.

use std::fs;
use std::process::ExitCode;

use crate::bench::charts::headline;
use crate::bench::results::{Results, TREE, short, size};
use crate::project;

/// The committed results.
const RESULTS: &str = "benches/results.csv";
/// The chart that the README shows.
const CHART: &str = "docs/churn.svg";
/// Between these lines of the README everything is written by this command.
const MARKERS: [&str; 2] = ["<!-- speed -->", "<!-- /speed -->"];
/// The workloads of the table, and what is timed.
const WORKLOADS: [(&str, &str); 10] = [
    ("find_hit", "look up a mapped page: throughput"),
    (
        "find_dep",
        "the same, each address from the last answer: latency",
    ),
    (
        "fill",
        "place a range at the lowest free address, from empty",
    ),
    ("churn", "remove a random range, place another"),
    ("map_at", "overwrite a random range"),
    ("protect", "change the values of a random range"),
    ("mix", "80 % look-ups, 20 % edits"),
    ("query", "list the 8 or so entries of a window"),
    ("iterate", "list all entries, for each"),
    ("unmap_half", "remove half of all entries at once, for each"),
];
const SIZES: [usize; 4] = [128, 1_000, 10_000, 100_000];

/// Exit status 1 if a file is missing or cannot be written.
pub(crate) fn run() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), String> {
    let root = project::root();
    let results = Results::load(&root.join(RESULTS))?;
    let chart = headline(&results).map_err(|error| error.to_string())?;
    fs::write(root.join(CHART), opaque(&chart)).map_err(|error| format!("{CHART}: {error}"))?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|error| format!("README.md: {error}"))?;
    let text = replace(&text, &section(&results))?;
    fs::write(readme, text).map_err(|error| format!("README.md: {error}"))?;
    println!("written: README.md and {CHART}");
    Ok(())
}

/// A chart with a white ground, for pages that cannot style it.
fn opaque(chart: &str) -> String {
    let ground = "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>";
    let end_of_tag = chart.find('>').map_or(0, |at| at + 1);
    format!("{}{ground}{}", &chart[..end_of_tag], &chart[end_of_tag..])
}

/// The text with what is between the markers replaced.
fn replace(text: &str, section: &str) -> Result<String, String> {
    let missing = |marker: &str| format!("README.md has no line `{marker}`");
    let [begin, end] = MARKERS;
    let start = text.find(begin).ok_or_else(|| missing(begin))? + begin.len();
    let stop = text[start..].find(end).ok_or_else(|| missing(end))? + start;
    Ok(format!("{}\n{section}{}", &text[..start], &text[stop..]))
}

/// The table: our time, and the best rival's.
fn section(results: &Results) -> String {
    let mut text = String::from("| ns an operation, regions: |");
    for n in SIZES {
        text += &format!(" {} |", size(n));
    }
    text += "\n|---|---:|---:|---:|---:|\n";
    for (workload, what) in WORKLOADS {
        text += &format!("| `{workload}`: {what} |");
        for n in SIZES {
            let cell = match (
                results.min(workload, n, TREE),
                results.best_rival(workload, n),
            ) {
                (Some(own), Some((rival, best))) if own <= best => {
                    format!("**{}** / {} {rival}", short(own), short(best))
                }
                (Some(own), Some((rival, best))) => {
                    format!("{} / **{}** {rival}", short(own), short(best))
                }
                (Some(own), None) => short(own),
                _ => "-".to_owned(),
            };
            text += &format!(" {cell} |");
        }
        text += "\n";
    }
    text += &format!(
        "\n`BTreeStore` / the best rival. {}; commit {}; {}. [Method and bias](benches/README.md).\n\n\
         ![Unmapping and mapping a region, nanoseconds over the number of regions]({CHART})\n",
        results.head("machine"),
        results.head("commit"),
        results.head("compiler"),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::{MARKERS, opaque, replace};

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let [begin, end] = MARKERS;
        let text = format!("a\n{begin}\nold\n{end}\nb\n");
        let expected = format!("a\n{begin}\nnew\n{end}\nb\n");
        assert_eq!(replace(&text, "new\n"), Ok(expected));
        assert!(replace("a", "new").unwrap_err().contains(begin));
    }

    #[test]
    fn a_chart_gets_its_ground_inside() {
        assert!(opaque("<svg x=\"1\"><g/></svg>").starts_with("<svg x=\"1\"><rect"));
    }
}
