//! What a source file declares and which paths it names, in `use` declarations,
//! in code and types, and in macros. What is only compiled for tests is left
//! out, and so are attributes with their documentation.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Meta, Token, UseTree, Visibility};

/// A name that a `use` declaration brings in, or everything for `*`.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// Empty for `*` and `as _`.
    pub(super) name: String,
    pub(super) glob: bool,
    /// Others can name it through this module.
    pub(super) reexport: bool,
    pub(super) line: usize,
}

/// A path in code, a type or a macro.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// A module: a file, or a `mod` with a body in one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The names of the modules around it in the file, and its own; empty for
    /// the file itself.
    pub(super) inside: Vec<String>,
    pub(super) items: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    pub(super) mentions: Vec<Mention>,
    /// Macros that the crate's root has as well, by `macro_export`.
    pub(super) exported: Vec<String>,
    /// Files that are modules for tests only.
    pub(super) tests: BTreeSet<String>,
    /// Where there are items other than `use` and declarations of modules.
    pub(super) own: Vec<usize>,
}

/// All modules of a file, the file itself first.
pub(super) fn modules(source: &str) -> syn::Result<Vec<Module>> {
    let file = syn::parse_file(source)?;
    let mut collector = Collector {
        modules: vec![Module::default()],
        at: 0,
    };
    collector.declare(&file.items);
    collector.visit_file(&file);
    Ok(collector.modules)
}

struct Collector {
    modules: Vec<Module>,
    /// The module that is being visited.
    at: usize,
}

/// Whether the compiler sees this in tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let conditions = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .filter_map(|attribute| attribute.parse_args::<Meta>().ok());
    conditions.into_iter().any(|meta| implies_test(&meta))
}

fn implies_test(condition: &Meta) -> bool {
    type Conditions = syn::punctuated::Punctuated<Meta, Token![,]>;
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Conditions::parse_terminated)
            .is_ok_and(|all| all.iter().any(implies_test)),
        _ => false,
    }
}

/// The name that an item declares, and its attributes.
fn declared(item: &Item) -> (Option<&Ident>, &[Attribute]) {
    match item {
        Item::Const(item) => (Some(&item.ident), &item.attrs),
        Item::Enum(item) => (Some(&item.ident), &item.attrs),
        Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
        Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
        Item::Static(item) => (Some(&item.ident), &item.attrs),
        Item::Struct(item) => (Some(&item.ident), &item.attrs),
        Item::Trait(item) => (Some(&item.ident), &item.attrs),
        Item::Type(item) => (Some(&item.ident), &item.attrs),
        Item::Union(item) => (Some(&item.ident), &item.attrs),
        Item::Impl(item) => (None, &item.attrs),
        _ => (None, &[]),
    }
}

impl Collector {
    fn module(&mut self) -> &mut Module {
        &mut self.modules[self.at]
    }

    /// Notes what the items of a module declare.
    fn declare(&mut self, items: &[Item]) {
        for item in items {
            let line = syn::spanned::Spanned::span(item).start().line;
            match item {
                Item::Use(_) | Item::ExternCrate(_) => {}
                Item::Mod(item) if is_for_tests(&item.attrs) => {
                    self.module().tests.insert(item.ident.to_string());
                }
                Item::Mod(item) if item.content.is_none() => {}
                item => {
                    let (name, attributes) = declared(item);
                    if !is_for_tests(attributes) {
                        let name = name.map(ToString::to_string);
                        let is_export = |found: &Attribute| found.path().is_ident("macro_export");
                        if attributes.iter().any(is_export) {
                            self.module().exported.extend(name.clone());
                        }
                        self.module().items.extend(name);
                        self.module().own.push(line);
                    }
                }
            }
        }
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        self.module().mentions.push(Mention { path, line });
    }

    fn add_uses(&mut self, tree: &UseTree, prefix: &[String], reexport: bool) {
        let line = syn::spanned::Spanned::span(tree).start().line;
        let mut add = |path: Vec<String>, name: String, glob| {
            self.module().uses.push(Use {
                path,
                name,
                glob,
                reexport,
                line,
            });
        };
        let longer = |ident: &Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(tree) => {
                let prefix = longer(&tree.ident);
                self.add_uses(&tree.tree, &prefix, reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_uses(tree, prefix, reexport);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = prefix.last().cloned().unwrap_or_default();
                add(prefix.to_vec(), name, false);
            }
            UseTree::Name(name) => add(longer(&name.ident), name.ident.to_string(), false),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" {
                    prefix.to_vec()
                } else {
                    longer(&rename.ident)
                };
                let name = rename.rename.to_string();
                add(path, if name == "_" { String::new() } else { name }, false);
            }
            UseTree::Glob(_) => add(prefix.to_vec(), String::new(), true),
        }
    }

    /// Mentions every path among the tokens of a macro. Which names its
    /// arguments stand for is not known.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(first) if begins_path(&tokens[..at], first) => {
                    at = self.scan_path(&tokens, at, &[]);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Mentions the path that begins at a token; where it ends.
    fn scan_path(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let line = tokens[at].span().start().line;
        while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
            path.push(ident.to_string());
            at += 1;
            if !(is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))) {
                break;
            }
            match tokens.get(at + 2) {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    let parts = inner.split(|token| is_punct(Some(token), ','));
                    for part in parts.filter(|part| !part.is_empty()) {
                        self.scan_path(part, 0, &path);
                    }
                    return at + 3;
                }
                Some(TokenTree::Ident(_)) => at += 2,
                _ => break,
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        self.mention(path, line);
        at
    }
}

fn is_punct(token: Option<&TokenTree>, symbol: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == symbol)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    is_punct(token, ':')
}

/// Whether an identifier is the first of a path: no field, lifetime or argument
/// of a macro, and not what follows one in `$argument::name`.
fn begins_path(before: &[TokenTree], first: &Ident) -> bool {
    let last = before.last();
    match last {
        Some(TokenTree::Punct(punct)) => match punct.as_char() {
            '.' => before.len() > 1 && is_punct(before.get(before.len() - 2), '.'),
            '\'' => false,
            '$' => first == "crate",
            ':' => before.len() < 2 || !is_colon(before.get(before.len() - 2)),
            _ => true,
        },
        _ => true,
    }
}

/// Visits a node unless it is compiled for tests only.
macro_rules! unless_for_tests {
    ($($visit:ident $node:ident;)*) => {$(
        fn $visit(&mut self, node: &'a syn::$node) {
            if !is_for_tests(&node.attrs) {
                visit::$visit(self, node);
            }
        }
    )*};
}

impl<'a> Visit<'a> for Collector {
    unless_for_tests! {
        visit_item_const ItemConst;
        visit_item_enum ItemEnum;
        visit_item_fn ItemFn;
        visit_item_foreign_mod ItemForeignMod;
        visit_item_impl ItemImpl;
        visit_item_macro ItemMacro;
        visit_item_static ItemStatic;
        visit_item_struct ItemStruct;
        visit_item_trait ItemTrait;
        visit_item_type ItemType;
        visit_impl_item_const ImplItemConst;
        visit_impl_item_fn ImplItemFn;
        visit_impl_item_type ImplItemType;
        visit_trait_item_const TraitItemConst;
        visit_trait_item_fn TraitItemFn;
        visit_trait_item_type TraitItemType;
        visit_arm Arm;
        visit_expr_block ExprBlock;
        visit_field Field;
        visit_field_value FieldValue;
        visit_local Local;
        visit_stmt_macro StmtMacro;
        visit_variant Variant;
    }

    fn visit_item_mod(&mut self, node: &'a ItemMod) {
        let Some((_, items)) = &node.content else {
            return;
        };
        if is_for_tests(&node.attrs) {
            return;
        }
        let mut inside = self.module().inside.clone();
        inside.push(node.ident.to_string());
        self.modules.push(Module {
            inside,
            ..Module::default()
        });
        let around = std::mem::replace(&mut self.at, self.modules.len() - 1);
        self.declare(items);
        for item in items {
            self.visit_item(item);
        }
        self.at = around;
    }

    fn visit_item_use(&mut self, node: &'a ItemUse) {
        if !is_for_tests(&node.attrs) && node.leading_colon.is_none() {
            let reexport = !matches!(node.vis, Visibility::Inherited);
            self.add_uses(&node.tree, &[], reexport);
        }
    }

    fn visit_path(&mut self, node: &'a syn::Path) {
        if node.leading_colon.is_none() {
            let names = node.segments.iter().map(|segment| &segment.ident);
            let path: Vec<String> = names.map(ToString::to_string).collect();
            let line = syn::spanned::Spanned::span(node).start().line;
            self.mention(path, line);
        }
        visit::visit_path(self, node);
    }

    fn visit_macro(&mut self, node: &'a Macro) {
        self.visit_path(&node.path);
        self.scan(node.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'a Attribute) {}

    /// `pub(in path)` is no import.
    fn visit_visibility(&mut self, _: &'a Visibility) {}
}
