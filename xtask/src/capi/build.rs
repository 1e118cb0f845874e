//! Builds both libraries. Which files they are, cargo says: they depend on the
//! target, and one that was left by another build must not be taken for it.

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{Message, PackageId};

use super::{Result, SONAME, archive, output, tool};
use crate::project;

/// The libraries, ready to be installed.
pub(super) struct Build {
    /// In cargo's target folder, for this command alone.
    pub(super) folder: PathBuf,
    /// The static library, with nothing but the interface visible.
    pub(super) archive: PathBuf,
    pub(super) shared: PathBuf,
    /// What the shared library exports.
    pub(super) symbols: Vec<String>,
    pub(super) version: String,
    /// What a program links with the static library.
    pub(super) private: String,
}

impl Build {
    pub(super) fn run() -> Result<Self> {
        let metadata = project::metadata().map_err(|error| error.to_string())?;
        let package = metadata.root_package().ok_or("there is no root package")?;
        let folder = metadata.target_directory.join("capi").into_std_path_buf();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let made = Made::by(&mut compiler(&folder), &package.id)?;
        let shared = made.only("so")?.to_path_buf();
        let symbols = exports(&shared, true)?;
        let archive = folder.join("libmmap.a");
        archive::pack(made.only("a")?, &symbols, &archive)?;
        Ok(Self {
            archive,
            shared,
            symbols,
            version: package.version.to_string(),
            private: needed(&made.notes)?,
            folder,
        })
    }
}

/// The command that builds both. They are optimised as a whole, unlike what
/// `cargo build --release` makes.
fn compiler(folder: &Path) -> Command {
    let mut cargo = project::cargo(&["rustc", "--lib", "--release", "--features", "capi"]);
    cargo.args(["--crate-type", "staticlib,cdylib", "--quiet"]);
    cargo.args(["--message-format", "json"]);
    cargo.args(["--config", "profile.release.lto=\"fat\""]);
    cargo.args(["--config", "profile.release.codegen-units=1"]);
    cargo.arg("--target-dir").arg(folder);
    cargo.args(["--", "-C", &format!("link-arg=-Wl,-soname,{SONAME}")]);
    cargo.args(["-C", "strip=debuginfo", "--print=native-static-libs"]);
    cargo
}

/// What cargo says that it made of one package, now or earlier without a change
/// since.
#[derive(Debug, Default)]
struct Made {
    files: Vec<PathBuf>,
    /// What the compiler had to say.
    notes: Vec<String>,
}

impl Made {
    /// Runs cargo, which is told to speak JSON.
    fn by(cargo: &mut Command, package: &PackageId) -> Result<Self> {
        let failed = |error: io::Error| format!("cannot run cargo: {error}");
        let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or("no pipe from cargo")?;
        let messages = Message::parse_stream(BufReader::new(stdout));
        let made = Self::from(messages, package);
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            return Err(format!("cargo failed, {status}"));
        }
        made
    }

    /// Notes are kept; errors and warnings are printed.
    fn from(
        messages: impl Iterator<Item = io::Result<Message>>,
        package: &PackageId,
    ) -> Result<Self> {
        let mut made = Self::default();
        for message in messages {
            match message.map_err(|error| format!("cargo's messages: {error}"))? {
                Message::CompilerArtifact(artifact) if artifact.package_id == *package => {
                    let files = artifact.filenames.into_iter();
                    made.files.extend(files.map(PathBuf::from));
                }
                Message::CompilerMessage(said) => {
                    let said = said.message;
                    match (said.level, said.rendered) {
                        (DiagnosticLevel::Note, _) => made.notes.push(said.message),
                        (_, rendered) => eprint!("{}", rendered.unwrap_or(said.message)),
                    }
                }
                _ => {}
            }
        }
        Ok(made)
    }

    /// The only file with this ending.
    fn only(&self, ending: &str) -> Result<&Path> {
        let is_one = |file: &&PathBuf| file.extension().is_some_and(|found| found == ending);
        let found: Vec<&PathBuf> = self.files.iter().filter(is_one).collect();
        match found[..] {
            [file] => Ok(file),
            [] => Err(format!(
                "cargo made no library that ends in `.{ending}`; not for every target it can"
            )),
            _ => Err("cargo built for several targets; CARGO_BUILD_TARGET chooses one".to_owned()),
        }
    }
}

/// What a program names to link with the static library. Compilers add their own
/// runtime and the C library, in the variant that suits a static program.
fn needed(notes: &[String]) -> Result<String> {
    let libraries = notes
        .iter()
        .find_map(|note| note.strip_prefix("native-static-libs:"))
        .ok_or("the compiler does not say what to link with the static library")?;
    let named: Vec<&str> = libraries
        .split_whitespace()
        .filter(|library| !matches!(*library, "-lgcc_s" | "-lc"))
        .collect();
    Ok(named.join(" "))
}

/// The symbols that a library offers to programs.
pub(super) fn exports(library: &Path, dynamic: bool) -> Result<Vec<String>> {
    let mut nm = tool("NM", "nm");
    nm.args(["--defined-only", "--extern-only", "--format=posix"]);
    if dynamic {
        nm.arg("--dynamic");
    }
    let text = output(nm.arg(library))?;
    let names = text.lines().filter(|line| line.contains(' '));
    Ok(names
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Made, needed};
    use crate::project;

    /// The triple that the compiler builds for if it is not told.
    fn host() -> String {
        let mut rustc = super::tool("RUSTC", "rustc");
        let text = super::output(rustc.arg("-vV")).unwrap();
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        host.unwrap().to_owned()
    }

    #[test]
    fn a_library_of_another_build_is_not_taken() {
        let metadata = project::metadata().unwrap();
        let package = metadata.root_package().unwrap();
        let folder = metadata.target_directory.join("capi-of-the-tests");
        let stale = folder.join("debug/libgaptree.a");
        fs::create_dir_all(stale.parent().unwrap()).unwrap();
        fs::write(&stale, "of another build").unwrap();
        let mut cargo = project::cargo(&["rustc", "--lib", "--quiet"]);
        cargo.args(["--crate-type", "staticlib", "--message-format", "json"]);
        cargo.arg("--target-dir").arg(&folder);
        cargo.args(["--", "--print=native-static-libs"]);
        cargo.env("CARGO_BUILD_TARGET", host());
        let made = Made::by(&mut cargo, &package.id).unwrap();
        let library = made.only("a").unwrap();
        assert!(library.starts_with(folder.join(host())), "{made:?}");
        assert!(fs::metadata(library).unwrap().len() > 1_000_000);
        assert!(made.only("so").unwrap_err().contains("made no library"));
        assert!(needed(&made.notes).unwrap().starts_with("-l"), "{made:?}");
    }

    #[test]
    fn two_targets_are_one_too_many() {
        let files = ["x/release/libgaptree.a", "y/release/libgaptree.a"];
        let made = Made {
            files: files.map(Into::into).to_vec(),
            notes: Vec::new(),
        };
        assert!(made.only("a").unwrap_err().contains("CARGO_BUILD_TARGET"));
    }

    #[test]
    fn programs_name_what_compilers_do_not_add() {
        let notes = [
            "link against the following native artifacts",
            "native-static-libs: -lgcc_s -lutil -lpthread -lc",
        ];
        let notes = notes.map(str::to_owned);
        assert_eq!(needed(&notes), Ok("-lutil -lpthread".to_owned()));
        assert!(needed(&notes[..1]).is_err());
    }
}
