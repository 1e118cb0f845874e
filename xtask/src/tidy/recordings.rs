//! The committed recordings: none lacks a part.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Problem;

/// The endings of a recording's files, the longest first.
const ENDINGS: [&str; 4] = [".ckpt.maps", ".faults", ".trace", ".maps"];

pub(super) fn problems(folder: &Path) -> Result<Vec<Problem>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Ok(check(&names))
}

fn check(names: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut parts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names.iter().filter(|name| *name != "README.md") {
        let plain = name.strip_suffix(".xz").unwrap_or(name);
        match ENDINGS
            .iter()
            .find_map(|ending| Some((plain.strip_suffix(ending)?, *ending)))
        {
            Some((recording, ending)) => parts.entry(recording).or_default().push(ending),
            None => problems.push(Problem::new(
                &format!("tests/traces/{name}"),
                0,
                "is no part of a recording",
            )),
        }
    }
    for (recording, endings) in parts {
        let mut found =
            |rule| problems.push(Problem::new(&format!("tests/traces/{recording}"), 0, rule));
        for ending in ENDINGS {
            // A recording with a listing after every operation has no page faults.
            let optional = ending == ".faults" && recording.starts_with("dense-");
            match endings.iter().filter(|found| **found == ending).count() {
                0 if !optional => found(format!("the recording has no `{ending}`")),
                0 | 1 => {}
                _ => found(format!(
                    "the recording has `{ending}` twice, plain and compressed"
                )),
            }
        }
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems
}

#[cfg(test)]
mod tests {
    use super::check;

    fn rules(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        check(&names)
            .into_iter()
            .map(|problem| format!("{}: {}", problem.path, problem.rule))
            .collect()
    }

    #[test]
    fn every_part_must_be_there_once() {
        let complete = [
            "README.md",
            "a.trace.xz",
            "a.maps",
            "a.ckpt.maps",
            "a.faults.xz",
        ];
        assert_eq!(rules(&complete), [""; 0]);
        assert_eq!(
            rules(&["dense-a.trace", "dense-a.maps", "dense-a.ckpt.maps.xz"]),
            [""; 0]
        );
        assert_eq!(
            rules(&["a.trace", "a.ckpt.maps", "a.faults"]),
            ["tests/traces/a: the recording has no `.maps`"]
        );
        assert_eq!(
            rules(&["a.trace", "a.trace.xz", "a.maps", "a.ckpt.maps", "a.faults"]),
            ["tests/traces/a: the recording has `.trace` twice, plain and compressed"]
        );
        assert_eq!(
            rules(&["notes.txt"]),
            ["tests/traces/notes.txt: is no part of a recording"]
        );
    }
}
