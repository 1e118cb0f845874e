//! The blocks of ARCHITECTURE.md that say which modules are below which.
//!
//! ````text
//! <!-- layers: src -->
//! ```text
//! above
//! middle  another
//! below
//! ```
//! <!-- /layers -->
//! ````

use super::super::text::Problem;

/// The file that holds the blocks.
pub(super) const FILE: &str = "ARCHITECTURE.md";

const BEGIN: &str = "<!-- layers: ";
const END: &str = "<!-- /layers -->";

/// A folder and the modules in it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Block {
    /// Relative to the project's folder.
    pub(super) folder: String,
    /// Where the block begins.
    pub(super) line: usize,
    /// From the highest layer to the lowest.
    pub(super) entries: Vec<Entry>,
}

/// A name in a block.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// As it is written: a module directly in the folder, or `folder/module`.
    /// `mod` is the folder's own `mod.rs`.
    pub(super) name: String,
    /// How many layers are above it.
    pub(super) layer: usize,
    /// Where it stands.
    pub(super) line: usize,
}

/// The blocks of a document, and what is wrong with how they are written.
pub(super) fn parse(document: &str) -> (Vec<Block>, Vec<Problem>) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut problems = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (line, text) in (1..).zip(document.lines().map(str::trim)) {
        let begun = text.strip_prefix(BEGIN);
        if let Some(folder) = begun.and_then(|rest| rest.strip_suffix("-->")) {
            let block = Block {
                folder: folder.trim().to_owned(),
                line,
                entries: Vec::new(),
            };
            if let Some((unclosed, _)) = open.replace((block, 0)) {
                problems.push(never_ends(&unclosed));
            }
        } else if text == END {
            blocks.extend(open.take().map(|(block, _)| block));
        } else if let Some((block, layers)) = &mut open
            && !text.is_empty()
            && !text.starts_with("```")
        {
            block
                .entries
                .extend(text.split_whitespace().map(|name| Entry {
                    name: name.to_owned(),
                    layer: *layers,
                    line,
                }));
            *layers += 1;
        }
    }
    problems.extend(open.map(|(block, _)| never_ends(&block)));
    for (at, block) in blocks.iter().enumerate() {
        if blocks[..at]
            .iter()
            .any(|other| other.folder == block.folder)
        {
            let rule = format!("the layers of `{}` stand twice", block.folder);
            problems.push(Problem::new(FILE, block.line, rule));
        }
    }
    (blocks, problems)
}

fn never_ends(block: &Block) -> Problem {
    let rule = format!("the layers of `{}` have no `{END}`", block.folder);
    Problem::new(FILE, block.line, rule)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_is_a_layer() {
        let (blocks, problems) =
            parse("# X\n<!-- layers: src -->\n```text\na\n\nb  c/d\n```\n<!-- /layers -->\ne\n");
        assert_eq!(problems, []);
        let entries = blocks[0].entries.iter();
        let entries: Vec<_> = entries
            .map(|entry| (entry.name.as_str(), entry.layer, entry.line))
            .collect();
        assert_eq!((blocks.len(), blocks[0].folder.as_str()), (1, "src"));
        assert_eq!(entries, [("a", 0, 4), ("b", 1, 6), ("c/d", 1, 6)]);
    }

    #[test]
    fn a_block_ends_and_is_there_once() {
        let (_, problems) = parse("<!-- layers: a -->\n<!-- layers: b -->\n");
        let rules: Vec<_> = problems.iter().map(|problem| &*problem.rule).collect();
        assert_eq!(
            rules,
            [
                "the layers of `a` have no `<!-- /layers -->`",
                "the layers of `b` have no `<!-- /layers -->`"
            ]
        );
        let twice = "<!-- layers: a -->\n<!-- /layers -->\n".repeat(2);
        let (_, problems) = parse(&twice);
        assert_eq!(problems[0].rule, "the layers of `a` stand twice");
    }
}
