//! The oracle of address spaces: what placement may use, and what is shut.

use std::ops::Range;

use gaptree::{Guard, HintRule, HolePolicy, MapOptions, Order, Placement, SpaceError};

use super::space::{ReferenceSpace, bytes};

impl<T: Clone + PartialEq> ReferenceSpace<T> {
    /// The pages of a fixed range of which none is reserved or sealed.
    pub(super) fn open(&self, addr: u64, len: u64) -> Result<Vec<usize>, SpaceError> {
        let pages = self.fixed(addr, len)?;
        self.check_reserved(&pages)?;
        self.check_sealed(&pages)?;
        Ok(pages)
    }

    pub(super) fn check_reserved(&self, pages: &[usize]) -> Result<(), SpaceError> {
        if pages.iter().any(|&i| self.reserved[i]) {
            return Err(SpaceError::Reserved);
        }
        Ok(())
    }

    pub(super) fn check_sealed(&self, pages: &[usize]) -> Result<(), SpaceError> {
        let sealed = |&i: &usize| self.pages[i].as_ref().is_some_and(|mapping| mapping.sealed);
        if pages.iter().any(sealed) {
            return Err(SpaceError::Sealed);
        }
        Ok(())
    }

    /// The guard of a number.
    #[must_use]
    pub fn guard(&self, number: u8) -> Guard {
        self.guards.get(&number).copied().unwrap_or_default()
    }

    /// Sets the guard of a number.
    pub fn set_guard(&mut self, number: u8, guard: Guard) {
        self.guards.insert(number, guard);
    }

    /// Reserves a range that is free.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`, `Exists`.
    pub fn reserve(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let pages = self.fixed(addr, len)?;
        if pages.iter().any(|&i| self.pages[i].is_some()) {
            return Err(SpaceError::Exists);
        }
        pages.into_iter().for_each(|i| self.reserved[i] = true);
        Ok(())
    }

    /// Gives a range back.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`.
    pub fn unreserve(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let pages = self.fixed(addr, len)?;
        pages.into_iter().for_each(|i| self.reserved[i] = false);
        Ok(())
    }

    /// The maximal runs of reserved pages, as address and length.
    #[must_use]
    pub fn reserved(&self) -> Vec<(u64, u64)> {
        self.runs(|i| self.reserved[i])
    }

    /// Seals a range that is mapped.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`, `Reserved`, `NotMapped`.
    pub fn seal(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let (pages, result) = self.to_change(addr, len, HolePolicy::RequireMapped)?;
        result?;
        let seal = |space: &mut Self| {
            space.change(&pages, |_, mapping| mapping.sealed = true);
        };
        self.try_first(seal)?;
        seal(self);
        Ok(())
    }

    /// Every address at which `map_any_with` may map, ascending: one for a
    /// hint that is taken and for `Lowest` and `Highest`, all that fit for
    /// `Random`.
    ///
    /// # Errors
    /// As `map_any_with`.
    pub fn places(&self, len: u64, options: &MapOptions) -> Result<Vec<u64>, SpaceError> {
        if len == 0 {
            return Err(SpaceError::ZeroLength);
        }
        if options.align != 0 && !options.align.is_power_of_two() {
            return Err(SpaceError::BadAlignment);
        }
        let fits = self.starts_that_fit(len, options);
        if let Some(hint) = options.hint {
            let taken = match options.hint_rule {
                HintRule::Exact => fits.iter().find(|&&start| start == hint),
                HintRule::RoundDown => {
                    let page = bytes(u128::from(hint) / self.page_size * self.page_size);
                    fits.iter().find(|&&start| start == page)
                }
                HintRule::Upwards => fits.iter().find(|&&start| start >= hint),
            };
            if let Some(&taken) = taken {
                return Ok(vec![taken]);
            }
        }
        let (Some(&lowest), Some(&highest)) = (fits.first(), fits.last()) else {
            return Err(SpaceError::NoFreeRange);
        };
        Ok(match options.placement.unwrap_or(self.placement) {
            Placement::Lowest => vec![lowest],
            Placement::Highest => vec![highest],
            Placement::Random(_) => fits,
            Placement::Nearest(addr) => {
                let distance = |start: &u64| start.abs_diff(addr);
                fits.into_iter().min_by_key(distance).into_iter().collect()
            }
            Placement::Best(order) => {
                let range = |start: &u64| self.free_range_around(*start, options);
                let longs = fits.iter().map(range);
                let shortest = longs.map(|range| range.len()).min();
                let best = fits
                    .iter()
                    .filter(|start| Some(range(start).len()) == shortest);
                let best: Vec<u64> = best.copied().collect();
                match order {
                    Order::Lowest => best[..1].to_vec(),
                    Order::Highest => best[best.len() - 1..].to_vec(),
                }
            }
        })
    }

    /// The pages around the page of an address that placement can use in a window.
    fn free_range_around(&self, start: u64, options: &MapOptions) -> Range<usize> {
        let free = self.usable_in(options);
        let page = (0..free.len())
            .find(|&i| self.addr(i) == u128::from(start))
            .expect("a page");
        let below = (0..page).rev().take_while(|&i| free[i]).count();
        let above = (page..free.len()).take_while(|&i| free[i]).count();
        page - below..page + above
    }

    /// Whether placement can use each page as far as the window of some options says.
    fn usable_in(&self, options: &MapOptions) -> Vec<bool> {
        let (low, high) = match options.window {
            Some((addr, len)) => (u128::from(addr), u128::from(addr) + u128::from(len)),
            None => (self.start, self.end()),
        };
        let inside = |i| low <= self.addr(i) && self.addr(i) + self.page_size <= high;
        let usable = self.usable().into_iter().enumerate();
        usable.map(|(i, usable)| usable && inside(i)).collect()
    }

    /// Whether placement can use each page: it is not mapped or reserved, and neither the
    /// next region above nor the next below keeps it free.
    fn usable(&self) -> Vec<bool> {
        let free = |i: usize| self.pages[i].is_none() && !self.reserved[i];
        let mut usable: Vec<bool> = (0..self.pages.len()).map(free).collect();
        let up = |guard: Guard| guard.above;
        let down = |guard: Guard| guard.below;
        self.keep_free(usable.iter_mut().enumerate(), up);
        self.keep_free(usable.iter_mut().enumerate().rev(), down);
        usable
    }

    /// Passes pages on one side of each region; so many bytes next to it are not usable.
    fn keep_free<'a>(
        &self,
        pages: impl Iterator<Item = (usize, &'a mut bool)>,
        side: impl Fn(Guard) -> u64,
    ) {
        let mut kept = 0;
        for (i, usable) in pages {
            if let Some(mapping) = &self.pages[i] {
                kept = self.round_up(side(self.guard(mapping.guard)));
            } else {
                *usable &= kept == 0;
                kept = kept.saturating_sub(self.page_size);
            }
        }
    }

    /// Every page-aligned address inside window and alignment from which
    /// `len` bytes, rounded up, can be used, and the margin around them; ascending.
    #[must_use]
    pub fn starts_that_fit(&self, len: u64, options: &MapOptions) -> Vec<u64> {
        let below = self.round_up(options.margin.below);
        let len = below + self.round_up(len) + self.round_up(options.margin.above);
        let align = u128::from(options.align).max(1);
        let usable = self.usable_in(options);
        let mut free = 0;
        let mut starts = Vec::new();
        // Backwards, with the number of free bytes that follow.
        for i in (0..self.pages.len()).rev() {
            free = if usable[i] { free + self.page_size } else { 0 };
            let start = self.addr(i) + below;
            if free >= len && start.is_multiple_of(align) {
                starts.push(bytes(start));
            }
        }
        starts.reverse();
        starts
    }
}
