//! Bytes to pages and back: the only file that turns one into the other.

use core::ops::Range;

use super::error::SpaceError;
use super::page::Page;
use crate::key::Key;
use crate::u62::U62;

/// The pages of a space: where it starts, how many there are and how large.
///
/// Everything here is 64 bits wide and nothing wraps unnoticed. No space is
/// longer than 2^64 - 2 bytes; with pages of one byte it is shorter than 2^62.
/// So every length up to that of the whole space is a `u64`, and `u64::MAX` is
/// longer than any space. Only the address just past the space may be 2^64; it
/// is 0 then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Geometry {
    start: u64,
    pages: u64,
    /// The page size is `1 << shift`.
    shift: u32,
}

impl Geometry {
    pub(super) fn new(start: u64, len: u64, page_size: u64) -> Result<Self, SpaceError> {
        if !page_size.is_power_of_two() {
            return Err(SpaceError::BadSpace);
        }
        let shift = page_size.trailing_zeros();
        let pages = len >> shift;
        let whole_pages = (start | len) & (page_size - 1) == 0;
        // The last byte must have an address; the one after it need not.
        let inside = len > 0 && start.checked_add(len - 1).is_some();
        if !whole_pages || !inside || pages > Page::LIMIT {
            return Err(SpaceError::BadSpace);
        }
        Ok(Self {
            start,
            pages,
            shift,
        })
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    #[inline]
    pub(super) fn page_size(&self) -> u64 {
        1 << self.shift
    }

    /// All pages of the space.
    #[inline]
    pub(super) fn all(&self) -> Range<Page> {
        Page::default()..self.page(self.pages)
    }

    /// The page with this number, which is at most the number of pages.
    #[inline]
    fn page(&self, number: u64) -> Page {
        debug_assert!(number <= self.pages, "page {number} of {}", self.pages);
        Page::from_ordinal(U62(number))
    }

    /// How many bytes that many pages of this space have.
    #[inline]
    pub(super) fn bytes(&self, pages: u64) -> u64 {
        pages << self.shift
    }

    /// The address of a page's first byte.
    #[inline]
    pub(super) fn addr(&self, page: Page) -> u64 {
        self.start.wrapping_add(self.bytes(page.number()))
    }

    /// Address and length in bytes of some pages.
    #[inline]
    pub(super) fn range(&self, pages: &Range<Page>) -> (u64, u64) {
        (self.addr(pages.start), self.bytes(count(pages)))
    }

    /// How many pages hold `len` bytes: rounded up.
    #[inline]
    pub(super) fn pages_for(&self, len: u64) -> Result<u64, SpaceError> {
        let last = len.checked_sub(1).ok_or(SpaceError::ZeroLength)?;
        // No overflow, whatever the page size: `last` is below `len`.
        Ok((last >> self.shift) + 1)
    }

    /// The pages of an operation on `len` bytes from `addr` on, all of which
    /// must be inside the space.
    #[inline]
    pub(super) fn pages_of(&self, addr: u64, len: u64) -> Result<Range<Page>, SpaceError> {
        let count = self.pages_for(len)?;
        if !self.is_aligned(addr) {
            return Err(SpaceError::Misaligned);
        }
        let first = self.page_at(addr).ok_or(SpaceError::OutsideSpace)?;
        self.pages_from(first, count)
            .ok_or(SpaceError::OutsideSpace)
    }

    /// Whether the space has so many pages.
    #[inline]
    pub(super) fn has(&self, count: u64) -> bool {
        count <= self.pages
    }

    /// `count` pages from `first` on, or `None` where the space ends before.
    #[inline]
    pub(super) fn pages_from(&self, first: Page, count: u64) -> Option<Range<Page>> {
        let end = first.number().checked_add(count)?;
        self.has(end).then(|| first..self.page(end))
    }

    /// The page that contains `addr`, which need not be aligned.
    #[inline]
    pub(super) fn page_at(&self, addr: u64) -> Option<Page> {
        let number = addr.checked_sub(self.start)? >> self.shift;
        (number < self.pages).then(|| self.page(number))
    }

    /// Whether `addr` is that of a page's first byte.
    #[inline]
    pub(super) fn is_aligned(&self, addr: u64) -> bool {
        addr & (self.page_size() - 1) == 0
    }

    /// The last page that begins at or below `addr`, or `None` below the space.
    pub(super) fn page_down(&self, addr: u64) -> Option<Page> {
        let number = addr.checked_sub(self.start)? >> self.shift;
        Some(self.page(number.min(self.pages - 1)))
    }

    /// The number that the first page has, or would have, that begins at or above `addr`.
    pub(super) fn number_up(&self, addr: u64) -> u64 {
        self.round_up(addr.saturating_sub(self.start))
    }

    /// How far `len` bytes from `addr` on reach beyond the start of the space,
    /// for an `addr` inside it.
    #[inline]
    pub(super) fn reach(&self, addr: u64, len: u64) -> u64 {
        addr.saturating_sub(self.start).saturating_add(len)
    }

    /// The part of `[addr, addr + len)` inside the space, in bytes from its
    /// start; both ends are equal if there is none.
    pub(super) fn clip(&self, addr: u64, len: u64) -> (u64, u64) {
        let below = self.start.saturating_sub(addr);
        let low = addr.saturating_sub(self.start);
        let high = low.saturating_add(len.saturating_sub(below));
        let size = self.bytes(self.pages);
        (low.min(size), high.min(size))
    }

    /// The pages that have a byte in `[addr, addr + len)`.
    pub(super) fn pages_touching(&self, addr: u64, len: u64) -> Range<Page> {
        let (low, high) = self.clip(addr, len);
        let end = if low < high { self.round_up(high) } else { 0 };
        self.page(low >> self.shift)..self.page(end)
    }

    /// The pages that lie wholly in `[addr, addr + len)`; inverted if the
    /// range is inside one page.
    pub(super) fn pages_within(&self, addr: u64, len: u64) -> Range<Page> {
        let (low, high) = self.clip(addr, len);
        self.page(self.round_up(low))..self.page(high >> self.shift)
    }

    /// The number of the first page that starts at or above `bytes` from the
    /// start of the space.
    pub(super) fn round_up(&self, bytes: u64) -> u64 {
        (bytes >> self.shift) + u64::from(bytes & (self.page_size() - 1) != 0)
    }

    /// An alignment of addresses as alignment and phase of page numbers. Zero
    /// and what is below the page size ask for the page size.
    pub(super) fn alignment(&self, align: u64) -> Result<(u64, u64), SpaceError> {
        if align != 0 && !align.is_power_of_two() {
            return Err(SpaceError::BadAlignment);
        }
        let align = align.max(self.page_size());
        let to_first = self.start.wrapping_neg() & (align - 1);
        Ok((align >> self.shift, to_first >> self.shift))
    }
}

/// How many pages a range has; the range is not inverted.
#[inline]
pub(super) fn count(pages: &Range<Page>) -> u64 {
    debug_assert!(pages.start <= pages.end);
    pages.end.number() - pages.start.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(pages: &Range<Page>) -> (u64, u64) {
        (pages.start.number(), pages.end.number())
    }

    #[test]
    fn clipping_rounds_inward_or_outward_and_stays_inside() {
        let geometry = Geometry::new(0x4000, 0x4000, 0x1000).unwrap();
        let cases = [
            // addr, len, touching, within
            (0x4000, 0x4000, (0, 4), (0, 4)),
            (0, u64::MAX, (0, 4), (0, 4)),
            (0x4fff, 2, (0, 2), (1, 1)),
            (0x4001, 0x1fff, (0, 2), (1, 2)),
            (0x3fff, 2, (0, 1), (0, 0)),
            (0x7fff, 2, (3, 4), (4, 4)),
            (0x7fff, u64::MAX, (3, 4), (4, 4)),
        ];
        for (addr, len, touching, within) in cases {
            assert_eq!(
                numbers(&geometry.pages_touching(addr, len)),
                touching,
                "{addr:#x}+{len:#x}"
            );
            assert_eq!(
                numbers(&geometry.pages_within(addr, len)),
                within,
                "{addr:#x}+{len:#x}"
            );
        }
    }

    #[test]
    fn nothing_is_clipped_to_no_pages() {
        let geometry = Geometry::new(0x4000, 0x4000, 0x1000).unwrap();
        for (addr, len) in [
            (0, 0),
            (0x4800, 0),
            (0, 0x4000),
            (0x8000, 1),
            (u64::MAX, u64::MAX),
        ] {
            for pages in [
                geometry.pages_touching(addr, len),
                geometry.pages_within(addr, len),
            ] {
                assert!(pages.is_empty(), "{addr:#x}+{len:#x}: {pages:?}");
            }
        }
    }

    #[test]
    fn the_last_page_of_64_bits_is_a_page() {
        for page_size in [1_u64, 2, 4096, 1 << 63] {
            let start = page_size.wrapping_neg();
            let geometry = Geometry::new(start, page_size, page_size).unwrap();
            assert_eq!(
                numbers(&geometry.pages_of(start, page_size).unwrap()),
                (0, 1)
            );
            assert_eq!(geometry.page_at(u64::MAX), Page::new(0));
            assert_eq!(
                numbers(&geometry.pages_touching(u64::MAX, u64::MAX)),
                (0, 1)
            );
        }
    }

    #[test]
    fn the_largest_space_of_each_page_size_is_accepted() {
        assert_eq!(
            Geometry::new(0, Page::LIMIT, 1).map(|geometry| geometry.pages),
            Ok(Page::LIMIT)
        );
        assert_eq!(
            Geometry::new(0, Page::LIMIT + 1, 1),
            Err(SpaceError::BadSpace)
        );
        assert_eq!(
            Geometry::new(0, 2 * (Page::LIMIT + 1), 2),
            Err(SpaceError::BadSpace)
        );
        let geometry = Geometry::new(0, u64::MAX - 3, 4).unwrap();
        assert_eq!(geometry.pages, Page::LIMIT);
        assert_eq!(
            numbers(&geometry.pages_touching(0, u64::MAX)),
            (0, Page::LIMIT)
        );
        assert_eq!(
            geometry.pages_of(4, u64::MAX),
            Err(SpaceError::OutsideSpace)
        );
    }

    #[test]
    fn an_alignment_counts_from_address_zero() {
        let geometry = Geometry::new(0x3000, 0x10_0000, 0x1000).unwrap();
        assert_eq!(geometry.alignment(0), Ok((1, 0)));
        assert_eq!(geometry.alignment(0x10), Ok((1, 0)));
        assert_eq!(geometry.alignment(0x4000), Ok((4, 1)));
        assert_eq!(geometry.alignment(1 << 63), Ok((1 << 51, (1 << 51) - 3)));
        assert_eq!(geometry.alignment(0x3000), Err(SpaceError::BadAlignment));
    }
}
