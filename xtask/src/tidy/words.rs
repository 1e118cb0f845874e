//! Words that must not be in a file, or not outside comments.

use super::{Problem, Text};

/// Folders whose name in a file means that it works on one machine only.
const FOLDERS: [&str; 6] = ["home", "root", "tmp", "work", "Users", "mnt"];

/// Notes to self and debugging. Written in halves, for this file is checked too.
const LEFTOVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("dbg", "!("),
    concat!("to", "do!("),
];

/// Where `unsafe` is expected.
const UNSAFE: [&str; 10] = [
    "benches/src/subjects/cpp.rs",
    "src/simd.rs",
    "src/capi/",
    "reference/src/lockstep/c_space.rs",
    "reference/src/kernel/sys.rs",
    "reference/src/kernel/touch.rs",
    "examples/sandbox.rs",
    "tests/failing/",
    "tests/no_std/",
    "tests/c/rust_program.rs",
];

pub(super) fn problems(text: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in text.content.lines().enumerate() {
        let mut problem = |rule: String| problems.push(Problem::new(&text.path, index + 1, rule));
        for word in LEFTOVERS.iter().filter(|word| line.contains(*word)) {
            problem(format!("`{word}` is left in"));
        }
        for folder in FOLDERS.iter().filter(|folder| names_folder(line, folder)) {
            problem(format!("an absolute path into `/{folder}`"));
        }
        if !text.is_rust() {
            continue;
        }
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        let is_among = |places: &[&str]| places.iter().any(|place| text.path.starts_with(place));
        if is_unsafe(code) && !is_among(&UNSAFE) {
            problem(format!("`{KEYWORD}` is not expected in this file"));
        }
    }
    problems
}

/// Whether the line has `/folder/` at the beginning of a word.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(&format!("/{folder}/")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before
            .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '}' | '/' | '*'))
    })
}

/// The identifiers of a line.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether the code has a block, function or implementation that is unsafe.
fn is_unsafe(code: &str) -> bool {
    words(code).any(|word| word == KEYWORD)
}

pub(super) const KEYWORD: &str = concat!("un", "safe");

#[cfg(test)]
mod tests {
    use super::problems;
    use crate::tidy::text;

    fn rules(path: &str, content: &str) -> Vec<String> {
        text::rules(problems, path, content)
    }

    #[test]
    fn leftovers_are_found_in_any_file() {
        let note = concat!("TO", "DO: more");
        assert_eq!(rules("README.md", note), [concat!("`TO", "DO` is left in")]);
        let debug = concat!("let x = dbg", "!(y);");
        assert_eq!(
            rules("src/x.rs", debug),
            [concat!("`dbg", "!(` is left in")]
        );
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = concat!("see ", "/home", "/x/y");
        assert_eq!(
            rules("docs/x.md", path),
            [concat!("an absolute path into `/", "home`")]
        );
        assert_eq!(
            rules(
                "docs/x.md",
                "https://example.org/home/x, ./tmp/x, /proc/PID/maps"
            ),
            [""; 0]
        );
    }

    #[test]
    fn unsafe_code_has_its_places() {
        let code = concat!("let x = un", "safe { y };");
        assert_eq!(rules("src/btree/leaf.rs", code).len(), 1);
        assert_eq!(rules("src/simd.rs", code), [""; 0]);
        assert_eq!(
            rules("src/btree/leaf.rs", concat!("// un", "safe { y }")),
            [""; 0]
        );
        assert_eq!(rules("src/btree/leaf.rs", "#![deny(unsafe_code)]"), [""; 0]);
    }
}
