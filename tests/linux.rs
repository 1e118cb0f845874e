//! Linux's calls: places, what a host that refuses leaves, and calls without memory. The
//! running kernel and recorded programs are elsewhere: `tests/kernel.rs`,
//! `cargo xtask replay`.

mod failing;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use failing::{failing_at, with_memory};
use gaptree::linux::flags::*;
use gaptree::linux::{Access, Config, Errno, Fault, File, Host, Layout, Limits, Mm, Row};
use reference::host::{Pages, REFUSED};

const PAGE: u64 = 4096;
const HUGE: u64 = 2 << 20;
const BASE: u64 = 0x7000_0000;
const GAP: u64 = 256 * PAGE;
const RW: u64 = PROT_READ | PROT_WRITE;
const PRIVATE: u64 = MAP_PRIVATE | MAP_ANONYMOUS;

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

#[test]
fn the_highest_gap_below_the_base_and_then_upwards() {
    let mut mm = mm();
    fixed(&mut mm, BASE - 3 * PAGE, PAGE, 0);
    assert_eq!(place(&mm, 0, 2 * PAGE, 0, None), Ok(BASE - 2 * PAGE));
    assert_eq!(place(&mm, 0, 3 * PAGE, 0, None), Ok(BASE - 6 * PAGE));
    // Nothing below the base: from the legacy base up, and so above it.
    fixed(&mut mm, 0x1_0000, BASE - 0x1_0000, 0);
    assert_eq!(place(&mm, 0, PAGE, 0, None), Ok(BASE));
    let rest = mm.config().end - BASE;
    assert_eq!(place(&mm, 0, rest + PAGE, 0, None), Err(Errno::ENOMEM));
    let mut legacy = config();
    legacy.layout = Layout::BottomUp;
    let mut mm = Mm::<u32>::new(legacy).unwrap();
    assert_eq!(place(&mm, 0, PAGE, 0, None), Ok(0x2000_0000));
    fixed(&mut mm, 0x2000_1000, PAGE, 0);
    assert_eq!(place(&mm, 0, 2 * PAGE, 0, None), Ok(0x2000_2000));
    assert_eq!(place(&mm, 0, PAGE, MAP_32BIT, None), Ok(0x4000_0000));
}

#[test]
fn huge_pages_align_what_could_hold_one() {
    /// A file on a file system that does not align.
    #[derive(Clone, PartialEq)]
    struct Plain;
    impl File for Plain {
        fn is_huge_aligned(&self) -> bool {
            false
        }
    }
    let mut mm = mm();
    fixed(&mut mm, BASE - PAGE, PAGE, 0);
    assert_eq!(place(&mm, 0, HUGE, 0, None), Ok(BASE - 2 * HUGE));
    assert_eq!(place(&mm, 0, 2 * HUGE, 0, Some(1)), Ok(BASE - 3 * HUGE));
    let odd = HUGE + PAGE;
    assert_eq!(place(&mm, 0, odd, 0, None), Ok(BASE - PAGE - odd));
    assert_eq!(
        place(&mm, 0, odd - PAGE / 2, 0, Some(1)),
        Ok(BASE - 2 * HUGE)
    );
    let shared = mm
        .clone()
        .mmap(0, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS, None, 0, &mut ());
    assert_eq!(shared, Ok(BASE - PAGE - HUGE));
    // By the offset in the file; what is shorter than a huge page there is not.
    let at = |offset, len| {
        mm.clone()
            .mmap(0, len, RW, MAP_PRIVATE, Some(1), offset, &mut ())
    };
    assert_eq!(at(3 * PAGE, 2 * HUGE), Ok(BASE - 3 * HUGE + 3 * PAGE));
    assert_eq!(at(PAGE, odd), Ok(BASE - PAGE - odd));
    let mut plain = Mm::<Plain>::new(config()).unwrap();
    let mapped = plain.mmap(0, HUGE, RW, MAP_PRIVATE, Some(Plain), 0, &mut ());
    assert_eq!(mapped, Ok(BASE - HUGE));
    // No room for the alignment, above the base neither: the plain search.
    let rest = mm.config().end - BASE;
    fixed(&mut mm, BASE, rest, 0);
    fixed(&mut mm, 0x1_0000, BASE - HUGE - PAGE - 0x1_0000, 0);
    assert_eq!(place(&mm, 0, HUGE, 0, None), Ok(BASE - HUGE - PAGE));
}

#[test]
fn a_hint_is_rounded_down_and_taken_if_free() {
    let mut mm = mm();
    fixed(&mut mm, 0x20_0000, PAGE, 0);
    let hinted = |hint, len| place(&mm, hint, len, 0, None);
    assert_eq!(hinted(0x40_0fff, PAGE), Ok(0x40_0000));
    assert_eq!(hinted(0x1f_f000, PAGE), Ok(0x1f_f000));
    assert_eq!(hinted(0x1f_f000, 2 * PAGE), Ok(BASE - 2 * PAGE));
    assert_eq!(hinted(0x2000, PAGE), Ok(0x1_0000));
    assert_eq!(hinted(0xfff, PAGE), Ok(BASE - PAGE));
    assert_eq!(hinted(BASE + PAGE, PAGE), Ok(BASE + PAGE));
    assert_eq!(hinted(u64::MAX, PAGE), Ok(BASE - PAGE));
    // One that is not free loses the alignment too.
    assert_eq!(hinted(0x20_0000, HUGE), Ok(BASE - HUGE));
    let low = mm
        .clone()
        .mmap(0x1000, PAGE, RW, PRIVATE | MAP_FIXED, None, 0, &mut ());
    assert_eq!(low, Err(Errno::EPERM));
}

#[test]
fn room_is_kept_below_what_grows_downwards() {
    let mut mm = mm();
    let stack = BASE - 4 * PAGE;
    fixed(&mut mm, stack, PAGE, MAP_GROWSDOWN);
    assert_eq!(place(&mm, 0, 3 * PAGE, 0, None), Ok(BASE - 3 * PAGE));
    assert_eq!(place(&mm, 0, 4 * PAGE, 0, None), Ok(stack - GAP - 4 * PAGE));
    let near = stack - GAP - 2 * PAGE;
    assert_eq!(place(&mm, near, 2 * PAGE, 0, None), Ok(near));
    assert_eq!(place(&mm, near, 3 * PAGE, 0, None), Ok(BASE - 3 * PAGE));
    // The search goes on below all of the gap, whatever is in it.
    fixed(&mut mm, stack - 100 * PAGE, PAGE, 0);
    assert_eq!(place(&mm, 0, 4 * PAGE, 0, None), Ok(stack - GAP - 4 * PAGE));
    let between = stack - 110 * PAGE;
    assert_eq!(place(&mm, between, 4 * PAGE, 0, None), Ok(between));
}

/// 1 is open for reading, 2 for writing, 4 is `noexec`.
#[derive(Clone, PartialEq)]
struct Open(u32);
impl File for Open {
    fn is_readable(&self) -> bool {
        self.0 & 1 != 0
    }
    fn is_writable(&self) -> bool {
        self.0 & 2 != 0
    }
    fn is_noexec(&self) -> bool {
        self.0 & 4 != 0
    }
}

type Asked = (u64, u64, u64, u64, Option<u32>, u64, &'static str);

const END: u64 = Config::x86_64().end;

const REFUSED_MAPS: [Asked; 19] = [
    (0, 0, RW, MAP_PRIVATE, None, 1, "EINVAL"),
    (0, 0, RW, MAP_PRIVATE, None, 0, "EBADF"),
    (0, 0, RW, PRIVATE | MAP_HUGETLB, None, 0, "ENOMEM"),
    (0, 0, RW, MAP_PRIVATE | MAP_HUGETLB, Some(3), 0, "EINVAL"),
    (0, 0, RW, PRIVATE, None, 0, "EINVAL"),
    (0, u64::MAX, RW, PRIVATE, None, 0, "ENOMEM"),
    (END, 1, RW, PRIVATE | MAP_FIXED, None, 0, "ENOMEM"),
    (0x2_0001, 1, RW, PRIVATE | MAP_FIXED, None, 0, "EINVAL"),
    (0x1000, 1, RW, PRIVATE | MAP_FIXED, None, 0, "EPERM"),
    (0, 1, RW, MAP_ANONYMOUS, None, 0, "EINVAL"),
    (
        0,
        1,
        RW,
        MAP_ANONYMOUS | MAP_SHARED | MAP_GROWSDOWN,
        None,
        0,
        "EINVAL",
    ),
    (
        0,
        1,
        RW,
        MAP_PRIVATE,
        Some(3),
        i64::MAX as u64 + 1,
        "EOVERFLOW",
    ),
    (
        0,
        1,
        RW,
        MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE,
        Some(3),
        0,
        "EPERM",
    ),
    (
        0,
        1,
        RW,
        MAP_SHARED_VALIDATE | 1 << 22,
        Some(3),
        0,
        "EOPNOTSUPP",
    ),
    (0, 1, RW, MAP_SHARED, Some(1), 0, "EACCES"),
    (0, 1, RW, MAP_SHARED, Some(2), 0, "EACCES"),
    (0, 1, PROT_EXEC, MAP_PRIVATE, Some(5), 0, "EPERM"),
    (0, 1, RW, MAP_PRIVATE | MAP_GROWSDOWN, Some(3), 0, "EINVAL"),
    (0, 1, RW, 0, Some(3), 0, "EINVAL"),
];

#[test]
fn errors_come_in_the_order_of_linux_s_checks() {
    let mut mm = Mm::<Open>::new(config()).unwrap();
    let end = mm.config().end;
    let mut ask = |addr, len, prot, flags, file: Option<u32>, offset| {
        let file = file.map(Open);
        mm.mmap(addr, len, prot, flags, file, offset, &mut ())
            .map_err(|errno| errno.name().unwrap())
    };
    for (addr, len, prot, flags, file, offset, expected) in REFUSED_MAPS {
        let got = ask(addr, len, prot, flags, file, offset);
        assert_eq!(got, Err(expected), "{addr:x} {len:x} {flags:x} {file:?}");
    }
    let shared = ask(0, PAGE, PROT_READ, MAP_SHARED, Some(1), 0).unwrap();
    let data = ask(0x100_0000, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, None, 0);
    assert_eq!(data, Ok(0x100_0000));
    let again = ask(0x100_0000, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, None, 0);
    assert_eq!(again, Err("EEXIST"));
    // What was opened for reading is not written through a mapping.
    assert_eq!(mm.mprotect(shared, PAGE, RW, &mut ()), Err(Errno::EACCES));
    assert_eq!(mm.mprotect(shared, PAGE, 16, &mut ()), Err(Errno::EINVAL));
    assert_eq!(mm.mprotect(shared, 0, 16, &mut ()), Ok(()));
    assert_eq!(mm.munmap(shared, 0, &mut ()), Err(Errno::EINVAL));
    assert_eq!(mm.munmap(end, PAGE, &mut ()), Err(Errno::EINVAL));
}

#[test]
fn brk_stops_where_linux_stops_it() {
    let mut mm = mm();
    let start = mm.config().brk;
    let end = mm.config().end;
    assert_eq!(mm.brk(0, &mut ()), start);
    assert_eq!(mm.brk(start - 1, &mut ()), start);
    assert_eq!(mm.brk(start + 1, &mut ()), start + 1);
    assert_eq!(mm.brk(start + PAGE, &mut ()), start + PAGE);
    assert_eq!(mm.rows().count(), 1);
    // A page is kept free above the heap, and more below a stack.
    fixed(&mut mm, start + 8 * PAGE, PAGE, 0);
    assert_eq!(mm.brk(start + 7 * PAGE + 1, &mut ()), start + PAGE);
    assert_eq!(mm.brk(start + 7 * PAGE, &mut ()), start + 7 * PAGE);
    assert_eq!(mm.brk(start + 2 * PAGE, &mut ()), start + 2 * PAGE);
    mm.munmap(start + 8 * PAGE, PAGE, &mut ()).unwrap();
    fixed(&mut mm, start + 300 * PAGE, PAGE, MAP_GROWSDOWN);
    assert_eq!(mm.brk(start + 44 * PAGE, &mut ()), start + 2 * PAGE);
    assert_eq!(mm.brk(start + 43 * PAGE, &mut ()), start + 43 * PAGE);
    for far in [end, end + 1, 1 << 63, u64::MAX] {
        assert_eq!(mm.brk(far, &mut ()), start + 43 * PAGE, "{far:x}");
    }
    // A heap that is gone cannot shrink.
    mm.munmap(start, 43 * PAGE, &mut ()).unwrap();
    assert_eq!(mm.brk(start, &mut ()), start + 43 * PAGE);
}

#[test]
fn rows_are_apart_where_linux_keeps_them_apart() {
    let mut mm = mm();
    let file = |mm: &mut Mm<u32>, addr, prot, offset| {
        let flags = MAP_PRIVATE | MAP_FIXED;
        mm.mmap(addr, PAGE, prot, flags, Some(7), offset, &mut ())
            .unwrap();
    };
    file(&mut mm, 0x10_0000, RW, 0);
    file(&mut mm, 0x10_1000, PROT_READ, PAGE);
    // Once writable, it counts for ever; memory without a file does not, untouched.
    mm.mprotect(0x10_0000, PAGE, PROT_READ, &mut ()).unwrap();
    fixed(&mut mm, 0x20_0000, PAGE, 0);
    mm.mprotect(0x20_0000, PAGE, PROT_READ, &mut ()).unwrap();
    let flags = PRIVATE | MAP_FIXED;
    mm.mmap(0x20_1000, PAGE, PROT_READ, flags, None, 0, &mut ())
        .unwrap();
    fixed(&mut mm, 0x30_0000, PAGE, 0);
    fixed(&mut mm, 0x30_1000, PAGE, MAP_NORESERVE);
    let rows = mm.rows().map(|row| (row.addr, row.len / PAGE));
    assert!(rows.eq([
        (0x10_0000, 1),
        (0x10_1000, 1),
        (0x20_0000, 2),
        (0x30_0000, 1),
        (0x30_1000, 1),
    ]));
    // Across such a border `mremap` does not go.
    let across = mm.mremap(0x10_0000, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0, &mut ());
    assert_eq!(across, Err(Errno::EFAULT));
}

/// Calls that do everything that a host can be asked for.
type Call = fn(&mut Mm<u32>, &mut Tested) -> Result<u64, Errno>;

fn calls() -> Vec<(&'static str, Call)> {
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

/// Anonymous memory, a hole, two pieces of a file, anonymous memory, shared memory.
fn prepared() -> (Mm<u32>, Tested) {
    let (mut mm, mut host) = (mm(), Tested::default());
    let file = MAP_PRIVATE | MAP_FIXED;
    let anonymous = PRIVATE | MAP_FIXED;
    let shared = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    for (addr, pages, prot, flags, object) in [
        (0x10_0000, 4, RW, anonymous, None),
        (0x10_8000, 2, RW, file, Some(3)),
        (0x10_a000, 2, PROT_READ, file, Some(3)),
        (0x10_c000, 2, RW, anonymous, None),
        (0x10_e000, 2, RW, shared, None),
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
    let calls: [Call; 4] = [
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
        let (mut mm, mut host) = prepared();
        host.pages.budget = Some(0);
        host.panics = true;
        let run = AssertUnwindSafe(|| call(&mut mm, &mut host));
        assert!(catch_unwind(run).is_err());
        mm.check();
        assert!(host.pages.are(mm.rows()));
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

#[test]
fn a_space_that_is_none_is_refused() {
    let mut none = config();
    none.page_size = 1000;
    assert!(Mm::<u32>::new(none).is_err());
    let mut odd = config();
    odd.huge_page = Some(0x3000);
    assert!(Mm::<u32>::new(odd).is_err());
    let mut wide = config();
    wide.end = u64::MAX - (PAGE - 1);
    assert!(Mm::<u32>::new(wide).is_err());
}

/// The rows of some pages: address less `base`, pages, flags of a mask.
fn rows_of(mm: &Mm<u32>, base: u64, pages: u64, mask: u32) -> Vec<(u64, u64, u32)> {
    let rows = mm.rows_in(base, pages * PAGE);
    rows.map(|row| ((row.addr - base) / PAGE, row.len / PAGE, row.flags & mask))
        .collect()
}

#[test]
fn who_wrote_decides_which_rows_join() {
    let mut mm = mm();
    let base = 0x10_0000;
    // Two rows that only the protection keeps apart share who writes to them.
    fixed(&mut mm, base, 4 * PAGE, 0);
    mm.mprotect(base + 2 * PAGE, 2 * PAGE, PROT_READ, &mut ())
        .unwrap();
    mm.fault(base, Access::Write, &mut ()).unwrap();
    mm.mprotect(base + 2 * PAGE, 2 * PAGE, RW, &mut ()).unwrap();
    assert_eq!(rows_of(&mm, base, 4, 0), [(0, 4, 0)]);
    // Two that other flags keep apart do not.
    mm.munmap(base, 4 * PAGE, &mut ()).unwrap();
    fixed(&mut mm, base, 4 * PAGE, 0);
    mm.madvise(base + 2 * PAGE, 2 * PAGE, MADV_RANDOM, &mut ())
        .unwrap();
    mm.fault(base, Access::Write, &mut ()).unwrap();
    mm.fault(base + 2 * PAGE, Access::Write, &mut ()).unwrap();
    mm.madvise(base + 2 * PAGE, 2 * PAGE, MADV_NORMAL, &mut ())
        .unwrap();
    assert_eq!(rows_of(&mm, base, 4, 0), [(0, 2, 0), (2, 2, 0)]);
    // What moves keeps its place of old: it joins nothing there.
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    fixed(&mut mm, base + 8 * PAGE, PAGE, 0);
    mm.mremap(base, 2 * PAGE, 2 * PAGE, flags, base + 9 * PAGE, &mut ())
        .unwrap();
    assert_eq!(rows_of(&mm, base + 8 * PAGE, 3, 0), [(0, 1, 0), (1, 2, 0)]);
    mm.check();
}

#[test]
fn a_fault_is_what_the_processor_finds() {
    /// A file of a page and a half.
    #[derive(Clone, PartialEq)]
    struct Short;
    impl File for Short {
        fn size(&self) -> u64 {
            PAGE + PAGE / 2
        }
    }
    let mut mm = Mm::<Short>::new(config()).unwrap();
    let at = 0x10_0000;
    let flags = MAP_PRIVATE | MAP_FIXED;
    mm.mmap(at, 4 * PAGE, PROT_READ, flags, Some(Short), 0, &mut ())
        .unwrap();
    let none = PRIVATE | MAP_FIXED;
    mm.mmap(at + 4 * PAGE, PAGE, 0, none, None, 0, &mut ())
        .unwrap();
    mm.mmap(at + 5 * PAGE, PAGE, PROT_WRITE, none, None, 0, &mut ())
        .unwrap();
    let mut fault = |addr, access| mm.fault(addr, access, &mut ()).err();
    assert_eq!(fault(at + 2 * PAGE - 1, Access::Read), None);
    assert_eq!(fault(at + 2 * PAGE, Access::Read), Some(Fault::PastEnd));
    assert_eq!(fault(at, Access::Write), Some(Fault::Denied));
    assert_eq!(fault(at, Access::Execute), Some(Fault::Denied));
    assert_eq!(fault(at + 3 * PAGE, Access::Execute), Some(Fault::PastEnd));
    assert_eq!(fault(at + 4 * PAGE, Access::Read), Some(Fault::Denied));
    assert_eq!(fault(at + 5 * PAGE, Access::Read), None);
    assert_eq!(fault(at + 6 * PAGE, Access::Read), Some(Fault::NotMapped));
    assert_eq!(fault(u64::MAX, Access::Write), Some(Fault::NotMapped));
    let mut gone = Vec::new();
    struct Gone<'a>(&'a mut Vec<(u64, u64)>);
    impl Host<Short> for Gone<'_> {
        fn advise(&mut self, row: &Row<'_, Short>, _: u64) -> Result<(), Errno> {
            self.0.push((row.addr, row.len));
            Ok(())
        }
    }
    mm.truncate(&Short, PAGE + 1, &mut Gone(&mut gone)).unwrap();
    assert_eq!(gone, [(at + 2 * PAGE, 2 * PAGE)]);
}

#[test]
fn a_stack_grows_as_far_as_it_may() {
    let mut mm = mm();
    let top = 0x400_0000;
    fixed(&mut mm, top - PAGE, PAGE, MAP_GROWSDOWN);
    let mut limits = Limits::new();
    limits.stack = 64 * PAGE;
    mm.set_limits(limits.clone());
    let mut write = |mm: &mut Mm<u32>, addr| {
        let row = mm.fault(addr, Access::Write, &mut ());
        row.map(|row| (row.addr, row.len))
    };
    let grown = top - 3 * PAGE;
    assert_eq!(write(&mut mm, grown + 5), Ok((grown, 3 * PAGE)));
    assert_eq!(mm.counters().stack, 3 * PAGE);
    let far = top - 65 * PAGE;
    assert_eq!(write(&mut mm, far), Err(Fault::NotMapped));
    assert_eq!(write(&mut mm, far + PAGE), Ok((far + PAGE, 64 * PAGE)));
    // Memory in the gap below stops it, unless nobody may access that.
    limits.stack = u64::MAX;
    mm.set_limits(limits);
    let below = far - 100 * PAGE;
    fixed(&mut mm, below, PAGE, 0);
    assert_eq!(write(&mut mm, far), Err(Fault::NotMapped));
    mm.mprotect(below, PAGE, 0, &mut ()).unwrap();
    assert_eq!(write(&mut mm, far), Ok((far, 65 * PAGE)));
    assert_eq!(write(&mut mm, below - PAGE), Err(Fault::NotMapped));
    mm.check();
}

#[test]
fn limits_are_looked_at_where_linux_looks_at_them() {
    let mut mm = mm();
    let base = 0x10_0000;
    fixed(&mut mm, base, 4 * PAGE, 0);
    let limit = |mm: &mut Mm<u32>, set: fn(&mut Limits)| {
        let mut limits = Limits::new();
        set(&mut limits);
        mm.set_limits(limits);
    };
    let map = |mm: &mut Mm<u32>, prot, flags| {
        mm.mmap(0, 2 * PAGE, prot, PRIVATE | flags, None, 0, &mut ())
            .err()
    };
    limit(&mut mm, |limits| limits.address_space = 5 * PAGE);
    assert_eq!(map(&mut mm, RW, 0), Some(Errno::ENOMEM));
    let grown = mm.mremap(base, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, 0, &mut ());
    assert_eq!(grown, Err(Errno::ENOMEM));
    assert_eq!(mm.brk(0x100_2000, &mut ()), 0x100_0000);
    limit(&mut mm, |limits| limits.data = 4 * PAGE);
    assert_eq!(map(&mut mm, RW, 0), Some(Errno::ENOMEM));
    assert_eq!(map(&mut mm, PROT_READ, 0), None);
    let place = mm.rows().last().map(|row| row.addr).unwrap();
    let written = mm.mprotect(place, 2 * PAGE, RW, &mut ());
    assert_eq!(written, Err(Errno::ENOMEM));
    limit(&mut mm, |limits| limits.locked = 3 * PAGE);
    assert_eq!(map(&mut mm, RW, MAP_LOCKED), None);
    assert_eq!(map(&mut mm, RW, MAP_LOCKED), Some(Errno::EAGAIN));
    assert_eq!(mm.mlock(base, 2 * PAGE, &mut ()), Err(Errno::ENOMEM));
    // What is locked already does not count twice.
    assert_eq!(mm.mlock(base, 1, &mut ()), Ok(()));
    assert_eq!(mm.mlock(base, PAGE, &mut ()), Ok(()));
    assert_eq!(mm.counters().locked, 3 * PAGE);
    limit(&mut mm, |limits| limits.locked = 0);
    assert_eq!(map(&mut mm, RW, MAP_LOCKED), Some(Errno::EPERM));
    assert_eq!(mm.mlock(base, 0, &mut ()), Err(Errno::EPERM));
    assert_eq!(mm.munlock(base, 4 * PAGE, &mut ()), Ok(()));
    mm.check();
}

/// Pages of two protections in turn, as many rows as there may be.
fn full(rows: usize) -> (Mm<u32>, u64) {
    let mut config = config();
    config.max_map_count = rows;
    let (mut mm, base) = (Mm::<u32>::new(config).unwrap(), 0x10_0000);
    for n in 0..rows as u64 {
        let (addr, prot) = (base + 4 * n * PAGE, [PROT_READ, RW][n as usize % 2]);
        let flags = PRIVATE | MAP_FIXED;
        mm.mmap(addr, 4 * PAGE, prot, flags, None, 0, &mut ())
            .unwrap();
    }
    (mm, base)
}

#[test]
fn no_more_rows_than_there_may_be() {
    let (mut mm, base) = full(20);
    let inside = base + PAGE;
    assert_eq!(mm.munmap(inside, PAGE, &mut ()), Err(Errno::ENOMEM));
    let flags = PRIVATE | MAP_FIXED;
    let over = mm.mmap(inside, PAGE, 0, flags, None, 0, &mut ());
    assert_eq!(over, Err(Errno::ENOMEM));
    assert_eq!(mm.mprotect(inside, PAGE, 0, &mut ()), Err(Errno::ENOMEM));
    let advised = mm.madvise(inside, PAGE, MADV_DONTDUMP, &mut ());
    assert_eq!(advised, Err(Errno::EAGAIN));
    assert_eq!(mm.mlock(inside, PAGE, &mut ()), Err(Errno::ENOMEM));
    assert_eq!(mm.rows().count(), 20);
    // A change that joins a neighbour needs no row more.
    assert_eq!(mm.mprotect(base + 3 * PAGE, PAGE, RW, &mut ()), Ok(()));
    assert_eq!(mm.munmap(base, PAGE, &mut ()), Ok(()));
    // With room for one more, the first of two cuts is made, and stays.
    assert_eq!(mm.munmap(base + 76 * PAGE, 4 * PAGE, &mut ()), Ok(()));
    assert_eq!(mm.rows().count(), 19);
    let (from, len) = (base + 41 * PAGE, 2 * PAGE);
    assert_eq!(mm.mprotect(from, len, 0, &mut ()), Err(Errno::ENOMEM));
    assert_eq!(mm.rows().count(), 20);
    assert_eq!(mm.row_at(from).map(|row| row.addr), Some(from));
    assert_eq!(mm.mprotect(from, 3 * PAGE, RW, &mut ()), Ok(()));
    assert_eq!(mm.rows().count(), 19);
    mm.check();
}

#[test]
fn what_is_sealed_stays() {
    let mut mm = mm();
    let base = 0x10_0000;
    fixed(&mut mm, base, 8 * PAGE, 0);
    mm.mseal(base + 4 * PAGE, 2 * PAGE, 0, &mut ()).unwrap();
    let sealed = base + 4 * PAGE;
    let sum = mm.counters();
    assert_eq!(mm.munmap(base, 8 * PAGE, &mut ()), Err(Errno::EPERM));
    assert_eq!(mm.mprotect(sealed, PAGE, 0, &mut ()), Err(Errno::EPERM));
    let flags = PRIVATE | MAP_FIXED;
    let over = mm.mmap(base, 8 * PAGE, RW, flags, None, 0, &mut ());
    assert_eq!(over, Err(Errno::EPERM));
    let moved = mm.mremap(sealed, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0, &mut ());
    assert_eq!(moved, Err(Errno::EPERM));
    // What may be written may also be thrown away.
    let thrown = |mm: &mut Mm<u32>| mm.madvise(sealed, PAGE, MADV_DONTNEED, &mut ());
    assert_eq!(thrown(&mut mm), Ok(()));
    assert_eq!(mm.counters(), sum);
    // A change in front of it is done, and what follows refused.
    assert_eq!(
        mm.mprotect(base, 8 * PAGE, PROT_READ, &mut ()),
        Err(Errno::EPERM)
    );
    assert_eq!(mm.mseal(base, 9 * PAGE, 0, &mut ()), Err(Errno::ENOMEM));
    assert_eq!(mm.mseal(base, 8 * PAGE, 0, &mut ()), Ok(()));
    let shown = rows_of(&mm, base, 8, VM_SEALED | VM_ACCOUNT);
    let counted = VM_SEALED | VM_ACCOUNT;
    assert_eq!(shown, [(0, 4, VM_SEALED), (4, 4, counted)]);
    let read = mm.madvise(base, PAGE, MADV_DONTNEED, &mut ());
    assert_eq!(read, Err(Errno::EPERM));
    mm.check();
}

#[test]
fn a_child_has_what_its_parent_has_but_locks() {
    let mut mm = mm();
    let base = 0x10_0000;
    fixed(&mut mm, base, 8 * PAGE, 0);
    mm.mlock2(base, 2 * PAGE, MLOCK_ONFAULT, &mut ()).unwrap();
    mm.madvise(base + 6 * PAGE, PAGE, MADV_DONTFORK, &mut ())
        .unwrap();
    mm.madvise(base + 7 * PAGE, PAGE, MADV_WIPEONFORK, &mut ())
        .unwrap();
    mm.fault(base + 7 * PAGE, Access::Write, &mut ()).unwrap();
    mm.mlockall(MCL_FUTURE, &mut ()).unwrap();
    let mut child = mm.fork().unwrap();
    child.check();
    // Linux joins nothing here, although the lock is gone.
    let shown = rows_of(&child, base, 8, VM_LOCKED);
    assert_eq!(shown, [(0, 2, 0), (2, 4, 0), (7, 1, 0)]);
    assert_eq!(child.counters().locked, 0);
    assert_eq!(child.counters().size, 7 * PAGE);
    let new = child.mmap(0, PAGE, RW, PRIVATE, None, 0, &mut ()).unwrap();
    assert_eq!(child.row_at(new).map(|row| row.flags & VM_LOCKED), Some(0));
    // Where it changes, it joins what was not written to.
    child.mprotect(base, PAGE, 0, &mut ()).unwrap();
    child.mprotect(base, PAGE, RW, &mut ()).unwrap();
    assert_eq!(rows_of(&child, base, 8, 0)[0], (0, 2, 0));
    child.madvise(base, 6 * PAGE, MADV_RANDOM, &mut ()).unwrap();
    assert_eq!(rows_of(&child, base, 8, 0)[0], (0, 6, 0));
    // What was written to before is the child's own, row by row.
    mm.fault(base, Access::Write, &mut ()).unwrap();
    let mut child = mm.fork().unwrap();
    child.munmap(base + PAGE, PAGE, &mut ()).unwrap();
    let flags = PRIVATE | MAP_FIXED;
    child
        .mmap(base + PAGE, PAGE, RW, flags, None, 0, &mut ())
        .unwrap();
    // It joins what nobody has written to, behind it.
    assert_eq!(rows_of(&child, base, 2, 0), [(0, 1, 0), (1, 5, 0)]);
    child.check();
    mm.check();
}
