//! The memory of a recorded process: its system calls composed from the
//! operations of an [`AddrSpace`].

use std::fmt;

use gaptree::{
    AddrSpace, HolePolicy, Mapping, Page, PageMapping, Placement, Prot, RangeStore, Region,
    SpaceError,
};

use super::header::{Init, PAGE_SIZE, Trace};
use super::listing::{Object, Row};
use super::op::{Call, Errno, Op};
use super::placement::{Backing, GROWSDOWN, HUGE, Request, Rule};
use super::source::FILE_LIMIT;

/// One past the last address that a program can map, on x86-64 with four levels of page tables.
const SPACE_END: u64 = (1 << 47) - PAGE_SIZE;

const MAP_SHARED: u32 = 0x1;
const MAP_TYPE: u32 = 0xf;
const MAP_SHARED_VALIDATE: u32 = 0x3;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_32BIT: u32 = 0x40;
const MAP_NORESERVE: u32 = 0x4000;
const MAP_STACK: u32 = 0x2_0000;
const MAP_HUGETLB: u32 = 0x4_0000;
const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;
const MREMAP_FIXED: u32 = 2;
const MREMAP_DONTUNMAP: u32 = 4;
const PROT_BITS: u32 = 7;
const PROT_GROWSDOWN: u32 = 0x100_0000;

/// The flags that the kernel too keeps apart in a mapping.
const KEPT: u32 = GROWSDOWN | MAP_NORESERVE | MAP_STACK | MAP_HUGETLB;
/// Our mark on the kernel's own mappings, which listings pass over.
const SPECIAL: u32 = 1 << 31;

/// What the kernel answered, and we did not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Conflict {
    /// The kernel chose this address.
    Address { expected: u64, got: Option<u64> },
    /// The kernel did it, the address space refused.
    Refused(SpaceError),
    /// The kernel refused, the address space did it.
    Done(Errno),
    /// The kernel has the break elsewhere.
    Break { expected: u64, got: u64 },
    /// The break moves before the trace has said where it is.
    NoBreak,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                expected,
                got: Some(got),
            } => {
                write!(
                    f,
                    "expected address {expected:x}\n  got      address {got:x}"
                )
            }
            Self::Address {
                expected,
                got: None,
            } => {
                write!(f, "expected address {expected:x}\n  got      no place")
            }
            Self::Refused(error) => write!(f, "expected success\n  got      {error}"),
            Self::Done(errno) => write!(f, "expected -{errno}\n  got      success"),
            Self::Break { expected, got } => {
                write!(
                    f,
                    "expected the break at {expected:x}\n  got      the break at {got:x}"
                )
            }
            Self::NoBreak => f.write_str("expected a `# brk` line in the header\n  got      none"),
        }
    }
}

impl From<SpaceError> for Conflict {
    fn from(error: SpaceError) -> Self {
        Self::Refused(error)
    }
}

/// An address space and what else the kernel knows about its process.
pub(super) struct Process<S> {
    pub(super) space: AddrSpace<(), S>,
    /// The rule for addresses that the kernel chooses; `None` if the trace
    /// does not show where mappings end.
    rule: Option<Rule>,
    /// Where the break is.
    brk: Option<u64>,
    /// How many shared objects without a file were made.
    objects: u32,
    /// How many addresses the kernel chose as we did.
    pub(super) placements: usize,
    /// Scratch of [`mremap`](Self::mremap).
    moved: Vec<Region>,
}

impl<S: RangeStore<Page, PageMapping>> Process<S> {
    /// The memory before the first operation. An error comes with the mapping
    /// that does not fit.
    pub(super) fn new(trace: &Trace) -> Result<Self, (Conflict, Option<Init>)> {
        let mut space = AddrSpace::with_engine(0, SPACE_END, PAGE_SIZE)
            .map_err(|error| (error.into(), None))?;
        space.set_placement(Placement::Highest);
        let stack = trace
            .init
            .iter()
            .find(|init| init.stack)
            .map_or(SPACE_END, |init| init.start);
        let ends = trace
            .init
            .iter()
            .map(|init| init.end)
            .filter(|&end| end <= stack);
        let rule = ends.max().map(|base| Rule {
            base,
            guarded: false,
        });
        let brk = trace.brk.map(|(_, now)| now);
        let mut process = Self {
            space,
            rule,
            brk,
            objects: 0,
            placements: 0,
            moved: Vec::new(),
        };
        for &init in &trace.init {
            let mut mapping = process.mapping(init.prot, init.flags, init.file, init.offset);
            if init.special {
                mapping.flags |= SPECIAL;
            }
            let mapped =
                process
                    .space
                    .map_fixed_noreplace(init.start, init.end - init.start, mapping);
            mapped.map_err(|error| (error.into(), Some(init)))?;
        }
        Ok(process)
    }

    /// Does what the kernel did. `Err` says where the address space disagrees.
    pub(super) fn apply(&mut self, op: &Op) -> Result<(), Conflict> {
        match op.call {
            Call::Mmap { .. } => self.mmap(op),
            Call::Munmap { addr, len } => match op.result {
                Ok(_) => Ok(self.space.unmap(addr, len, |_| ())?),
                Err(_) => Ok(()),
            },
            Call::Mprotect { addr, len, prot } => self.mprotect(addr, len, prot, &op.result),
            Call::Mremap { .. } => self.mremap(op),
            Call::Brk { addr } => self.brk(addr, &op.result),
            Call::Madvise { .. } | Call::Mlock { .. } | Call::Munlock { .. } => Ok(()),
        }
    }

    /// What the space shows, the kernel's own mappings left out.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let ordinary = self
            .space
            .regions()
            .filter(|region| region.mapping.flags & SPECIAL == 0);
        ordinary.map(|region| {
            let Mapping {
                prot,
                flags,
                fd,
                offset,
                ..
            } = region.mapping;
            let object = match u32::try_from(fd) {
                Err(_) => Object::Anonymous,
                Ok(fd) if fd >= FILE_LIMIT => Object::Shared(u64::from(fd)),
                Ok(fd) => Object::File(fd),
            };
            let (start, end) = (region.addr, region.addr + region.len);
            Row {
                start,
                end,
                prot: prot.0,
                shared: flags & MAP_SHARED != 0,
                object,
                offset,
            }
        })
    }

    /// The mapping that such a call makes.
    fn mapping(&mut self, prot: u32, flags: u32, file: Option<u32>, offset: u64) -> Mapping {
        let prot = Prot(prot & PROT_BITS);
        let shared = matches!(flags & MAP_TYPE, MAP_SHARED | MAP_SHARED_VALIDATE);
        let kept = flags & KEPT | if shared { MAP_SHARED } else { 0 };
        match file.filter(|_| flags & MAP_ANONYMOUS == 0) {
            Some(file) => Mapping::file(prot, kept, file.cast_signed(), offset),
            None if shared => {
                let object = FILE_LIMIT + self.objects;
                self.objects += 1;
                Mapping::file(prot, kept, object.cast_signed(), 0)
            }
            None => Mapping::anonymous(prot, kept),
        }
    }

    fn mmap(&mut self, op: &Op) -> Result<(), Conflict> {
        let Call::Mmap {
            hint,
            len,
            prot,
            flags,
            file,
            offset,
        } = op.call
        else {
            return Ok(());
        };
        let unit = if flags & MAP_HUGETLB == 0 {
            PAGE_SIZE
        } else {
            HUGE
        };
        let len = round_up(len, unit)?;
        let kernel = match &op.result {
            Ok(addr) => *addr,
            Err(errno) if errno.is("EEXIST") && flags & MAP_FIXED_NOREPLACE != 0 => {
                let mapping = self.mapping(prot, flags, file, offset);
                return match self.space.map_fixed_noreplace(hint, len, mapping) {
                    Err(SpaceError::Exists) => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok(()) => Err(Conflict::Done(errno.clone())),
                };
            }
            Err(_) => return Ok(()),
        };
        let mapping = self.mapping(prot, flags, file, offset);
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
            agree(kernel, Some(hint))?;
            if flags & MAP_FIXED_NOREPLACE != 0 {
                self.space.map_fixed_noreplace(hint, len, mapping)?;
            } else {
                self.space.map_at(hint, len, mapping, |_| ())?;
            }
        } else if flags & MAP_32BIT != 0 || self.rule.is_none() {
            // Where the kernel starts to search is not in the trace.
            self.space.map_fixed_noreplace(kernel, len, mapping)?;
        } else {
            let request = Request {
                hint,
                len,
                backing: backing(&mapping),
            };
            let options = self
                .rule
                .and_then(|rule| rule.options(&self.space, request));
            let got =
                options.and_then(|options| self.space.map_any_with(len, mapping, &options).ok());
            agree(kernel, got)?;
            self.placements += 1;
        }
        if let Some(rule) = self.rule.as_mut().filter(|rule| kernel < rule.base) {
            rule.guarded |= flags & GROWSDOWN != 0;
        }
        Ok(())
    }

    fn mprotect(
        &mut self,
        addr: u64,
        len: u64,
        prot: u32,
        result: &Result<u64, Errno>,
    ) -> Result<(), Conflict> {
        let new = Prot(prot & PROT_BITS);
        match result {
            Ok(_) if len == 0 => Ok(()),
            Ok(_) => {
                let end = addr.checked_add(len).ok_or(SpaceError::OutsideSpace)?;
                let grown = prot & PROT_GROWSDOWN != 0;
                let below = if grown { self.space.query(addr) } else { None };
                let start = below.map_or(addr, |region| region.addr);
                Ok(self
                    .space
                    .protect(start, end - start, new, HolePolicy::StopAtHole, |_| ())?)
            }
            Err(errno) if errno.is("ENOMEM") && addr < SPACE_END => {
                // Nothing is mapped at the end of the space or beyond.
                let len = len.min(SPACE_END - addr);
                if self.space.check_access(addr, len, |_| true).is_ok() {
                    // The kernel was short of something else than pages of the range.
                    return Ok(());
                }
                match self
                    .space
                    .protect(addr, len, new, HolePolicy::StopAtHole, |_| ())
                {
                    Err(SpaceError::NotMapped) => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok(()) => Err(Conflict::Done(errno.clone())),
                }
            }
            Err(_) => Ok(()),
        }
    }

    fn brk(&mut self, addr: u64, result: &Result<u64, Errno>) -> Result<(), Conflict> {
        let Ok(kernel) = *result else { return Ok(()) };
        if addr == 0 || kernel != addr {
            let now = *self.brk.get_or_insert(kernel);
            if kernel != now {
                return Err(Conflict::Break {
                    expected: kernel,
                    got: now,
                });
            }
            return Ok(());
        }
        let now = self.brk.ok_or(Conflict::NoBreak)?;
        let (old, new) = (round_up(now, PAGE_SIZE)?, round_up(addr, PAGE_SIZE)?);
        if new > old {
            let heap = Mapping::anonymous(Prot::READ | Prot::WRITE, 0);
            self.space.map_fixed_noreplace(old, new - old, heap)?;
        } else if new < old {
            self.space.unmap(new, old - new, |_| ())?;
        }
        self.brk = Some(addr);
        Ok(())
    }

    fn mremap(&mut self, op: &Op) -> Result<(), Conflict> {
        let Call::Mremap {
            addr,
            old_len,
            new_len,
            flags,
            new_addr,
        } = op.call
        else {
            return Ok(());
        };
        let Ok(kernel) = op.result else { return Ok(()) };
        let (old_len, new_len) = (round_up(old_len, PAGE_SIZE)?, round_up(new_len, PAGE_SIZE)?);
        for range in [(addr, old_len), (addr, new_len), (kernel, new_len)] {
            whole_pages_inside(range)?;
        }
        let fixed = flags & MREMAP_FIXED != 0;
        let keep = flags & MREMAP_DONTUNMAP != 0 || old_len == 0;
        if !fixed && !keep && self.resizes_in_place(addr, old_len, new_len) {
            agree(kernel, Some(addr))?;
            return self.resize(addr, old_len, new_len);
        }
        if fixed {
            agree(kernel, Some(new_addr))?;
            self.space.unmap(kernel, new_len, |_| ())?;
        } else {
            let first = self.space.query(addr).ok_or(SpaceError::NotMapped)?;
            let hint = if flags & MREMAP_DONTUNMAP != 0 {
                new_addr
            } else {
                0
            };
            let backing = backing(&first.mapping.at(addr - first.addr));
            self.predict(
                Request {
                    hint,
                    len: new_len,
                    backing,
                },
                kernel,
            )?;
        }
        self.relocate((addr, old_len), (kernel, new_len), keep)
    }

    /// Whether the kernel leaves the range where it is. It does, unless the range
    /// would grow into memory that is taken.
    fn resizes_in_place(&self, addr: u64, old_len: u64, new_len: u64) -> bool {
        let more = new_len.saturating_sub(old_len);
        more == 0 || self.space.regions_in(addr + old_len, more).next().is_none()
    }

    fn resize(&mut self, addr: u64, old_len: u64, new_len: u64) -> Result<(), Conflict> {
        let (old_end, new_end) = (addr + old_len, addr + new_len);
        if new_end < old_end {
            self.space.unmap(new_end, old_end - new_end, |_| ())?;
        } else if new_end > old_end {
            let last = self.space.query(old_end - 1).ok_or(SpaceError::NotMapped)?;
            let mapping = last.mapping.at(old_end - last.addr);
            self.space
                .map_fixed_noreplace(old_end, new_end - old_end, mapping)?;
        }
        Ok(())
    }

    /// Checks that the kernel's address is the one that our rule finds.
    fn predict(&mut self, request: Request, kernel: u64) -> Result<(), Conflict> {
        let Some(rule) = self.rule else { return Ok(()) };
        let options = rule.options(&self.space, request);
        let got = options.and_then(|options| self.space.find_free(request.len, &options).ok());
        agree(kernel, got)?;
        self.placements += 1;
        Ok(())
    }

    /// Maps at `to` what is mapped at `from`; each is an address and a length in
    /// bytes. If `to` is longer, the last piece grows by the difference. `keep`
    /// leaves the old range mapped. An old length of zero means one page.
    fn relocate(&mut self, from: (u64, u64), to: (u64, u64), keep: bool) -> Result<(), Conflict> {
        let old_end = from.0 + from.1.max(PAGE_SIZE);
        let copied = (from.1.max(PAGE_SIZE)).min(to.1);
        let mut moved = std::mem::take(&mut self.moved);
        moved.clear();
        for region in self.space.regions_in(from.0, copied) {
            let start = region.addr.max(from.0);
            let end = (region.addr + region.len).min(from.0 + copied);
            let mapping = region.mapping.at(start - region.addr);
            moved.push(Region {
                addr: to.0 + (start - from.0),
                len: end - start,
                mapping,
            });
        }
        let last = moved.last_mut().ok_or(SpaceError::NotMapped)?;
        if to.0 + copied == last.addr + last.len {
            last.len += to.1 - copied;
        }
        if !keep {
            self.space.unmap(from.0, old_end - from.0, |_| ())?;
        }
        for piece in &moved {
            self.space
                .map_fixed_noreplace(piece.addr, piece.len, piece.mapping)?;
        }
        self.moved = moved;
        Ok(())
    }
}

/// The kernel's address and ours must be the same.
fn agree(expected: u64, got: Option<u64>) -> Result<(), Conflict> {
    if got == Some(expected) {
        Ok(())
    } else {
        Err(Conflict::Address { expected, got })
    }
}

fn round_up(value: u64, unit: u64) -> Result<u64, SpaceError> {
    value
        .checked_next_multiple_of(unit)
        .ok_or(SpaceError::OutsideSpace)
}

/// A range of an `mremap` that the kernel accepted: later sums cannot wrap.
fn whole_pages_inside((addr, len): (u64, u64)) -> Result<(), SpaceError> {
    let end = addr.checked_add(len).filter(|&end| end <= SPACE_END);
    end.ok_or(SpaceError::OutsideSpace)?;
    if addr % PAGE_SIZE == 0 {
        Ok(())
    } else {
        Err(SpaceError::Misaligned)
    }
}

/// What the placement rule asks about a mapping.
fn backing(mapping: &Mapping) -> Backing {
    match u32::try_from(mapping.fd) {
        Err(_) => Backing::Anonymous,
        Ok(fd) if fd >= FILE_LIMIT => Backing::Shared,
        Ok(_) => Backing::File(mapping.offset),
    }
}
