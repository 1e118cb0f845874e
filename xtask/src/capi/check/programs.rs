//! C programs that need nothing special, linked in every way that pkg-config
//! offers.

use std::path::Path;
use std::process::Command;

use super::{Context, Tally, alone, source};
use crate::capi::{Result, output, tool};

const PROGRAMS: [&str; 4] = ["drop_in.c", "interface.c", "reentry.c", "hostile.c"];

/// How a program gets the library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Linked {
    /// The shared one, found by `LD_LIBRARY_PATH`.
    Shared,
    /// The shared one, found by the program.
    Rpath,
    /// The static one, in a program that is otherwise shared.
    Static,
    /// The static one, and everything else too.
    Whole,
}

pub(super) fn run(context: &Context<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for linked in [Linked::Shared, Linked::Rpath, Linked::Static, Linked::Whole] {
        if linked == Linked::Whole
            && let Some(reason) = context.cannot_link(&["-static"])
        {
            tally.skip("-static", PROGRAMS.len(), &reason);
            continue;
        }
        for name in PROGRAMS {
            let result = check(context, &source(name), linked);
            tally.add(&format!("{name}, {linked:?}"), result);
        }
    }
    Ok(tally)
}

fn check(context: &Context<'_>, source: &Path, linked: Linked) -> Result<()> {
    let program = context.folder.join("program");
    let mut pkg_config = tool("PKG_CONFIG", "pkg-config");
    pkg_config.env("PKG_CONFIG_PATH", context.installed.pkgconfig());
    pkg_config.args(["--cflags", "--libs"]);
    let mut cc = tool("CC", "cc");
    cc.arg(source);
    match linked {
        Linked::Shared | Linked::Rpath => pkg_config.arg("libmmap"),
        Linked::Static => pkg_config.arg("libmmap-static"),
        Linked::Whole => {
            cc.arg("-static");
            pkg_config.args(["--static", "libmmap"])
        }
    };
    let flags = output(&mut pkg_config)?;
    cc.args(flags.split_whitespace());
    let lib = context.installed.lib();
    if linked == Linked::Rpath {
        cc.arg(format!("-Wl,-rpath,{}", lib.display()));
    }
    output(cc.arg("-o").arg(&program))?;
    match linked {
        Linked::Shared => output(Command::new(program).env("LD_LIBRARY_PATH", lib)).map(drop),
        Linked::Rpath | Linked::Static | Linked::Whole => alone(&program),
    }
}
