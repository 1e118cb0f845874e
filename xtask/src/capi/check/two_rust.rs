//! The static library in one program with other Rust code: a C program with a
//! second static library from Rust, and a Rust program; by every linker, as
//! every kind of program, in both orders.
//!
//! Each is run twice: the other code catches a panic of its own, also in a
//! callback; and a panic leaves a callback, which libmmap must end by `abort`.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Context, Tally, alone, source};
use crate::capi::{Result, output, tool};
use crate::project;

/// As `-fuse-ld` names them.
const LINKERS: [&str; 3] = ["bfd", "gold", "lld"];

/// The signal of `abort`.
const SIGABRT: i32 = 6;

/// A kind of program.
struct Mode {
    name: &'static str,
    /// What makes it, for a C compiler and for rustc.
    c: &'static [&'static str],
    rust: &'static [&'static str],
}

const MODES: [Mode; 3] = [
    Mode {
        name: "PIE",
        c: &["-fPIE", "-pie"],
        rust: &["-Crelocation-model=pie"],
    },
    Mode {
        name: "no-PIE",
        c: &["-fno-pie", "-no-pie"],
        rust: &["-Crelocation-model=static"],
    },
    Mode {
        name: "-static",
        c: &["-static"],
        rust: &["-Crelocation-model=static", "-Ctarget-feature=+crt-static"],
    },
];

/// What the linker meets first.
#[derive(Clone, Copy, Debug)]
enum First {
    Libmmap,
    Other,
}

pub(super) fn run(context: &Context<'_>) -> Result<Tally> {
    let second = second(context)?;
    let mut tally = Tally::default();
    for linker in LINKERS {
        let chosen = format!("-fuse-ld={linker}");
        for mode in &MODES {
            let name = format!("{linker}, {}", mode.name);
            let flags = [&[chosen.as_str()], mode.c].concat();
            if let Some(reason) = context.cannot_link(&flags) {
                tally.skip(&name, 4, &reason);
                continue;
            }
            for first in [First::Libmmap, First::Other] {
                let program = in_c(context, &flags, &second, first);
                let name = |language| format!("{language}, {name}, {first:?} first");
                tally.add(&name("C"), program.and_then(|program| check(&program)));
                let program = in_rust(context, &chosen, mode, first);
                tally.add(&name("Rust"), program.and_then(|program| check(&program)));
            }
        }
    }
    Ok(tally)
}

/// Rust's compiler, for the target that cargo built the library for.
fn rustc() -> Command {
    let mut rustc = tool("RUSTC", "rustc");
    rustc.current_dir(project::root()).arg("--edition=2021");
    if let Some(target) = env::var_os("CARGO_BUILD_TARGET") {
        rustc.arg("--target").arg(target);
    }
    rustc
}

/// The second static library.
fn second(context: &Context<'_>) -> Result<PathBuf> {
    let library = context.folder.join("libsecond.a");
    let mut rustc = rustc();
    rustc.args(["-O", "--crate-type=staticlib"]);
    output(rustc.arg(source("second.rs")).arg("-o").arg(&library))?;
    Ok(library)
}

fn in_c(context: &Context<'_>, flags: &[&str], second: &Path, first: First) -> Result<PathBuf> {
    let program = context.folder.join("two_rust");
    let libmmap = context.installed.archive();
    let mut cc = tool("CC", "cc");
    cc.arg("-I").arg(context.installed.include());
    cc.args(flags).arg(source("two_rust.c"));
    match first {
        First::Libmmap => cc.args([&libmmap, second]),
        First::Other => cc.args([second, &libmmap]),
    };
    output(cc.args(&context.private).arg("-o").arg(&program))?;
    Ok(program)
}

/// Libraries that the program names come before Rust's own, arguments for the
/// linker after.
fn in_rust(context: &Context<'_>, linker: &str, mode: &Mode, first: First) -> Result<PathBuf> {
    let program = context.folder.join("rust_program");
    let mut rustc = rustc();
    rustc.arg(source("rust_program.rs")).args(mode.rust);
    let cc = env::var_os("CC").unwrap_or_else(|| "cc".into());
    rustc.arg("-C").arg(format!("linker={}", cc.display()));
    rustc.arg(format!("-Clink-arg={linker}"));
    match first {
        First::Libmmap => {
            let lib = context.installed.lib();
            rustc.arg("-L").arg(format!("native={}", lib.display()));
            rustc.args(["-l", "static=mmap"])
        }
        First::Other => {
            let archive = context.installed.archive();
            rustc.arg(format!("-Clink-arg={}", archive.display()))
        }
    };
    output(rustc.arg("-o").arg(&program))?;
    Ok(program)
}

/// A panic that is caught, and one that leaves a callback.
fn check(program: &Path) -> Result<()> {
    alone(program).map_err(|error| format!("a caught panic: {error}"))?;
    let mut command = Command::new(program);
    let left = command.arg("leave").output();
    let status = left.map_err(|error| error.to_string())?.status;
    if status.signal() == Some(SIGABRT) {
        return Ok(());
    }
    Err(format!(
        "a panic that left a callback ended in {status}, not in an abort"
    ))
}
