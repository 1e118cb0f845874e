//! Every public method of stores, maps and spaces is driven in lockstep with
//! the reference.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Attribute, ImplItem, Item, TraitItem, Type, Visibility};

use super::Problem;

/// What declares methods, where, and which file of the lockstep calls them.
struct Subject {
    name: &'static str,
    declared: &'static [&'static str],
    driven: &'static str,
    /// Methods that need not be there, as another is the same.
    others: &'static [&'static str],
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "RangeStore",
        declared: &["src/store.rs"],
        driven: "reference/src/lockstep/store.rs",
        others: &[],
    },
    Subject {
        name: "RangeMap",
        declared: &["src/range_map.rs"],
        driven: "reference/src/lockstep/map.rs",
        // `with_engine` for the default engine.
        others: &["new"],
    },
    Subject {
        name: "AddrSpace",
        declared: &[
            "src/addr_space/space.rs",
            "src/addr_space/calls.rs",
            "src/addr_space/regions.rs",
            "src/addr_space/relocate.rs",
            "src/addr_space/limits.rs",
            "src/addr_space/guards.rs",
        ],
        driven: "reference/src/lockstep/space.rs",
        others: &["new"],
    },
];

pub(super) fn problems(root: &Path) -> Result<Vec<Problem>, String> {
    let mut problems = Vec::new();
    for subject in SUBJECTS {
        let read = |path: &str| {
            fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
        };
        let driven = called(&read(subject.driven)?)?;
        for path in subject.declared {
            let methods = methods(&read(path)?, subject.name)?;
            for method in methods.difference(&driven) {
                if !subject.others.contains(&method.as_str()) {
                    let rule = format!("`{}::{method}` is not called here", subject.name);
                    problems.push(Problem::new(subject.driven, 0, rule));
                }
            }
        }
    }
    Ok(problems)
}

/// Whether the documentation leaves it out.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("doc")
            && list.is_ok_and(|list| list.tokens.to_string() == "hidden")
    })
}

/// The public methods of a trait, or those of a type that are no trait's.
fn methods(source: &str, name: &str) -> Result<BTreeSet<String>, String> {
    let file = syn::parse_file(source).map_err(|error| error.to_string())?;
    let mut methods = BTreeSet::new();
    for item in file.items {
        match item {
            Item::Trait(item) if item.ident == name => {
                let functions = item.items.into_iter().filter_map(|item| match item {
                    TraitItem::Fn(function) => Some(function),
                    _ => None,
                });
                let public = functions.filter(|function| !is_hidden(&function.attrs));
                methods.extend(public.map(|function| function.sig.ident.to_string()));
            }
            Item::Impl(item) if item.trait_.is_none() && is_of(&item.self_ty, name) => {
                let functions = item.items.into_iter().filter_map(|item| match item {
                    ImplItem::Fn(function) => Some(function),
                    _ => None,
                });
                let public = functions.filter(|function| {
                    matches!(function.vis, Visibility::Public(_)) && !is_hidden(&function.attrs)
                });
                methods.extend(public.map(|function| function.sig.ident.to_string()));
            }
            _ => {}
        }
    }
    Ok(methods)
}

fn is_of(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

/// The names of all functions and methods that are called, those of the oracle
/// left out; inside macros too.
fn called(source: &str) -> Result<BTreeSet<String>, String> {
    let tokens: TokenStream = source
        .parse()
        .map_err(|error: proc_macro2::LexError| error.to_string())?;
    let mut names = BTreeSet::new();
    collect(tokens, &mut names);
    Ok(names)
}

fn collect(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |tree: Option<&TokenTree>, symbol: char| matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == symbol);
    for (at, tree) in tokens.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Ident(ident) => {
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                let receiver = at.checked_sub(2).and_then(|at| tokens.get(at));
                let oracle = matches!(receiver, Some(TokenTree::Ident(name)) if name == "oracle");
                let arguments = matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                let called = is(before, '.') && !oracle || is(before, ':');
                if called && arguments {
                    names.insert(ident.to_string());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{called, methods};

    #[test]
    fn public_methods_are_found() {
        let source = "impl<K> Map<K> { pub fn a() {} fn b() {} #[doc(hidden)] pub fn c() {} }\
            impl Clone for Map<u8> { fn clone(&self) {} }\
            pub trait Store { fn d(); fn e() {} } impl Other { pub fn f() {} }";
        let of = |name| {
            methods(source, name)
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("Map"), ["a"]);
        assert_eq!(of("Store"), ["d", "e"]);
    }

    #[test]
    fn calls_are_found_but_those_of_the_oracle() {
        let source = "fn f() { subject.a(1); oracle.b(); check!(x.c().d()); Map::e(); x.g; h(); }";
        let names: Vec<_> = called(source).unwrap().into_iter().collect();
        assert_eq!(names, ["a", "c", "d", "e"]);
    }
}
