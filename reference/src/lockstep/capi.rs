//! Lockstep of the C interface and [`ReferenceSpace`].

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::resume_unwind;

use gaptree::{HolePolicy, MapOptions, OffsetRule, Placement, SpaceError, SpaceSegment};

use super::c_space::{CSpace, Failure, How, Outcome, Said};
use super::driver::{Lockstep, Mismatch, Reported, Say, Stop, collect, same};
use crate::ReferenceSpace;
use crate::ops::{Call, Sample, SpaceOp, SpaceShape};

/// A mapping with data.
type Mapping = gaptree::Mapping<u64>;
/// A region with data.
type Region = gaptree::Region<u64>;

/// A space behind the C interface and its oracle.
pub(super) struct CapiLockstep {
    subject: CSpace,
    oracle: ReferenceSpace<u64>,
}

/// What C is told of a failure.
fn failure(error: SpaceError) -> Failure {
    match error {
        SpaceError::Exists => Failure::Exists,
        SpaceError::NoFreeRange
        | SpaceError::NotMapped
        | SpaceError::RegionLimit
        | SpaceError::ByteLimit
        | SpaceError::OutOfMemory => Failure::NoMemory,
        _ => Failure::Invalid,
    }
}

/// What C is told of a result.
fn told<T>(result: Result<T, SpaceError>) -> Outcome {
    result.map(drop).map_err(failure)
}

/// By which functions a call is made. Only libmmap's have a callback that cannot stop
/// them, and panics instead.
fn how(call: Call) -> How {
    match call {
        Call { fallible: true, .. } => How::Whole,
        Call { can_stop: true, .. } => How::Until,
        _ => How::Plain,
    }
}

/// By which functions a mapping is made: what separate arguments cannot say is said by
/// all of it.
fn saying(mapping: &gaptree::Mapping<u8>) -> How {
    if mapping.data != 0 || mapping.original {
        How::Whole
    } else {
        How::Plain
    }
}

/// What an operation reported and returned, of the oracle.
type Expected = Reported<Region, SpaceError>;

/// What C is told of a call that reports: if its callback panics, that the call was not
/// valid, and nothing else.
fn in_c((regions, result): Expected) -> Reported<Region, Failure> {
    let result = result.map(|result| result.map_err(failure));
    (regions, result.or(Some(Err(Failure::Invalid))))
}

/// Runs a call of the oracle with a sink of the type that the library gives it.
macro_rules! expected {
    ($how:expr, $call:expr, |$sink:ident| $operation:expr) => {
        if $how == How::Plain {
            collect::<_, _, ()>($call, |$sink| $operation)
        } else {
            collect::<_, _, Said>($call, |$sink| $operation)
        }
    };
}

/// Runs a call of C's, of which no panic comes out.
fn got(
    how: How,
    call: Call,
    operation: impl FnOnce(&mut dyn FnMut(Region) -> Said) -> Result<Said, Failure>,
) -> Reported<Region, Failure> {
    let mut regions = Vec::new();
    let result = operation(&mut |region| {
        regions.push(region);
        let index = regions.len() - 1;
        if how != How::Plain {
            return Say::at(call, index);
        }
        if call.stop == Some(index) {
            resume_unwind(Box::new(Stop));
        }
        ControlFlow::Continue(())
    });
    (regions, Some(result.map(Say::stopped_at)))
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

    /// What the functions report of a region that are called in this way.
    fn shown(&self, how: How, region: Region) -> Region {
        let mapping = match how {
            How::Whole => region.mapping,
            _ => self.subject.shown(region.mapping),
        };
        Region { mapping, ..region }
    }

    /// The same of all regions that are reported.
    fn all_shown(&self, how: How, (regions, result): Expected) -> Expected {
        let regions = regions.into_iter();
        let regions = regions.map(|region| self.shown(how, region)).collect();
        (regions, result)
    }

    /// The mapping that a call makes, if it is all told or by separate arguments.
    fn asked(&self, mapping: gaptree::Mapping<u8>, how: How) -> Mapping {
        let mapping = mapping.with_data(u64::of(mapping.data));
        match how {
            How::Whole => mapping,
            _ => self.subject.mapping(mapping),
        }
    }

    /// Checks the address of a placement and follows it.
    fn follow(
        &mut self,
        len: u64,
        mapping: Mapping,
        options: &MapOptions,
        map: impl FnOnce(&CSpace) -> Option<u64>,
    ) -> Result<(), Mismatch> {
        self.find(len, options)?;
        let promised = self.subject.find_free(len, options);
        let got = map(&self.subject);
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
                let region = oracle.query(addr);
                let segment = region
                    .map(SpaceSegment::Region)
                    .or_else(|| self.gap_at(addr));
                same("segment", segment, subject.query_segment(addr))?;
                let region = region.map(|region| self.shown(How::Plain, region));
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
                let region = oracle.regions().into_iter().find(ends_above);
                let expected = region.map(|region| self.shown(How::Plain, region));
                same("first region above", expected, subject.first_region(addr))
            }
            SpaceOp::Segments { addr, len, .. } => {
                let expected = oracle.segments(addr, len);
                same("segments", expected, subject.segments(addr, len))
            }
            SpaceOp::MappedBytesIn { addr, len } => {
                let expected = oracle.mapped_bytes_in(addr, len);
                same("bytes", expected, subject.mapped_bytes_in(addr, len))
            }
            _ => Ok(()),
        }
    }

    fn gap_at(&self, addr: u64) -> Option<SpaceSegment<u64>> {
        let (addr, len) = self.oracle.gap_at(addr)?;
        Some(SpaceSegment::Gap { addr, len })
    }

    /// The mapping of the page around an address of a region.
    fn page_of(&self, region: &Region, addr: u64) -> Mapping {
        let distance = (addr - region.addr) / self.oracle.page_size() * self.oracle.page_size();
        let mut mapping = self.oracle.query(addr).expect("it is mapped").mapping;
        if mapping.offset_rule == OffsetRule::Linear {
            mapping.offset = mapping.offset.wrapping_add(distance);
        }
        self.subject.shown(mapping)
    }

    /// Applies an operation that places.
    fn place(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        let (len, mapping, options) = match *op {
            SpaceOp::MapAny { hint, len, mapping } => {
                let options = MapOptions {
                    hint,
                    ..MapOptions::default()
                };
                (len, mapping, options)
            }
            SpaceOp::MapAnyWith {
                len,
                mapping,
                options,
            } => (len, mapping, options),
            _ => return Ok(()),
        };
        let options = askable(&options);
        let how = saying(&mapping);
        let mapping = self.asked(mapping, how);
        self.follow(len, mapping, &options, |subject| match *op {
            _ if how == How::Whole => subject.map_any_whole(len, &mapping, &options),
            SpaceOp::MapAny { .. } => subject.map_any(options.hint, len, &mapping),
            _ => subject.map_any_with(len, &mapping, &options),
        })
    }

    /// Applies an operation on a range that reports, or maps one.
    #[expect(
        clippy::unit_arg,
        reason = "what a sink says is `()` in one of two expansions"
    )]
    fn edit(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        match *op {
            SpaceOp::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                let how = how(call);
                let mapping = self.asked(mapping, how);
                let Self { subject, oracle } = self;
                let expected = expected!(how, call, |sink| oracle.map_at(addr, len, mapping, sink));
                let got = got(how, call, |sink| {
                    subject.map_at(how, addr, len, &mapping, sink)
                });
                let (regions, mut result) = in_c(self.all_shown(how, expected));
                if how == How::Plain {
                    // It returns no address, and does not say why.
                    result = result.map(|result| result.map_err(|_| Failure::Unsaid));
                }
                same("reported", (regions, result), got)
            }
            SpaceOp::MapFixedNoreplace { addr, len, mapping } => {
                let how = saying(&mapping);
                let mapping = self.asked(mapping, how);
                let expected = told(self.oracle.map_fixed_noreplace(addr, len, mapping));
                let got = if how == How::Whole {
                    self.subject.map_fixed_noreplace_whole(addr, len, &mapping)
                } else {
                    self.subject.map_fixed_noreplace(addr, len, &mapping)
                };
                same("result", expected, got)
            }
            SpaceOp::Unmap { addr, len, call } => {
                let how = how(call);
                let Self { subject, oracle } = self;
                let expected = expected!(how, call, |sink| oracle.unmap(addr, len, sink));
                let got = got(how, call, |sink| subject.unmap(how, addr, len, sink));
                same("reported", in_c(self.all_shown(how, expected)), got)
            }
            SpaceOp::UnmapNonOriginal(call) => {
                let how = how(call);
                let Self { subject, oracle } = self;
                let expected = expected!(how, call, |sink| Ok(oracle.unmap_non_original(sink)));
                let got = got(how, call, |sink| subject.unmap_non_original(how, sink));
                let (regions, mut result) = in_c(self.all_shown(how, expected));
                if how == How::Plain {
                    result = Some(Ok(None)); // it returns nothing
                }
                same("reported", (regions, result), got)
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation that changes what is mapped, in place or to another.
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
                let how = how(call);
                let holes = if how == How::Whole {
                    holes
                } else {
                    HolePolicy::Skip
                };
                let expected = expected!(how, call, |sink| oracle
                    .protect(addr, len, prot, holes, sink));
                let got = got(how, call, |sink| {
                    subject.protect(how, (addr, len), prot, holes, sink)
                });
                same("reported", in_c(self.all_shown(how, expected)), got)
            }
            SpaceOp::Update {
                addr,
                len,
                holes,
                change,
                call,
            } => {
                let how = How::Whole;
                let data = change.data();
                let expected = expected!(how, call, |sink| {
                    oracle.update(addr, len, holes, |region, mapping| {
                        change.apply(mapping, &data);
                        sink(region)
                    })
                });
                let got = got(how, call, |sink| {
                    subject.update(addr, len, holes, &mut |region, mapping| {
                        change.apply(mapping, &data);
                        sink(region)
                    })
                });
                same("reported", in_c(expected), got)
            }
            SpaceOp::Relocate {
                from,
                len,
                to,
                source,
                call,
            } => {
                let how = How::Whole;
                let expected = expected!(how, call, |sink| oracle
                    .relocate(from, len, to, source, sink));
                let got = got(how, call, |sink| {
                    subject.relocate(from, len, to, source, sink)
                });
                same("reported", in_c(expected), got)
            }
            SpaceOp::Extend { addr, by } => {
                let expected = oracle.extend(addr, by).map_err(failure);
                same("address", expected, subject.extend(addr, by))
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
                if let Placement::Random(seed) = placement {
                    subject.enable_aslr(seed);
                } else {
                    same("result", Ok(()), subject.set_placement(placement))?;
                }
            }
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
}

impl Lockstep for CapiLockstep {
    type Op = SpaceOp;

    fn apply(&mut self, op: &SpaceOp) -> Result<(), Mismatch> {
        self.ask(op)?;
        self.place(op)?;
        self.change_all(op)?;
        self.edit(op)?;
        self.change(op)
    }

    fn compare(&self) -> Result<(), Mismatch> {
        let Self { subject, oracle } = self;
        let totals = subject.totals().expect("a space that is not busy");
        let regions = oracle.regions();
        same("start", oracle.start(), totals.start as u64)?;
        same("size", oracle.size(), totals.len as u64)?;
        same("page size", oracle.page_size(), totals.pagesize as u64)?;
        same("region count", regions.len(), totals.regions)?;
        same("mapped bytes", oracle.mapped_bytes(), totals.mapped as u64)?;
        let largest_gap = totals.largest_gap as u64;
        same("largest gap", oracle.largest_gap(), largest_gap)?;
        let mut held = BTreeMap::new();
        for region in &regions {
            if region.mapping.data % 2 == 1 {
                *held.entry(region.mapping.data).or_default() += 1;
            }
        }
        same("how often data is held", held, CSpace::held())?;
        let segments = oracle.segments(oracle.start(), oracle.size());
        same(
            "segments",
            segments,
            subject.segments(oracle.start(), oracle.size()),
        )?;
        let shown = |region| self.shown(How::Plain, region);
        let regions: Vec<Region> = regions.into_iter().map(shown).collect();
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
