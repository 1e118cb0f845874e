//! Lockstep of an address space and [`ReferenceSpace`].

use std::fmt::Debug;

use gaptree::{
    AddrSpace, MapOptions, Mapping, Page, PageMapping, Prot, RangeStore, Region, SpaceError,
    SpaceSegment,
};

use super::driver::{Lockstep, Mismatch, reported, same};
use crate::ReferenceSpace;
use crate::ops::{Sample, SpaceOp, SpaceShape};

/// A space and its oracle.
pub(super) struct SpaceLockstep<T, S> {
    subject: AddrSpace<T, S>,
    oracle: ReferenceSpace<T>,
}

/// The mapping of an operation, with the data that its number stands for.
fn own<T: Sample>(mapping: Mapping<u8>) -> Mapping<T> {
    let data = T::of(mapping.data);
    mapping.with_data(data)
}

/// What an access check answers, and every mapping that it shows to its predicate.
fn shown<T>(
    needs: Prot,
    check: impl FnOnce(&mut dyn FnMut(Mapping<T>) -> bool) -> Result<(), u64>,
) -> (Result<(), u64>, Vec<Mapping<T>>) {
    let mut shown = Vec::new();
    let result = check(&mut |mapping| {
        let allowed = mapping.prot.0 & needs.0 == needs.0;
        shown.push(mapping);
        allowed
    });
    (result, shown)
}

/// Compares an answer that must be one of several.
fn one_of<A: PartialEq + Debug>(
    what: &'static str,
    expected: &Result<Vec<A>, SpaceError>,
    got: &Result<A, SpaceError>,
) -> Result<(), Mismatch> {
    match (expected, got) {
        (Ok(choices), Ok(got)) if choices.contains(got) => Ok(()),
        (Err(expected), Err(got)) if expected == got => Ok(()),
        _ => Err(Mismatch {
            what,
            expected: format!("one of {expected:x?}"),
            got: format!("{got:x?}"),
        }),
    }
}

impl<T: Sample, S: RangeStore<Page, PageMapping<T>>> SpaceLockstep<T, S> {
    /// # Panics
    /// The bounds are refused, which a shape's never are.
    pub(super) fn new(shape: &SpaceShape) -> Self {
        let SpaceShape {
            start, page_size, ..
        } = *shape;
        let subject = AddrSpace::with_engine(start, shape.size(), page_size);
        let oracle = ReferenceSpace::new(start, shape.size(), page_size);
        Self {
            subject: subject.expect("a shape is valid"),
            oracle: oracle.expect("a shape is valid"),
        }
    }

    /// Applies an operation that changes nothing.
    fn ask(&self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::FindFree { len, options } => one_of(
                "address",
                &oracle.places(len, &options),
                &subject.find_free(len, &options),
            ),
            SpaceOp::Query(addr) => {
                let expected = oracle.query(addr);
                let borrowed = subject.query_ref(addr).map(Region::cloned);
                same("region by reference", &expected, &borrowed)?;
                same("region", expected, subject.query(addr))
            }
            SpaceOp::CheckAccess { addr, len, needs } => self.check_access(addr, len, needs),
            SpaceOp::CheckMapped { addr, len } => {
                let expected = oracle.check_access(addr, len, |_| true);
                same("first fault", expected, subject.check_mapped(addr, len))
            }
            SpaceOp::GapAt(addr) => same("gap", oracle.gap_at(addr), subject.gap_at(addr)),
            SpaceOp::MappedBytesIn { addr, len } => {
                let expected = oracle.mapped_bytes_in(addr, len);
                same("bytes", expected, subject.mapped_bytes_in(addr, len))
            }
            SpaceOp::Regions(walk) => {
                let expected = walk.take(oracle.regions().into_iter());
                same("regions", expected, walk.take(subject.regions()))
            }
            SpaceOp::Gaps(walk) => {
                let expected = walk.take(oracle.gaps().into_iter());
                same("gaps", expected, walk.take(subject.gaps()))
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation that walks over a range.
    fn walk(&self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::RegionsIn { addr, len, walk } => {
                let expected = walk.take(oracle.regions_in(addr, len).into_iter());
                let regions = subject.regions_in(addr, len);
                let borrowed = walk.take(regions.clone().borrowed().map(Region::cloned));
                same("regions by reference", &expected, &borrowed)?;
                same("regions", expected, walk.take(regions))
            }
            SpaceOp::Pieces { addr, len, walk } => {
                let expected = walk.take(oracle.pieces(addr, len).into_iter());
                let pieces = subject.pieces(addr, len);
                let borrowed = walk.take(pieces.clone().borrowed().map(Region::cloned));
                same("pieces by reference", &expected, &borrowed)?;
                same("pieces", expected, walk.take(pieces))
            }
            SpaceOp::Segments { addr, len, walk } => {
                let expected = walk.take(oracle.segments(addr, len).into_iter());
                let segments = subject.segments(addr, len);
                let borrowed = walk.take(segments.clone().borrowed().map(SpaceSegment::cloned));
                same("segments by reference", &expected, &borrowed)?;
                same("segments", expected, walk.take(segments))
            }
            SpaceOp::GapsIn { addr, len, walk } => {
                let expected = walk.take(oracle.gaps_in(addr, len).into_iter());
                same("gaps", expected, walk.take(subject.gaps_in(addr, len)))
            }
            _ => Ok(()),
        }
    }

    /// Compares an access check, with all that it shows to its predicate.
    fn check_access(&self, addr: u64, len: u64, needs: Prot) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        let expected = shown(needs, |allow| {
            oracle.check_access(addr, len, |mapping| allow(mapping.clone()))
        });
        let got = shown(needs, |allow| {
            subject.check_access(addr, len, |mapping| allow(mapping.clone()))
        });
        let borrowed = shown(needs, |allow| {
            subject.check_access_ref(addr, len, |mapping| allow(mapping.cloned()))
        });
        same("access by reference", &expected, &borrowed)?;
        same("access", expected, got)
    }

    /// Checks the address of a placement and follows it.
    fn follow(
        &mut self,
        len: u64,
        mapping: Mapping<T>,
        options: &MapOptions,
        found: Result<u64, SpaceError>,
        got: Result<u64, SpaceError>,
    ) -> Result<(), Mismatch> {
        one_of("address", &self.oracle.places(len, options), &found)?;
        let Ok(addr) = found else {
            return same("address that find_free promised", found, got);
        };
        let mapped = self.oracle.map_fixed_noreplace(addr, len, mapping);
        if mapped.is_err() {
            let again = self.subject.find_free(len, options);
            same("a draw that was not used up", found, again)?;
        }
        same(
            "address that find_free promised",
            mapped.map(|()| addr),
            got,
        )
    }

    /// Applies an operation that chooses an address.
    fn place(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, .. } = self;
        match *op {
            SpaceOp::MapAny { hint, len, mapping } => {
                let options = MapOptions {
                    hint,
                    ..MapOptions::default()
                };
                let found = subject.find_free(len, &options);
                let mapping = own(mapping);
                let got = subject.map_any(hint, len, mapping.clone());
                self.follow(len, mapping, &options, found, got)
            }
            SpaceOp::MapAnyWith {
                len,
                mapping,
                options,
            } => {
                let found = subject.find_free(len, &options);
                let mapping = own(mapping);
                let got = subject.map_any_with(len, mapping.clone(), &options);
                self.follow(len, mapping, &options, found, got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation on a range, or one that reports.
    #[expect(
        clippy::unit_arg,
        reason = "what a sink says is `()` in one of two expansions"
    )]
    fn edit(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                let mapping = own(mapping);
                let expected =
                    reported!(call, |sink| oracle.map_at(addr, len, mapping.clone(), sink));
                let got = reported!(call, |sink| subject.map_at(
                    addr,
                    len,
                    mapping.clone(),
                    sink
                ));
                same("reported", expected, got)
            }
            SpaceOp::MapFixedNoreplace { addr, len, mapping } => {
                let mapping = own(mapping);
                let expected = oracle.map_fixed_noreplace(addr, len, mapping.clone());
                let got = subject.map_fixed_noreplace(addr, len, mapping);
                same("result", expected, got)
            }
            SpaceOp::Unmap { addr, len, call } => {
                let expected = reported!(call, |sink| oracle.unmap(addr, len, sink));
                let got = reported!(call, |sink| subject.unmap(addr, len, sink));
                same("reported", expected, got)
            }
            SpaceOp::Relocate {
                from,
                len,
                to,
                source,
                call,
            } => {
                let expected = reported!(call, |sink| oracle.relocate(from, len, to, source, sink));
                let got = reported!(call, |sink| subject.relocate(from, len, to, source, sink));
                same("reported", expected, got)
            }
            SpaceOp::Extend { addr, by } => {
                let expected = oracle.extend(addr, by);
                same("address", expected, subject.extend(addr, by))
            }
            SpaceOp::UnmapNonOriginal(call) => {
                let expected = reported!(call, |sink| {
                    Ok::<_, SpaceError>(oracle.unmap_non_original(sink))
                });
                let got = reported!(call, |sink| { Ok(subject.unmap_non_original(sink)) });
                same("reported", expected, got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation that changes what is mapped in place.
    fn change(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::Protect {
                addr,
                len,
                prot,
                holes,
                call,
            } => {
                let expected = reported!(call, |sink| oracle.protect(addr, len, prot, holes, sink));
                let got = reported!(call, |sink| subject.protect(addr, len, prot, holes, sink));
                same("reported", expected, got)
            }
            SpaceOp::Update {
                addr,
                len,
                holes,
                change,
                call,
            } => {
                let data = change.data();
                let expected = reported!(call, |sink| {
                    oracle.update(addr, len, holes, |region, mapping| {
                        change.apply(mapping, &data);
                        sink(region)
                    })
                });
                let got = reported!(call, |sink| {
                    subject.update(addr, len, holes, |region, mapping| {
                        change.apply(mapping, &data);
                        sink(region)
                    })
                });
                same("reported", expected, got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation on the whole space.
    fn change_all(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::SetPlacement(placement) => {
                oracle.set_placement(placement);
                subject.set_placement(placement);
            }
            SpaceOp::SetLimits { regions, bytes } => {
                oracle.set_region_limit(regions);
                oracle.set_byte_limit(bytes);
                subject.set_region_limit(regions);
                subject.set_byte_limit(bytes);
            }
            SpaceOp::SetGuard { number, guard } => {
                oracle.set_guard(number, guard);
                same("result", Ok(()), subject.set_guard(number, guard))?;
                same("guard", oracle.guard(number), subject.guard(number))?;
            }
            SpaceOp::Reserve { addr, len } => {
                let expected = oracle.reserve(addr, len);
                same("result", expected, subject.reserve(addr, len))?;
            }
            SpaceOp::Unreserve { addr, len } => {
                let expected = oracle.unreserve(addr, len);
                same("result", expected, subject.unreserve(addr, len))?;
            }
            SpaceOp::Seal { addr, len } => {
                let expected = oracle.seal(addr, len);
                same("result", expected, subject.seal(addr, len))?;
            }
            SpaceOp::MarkOriginal => {
                oracle.mark_original();
                subject.mark_original();
            }
            SpaceOp::Reset => {
                oracle.reset();
                subject.reset();
            }
            SpaceOp::Clone(call) => {
                let copy = if call.fallible {
                    subject.try_clone().expect("memory")
                } else {
                    subject.clone()
                };
                subject.reset();
                *subject = copy;
            }
            _ => {}
        }
        Ok(())
    }
}

impl<T: Sample, S: RangeStore<Page, PageMapping<T>>> Lockstep for SpaceLockstep<T, S> {
    type Op = SpaceOp;

    fn apply(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        self.ask(op)?;
        self.walk(op)?;
        self.place(op)?;
        self.edit(op)?;
        self.change(op)?;
        self.change_all(op)
    }

    fn compare(&self) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        subject.check();
        same("start", oracle.start(), subject.start())?;
        same("size", oracle.size(), subject.size())?;
        same("page size", oracle.page_size(), subject.page_size())?;
        same("placement", oracle.placement(), subject.placement())?;
        let limits = (oracle.region_limit(), oracle.byte_limit());
        same(
            "limits",
            limits,
            (subject.region_limit(), subject.byte_limit()),
        )?;
        same("reserved", oracle.reserved(), subject.reserved().collect())?;
        let mut regions = oracle.regions();
        same("regions", &regions, &subject.regions().collect())?;
        let text: String = regions.iter().map(|region| format!("{region}\n")).collect();
        same("listing", text, subject.to_string())?;
        same("region count", regions.len(), subject.region_count())?;
        same(
            "mapped bytes",
            oracle.mapped_bytes(),
            subject.mapped_bytes(),
        )?;
        regions.reverse();
        same(
            "regions backwards",
            regions,
            subject.regions().rev().collect(),
        )?;
        let mut gaps = oracle.gaps();
        same("gaps", &gaps, &subject.gaps().collect())?;
        gaps.reverse();
        same("gaps backwards", gaps, subject.gaps().rev().collect())?;
        same("largest gap", oracle.largest_gap(), subject.largest_gap())
    }

    fn cost(&self) -> usize {
        16
    }

    fn name(&self) -> String {
        let shape = format!(
            "{:#x} bytes from {:#x} in pages of {:#x}",
            self.oracle.size(),
            self.oracle.start(),
            self.oracle.page_size()
        );
        format!("a space of {shape} on {}", std::any::type_name::<S>())
    }
}
