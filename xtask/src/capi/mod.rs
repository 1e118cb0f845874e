//! `cargo xtask capi`: builds the C library and installs it with its header and
//! its pkg-config file.

mod bench;
mod check;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::project;

/// What `cargo xtask capi` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where `include`, `lib` and `lib/pkgconfig` are; by default `capi/installed`
    /// in cargo's target folder.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Compiles and runs C programs against what was installed.
    #[arg(long)]
    check: bool,
    /// Measures what a call from C costs more than one from Rust.
    #[arg(long)]
    bench: bool,
}

/// Changes with the first number of the version that breaks programs.
const SONAME: &str = "libmmap.so.0";

/// Why a command failed, for people.
type Result<T> = std::result::Result<T, String>;

/// Exit status 1 for whatever goes wrong.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match try_run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(
            "the C library is built for Linux only, for want of tests elsewhere".to_owned(),
        );
    }
    let built = Build::run()?;
    let prefix = match &arguments.prefix {
        Some(prefix) => {
            std::path::absolute(prefix).map_err(|error| format!("{}: {error}", prefix.display()))?
        }
        None => built.folder.join("installed"),
    };
    let installed = Installed { prefix };
    installed.write(&built)?;
    println!("\ncompile and link with this, and add --static for the static library:");
    println!(
        "  cc program.c $(PKG_CONFIG_PATH={} pkg-config --cflags --libs libmmap)",
        installed.pkgconfig().display()
    );
    if arguments.check {
        check::run(&installed, &built.symbols)?;
    }
    if arguments.bench {
        bench::run(&installed, &built.folder)?;
    }
    Ok(())
}

/// Runs a command that has to succeed; what it printed.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    Err(format!(
        "`{program} {}` failed, {}\n{stderr}",
        arguments.join(" "),
        output.status
    ))
}

/// A compiler, or a tool of the binutils that every compiler on Linux needs.
fn tool(variable: &str, name: &str) -> Command {
    Command::new(env::var_os(variable).unwrap_or_else(|| name.into()))
}

/// The libraries as they come from the compiler.
struct Build {
    /// In cargo's target folder, for this command alone.
    folder: PathBuf,
    /// The static library, with nothing but the interface visible.
    archive: PathBuf,
    shared: PathBuf,
    /// What the shared library exports.
    symbols: Vec<String>,
    version: String,
    /// What a program links with the static library.
    private: String,
}

impl Build {
    fn run() -> Result<Self> {
        let metadata = project::metadata().map_err(|error| error.to_string())?;
        let package = metadata.root_package().ok_or("there is no root package")?;
        let folder = metadata.target_directory.join("capi").into_std_path_buf();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let private = folder.join("native-static-libs");
        compile(&folder, &private)?;
        let shared = folder.join("release/libgaptree.so");
        let symbols = exports(&shared, true)?;
        let archive = folder.join("libmmap.a");
        hide(&folder.join("release/libgaptree.a"), &symbols, &archive)?;
        let private = fs::read_to_string(&private)
            .map_err(|error| format!("{}: {error}", private.display()))?;
        Ok(Self {
            archive,
            shared,
            symbols,
            version: package.version.to_string(),
            private: needed(&private),
            folder,
        })
    }
}

/// Builds both libraries. They are optimised as a whole, unlike what `cargo
/// build --release` makes; what to link with the static one goes to `private`.
fn compile(folder: &Path, private: &Path) -> Result<()> {
    let mut cargo = project::cargo(&["rustc", "--lib", "--release", "--features", "capi"]);
    cargo.args(["--crate-type", "staticlib,cdylib", "--quiet"]);
    cargo.args(["--config", "profile.release.lto=\"fat\""]);
    cargo.args(["--config", "profile.release.codegen-units=1"]);
    cargo.arg("--target-dir").arg(folder);
    cargo.args(["--", "-C", &format!("link-arg=-Wl,-soname,{SONAME}")]);
    cargo.args(["-C", "strip=debuginfo"]);
    let mut print = std::ffi::OsString::from("--print=native-static-libs=");
    print.push(private);
    output(cargo.arg(print)).map(drop)
}

/// What a program names to link with the static library. Compilers add their own
/// runtime and the C library, in the variant that suits a static program.
fn needed(libraries: &str) -> String {
    let libraries = libraries.split_whitespace();
    let named: Vec<&str> = libraries
        .filter(|library| !matches!(*library, "-lgcc_s" | "-lc"))
        .collect();
    named.join(" ")
}

/// The symbols that a library offers to programs.
fn exports(library: &Path, dynamic: bool) -> Result<Vec<String>> {
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

/// Makes an archive of one object in which only `symbols` are visible, and
/// nothing is that they do not need: two such libraries in one program must not
/// clash over the parts of Rust's standard library that both contain.
fn hide(archive: &Path, symbols: &[String], to: &Path) -> Result<()> {
    let object = to.with_extension("o");
    let mut ld = tool("LD", "ld");
    ld.args(["-r", "--gc-sections"]);
    for symbol in symbols {
        ld.args(["-u", symbol]);
    }
    output(ld.arg("-o").arg(&object).arg(archive))?;
    let mut objcopy = tool("OBJCOPY", "objcopy");
    objcopy.arg("--strip-debug");
    for symbol in symbols {
        objcopy.arg(format!("--keep-global-symbol={symbol}"));
    }
    output(objcopy.arg(&object))?;
    // `ar` would add to an archive that is there.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", to.display()));
        }
        _ => {}
    }
    output(tool("AR", "ar").arg("rcs").arg(to).arg(&object)).map(drop)
}

/// The folder that everything is installed in.
struct Installed {
    prefix: PathBuf,
}

impl Installed {
    fn include(&self) -> PathBuf {
        self.prefix.join("include")
    }

    fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    fn pkgconfig(&self) -> PathBuf {
        self.lib().join("pkgconfig")
    }

    fn write(&self, built: &Build) -> Result<()> {
        for folder in [self.include(), self.pkgconfig()] {
            fs::create_dir_all(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let header = project::root().join("include/mmap_c.h");
        let shared = format!("libmmap.so.{}", built.version);
        copy(&header, &self.include().join("mmap_c.h"))?;
        copy(&built.archive, &self.lib().join("libmmap.a"))?;
        copy(&built.shared, &self.lib().join(&shared))?;
        link(&shared, &self.lib().join(SONAME))?;
        link(SONAME, &self.lib().join("libmmap.so"))?;
        let text = pkgconfig(&built.version, &built.private);
        let to = self.pkgconfig().join("libmmap.pc");
        fs::write(&to, text).map_err(|error| format!("{}: {error}", to.display()))?;
        wrote(&to, "");
        Ok(())
    }
}

fn wrote(path: &Path, what: &str) {
    println!("wrote {}{what}", path.display());
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let size = fs::copy(from, to)
        .map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))?;
    wrote(to, &format!(" ({} KiB)", size.div_ceil(1024)));
    Ok(())
}

/// A symbolic link, in place of one that may be there.
fn link(name: &str, at: &Path) -> Result<()> {
    if at.is_symlink() {
        fs::remove_file(at).map_err(|error| format!("{}: {error}", at.display()))?;
    }
    symlink(name, at).map_err(|error| format!("{}: {error}", at.display()))?;
    wrote(at, &format!(" -> {name}"));
    Ok(())
}

/// The pkg-config file. Its folders follow from where it is, so that the whole
/// can be moved.
fn pkgconfig(version: &str, private: &str) -> String {
    format!(
        "prefix=${{pcfiledir}}/../..
libdir=${{prefix}}/lib
includedir=${{prefix}}/include

Name: libmmap
Description: The bookkeeping of mmap, munmap and mprotect in an address space
Version: {version}
Cflags: -I${{includedir}}
Libs: -L${{libdir}} -lmmap
Libs.private: {private}
"
    )
}
