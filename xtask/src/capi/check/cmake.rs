//! A project of CMake that finds the installed package.

use std::fs;
use std::io;

use super::{Context, Tally, alone, runs, source};
use crate::capi::{Result, output, tool};

/// The programs of `tests/c/cmake`.
const PROGRAMS: [&str; 2] = ["with_shared", "with_static"];

pub(super) fn run(context: &Context<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for (variable, name) in [("CMAKE", "cmake"), ("MAKE", "make")] {
        if !runs(&mut tool(variable, name)) {
            tally.skip("CMake", PROGRAMS.len(), &format!("`{name}` does not run"));
            return Ok(tally);
        }
    }
    let folder = context.folder.join("cmake");
    // What an earlier run found must not be found again.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", folder.display()));
        }
        _ => {}
    }
    let mut cmake = tool("CMAKE", "cmake");
    cmake.arg("-S").arg(source("cmake")).arg("-B").arg(&folder);
    cmake.args(["-G", "Unix Makefiles"]);
    let prefix = context.installed.prefix.display();
    output(cmake.arg(format!("-DCMAKE_PREFIX_PATH={prefix}")))?;
    output(tool("CMAKE", "cmake").arg("--build").arg(&folder))?;
    for name in PROGRAMS {
        tally.add(name, alone(&folder.join(name)));
    }
    Ok(tally)
}
