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
    /// The offset that the address should agree with modulo 2 MiB, if huge pages
    /// could back the mapping. They could back private memory without a file, if
    /// its length is a multiple of 2 MiB and no hint was given; and a file, if
    /// the range of it that is mapped covers 2 MiB from a multiple of 2 MiB on.
    fn huge_offset(&self) -> Option<u64> {
        match self.backing {
            Backing::Anonymous => {
                (self.hint < PAGE_SIZE && self.len.is_multiple_of(HUGE)).then_some(0)
            }
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
    pub(super) fn options<S>(
        &self,
        space: &AddrSpace<(), S>,
        request: Request,
    ) -> Option<MapOptions>
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
    fn plain<S>(&self, space: &AddrSpace<(), S>, hint: Option<u64>, len: u64) -> Option<MapOptions>
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
fn guard<S>(space: &AddrSpace<(), S>, end: u64) -> Option<u64>
where
    S: RangeStore<Page, PageMapping>,
{
    let next = space.regions_in(end, GUARD).next()?;
    let grows = next.mapping.flags & GROWSDOWN != 0;
    let limit = next.addr.saturating_sub(GUARD);
    (grows && end > limit).then_some(limit)
}

#[cfg(test)]
mod tests {
    use gaptree::{AddrSpace, Mapping, Prot};

    use super::{Backing, GROWSDOWN, GUARD, HUGE, LOWEST, PAGE_SIZE, Request, Rule};

    const BASE: u64 = 0x7000_0000;

    /// A space in which the given ranges, address and length, are taken.
    fn space(taken: &[(u64, u64)]) -> AddrSpace {
        let mut space = AddrSpace::new(0, 0x8000_0000, PAGE_SIZE).unwrap();
        for &(addr, len) in taken {
            let mapping = Mapping::anonymous(Prot::READ, 0);
            space.map_fixed_noreplace(addr, len, mapping).unwrap();
        }
        space
    }

    fn place(space: &AddrSpace, guarded: bool, request: Request) -> Option<u64> {
        let options = Rule {
            base: BASE,
            guarded,
        }
        .options(space, request)?;
        space.find_free(request.len, &options).ok()
    }

    fn anonymous(hint: u64, len: u64) -> Request {
        Request {
            hint,
            len,
            backing: Backing::Anonymous,
        }
    }

    #[test]
    fn without_a_hint_it_is_the_highest_gap_below_the_base() {
        let space = space(&[(BASE - 0x3000, 0x1000)]);
        assert_eq!(
            place(&space, false, anonymous(0, 0x2000)),
            Some(BASE - 0x2000)
        );
        assert_eq!(
            place(&space, false, anonymous(0, 0x3000)),
            Some(BASE - 0x6000)
        );
        assert_eq!(place(&space, false, anonymous(0, BASE)), None);
    }

    #[test]
    fn huge_pages_align_what_could_hold_one() {
        let taken = space(&[(BASE - 0x1000, 0x1000)]);
        // The highest gap for 2 MiB more ends at BASE - 0x1000.
        assert_eq!(
            place(&taken, false, anonymous(0, HUGE)),
            Some(BASE - 2 * HUGE)
        );
        let file = |offset, len| Request {
            hint: 0,
            len,
            backing: Backing::File(offset),
        };
        assert_eq!(
            place(&taken, false, file(0x3000, 2 * HUGE)),
            Some(BASE - 3 * HUGE + 0x3000)
        );
        // Not aligned: shared memory, odd lengths, a file range without a whole one.
        let shared = Request {
            hint: 0,
            len: HUGE,
            backing: Backing::Shared,
        };
        assert_eq!(place(&taken, false, shared), Some(BASE - 0x1000 - HUGE));
        let odd = HUGE + PAGE_SIZE;
        assert_eq!(
            place(&taken, false, anonymous(0, odd)),
            Some(BASE - 0x1000 - odd)
        );
        assert_eq!(
            place(&taken, false, file(0x1000, odd)),
            Some(BASE - 0x1000 - odd)
        );
        // Aligned already: the kernel goes to the end of the padding.
        assert_eq!(
            place(&space(&[]), false, anonymous(0, HUGE)),
            Some(BASE - HUGE)
        );
        // No room for the padding: the plain search.
        let full = space(&[(0, BASE - HUGE - 0x1000), (BASE - 0x1000, 0x1000)]);
        assert_eq!(
            place(&full, false, anonymous(0, HUGE)),
            Some(BASE - HUGE - 0x1000)
        );
    }

    #[test]
    fn a_hint_is_rounded_down_and_taken_if_free() {
        let space = space(&[(0x20_0000, 0x1000)]);
        let hinted = |hint, len| place(&space, false, anonymous(hint, len));
        assert_eq!(hinted(0x40_0fff, 0x1000), Some(0x40_0000));
        assert_eq!(hinted(0x1f_f000, 0x1000), Some(0x1f_f000));
        assert_eq!(hinted(0x1f_f000, 0x2000), Some(BASE - 0x2000));
        assert_eq!(hinted(0x2000, 0x1000), Some(LOWEST));
        assert_eq!(hinted(0xfff, 0x1000), Some(BASE - 0x1000));
        assert_eq!(hinted(BASE + 0x1000, 0x1000), Some(BASE + 0x1000));
        assert_eq!(hinted(BASE - 0x1000, 0x2000), Some(BASE - 0x1000));
        // A hint that is not free loses the alignment too.
        assert_eq!(hinted(0x20_0000, HUGE), Some(BASE - HUGE));
        // A file that could hold a huge page needs the padding at its hint.
        let file = |hint| Request {
            hint,
            len: HUGE,
            backing: Backing::File(0),
        };
        assert_eq!(place(&space, false, file(0x30_1000)), Some(0x30_1000));
        assert_eq!(
            place(&space, false, file(LOWEST + HUGE)),
            Some(LOWEST + HUGE)
        );
        assert_eq!(place(&space, false, file(0x1_0000)), Some(BASE - HUGE));
    }

    #[test]
    fn room_is_kept_below_what_grows_downwards() {
        let mut space = space(&[]);
        let stack = Mapping::anonymous(Prot::READ, GROWSDOWN);
        space
            .map_fixed_noreplace(BASE + 2 * GUARD, 0x1000, stack)
            .unwrap();
        assert_eq!(
            place(&space, false, anonymous(BASE + GUARD, 0x1000)),
            Some(BASE - 0x1000)
        );
        let below = BASE + GUARD - 0x1000;
        assert_eq!(place(&space, false, anonymous(below, 0x1000)), Some(below));
        let low = BASE - 0x2000;
        space.map_fixed_noreplace(low, 0x1000, stack).unwrap();
        assert_eq!(
            place(&space, true, anonymous(0, 0x1000)),
            Some(BASE - 0x1000)
        );
        assert_eq!(
            place(&space, true, anonymous(0, 0x2000)),
            Some(low - GUARD - 0x2000)
        );
        let hint = low - 0x3000;
        assert_eq!(
            place(&space, true, anonymous(hint, 0x2000)),
            Some(low - GUARD - 0x2000)
        );
    }
}
