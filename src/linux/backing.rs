//! What is mapped: files, their questions, and rows of a listing.

/// A file object of the user's: what is behind a mapping.
///
/// Two are the same if they are equal; rows that touch join only with equal files. The
/// questions have answers for a regular file that is open for reading and writing.
pub trait File: Clone + PartialEq {
    /// Whether it is open for reading: nothing can be mapped without.
    fn is_readable(&self) -> bool {
        true
    }

    /// Whether it is open for writing: shared writable mappings need it.
    fn is_writable(&self) -> bool {
        true
    }

    /// Whether it is on a file system mounted `noexec`.
    fn is_noexec(&self) -> bool {
        false
    }

    /// The highest offset in bytes that a mapping can reach; `s_maxbytes` of its file
    /// system.
    fn max_offset(&self) -> u64 {
        i64::MAX as u64
    }

    /// Its length in bytes: an access to a page behind its end is a `SIGBUS`.
    fn size(&self) -> u64 {
        u64::MAX
    }

    /// Whether its file system aligns long mappings for huge pages, as ext4, XFS and
    /// Btrfs do, and tmpfs by default does not.
    fn is_huge_aligned(&self) -> bool {
        true
    }
}

/// No files at all.
impl File for () {}

/// A number for each file.
impl File for u32 {}

/// What the pages of a row are of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backing<F = ()> {
    /// Private memory without a file.
    Anonymous,
    /// Shared memory without a file.
    Shared {
        /// The number of the object: each `mmap` makes one.
        object: u64,
        /// How long it is, in bytes: an access behind its end, after `mremap`, is a
        /// `SIGBUS`.
        size: u64,
    },
    /// A file.
    File(F),
}

/// A row of `/proc/PID/maps`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Row<'a, F = ()> {
    /// Address of the first byte.
    pub addr: u64,
    /// Length in bytes.
    pub len: u64,
    /// [`PROT_READ`](super::flags::PROT_READ) and its like.
    pub prot: u32,
    /// [`VM_SHARED`](super::flags::VM_SHARED) and its like.
    pub flags: u32,
    /// What the pages are of.
    pub backing: &'a Backing<F>,
    /// Where they begin in it, in bytes; 0 for private memory without a file.
    pub offset: u64,
}
