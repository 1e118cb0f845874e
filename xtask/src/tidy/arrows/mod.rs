//! Modules import from lower layers only, so that no two need each other.
//!
//! ARCHITECTURE.md lists the layers of a folder, the highest first; the format
//! is in [`blocks`]. Checked are `use` declarations, paths in code and types, and
//! the paths among the tokens of macros. A path through a re-export leads to the
//! module that really holds the item. Method calls have no path and cannot be
//! seen.
//!
//! A folder's own `mod.rs` or `main.rs` is above all its layers, and nothing in
//! the folder may import what it declares, unless the block gives it a layer by
//! the name `mod`. Then a mere re-export in it is no import. A `lib.rs` declares
//! modules and re-exports, nothing else.
//!
//! | file | what |
//! |---|---|
//! | `blocks.rs` | what ARCHITECTURE.md says |
//! | `paths.rs` | what a file declares, and the paths in it |
//! | `tree.rs` | the modules of a crate; where a path leads |

mod blocks;
mod paths;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use super::text::{Problem, Text};
use blocks::{Block, Entry, FILE};
use tree::{Node, Path, Tree};

pub(super) fn problems(texts: &[Text]) -> Vec<Problem> {
    let Some(document) = texts.iter().find(|text| text.path == FILE) else {
        return vec![Problem::new(FILE, 0, "is missing")];
    };
    let (blocks, mut problems) = blocks::parse(&document.content);
    let mut trees: BTreeMap<&str, Tree> = BTreeMap::new();
    for block in &blocks {
        let (root, inside) = split(&block.folder);
        let tree = trees.entry(root).or_insert_with(|| {
            let (tree, unreadable) = Tree::read(texts, root);
            problems.extend(unreadable);
            tree
        });
        let area = Area {
            block,
            tree,
            folder: inside,
        };
        problems.extend(area.wrong_names());
        problems.extend(area.wrong_imports());
    }
    for (root, tree) in &trees {
        problems.extend(items_of_facade(root, tree));
    }
    problems
}

/// A folder of sources as that of the crate's root, and the way from there.
fn split(folder: &str) -> (&str, Path) {
    let inside = folder.rsplit_once("src/").map_or("", |(_, inside)| inside);
    let root = folder[..folder.len() - inside.len()].trim_end_matches('/');
    let names = inside.split('/').filter(|name| !name.is_empty());
    (root, names.map(str::to_owned).collect())
}

/// What a `lib.rs` must not hold.
fn items_of_facade(root: &str, tree: &Tree) -> Vec<Problem> {
    let path = format!("{root}/lib.rs");
    let top = tree
        .nodes
        .get(&Path::new())
        .filter(|top| top.source == path);
    let lines = top.into_iter().flat_map(|top| &top.module.own);
    let rule = "holds an item of its own, where it may only declare modules and re-export";
    lines.map(|&line| Problem::new(&path, line, rule)).collect()
}

/// A block and the modules that it is about.
struct Area<'a> {
    block: &'a Block,
    tree: &'a Tree,
    /// The names from the crate's root to the folder.
    folder: Path,
}

/// Where a module stands.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In another folder.
    Outside,
    At(&'a Entry),
    /// It is the `mod.rs` of the folder, or of one in it, and has no layer.
    Top,
    /// It is in no layer, and has to be.
    Nowhere,
}

impl<'a> Area<'a> {
    fn problem(&self, line: usize, rule: String) -> Problem {
        Problem::new(FILE, line, rule)
    }

    /// The module that an entry means, and whether what is inside it counts.
    fn meant(&self, entry: &Entry) -> (Path, bool) {
        let names = entry.name.split('/').map(str::to_owned);
        let mut path: Path = self.folder.iter().cloned().chain(names).collect();
        let is_mod = path.last().is_some_and(|last| last == "mod");
        if is_mod {
            path.pop();
        }
        (path, !is_mod)
    }

    /// The entries that stand for a file.
    fn entries_of(&self, file: &[String]) -> Vec<&'a Entry> {
        let entries = self.block.entries.iter();
        let stands_for = |entry: &&Entry| {
            let (path, whole) = self.meant(entry);
            file == path || whole && file.starts_with(&path)
        };
        entries.filter(stands_for).collect()
    }

    fn place_of(&self, file: &[String]) -> Place<'a> {
        if !file.starts_with(&self.folder) {
            return Place::Outside;
        }
        match self.entries_of(file).first() {
            Some(entry) => Place::At(entry),
            None if file == self.folder || self.is_facade(file) => Place::Top,
            None => Place::Nowhere,
        }
    }

    /// Whether a file has no items, and the block has entries for what is in it.
    fn is_facade(&self, file: &[String]) -> bool {
        let empty = self
            .tree
            .nodes
            .get(file)
            .is_some_and(|node| node.module.own.is_empty());
        let mut entries = self.block.entries.iter();
        empty && entries.any(|entry| self.meant(entry).0.starts_with(file))
    }

    /// Names without a module, and modules without a name or with two.
    fn wrong_names(&self) -> Vec<Problem> {
        let folder = &self.block.folder;
        let mut problems = Vec::new();
        for entry in &self.block.entries {
            let same = |other: &&Entry| other.name == entry.name;
            if self.block.entries.iter().find(same).map(|first| first.line) != Some(entry.line) {
                let rule = format!("`{}` stands twice in the layers of `{folder}`", entry.name);
                problems.push(self.problem(entry.line, rule));
            }
            let node = self.tree.nodes.get(&self.meant(entry).0);
            if node.is_none_or(|node| node.file != self.meant(entry).0) {
                let rule = format!("`{folder}` has no module `{}`", entry.name);
                problems.push(self.problem(entry.line, rule));
            }
        }
        let mut reported: Option<&Path> = None;
        for (path, node) in &self.tree.nodes {
            let inside = reported.is_some_and(|around| path.starts_with(around));
            if path != &node.file || inside {
                continue;
            }
            let names: BTreeSet<&str> = self
                .entries_of(path)
                .iter()
                .map(|entry| &*entry.name)
                .collect();
            let rule = match self.place_of(path) {
                Place::Nowhere => "is in no layer",
                _ if names.len() > 1 => "is in two layers",
                _ => continue,
            };
            reported = Some(path);
            let name = path[self.folder.len()..].join("/");
            let rule = format!("`{name}` {rule} of `{folder}`");
            problems.push(self.problem(self.block.line, rule));
        }
        problems
    }

    /// Imports that do not lead down, of each file and module the first.
    fn wrong_imports(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut known = BTreeSet::new();
        for (path, node) in &self.tree.nodes {
            let Place::At(importer) = self.place_of(&node.file) else {
                continue;
            };
            for (import, line) in imports(node, self.meant(importer).1) {
                let Some(name) = self.wrong(path, importer, import) else {
                    continue;
                };
                if known.insert((&node.source, name.clone())) {
                    let rule = format!(
                        "imports `{name}` which is not below `{}` in {FILE}",
                        importer.name
                    );
                    problems.push(Problem::new(&node.source, line, rule));
                }
            }
        }
        problems
    }

    /// The module that a path must not name in module `from`.
    fn wrong(&self, from: &[String], importer: &Entry, path: &[String]) -> Option<String> {
        let found = self.tree.resolve(from, path)?;
        let file = &self.tree.nodes.get(&found.module)?.file;
        let name = || match file.get(self.folder.len()..) {
            Some([]) | None => "mod".to_owned(),
            Some(names) => names.join("/"),
        };
        match self.place_of(file) {
            Place::Outside => None,
            Place::At(entry) if entry.name == importer.name || entry.layer > importer.layer => None,
            Place::At(entry) => Some(entry.name.clone()),
            // To name it is no import of what it declares.
            Place::Top if found.is_module => None,
            Place::Top | Place::Nowhere => Some(name()),
        }
    }
}

/// The paths that a module imports. A re-export in a `mod.rs` that is a layer by
/// itself counts only if the file uses it too.
fn imports(node: &Node, whole: bool) -> impl Iterator<Item = (&[String], usize)> {
    let module = &node.module;
    let mentions = module.mentions.iter();
    let is_used = |name: &String| {
        let mut firsts = module
            .mentions
            .iter()
            .filter_map(|found| found.path.first());
        firsts.any(|first| first == name)
    };
    let uses = module.uses.iter();
    let uses = uses.filter(move |found| whole || !found.reexport || is_used(&found.name));
    let mentions = mentions.filter(|found| !is_keyword(&found.path));
    uses.map(|found| (&*found.path, found.line))
        .chain(mentions.map(|found| (&*found.path, found.line)))
}

/// Whether a path is but a word of the language, such as `self`.
fn is_keyword(path: &[String]) -> bool {
    matches!(path, [word] if matches!(word.as_str(), "crate" | "self" | "super" | "Self"))
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;

    /// The problems of a crate in `src` whose layers are these lines.
    fn rules(folder: &str, layers: &str, files: &[(&str, &str)]) -> Vec<String> {
        let block =
            format!("# X\n<!-- layers: {folder} -->\n```text\n{layers}\n```\n<!-- /layers -->\n");
        let files = [("ARCHITECTURE.md", block.as_str())]
            .into_iter()
            .chain(files.iter().copied());
        let texts: Vec<Text> = files
            .map(|(path, content)| Text {
                path: path.to_owned(),
                content: content.to_owned(),
            })
            .collect();
        super::problems(&texts)
            .into_iter()
            .map(|problem| format!("{}:{}: {}", problem.path, problem.line, problem.rule))
            .collect()
    }

    /// As [`rules`], of a crate with the modules `high` and `low`.
    fn two(high: &str, low: &str) -> Vec<String> {
        let lib = "mod high;\nmod low;\npub use high::High;\n";
        let files = [
            ("src/lib.rs", lib),
            ("src/high.rs", high),
            ("src/low/mod.rs", low),
        ];
        rules("src", "high\nlow", &files)
    }

    const UPWARDS: &str =
        "src/low/mod.rs:2: imports `high` which is not below `low` in ARCHITECTURE.md";

    const NONE: [&str; 0] = [];

    #[test]
    fn imports_lead_down() {
        assert_eq!(two("use crate::low::Low;", "pub struct Low;"), NONE);
        for upwards in [
            "use crate::high::High;",
            "use super::{high::{self, High}};",
            "use crate::high as other;",
            "fn f() { crate::high::f(); }",
            "fn f() -> Vec<super::high::High> { vec![] }",
            "#[cfg(unix)] use super::high;",
            "mod inline { fn f() { super::super::high::f(); } }",
        ] {
            assert_eq!(two("", &format!("\n{upwards}")), [UPWARDS], "{upwards}");
        }
    }

    #[test]
    fn a_layer_imports_nothing_of_itself() {
        let files = [
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "use crate::b::B;"),
            ("src/b.rs", ""),
        ];
        assert_eq!(
            rules("src", "a b", &files),
            ["src/a.rs:1: imports `b` which is not below `a` in ARCHITECTURE.md"]
        );
        assert_eq!(rules("src", "a\nb", &files), NONE);
    }

    #[test]
    fn a_re_export_leads_to_the_module_that_holds_the_item() {
        assert_eq!(two("", "\nuse crate::High;"), [UPWARDS]);
        assert_eq!(two("", "\nuse crate::*;\nfn f(_: High) {}").len(), 1);
        assert_eq!(two("pub struct High;\nuse crate::High as H;", ""), NONE);
    }

    #[test]
    fn macros_are_looked_into() {
        for upwards in [
            "macro_rules! m { () => { $crate::high::f() } }",
            "macro_rules! m { ($x:expr) => { use super::high::{f, g}; } }",
            "fn f() { assert!(crate::high::f(), \"no\"); }",
            "fn f() { crate::high::m!(); }",
            "fn f() { crate::exported!(); }",
        ] {
            let high = "#[macro_export] macro_rules! exported { () => {} }";
            assert_eq!(two(high, &format!("\n{upwards}")), [UPWARDS], "{upwards}");
        }
        assert_eq!(
            two("", "macro_rules! m { ($x:ident) => { $x::high } }"),
            NONE
        );
    }

    #[test]
    fn tests_documentation_and_visibilities_are_no_imports() {
        for harmless in [
            "#[cfg(test)] mod tests { use crate::high::High; }",
            "#[cfg(all(test, unix))] use crate::high::High;",
            "impl X { #[cfg(test)] fn f() { crate::high::f(); } }",
            "/// See [`High`](crate::high::High).\nstruct X;",
            "pub(in crate::high) struct X;",
            "use std::high::High;",
            "fn f() { x.high.f(); other::high::f(); }",
        ] {
            assert_eq!(two("", harmless), NONE, "{harmless}");
        }
        let files = [
            ("src/lib.rs", "mod a;\n#[cfg(test)] mod broken;"),
            ("src/a.rs", ""),
            ("src/broken.rs", "use crate::a::A;"),
        ];
        assert_eq!(rules("src", "a", &files), NONE);
    }

    #[test]
    fn every_module_stands_in_the_block_once() {
        let files = [
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", ""),
            ("src/b/mod.rs", "mod c;"),
            ("src/b/c.rs", ""),
        ];
        assert_eq!(rules("src", "a\nb", &files), NONE);
        assert_eq!(rules("src", "a\nb/c", &files), NONE);
        assert_eq!(
            rules("src", "a", &files),
            ["ARCHITECTURE.md:2: `b` is in no layer of `src`"]
        );
        assert_eq!(
            rules("src", "a\nb\nd", &files),
            ["ARCHITECTURE.md:6: `src` has no module `d`"]
        );
        assert_eq!(
            rules("src", "a\nb\na", &files),
            ["ARCHITECTURE.md:6: `a` stands twice in the layers of `src`"]
        );
        assert_eq!(
            rules("src", "a b/c\nb", &files),
            ["ARCHITECTURE.md:2: `b/c` is in two layers of `src`"]
        );
    }

    #[test]
    fn a_mod_rs_is_above_its_files_or_a_layer() {
        let files = |top: &'static str| {
            [
                ("src/lib.rs", "mod a;"),
                ("src/a/mod.rs", top),
                ("src/a/b.rs", "use super::Shared;"),
                ("src/a/c.rs", "use super::B;"),
            ]
        };
        let top = files("mod b; mod c; pub use b::B; struct Shared;");
        assert_eq!(
            rules("src/a", "c\nb", &top),
            ["src/a/b.rs:1: imports `mod` which is not below `b` in ARCHITECTURE.md"]
        );
        assert_eq!(rules("src/a", "c\nb\nmod", &top), NONE);
        // What it re-exports and uses as well is an import.
        let top = files("mod b;\nmod c;\npub use b::B;\nstruct Shared(B);");
        assert_eq!(
            rules("src/a", "c\nb\nmod", &top),
            ["src/a/mod.rs:3: imports `b` which is not below `mod` in ARCHITECTURE.md"]
        );
    }

    #[test]
    fn a_library_s_root_is_a_facade() {
        let items = "mod a;\npub use a::A;\n#[cfg(doctest)]\nstruct Readme;\nfn own() {}\n";
        let files = [("src/lib.rs", items), ("src/a.rs", "")];
        let own = "holds an item of its own, where it may only declare modules and re-export";
        assert_eq!(rules("src", "a", &files), [format!("src/lib.rs:5: {own}")]);
        let files = [("src/main.rs", "mod a; fn main() {}"), ("src/a.rs", "")];
        assert_eq!(rules("src", "a", &files), NONE);
    }
}
