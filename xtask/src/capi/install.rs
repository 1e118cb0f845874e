//! Installs the libraries, their header, and what pkg-config and CMake read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::build::Build;
use super::{Result, SONAME};
use crate::project;

/// The files that other tools read: where, and with what. No folder is named in
/// them but relative to the file, so that the whole can be moved.
const TEMPLATES: [(&str, &str); 4] = [
    ("pkgconfig/libmmap.pc", include_str!("libmmap.pc.in")),
    (
        "pkgconfig/libmmap-static.pc",
        include_str!("libmmap-static.pc.in"),
    ),
    (
        "cmake/libmmap/libmmap-config.cmake",
        include_str!("libmmap-config.cmake.in"),
    ),
    (
        "cmake/libmmap/libmmap-config-version.cmake",
        include_str!("libmmap-config-version.cmake.in"),
    ),
];

/// The folder that everything is installed in.
pub(super) struct Installed {
    pub(super) prefix: PathBuf,
}

impl Installed {
    pub(super) fn include(&self) -> PathBuf {
        self.prefix.join("include")
    }

    pub(super) fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.lib().join("libmmap.a")
    }

    pub(super) fn pkgconfig(&self) -> PathBuf {
        self.lib().join("pkgconfig")
    }

    pub(super) fn write(&self, built: &Build) -> Result<()> {
        made(&self.include())?;
        made(&self.lib())?;
        let header = project::root().join("include/mmap_c.h");
        let shared = format!("libmmap.so.{}", built.version);
        copy(&header, &self.include().join("mmap_c.h"))?;
        copy(&built.archive, &self.archive())?;
        copy(&built.shared, &self.lib().join(&shared))?;
        link(&shared, &self.lib().join(SONAME))?;
        link(SONAME, &self.lib().join("libmmap.so"))?;
        for (name, template) in TEMPLATES {
            let to = self.lib().join(name);
            to.parent().map_or(Ok(()), made)?;
            let text = filled(template, built);
            fs::write(&to, text).map_err(|error| format!("{}: {error}", to.display()))?;
            wrote(&to, "");
        }
        Ok(())
    }

    /// What to do with it.
    pub(super) fn explain(&self) {
        let (lib, pkgconfig) = (self.lib(), self.pkgconfig());
        let (lib, pkgconfig) = (lib.display(), pkgconfig.display());
        let flags = |package: &str| {
            format!("$(PKG_CONFIG_PATH={pkgconfig} pkg-config --cflags --libs {package})")
        };
        println!("\nwith the static library; the program runs as it is:");
        println!("  cc program.c {}", flags("libmmap-static"));
        println!("with the shared library, and where the program finds it:");
        println!("  cc program.c {} -Wl,-rpath,{lib}", flags("libmmap"));
        println!("or without the -rpath, and LD_LIBRARY_PATH={lib} when it runs");
        println!("with CMake, find_package(libmmap), libmmap::static, libmmap::shared:");
        println!("  cmake -DCMAKE_PREFIX_PATH={} ...", self.prefix.display());
    }
}

/// A template with its words replaced.
fn filled(template: &str, built: &Build) -> String {
    let major = built.version.split('.').next().unwrap_or_default();
    let for_cmake = template.contains("IMPORTED");
    let private = if for_cmake {
        built.private.replace(' ', ";")
    } else {
        built.private.clone()
    };
    template
        .replace("@VERSION@", &built.version)
        .replace("@MAJOR@", major)
        .replace("@SONAME@", SONAME)
        .replace("@PRIVATE@", &private)
}

/// A folder, made if it is not there.
fn made(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
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
