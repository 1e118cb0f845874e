//! The length of files and functions, and the line that says a module's job.

use super::words::KEYWORD;
use super::{Problem, Text};

const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 70;

pub(super) fn problems(text: &Text) -> Vec<Problem> {
    let lines: Vec<&str> = text.content.lines().collect();
    let mut problems = Vec::new();
    if lines.len() > FILE_LINES {
        let rule = format!(
            "the file has {} lines, at most {FILE_LINES} are allowed",
            lines.len()
        );
        problems.push(Problem::new(&text.path, 0, rule));
    }
    if !lines.first().is_some_and(|line| line.starts_with("//! ")) {
        problems.push(Problem::new(
            &text.path,
            1,
            "the first line does not say the file's job (`//! ...`)",
        ));
    }
    for (index, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| starts_function(line))
    {
        let length = function_length(&lines[index..]);
        if length > FUNCTION_LINES {
            let name = line.trim();
            let rule = format!("`{name}` has {length} lines, at most {FUNCTION_LINES} are allowed");
            problems.push(Problem::new(&text.path, index + 1, rule));
        }
    }
    problems
}

/// Whether a function begins here; formatted code has one a line.
fn starts_function(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let qualifier = |word: &str| {
        let other = matches!(word, "const" | "async" | "extern" | "\"C\"");
        other || word == KEYWORD || word.starts_with("pub")
    };
    words.find(|word| !qualifier(word)) == Some("fn")
}

/// Lines from the first to the one that closes the function: formatting puts
/// its brace, or the semicolon of a declaration, at the first line's indent.
fn function_length(lines: &[&str]) -> usize {
    if lines[0].ends_with(['}', ';']) {
        return 1;
    }
    let indent = lines[0].len() - lines[0].trim_start().len();
    let closes = |line: &str| match line.get(indent..) {
        Some("}") => true,
        Some(rest) => rest.ends_with(';') && !rest.starts_with(' '),
        None => false,
    };
    let rest = lines[1..].iter().position(|line| closes(line));
    rest.map_or(lines.len(), |last| last + 2)
}

#[cfg(test)]
mod tests {
    use super::{Text, problems};

    /// The lines of the problems of a file with this content.
    fn lines(content: String) -> Vec<usize> {
        let text = Text {
            path: "x.rs".to_owned(),
            content,
        };
        problems(&text).iter().map(|problem| problem.line).collect()
    }

    const NONE: [usize; 0] = [];

    #[test]
    fn files_are_limited_to_800_lines() {
        assert_eq!(lines(format!("//! Job.\n{}", "\n".repeat(799))), NONE);
        assert_eq!(lines(format!("//! Job.\n{}", "\n".repeat(800))), [0]);
    }

    #[test]
    fn functions_are_limited_to_70_lines() {
        let file = |length: usize| {
            let body = "        x();\n".repeat(length - 2);
            format!(
                "//! Job.\nimpl X {{\n    pub(crate) const fn f() {{\n{body}    }}\n\n    fn g() {{}}\n}}\n"
            )
        };
        assert_eq!(lines(file(70)), NONE);
        assert_eq!(lines(file(71)), [3]);
    }

    #[test]
    fn a_declaration_ends_at_its_semicolon() {
        let filler = "// x\n".repeat(100);
        assert_eq!(
            lines(format!(
                "//! Job.\nfn f(\n    a: u8,\n) -> u8;\n{filler}fn g() {{\n}}\n"
            )),
            NONE
        );
    }

    #[test]
    fn the_first_line_says_the_job() {
        assert_eq!(lines("use std::fmt;\n".to_owned()), [1]);
        assert_eq!(lines("//! stub\n".to_owned()), NONE);
        assert_eq!(lines(String::new()), [1]);
    }
}
