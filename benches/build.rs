//! Compiles the rivals in C and C++, if the feature `cpp-rivals` asks for them
//! and their sources are here; says which are left out.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(boost_icl, llvm, maple_tree)");
    println!("cargo::rerun-if-changed=cpp");
    #[cfg(feature = "cpp-rivals")]
    cpp::build();
}

#[cfg(feature = "cpp-rivals")]
mod cpp {
    use std::path::PathBuf;
    use std::process::Command;
    use std::{env, fs};

    pub(super) fn build() {
        if maple_tree().is_some() {
            println!("cargo::rustc-cfg=maple_tree");
        } else {
            let what = "no /usr/src/linux-source-6.12.tar.xz, tar, xz or C compiler";
            skipped("Linux's maple tree", what, "linux-source-6.12");
        }
        let what = "no compiler or no headers";
        if compiled("boost_icl", None) {
            println!("cargo::rustc-cfg=boost_icl");
        } else {
            skipped("Boost.ICL", what, "libboost-dev");
        }
        match llvm() {
            Some(llvm) if compiled("llvm", Some(&llvm.include)) => {
                println!("cargo::rustc-cfg=llvm");
                println!("cargo::rustc-link-search=native={}", llvm.folder);
                for flag in llvm.link.split_whitespace() {
                    println!("cargo::rustc-link-arg={flag}");
                }
            }
            _ => skipped("LLVM's IntervalMap", what, "llvm-dev"),
        }
    }

    fn skipped(subject: &str, reason: &str, package: &str) {
        println!("cargo::warning=skipped: {subject}: {reason} (Debian: {package})");
        // A file that never is: look again next time, as it may be installed by then.
        println!("cargo::rerun-if-changed=cpp/missing");
    }

    /// Whether a file of `cpp` was compiled.
    fn compiled(name: &str, include: Option<&str>) -> bool {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").define("NDEBUG", None);
        build.cargo_warnings(false);
        if let Some(include) = include {
            build.flag("-isystem").flag(include);
        }
        build.file(format!("cpp/{name}.cpp"));
        build.try_compile(&format!("rival_{name}")).is_ok()
    }

    /// Linux's own source, unpacked beside headers that say nothing: `kernel.h` has
    /// what it needs of them.
    fn maple_tree() -> Option<()> {
        const HEADERS: [&str; 10] = [
            "asm/barrier.h",
            "linux/export.h",
            "linux/kernel.h",
            "linux/limits.h",
            "linux/rcupdate.h",
            "linux/slab.h",
            "linux/spinlock.h",
            "linux/types.h",
            "linux/xarray.h",
            "trace/events/maple_tree.h",
        ];
        let folder = PathBuf::from(env::var_os("OUT_DIR")?).join("linux");
        for header in HEADERS.map(|header| folder.join(header)) {
            fs::create_dir_all(header.parent()?).ok()?;
            fs::write(header, "").ok()?;
        }
        let unpacked = Command::new("tar")
            .args(["-xJf", "/usr/src/linux-source-6.12.tar.xz", "-C"])
            .arg(&folder)
            .args(["--strip-components=1", "linux-source-6.12/lib/maple_tree.c"])
            .arg("linux-source-6.12/include/linux/maple_tree.h")
            .output();
        unpacked.ok().filter(|output| output.status.success())?;
        let mut build = cc::Build::new();
        build.std("gnu11").flag("-fno-strict-aliasing");
        build.warnings(false).cargo_warnings(false);
        build
            .include(folder.join("lib"))
            .include(folder.join("include"))
            .include(&folder);
        build.file("cpp/maple.c").try_compile("rival_maple").ok()
    }

    /// Where LLVM is, and what a program links with.
    struct Llvm {
        include: String,
        folder: String,
        link: String,
    }

    /// What `llvm-config` says.
    fn llvm() -> Option<Llvm> {
        let ask = |questions: &[&str]| {
            let output = Command::new("llvm-config").args(questions).output().ok()?;
            let said = output.status.success().then_some(output.stdout)?;
            Some(String::from_utf8(said).ok()?.trim().to_owned())
        };
        Some(Llvm {
            include: ask(&["--includedir"])?,
            folder: ask(&["--libdir"])?,
            link: ask(&["--link-static", "--libs", "--system-libs", "support"])?,
        })
    }
}
