//! Where Linux maps, why it refuses, and which rows are apart.

use gaptree::linux::flags::*;
use gaptree::linux::{Config, Errno, File, Layout, Mm};

use super::{BASE, GAP, HUGE, PAGE, PRIVATE, RW, config, fixed, mm, place};

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
