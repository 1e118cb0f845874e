//! Packs the static library so that it can share a program with other Rust
//! code: one object, in which nothing but the interface is visible.
//!
//! Both have Rust's standard library in them. Hiding the names is not enough.
//! The compiler puts a pointer to the function that unwinding asks in each frame
//! into a group of its own, `DW.ref.rust_eh_personality`, and of groups with one
//! name the linker keeps the first, whatever is hidden inside. Then the frames
//! of the other library point at nothing: it does not link, or crashes when a
//! panic is caught. So the object has no groups; GNU ld takes them apart.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Result, output, tool};

/// The option that only GNU ld has, since binutils 2.29.
const UNGROUP: &str = "--force-group-allocation";

/// Makes an archive of one object from what `symbols` need.
pub(super) fn pack(archive: &Path, symbols: &[String], to: &Path) -> Result<()> {
    let object = to.with_extension("o");
    let mut ld = Command::new(linker(env::var_os("LD"))?);
    ld.args(["-r", "--gc-sections", UNGROUP]);
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

/// GNU ld: the linker that `LD` names if it is that, else the compiler's, else
/// what is in the path. Programs can be linked by any linker.
pub(super) fn linker(named: Option<OsString>) -> Result<OsString> {
    if let Some(named) = named {
        if ungroups(&named) {
            return Ok(named);
        }
        println!(
            "LD={} has no {UNGROUP}: the static library is packed by GNU ld",
            named.display()
        );
    }
    let of_compiler = |name: &str| {
        let mut cc = tool("CC", "cc");
        let path = output(cc.arg(format!("-print-prog-name={name}"))).ok()?;
        Some(OsString::from(path.trim_end()))
    };
    let names = ["ld.bfd", "ld"];
    let candidates = names.into_iter().filter_map(of_compiler);
    candidates
        .chain(names.map(OsString::from))
        .find(|candidate| ungroups(candidate))
        .ok_or_else(|| format!("no GNU ld with {UNGROUP} (binutils 2.29 or later): name one in LD"))
}

/// Whether a linker can take groups apart.
fn ungroups(linker: &OsStr) -> bool {
    let mut command = Command::new(linker);
    command.arg("--help").stderr(Stdio::null());
    command
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(UNGROUP))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::{linker, ungroups};

    /// Whatever `LD` says: a linker without the option, or none at all.
    #[test]
    fn the_archive_is_packed_by_gnu_ld() {
        let Ok(default) = linker(None) else {
            // Not captured by the test harness, unlike `eprintln!`.
            writeln!(io::stderr(), "capi: SKIPPED: there is no GNU ld").unwrap();
            return;
        };
        assert!(ungroups(&default));
        for other in ["ld.lld", "ld.gold", "there-is-no-such-linker"] {
            let packer = linker(Some(other.into())).unwrap();
            assert!(ungroups(&packer), "{other}: {}", packer.display());
        }
        assert_eq!(linker(Some(default.clone())), Ok(default));
    }
}
