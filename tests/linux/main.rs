//! Linux's calls: places, what a host that refuses leaves, calls without memory, and what
//! faults, limits, seals and children change. The running kernel and recorded programs are
//! elsewhere: `tests/kernel.rs`, `cargo xtask replay`.

#[path = "../failing/mod.rs"]
mod failing;
mod memory;
mod places;
mod refusals;

use gaptree::linux::flags::*;
use gaptree::linux::{Config, Errno, Mm};

const PAGE: u64 = 4096;
const HUGE: u64 = 2 << 20;
const BASE: u64 = 0x7000_0000;
const GAP: u64 = 256 * PAGE;
const RW: u64 = PROT_READ | PROT_WRITE;
const PRIVATE: u64 = MAP_PRIVATE | MAP_ANONYMOUS;

fn config() -> Config {
    let mut config = Config::x86_64();
    config.base = BASE;
    config.legacy_base = 0x2000_0000;
    config.brk = 0x100_0000;
    config
}

fn mm() -> Mm<u32> {
    Mm::new(config()).unwrap()
}

/// Maps anonymous memory at a fixed address.
fn fixed(mm: &mut Mm<u32>, addr: u64, len: u64, flags: u64) {
    let mapped = mm.mmap(addr, len, RW, PRIVATE | MAP_FIXED | flags, None, 0, &mut ());
    assert_eq!(mapped, Ok(addr));
}

/// Where memory goes that is mapped anywhere; it is not mapped.
fn place(mm: &Mm<u32>, hint: u64, len: u64, flags: u64, file: Option<u32>) -> Result<u64, Errno> {
    let kind = if file.is_some() { MAP_PRIVATE } else { PRIVATE };
    mm.clone()
        .mmap(hint, len, RW, kind | flags, file, 0, &mut ())
}
