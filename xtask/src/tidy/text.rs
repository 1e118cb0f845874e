//! What the rules read and what they find: a text file, a problem.

use std::path::Path;

/// A rule that a line breaks.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Problem {
    /// Relative to the project's folder.
    pub(super) path: String,
    /// From 1; 0 for the file as a whole.
    pub(super) line: usize,
    pub(super) rule: String,
}

impl Problem {
    pub(super) fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

/// A text file of the project.
pub(super) struct Text {
    /// Relative to the project's folder, with slashes.
    pub(super) path: String,
    pub(super) content: String,
}

impl Text {
    pub(super) fn has_extension(&self, wanted: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension();
        extension.is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
    }

    pub(super) fn is_rust(&self) -> bool {
        self.has_extension(&["rs"])
    }
}

/// What a check says of a file with this path and content.
#[cfg(test)]
pub(super) fn rules(check: fn(&Text) -> Vec<Problem>, path: &str, content: &str) -> Vec<String> {
    let text = Text {
        path: path.to_owned(),
        content: content.to_owned(),
    };
    let problems = check(&text).into_iter();
    problems.map(|problem| problem.rule).collect()
}
