//! Runs one target and reads libFuzzer's figures.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reference::lockstep::{OPERATIONS, RARELY};

use super::build::Binaries;
use super::corpus;
use super::figures::{Figures, Line, sum};
use super::targets::{CANARY, Options};
use crate::project;

/// How often figures are printed where there is no terminal for a bar.
const PULSE: Duration = Duration::from_secs(60);

/// How a run ended.
pub(super) struct Ended {
    pub(super) figures: Figures,
    /// The input that crashed.
    pub(super) crash: Option<PathBuf>,
}

/// What the processes of a target have said so far.
struct Watch<'a> {
    target: &'a str,
    begin: Instant,
    bar: ProgressBar,
    lines: Mutex<Vec<Line>>,
    crash: Mutex<Option<PathBuf>>,
    /// What each process said last, for one that ends without a crash.
    last: Mutex<Vec<String>>,
    printed: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<'a> Watch<'a> {
    fn new(target: &'a str, options: &Options) -> Self {
        let style = ProgressStyle::with_template("{prefix:<10} {wide_bar} {pos}/{len} s {msg}");
        let bar = ProgressBar::new(options.seconds)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(target.to_owned());
        let jobs = options.jobs as usize;
        Self {
            target,
            begin: Instant::now(),
            bar,
            lines: Mutex::new(vec![Line::default(); jobs]),
            crash: Mutex::new(None),
            last: Mutex::new(vec![String::new(); jobs]),
            printed: Mutex::new(Instant::now()),
        }
    }

    fn figures(&self) -> Figures {
        sum(&lock(&self.lines), self.begin.elapsed())
    }

    /// A line of a process's standard error, where libFuzzer speaks.
    fn heard(&self, job: usize, line: String) {
        if let Some(path) = written(&line) {
            *lock(&self.crash) = Some(path);
        }
        if lock(&self.lines)[job].read(&line) {
            self.show();
        } else if !line.trim().is_empty() {
            lock(&self.last)[job] = line;
        }
    }

    fn show(&self) {
        self.bar.set_position(self.begin.elapsed().as_secs());
        self.bar.set_message(self.figures().to_string());
        let mut printed = lock(&self.printed);
        if self.bar.is_hidden() && printed.elapsed() >= PULSE {
            *printed = Instant::now();
            println!("{:<10} {} so far", self.target, self.figures());
        }
    }

    /// Reads all that a process says.
    fn follow(&self, job: usize, said: impl Read, counted: impl Read + Send) -> io::Result<()> {
        thread::scope(|scope| {
            scope.spawn(|| {
                for line in BufReader::new(counted).lines().map_while(Result::ok) {
                    if let Some(Ok(count)) = line.strip_prefix(OPERATIONS).map(str::parse) {
                        lock(&self.lines)[job].operations = count;
                    }
                }
            });
            BufReader::new(said).split(b'\n').try_for_each(|line| {
                self.heard(job, String::from_utf8_lossy(&line?).into_owned());
                Ok(())
            })
        })
    }
}

/// Runs a target in `options.jobs` processes that share what they find; the
/// first crash ends them all.
pub(super) fn run(build: &Binaries, target: &str, options: &Options) -> Result<Ended, String> {
    let fail = |error: io::Error| format!("{target}: {error}");
    let mut command = command(build, target, options)?;
    let watch = Watch::new(target, options);
    let children = Mutex::new(Vec::new());
    let mut pipes = Vec::new();
    for _ in 0..options.jobs {
        let mut child = command.spawn().map_err(fail)?;
        pipes.push(child.stderr.take().zip(child.stdout.take()));
        lock(&children).push(child);
    }
    let result = thread::scope(|scope| {
        let readers: Vec<_> = pipes
            .into_iter()
            .enumerate()
            .map(|(job, pipes)| {
                let (watch, children) = (&watch, &children);
                scope.spawn(move || {
                    let Some((said, counted)) = pipes else {
                        return Ok(());
                    };
                    watch.follow(job, said, counted)?;
                    if lock(&watch.crash).is_some() {
                        // One that has ended already cannot be killed: fine.
                        lock(children)
                            .iter_mut()
                            .for_each(|child| drop(child.kill()));
                    }
                    Ok(())
                })
            })
            .collect();
        readers
            .into_iter()
            .try_for_each(|reader| match reader.join() {
                Ok(result) => result,
                Err(_) => Err(io::Error::other("a thread panicked")),
            })
    });
    watch.bar.finish_and_clear();
    result.map_err(fail)?;
    let mut children = lock(&children);
    ended(&watch, &mut children)
}

/// Waits for processes; one that fails must have written an input.
fn ended(watch: &Watch<'_>, children: &mut [Child]) -> Result<Ended, String> {
    let crash = lock(&watch.crash).clone();
    for (job, child) in children.iter_mut().enumerate() {
        let status = child
            .wait()
            .map_err(|error| format!("{}: {error}", watch.target))?;
        if !status.success() && crash.is_none() {
            let last = &lock(&watch.last)[job];
            return Err(format!("{} ended with {status}: {last}", watch.target));
        }
    }
    Ok(Ended {
        figures: watch.figures(),
        crash,
    })
}

fn command(build: &Binaries, target: &str, options: &Options) -> Result<Command, String> {
    let artifacts = project::made(&format!("fuzz/artifacts/{target}"))?;
    let mut command = Command::new(build.path(target));
    command
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-timeout=60", "-print_final_stats=1"]);
    if target == CANARY {
        // It begins with nothing, or it would crash on a kept input.
    } else if let Some(count) = options.rarely {
        command.arg(corpus::long(target)?);
        command.args(["-len_control=0", "-reduce_inputs=0"]);
        command.arg(format!("-max_len={}", corpus::LONG));
        command.env(RARELY, count.to_string());
    } else {
        command.arg(corpus::found(target)?);
        command.arg(corpus::kept(target)?);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// The input that libFuzzer says it has written.
fn written(line: &str) -> Option<PathBuf> {
    let (_, path) = line.split_once("Test unit written to ")?;
    Some(PathBuf::from(path.trim()))
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_written_input_is_found() {
        let line = "artifact_prefix='a/'; Test unit written to a/crash-12";
        assert_eq!(written(line).unwrap().to_str(), Some("a/crash-12"));
        assert!(written("stat::peak_rss_mb: 5").is_none());
    }
}
