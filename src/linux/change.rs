//! Walking over the rows of a range, and changing them.

use super::backing::{Backing, File, Row};
use super::errno::Errno;
use super::flags::VM_SEALED;
use super::host::Host;
use super::mm::{Mm, refusal, reported};
use crate::addr_space::{HolePolicy, Mapping, Page, PageMapping, Prot, Region};
use crate::store::RangeStore;

/// What a walk does at pages that are not mapped; in the end it is `ENOMEM` in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holes {
    /// It stops there.
    Stop,
    /// It goes on behind them.
    Pass,
}

impl<F: File, S: RangeStore<Page, PageMapping<Backing<F>>>> Mm<F, S> {
    /// Visits what is mapped of a range, row by row.
    pub(super) fn walk(
        &mut self,
        (start, end): (u64, u64),
        holes: Holes,
        mut visit: impl FnMut(&mut Self, &Region<Backing<F>>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let (mut at, mut result) = (start, Ok(()));
        while at < end {
            let next = self.next(at).filter(|next| next.addr < end);
            let next = next.ok_or(Errno::ENOMEM)?;
            if next.addr > at {
                if holes == Holes::Stop {
                    return Err(Errno::ENOMEM);
                }
                result = Err(Errno::ENOMEM);
                at = next.addr;
            }
            let reach = next.end().map_or(end, |reach| reach.min(end));
            let part = Region {
                addr: at,
                len: reach - at,
                mapping: next.mapping.at(at - next.addr).cloned(),
            };
            visit(self, &part)?;
            at = reach;
        }
        result
    }

    /// Gives a part of a row another protection and other flags, after the host has.
    pub(super) fn change<H: Host<F>>(
        &mut self,
        part: &Region<Backing<F>>,
        (prot, flags): (u32, u32),
        mut act: impl FnMut(&Row<'_, F>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let old = (part.mapping.prot.0, part.mapping.flags);
        if old == (prot, flags) {
            return Ok(());
        }
        if self.space.region_count() >= self.config.max_map_count.saturating_sub(1) {
            self.check_cuts(part, (prot, flags))?;
        }
        let Self {
            space, counters, ..
        } = self;
        let change = |region: Region<Backing<F>>, mapping: &mut Mapping<Backing<F>>| {
            let said = act(&reported(&region));
            if H::CAN_REFUSE {
                said?;
            }
            counters.sub(region.len, old.0, old.1);
            counters.add(region.len, prot, flags);
            mapping.prot = Prot(prot);
            mapping.flags = flags;
            Ok(())
        };
        let changed = space.update(part.addr, part.len, HolePolicy::Skip, change);
        changed.map_err(refusal)??;
        self.has_sealed |= flags & VM_SEALED != 0;
        self.join(part.addr);
        self.join(part.addr + part.len);
        Ok(())
    }

    /// Refuses a change if there may not be so many rows. Linux cuts at the lower end all
    /// the same if one more is allowed.
    fn check_cuts(
        &mut self,
        part: &Region<Backing<F>>,
        (prot, flags): (u32, u32),
    ) -> Result<(), Errno> {
        let Some(whole) = self.space.query_ref(part.addr) else {
            return Ok(());
        };
        let end = part.addr + part.len;
        let (below, above) = (whole.addr < part.addr, whole.end() != Some(end));
        let joins = self.would_join(&Region {
            addr: part.addr,
            len: part.len,
            mapping: Mapping {
                prot: Prot(prot),
                flags,
                data: &part.mapping.data,
                ..whole.mapping.at(part.addr - whole.addr)
            },
        });
        if joins || !below && !above {
            return Ok(());
        }
        let room = self
            .config
            .max_map_count
            .saturating_sub(self.space.region_count());
        if room >= usize::from(below) + usize::from(above) {
            return Ok(());
        }
        if room > 0 {
            self.cut(part.addr);
        }
        Err(Errno::ENOMEM)
    }

    /// Refuses to unmap what is sealed, and to cut the middle out of a row if there may
    /// not be one more. Linux cuts at the lower end all the same where only what follows
    /// is sealed.
    pub(super) fn check_unmap(&mut self, addr: u64, len: u64) -> Result<(), Errno> {
        let full = self.space.region_count() >= self.config.max_map_count;
        if !self.has_sealed && !full {
            return Ok(());
        }
        let end = addr + len;
        let Some(first) = self.next(addr).filter(|first| first.addr < end) else {
            return Ok(());
        };
        let cuts = first.addr < addr;
        if cuts && full && first.end().is_none_or(|reach| end < reach) {
            return Err(Errno::ENOMEM);
        }
        if cuts && first.mapping.flags & VM_SEALED != 0 {
            return Err(Errno::EPERM);
        }
        let mut rows = self.space.regions_in(addr, len).borrowed();
        let sealed = rows.any(|row| row.mapping.flags & VM_SEALED != 0);
        drop(rows);
        if sealed {
            self.cut(addr);
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}
