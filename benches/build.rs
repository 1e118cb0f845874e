//! Compiles the C++ rivals, if the feature `cpp-rivals` asks for them and their
//! headers are here; says which are left out.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(boost_icl, llvm)");
    println!("cargo::rerun-if-changed=cpp");
    #[cfg(feature = "cpp-rivals")]
    cpp::build();
}

#[cfg(feature = "cpp-rivals")]
mod cpp {
    use std::process::Command;

    pub(super) fn build() {
        if compiled("boost_icl", None) {
            println!("cargo::rustc-cfg=boost_icl");
        } else {
            skipped("Boost.ICL", "libboost-dev");
        }
        match llvm() {
            Some(llvm) if compiled("llvm", Some(&llvm.include)) => {
                println!("cargo::rustc-cfg=llvm");
                println!("cargo::rustc-link-search=native={}", llvm.folder);
                for flag in llvm.link.split_whitespace() {
                    println!("cargo::rustc-link-arg={flag}");
                }
            }
            _ => skipped("LLVM's IntervalMap", "llvm-dev"),
        }
    }

    fn skipped(what: &str, package: &str) {
        println!("cargo::warning=skipped: {what}: no compiler or no headers (Debian: {package})");
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
