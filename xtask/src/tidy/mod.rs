//! `cargo xtask tidy`: the rules of the project that no other tool checks.
//!
//! | rule | checked in |
//! |---|---|
//! | a file has at most 800 lines, a function 70; a module says its job first | [`shape`] |
//! | no notes to self, no debugging left, no path of one machine | [`words`] |
//! | modules import from lower layers only, as ARCHITECTURE.md lists them | [`arrows`] |
//! | no word that was retired | [`retired`] |
//! | `unsafe` only where it is expected | [`words`] |
//! | the library depends on `arrayvec` and `smallvec` alone, without build script | [`dependencies`] |
//! | every recording has a trace and its listings | [`recordings`] |
//! | every public method is driven in lockstep with the reference | [`vocabulary`] |

mod arrows;
mod dependencies;
mod recordings;
mod retired;
mod shape;
mod text;
mod vocabulary;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ignore::WalkBuilder;

use crate::project;
use text::{Problem, Text};

/// Runs [`report`] as a command.
pub(crate) fn run() -> ExitCode {
    if report() {
        println!("every file keeps the rules");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints every problem; whether there is none.
pub(crate) fn report() -> bool {
    let problems = match problems(&project::root()) {
        Ok(problems) => problems,
        Err(error) => {
            eprintln!("error: {error}");
            return false;
        }
    };
    for Problem { path, line, rule } in &problems {
        match line {
            0 => eprintln!("error: {path}: {rule}"),
            _ => eprintln!("error: {path}:{line}: {rule}"),
        }
    }
    problems.is_empty()
}

fn problems(root: &Path) -> Result<Vec<Problem>, String> {
    let mut problems = dependencies::problems()?;
    let texts = texts(root)?;
    for text in &texts {
        if text.is_rust() {
            problems.extend(shape::problems(text));
        }
        problems.extend(words::problems(text));
        problems.extend(retired::problems(text));
    }
    problems.extend(arrows::problems(&texts));
    problems.extend(recordings::problems(&root.join("tests/traces"))?);
    problems.extend(vocabulary::problems(root)?);
    Ok(problems)
}

/// The text files that git would not ignore, recordings and lock files left out.
fn texts(root: &Path) -> Result<Vec<Text>, String> {
    let skipped: [PathBuf; 2] = [root.join(".git"), root.join("tests/traces")];
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .filter_entry(move |entry| !skipped.iter().any(|path| path == entry.path()))
        .sort_by_file_path(Path::cmp)
        .build();
    let mut texts = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|error| error.to_string())?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        if !is_file
            || entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "lock")
        {
            continue;
        }
        // What is not text, such as a fuzzer's corpus, has no lines.
        let Ok(content) = fs::read_to_string(entry.path()) else {
            continue;
        };
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        texts.push(Text {
            path: path.to_string_lossy().replace('\\', "/"),
            content,
        });
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::{project, texts};

    #[test]
    fn the_project_s_own_files_are_found() {
        let texts = texts(&project::root()).unwrap();
        for path in ["src/lib.rs", ".ci/run", "xtask/src/tidy/mod.rs"] {
            assert!(texts.iter().any(|text| text.path == path), "{path}");
        }
        assert!(!texts.iter().any(|text| text.path.starts_with("target/")));
    }
}
