//! `cargo xtask bench --instructions`: instruction counts, held to a committed
//! table.
//!
//! Counts are the same from run to run of one program, whatever else the
//! machine does, so that they can be gated on; times cannot.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::tables::table;
use crate::project;

/// The committed counts.
const TABLE: &str = "benches/instructions.csv";

/// A count may rise by this share without anybody's consent.
const TOLERANCE: f64 = 0.005;

/// The crate in `benches`; its runner must have the same version.
const CRATE: &str = "iai-callgrind";

/// Counts by benchmark and size.
type Counts = BTreeMap<String, u64>;

/// Counts, then compares with the committed counts; `bless` replaces them.
pub(super) fn run(bless: bool) -> Result<(), String> {
    let metadata = project::metadata().map_err(|error| error.to_string())?;
    let target = metadata.target_directory.as_std_path();
    let mut packages = metadata.packages.iter();
    let library = packages.find(|package| package.name.as_str() == CRATE);
    let library = library.ok_or_else(|| format!("benches do not depend on `{CRATE}`"))?;
    let runner = match runner(target, &library.version.to_string()) {
        Ok(runner) => runner,
        Err(reason) => {
            println!("skipped: instruction counts: {reason}");
            return Ok(());
        }
    };
    let counts = count(&runner, target)?;
    let path = project::root().join(TABLE);
    if bless {
        fs::write(&path, written(&counts)).map_err(|error| format!("{TABLE}: {error}"))?;
        println!("{TABLE} has the new counts, {} in all", counts.len());
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("{TABLE}: {error}"))?;
    let rose = compare(&read(&text)?, &counts);
    if rose == 0 {
        Ok(())
    } else {
        Err(format!(
            "{rose} counts rose by more than {} %, or are not in {TABLE}; `--bless` accepts them",
            TOLERANCE * 100.0
        ))
    }
}

/// The program that runs benchmarks under valgrind, installed into the target
/// folder if it is not there; an error says why there is none.
fn runner(target: &Path, version: &str) -> Result<PathBuf, String> {
    let valgrind = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !valgrind.is_ok_and(|status| status.success()) {
        return Err("there is no valgrind (Debian: apt-get install valgrind)".to_owned());
    }
    if let Some(given) = env::var_os("IAI_CALLGRIND_RUNNER").map(PathBuf::from) {
        let missing = format!("IAI_CALLGRIND_RUNNER: no file {}", given.display());
        return given.is_file().then_some(given).ok_or(missing);
    }
    // The runner and the crate refuse each other unless their versions agree.
    let root = target.join(format!("{CRATE}-runner-{version}"));
    let runner = root.join(format!("bin/{CRATE}-runner"));
    if !runner.is_file() {
        let package = format!("{CRATE}-runner@{version}");
        println!("installing {package}");
        let mut install = project::cargo(&["install", "--locked", &package, "--root"]);
        let installed = install.arg(&root).status();
        if !installed.is_ok_and(|status| status.success()) {
            return Err(format!("{package} cannot be installed"));
        }
    }
    Ok(runner)
}

/// Runs the benchmarks and collects their counts.
fn count(runner: &Path, target: &Path) -> Result<Counts, String> {
    let results = target.join("iai/benches/instructions");
    if results.is_dir() {
        // Benchmarks that are gone must not count.
        fs::remove_dir_all(&results).map_err(|error| error.to_string())?;
    }
    let arguments = [
        "bench",
        "--package",
        "benches",
        "--bench",
        "instructions",
        "--",
    ];
    let mut bench = project::cargo(&arguments);
    bench
        .arg("--save-summary=json")
        .env("IAI_CALLGRIND_RUNNER", runner);
    let output = bench.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return Err(format!("the benchmarks failed: {}", output.status));
    }
    let mut counts = Counts::new();
    let mut folders = vec![results];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
        for entry in entries.flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "summary.json" {
                let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
                let (name, count) = summary(&text).ok_or("a summary without a count")?;
                counts.insert(name, count);
            }
        }
    }
    if counts.is_empty() {
        return Err("the benchmarks left no counts".to_owned());
    }
    Ok(counts)
}

/// Benchmark and instructions of one summary.
fn summary(text: &str) -> Option<(String, u64)> {
    let summary: Value = serde_json::from_str(text).ok()?;
    let name = summary["function_name"].as_str()?;
    let id = summary["id"].as_str()?;
    let metrics =
        &summary["profiles"][0]["summaries"]["total"]["summary"]["Callgrind"]["Ir"]["metrics"];
    let new = ["Left", "Both"].iter().find_map(|side| metrics.get(side))?;
    let new = if new.is_array() { &new[0] } else { new };
    let count = new.as_u64().or_else(|| new["Int"].as_u64())?;
    Some((format!("{name},{id}"), count))
}

fn written(counts: &Counts) -> String {
    let mut text = "benchmark,case,instructions\n".to_owned();
    for (name, count) in counts {
        writeln!(text, "{name},{count}").expect("a string takes everything");
    }
    text
}

fn read(text: &str) -> Result<Counts, String> {
    let lines = text.lines().skip(1);
    lines
        .map(|line| {
            let (name, count) = line.rsplit_once(',').ok_or(line)?;
            Ok((name.to_owned(), count.parse().map_err(|_| line)?))
        })
        .collect::<Result<_, &str>>()
        .map_err(|line| format!("{TABLE}: `{line}` is no count"))
}

/// Prints what changed; returns how many counts rose too far or are new.
fn compare(committed: &Counts, counted: &Counts) -> usize {
    let header = ["benchmark, case", "committed", "counted", "change"];
    let mut table = table(header.map(str::to_owned).to_vec());
    let mut rose = 0;
    for (name, &new) in counted {
        let (old, change) = match committed.get(name) {
            Some(&old) if old == new => continue,
            Some(&old) => {
                let change = new as f64 / old as f64 - 1.0;
                rose += usize::from(change > TOLERANCE);
                (old.to_string(), format!("{:+.2} %", change * 100.0))
            }
            None => {
                rose += 1;
                ("-".to_owned(), "new".to_owned())
            }
        };
        table.add_row([name.clone(), old, new.to_string(), change]);
    }
    for name in committed.keys().filter(|name| !counted.contains_key(*name)) {
        table.add_row([name.as_str(), "", "-", "gone"]);
    }
    if table.row_count() > 0 {
        println!("{table}");
    }
    println!("{} counts, {rose} rose too far or are new", counted.len());
    rose
}

#[cfg(test)]
mod tests {
    use super::{Counts, compare, read, written};

    fn counts(items: [(&str, u64); 3]) -> Counts {
        items.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn counts_are_read_as_they_were_written() {
        let counts = counts([("find,a", 1), ("find,b", 22), ("churn,a", 333)]);
        assert_eq!(read(&written(&counts)).unwrap(), counts);
        assert!(
            read("benchmark\nfind,a,x\n")
                .unwrap_err()
                .contains("find,a,x")
        );
    }

    #[test]
    fn only_more_than_half_a_percent_counts_as_risen() {
        let committed = counts([("a,1", 1_000), ("b,1", 1_000), ("c,1", 1_000)]);
        assert_eq!(
            compare(
                &committed,
                &counts([("a,1", 1_005), ("b,1", 900), ("c,1", 1_000)])
            ),
            0
        );
        assert_eq!(
            compare(
                &committed,
                &counts([("a,1", 1_006), ("b,1", 900), ("d,1", 1)])
            ),
            2
        );
    }
}
