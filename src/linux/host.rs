//! [`Host`]: what is to be done where the memory really is.

use super::backing::Row;
use super::errno::Errno;

/// The real memory behind a [`Mm`](super::Mm): each method is one action, in the order in
/// which they are to be done, with the exact range in bytes, whole pages.
///
/// An action can be refused. Then it is not in the books either: what was done before it
/// stays done, and the call returns the error. One that panics counts as refused. By
/// default all do nothing.
///
/// `()` is a host that does nothing and refuses nothing.
pub trait Host<F> {
    /// Whether an action can be refused. Calls are faster where none can; then an error
    /// that a method returns all the same is ignored, and one that panics may count as done.
    const CAN_REFUSE: bool = true;

    /// Maps what was free.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn map(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        let _ = row;
        Ok(())
    }

    /// Unmaps; the row is clipped, and as it was.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn unmap(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        let _ = row;
        Ok(())
    }

    /// Gives a protection; the row is clipped, and as it was.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn protect(&mut self, row: &Row<'_, F>, prot: u32) -> Result<(), Errno> {
        let _ = (row, prot);
        Ok(())
    }

    /// Gives other flags, [`VM_LOCKED`](super::flags::VM_LOCKED) and its like; the row is
    /// clipped, and as it was. That what is locked is there as well,
    /// [`advise`](Self::advise) tells.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn flag(&mut self, row: &Row<'_, F>, flags: u32) -> Result<(), Errno> {
        let _ = (row, flags);
        Ok(())
    }

    /// Does to pages what `madvise` says that concerns no row:
    /// [`MADV_DONTNEED`](super::flags::MADV_DONTNEED) throws them away,
    /// [`MADV_POPULATE_WRITE`](super::flags::MADV_POPULATE_WRITE) fetches them.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it, but where Linux ignores it too: pages
    /// that are fetched because of `MAP_POPULATE`, or because new memory is locked.
    fn advise(&mut self, row: &Row<'_, F>, advice: u64) -> Result<(), Errno> {
        let _ = (row, advice);
        Ok(())
    }

    /// Writes a part of a shared row back to its file (`msync` with `MS_SYNC`).
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn sync(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        let _ = row;
        Ok(())
    }

    /// Moves the pages of `from` to `to`, which was free and may be longer; what is
    /// beyond the old length is new. With `keep`, `from` stays mapped: private memory
    /// without its pages (`MREMAP_DONTUNMAP`), shared memory as it is. A `from` of no
    /// length is the first page of shared memory that is mapped once more.
    ///
    /// # Errors
    /// Whatever the host says; the call returns it.
    fn relocate(&mut self, from: &Row<'_, F>, to: &Row<'_, F>, keep: bool) -> Result<(), Errno> {
        let _ = (from, to, keep);
        Ok(())
    }
}

impl<F> Host<F> for () {
    const CAN_REFUSE: bool = false;
}

/// What a host said that may have no right to refuse.
pub(super) fn told<F, H: Host<F>>(said: Result<(), Errno>) -> Result<(), Errno> {
    if H::CAN_REFUSE { said } else { Ok(()) }
}
