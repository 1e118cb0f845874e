//! The running Linux kernel as oracle: random memory calls in a window of this
//! very process, answers, listing, flags and sizes compared with those of the
//! library after every call.
//!
//! The window is the only free memory of the process: whatever else is free is
//! reserved first, so that the kernel places every mapping without an address
//! inside the window, or nowhere. That takes a process of its own, with one
//! thread: [`check`] starts the current program again, which must begin its
//! `main` with [`as_child`].
//!
//! Both ways of the kernel to place are used: the highest gap that fits, which
//! is its default, and the lowest, its legacy layout.
//!
//! | file | what |
//! |---|---|
//! | `process.rs` | starting the process, its report |
//! | `window.rs` | making the window the only free memory |
//! | `calls.rs` | random calls that map |
//! | `more.rs` | random advice, locks, seals, limits, accesses, children |
//! | `raw.rs` | calls as the system calls have them |
//! | `linux.rs` | the library's answers |
//! | `touch.rs` | accesses to memory that may be none |
//! | `report.rs` | plain data: layouts, how a comparison ended |
//! | `drive.rs` | both side by side |
//! | `maps.rs` | what the kernel shows |
//! | `sys.rs` | the system calls |

mod report;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod calls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod drive;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod maps;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod more;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod process;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod raw;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod sys;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod touch;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod window;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use process::{as_child, check};
pub use report::{Layout, Outcome, Report};

/// Where the kernel is not Linux on x86-64, there is nothing to compare with.
///
/// # Errors
/// None.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn check(_: Layout, _: u64, _: u64, _: impl FnMut(u64)) -> std::io::Result<Outcome> {
    let reason = "the kernel is not Linux on x86-64";
    Ok(Outcome::Skipped(reason.to_owned()))
}

/// Never, where [`check`] starts no process.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[must_use]
pub fn as_child() -> Option<std::process::ExitCode> {
    None
}
