//! `cargo xtask coverage`: lines, regions and branches of the library that the
//! tests reach.

use std::process::{Command, ExitCode, Stdio};

use crate::project;

/// What is not the library.
const OTHERS: &str = "(reference|xtask|benches|tests|fuzz)/";

/// Exit status 1 if a test fails; a missing tool is reported.
pub(crate) fn run() -> ExitCode {
    let tools = match llvm_tools() {
        Ok(tools) => tools,
        Err(reason) => {
            println!("skipped: coverage: {reason}");
            return ExitCode::SUCCESS;
        }
    };
    if !project::installed("llvm-cov", "cargo-llvm-cov") {
        println!("skipped: coverage: cargo-llvm-cov is missing and cannot be installed");
        return ExitCode::SUCCESS;
    }
    let mut command = project::cargo(&["llvm-cov", "test", "--package", "gaptree", "--branch"]);
    command.args(["--ignore-filename-regex", OTHERS, "--show-missing-lines"]);
    // Branches need an unstable option of the compiler.
    command.env("RUSTC_BOOTSTRAP", "1").envs(tools);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The tools of the LLVM that the compiler was made with, as the variables
/// that cargo-llvm-cov reads.
fn llvm_tools() -> Result<[(&'static str, String); 2], String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "));
    let major = version.and_then(|version| version.split('.').next());
    let major = major.ok_or("rustc does not say which LLVM it has")?;
    let tools = [
        ("LLVM_COV", format!("llvm-cov-{major}")),
        ("LLVM_PROFDATA", format!("llvm-profdata-{major}")),
    ];
    for (_, tool) in &tools {
        let status = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!(
                "{tool} is missing: install the package llvm-{major}"
            ));
        }
    }
    let path = |tool: &str| {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", tool])
            .output();
        let found = found.map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&found.stdout).trim().to_owned())
    };
    let [cov, profdata] = tools;
    Ok([(cov.0, path(&cov.1)?), (profdata.0, path(&profdata.1)?)])
}
