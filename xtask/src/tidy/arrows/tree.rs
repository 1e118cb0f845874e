//! The modules of a crate, and which of them holds what a path names.

use std::collections::{BTreeMap, BTreeSet};

use super::super::text::{Problem, Text};
use super::paths::{self, Module, Use};

/// The names from the crate's root to a module.
pub(super) type Path = Vec<String>;

/// A module, and where it is.
#[derive(Debug)]
pub(super) struct Node {
    /// The file.
    pub(super) source: String,
    /// The module that the file is: this one, or one around it.
    pub(super) file: Path,
    pub(super) module: Module,
}

/// All modules of a crate; those for tests only are left out.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<Path, Node>,
}

/// What a path names.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// The module that holds it, or is it.
    pub(super) module: Path,
    pub(super) is_module: bool,
}

/// More re-exports than that are a circle.
const MOST_STEPS: usize = 16;

/// The names of the module that a file below the crate's root is.
fn module_of(file: &str) -> Path {
    let mut names: Path = file.split('/').map(str::to_owned).collect();
    if let Some(last) = names.pop() {
        let name = last.strip_suffix(".rs").unwrap_or(&last);
        let is_top = name == "mod" || names.is_empty() && matches!(name, "lib" | "main");
        if !is_top {
            names.push(name.to_owned());
        }
    }
    names
}

impl Tree {
    /// Reads the files of a crate whose root is in `folder`.
    pub(super) fn read(texts: &[Text], folder: &str) -> (Self, Vec<Problem>) {
        let mut tree = Self::default();
        let mut problems = Vec::new();
        for text in texts.iter().filter(|text| text.is_rust()) {
            let below = text.path.strip_prefix(folder);
            let Some(file) = below.and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            match paths::modules(&text.content) {
                Ok(modules) => {
                    let file = module_of(file);
                    for module in modules {
                        let path = [&file[..], &module.inside].concat();
                        let source = text.path.clone();
                        let file = file.clone();
                        let node = Node {
                            source,
                            file,
                            module,
                        };
                        tree.nodes.insert(path, node);
                    }
                }
                Err(error) => problems.push(Problem::new(
                    &text.path,
                    error.span().start().line,
                    format!("cannot be parsed: {error}"),
                )),
            }
        }
        tree.leave_out_tests();
        tree.export_macros();
        (tree, problems)
    }

    /// Lets the crate's root re-export the macros that have `macro_export`.
    fn export_macros(&mut self) {
        let mut exports = Vec::new();
        for (path, node) in &self.nodes {
            for name in node.module.exported.iter().filter(|_| !path.is_empty()) {
                let from_root = path.iter().chain([name]).cloned();
                exports.push(Use {
                    path: std::iter::once("crate".to_owned())
                        .chain(from_root)
                        .collect(),
                    name: name.clone(),
                    glob: false,
                    reexport: true,
                    line: 0,
                });
            }
        }
        if let Some(root) = self.nodes.get_mut(&Path::new()) {
            root.module.uses.extend(exports);
        }
    }

    /// Takes out the files that are modules for tests only, what is in them, and
    /// the files that are in no module, such as programs in `bin`.
    fn leave_out_tests(&mut self) {
        let mut tests = BTreeSet::new();
        for (path, node) in &self.nodes {
            let names = node.module.tests.iter();
            tests.extend(names.map(|name| [&path[..], std::slice::from_ref(name)].concat()));
        }
        self.nodes
            .retain(|path, _| !(0..=path.len()).any(|len| tests.contains(&path[..len])));
        let all: BTreeSet<Path> = self.nodes.keys().cloned().collect();
        self.nodes
            .retain(|path, _| (0..path.len()).all(|len| all.contains(&path[..len])));
    }

    /// What a path in module `from` names; `None` if that is not in this crate.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Option<Found> {
        self.resolve_within(from, path, MOST_STEPS)
    }

    fn resolve_within(&self, from: &[String], path: &[String], steps: usize) -> Option<Found> {
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(&[], rest, steps),
            "self" => self.walk(from, rest, steps),
            "super" => {
                let mut from = from;
                let mut rest = path;
                while let [first, more @ ..] = rest
                    && first == "super"
                {
                    (from, rest) = (from.split_last()?.1, more);
                }
                self.walk(from, rest, steps)
            }
            _ => self.find(from, path, steps),
        }
    }

    /// As [`find`](Self::find); what is not found is taken to be in the module,
    /// made by a macro.
    fn walk(&self, module: &[String], path: &[String], steps: usize) -> Option<Found> {
        let made = || {
            Some(Found {
                module: module.to_vec(),
                is_module: false,
            })
        };
        self.find_or_external(module, path, steps)
            .unwrap_or_else(made)
    }

    /// What a path that starts in a module names, if that is in this crate.
    fn find(&self, module: &[String], path: &[String], steps: usize) -> Option<Found> {
        self.find_or_external(module, path, steps).flatten()
    }

    /// `None` if the module has no such name, `Some(None)` if the name is of
    /// another crate.
    fn find_or_external(
        &self,
        module: &[String],
        path: &[String],
        steps: usize,
    ) -> Option<Option<Found>> {
        let Some((name, rest)) = path.split_first() else {
            return Some(Some(Found {
                module: module.to_vec(),
                is_module: true,
            }));
        };
        let steps = steps.checked_sub(1)?;
        let child = [module, std::slice::from_ref(name)].concat();
        if self.nodes.contains_key(&child) {
            return Some(self.walk(&child, rest, steps));
        }
        let uses = &self.nodes.get(module)?.module;
        if uses.items.contains(name) {
            return Some(Some(Found {
                module: module.to_vec(),
                is_module: false,
            }));
        }
        if let Some(found) = uses.uses.iter().find(|found| &found.name == name) {
            let target = [&found.path[..], rest].concat();
            return Some(self.resolve_within(module, &target, steps));
        }
        let globs = uses.uses.iter().filter(|found| found.glob);
        globs
            .filter_map(|glob| self.resolve_within(module, &glob.path, steps))
            .find_map(|all| self.find_or_external(&all.module, path, steps))
    }
}
