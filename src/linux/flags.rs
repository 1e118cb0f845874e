//! The bits of Linux's arguments, and of its regions.

#![expect(missing_docs, reason = "named as in Linux's headers")]

pub const PROT_READ: u64 = 0x1;
pub const PROT_WRITE: u64 = 0x2;
pub const PROT_EXEC: u64 = 0x4;
pub const PROT_SEM: u64 = 0x8;
pub const PROT_GROWSDOWN: u64 = 0x0100_0000;
pub const PROT_GROWSUP: u64 = 0x0200_0000;

/// The protection that a row has.
pub(super) const ACCESS: u64 = PROT_READ | PROT_WRITE | PROT_EXEC;

pub const MAP_SHARED: u64 = 0x1;
pub const MAP_PRIVATE: u64 = 0x2;
pub const MAP_SHARED_VALIDATE: u64 = 0x3;
pub const MAP_DROPPABLE: u64 = 0x8;
pub const MAP_TYPE: u64 = 0xf;
pub const MAP_FIXED: u64 = 0x10;
pub const MAP_ANONYMOUS: u64 = 0x20;
/// Of x86-64.
pub const MAP_32BIT: u64 = 0x40;
pub const MAP_GROWSDOWN: u64 = 0x100;
pub const MAP_LOCKED: u64 = 0x2000;
pub const MAP_NORESERVE: u64 = 0x4000;
pub const MAP_POPULATE: u64 = 0x8000;
pub const MAP_NONBLOCK: u64 = 0x1_0000;
pub const MAP_STACK: u64 = 0x2_0000;
pub const MAP_HUGETLB: u64 = 0x4_0000;
pub const MAP_SYNC: u64 = 0x8_0000;
pub const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;

/// The flags that `MAP_SHARED_VALIDATE` takes: those of Linux 4.14 and before.
pub(super) const LEGACY_MAP_MASK: u64 = MAP_TYPE_BITS
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_32BIT
    | 0x80 // MAP_ABOVE4G
    | MAP_GROWSDOWN
    | 0x800 // MAP_DENYWRITE
    | 0x1000 // MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | 0x400_0000 // MAP_UNINITIALIZED
    | 21 << 26 // MAP_HUGE_2MB
    | 30 << 26; // MAP_HUGE_1GB
const MAP_TYPE_BITS: u64 = MAP_SHARED | MAP_PRIVATE;

pub const MREMAP_MAYMOVE: u64 = 1;
pub const MREMAP_FIXED: u64 = 2;
pub const MREMAP_DONTUNMAP: u64 = 4;

pub const MADV_NORMAL: u64 = 0;
pub const MADV_RANDOM: u64 = 1;
pub const MADV_SEQUENTIAL: u64 = 2;
pub const MADV_WILLNEED: u64 = 3;
pub const MADV_DONTNEED: u64 = 4;
pub const MADV_FREE: u64 = 8;
pub const MADV_REMOVE: u64 = 9;
pub const MADV_DONTFORK: u64 = 10;
pub const MADV_DOFORK: u64 = 11;
pub const MADV_MERGEABLE: u64 = 12;
pub const MADV_UNMERGEABLE: u64 = 13;
pub const MADV_HUGEPAGE: u64 = 14;
pub const MADV_NOHUGEPAGE: u64 = 15;
pub const MADV_DONTDUMP: u64 = 16;
pub const MADV_DODUMP: u64 = 17;
pub const MADV_WIPEONFORK: u64 = 18;
pub const MADV_KEEPONFORK: u64 = 19;
pub const MADV_COLD: u64 = 20;
pub const MADV_PAGEOUT: u64 = 21;
pub const MADV_POPULATE_READ: u64 = 22;
pub const MADV_POPULATE_WRITE: u64 = 23;
pub const MADV_DONTNEED_LOCKED: u64 = 24;
pub const MADV_GUARD_INSTALL: u64 = 102;
pub const MADV_GUARD_REMOVE: u64 = 103;

pub const MLOCK_ONFAULT: u64 = 1;
pub const MCL_CURRENT: u64 = 1;
pub const MCL_FUTURE: u64 = 2;
pub const MCL_ONFAULT: u64 = 4;

pub const MS_ASYNC: u64 = 1;
pub const MS_INVALIDATE: u64 = 2;
pub const MS_SYNC: u64 = 4;

/// Writes are seen by others.
pub const VM_SHARED: u32 = 0x8;
/// May be given [`PROT_READ`], [`PROT_WRITE`], [`PROT_EXEC`].
pub const VM_MAYREAD: u32 = 0x10;
pub const VM_MAYWRITE: u32 = 0x20;
pub const VM_MAYEXEC: u32 = 0x40;
/// Mapped as shared; without [`VM_SHARED`], of a file that is open for reading only.
pub const VM_MAYSHARE: u32 = 0x80;
pub const VM_GROWSDOWN: u32 = 0x100;
/// Linux has it at bit 42.
pub const VM_SEALED: u32 = 0x200;
/// Not memory that the kernel manages, a device's for instance.
pub const VM_PFNMAP: u32 = 0x400;
/// May have guards; in 6.18 from 6.18.44 at the latest. Rows join although only one has it.
pub const VM_MAYBE_GUARD: u32 = 0x800;
/// Linux has it at bit 40.
pub const VM_DROPPABLE: u32 = 0x1000;
pub const VM_LOCKED: u32 = 0x2000;
pub const VM_IO: u32 = 0x4000;
pub const VM_SEQ_READ: u32 = 0x8000;
pub const VM_RAND_READ: u32 = 0x1_0000;
pub const VM_DONTCOPY: u32 = 0x2_0000;
pub const VM_DONTEXPAND: u32 = 0x4_0000;
/// With [`VM_LOCKED`]: pages are locked once they are there.
pub const VM_LOCKONFAULT: u32 = 0x8_0000;
/// Counts against what the system can commit to.
pub const VM_ACCOUNT: u32 = 0x10_0000;
pub const VM_NORESERVE: u32 = 0x20_0000;
pub const VM_SYNC: u32 = 0x80_0000;
pub const VM_WIPEONFORK: u32 = 0x200_0000;
pub const VM_DONTDUMP: u32 = 0x400_0000;
pub const VM_MIXEDMAP: u32 = 0x1000_0000;
pub const VM_HUGEPAGE: u32 = 0x2000_0000;
pub const VM_NOHUGEPAGE: u32 = 0x4000_0000;
pub const VM_MERGEABLE: u32 = 0x8000_0000;

/// Memory that is not like others: it does not grow, is not locked, not copied.
pub(super) const VM_SPECIAL: u32 = VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_MIXEDMAP;
/// All of a lock.
pub(super) const VM_LOCKED_MASK: u32 = VM_LOCKED | VM_LOCKONFAULT;
