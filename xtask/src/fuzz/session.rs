//! Runs one target and reads libFuzzer's figures.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::build::Binaries;
use super::{CANARY, Options};
use crate::project;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Inputs that were run.
    pub(crate) inputs: u64,
    /// Wall-clock time.
    pub(crate) time: Duration,
    /// Edges of the control-flow graph that were reached.
    edges: u64,
    /// Inputs kept because each reached something new.
    corpus: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inputs,
            time,
            edges,
            corpus,
        } = self;
        let seconds = time.as_secs_f64();
        let rate = (*inputs as f64 / seconds.max(0.001)).round();
        write!(
            f,
            "{inputs:>9} inputs in {seconds:>4.0} s, {rate:>6} a second, "
        )?;
        write!(f, "{edges:>5} edges, {corpus:>5} inputs in the corpus")
    }
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) figures: Figures,
    /// The input that crashed.
    pub(super) crash: Option<PathBuf>,
}

/// A line such as `#4096 pulse cov: 71 ft: 93 corp: 9/20b ... exec/s: 512`.
#[derive(Clone, Copy, Default)]
struct Line {
    inputs: u64,
    edges: u64,
    corpus: u64,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix('#')?.split_ascii_whitespace();
        let inputs = words.next()?.parse().ok()?;
        let mut parsed = Self {
            inputs,
            ..Self::default()
        };
        while let Some(word) = words.next() {
            match word {
                "cov:" => parsed.edges = words.next()?.parse().ok()?,
                "corp:" => parsed.corpus = words.next()?.split('/').next()?.parse().ok()?,
                _ => {}
            }
        }
        Some(parsed)
    }
}

/// `fuzz/...` of the project, made if it is not there.
fn folder(path: &str) -> Result<PathBuf, String> {
    let folder = project::root().join("fuzz").join(path);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Runs a target in `options.jobs` processes that share what they find.
pub(super) fn run(build: &Binaries, target: &str, options: &Options) -> Result<Ended, String> {
    let found = folder(&format!("target/corpus/{target}"))?;
    let artifacts = folder(&format!("artifacts/{target}"))?;
    let begin = Instant::now();
    let bar = ProgressBar::new(options.seconds).with_style(
        ProgressStyle::with_template("{prefix:<10} {wide_bar} {pos}/{len} s {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_prefix(target.to_owned());
    let lines = Mutex::new(vec![Line::default(); options.jobs as usize]);
    let crash = Mutex::new(None);
    let result = thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs as usize)
            .map(|job| {
                let (found, artifacts) = (&found, &artifacts);
                let (lines, crash, bar) = (&lines, &crash, &bar);
                scope.spawn(move || -> io::Result<()> {
                    let mut child = start(build, target, options, found, artifacts)?;
                    let Some(output) = child.stderr.take() else {
                        return Ok(());
                    };
                    for line in BufReader::new(output).lines() {
                        let line = line?;
                        if let Some(path) = written(&line) {
                            *crash.lock().unwrap_or_else(|lock| lock.into_inner()) = Some(path);
                        }
                        if let Some(line) = Line::parse(&line) {
                            let mut lines = lines.lock().unwrap_or_else(|lock| lock.into_inner());
                            lines[job] = line;
                            bar.set_position(begin.elapsed().as_secs());
                            bar.set_message(sum(&lines, begin.elapsed()).to_string());
                        }
                    }
                    child.wait().map(|_| ())
                })
            })
            .collect();
        jobs.into_iter().try_for_each(|job| match job.join() {
            Ok(result) => result,
            Err(_) => Err(io::Error::other("a thread panicked")),
        })
    });
    bar.finish_and_clear();
    result.map_err(|error| format!("{target}: {error}"))?;
    let lines = lines.into_inner().unwrap_or_else(|lock| lock.into_inner());
    Ok(Ended {
        figures: sum(&lines, begin.elapsed()),
        crash: crash.into_inner().unwrap_or_else(|lock| lock.into_inner()),
    })
}

fn start(
    build: &Binaries,
    target: &str,
    options: &Options,
    found: &Path,
    artifacts: &Path,
) -> io::Result<Child> {
    let mut command = Command::new(build.path(target));
    command
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-timeout=60", "-print_final_stats=1"]);
    // The canary begins with nothing, or it would crash on a kept input.
    if target != CANARY {
        command.arg(found);
        command.arg(project::root().join("fuzz/corpus").join(target));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

/// The input that libFuzzer says it has written.
fn written(line: &str) -> Option<PathBuf> {
    let (_, path) = line.split_once("Test unit written to ")?;
    Some(PathBuf::from(path.trim()))
}

/// Inputs add up; coverage is that of the job that has most.
fn sum(lines: &[Line], time: Duration) -> Figures {
    let most = |of: fn(&Line) -> u64| lines.iter().map(of).max().unwrap_or(0);
    Figures {
        inputs: lines.iter().map(|line| line.inputs).sum(),
        time,
        edges: most(|line| line.edges),
        corpus: most(|line| line.corpus),
    }
}

/// Replaces the committed corpus by a minimal set of inputs that reach the
/// same. Returns how many there are.
pub(super) fn minimise(build: &Binaries, target: &str) -> Result<usize, String> {
    let fail = |error: io::Error| format!("{target}: {error}");
    let found = folder(&format!("target/corpus/{target}"))?;
    let minimal = folder(&format!("target/minimal/{target}"))?;
    fs::remove_dir_all(&minimal).map_err(fail)?;
    fs::create_dir_all(&minimal).map_err(fail)?;
    let kept = folder(&format!("corpus/{target}"))?;
    let status = Command::new(build.path(target))
        .arg("-merge=1")
        .args([&minimal, &found, &kept])
        .stderr(Stdio::null())
        .status()
        .map_err(fail)?;
    if !status.success() {
        return Err(format!("{target}: libFuzzer could not merge its inputs"));
    }
    fs::remove_dir_all(&kept).map_err(fail)?;
    fs::create_dir_all(&kept).map_err(fail)?;
    let mut count = 0;
    for entry in fs::read_dir(&minimal).map_err(fail)? {
        let from = entry.map_err(fail)?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let short: String = name.chars().take(12).collect();
        fs::copy(&from, kept.join(short)).map_err(fail)?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::{Line, written};

    #[test]
    fn figures_are_read_from_lines_of_libfuzzer() {
        let text = "#4096\tpulse  cov: 712 ft: 3093 corp: 91/20Kb lim: 63 exec/s: 512 rss: 52Mb";
        let line = Line::parse(text).unwrap();
        assert_eq!((line.inputs, line.edges, line.corpus), (4096, 712, 91));
        assert!(Line::parse("INFO: Seed: 5").is_none());
    }

    #[test]
    fn a_written_input_is_found() {
        let line = "artifact_prefix='a/'; Test unit written to a/crash-12";
        assert_eq!(written(line).unwrap().to_str(), Some("a/crash-12"));
        assert!(written("stat::peak_rss_mb: 5").is_none());
    }
}
