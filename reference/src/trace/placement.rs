//! Where Linux puts a mapping that may go anywhere, said in the options of
//! [`AddrSpace::find_free`]: the default layout of x86-64.

use gaptree::{AddrSpace, MapOptions, Page, PageMapping, Placement, RangeStore};

use super::header::PAGE_SIZE;

/// The size of a huge page in bytes.
pub(super) const HUGE: u64 = 2 << 20;

/// `vm.mmap_min_addr`: nothing is put below it.
pub(super) const LOWEST: u64 = 0x1_0000;

/// How much room is kept free below memory that grows downwards.
const GUARD: u64 = 256 * PAGE_SIZE;

/// The flag of mappings that grow downwards.
pub(super) const GROWSDOWN: u32 = 0x100;

/// A call that leaves the address to the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// The address to take if it is free, of any alignment; zero for none.
    pub(super) hint: u64,
    /// Length in bytes, whole pages.
    pub(super) len: u64,
    /// What is mapped.
    pub(super) backing: Backing,
}

/// What decides whether huge pages could back a mapping.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backing {
    /// Private memory without a file.
    Anonymous,
    /// Shared memory without a file: the kernel does not align it.
    Shared,
    /// A file from this offset on.
    File(u64),
}

impl Request {
    /// The offset that the address should agree with modulo 2 MiB, if the
    /// mapping could hold a huge page: semantics §7.
    fn huge_offset(&self) -> Option<u64> {
        match self.backing {
            Backing::Anonymous => (self.hint == 0 && self.len.is_multiple_of(HUGE)).then_some(0),
            Backing::Shared => None,
            Backing::File(offset) => {
                let end = offset.checked_add(self.len)?;
                let covered = end.checked_sub(offset.checked_next_multiple_of(HUGE)?)?;
                (covered >= HUGE).then_some(offset)
            }
        }
    }
}

/// The rule for one address space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// `mmap_base`: without a hint, mappings end here or below.
    pub(super) base: u64,
    /// Whether memory below the base grows downwards, so that the room below
    /// it must be kept free.
    pub(super) guarded: bool,
}

impl Rule {
    /// The options under which [`AddrSpace::find_free`] finds what the kernel
    /// takes; `None` if nothing is long enough.
    pub(super) fn options<S>(&self, space: &AddrSpace<S>, request: Request) -> Option<MapOptions>
    where
        S: RangeStore<Page, PageMapping>,
    {
        let page = request.hint - request.hint % PAGE_SIZE;
        let hint = (page != 0).then_some(page.max(LOWEST));
        if let Some(offset) = request.huge_offset() {
            let padded = request.len.checked_add(HUGE)?;
            let found = self.plain(space, hint, padded);
            let found = found.and_then(|options| space.find_free(padded, &options).ok());
            match found {
                Some(start) if Some(start) == hint => return Some(exactly(start, request.len)),
                Some(start) => {
                    let up = offset.wrapping_sub(start) % HUGE;
                    let start = start + if up == 0 { HUGE } else { up };
                    return Some(exactly(start, request.len));
                }
                None => {}
            }
        }
        self.plain(space, hint, request.len)
    }

    /// The rule without huge pages: the hint if it is free, else the highest
    /// place below the base.
    fn plain<S>(&self, space: &AddrSpace<S>, hint: Option<u64>, len: u64) -> Option<MapOptions>
    where
        S: RangeStore<Page, PageMapping>,
    {
        if let Some(hint) = hint.filter(|&hint| self.base.saturating_sub(hint) < len) {
            // Only a hint can lead above the base.
            let options = MapOptions {
                hint: Some(hint),
                ..MapOptions::default()
            };
            if space.find_free(len, &options) == Ok(hint) && guard(space, hint + len).is_none() {
                return Some(exactly(hint, len));
            }
        }
        let mut options = self.below(self.base)?;
        options.hint = hint;
        if self.guarded {
            loop {
                let start = space.find_free(len, &options).ok()?;
                match guard(space, start + len) {
                    None => break,
                    Some(_) if Some(start) == options.hint => options.hint = None,
                    Some(limit) => {
                        options = MapOptions {
                            hint: options.hint,
                            ..self.below(limit)?
                        }
                    }
                }
            }
        }
        Some(options)
    }

    /// The highest place that ends at `limit` or below.
    fn below(&self, limit: u64) -> Option<MapOptions> {
        let room = limit.checked_sub(LOWEST)?;
        Some(MapOptions {
            window: Some((LOWEST, room)),
            placement: Some(Placement::Highest),
            ..MapOptions::default()
        })
    }
}

/// This place and no other.
fn exactly(start: u64, len: u64) -> MapOptions {
    MapOptions {
        window: Some((start, len)),
        ..MapOptions::default()
    }
}

/// Where the room begins that memory growing downwards keeps free, if `end`
/// reaches into it.
fn guard<S>(space: &AddrSpace<S>, end: u64) -> Option<u64>
where
    S: RangeStore<Page, PageMapping>,
{
    let next = space.regions_in(end, GUARD).next()?;
    let grows = next.mapping.flags & GROWSDOWN != 0;
    let limit = next.addr.saturating_sub(GUARD);
    (grows && end > limit).then_some(limit)
}
