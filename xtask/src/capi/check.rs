//! C programs against the installed library, as somebody would who has just
//! installed it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{Installed, Result, exports, output, tool};
use crate::project;

/// The programs of `tests/c` that need nothing special.
const PROGRAMS: [&str; 4] = ["drop_in.c", "interface.c", "reentry.c", "hostile.c"];

/// Links and runs the programs with either library.
pub(super) fn run(installed: &Installed, symbols: &[String]) -> Result<()> {
    let archive = installed.lib().join("libmmap.a");
    let expected: BTreeSet<&String> = symbols.iter().collect();
    let offered = exports(&archive, false)?;
    let offered: BTreeSet<&String> = offered.iter().collect();
    if offered != expected {
        return Err(format!(
            "{} shows {offered:?}, not {expected:?}",
            archive.display()
        ));
    }
    let stray = expected.iter().find(|name| !name.starts_with("mmap_"));
    if let Some(name) = stray {
        return Err(format!("`{name}` is exported, but not of the interface"));
    }
    for source in PROGRAMS {
        let source = project::root().join("tests/c").join(source);
        for linked in [Linked::Shared, Linked::Static] {
            let program = installed.prefix.join("check-program");
            let done = check(installed, &source, linked, &program);
            if program.exists() {
                std::fs::remove_file(&program)
                    .map_err(|error| format!("{}: {error}", program.display()))?;
            }
            done?;
        }
    }
    println!(
        "checked: {} symbols; {} programs with either library",
        expected.len(),
        PROGRAMS.len()
    );
    Ok(())
}

#[derive(Clone, Copy)]
enum Linked {
    Shared,
    Static,
}

fn check(installed: &Installed, source: &Path, linked: Linked, program: &Path) -> Result<()> {
    let mut pkg_config = tool("PKG_CONFIG", "pkg-config");
    pkg_config.env("PKG_CONFIG_PATH", installed.pkgconfig());
    pkg_config.args(["--cflags", "--libs"]);
    let mut cc = tool("CC", "cc");
    cc.arg(source);
    if let Linked::Static = linked {
        pkg_config.arg("--static");
        cc.arg("-static");
    }
    let flags = output(pkg_config.arg("libmmap"))?;
    cc.args(flags.split_whitespace());
    output(cc.arg("-o").arg(program))?;
    output(Command::new(program).env("LD_LIBRARY_PATH", installed.lib())).map(drop)
}
