//! Where the project is, and commands run in it.

use std::env;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::MetadataCommand;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    // Set by `cargo run`; a binary that was copied elsewhere still knows where
    // it was built.
    let package = env::var_os("CARGO_MANIFEST_DIR");
    let package = package.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}

/// A folder of the project, made if it is not there.
pub(crate) fn made(path: &str) -> Result<PathBuf, String> {
    let folder = root().join(path);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// A path of the project as seen from the current folder.
pub(crate) fn from_here(path: &str) -> PathBuf {
    let target = root().join(path);
    match env::current_dir() {
        Ok(here) => relative(&here, &target),
        Err(_) => target,
    }
}

/// The way from one absolute folder to another.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

/// `cargo` with arguments, in the project's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Whether `cargo NAME` works, after installing its package if it did not.
pub(crate) fn installed(name: &str, package: &str) -> bool {
    let works = |mut command: Command| {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if works(cargo(&[name, "--version"])) {
        return true;
    }
    println!("installing {package}");
    let status = cargo(&["install", "--quiet", "--locked", package]).status();
    status.is_ok_and(|status| status.success())
}

/// What cargo knows about the project's packages and their dependencies.
pub(crate) fn metadata() -> cargo_metadata::Result<cargo_metadata::Metadata> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .exec()
}

#[cfg(test)]
mod tests {
    use super::{Path, relative, root};

    #[test]
    fn the_root_holds_this_package() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn paths_are_relative_to_the_current_folder() {
        for (from, to, way) in [
            ("/a/b", "/a/b/tests/traces", "tests/traces"),
            ("/a/b/src/btree", "/a/b/tests", "../../tests"),
            ("/a/b", "/c", "../../c"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(way));
        }
    }
}
