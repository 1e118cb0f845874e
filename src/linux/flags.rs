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
    | 0x8000 // MAP_POPULATE
    | 0x1_0000 // MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | 0x400_0000 // MAP_UNINITIALIZED
    | 21 << 26 // MAP_HUGE_2MB
    | 30 << 26; // MAP_HUGE_1GB
const MAP_TYPE_BITS: u64 = MAP_SHARED | MAP_PRIVATE;

pub const MREMAP_MAYMOVE: u64 = 1;
pub const MREMAP_FIXED: u64 = 2;
pub const MREMAP_DONTUNMAP: u64 = 4;

/// Writes are seen by others.
pub const VM_SHARED: u32 = 0x8;
/// May be given [`PROT_READ`], [`PROT_WRITE`], [`PROT_EXEC`].
pub const VM_MAYREAD: u32 = 0x10;
pub const VM_MAYWRITE: u32 = 0x20;
pub const VM_MAYEXEC: u32 = 0x40;
/// Mapped as shared; without [`VM_SHARED`], of a file that is open for reading only.
pub const VM_MAYSHARE: u32 = 0x80;
pub const VM_GROWSDOWN: u32 = 0x100;
pub const VM_LOCKED: u32 = 0x2000;
/// Counts against what the system can commit to.
pub const VM_ACCOUNT: u32 = 0x10_0000;
pub const VM_NORESERVE: u32 = 0x20_0000;
pub const VM_SYNC: u32 = 0x80_0000;
pub const VM_WIPEONFORK: u32 = 0x200_0000;
pub const VM_DONTDUMP: u32 = 0x400_0000;
pub const VM_NOHUGEPAGE: u32 = 0x4000_0000;
/// Linux has it at bit 40.
pub const VM_DROPPABLE: u32 = 0x4_0000;

/// Our mark on a region that the host does not have yet, or has no longer.
pub(super) const PENDING: u32 = 0x8000_0000;
