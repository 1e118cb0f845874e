//! The books are what the host has, wherever it refuses and wherever memory ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::linux::flags::*;
use gaptree::linux::{Access, Errno, Fault, Host, Mm, Row};
use reference::host::{Pages, REFUSED};

use super::failing::{failing_at, with_memory};
use super::{PAGE, PRIVATE, RW, mm};

/// A host whose own memory does not count, and that can panic where it should refuse.
#[derive(Clone, Default)]
struct Tested {
    pages: Pages<u32>,
    panics: bool,
}

impl Tested {
    fn act(
        &mut self,
        action: impl FnOnce(&mut Pages<u32>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let said = with_memory(|| action(&mut self.pages));
        if said.is_err() && self.panics {
            resume_unwind(Box::new(()));
        }
        said
    }
}

impl Host<u32> for Tested {
    fn map(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
        self.act(|pages| pages.map(row))
    }

    fn unmap(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
        self.act(|pages| pages.unmap(row))
    }

    fn protect(&mut self, row: &Row<'_, u32>, prot: u32) -> Result<(), Errno> {
        self.act(|pages| pages.protect(row, prot))
    }

    fn flag(&mut self, row: &Row<'_, u32>, flags: u32) -> Result<(), Errno> {
        self.act(|pages| pages.flag(row, flags))
    }

    fn advise(&mut self, row: &Row<'_, u32>, advice: u64) -> Result<(), Errno> {
        self.act(|pages| pages.advise(row, advice))
    }

    fn sync(&mut self, row: &Row<'_, u32>) -> Result<(), Errno> {
        self.act(|pages| pages.sync(row))
    }

    fn relocate(
        &mut self,
        from: &Row<'_, u32>,
        to: &Row<'_, u32>,
        keep: bool,
    ) -> Result<(), Errno> {
        self.act(|pages| pages.relocate(from, to, keep))
    }
}

/// Calls that do everything that a host can be asked for.
type Call = fn(&mut Mm<u32>, &mut Tested) -> Result<u64, Errno>;

fn calls() -> impl Iterator<Item = (&'static str, Call)> {
    mapping_calls().into_iter().chain(other_calls())
}

fn mapping_calls() -> Vec<(&'static str, Call)> {
    vec![
        ("mmap", |mm, host| {
            mm.mmap(0, 3 * PAGE, RW, PRIVATE, None, 0, host)
        }),
        ("mmap beside an equal row", |mm, host| {
            let flags = PRIVATE | MAP_FIXED_NOREPLACE;
            mm.mmap(0x10_4000, PAGE, RW, flags, None, 0, host)
        }),
        ("mmap over several", |mm, host| {
            let flags = MAP_SHARED | MAP_FIXED;
            mm.mmap(0x10_1000, 14 * PAGE, RW, flags, Some(9), 0, host)
        }),
        ("munmap of several", |mm, host| {
            mm.munmap(0x10_1000, 14 * PAGE, host).map(|()| 0)
        }),
        ("mprotect of several", |mm, host| {
            mm.mprotect(0x10_9000, 4 * PAGE, PROT_READ, host)
                .map(|()| 0)
        }),
        ("mremap that shrinks", |mm, host| {
            mm.mremap(0x10_8000, 6 * PAGE, PAGE, 0, 0, host)
        }),
        ("mremap in place", |mm, host| {
            mm.mremap(0x10_0000, 4 * PAGE, 6 * PAGE, 0, 0, host)
        }),
        ("mremap that moves", |mm, host| {
            mm.mremap(0x10_1000, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0, host)
        }),
        ("mremap behind itself", |mm, host| {
            let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
            mm.mremap(0x10_2000, 2 * PAGE, 3 * PAGE, flags, 0x10_4000, host)
        }),
        ("mremap of several rows over others", |mm, host| {
            let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
            mm.mremap(0x10_8000, 8 * PAGE, 8 * PAGE, flags, 0x10_0000, host)
        }),
        ("mremap that keeps", |mm, host| {
            let flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
            mm.mremap(0x10_9000, PAGE, PAGE, flags, 0, host)
        }),
        ("mremap of nothing, shared", |mm, host| {
            mm.mremap(0x10_e000, 0, PAGE, MREMAP_MAYMOVE, 0, host)
        }),
        ("brk", |mm, host| {
            let end = 0x100_3000;
            if mm.brk(end, host) == end {
                Ok(0)
            } else {
                Err(Errno::ENOMEM)
            }
        }),
        ("brk down", |mm, host| {
            let end = 0x100_0000;
            if mm.brk(end, host) == end {
                Ok(0)
            } else {
                Err(Errno::ENOMEM)
            }
        }),
    ]
}

fn other_calls() -> Vec<(&'static str, Call)> {
    vec![
        ("madvise of rows", |mm, host| {
            mm.madvise(0x10_9000, 4 * PAGE, MADV_DONTFORK, host)
                .map(|()| 0)
        }),
        ("madvise of pages", |mm, host| {
            mm.madvise(0x10_9000, 4 * PAGE, MADV_DONTNEED, host)
                .map(|()| 0)
        }),
        ("madvise that fetches", |mm, host| {
            mm.madvise(0x10_8000, PAGE, MADV_POPULATE_WRITE, host)
                .map(|()| 0)
        }),
        ("madvise that guards", |mm, host| {
            mm.madvise(0x10_1000, PAGE, MADV_GUARD_INSTALL, host)
                .map(|()| 0)
        }),
        ("mlock of several", |mm, host| {
            mm.mlock(0x10_9001, 4 * PAGE - 1, host).map(|()| 0)
        }),
        ("mlock on fault", |mm, host| {
            mm.mlock2(0x10_8000, 5 * PAGE, MLOCK_ONFAULT, host)
                .map(|()| 0)
        }),
        ("munlock", |mm, host| {
            mm.munlock(0x10_f000, PAGE, host).map(|()| 0)
        }),
        ("mlockall", |mm, host| {
            mm.mlockall(MCL_CURRENT | MCL_FUTURE, host).map(|()| 0)
        }),
        ("munlockall", |mm, host| mm.munlockall(host).map(|()| 0)),
        ("msync", |mm, host| {
            mm.msync(0x10_e000, 2 * PAGE, MS_SYNC, host).map(|()| 0)
        }),
        ("mseal of several", |mm, host| {
            mm.mseal(0x10_9000, 4 * PAGE, 0, host).map(|()| 0)
        }),
        ("mremap that keeps what is locked", |mm, host| {
            let flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
            mm.mremap(0x10_f000, PAGE, PAGE, flags, 0, host)
        }),
        ("a stack that grows", |mm, host| {
            match mm.fault(0x7e_0000, Access::Write, host) {
                Ok(row) => Ok(row.addr),
                Err(Fault::Host(errno)) => Err(errno),
                Err(other) => panic!("{other}"),
            }
        }),
    ]
}

/// Anonymous memory, a hole, two pieces of a file, anonymous memory, shared memory.
fn prepared() -> (Mm<u32>, Tested) {
    let (mut mm, mut host) = (mm(), Tested::default());
    let file = MAP_PRIVATE | MAP_FIXED;
    let anonymous = PRIVATE | MAP_FIXED;
    let shared = MAP_SHARED | MAP_FIXED;
    for (addr, pages, prot, flags, object) in [
        (0x10_0000, 4, RW, anonymous, None),
        (0x10_8000, 2, RW, file, Some(3)),
        (0x10_a000, 2, PROT_READ, file, Some(3)),
        (0x10_c000, 2, RW, anonymous, None),
        (0x10_e000, 2, RW, shared, Some(4)),
        (0x7f_f000, 1, RW, anonymous | MAP_GROWSDOWN, None),
    ] {
        let mapped = mm.mmap(addr, pages * PAGE, prot, flags, object, 0, &mut host);
        assert_eq!(mapped, Ok(addr));
    }
    assert_eq!(mm.brk(0x100_1800, &mut host), 0x100_1800);
    let locked = mm.mlock2(0x10_f000, PAGE, MLOCK_ONFAULT, &mut host);
    assert_eq!(locked, Ok(()));
    (mm, host)
}

#[test]
fn the_books_are_what_the_host_has_wherever_it_refuses() {
    for (name, call) in calls() {
        for budget in 0.. {
            let (mut mm, mut host) = prepared();
            host.pages.budget = Some(budget);
            let result = call(&mut mm, &mut host);
            mm.check();
            assert!(host.pages.are(mm.rows()), "{name}, refused after {budget}");
            if result.is_ok() {
                assert!(budget > 0, "{name} asks the host for nothing");
                break;
            }
            let brk = name.starts_with("brk");
            assert_eq!(result, Err(if brk { Errno::ENOMEM } else { REFUSED }));
        }
    }
}

/// More rows, so that nodes are full somewhere.
fn filled(rows: u64) -> (Mm<u32>, Tested) {
    let (mut mm, mut host) = prepared();
    for n in 0..rows {
        let (addr, flags) = (0x20_0000 + 2 * n * PAGE, PRIVATE | MAP_FIXED);
        let mapped = mm.mmap(addr, PAGE, RW, flags, None, 0, &mut host);
        assert_eq!(mapped, Ok(addr));
    }
    (mm, host)
}

#[test]
fn the_books_are_what_the_host_has_wherever_memory_ends() {
    let mut failures = 0;
    for rows in 20..50 {
        for (name, call) in calls() {
            for point in 0.. {
                let (mut mm, mut host) = filled(rows);
                let (result, failed) = failing_at(point, || call(&mut mm, &mut host));
                mm.check();
                assert!(host.pages.are(mm.rows()), "{name}, no memory after {point}");
                if !failed {
                    assert!(result.is_ok(), "{name}");
                    break;
                }
                let advice = name.starts_with("madvise") && result == Err(Errno::EAGAIN);
                assert!(advice || result == Err(Errno::ENOMEM), "{name}: {result:?}");
                failures += 1;
            }
        }
    }
    assert!(failures > 20, "only {failures} allocations failed");
}

#[test]
fn a_host_that_panics_has_not_done_it() {
    const MOVES: u64 = MREMAP_MAYMOVE | MREMAP_FIXED;
    let calls: [Call; 9] = [
        |mm, host| mm.munmap(0x10_1000, PAGE, host).map(|()| 0),
        |mm, host| mm.munmap(0x10_0000, 16 * PAGE, host).map(|()| 0),
        |mm, host| {
            let flags = PRIVATE | MAP_FIXED;
            mm.mmap(0x10_1000, 14 * PAGE, RW, flags, None, 0, host)
        },
        |mm, host| mm.mremap(0x10_8000, 6 * PAGE, PAGE, 0, 0, host),
        |mm, host| Ok(mm.brk(0x100_0000, host)),
        |mm, host| mm.mmap(0, 3 * PAGE, RW, PRIVATE, None, 0, host),
        |mm, host| {
            mm.mremap(
                0x10_0000,
                2 * PAGE,
                2 * PAGE,
                MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
                0,
                host,
            )
        },
        |mm, host| mm.mremap(0x10_0000, 4 * PAGE, 6 * PAGE, 0, 0, host),
        |mm, host| mm.mremap(0x10_2000, 2 * PAGE, 3 * PAGE, MOVES, 0x10_4000, host),
    ];
    for call in calls {
        for budget in 0.. {
            let (mut mm, mut host) = prepared();
            host.pages.budget = Some(budget);
            host.panics = true;
            let run = AssertUnwindSafe(|| call(&mut mm, &mut host));
            let panicked = catch_unwind(run).is_err();
            mm.check();
            assert!(host.pages.are(mm.rows()), "after {budget}");
            assert!(panicked || budget > 0);
            if !panicked {
                break;
            }
        }
    }
}

/// A move to where it touches itself, refused where the books have no memory.
#[test]
fn a_refused_move_beside_itself_needs_no_memory() {
    for rows in 20..50 {
        let (mut mm, mut host) = filled(rows);
        let addr = 0x20_0000;
        mm.munmap(addr, 8 * PAGE, &mut host).unwrap();
        let flags = PRIVATE | MAP_FIXED;
        mm.mmap(addr, 4 * PAGE, RW, flags, None, 0, &mut host)
            .unwrap();
        let before = mm.rows().count();
        host.pages.budget = Some(0);
        for point in 0..6 {
            let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
            let ((), _) = failing_at(point, || {
                let (from, to) = (addr + 2 * PAGE, addr + 4 * PAGE);
                let moved = mm.mremap(from, PAGE, 2 * PAGE, flags, to, &mut host);
                assert!(moved == Err(REFUSED) || moved == Err(Errno::ENOMEM));
            });
            mm.check();
            assert_eq!(mm.rows().count(), before);
            assert!(host.pages.are(mm.rows()));
        }
    }
}

#[test]
fn a_plan_is_a_call_on_a_clone() {
    let (mm, host) = prepared();
    let (mut plan, mut done) = (mm.clone(), host.clone());
    plan.munmap(0x10_0000, 16 * PAGE, &mut done).unwrap();
    assert!(host.pages.are(mm.rows()));
    assert!(done.pages.are(plan.rows()));
}
