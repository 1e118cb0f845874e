//! Lockstep of the C interface and [`ReferenceSpace`].

use std::ops::ControlFlow;
use std::panic::resume_unwind;

use gaptree::{HolePolicy, MapOptions, Mapping, OffsetRule, Placement, Region, SpaceError};

use super::c_space::{CSpace, Failure, Outcome};
use super::driver::{Lockstep, Mismatch, Reported, Say, Stop, collect, same};
use crate::ReferenceSpace;
use crate::ops::{Call, SpaceOp, SpaceShape};

/// A space behind the C interface and its oracle.
pub(super) struct CapiLockstep {
    subject: CSpace,
    oracle: ReferenceSpace,
}

/// What C is told of a result.
fn told<T>(result: Result<T, SpaceError>) -> Outcome {
    result.map(drop).map_err(|error| match error {
        SpaceError::Exists => Failure::Exists,
        SpaceError::NoFreeRange
        | SpaceError::NotMapped
        | SpaceError::RegionLimit
        | SpaceError::ByteLimit
        | SpaceError::OutOfMemory => Failure::NoMemory,
        _ => Failure::Invalid,
    })
}

/// What C is told of a call whose callback may have panicked. If it has, C is
/// told that the call was not valid, and nothing else.
fn told_unless_stopped((regions, result): Reported<Region, SpaceError>) -> (Vec<Region>, Outcome) {
    (regions, result.map_or(Err(Failure::Invalid), told))
}

/// What C is told of a call whose callback can stop it.
fn in_c(reported: Reported<Region, SpaceError>) -> Reported<Region, Failure> {
    let (regions, result) = reported;
    let failure = |error| told(Err::<(), _>(error)).expect_err("an error");
    (regions, result.map(|result| result.map_err(failure)))
}

/// A region as C is shown it: without its guard and its seal.
fn shown(region: Region) -> Region {
    let mapping = Mapping {
        guard: 0,
        sealed: false,
        ..region.mapping
    };
    Region { mapping, ..region }
}

/// What the oracle reports, as C is shown it.
fn expected_of<E, F: Say>(
    call: Call,
    operation: impl FnOnce(&mut dyn FnMut(Region) -> F) -> Result<F, E>,
) -> Reported<Region, E> {
    let (regions, result) = collect(call, operation);
    (regions.into_iter().map(shown).collect(), result)
}

/// What C can ask for: a hint of 0 is none, a window of no bytes is all.
fn askable(options: &MapOptions) -> MapOptions {
    MapOptions {
        hint: options.hint.filter(|&hint| hint != 0),
        window: options.window.filter(|&(_, len)| len != 0),
        ..*options
    }
}

impl CapiLockstep {
    /// # Panics
    /// The bounds are refused, which a shape's never are.
    pub(super) fn new(shape: &SpaceShape, linear: bool) -> Self {
        let SpaceShape {
            start, page_size, ..
        } = *shape;
        let size = shape.size();
        // The byte at the address that means failure is left out.
        let left_out = u64::from(page_size == 1 && start.wrapping_add(size) == 0);
        let subject = CSpace::new(start, size, page_size, linear);
        let oracle = ReferenceSpace::new(start, size - left_out, page_size);
        Self {
            subject: subject.expect("a shape is valid"),
            oracle: oracle.expect("a shape is valid"),
        }
    }

    /// Checks the address of a placement and follows it.
    fn follow(
        &mut self,
        len: u64,
        mapping: Mapping<u8>,
        options: &MapOptions,
        map: impl FnOnce(&CSpace) -> Option<u64>,
    ) -> Result<(), Mismatch> {
        self.find(len, options)?;
        let promised = self.subject.find_free(len, options);
        let got = map(&self.subject);
        let mapping = self.subject.mapping(mapping.with_data(()));
        let expected = promised.filter(|&addr| {
            let mapped = self.oracle.map_fixed_noreplace(addr, len, mapping);
            mapped.is_ok() // or beyond a limit
        });
        same("address that find_free promised", expected, got)
    }

    /// Checks that `find_free` answers one of the oracle's places.
    fn find(&self, len: u64, options: &MapOptions) -> Result<(), Mismatch> {
        let places = self.oracle.places(len, options).unwrap_or_default();
        let got = self.subject.find_free(len, options);
        let good = got.map_or(places.is_empty(), |addr| places.contains(&addr));
        if good {
            return Ok(());
        }
        Err(Mismatch {
            what: "address",
            expected: format!("one of {places:x?}"),
            got: format!("{got:x?}"),
        })
    }

    /// Applies an operation that changes nothing.
    fn ask(&self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::FindFree { len, options } => self.find(len, &askable(&options)),
            SpaceOp::Query(addr) => {
                let region = oracle.query(addr).map(shown);
                same("region", region, subject.query_region(addr))?;
                let page = region.map(|region| self.page_of(&region, addr));
                same("page", page, subject.query_page(addr))
            }
            SpaceOp::CheckAccess { addr, len, needs } => {
                let allow = |mapping: &Mapping| mapping.prot.contains(needs);
                let expected = oracle.check_access(addr, len, allow);
                let got = subject.check_access(addr, len, needs);
                same("first bad address", expected, got)
            }
            SpaceOp::RegionsIn { addr, .. } => {
                let ends_above = |region: &Region| region.addr + (region.len - 1) >= addr;
                let expected = oracle.regions().into_iter().find(ends_above).map(shown);
                same("first region above", expected, subject.first_region(addr))
            }
            _ => Ok(()),
        }
    }

    /// The mapping of the page around an address of a region.
    fn page_of(&self, region: &Region, addr: u64) -> Mapping {
        let distance = (addr - region.addr) / self.oracle.page_size() * self.oracle.page_size();
        let mut mapping = region.mapping;
        if mapping.offset_rule == OffsetRule::Linear {
            mapping.offset = mapping.offset.wrapping_add(distance);
        }
        mapping
    }

    /// Applies an operation that places.
    fn place(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        match *op {
            SpaceOp::MapAny { hint, len, mapping } => {
                let options = askable(&MapOptions {
                    hint,
                    ..MapOptions::default()
                });
                self.follow(len, mapping, &options, |subject| {
                    subject.map_any(options.hint, len, &mapping.with_data(()))
                })
            }
            SpaceOp::MapAnyWith {
                len,
                mapping,
                options,
            } => {
                let options = askable(&options);
                self.follow(len, mapping, &options, |subject| {
                    subject.map_any_with(len, &mapping.with_data(()), &options)
                })
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation whose callback can stop it.
    fn change_until(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        type Asked = ControlFlow<usize>;
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                let mapping = subject.mapping(mapping.with_data(()));
                let expected =
                    expected_of::<_, Asked>(call, |sink| oracle.map_at(addr, len, mapping, sink));
                let got = collect(call, |sink| subject.map_at_until(addr, len, &mapping, sink));
                same("reported", in_c(expected), got)
            }
            SpaceOp::Unmap { addr, len, call } => {
                let expected = expected_of::<_, Asked>(call, |sink| oracle.unmap(addr, len, sink));
                let got = collect(call, |sink| subject.unmap_until(addr, len, sink));
                same("reported", in_c(expected), got)
            }
            SpaceOp::Protect {
                addr,
                len,
                prot,
                call,
                ..
            } => {
                let skip = HolePolicy::Skip;
                let expected = expected_of::<_, Asked>(call, |sink| {
                    oracle.protect(addr, len, prot, skip, sink)
                });
                let got = collect(call, |sink| subject.protect_until(addr, len, prot, sink));
                same("reported", in_c(expected), got)
            }
            SpaceOp::UnmapNonOriginal(call) => {
                let expected = expected_of::<SpaceError, Asked>(call, |sink| {
                    Ok(oracle.unmap_non_original(sink))
                });
                let got = collect(call, |sink| subject.unmap_non_original_until(sink));
                same("reported", in_c(expected), got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation on the whole space.
    fn change_all(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::SetLimits { regions, bytes } => {
                oracle.set_region_limit(regions);
                oracle.set_byte_limit(bytes);
                same("result", Ok(()), subject.set_limits(regions, bytes))?;
            }
            SpaceOp::SetGuard { number, guard } => {
                oracle.set_guard(number, guard);
                same("result", Ok(()), subject.set_guard(number, guard))?;
            }
            SpaceOp::Reserve { addr, len } => {
                let expected = told(oracle.reserve(addr, len));
                same("result", expected, subject.reserve(addr, len))?;
            }
            SpaceOp::Unreserve { addr, len } => {
                let expected = told(oracle.unreserve(addr, len));
                same("result", expected, subject.unreserve(addr, len))?;
            }
            SpaceOp::Seal { addr, len } => {
                let expected = told(oracle.seal(addr, len));
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
            SpaceOp::Clone(_) => subject.replace_by_copy(),
            _ => {}
        }
        Ok(())
    }

    /// Applies any other operation that may change something.
    fn change(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        match *op {
            SpaceOp::SetPlacement(placement) => {
                oracle.set_placement(placement);
                if let Placement::Random(seed) = placement {
                    subject.enable_aslr(seed);
                } else {
                    same("result", Ok(()), subject.set_placement(placement))?;
                }
            }
            SpaceOp::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                let mapping = subject.mapping(mapping.with_data(()));
                let expected =
                    expected_of::<_, ()>(call, |sink| oracle.map_at(addr, len, mapping, sink));
                let (regions, result) = told_unless_stopped(expected);
                let got = collected(call.stop, |sink| subject.map_at(addr, len, &mapping, sink));
                let expected = (regions, result.is_ok().then_some(addr));
                same("reported", expected, got)?;
            }
            SpaceOp::MapFixedNoreplace { addr, len, mapping } => {
                let mapping = subject.mapping(mapping.with_data(()));
                let expected = told(oracle.map_fixed_noreplace(addr, len, mapping));
                let got = subject.map_fixed_noreplace(addr, len, &mapping);
                same("result", expected, got)?;
            }
            SpaceOp::Unmap { addr, len, call } => {
                let expected = expected_of::<_, ()>(call, |sink| oracle.unmap(addr, len, sink));
                let got = collected(call.stop, |sink| subject.unmap(addr, len, sink));
                same("reported", told_unless_stopped(expected), got)?;
            }
            SpaceOp::Protect {
                addr,
                len,
                prot,
                call,
                ..
            } => {
                let skip = HolePolicy::Skip;
                let expected =
                    expected_of::<_, ()>(call, |sink| oracle.protect(addr, len, prot, skip, sink));
                let got = collected(call.stop, |sink| subject.protect(addr, len, prot, sink));
                same("reported", told_unless_stopped(expected), got)?;
            }
            SpaceOp::UnmapNonOriginal(call) => {
                let (expected, _) = expected_of::<SpaceError, ()>(call, |sink| {
                    oracle.unmap_non_original(sink);
                    Ok(())
                });
                let (got, ()) = collected(call.stop, |sink| subject.unmap_non_original(sink));
                same("reported", expected, got)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The regions that a call reports, and what it returns; the callback panics at
/// the region of index `stop`.
fn collected<T>(
    stop: Option<usize>,
    call: impl FnOnce(&mut dyn FnMut(Region)) -> T,
) -> (Vec<Region>, T) {
    let mut regions = Vec::new();
    let result = call(&mut |region| {
        regions.push(region);
        if stop == Some(regions.len() - 1) {
            resume_unwind(Box::new(Stop));
        }
    });
    (regions, result)
}

impl Lockstep for CapiLockstep {
    type Op = SpaceOp;

    fn apply(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        self.ask(op)?;
        self.place(op)?;
        self.change_all(op)?;
        match op {
            SpaceOp::MapAt { call, .. }
            | SpaceOp::Unmap { call, .. }
            | SpaceOp::Protect { call, .. }
            | SpaceOp::UnmapNonOriginal(call)
                if call.can_stop =>
            {
                self.change_until(op)
            }
            _ => self.change(op),
        }
    }

    fn compare(&self) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        let totals = subject.totals().expect("a space that is not busy");
        let regions: Vec<Region> = oracle.regions().into_iter().map(shown).collect();
        same("start", oracle.start(), totals.start as u64)?;
        same("size", oracle.size(), totals.len as u64)?;
        same("page size", oracle.page_size(), totals.pagesize as u64)?;
        same("region count", regions.len(), totals.regions)?;
        same("mapped bytes", oracle.mapped_bytes(), totals.mapped as u64)?;
        let largest_gap = totals.largest_gap as u64;
        same("largest gap", oracle.largest_gap(), largest_gap)?;
        same("regions", regions, subject.regions())?;
        same("entered from a callback", false, subject.was_entered())
    }

    fn cost(&self) -> usize {
        16
    }

    fn name(&self) -> String {
        format!(
            "a C space of {:#x} bytes from {:#x} in pages of {:#x}",
            self.oracle.size(),
            self.oracle.start(),
            self.oracle.page_size()
        )
    }
}
