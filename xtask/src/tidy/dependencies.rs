//! What the library depends on.

use cargo_metadata::DependencyKind;

use super::Problem;
use crate::project;

/// The library's runtime dependencies; they have none themselves.
const ALLOWED: [&str; 2] = ["arrayvec", "smallvec"];

pub(super) fn problems() -> Result<Vec<Problem>, String> {
    let metadata = project::metadata().map_err(|error| error.to_string())?;
    let library = metadata
        .root_package()
        .ok_or("the workspace has no root package")?;
    let graph = metadata
        .resolve
        .as_ref()
        .ok_or("cargo resolved no dependencies")?;
    let mut problems = Vec::new();
    let mut found = |rule: String| problems.push(Problem::new("Cargo.toml", 0, rule));
    let (mut reached, mut ahead) = (vec![&library.id], vec![&library.id]);
    while let Some(id) = ahead.pop() {
        let package = &metadata[id];
        if package
            .targets
            .iter()
            .any(|target| target.is_custom_build())
        {
            found(format!("`{}` has a build script", package.name));
        }
        if id != &library.id && !ALLOWED.contains(&package.name.as_str()) {
            found(format!("the library depends on `{}`", package.name));
        }
        let node = graph.nodes.iter().find(|node| &node.id == id);
        for dependency in node.into_iter().flat_map(|node| &node.deps) {
            let runtime = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if runtime && !reached.contains(&&dependency.pkg) {
                reached.push(&dependency.pkg);
                ahead.push(&dependency.pkg);
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_library_has_the_allowed_dependencies_only() {
        assert_eq!(super::problems(), Ok(Vec::new()));
    }
}
