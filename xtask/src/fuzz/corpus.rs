//! The inputs that fuzzing begins with and those that it keeps.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::build::Binaries;
use crate::project;

/// The length of a long input in bytes: some eight hundred operations.
pub(super) const LONG: usize = 4096;

/// How many long inputs fuzzing begins with.
const LONG_INPUTS: u64 = 64;

/// The folder of what fuzzing has found, not committed.
pub(super) fn found(target: &str) -> Result<PathBuf, String> {
    project::made(&format!("fuzz/target/corpus/{target}"))
}

/// The folder of the committed corpus.
pub(super) fn kept(target: &str) -> Result<PathBuf, String> {
    project::made(&format!("fuzz/corpus/{target}"))
}

/// The folder of long inputs, with random ones from fixed seeds in it. On short
/// inputs libFuzzer spends more time than the operations do.
pub(super) fn long(target: &str) -> Result<PathBuf, String> {
    let folder = project::made(&format!("fuzz/target/long/{target}"))?;
    for seed in 0..LONG_INPUTS {
        let file = folder.join(format!("seed-{seed}"));
        fs::write(&file, random(seed, LONG))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(folder)
}

/// Random bytes.
pub(crate) fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| random.u8(..)).collect()
}

/// Replaces the committed corpus by a minimal set of inputs that reach the
/// same. Returns how many there are.
pub(super) fn minimise(build: &Binaries, target: &str) -> Result<usize, String> {
    let fail = |error: io::Error| format!("{target}: {error}");
    let (found, kept) = (found(target)?, kept(target)?);
    let minimal = project::made(&format!("fuzz/target/minimal/{target}"))?;
    fs::remove_dir_all(&minimal).map_err(fail)?;
    fs::create_dir_all(&minimal).map_err(fail)?;
    let status = Command::new(build.path(target))
        // A file for each edge is enough, whatever the number of times it is taken.
        .args(["-set_cover_merge=1", "-use_counters=0"])
        .args([&minimal, &found, &kept])
        .stdout(Stdio::null())
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
