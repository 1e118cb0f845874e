//! What page faults, limits, seals and `fork` change.

use gaptree::linux::flags::*;
use gaptree::linux::{Access, Errno, Fault, File, Host, Limits, Mm, Row};

use super::{PAGE, PRIVATE, RW, config, fixed, mm};

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
fn a_row_that_moves_to_its_own_end_is_joined_before_it_is_cut() {
    let mut mm = mm();
    let base = 0x10_0000;
    fixed(&mut mm, base, 6 * PAGE, 0);
    fixed(&mut mm, base + 8 * PAGE, PAGE, 0);
    mm.fault(base + 8 * PAGE, Access::Write, &mut ()).unwrap();
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    let (from, to) = (base + 4 * PAGE, base + 6 * PAGE);
    mm.mremap(from, PAGE, 2 * PAGE, flags, to, &mut ()).unwrap();
    assert_eq!(rows_of(&mm, base, 9, 0), [(0, 4, 0), (5, 4, 0)]);
    // So what is left counts even when it may not be written any more.
    mm.mprotect(base, PAGE, PROT_READ, &mut ()).unwrap();
    assert_eq!(rows_of(&mm, base, 1, VM_ACCOUNT)[0], (0, 1, VM_ACCOUNT));
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
    let write = |mm: &mut Mm<u32>, addr| {
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

#[test]
fn a_call_commits_to_what_is_new() {
    let mut config = config();
    config.memory = 64 * PAGE;
    let (mut mm, base) = (Mm::<u32>::new(config).unwrap(), 0x10_0000);
    let map = |mm: &mut Mm<u32>, pages, prot, flags, file| {
        let flags = flags | MAP_FIXED;
        mm.mmap(base, pages * PAGE, prot, flags, file, 0, &mut ())
    };
    let full = Err(Errno::ENOMEM);
    assert_eq!(map(&mut mm, 65, RW, PRIVATE, None), full);
    assert_eq!(map(&mut mm, 65, RW, MAP_SHARED | MAP_ANONYMOUS, None), full);
    assert_eq!(
        map(&mut mm, 65, RW, PRIVATE | MAP_NORESERVE, None),
        Ok(base)
    );
    assert_eq!(map(&mut mm, 65, RW, MAP_SHARED, Some(1)), Ok(base));
    assert_eq!(map(&mut mm, 40, RW, PRIVATE, None), Ok(base));
    // What counted there before is not new.
    assert_eq!(map(&mut mm, 80, RW, PRIVATE, None), Ok(base));
    assert_eq!(map(&mut mm, 145, RW, PRIVATE, None), full);
    assert_eq!(mm.fork().err(), Some(Errno::ENOMEM));
    mm.madvise(base, 80 * PAGE, MADV_DONTFORK, &mut ()).unwrap();
    assert_eq!(mm.fork().map(|child| child.rows().count()), Ok(0));
    mm.check();
}

#[test]
fn a_heap_has_its_limit_before_all_else() {
    let mut mm = mm();
    let start = mm.config().brk;
    assert_eq!(mm.brk(start + 5 * PAGE, &mut ()), start + 5 * PAGE);
    let mut limits = Limits::new();
    limits.data = PAGE;
    mm.set_limits(limits);
    // Not even less of it, if that is too much.
    assert_eq!(mm.brk(start + 3 * PAGE, &mut ()), start + 5 * PAGE);
    assert_eq!(mm.brk(start + PAGE, &mut ()), start + PAGE);
}

#[test]
fn what_is_adopted_is_checked() {
    let mut mm = Mm::<()>::new(config()).unwrap();
    let row = |offset, backing| Row {
        addr: 0x10_0000,
        len: 2 * PAGE,
        prot: 1,
        flags: VM_MAYREAD,
        backing,
        offset,
    };
    let file = gaptree::linux::Backing::File(());
    let beyond = mm.adopt(&row(u64::MAX - PAGE + 1, &file));
    assert_eq!(beyond, Err(Errno::EINVAL));
    mm.adopt(&row(u64::MAX - 3 * PAGE + 1, &file)).unwrap();
    assert!(mm.access(0x10_1fff, Access::Read).is_ok());
    let grown = mm.mremap(0x10_0000, 2 * PAGE, 4 * PAGE, 0, 0, &mut ());
    assert_eq!(grown, Err(Errno::EINVAL));
    let object = gaptree::linux::Backing::Shared {
        object: u64::MAX,
        size: PAGE,
    };
    let last = Row {
        addr: 0x20_0000,
        ..row(0, &object)
    };
    mm.adopt(&last).unwrap();
    let shared = MAP_SHARED | MAP_ANONYMOUS;
    let full = mm.mmap(0, PAGE, RW, shared, None, 0, &mut ());
    assert_eq!(full, Err(Errno::ENOMEM));
    mm.check();
}

#[test]
fn a_copy_at_the_end_of_its_row_keeps_who_wrote_behind() {
    let mut mm = mm();
    let base = 0x10_0000;
    fixed(&mut mm, base, PAGE, 0);
    fixed(&mut mm, base + 2 * PAGE, PAGE, 0);
    mm.fault(base + 2 * PAGE, Access::Write, &mut ()).unwrap();
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    mm.mremap(base, PAGE, PAGE, flags, base + PAGE, &mut ())
        .unwrap();
    assert_eq!(rows_of(&mm, base, 3, 0), [(0, 3, 0)]);
    mm.mprotect(base, 3 * PAGE, PROT_READ, &mut ()).unwrap();
    assert_eq!(mm.counters().committed, 3 * PAGE);
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
    // Memory that is wiped was never written to: it joins.
    let flags = PRIVATE | MAP_FIXED;
    let hole = child.mmap(base + 6 * PAGE, PAGE, RW, flags, None, 0, &mut ());
    assert_eq!(hole, Ok(base + 6 * PAGE));
    child
        .madvise(base + 7 * PAGE, PAGE, MADV_KEEPONFORK, &mut ())
        .unwrap();
    assert_eq!(rows_of(&child, base, 8, 0), [(0, 2, 0), (2, 6, 0)]);
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
