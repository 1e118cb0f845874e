//! Lockstep of an address space and [`ReferenceSpace`].

use std::fmt::Debug;
use std::panic::resume_unwind;

use gaptree::{AddrSpace, MapOptions, Mapping, Page, PageMapping, RangeStore, Region, SpaceError};

use super::driver::{Lockstep, Mismatch, Stop, same, stopped};
use crate::ReferenceSpace;
use crate::ops::{Call, SpaceOp, SpaceShape};

/// A space and its oracle.
pub(super) struct SpaceLockstep<S> {
    subject: AddrSpace<S>,
    oracle: ReferenceSpace,
}

/// What a call reported and returned; no result if its sink stopped it.
pub(super) type Reported = (Vec<Region>, Option<Result<(), SpaceError>>);

/// The regions that a call reports to a sink that may stop it.
pub(super) fn reported(
    call: Call,
    operation: impl FnOnce(&mut dyn FnMut(Region)) -> Result<(), SpaceError>,
) -> Reported {
    let mut regions = Vec::new();
    let mut result = None;
    stopped(|| {
        result = Some(operation(&mut |region| {
            regions.push(region);
            if call.stop == Some(regions.len() - 1) {
                resume_unwind(Box::new(Stop));
            }
        }));
    });
    (regions, result)
}

/// Compares an answer that must be one of several.
fn one_of<T: PartialEq + Debug>(
    what: &'static str,
    expected: &Result<Vec<T>, SpaceError>,
    got: &Result<T, SpaceError>,
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

impl<S: RangeStore<Page, PageMapping>> SpaceLockstep<S> {
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
            SpaceOp::Query(addr) => same("region", oracle.query(addr), subject.query(addr)),
            SpaceOp::CheckAccess { addr, len, needs } => {
                let allow = |mapping: &Mapping| mapping.prot.contains(needs);
                let expected = oracle.check_access(addr, len, allow);
                same(
                    "first bad address",
                    expected,
                    subject.check_access(addr, len, allow),
                )
            }
            SpaceOp::RegionsIn { addr, len, walk } => {
                let expected = walk.take(oracle.regions_in(addr, len).into_iter());
                same(
                    "regions",
                    expected,
                    walk.take(subject.regions_in(addr, len)),
                )
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

    /// Checks the address of a placement and follows it.
    fn follow(
        &mut self,
        len: u64,
        mapping: Mapping,
        expected: &Result<Vec<u64>, SpaceError>,
        found: &Result<u64, SpaceError>,
        got: &Result<u64, SpaceError>,
    ) -> Result<(), Mismatch> {
        one_of("address", expected, got)?;
        same("address that find_free promised", found, got)?;
        if let Ok(addr) = *got {
            let mapped = self.oracle.map_fixed_noreplace(addr, len, mapping);
            same("following it", Ok(()), mapped)?;
        }
        Ok(())
    }

    /// Applies an operation that chooses an address.
    fn place(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::MapAny { hint, len, mapping } => {
                let options = MapOptions {
                    hint,
                    ..MapOptions::default()
                };
                let expected = oracle.places(len, &options);
                let found = subject.find_free(len, &options);
                let got = subject.map_any(hint, len, mapping);
                self.follow(len, mapping, &expected, &found, &got)
            }
            SpaceOp::MapAnyWith {
                len,
                mapping,
                options,
            } => {
                let expected = oracle.places(len, &options);
                let found = subject.find_free(len, &options);
                let got = subject.map_any_with(len, mapping, &options);
                self.follow(len, mapping, &expected, &found, &got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation on a range, or one that reports.
    fn edit(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                let expected = reported(call, |sink| oracle.map_at(addr, len, mapping, sink));
                let got = reported(call, |sink| subject.map_at(addr, len, mapping, sink));
                same("reported", expected, got)
            }
            SpaceOp::MapFixedNoreplace { addr, len, mapping } => {
                let expected = oracle.map_fixed_noreplace(addr, len, mapping);
                let got = subject.map_fixed_noreplace(addr, len, mapping);
                same("result", expected, got)
            }
            SpaceOp::Unmap { addr, len, call } => {
                let expected = reported(call, |sink| oracle.unmap(addr, len, sink));
                let got = reported(call, |sink| subject.unmap(addr, len, sink));
                same("reported", expected, got)
            }
            SpaceOp::Protect {
                addr,
                len,
                prot,
                holes,
                call,
            } => {
                let expected = reported(call, |sink| oracle.protect(addr, len, prot, holes, sink));
                let got = reported(call, |sink| subject.protect(addr, len, prot, holes, sink));
                same("reported", expected, got)
            }
            SpaceOp::UnmapNonOriginal(call) => {
                let expected = reported(call, |sink| {
                    oracle.unmap_non_original(sink);
                    Ok(())
                });
                let got = reported(call, |sink| {
                    subject.unmap_non_original(sink);
                    Ok(())
                });
                same("reported", expected, got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation on the whole space.
    fn change_all(&mut self, op: &SpaceOp) {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::SetPlacement(placement) => {
                oracle.set_placement(placement);
                subject.set_placement(placement);
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
    }
}

impl<S: RangeStore<Page, PageMapping>> Lockstep for SpaceLockstep<S> {
    type Op = SpaceOp;

    fn apply(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        self.ask(op)?;
        self.place(op)?;
        self.edit(op)?;
        self.change_all(op);
        Ok(())
    }

    fn compare(&self) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        subject.check();
        same("start", oracle.start(), subject.start())?;
        same("size", oracle.size(), subject.size())?;
        same("page size", oracle.page_size(), subject.page_size())?;
        same("placement", oracle.placement(), subject.placement())?;
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
