//! What is known about a run of pages: plain data.

use core::fmt;
use core::ops::BitOr;

use crate::query::Order;

/// Access protection: the low bits as in `mmap`. All other bits are the caller's
/// and are kept as given, until [`protect`](crate::AddrSpace::protect) replaces
/// the whole value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Prot(pub u32);

impl Prot {
    /// No access.
    pub const NONE: Self = Self(0);
    /// `PROT_READ`.
    pub const READ: Self = Self(1);
    /// `PROT_WRITE`.
    pub const WRITE: Self = Self(2);
    /// `PROT_EXEC`.
    pub const EXEC: Self = Self(4);

    /// Whether every bit of `other` is set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Prot {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How a mapping's offset belongs to its pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OffsetRule {
    /// The offset grows with the address, as a file's does: a cut leaves every
    /// page its own offset, and contiguous pieces coalesce.
    Linear,
    /// The number is kept as given for every page, as libmmap does.
    #[default]
    Verbatim,
}

/// `MAP_SHARED`, the one flag that [`Display`](fmt::Display) shows.
pub(crate) const MAP_SHARED: u32 = 1;

/// What is mapped: protection, flags, file and offset, and data of the caller's.
/// Adjacent pages with one mapping are one region, which takes equal data too.
///
/// `T` is whatever the caller wants to know of a region: a file object, a name, a
/// serial number. It is cloned where a region is cut, and compared where two meet.
/// The default, `()`, takes no room and no time.
///
/// ```
/// use std::rc::Rc;
/// use gaptree::{AddrSpace, Mapping, Prot};
///
/// let file: Rc<str> = "libc.so.6".into();
/// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
/// let code = Mapping::file(Prot::READ | Prot::EXEC, 0, 3, 0).with_data(file);
/// space.map_at(0x2000, 0x4000, code, |_| ())?;
/// space.unmap(0x3000, 0x1000, |gone| assert_eq!(&*gone.mapping.data, "libc.so.6"))?;
/// # Ok::<(), gaptree::SpaceError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mapping<T = ()> {
    /// Access protection.
    pub prot: Prot,
    /// The caller's flags, uninterpreted (`MAP_SHARED` is shown as `s`).
    pub flags: u32,
    /// The caller's number for the file; negative for none.
    pub fd: i32,
    /// Offset in the file, in bytes, of the first page.
    pub offset: u64,
    /// Whether the offset grows with the address.
    pub offset_rule: OffsetRule,
    /// Whether the pages belong to the state that
    /// [`mark_original`](crate::AddrSpace::mark_original) recorded. Only that call and
    /// [`update`](crate::AddrSpace::update) set it: a mapping that is put in is never
    /// original, whatever it has here.
    pub original: bool,
    /// Whether the pages are [sealed](crate::AddrSpace::seal). Only that call and
    /// [`update`](crate::AddrSpace::update) set it: a mapping that is put in is never
    /// sealed, whatever it has here.
    pub sealed: bool,
    /// The number of the [`Guard`] that the region carries; see
    /// [`set_guard`](crate::AddrSpace::set_guard). Of itself no number has one.
    pub guard: u8,
    /// The caller's own.
    pub data: T,
}

impl Mapping {
    /// Anonymous memory: no file, offset 0, verbatim.
    #[must_use]
    pub const fn anonymous(prot: Prot, flags: u32) -> Self {
        let offset_rule = OffsetRule::Verbatim;
        Self {
            prot,
            flags,
            fd: -1,
            offset: 0,
            offset_rule,
            original: false,
            sealed: false,
            guard: 0,
            data: (),
        }
    }

    /// A file from `offset` bytes on; linear.
    #[must_use]
    pub const fn file(prot: Prot, flags: u32, fd: i32, offset: u64) -> Self {
        let offset_rule = OffsetRule::Linear;
        Self {
            prot,
            flags,
            fd,
            offset,
            offset_rule,
            original: false,
            sealed: false,
            guard: 0,
            data: (),
        }
    }
}

impl<T> Mapping<T> {
    /// The same with another protection.
    #[must_use]
    pub fn with_prot(self, prot: Prot) -> Self {
        Self { prot, ..self }
    }

    /// The same with other flags.
    #[must_use]
    pub fn with_flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// The same with another offset, in bytes.
    #[must_use]
    pub fn with_offset(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// The same with the guard of this number.
    #[must_use]
    pub fn with_guard(self, guard: u8) -> Self {
        Self { guard, ..self }
    }

    /// The same with other data, of any type.
    #[must_use]
    pub fn with_data<U>(self, data: U) -> Mapping<U> {
        let Self {
            prot,
            flags,
            fd,
            offset,
            offset_rule,
            original,
            sealed,
            guard,
            data: _,
        } = self;
        Mapping {
            prot,
            flags,
            fd,
            offset,
            offset_rule,
            original,
            sealed,
            guard,
            data,
        }
    }

    /// The mapping of what begins `distance` bytes further on: a linear offset
    /// grows by that, modulo 2^64; everything else is the same.
    #[must_use]
    pub fn at(self, distance: u64) -> Self {
        let offset = match self.offset_rule {
            OffsetRule::Linear => self.offset.wrapping_add(distance),
            OffsetRule::Verbatim => self.offset,
        };
        self.with_offset(offset)
    }
}

impl<T: Clone> Mapping<&T> {
    /// The same with a clone of the data.
    #[must_use]
    pub fn cloned(self) -> Mapping<T> {
        let data = self.data.clone();
        self.with_data(data)
    }
}

/// What the store keeps for a run of pages: a [`Mapping`] of which equal copies
/// side by side are one region. Opaque.
///
/// A linear offset is kept as `offset - address`, modulo 2^64. All pages of a
/// mapping share that number, so cutting one needs no arithmetic, and two
/// adjacent mappings of one file share it exactly if they are contiguous.
///
/// Three words and the data, written whole, since it is copied often: a load
/// stalls if two narrower stores have just written its halves.
#[derive(Clone, Copy, Debug)]
pub struct PageMapping<T = ()> {
    /// A verbatim offset, or a linear one less its address.
    base: u64,
    /// The protection, and the flags in the high half.
    access: u64,
    /// The file, and in the high half a byte each: [`VERBATIM`], [`ORIGINAL`],
    /// [`SEALED`], and the number of the guard from bit [`GUARD`] on. So a [`Mapping`]
    /// has them in memory, one beside the other, which makes one out of the other cheap.
    file: u64,
    data: T,
}

/// Mark of a [`PageMapping`] whose offset is verbatim.
const VERBATIM: u64 = 1 << 32;
/// Mark of a [`PageMapping`] that is [`original`](Mapping::original).
const ORIGINAL: u64 = 1 << 40;
/// Mark of a [`PageMapping`] that is [`sealed`](Mapping::sealed).
const SEALED: u64 = 1 << 48;
/// The lowest bit of the number of a [`PageMapping`]'s guard.
const GUARD: u32 = 56;
/// The bits that can be set: with them the compiler knows that a mark is 0 or 1.
const FILE: u64 = 0xffff_ffff | VERBATIM | ORIGINAL | SEALED | 0xff << GUARD;

/// A word of two halves.
#[inline]
fn word(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The halves of a word, low and high.
#[inline]
fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl<T> PageMapping<T> {
    /// What to keep for `mapping` if it starts at `addr`; neither original nor sealed.
    #[inline]
    pub(super) fn new(mapping: Mapping<T>, addr: u64) -> Self {
        let Mapping {
            prot,
            flags,
            fd,
            offset,
            offset_rule,
            original: _,
            sealed: _,
            guard,
            data,
        } = mapping;
        let mut file = u64::from(fd.cast_unsigned()) | u64::from(guard) << GUARD;
        let base = match offset_rule {
            OffsetRule::Linear => offset.wrapping_sub(addr),
            OffsetRule::Verbatim => {
                file |= VERBATIM;
                offset
            }
        };
        Self {
            base,
            access: word(prot.0, flags),
            file,
            data,
        }
    }

    /// [`new`](Self::new) for pages that are mapped already: original or sealed if
    /// `mapping` is.
    #[inline]
    pub(super) fn again(mapping: Mapping<T>, addr: u64) -> Self {
        let (original, sealed) = (mapping.original, mapping.sealed);
        let mut value = Self::new(mapping, addr);
        if original {
            value.set_original();
        }
        if sealed {
            value.set_sealed();
        }
        value
    }

    /// The same for new pages beside these: neither original nor sealed.
    #[inline]
    pub(super) fn anew(self) -> Self {
        let file = self.file & !(ORIGINAL | SEALED);
        Self { file, ..self }
    }

    /// The mapping of a run of these pages that starts at `addr`, without the data.
    #[inline]
    fn without_data(&self, addr: u64) -> Mapping {
        let (prot, flags) = halves(self.access);
        let (fd, marks) = halves(self.file & FILE);
        let [verbatim, original, sealed, guard] = marks.to_le_bytes();
        let (offset, offset_rule) = if verbatim == 0 {
            (self.base.wrapping_add(addr), OffsetRule::Linear)
        } else {
            (self.base, OffsetRule::Verbatim)
        };
        Mapping {
            prot: Prot(prot),
            flags,
            fd: fd.cast_signed(),
            offset,
            offset_rule,
            original: original != 0,
            sealed: sealed != 0,
            guard,
            data: (),
        }
    }

    /// The mapping of a run of these pages that starts at `addr`.
    #[inline]
    pub(super) fn at(self, addr: u64) -> Mapping<T> {
        self.without_data(addr).with_data(self.data)
    }

    /// [`at`](Self::at) with the data borrowed.
    #[inline]
    pub(super) fn view(&self, addr: u64) -> Mapping<&T> {
        self.without_data(addr).with_data(&self.data)
    }

    #[inline]
    pub(super) fn set_prot(&mut self, prot: Prot) {
        let (_, flags) = halves(self.access);
        self.access = word(prot.0, flags);
    }

    #[inline]
    pub(super) fn set_original(&mut self) {
        self.file |= ORIGINAL;
    }

    #[inline]
    pub(super) fn is_original(&self) -> bool {
        self.file & ORIGINAL != 0
    }

    #[inline]
    pub(super) fn set_sealed(&mut self) {
        self.file |= SEALED;
    }

    #[inline]
    pub(super) fn is_sealed(&self) -> bool {
        self.file & SEALED != 0
    }

    /// The number of the guard.
    #[inline]
    pub(super) fn guard(&self) -> u8 {
        (self.file >> GUARD) as u8
    }
}

/// Without branches, but for the data: neighbours often differ in one field only,
/// and which one is hard to predict.
impl<T: PartialEq> PartialEq for PageMapping<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        (self.base ^ other.base) | (self.access ^ other.access) | (self.file ^ other.file) == 0
            && self.data == other.data
    }
}

impl<T: Eq> Eq for PageMapping<T> {}

/// A run of pages with one mapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Region<T = ()> {
    /// Address of the first byte.
    pub addr: u64,
    /// Length in bytes; `addr + len` can be 2^64.
    pub len: u64,
    /// The mapping, its offset that of the first byte.
    pub mapping: Mapping<T>,
}

impl<T> Region<T> {
    /// The address behind the last byte, or `None` where that is 2^64, which no
    /// `u64` is.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(1 << 63, 1 << 63, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// space.map_at(0u64.wrapping_sub(0x2000), 0x2000, data, |_| ())?;
    /// let top = space.query(u64::MAX).unwrap();
    /// assert_eq!(top.end(), None);
    /// assert!(top.contains(u64::MAX));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.addr.checked_add(self.len)
    }

    /// Whether the byte at `addr` is in it.
    #[must_use]
    pub fn contains(&self, addr: u64) -> bool {
        addr >= self.addr && addr - self.addr < self.len
    }

    /// The mapping as that of a region which begins at `addr`, or `None` if the
    /// byte at `addr` is not in this one.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::file(Prot::READ, 0, 3, 0x1000), |_| ())?;
    /// let region = space.query(0x4000).unwrap();
    /// assert_eq!(region.mapping_at(0x4000).unwrap().offset, 0x3000);
    /// assert_eq!(region.mapping_at(0x6000), None);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn mapping_at(&self, addr: u64) -> Option<Mapping<T>>
    where
        T: Clone,
    {
        self.contains(addr)
            .then(|| self.mapping.clone().at(addr - self.addr))
    }
}

impl<T: Clone> Region<&T> {
    /// The same with a clone of the data.
    #[must_use]
    pub fn cloned(self) -> Region<T> {
        let Self { addr, len, mapping } = self;
        Region {
            addr,
            len,
            mapping: mapping.cloned(),
        }
    }
}

/// Where [`AddrSpace::map_any`](crate::AddrSpace::map_any) puts a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Placement {
    /// The lowest address that fits: first fit.
    #[default]
    Lowest,
    /// The highest address that fits: last fit.
    Highest,
    /// Every address that fits with equal probability; one seed gives one
    /// sequence.
    Random(u64),
    /// The address that fits with the least distance to this one, which need not be
    /// aligned nor in the space; the lower of two equally near.
    Nearest(u64),
    /// Best fit: in the shortest free range that is long enough, as far as it is in the
    /// window. Of equally short ranges the lowest or highest, and there the lowest or
    /// highest address that fits.
    Best(Order),
}

/// How much next to something is to be free, in bytes; rounded up to whole pages.
///
/// What a region [carries](crate::AddrSpace::set_guard), and what
/// [`MapOptions::margin`] asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Guard {
    /// Before the first byte.
    pub below: u64,
    /// After the last byte.
    pub above: u64,
}

impl Guard {
    /// So many bytes below, none above, as a stack has it that grows down.
    #[must_use]
    pub const fn below(bytes: u64) -> Self {
        Self {
            below: bytes,
            above: 0,
        }
    }

    /// So many bytes above, none below.
    #[must_use]
    pub const fn above(bytes: u64) -> Self {
        Self {
            below: 0,
            above: bytes,
        }
    }
}

/// What a [hint](MapOptions::hint) asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum HintRule {
    /// This address, which must be that of a page: libmmap.
    #[default]
    Exact,
    /// The page that contains this address: Linux.
    RoundDown,
    /// The lowest address that fits at or above this one: BSD.
    Upwards,
}

/// Options of one [`AddrSpace::map_any_with`](crate::AddrSpace::map_any_with),
/// in bytes. The default asks for nothing beyond
/// [`map_any`](crate::AddrSpace::map_any).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct MapOptions {
    /// An address to take if it is page-aligned, satisfies window and
    /// alignment, and is free for the whole length; otherwise it is ignored.
    /// [`hint_rule`](Self::hint_rule) can make less of it.
    pub hint: Option<u64>,
    /// What the hint asks for.
    pub hint_rule: HintRule,
    /// Address and length that limit the whole placement; clipped to the
    /// space. `None` is the whole space.
    pub window: Option<(u64, u64)>,
    /// Alignment of the address, a power of two. Zero, and whatever is below
    /// the page size, asks for the page size.
    ///
    /// Each free range that is long enough, but has no aligned address that fits, costs
    /// a step of the search.
    pub align: u64,
    /// What must be free next to the placement too, and in the window: for instance the
    /// guard that the new region carries. What others' guards keep free is not.
    pub margin: Guard,
    /// `None` is the space's own placement. A `Random` seed given here serves
    /// this call alone.
    pub placement: Option<Placement>,
}

/// What [`AddrSpace::protect`](crate::AddrSpace::protect) does about pages of
/// the range that are not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum HolePolicy {
    /// libmmap: the mapped pages change, holes are passed over.
    #[default]
    Skip,
    /// Linux: what precedes the first hole changes and is reported, then the
    /// call is refused with [`NotMapped`](crate::SpaceError::NotMapped).
    StopAtHole,
    /// Nothing changes unless every page is mapped.
    RequireMapped,
}

/// A line as in `/proc/PID/maps`; a file is named by its number.
impl<T> fmt::Display for Region<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mapping {
            prot,
            flags,
            fd,
            offset,
            ..
        } = self.mapping;
        let bit = |bit: Prot, letter: char| if prot.contains(bit) { letter } else { '-' };
        let shared = if flags & MAP_SHARED != 0 { 's' } else { 'p' };
        let end = u128::from(self.addr) + u128::from(self.len);
        let (read, write) = (bit(Prot::READ, 'r'), bit(Prot::WRITE, 'w'));
        let exec = bit(Prot::EXEC, 'x');
        write!(f, "{:08x}-{end:08x} {read}{write}{exec}{shared}", self.addr)?;
        write!(f, " {offset:08x} 00:00 0")?;
        if fd >= 0 {
            write!(f, " fd:{fd}")?;
        }
        Ok(())
    }
}
