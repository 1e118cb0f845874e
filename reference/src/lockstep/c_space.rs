//! The C interface as a safe type: an address space that is reached through
//! `mmap_create` and its like, and through nothing else.
//!
//! Its callbacks first call back into the space, and note whether that was
//! refused.

#![expect(
    unsafe_code,
    reason = "the functions of a C interface; no pointer leaves this file"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr;

use gaptree::capi::{
    self, MMAP_EXIST, MMAP_HINT_EXACT, MMAP_HINT_ROUND_DOWN, MMAP_HINT_UPWARDS,
    MMAP_OFFSETS_LINEAR, MMAP_PLACE_BEST_HIGHEST, MMAP_PLACE_BEST_LOWEST, MMAP_PLACE_DEFAULT,
    MMAP_PLACE_HIGHEST, MMAP_PLACE_LOWEST, MMAP_PLACE_NEAREST, MMAP_PLACE_RANDOM, MMAP_STOPPED,
    MMapAddrSpace, MMapError, MMapInfo, MMapMapping, MMapOptions, MMapRegion, MMapSegment,
    MMapTotals,
};
use gaptree::{
    Guard, HintRule, HolePolicy, MapOptions, OffsetRule, Order, Placement, Prot, Source,
    SpaceSegment,
};

use super::c_mapping::{
    Mapping, Region, c_mapping, forget_held, held, mapping_of, region_of, segment_of,
};

/// `(uintptr_t)-1`.
const NO_ADDRESS: usize = usize::MAX;

/// Why a call failed, as far as C is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Invalid,
    NoMemory,
    Exists,
    /// C is not told.
    Unsaid,
}

/// What a call returns that has nothing to say but how it went.
pub(super) type Outcome = Result<(), Failure>;

/// A space behind the C interface. All its functions take `&self`, so that
/// nothing but the interface itself keeps callbacks from changing it.
#[derive(Debug)]
pub(super) struct CSpace {
    mm: *mut MMapAddrSpace,
    linear: bool,
    /// A callback's call back into the space was not refused.
    entered: Cell<bool>,
}

/// By which functions a call is made that reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// Those of libmmap.
    Plain,
    /// Those whose callback can stop them.
    Until,
    /// Those that report all of a mapping.
    Whole,
}

/// What a sink of the tests says: where it stops.
pub(super) type Said = ControlFlow<usize>;

/// What a callback is given.
struct Question<'a> {
    space: &'a CSpace,
    sink: &'a mut dyn FnMut(Region) -> Said,
    said: Said,
}

impl Question<'_> {
    /// Asks the sink; what C is told. Any number but 0 stops.
    fn ask(&mut self, region: Region) -> c_int {
        self.space.call_back(region.addr);
        self.said = (self.sink)(region);
        let at = self.said.break_value();
        at.map_or(0, |at| if at % 2 == 0 { 1 } else { c_int::MIN })
    }
}

extern "C-unwind" fn report(start: usize, len: usize, info: MMapInfo, udata: *mut c_void) {
    let code = question(start, len, info, udata);
    assert_eq!(code, 0, "this callback cannot stop");
}

extern "C-unwind" fn question(
    start: usize,
    len: usize,
    info: MMapInfo,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: `CSpace::asking` passes a question that outlives the call, and one
    // callback runs at a time.
    let question = unsafe { &mut *udata.cast::<Question<'_>>() };
    let region = question.space.region(MMapRegion { start, len, info });
    question.ask(region)
}

extern "C-unwind" fn whole_question(region: *const MMapSegment, udata: *mut c_void) -> c_int {
    // SAFETY: as in `question`; the library passes a segment that outlives the call.
    let (question, segment) = unsafe { (&mut *udata.cast::<Question<'_>>(), *region) };
    question.ask(region_of(&segment).expect("a region"))
}

/// What the callback of an update is given.
struct Change<'a> {
    space: &'a CSpace,
    change: &'a mut dyn FnMut(Region, &mut Mapping) -> Said,
    said: Said,
}

extern "C-unwind" fn change(
    region: *const MMapSegment,
    mapping: *mut MMapMapping,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: as in `whole_question`.
    let (to, segment, mapping) =
        unsafe { (&mut *udata.cast::<Change<'_>>(), *region, &mut *mapping) };
    let region = region_of(&segment).expect("a region");
    to.space.call_back(region.addr);
    let mut changed = mapping_of(mapping);
    assert_eq!(changed, region.mapping, "the mapping of the region");
    to.said = (to.change)(region, &mut changed);
    *mapping = c_mapping(&changed);
    to.said.break_value().map_or(0, |_| -1)
}

/// A number of C's; all of them have 64 bits where this is used.
fn narrow(number: u64) -> usize {
    usize::try_from(number).expect("pointers of 64 bits")
}

/// An address that was returned.
fn address(returned: usize) -> Option<u64> {
    (returned != NO_ADDRESS).then_some(returned as u64)
}

fn outcome(code: c_int) -> Outcome {
    const INVAL: c_int = MMapError::Inval as c_int;
    const NOMEM: c_int = MMapError::Nomem as c_int;
    match code {
        0 => Ok(()),
        INVAL => Err(Failure::Invalid),
        NOMEM => Err(Failure::NoMemory),
        MMAP_EXIST => Err(Failure::Exists),
        other => panic!("{other} is no result"),
    }
}

/// A placement as number and seed.
fn numbers(placement: Option<Placement>) -> (c_int, u64) {
    match placement {
        None => (MMAP_PLACE_DEFAULT, 0),
        Some(Placement::Lowest) => (MMAP_PLACE_LOWEST, 0),
        Some(Placement::Highest) => (MMAP_PLACE_HIGHEST, 0),
        Some(Placement::Random(seed)) => (MMAP_PLACE_RANDOM, seed),
        Some(Placement::Nearest(addr)) => (MMAP_PLACE_NEAREST, addr),
        Some(Placement::Best(Order::Lowest)) => (MMAP_PLACE_BEST_LOWEST, 0),
        Some(Placement::Best(Order::Highest)) => (MMAP_PLACE_BEST_HIGHEST, 0),
    }
}

/// What a call has that its callback stopped, or not, and that returned `code`.
fn ended(said: Said, code: Result<c_int, Failure>) -> Result<Said, Failure> {
    if said.is_break() {
        assert_eq!(code, Ok(MMAP_STOPPED), "it was stopped");
        return Ok(said);
    }
    code.and_then(outcome).map(|()| said)
}

fn c_holes(holes: HolePolicy) -> c_int {
    match holes {
        HolePolicy::Skip => capi::MMAP_HOLES_SKIP,
        HolePolicy::StopAtHole => capi::MMAP_HOLES_STOP,
        HolePolicy::RequireMapped => capi::MMAP_HOLES_REFUSE,
    }
}

fn c_options(options: &MapOptions) -> MMapOptions {
    let (window_start, window_len) = options.window.unwrap_or_default();
    let (placement, seed) = numbers(options.placement);
    MMapOptions {
        hint: narrow(options.hint.unwrap_or(0)),
        window_start: narrow(window_start),
        window_len: narrow(window_len),
        align: narrow(options.align),
        placement,
        seed,
        hint_rule: match options.hint_rule {
            HintRule::Exact => MMAP_HINT_EXACT,
            HintRule::RoundDown => MMAP_HINT_ROUND_DOWN,
            HintRule::Upwards => MMAP_HINT_UPWARDS,
        },
        margin_below: narrow(options.margin.below),
        margin_above: narrow(options.margin.above),
    }
}

/// What `call` writes, if it returns true.
fn written<T>(call: impl FnOnce(*mut T) -> bool) -> Option<T> {
    let mut value = MaybeUninit::uninit();
    // SAFETY: the functions of the interface write what they return true for.
    call(value.as_mut_ptr()).then(|| unsafe { value.assume_init() })
}

// SAFETY, of all calls below: `mm` is live until `self` is dropped, other
// pointers are to locals, and `CSpace` is not `Sync`.
impl CSpace {
    /// An empty space, or `None` where C gets a null pointer. With `linear`,
    /// offsets of files grow with the address.
    pub(super) fn new(start: u64, len: u64, page_size: u64, linear: bool) -> Option<Self> {
        let mm = capi::mmap_create(narrow(start), narrow(len), narrow(page_size));
        if linear {
            // SAFETY: null or live.
            unsafe { capi::mmap_set_offsets(mm, MMAP_OFFSETS_LINEAR) };
        }
        forget_held();
        (!mm.is_null()).then_some(Self {
            mm,
            linear,
            entered: Cell::new(false),
        })
    }

    /// The mapping that C makes when it is asked for this one by separate arguments.
    pub(super) fn mapping(&self, mapping: Mapping) -> Mapping {
        let offset_rule = if self.linear && mapping.fd >= 0 {
            OffsetRule::Linear
        } else {
            OffsetRule::Verbatim
        };
        Mapping {
            offset_rule,
            original: false,
            data: 0,
            ..mapping
        }
    }

    /// A mapping as the functions show it that do not show all of it: without guard,
    /// seal and data, and the offset as a number.
    pub(super) fn shown(&self, mapping: Mapping) -> Mapping {
        Mapping {
            original: mapping.original,
            sealed: false,
            guard: 0,
            ..self.mapping(mapping)
        }
    }

    fn region(&self, region: MMapRegion) -> Region {
        let MMapRegion { start, len, info } = region;
        let (prot, flags) = (Prot(info.prot.cast_unsigned()), info.flags.cast_unsigned());
        let offset = info.offset.cast_unsigned();
        let mapping = gaptree::Mapping::file(prot, flags, info.fd, offset).with_data(0);
        let mapping = Mapping {
            original: info.original,
            ..self.mapping(mapping)
        };
        Region {
            addr: start as u64,
            len: len as u64,
            mapping,
        }
    }

    /// Whether a callback could call back into the space.
    pub(super) fn was_entered(&self) -> bool {
        self.entered.get()
    }

    /// What a callback must not be able to do. Where nothing is returned that
    /// would tell, the state does.
    fn call_back(&self, addr: u64) {
        // SAFETY: as above; the space is busy, so it is not destroyed.
        unsafe { capi::mmap_destroy(self.mm) };
        self.reset();
        self.mark_original();
        let mapping = gaptree::Mapping::anonymous(Prot::NONE, 0).with_data(0);
        let entered = self.map_any(None, 1, &mapping).is_some()
            || self.query_page(addr).is_some()
            || self.first_region(0).is_some()
            || self.set_placement(Placement::Highest).is_ok()
            || self.set_limits(Some(0), Some(0)).is_ok()
            || self.set_guard(0, Guard::below(1)).is_ok()
            || self.seal(addr, 1).is_ok()
            || self.check_access(addr, 1, Prot::NONE).is_ok()
            || self.totals().is_some()
            || self.query_segment(addr).is_some()
            || !self.segments(0, u64::MAX).is_empty()
            || self.mapped_bytes_in(0, u64::MAX) != 0
            || self.extend(addr, 1).is_ok()
            || self.copies();
        self.entered.set(self.entered.get() || entered);
    }

    /// Runs a call with the data for its callback, and checks that it says so if that
    /// stops it.
    fn asking(
        &self,
        sink: &mut dyn FnMut(Region) -> Said,
        call: impl FnOnce(*mut c_void) -> Result<c_int, Failure>,
    ) -> Result<Said, Failure> {
        let mut to = Question {
            space: self,
            sink,
            said: Said::Continue(()),
        };
        let code = call(ptr::from_mut(&mut to).cast());
        ended(to.said, code)
    }

    pub(super) fn map_at(
        &self,
        how: How,
        addr: u64,
        len: u64,
        mapping: &Mapping,
        sink: &mut dyn FnMut(Region) -> Said,
    ) -> Result<Said, Failure> {
        let (mm, addr, len) = (self.mm, narrow(addr), narrow(len));
        let whole = c_mapping(mapping);
        self.asking(sink, |udata| {
            if how == How::Whole {
                let (mapping, ufn) = (&raw const whole, Some(whole_question as _));
                // SAFETY: as above.
                return Ok(unsafe { capi::mmap_map_at2(mm, addr, len, mapping, ufn, udata) });
            }
            let (prot, flags, fd, offset) = self.parts(mapping);
            if how == How::Until {
                let ufn = Some(question as _);
                // SAFETY: as above.
                return Ok(unsafe {
                    capi::mmap_map_at_until(mm, addr, len, prot, flags, fd, offset, ufn, udata)
                });
            }
            let ufn = Some(report as _);
            // SAFETY: as above.
            let mapped =
                unsafe { capi::mmap_map_at(mm, addr, len, prot, flags, fd, offset, ufn, udata) };
            match mapped {
                NO_ADDRESS => Err(Failure::Unsaid),
                mapped => {
                    assert_eq!(mapped, addr, "where it maps");
                    Ok(0)
                }
            }
        })
    }

    pub(super) fn unmap(
        &self,
        how: How,
        addr: u64,
        len: u64,
        sink: &mut dyn FnMut(Region) -> Said,
    ) -> Result<Said, Failure> {
        let (mm, addr, len) = (self.mm, narrow(addr), narrow(len));
        // SAFETY: as above.
        self.asking(sink, |udata| unsafe {
            Ok(match how {
                How::Plain => capi::mmap_unmap(mm, addr, len, Some(report), udata) as c_int,
                How::Until => capi::mmap_unmap_until(mm, addr, len, Some(question), udata),
                How::Whole => capi::mmap_unmap2(mm, addr, len, Some(whole_question), udata),
            })
        })
    }

    /// Only the whole call is told what to do with holes.
    pub(super) fn protect(
        &self,
        how: How,
        (addr, len): (u64, u64),
        prot: Prot,
        holes: HolePolicy,
        sink: &mut dyn FnMut(Region) -> Said,
    ) -> Result<Said, Failure> {
        let (mm, addr, len) = (self.mm, narrow(addr), narrow(len));
        let (prot, holes) = (prot.0.cast_signed(), c_holes(holes));
        // SAFETY: as above.
        self.asking(sink, |udata| unsafe {
            Ok(match how {
                How::Plain => capi::mmap_protect(mm, addr, len, prot, Some(report), udata) as c_int,
                How::Until => capi::mmap_protect_until(mm, addr, len, prot, Some(question), udata),
                How::Whole => {
                    let ufn = Some(whole_question as _);
                    capi::mmap_protect2(mm, addr, len, prot, holes, ufn, udata)
                }
            })
        })
    }

    pub(super) fn unmap_non_original(
        &self,
        how: How,
        sink: &mut dyn FnMut(Region) -> Said,
    ) -> Result<Said, Failure> {
        let mm = self.mm;
        // SAFETY: as above.
        self.asking(sink, |udata| unsafe {
            Ok(match how {
                How::Plain => {
                    capi::mmap_unmap_non_original(mm, Some(report), udata);
                    0
                }
                How::Until => capi::mmap_unmap_non_original_until(mm, Some(question), udata),
                How::Whole => capi::mmap_unmap_non_original2(mm, Some(whole_question), udata),
            })
        })
    }

    pub(super) fn relocate(
        &self,
        from: u64,
        len: u64,
        to: u64,
        source: Source,
        sink: &mut dyn FnMut(Region) -> Said,
    ) -> Result<Said, Failure> {
        let (from, len, to) = (narrow(from), narrow(len), narrow(to));
        let keep = source == Source::Keep;
        self.asking(sink, |udata| {
            let ufn = Some(whole_question as _);
            // SAFETY: as above.
            Ok(unsafe { capi::mmap_relocate(self.mm, from, len, to, keep, ufn, udata) })
        })
    }

    pub(super) fn update(
        &self,
        addr: u64,
        len: u64,
        holes: HolePolicy,
        with: &mut dyn FnMut(Region, &mut Mapping) -> Said,
    ) -> Result<Said, Failure> {
        let mut to = Change {
            space: self,
            change: with,
            said: Said::Continue(()),
        };
        let (addr, len, holes) = (narrow(addr), narrow(len), c_holes(holes));
        let udata = ptr::from_mut(&mut to).cast();
        // SAFETY: as above.
        let code = unsafe { capi::mmap_update(self.mm, addr, len, holes, Some(change), udata) };
        ended(to.said, Ok(code))
    }

    pub(super) fn extend(&self, addr: u64, by: u64) -> Result<u64, Failure> {
        let mut mapped_at = NO_ADDRESS;
        // SAFETY: as above.
        let code =
            unsafe { capi::mmap_extend(self.mm, narrow(addr), narrow(by), &raw mut mapped_at) };
        assert_eq!(code == 0, mapped_at != NO_ADDRESS, "it says where");
        outcome(code).map(|()| mapped_at as u64)
    }

    /// A copy in place of this one, whose original is destroyed.
    pub(super) fn replace_by_copy(&mut self) {
        // SAFETY: as above; the original is destroyed once, when the copy is there.
        let copy = unsafe { capi::mmap_copy(self.mm) };
        assert!(!copy.is_null(), "memory");
        let original = std::mem::replace(&mut self.mm, copy);
        // SAFETY: as above.
        unsafe { capi::mmap_destroy(original) };
    }

    pub(super) fn set_placement(&self, placement: Placement) -> Outcome {
        let (kind, seed) = numbers(Some(placement));
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_set_placement(self.mm, kind, seed) } as c_int)
    }

    pub(super) fn set_limits(&self, regions: Option<usize>, bytes: Option<u64>) -> Outcome {
        let regions = regions.unwrap_or(capi::MMAP_NO_LIMIT);
        let bytes = bytes.map_or(capi::MMAP_NO_LIMIT, narrow);
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_set_limits(self.mm, regions, bytes) } as c_int)
    }

    pub(super) fn set_guard(&self, number: u8, guard: Guard) -> Outcome {
        let (below, above) = (narrow(guard.below), narrow(guard.above));
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_set_guard(self.mm, number, below, above) } as c_int)
    }

    pub(super) fn reserve(&self, addr: u64, len: u64) -> Outcome {
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_reserve(self.mm, narrow(addr), narrow(len)) })
    }

    pub(super) fn unreserve(&self, addr: u64, len: u64) -> Outcome {
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_unreserve(self.mm, narrow(addr), narrow(len)) } as c_int)
    }

    pub(super) fn seal(&self, addr: u64, len: u64) -> Outcome {
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_seal(self.mm, narrow(addr), narrow(len)) } as c_int)
    }

    /// The arguments that say what is mapped; the number of its guard is told before.
    fn parts(&self, mapping: &Mapping) -> (c_int, c_int, c_int, i64) {
        let Mapping {
            prot,
            flags,
            fd,
            offset,
            ..
        } = *mapping;
        // SAFETY: as above.
        let _ = unsafe { capi::mmap_use_guard(self.mm, mapping.guard) };
        let (prot, flags) = (prot.0.cast_signed(), flags.cast_signed());
        (prot, flags, fd, offset.cast_signed())
    }

    pub(super) fn enable_aslr(&self, seed: u64) {
        // SAFETY: as above.
        unsafe { capi::mmap_enable_aslr(self.mm, seed) }
    }

    pub(super) fn map_any(&self, hint: Option<u64>, len: u64, mapping: &Mapping) -> Option<u64> {
        let (hint, len) = (narrow(hint.unwrap_or(0)), narrow(len));
        let (prot, flags, fd, offset) = self.parts(mapping);
        // SAFETY: as above.
        address(unsafe { capi::mmap_map_any(self.mm, hint, len, prot, flags, fd, offset) })
    }

    pub(super) fn map_any_with(
        &self,
        len: u64,
        mapping: &Mapping,
        options: &MapOptions,
    ) -> Option<u64> {
        let (len, options) = (narrow(len), c_options(options));
        let (prot, flags, fd, offset) = self.parts(mapping);
        // SAFETY: as above.
        address(unsafe {
            capi::mmap_map_any_with(self.mm, len, prot, flags, fd, offset, &raw const options)
        })
    }

    pub(super) fn map_any_whole(
        &self,
        len: u64,
        mapping: &Mapping,
        options: &MapOptions,
    ) -> Option<u64> {
        let (mapping, options) = (c_mapping(mapping), c_options(options));
        let (mapping, options) = (&raw const mapping, &raw const options);
        // SAFETY: as above.
        address(unsafe { capi::mmap_map_any2(self.mm, narrow(len), mapping, options) })
    }

    pub(super) fn find_free(&self, len: u64, options: &MapOptions) -> Option<u64> {
        let (len, options) = (narrow(len), c_options(options));
        // SAFETY: as above.
        address(unsafe { capi::mmap_find_free(self.mm, len, &raw const options) })
    }

    pub(super) fn map_fixed_noreplace(&self, addr: u64, len: u64, mapping: &Mapping) -> Outcome {
        let (addr, len) = (narrow(addr), narrow(len));
        let (prot, flags, fd, offset) = self.parts(mapping);
        // SAFETY: as above.
        outcome(unsafe {
            capi::mmap_map_fixed_noreplace(self.mm, addr, len, prot, flags, fd, offset)
        })
    }

    pub(super) fn map_fixed_noreplace_whole(
        &self,
        addr: u64,
        len: u64,
        mapping: &Mapping,
    ) -> Outcome {
        let (addr, len, mapping) = (narrow(addr), narrow(len), c_mapping(mapping));
        // SAFETY: as above.
        outcome(unsafe { capi::mmap_map_fixed_noreplace2(self.mm, addr, len, &raw const mapping) })
    }

    pub(super) fn mark_original(&self) {
        // SAFETY: as above.
        unsafe { capi::mmap_mark_original(self.mm) }
    }

    pub(super) fn reset(&self) {
        // SAFETY: as above.
        unsafe { capi::mmap_reset(self.mm) }
    }

    /// The mapping of the page around an address, as a region of no length.
    pub(super) fn query_page(&self, addr: u64) -> Option<Mapping> {
        // SAFETY: as above.
        let call = |out| unsafe { capi::mmap_query_page(self.mm, narrow(addr), out) };
        let (start, len) = (0, 0);
        let region = |info| self.region(MMapRegion { start, len, info });
        written(call).map(|info| region(info).mapping)
    }

    pub(super) fn query_region(&self, addr: u64) -> Option<Region> {
        // SAFETY: as above.
        let call = |out| unsafe { capi::mmap_query_region(self.mm, narrow(addr), out) };
        written(call).map(|region| self.region(region))
    }

    /// The first region that ends above an address.
    pub(super) fn first_region(&self, addr: u64) -> Option<Region> {
        self.next_region(Some((addr, 0)))
    }

    fn next_region(&self, after: Option<(u64, u64)>) -> Option<Region> {
        let after = after.map(|(addr, len)| [narrow(addr), narrow(len)]);
        let after = after.as_ref().map_or(ptr::null(), ptr::from_ref).cast();
        // SAFETY: as above; of `after`, start and length are read.
        let call = |out| unsafe { capi::mmap_next_region(self.mm, after, out) };
        written(call).map(|region| self.region(region))
    }

    /// All regions, from one to the next.
    pub(super) fn regions(&self) -> Vec<Region> {
        let next = |last: &Region| self.next_region(Some((last.addr, last.len)));
        std::iter::successors(self.next_region(None), next).collect()
    }

    /// The region or the gap around an address.
    pub(super) fn query_segment(&self, addr: u64) -> Option<SpaceSegment<u64>> {
        // SAFETY: as above.
        let call = |out| unsafe { capi::mmap_query_segment(self.mm, narrow(addr), out) };
        written(call).as_ref().map(segment_of)
    }

    /// All segments of a range, from one to the next.
    pub(super) fn segments(&self, addr: u64, len: u64) -> Vec<SpaceSegment<u64>> {
        let (addr, len) = (narrow(addr), narrow(len));
        let next = |after: *const MMapSegment| {
            // SAFETY: as above.
            written(|out| unsafe { capi::mmap_next_segment(self.mm, addr, len, after, out) })
        };
        let segments = std::iter::successors(next(ptr::null()), |last| next(last));
        segments.map(|segment| segment_of(&segment)).collect()
    }

    pub(super) fn mapped_bytes_in(&self, addr: u64, len: u64) -> u64 {
        // SAFETY: as above.
        unsafe { capi::mmap_mapped_bytes_in(self.mm, narrow(addr), narrow(len)) as u64 }
    }

    /// How often spaces of this thread have each number that is counted.
    pub(super) fn held() -> BTreeMap<u64, i64> {
        held()
    }

    pub(super) fn check_access(&self, addr: u64, len: u64, prot: Prot) -> Result<(), u64> {
        let (addr, len, prot) = (narrow(addr), narrow(len), prot.0.cast_signed());
        let mut bad = 0;
        // SAFETY: as above.
        let good = unsafe { capi::mmap_check_access(self.mm, addr, len, prot, &raw mut bad) };
        if good { Ok(()) } else { Err(bad as u64) }
    }

    /// Whether it can be copied.
    fn copies(&self) -> bool {
        // SAFETY: as above; a copy is destroyed at once.
        unsafe {
            let copy = capi::mmap_copy(self.mm);
            capi::mmap_destroy(copy);
            !copy.is_null()
        }
    }

    pub(super) fn totals(&self) -> Option<MMapTotals> {
        // SAFETY: as above.
        written(|out| unsafe { capi::mmap_totals(self.mm, out) })
    }
}

impl Drop for CSpace {
    fn drop(&mut self) {
        // SAFETY: live, and gone after this.
        unsafe { capi::mmap_destroy(self.mm) };
        if !std::thread::panicking() {
            assert_eq!(
                Self::held(),
                BTreeMap::new(),
                "data of a space that is gone"
            );
        }
    }
}
