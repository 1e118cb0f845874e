//! What a target found: shrunk, made readable, replayed, kept as a regression.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reference::lockstep::Compare;

use super::build::Binaries;
use super::targets::{CANARY, TARGETS};
use crate::project;

/// How long an input is shrunk, in seconds.
const SHRINKING: u32 = 10;

/// Shrinks an input that crashed; prints its operations and what to do next.
pub(super) fn explain(build: &Binaries, target: &str, input: &Path) -> Result<(), String> {
    let shrunk = input.with_file_name(format!(
        "min-{}",
        input.file_name().unwrap_or_default().to_string_lossy()
    ));
    let program = build.path(target);
    let status = Command::new(&program)
        .arg("-minimize_crash=1")
        .arg(format!("-max_total_time={SHRINKING}"))
        .arg(format!("-exact_artifact_path={}", shrunk.display()))
        .arg(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.map_err(|error| format!("{}: {error}", program.display()))?;
    let shrunk = if shrunk.is_file() {
        shrunk
    } else {
        input.to_owned()
    };
    if fails(target, &read(&shrunk)?)? {
        // The bodies print all operations up to the one that disagrees.
    } else {
        println!("only the instrumented program fails, because of its assertions:");
        let output = Command::new(&program).arg(&shrunk).output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        println!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let shrunk = shrunk.display();
    println!("{target} crashed.");
    println!("  input:   {}", input.display());
    println!("  shrunk:  {shrunk}");
    println!("  replay:  cargo xtask fuzz replay {shrunk}");
    println!("  keep:    cargo xtask fuzz promote {shrunk} --name NAME");
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs an input in this process; whether it fails. The panic is printed.
fn fails(target: &str, data: &[u8]) -> Result<bool, String> {
    let body = TARGETS.iter().find(|(name, _)| *name == target);
    let body = match body {
        Some(&(_, body)) => body,
        None if target == CANARY => reference::canary::canary_ops,
        None => return Err(format!("there is no target `{target}`")),
    };
    // The operations are in the message; where in the program it panicked says
    // nothing more.
    panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let result = panic::catch_unwind(|| body(data, Compare::Always));
    drop(panic::take_hook());
    Ok(result.is_err())
}

/// The target that an input's folder is named after.
fn target_of(file: &Path) -> Result<String, String> {
    let fail = |error| format!("{}: {error}", file.display());
    // The folder may be the current one.
    let whole = file.canonicalize().map_err(fail)?;
    let folder = whole.parent().and_then(Path::file_name);
    let name = folder.unwrap_or_default().to_string_lossy().into_owned();
    let known = TARGETS.iter().any(|(target, _)| *target == name) || name == CANARY;
    if known {
        Ok(name)
    } else {
        let file = file.display();
        Err(format!(
            "{file}: its folder is `{name}`, which is not the name of a target"
        ))
    }
}

/// `cargo xtask fuzz replay`; whether the input passes.
pub(super) fn replay(file: &Path) -> Result<bool, String> {
    let (target, data) = (target_of(file)?, read(file)?);
    let passes = !fails(&target, &data)?;
    let file = file.display();
    if passes {
        println!("{file} passes");
    } else {
        println!("{file} fails, as said above");
    }
    Ok(passes)
}

/// `cargo xtask fuzz promote`.
pub(super) fn promote(file: &Path, name: Option<&str>) -> Result<bool, String> {
    let target = target_of(file)?;
    if target == CANARY {
        return Err("the canary's bug is planted, it has no regressions".to_owned());
    }
    let data = read(file)?;
    let own = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.unwrap_or(&own);
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return Err(format!("`{name}` is not a name for a regression"));
    }
    let folder: PathBuf = project::root().join("fuzz/regressions").join(&target);
    let to = folder.join(name);
    if to.exists() {
        return Err(format!("there is a regression `{name}` already"));
    }
    let copied = fs::create_dir_all(&folder).and_then(|()| fs::write(&to, data));
    copied.map_err(|error| format!("{}: {error}", to.display()))?;
    println!("fuzz/regressions/{target}/{name} is replayed by `cargo xtask test the_corpus`");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{project, promote, replay, target_of};

    #[test]
    fn the_folder_names_the_target() {
        let root = project::root();
        let kept = root.join("fuzz/regressions/store_ops/update-ends-inside-an-entry");
        assert_eq!(target_of(&kept).as_deref(), Ok("store_ops"));
        assert_eq!(replay(&kept), Ok(true));
        for other in ["fuzz/regressions/store_ops", "fuzz/Cargo.toml"] {
            let error = target_of(&root.join(other)).unwrap_err();
            assert!(error.contains("not the name of a target"), "{error}");
        }
    }

    #[test]
    fn what_is_no_input_is_refused_on_one_line() {
        let root = project::root();
        let missing = root.join("fuzz/regressions/store_ops/missing");
        let kept = root.join("fuzz/regressions/store_ops/update-ends-inside-an-entry");
        for error in [
            replay(&missing).unwrap_err(),
            promote(&missing, None).unwrap_err(),
            promote(&kept, None).unwrap_err(),
            promote(&kept, Some("..")).unwrap_err(),
            promote(&kept, Some("a/b")).unwrap_err(),
            promote(&kept, Some("")).unwrap_err(),
        ] {
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
