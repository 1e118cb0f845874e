//! Linux's memory calls composed from operations of an [`AddrSpace`]: what an
//! emulator would do.

use std::ops::Range;

use gaptree::{
    AddrSpace, Guard, HintRule, HolePolicy, MapOptions, Mapping, Page, PageMapping, Placement,
    Prot, RangeStore, Region, SpaceError,
};

use super::calls::{Call, Move, Place, STACK_GAP, Source, aligned};
use super::sys::{Answer, EFAULT, EINVAL, ENOMEM, PAGE};
use crate::trace::{Object, Row};

const SHARED: u32 = 1;
const PRIVATE: u32 = 2;

/// The number of the guard of stacks.
const STACK: u8 = 1;

/// An address space that answers as the kernel does.
pub(super) struct Linux<S> {
    pub(super) space: AddrSpace<(), S>,
}

/// What is shown of a region.
pub(super) fn row(region: &Region) -> Row {
    let Mapping {
        prot,
        flags,
        fd,
        offset,
        ..
    } = region.mapping;
    Row {
        start: region.addr,
        end: region.addr + region.len,
        prot: prot.0,
        shared: flags == SHARED,
        object: u32::try_from(fd).map_or(Object::Anonymous, Object::File),
        offset,
    }
}

fn mapping(prot: u32, source: Source) -> Mapping {
    match source {
        Source::Anonymous => Mapping::anonymous(Prot(prot), PRIVATE),
        Source::Stack => Mapping::anonymous(Prot(prot), PRIVATE).with_guard(STACK),
        Source::File {
            file,
            offset,
            shared,
        } => {
            let flags = if shared { SHARED } else { PRIVATE };
            let fd = i32::try_from(file).expect("a few files");
            Mapping::file(Prot(prot), flags, fd, offset)
        }
    }
}

/// The error of the kernel for one of ours.
fn errno<T>(result: Result<T, SpaceError>) -> Result<T, i32> {
    result.map_err(SpaceError::errno)
}

impl<S: RangeStore<Page, PageMapping>> Linux<S> {
    /// An empty window.
    pub(super) fn new(
        window: &Range<u64>,
        placement: Placement,
        stacks: bool,
    ) -> Result<Self, SpaceError> {
        let mut space = AddrSpace::with_engine(window.start, window.end - window.start, PAGE)?;
        space.set_placement(placement);
        if stacks {
            space.set_guard(STACK, Guard::below(STACK_GAP))?;
        }
        Ok(Self { space })
    }

    fn addr(&self, at: u64) -> u64 {
        self.space.start().wrapping_add(at)
    }

    /// What the kernel should answer. `sink` is given what is removed or
    /// changed, but for `mremap`.
    pub(super) fn answer(&mut self, call: &Call, sink: impl FnMut(Region)) -> Answer {
        match *call {
            Call::Map {
                place,
                len,
                prot,
                source,
            } => self.map(place, len, mapping(prot, source), sink),
            Call::Unmap { at, len } => {
                errno(self.space.unmap(self.addr(at), len, sink)).map(|()| 0)
            }
            Call::Protect { at, len, prot } => {
                let addr = aligned(self.addr(at))?;
                if len == 0 {
                    // The one zero length that Linux accepts.
                    return Ok(0);
                }
                let holes = HolePolicy::StopAtHole;
                errno(self.space.protect(addr, len, Prot(prot), holes, sink)).map(|()| 0)
            }
            Call::Remap {
                at,
                old_len,
                new_len,
                movement,
            } => self.remap(self.addr(at), old_len, new_len, movement),
        }
    }

    /// The options of a placement. Among the places that guards leave, the kernel does
    /// not always take the highest: see [`below_stacks`](Self::below_stacks).
    fn placing(&self, hint: Option<u64>, len: u64) -> Result<MapOptions, SpaceError> {
        let options = MapOptions {
            hint,
            hint_rule: HintRule::RoundDown,
            ..MapOptions::default()
        };
        let is_stack = |region: Region| region.mapping.guard == STACK;
        if self.space.placement() == Placement::Lowest || !self.space.regions().any(is_stack) {
            return Ok(options);
        }
        let found = self.space.find_free(len, &options)?;
        if hint.is_some_and(|hint| hint & !(PAGE - 1) == found) {
            return Ok(options);
        }
        let window = |addr| Some((addr, len.next_multiple_of(PAGE)));
        let below_stacks = self.below_stacks(len.next_multiple_of(PAGE));
        Ok(MapOptions {
            window: below_stacks.and_then(window),
            placement: Some(Placement::Lowest),
            ..MapOptions::default()
        })
    }

    /// The kernel's search downwards. Where it meets a free range below a stack that
    /// would do without the gap, it goes on below the whole gap, also if other memory
    /// is mapped in there, and free ranges between that.
    fn below_stacks(&self, len: u64) -> Option<u64> {
        let (start, mut high) = (self.space.start(), self.space.start() + self.space.size());
        loop {
            let mut gaps = self.space.gaps_in(start, high - start).rev();
            let (addr, room) = gaps.find(|&(_, room)| room >= len)?;
            let end = addr + room;
            let above = self.space.regions_in(end, u64::MAX).next();
            let stack = above.filter(|region| region.mapping.guard == STACK);
            let gap = stack.map_or(u64::MAX, |stack| stack.addr - STACK_GAP);
            if gap >= end {
                return Some(end - len);
            }
            high = gap.max(start);
        }
    }

    fn map(
        &mut self,
        place: Place,
        len: u64,
        mapping: Mapping,
        sink: impl FnMut(Region),
    ) -> Answer {
        let fixed = |at: u64| self.addr(at);
        let hint = match place {
            Place::Near(at) => Some(fixed(at)),
            _ => None,
        };
        match place {
            Place::Anywhere | Place::Near(_) => {
                let options = errno(self.placing(hint, len))?;
                errno(self.space.map_any_with(len, mapping, &options))
            }
            Place::Fixed(at) => {
                let addr = fixed(at);
                errno(self.space.map_at(addr, len, mapping, sink)).map(|()| addr)
            }
            Place::NoReplace(at) => {
                let addr = fixed(at);
                errno(self.space.map_fixed_noreplace(addr, len, mapping)).map(|()| addr)
            }
        }
    }

    /// `mremap` of a range inside one region, or of an address without any.
    fn remap(&mut self, addr: u64, old_len: u64, new_len: u64, movement: Move) -> Answer {
        let old_len = old_len.next_multiple_of(PAGE);
        let new_len = new_len.next_multiple_of(PAGE);
        let addr = aligned(addr)?;
        if new_len == 0 {
            return Err(EINVAL);
        }
        let keep = matches!(movement, Move::Copy | Move::CopyTo(_));
        if let Move::To(to) | Move::CopyTo(to) = movement {
            let to = aligned(self.addr(to))?;
            if addr + old_len > to && to + new_len > addr {
                return Err(EINVAL);
            }
            let region = self.space.query(addr).ok_or(EFAULT)?;
            return self.relocate(&region, (addr, old_len), (to, new_len), keep);
        }
        let region = self.space.query(addr).ok_or(EFAULT)?;
        if !keep && new_len <= old_len {
            if new_len < old_len {
                errno(self.space.unmap(addr + new_len, old_len - new_len, |_| ()))?;
            }
            return Ok(addr);
        }
        let (old_end, more) = (addr + old_len, new_len - old_len);
        if !keep && old_end == region.addr + region.len {
            let next = region.mapping.at(old_end - region.addr);
            match self.space.map_fixed_noreplace(old_end, more, next) {
                Ok(()) => return Ok(addr),
                // Taken, the memory outside the window as well.
                Err(SpaceError::Exists | SpaceError::OutsideSpace) => {}
                Err(error) => return Err(error.errno()),
            }
        }
        if matches!(movement, Move::Stay) {
            return Err(ENOMEM);
        }
        let options = errno(self.placing(None, new_len))?;
        let to = errno(self.space.find_free(new_len, &options))?;
        self.relocate(&region, (addr, old_len), (to, new_len), keep)
    }

    /// Maps at `to` what is mapped at `from`, both address and length.
    fn relocate(
        &mut self,
        region: &Region,
        from: (u64, u64),
        to: (u64, u64),
        keep: bool,
    ) -> Answer {
        let moved = region.mapping.at(from.0 - region.addr);
        errno(self.space.map_at(to.0, to.1, moved, |_| ()))?;
        if !keep {
            errno(self.space.unmap(from.0, from.1, |_| ()))?;
        }
        Ok(to.0)
    }
}
