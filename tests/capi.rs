//! The C library as C programs see it: the programs in `tests/c`, compiled with
//! every C compiler that is here, and what the header says against what the
//! library has.
//!
//! Nothing else in the suite needs a C compiler. Without one these tests say on
//! standard error that they were skipped.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::{align_of, offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use gaptree::capi::{
    self, MMapDataFns, MMapError, MMapInfo, MMapMapping, MMapOptions, MMapRegion, MMapSegment,
    MMapTotals,
};

/// A C compiler and the C++ compiler that belongs to it.
#[derive(Clone, Copy)]
struct Compiler {
    c: &'static str,
    cpp: &'static str,
}

const COMPILERS: [Compiler; 2] = [
    Compiler {
        c: "gcc",
        cpp: "g++",
    },
    Compiler {
        c: "clang",
        cpp: "clang++",
    },
];

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const SANITIZERS: [&str; 3] = [
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
];

/// What C compilers and cargo need to build for the target of this test, where
/// that is not what they build for anyway.
const MACHINE: &[&str] = if IS_X86_32 { &["-m32"] } else { &[] };
const TARGET: &[&str] = if IS_X86_32 {
    &["--target", "i686-unknown-linux-gnu"]
} else {
    &[]
};
const IS_X86_32: bool = cfg!(all(target_arch = "x86", target_os = "linux"));

/// How `oom.c` gets between the library and its memory.
const WRAPPED: &str =
    "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=posix_memalign";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder for what these tests build.
fn built() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .arg("--version")
        .status()
        .is_ok_and(|status| status.success())
}

/// Not captured by the test harness, unlike `eprintln!`.
fn skipped(test: &str, reason: &str) {
    writeln!(std::io::stderr(), "capi: SKIPPED {test}: {reason}").expect("standard error");
}

/// The compilers that are here; says so if there are none.
fn compilers(test: &str) -> Vec<Compiler> {
    let here = |compiler: &Compiler| links(compiler.c, &[]) && runs(compiler.cpp);
    let found: Vec<Compiler> = COMPILERS.into_iter().filter(here).collect();
    if found.is_empty() {
        skipped(test, "neither gcc with g++ nor clang with clang++ works");
    }
    found
}

/// Whether a compiler makes a program of nothing with these flags: the parts
/// that it needs to link can be missing.
fn links(compiler: &str, flags: &[&str]) -> bool {
    let name = format!("links-{compiler}-{:?}", std::thread::current().id());
    let program = built().join(name);
    let mut command = Command::new(compiler);
    command.args(MACHINE).args(flags).args(["-x", "c", "-"]);
    command.arg("-o").arg(&program);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
        return false;
    };
    let source = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(b"int main(void) { return 0; }\n"));
    let linked = child.wait().is_ok_and(|status| status.success());
    drop(std::fs::remove_file(program));
    linked && source.is_some_and(|written| written.is_ok())
}

/// The sanitizers, if the compiler has them; says so if it has not.
fn sanitizers(compiler: Compiler, test: &str) -> &'static [&'static str] {
    if links(compiler.c, &SANITIZERS) {
        return &SANITIZERS;
    }
    let reason = "its runtime is missing (Debian: libclang-rt-dev)";
    skipped(test, &format!("sanitizers of {}: {reason}", compiler.c));
    &[]
}

/// Runs a command that has to succeed; what it printed.
///
/// # Panics
/// It fails.
fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout
}

/// Cargo in the project's folder. Flags that instrument this test, and the target
/// that needs them, are not for what it builds.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command.current_dir(root()).args(arguments);
    command
}

/// The static library, with debug assertions and overflow checks; built once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = built().join("capi-library");
        let mut command = cargo(&["rustc", "--lib", "--features", "capi"]);
        command.args(["--crate-type", "staticlib", "--target-dir"]);
        command.arg(&target).args(TARGET);
        succeed(&mut command);
        let triple = TARGET.last().unwrap_or(&"");
        target.join(triple).join("debug/libgaptree.a")
    })
}

/// Compiles a program to a file of this name, with the compiler's added; where
/// it is.
fn compile(compiler: Compiler, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let source = root().join(source);
    let is_cpp = source.extension() == Some(OsStr::new("cpp"));
    let (program, standard) = if is_cpp {
        (compiler.cpp, "-std=c++17")
    } else {
        (compiler.c, "-std=c11")
    };
    let output = built().join(format!("{name}-{}", compiler.c));
    let mut command = Command::new(program);
    command
        .arg(standard)
        .args(WARNINGS)
        .args(MACHINE)
        .args(flags);
    command.arg("-I").arg(root().join("include"));
    command.arg(source).arg(library());
    // In the C library itself since glibc 2.34.
    if cfg!(target_os = "linux") {
        command.args(["-lpthread", "-ldl", "-lm"]);
    }
    succeed(command.arg("-o").arg(&output));
    output
}

/// Compiles a program of `tests/c` with sanitizers and runs it, with every
/// compiler.
fn check(name: &str, flags: &[&str]) {
    for compiler in compilers(name) {
        let flags = [sanitizers(compiler, name), flags].concat();
        let program = compile(compiler, name, &format!("tests/c/{name}"), &flags);
        succeed(&mut Command::new(program));
    }
}

#[test]
fn a_program_written_for_libmmap() {
    check("drop_in.c", &[]);
}

#[test]
fn every_function_and_every_result() {
    check("interface.c", &[]);
}

#[test]
fn whole_mappings_and_counted_data() {
    check("data.c", &[]);
}

#[test]
fn hostile_arguments() {
    check("hostile.c", &[]);
}

#[test]
fn every_function_from_every_callback() {
    check("reentry.c", &[]);
}

#[test]
fn a_failure_of_every_allocation() {
    if cfg!(target_os = "linux") {
        check("oom.c", &[WRAPPED]);
    } else {
        skipped("oom.c", "the linker has no --wrap");
    }
}

#[test]
fn a_program_in_cpp() {
    check("cpp.cpp", &[]);
}

/// Runs a program that has to end by `abort` with this argument; what it said.
///
/// # Panics
/// It does not.
#[cfg(unix)]
fn aborts(program: &Path, argument: &str) -> String {
    use std::os::unix::process::ExitStatusExt;

    let output = Command::new(program).arg(argument).output();
    let output = output.expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let aborted = output.status.signal() == Some(6);
    assert!(aborted, "{argument}: {}: {stderr}", output.status);
    stderr.into_owned()
}

#[test]
#[cfg(unix)]
fn an_exception_that_leaves_a_callback_ends_the_program() {
    for compiler in compilers("cpp.cpp") {
        let program = compile(compiler, "throw", "tests/c/cpp.cpp", &["-g"]);
        let stderr = aborts(&program, "throw");
        assert!(!stderr.contains("crossed"), "{stderr}");
    }
}

/// With glibc, a thread ends by unwinding.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_thread_that_ends_in_a_callback_ends_the_program() {
    for compiler in compilers("leave.c") {
        let program = compile(compiler, "leave", "tests/c/leave.c", &["-g"]);
        for how in ["exit", "cancel"] {
            aborts(&program, how);
        }
    }
}

/// The program jumps over frames of Rust. That is not defined; the migration
/// page says what comes of it here.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_jump_out_of_a_callback_leaves_the_space_busy() {
    for compiler in compilers("leave.c") {
        let program = compile(compiler, "jump", "tests/c/leave.c", &["-g"]);
        succeed(Command::new(program).arg("jump"));
    }
}

#[test]
fn libmmap_s_header_and_this_one_in_one_file() {
    const OURS_FIRST: &[&str] = &["-DOURS_FIRST"];
    let source = "tests/c/both_headers.c";
    for compiler in compilers(source) {
        for order in [&[], OURS_FIRST] {
            let program = compile(compiler, "both_headers", source, order);
            succeed(&mut Command::new(program));
        }
        for (language, standard) in [("c", "c99"), ("c++", "c++11")] {
            let compiles = |flags: &[&str]| {
                let mut command = Command::new(compiler.c);
                command.args(WARNINGS).args(MACHINE).args(flags);
                command.args(["-fsyntax-only", "-x", language]);
                command.arg(format!("-std={standard}"));
                command.arg("-I").arg(root().join("include"));
                let output = command.arg(root().join(source)).output();
                output.expect("it runs").status.success()
            };
            assert!(compiles(&[]) && compiles(OURS_FIRST), "{language}");
            assert!(!compiles(&["-DWITHOUT_HINT"]), "{language}");
        }
    }
}

#[test]
fn the_header_is_clean_in_every_standard() {
    let standards = [
        ("c", "c99"),
        ("c", "c11"),
        ("c", "c17"),
        ("c++", "c++11"),
        ("c++", "c++17"),
    ];
    for compiler in compilers("the header") {
        let mut machines = vec![MACHINE];
        if cfg!(target_arch = "x86_64") {
            if links(compiler.c, &["-m32"]) {
                machines.push(&["-m32"]);
            } else {
                skipped(
                    "the header",
                    "-m32: nothing to link with (Debian: gcc-multilib)",
                );
            }
        }
        for machine in machines {
            for (language, standard) in standards {
                let mut command = Command::new(compiler.c);
                command.args(WARNINGS).args(machine);
                command.args(["-fsyntax-only", "-x", language]);
                command.arg(format!("-std={standard}"));
                succeed(command.arg(root().join("include/mmap_c.h")));
            }
        }
    }
}

/// The functions that the header declares, after its preprocessor.
fn declared(compiler: Compiler) -> BTreeSet<String> {
    let mut command = Command::new(compiler.c);
    let text = succeed(
        command
            .args(["-E", "-P"])
            .arg(root().join("include/mmap_c.h")),
    );
    let named = |declaration: &str| {
        let head = declaration.split('(').next()?;
        let name = head
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next_back()?;
        name.starts_with("mmap_").then(|| name.to_owned())
    };
    text.split(';').filter_map(named).collect()
}

#[test]
fn the_header_declares_what_the_library_exports() {
    for compiler in compilers("symbols") {
        if !runs("nm") {
            skipped("symbols", "there is no nm");
            continue;
        }
        let mut command = Command::new("nm");
        command.args(["--defined-only", "--extern-only"]);
        let symbols = succeed(command.arg(library()));
        let names = symbols.lines().filter_map(|line| line.split(' ').nth(2));
        let exported: BTreeSet<String> = names
            .filter(|name| name.starts_with("mmap_"))
            .map(str::to_owned)
            .collect();
        assert_eq!(declared(compiler), exported);
        assert!(exported.len() > 20, "{exported:?}");
    }
}

/// Adds lines as `layout.c` prints them for a struct.
macro_rules! layout {
    ($lines:ident, $type:ident: $($field:ident),+) => {
        let (size, align) = (size_of::<$type>(), align_of::<$type>());
        writeln!($lines, "{} size {size} align {align}", stringify!($type)).expect("a string");
        $(
            let at = offset_of!($type, $field);
            let size = size_of_field(|value: &$type| &value.$field);
            let name = concat!(stringify!($type), ".", stringify!($field));
            writeln!($lines, "{name} at {at} size {size}").expect("a string");
        )+
    };
}

fn size_of_field<T, F>(_: impl FnOnce(&T) -> &F) -> usize {
    size_of::<F>()
}

/// What `layout.c` prints if header and library agree.
fn layout() -> String {
    let mut lines = String::new();
    layout!(lines, MMapInfo: prot, flags, fd, offset, original);
    layout!(lines, MMapRegion: start, len, info);
    layout!(
        lines, MMapOptions: hint, window_start, window_len, align, placement, seed,
        hint_rule, margin_below, margin_above
    );
    layout!(lines, MMapTotals: start, len, pagesize, regions, mapped, largest_gap);
    layout!(lines, MMapDataFns: copy, release);
    layout!(
        lines, MMapMapping: prot, flags, fd, offset, data, data_fns, guard, linear, original,
        sealed
    );
    layout!(lines, MMapSegment: start, len, mapped, mapping);
    for (name, number) in [
        ("MMAP_OK", MMapError::Ok as i32),
        ("MMAP_INVAL", MMapError::Inval as i32),
        ("MMAP_NOMEM", MMapError::Nomem as i32),
        ("MMAP_EXIST", capi::MMAP_EXIST),
        ("MMAP_STOPPED", capi::MMAP_STOPPED),
        ("MMAP_PLACE_DEFAULT", capi::MMAP_PLACE_DEFAULT),
        ("MMAP_PLACE_LOWEST", capi::MMAP_PLACE_LOWEST),
        ("MMAP_PLACE_HIGHEST", capi::MMAP_PLACE_HIGHEST),
        ("MMAP_PLACE_RANDOM", capi::MMAP_PLACE_RANDOM),
        ("MMAP_PLACE_NEAREST", capi::MMAP_PLACE_NEAREST),
        ("MMAP_PLACE_BEST_LOWEST", capi::MMAP_PLACE_BEST_LOWEST),
        ("MMAP_PLACE_BEST_HIGHEST", capi::MMAP_PLACE_BEST_HIGHEST),
        ("MMAP_HINT_EXACT", capi::MMAP_HINT_EXACT),
        ("MMAP_HINT_ROUND_DOWN", capi::MMAP_HINT_ROUND_DOWN),
        ("MMAP_HINT_UPWARDS", capi::MMAP_HINT_UPWARDS),
        ("MMAP_HOLES_SKIP", capi::MMAP_HOLES_SKIP),
        ("MMAP_HOLES_STOP", capi::MMAP_HOLES_STOP),
        ("MMAP_HOLES_REFUSE", capi::MMAP_HOLES_REFUSE),
        ("MMAP_OFFSETS_VERBATIM", capi::MMAP_OFFSETS_VERBATIM),
        ("MMAP_OFFSETS_LINEAR", capi::MMAP_OFFSETS_LINEAR),
    ] {
        writeln!(lines, "{name} {number}").expect("a string");
    }
    writeln!(lines, "error size {}", size_of::<MMapError>()).expect("a string");
    lines
}

#[test]
fn structs_and_constants_agree() {
    for compiler in compilers("layout.c") {
        let program = compile(compiler, "layout", "tests/c/layout.c", &[]);
        assert_eq!(succeed(&mut Command::new(program)), layout());
    }
}

#[test]
fn the_sandboxes_agree_with_the_kernel_and_with_each_other() {
    let name = "sandbox.c";
    if !cfg!(target_os = "linux") {
        skipped(name, "it compares with Linux's /proc/self/maps");
        return;
    }
    let compilers = compilers(name);
    if compilers.is_empty() {
        return;
    }
    let mut sandbox = cargo(&["run", "--quiet", "--example", "sandbox"]);
    let from_rust = succeed(sandbox.args(TARGET));
    for compiler in compilers {
        let flags = sanitizers(compiler, name);
        let program = compile(compiler, name, "examples/sandbox.c", flags);
        assert_eq!(succeed(&mut Command::new(program)), from_rust);
    }
}
