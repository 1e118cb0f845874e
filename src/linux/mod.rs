//! Linux's memory calls: what they answer, where they map, the rows of
//! `/proc/PID/maps`, and what a host has to do, without any call to a system.
//!
//! A guest's, sandbox's or emulated program's calls go to a [`Mm`], arguments and raw
//! flags as the system call has them, with a [`Host`] whose methods are the real actions.
//! What Linux would return comes back.
//!
//! ```
//! use gaptree::linux::flags::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
//! use gaptree::linux::{Config, Errno, Host, Mm, Row};
//!
//! /// Prints what is to be done; a real one would do it.
//! struct Printer;
//!
//! impl Host<u32> for Printer {
//!     fn map(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
//!         println!("map {:x} of {:x} bytes", row.addr, row.len);
//!         Ok(())
//!     }
//! }
//!
//! let mut mm = Mm::<u32>::new(Config::x86_64())?;
//! let (rw, private) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
//! let addr = mm.mmap(0, 5000, rw, private, None, 0, &mut Printer)?;
//! assert_eq!(addr, 0x7fff_f7ff_d000);
//! mm.munmap(addr, 0x1000, &mut Printer)?;
//! assert_eq!(mm.mprotect(addr, 0x2000, PROT_READ, &mut Printer), Err(Errno::ENOMEM));
//! assert_eq!(mm.rows().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Here are `mmap`, `munmap`, `mprotect`, `mremap`, `brk`, `madvise`, `mlock` and its like,
//! `msync`, `mincore`, `mseal`, page faults and stacks that grow, `fork`, `truncate`, and the
//! limits of a process. Results, errors, places, rows, their flags and the sizes of
//! `/proc/PID/status` are those of Linux 6.18 on x86-64; docs/linux.md has a table of every
//! call, of what it is checked against, and of what is not here.
//!
//! Which rows join depends on who has written to them. Who wants exactly Linux's rows tells
//! [`Mm::fault`] of the first write to each; without that they are those of memory that
//! was never touched.
//!
//! Not here: protection keys and execute-only memory, huge page mappings, names of anonymous
//! memory, System V segments, strict overcommitment (`vm.overcommit_memory` 2).

mod backing;
mod change;
mod config;
mod counters;
mod errno;
mod fault;
pub mod flags;
mod fork;
mod host;
mod join;
mod kept;
mod limits;
mod madvise;
mod mlock;
mod mm;
mod mmap;
mod mprotect;
mod mremap;
mod place;
mod ranges;

pub use backing::{Backing, File, Row};
pub use config::{Config, Layout, Limits};
pub use counters::Counters;
pub use errno::Errno;
pub use fault::{Access, Fault};
pub use host::Host;
pub use mm::Mm;
