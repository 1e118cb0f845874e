//! [`Mm`]: the memory of a Linux process, and how a change of the books is made with a
//! host that may refuse it.

use core::cell::Cell;
use core::fmt;

use super::backing::{Backing, File, Row};
use super::config::{Config, Limits};
use super::counters::Counters;
use super::errno::Errno;
use super::flags::{ACCESS, VM_MAYBE_GUARD, VM_SEALED};
use super::host::Host;
use super::kept::{Fields, Kept};
use crate::addr_space::{
    AddrSpace, HolePolicy, Mapping, OffsetRule, Page, PageMapping, Prot, Region, SpaceError,
};
use crate::btree::BTreeStore;
use crate::guard::ScopeGuard;
use crate::store::RangeStore;

/// The memory of a Linux process: what its system calls answer, where they map, what
/// `/proc/PID/maps` shows, and what is to be done about it on a [`Host`].
///
/// `F` is the user's file object. See the [module](super) for what is here.
///
/// A clone is a process of its own, O(n) for n rows. A call on a clone, with a host that
/// only remembers, is a plan of what the call would do.
#[derive(Clone)]
pub struct Mm<F = (), S = BTreeStore<Page, PageMapping<Backing<F>>>> {
    pub(super) space: AddrSpace<Backing<F>, S>,
    pub(super) config: Config,
    /// Where the heap ends; of any alignment.
    pub(super) brk: u64,
    /// How many shared objects without a file were made.
    pub(super) objects: u64,
    pub(super) counters: Counters,
    /// What still counts as locked although nothing is.
    pub(super) left_locked: u64,
    /// How many different writers there were of memory without a file.
    pub(super) anons: i32,
    /// Whether a row may have something that a listing does not show.
    pub(super) has_hidden: bool,
    /// Whether a row may be sealed.
    pub(super) has_sealed: bool,
    /// What all new memory is: locked, after `mlockall`.
    pub(super) default_flags: u32,
}

impl<F: File> Mm<F> {
    /// A process without any memory.
    ///
    /// # Errors
    /// Those of [`AddrSpace::new`] for the configuration's page size and end;
    /// [`OutsideSpace`](SpaceError::OutsideSpace) for an end above 2^63;
    /// [`BadAlignment`](SpaceError::BadAlignment) for a huge page that is no power of two,
    /// or less than a page.
    pub fn new(config: Config) -> Result<Self, SpaceError> {
        Self::with_engine(config)
    }
}

/// Half of the addresses are a kernel's, on every architecture.
const MAX_END: u64 = 1 << 63;

impl<F: File + fmt::Debug, S: RangeStore<Page, PageMapping<Backing<F>>>> fmt::Debug for Mm<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mm")
            .field("space", &self.space)
            .field("brk", &self.brk)
            .finish_non_exhaustive()
    }
}

/// The row that a mapping of this backing makes of a range.
pub(super) fn row_of<'a, F, D>(
    (addr, len): (u64, u64),
    mapping: &Mapping<D>,
    backing: &'a Backing<F>,
) -> Row<'a, F> {
    Row {
        addr,
        len,
        prot: mapping.prot.0,
        flags: mapping.flags,
        backing,
        offset: match backing {
            Backing::Anonymous => 0,
            _ => mapping.offset,
        },
    }
}

/// A row as a region of the books shows it.
pub(super) fn row<'a, F>(region: &Region<&'a Backing<F>>) -> Row<'a, F> {
    let mapping = &region.mapping;
    row_of((region.addr, region.len), mapping, mapping.data)
}

/// The same of a region that was reported.
pub(super) fn reported<F>(region: &Region<Backing<F>>) -> Row<'_, F> {
    let mapping = &region.mapping;
    row_of((region.addr, region.len), mapping, &mapping.data)
}

/// A mapping of these properties. Memory without a file has its address as its offset,
/// until it has been written to and moves.
pub(super) fn mapping<F>(
    (prot, flags): (u32, u32),
    backing: Backing<F>,
    addr: u64,
    offset: u64,
) -> Kept<F> {
    let anonymous = matches!(backing, Backing::Anonymous);
    let mapping = Mapping {
        offset: if anonymous { addr } else { offset },
        offset_rule: OffsetRule::Linear,
        ..Mapping::anonymous(Prot(prot), flags)
    };
    mapping.with_data(backing)
}

/// A region that is to be unmapped. If the host panics, it goes where it can be found.
struct Asked<'a, F> {
    region: Option<Region<Backing<F>>>,
    lost: &'a Cell<Option<Region<Backing<F>>>>,
}

impl<F> Drop for Asked<'_, F> {
    fn drop(&mut self) {
        if let Some(region) = self.region.take() {
            self.lost.set(Some(region));
        }
    }
}

/// Asks the host to unmap a region, and counts it.
fn ask_to_unmap<F, H: Host<F>>(
    region: Region<Backing<F>>,
    host: &mut H,
    counters: &mut Counters,
    lost: &Cell<Option<Region<Backing<F>>>>,
) -> Result<(), Errno> {
    let region = Some(region);
    let mut asked = Asked { region, lost };
    let said = asked
        .region
        .as_ref()
        .map(|region| host.unmap(&reported(region)));
    if let (Some(region), Some(said)) = (asked.region.take(), said) {
        said?;
        counters.sub_region(&region);
    }
    Ok(())
}

/// What a call says that the books refuse.
pub(super) fn refusal(error: SpaceError) -> Errno {
    match error {
        SpaceError::Exists => Errno::EEXIST,
        SpaceError::NoFreeRange
        | SpaceError::NotMapped
        | SpaceError::RegionLimit
        | SpaceError::ByteLimit
        | SpaceError::OutOfMemory => Errno::ENOMEM,
        _ => Errno::EINVAL,
    }
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// A process without any memory, on any engine.
    ///
    /// # Errors
    /// As for [`new`](Mm::new).
    pub fn with_engine(config: Config) -> Result<Self, SpaceError> {
        if config.end > MAX_END {
            return Err(SpaceError::OutsideSpace);
        }
        let odd = |huge: u64| !huge.is_power_of_two() || huge < config.page_size;
        if config.huge_page.is_some_and(odd) {
            return Err(SpaceError::BadAlignment);
        }
        let space = AddrSpace::with_engine(0, config.end, config.page_size)?;
        Ok(Self {
            space,
            brk: config.brk,
            config,
            objects: 0,
            counters: Counters::default(),
            left_locked: 0,
            anons: 0,
            has_hidden: false,
            has_sealed: false,
            default_flags: 0,
        })
    }

    /// What the system and its architecture decide.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the limits of the process: `setrlimit`. What is beyond one already stays.
    pub fn set_limits(&mut self, limits: Limits) {
        self.config.limits = limits;
    }

    /// The rows that have a byte in `[addr, addr + len)`, whole, ascending, from both
    /// ends. Allocates nothing.
    pub fn rows_in(&self, addr: u64, len: u64) -> impl DoubleEndedIterator<Item = Row<'_, F>> {
        let regions = self.space.regions_in(addr, len).borrowed();
        regions.map(|region| row(&region))
    }

    /// All rows, ascending, from both ends. Allocates nothing.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Row<'_, F>> {
        self.space.regions().borrowed().map(|region| row(&region))
    }

    /// The row around an address, whole. Allocates nothing; O(log n).
    #[must_use]
    #[inline]
    pub fn row_at(&self, addr: u64) -> Option<Row<'_, F>> {
        self.space.query_ref(addr).as_ref().map(row)
    }

    /// The books below: for questions that are not Linux's.
    #[must_use]
    pub fn space(&self) -> &AddrSpace<Backing<F>, S> {
        &self.space
    }

    /// Puts a row into free memory, without a call and without its checks: what `execve`
    /// or a loader has mapped. It joins what it is equal to. O(log n).
    ///
    /// Flags are all that Linux has for it: [`VM_MAYREAD`](super::flags::VM_MAYREAD) and
    /// its like for what it may be given, [`VM_ACCOUNT`](super::flags::VM_ACCOUNT) for
    /// private memory that may be written.
    ///
    /// # Errors
    /// `EEXIST` if something is mapped there; `EINVAL` for a range or an offset that is
    /// not whole pages, outside user memory, or ends beyond 2^64 in its file; `ENOMEM`.
    pub fn adopt(&mut self, row: &Row<'_, F>) -> Result<(), Errno> {
        let aligned = self.is_aligned(row.len) && self.is_aligned(row.offset);
        if !aligned || row.offset.checked_add(row.len).is_none() {
            return Err(Errno::EINVAL);
        }
        if let Backing::Shared { object, .. } = *row.backing {
            self.objects = self.objects.max(object);
        }
        let (prot, flags) = (row.prot & ACCESS as u32, row.flags);
        let mapping = mapping((prot, flags), row.backing.clone(), row.addr, row.offset);
        let adopted = self.space.map_fixed_noreplace(row.addr, row.len, mapping);
        adopted.map_err(refusal)?;
        self.counters.add(row.len, prot, flags);
        self.has_sealed |= flags & VM_SEALED != 0;
        self.has_hidden |= flags & VM_MAYBE_GUARD != 0;
        Ok(())
    }

    /// Says where the heap ends, without a change of the memory: what `execve` has set.
    pub fn adopt_brk(&mut self, end: u64) {
        self.brk = end;
    }

    /// Asserts that the books are right; for tests. O(n log n).
    ///
    /// # Panics
    /// They are not.
    pub fn check(&self) {
        self.space.check();
        let mut counted = Counters::default();
        for region in self.space.regions().borrowed() {
            let mapping = &region.mapping;
            assert!(!mapping.is_pending(), "pending: {:x}", region.addr);
            let hidden = mapping.anon().is_some() || mapping.mark() != 0;
            assert!(self.has_hidden || !hidden, "hidden: {:x}", region.addr);
            let sealed = mapping.flags & VM_SEALED != 0;
            assert!(self.has_sealed || !sealed, "sealed: {:x}", region.addr);
            counted.add(region.len, mapping.prot.0, mapping.flags);
        }
        counted.locked += self.left_locked;
        assert_eq!(self.counters, counted, "counters");
    }

    /// The first region that ends above an address.
    pub(super) fn next(&self, addr: u64) -> Option<Region<&Backing<F>>> {
        self.space.regions_in(addr, u64::MAX).borrowed().next()
    }

    /// A length in whole pages, 0 if that is 2^64.
    pub(super) fn page_align(&self, len: u64) -> u64 {
        len.checked_next_multiple_of(self.config.page_size)
            .unwrap_or(0)
    }

    pub(super) fn is_aligned(&self, addr: u64) -> bool {
        addr.is_multiple_of(self.config.page_size)
    }

    /// Unmaps a range, piece by piece as the host does it. Holes are passed over.
    pub(super) fn unmap<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        host: &mut H,
    ) -> Result<(), Errno> {
        self.check_unmap(addr, len)?;
        let unmapped = if H::CAN_REFUSE {
            let lost = Cell::new(None);
            let mut mm = ScopeGuard::new(self, |mm: &mut Self| mm.put_back(&lost));
            let Self {
                space, counters, ..
            } = &mut *mm;
            let sink = |region| ask_to_unmap(region, host, counters, &lost);
            space.unmap(addr, len, sink)
        } else {
            let Self {
                space, counters, ..
            } = self;
            let sink = |region: Region<Backing<F>>| {
                counters.sub_region(&region);
                let _ = host.unmap(&reported(&region));
            };
            space.unmap(addr, len, sink).map(Ok)
        };
        unmapped.map_err(refusal)?
    }

    /// Maps a range, after what is there was unmapped.
    pub(super) fn put<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Kept<F>,
        host: &mut H,
    ) -> Result<(), Errno> {
        self.put_apart(addr, len, mapping, host)?;
        self.join(addr);
        self.join(addr + len);
        Ok(())
    }

    /// The same without the neighbours that differ in what a listing does not show.
    pub(super) fn put_apart<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        mut mapping: Kept<F>,
        host: &mut H,
    ) -> Result<(), Errno> {
        let (prot, flags) = (mapping.prot.0, mapping.flags);
        if !H::CAN_REFUSE {
            let Self {
                space, counters, ..
            } = self;
            let sink = |region: Region<Backing<F>>| {
                counters.sub_region(&region);
                let _ = host.unmap(&reported(&region));
            };
            let put = space.map_at(addr, len, mapping.clone(), sink);
            put.map_err(refusal)?;
            self.counters.add(len, prot, flags);
            let _ = host.map(&row_of((addr, len), &mapping, &mapping.data));
            return Ok(());
        }
        mapping.set_pending(true);
        self.replace(addr, len, mapping.clone(), host)?;
        let row = row_of((addr, len), &mapping, &mapping.data);
        self.ask(|mm| mm.drop_pending(addr, len), || host.map(&row))?;
        self.unmark(addr, len);
        self.counters.add(len, prot, flags);
        Ok(())
    }

    /// Maps a range in the books, after the host has unmapped what is there.
    fn replace<H: Host<F>>(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Kept<F>,
        host: &mut H,
    ) -> Result<(), Errno> {
        let lost = Cell::new(None);
        let mut mm = ScopeGuard::new(self, |mm: &mut Self| mm.put_back(&lost));
        let Self {
            space, counters, ..
        } = &mut *mm;
        let sink = |region| ask_to_unmap(region, host, counters, &lost);
        let put = space.map_at(addr, len, mapping, sink);
        put.map_err(refusal)?
    }

    /// Puts back what the host has panicked at: the books have let it go.
    fn put_back(&mut self, lost: &Cell<Option<Region<Backing<F>>>>) {
        if let Some(region) = lost.take() {
            let put = self
                .space
                .map_fixed_noreplace(region.addr, region.len, region.mapping);
            debug_assert_eq!(put, Ok(()), "memory for what was there");
        }
    }

    /// Asks the host; if it refuses or panics, `undo` takes out what it does not have.
    pub(super) fn ask(
        &mut self,
        undo: impl Fn(&mut Self),
        host: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let undo = &undo;
        let guard = ScopeGuard::new(self, |mm: &mut Self| undo(mm));
        host()?;
        guard.defuse();
        Ok(())
    }

    /// Takes a pending range out. It is an entry of its own, or an end of one, so that
    /// this needs no memory.
    pub(super) fn drop_pending(&mut self, addr: u64, len: u64) {
        let dropped = self.space.unmap(addr, len, |_| ());
        debug_assert_eq!(dropped, Ok(()), "memory for a whole entry");
    }

    /// Takes our mark away from a range that is an entry of its own; needs no memory.
    pub(super) fn unmark(&mut self, addr: u64, len: u64) {
        self.set(addr, len, |mapping| mapping.set_pending(false));
    }

    /// Changes all of some rows, without the host; needs no memory.
    pub(super) fn set(&mut self, addr: u64, len: u64, change: impl Fn(&mut Kept<F>)) {
        let change = |_, mapping: &mut Kept<F>| change(mapping);
        let set = self.space.update(addr, len, HolePolicy::Skip, change);
        debug_assert_eq!(set, Ok(()), "memory for a whole entry");
    }
}
