//! Words that the project no longer uses, and the word to use instead.
//!
//! Identifiers count by their words, so that `kid_above` and `KidAbove` have the
//! word `kid`. Files that tell history keep their words.

use super::text::{Problem, Text};

/// Files that are read, by extension.
const EXTENSIONS: [&str; 5] = ["rs", "md", "h", "c", "toml"];

/// Files that tell history, and this one.
const LEFT_OUT: [&str; 5] = [
    "CHANGELOG.md",
    "docs/decisions/",
    "docs/measurements.md",
    "docs/verification.md",
    "xtask/src/tidy/retired.rs",
];

/// What is looked for.
#[derive(Clone, Copy)]
enum Kind {
    /// One of these words, in prose or in an identifier, whatever its case.
    Word(&'static [&'static str]),
    /// These words, one after the other in an identifier of the code.
    Within(&'static [&'static str]),
    /// This identifier of the code, the whole of it.
    Name(&'static str),
    /// These characters.
    Text(&'static str),
}

/// Where an entry counts: everywhere, or in files that begin so.
const EVERYWHERE: &str = "";
const SRC: &str = "src/";

/// What is retired, where, and what to say instead.
const RETIRED: [(Kind, &str, &str); 26] = [
    (Kind::Word(&["kid"]), EVERYWHERE, "child"),
    (Kind::Word(&["kids"]), EVERYWHERE, "children"),
    (
        Kind::Word(&["carve", "carves", "carved", "carving"]),
        EVERYWHERE,
        "remove",
    ),
    (
        Kind::Word(&["graft", "grafts", "grafted", "grafting"]),
        EVERYWHERE,
        "insert at an edge",
    ),
    (Kind::Within(&["stretch"]), EVERYWHERE, "move_bound"),
    (Kind::Word(&["seam", "seams"]), EVERYWHERE, "pending join"),
    (Kind::Word(&["sieve", "sieves"]), EVERYWHERE, "scope guard"),
    (Kind::Word(&["regap"]), EVERYWHERE, "update_max_gap"),
    (Kind::Word(&["rescan"]), EVERYWHERE, "update_max_gap"),
    (Kind::Within(&["even", "out"]), EVERYWHERE, "redistribute"),
    (Kind::Text("evening-out"), EVERYWHERE, "redistribute"),
    (Kind::Text("evening out"), EVERYWHERE, "redistribute"),
    (
        Kind::Word(&["absorb", "absorbs", "absorbed", "absorbing"]),
        EVERYWHERE,
        "merge",
    ),
    (
        Kind::Within(&["put", "slowly"]),
        EVERYWHERE,
        "insert_across",
    ),
    (
        Kind::Within(&["update", "slowly"]),
        EVERYWHERE,
        "update_across",
    ),
    (Kind::Text("closure::"), EVERYWHERE, "exhaustive::"),
    (Kind::Text("closure.rs"), EVERYWHERE, "states.rs"),
    (Kind::Text("mod closure"), EVERYWHERE, "mod states"),
    (Kind::Name("Short"), SRC, "U62"),
    (Kind::Name("Grid"), SRC, "Geometry"),
    (Kind::Name("Way"), SRC, "Cleared"),
    (Kind::Name("Rest"), SRC, "Unreported"),
    (Kind::Name("Seam"), SRC, "PendingJoin"),
    (Kind::Name("Sieve"), SRC, "ScopeGuard"),
    (Kind::Name("Kids"), SRC, "Children"),
    (
        Kind::Name("NoMemory"),
        SRC,
        "NoFreeRange, NotMapped or OutOfMemory",
    ),
];

pub(super) fn problems(text: &Text) -> Vec<Problem> {
    let left_out = LEFT_OUT.iter().any(|path| text.path.starts_with(path));
    if left_out || !text.has_extension(&EXTENSIONS) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let is_code = text.has_extension(&["rs", "h", "c"]);
    for (number, line) in (1..).zip(text.content.lines()) {
        let code = code(line, is_code);
        for (kind, area, instead) in RETIRED {
            if text.path.starts_with(area)
                && let Some(found) = found(kind, line, &code)
            {
                let rule = format!("`{found}` is retired; say {instead}");
                problems.push(Problem::new(&text.path, number, rule));
            }
        }
    }
    problems
}

/// The parts of a line that are code: what precedes a comment, if it is of a
/// source file, and what stands between backticks elsewhere.
fn code(line: &str, is_code: bool) -> String {
    let (code, prose) = if is_code {
        line.split_once("//").unwrap_or((line, ""))
    } else {
        ("", line)
    };
    let quoted = prose.split('`').skip(1).step_by(2);
    std::iter::once(code)
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What of this kind a line has.
fn found(kind: Kind, line: &str, code: &str) -> Option<String> {
    let owned = |name: &str| name.to_owned();
    match kind {
        Kind::Word(retired) => identifiers(line)
            .flat_map(words)
            .find(|word| retired.contains(&word.as_str())),
        Kind::Within(retired) => identifiers(code)
            .find(|name| {
                words(name)
                    .windows(retired.len())
                    .any(|some| some == retired)
            })
            .map(owned),
        Kind::Name(retired) => identifiers(code).find(|name| *name == retired).map(owned),
        Kind::Text(retired) => line.contains(retired).then(|| owned(retired)),
    }
}

/// The identifiers of a line, and the words of its prose.
fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The words of an identifier in lower case: `HashMap_of` has three.
fn words(identifier: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = '_';
    let mut chars = identifier.chars().peekable();
    while let Some(c) = chars.next() {
        let ends_capitals = before.is_uppercase() && chars.peek().is_some_and(|c| c.is_lowercase());
        let begins = c.is_uppercase() && (!before.is_uppercase() || ends_capitals);
        if (c == '_' || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c != '_' {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{problems, words};
    use crate::tidy::text;

    fn rules(path: &str, content: &str) -> Vec<String> {
        text::rules(problems, path, content)
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn identifiers_are_split_into_words() {
        for (identifier, expected) in [
            ("kid_above", "kid above"),
            ("KidAbove", "kid above"),
            ("HTMLKid2", "html kid2"),
            ("KIDS", "kids"),
            ("__kid", "kid"),
            ("", ""),
        ] {
            assert_eq!(words(identifier).join(" "), expected);
        }
    }

    #[test]
    fn retired_words_are_found_in_code_and_prose() {
        let kid = ["`kid` is retired; say child"];
        for line in [
            "fn kid_above() {}",
            "struct LastKid;",
            "// The Kid.",
            "a kid",
        ] {
            assert_eq!(rules("tests/x.rs", line), kid, "{line}");
        }
        assert_eq!(
            rules("README.md", "Carving a range."),
            ["`carving` is retired; say remove"]
        );
        assert_eq!(rules("tests/x.rs", "fn kidney(scarved: u8) {}"), NONE);
    }

    #[test]
    fn some_words_are_retired_in_identifiers_only() {
        let stretch = ["`stretch_up` is retired; say move_bound"];
        assert_eq!(
            rules("src/x.rs", "self.stretch_up(); // a stretch"),
            stretch
        );
        assert_eq!(
            rules("README.md", "call `stretch_up` for a stretch"),
            stretch
        );
        assert_eq!(
            rules("README.md", "a long stretch, even out of order"),
            NONE
        );
        assert_eq!(
            rules("src/x.rs", "fn even_out_leaves() {}"),
            ["`even_out_leaves` is retired; say redistribute"]
        );
    }

    #[test]
    fn some_types_are_retired_in_the_library() {
        let line = "/// Rest, and `Rest`.\nfn f(_: Rest) {}\nstruct RestOfIt;";
        let rest = "`Rest` is retired; say Unreported";
        assert_eq!(rules("src/x.rs", line), [rest; 2]);
        assert_eq!(rules("tests/x.rs", line), NONE);
    }

    #[test]
    fn a_path_is_retired_but_no_word_of_the_language() {
        assert_eq!(
            rules("tests/x.rs", "use reference::closure::Physical;"),
            ["`closure::` is retired; say exhaustive::"]
        );
        assert_eq!(rules("tests/x.rs", "/// Calls the closure."), NONE);
    }

    #[test]
    fn history_keeps_its_words() {
        for path in [
            "CHANGELOG.md",
            "docs/decisions/x.md",
            "docs/verification.md",
            "x.csv",
        ] {
            assert_eq!(rules(path, "kids and seams"), NONE, "{path}");
        }
    }
}
