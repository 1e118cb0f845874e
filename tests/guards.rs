//! Guards, reserved ranges and seals, beside the lockstep: placements of every order
//! against all starts that fit, and sinks that panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gaptree::{
    AddrSpace, Guard, HintRule, HolePolicy, MapOptions, Mapping, Order, Placement, Prot, Source,
    SpaceError,
};
use reference::ReferenceSpace;

const PAGE: u64 = 0x1000;
const DATA: Mapping = Mapping::anonymous(Prot::READ, 0);

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A space and its model, of so many pages, with two guards and a reserved range.
fn guarded(pages: u64) -> (AddrSpace, ReferenceSpace) {
    let mut space = AddrSpace::new(0x10_0000, pages * PAGE, PAGE).unwrap();
    let mut model = ReferenceSpace::new(0x10_0000, pages * PAGE, PAGE).unwrap();
    let guards = [
        Guard::below(3 * PAGE),
        Guard {
            below: 1,
            above: PAGE + 1,
        },
    ];
    for (number, guard) in (1..).zip(guards) {
        space.set_guard(number, guard).unwrap();
        model.set_guard(number, guard);
    }
    let reserved = (0x10_0000 + pages / 2 * PAGE, 2 * PAGE);
    space.reserve(reserved.0, reserved.1).unwrap();
    model.reserve(reserved.0, reserved.1).unwrap();
    (space, model)
}

/// The options of one placement.
fn options(space: &AddrSpace, numbers: &mut Numbers) -> MapOptions {
    let near = space.start() + numbers.below(space.size() + 8 * PAGE) - 4 * PAGE;
    let placements = [
        Placement::Lowest,
        Placement::Highest,
        Placement::Best(Order::Lowest),
        Placement::Best(Order::Highest),
        Placement::Nearest(near),
        Placement::Random(near),
    ];
    let rules = [HintRule::Exact, HintRule::RoundDown, HintRule::Upwards];
    let margins = [0, 0, 0, 1, PAGE, 2 * PAGE + 1];
    let mut pick = |bound: usize| numbers.below(bound as u64) as usize;
    MapOptions {
        placement: Some(placements[pick(placements.len())]),
        hint: [None, None, Some(near)][pick(3)],
        hint_rule: rules[pick(rules.len())],
        margin: Guard {
            below: margins[pick(margins.len())],
            above: margins[pick(margins.len())],
        },
        align: [0, 0, PAGE, 2 * PAGE, 4 * PAGE][pick(5)],
        window: [None, None, Some((near, space.size() / 2))][pick(3)],
    }
}

/// Places so often, with all orders, hints and margins; each place is one that the model
/// allows. `GAPTREE_PLACEMENTS` chooses how often.
#[test]
fn every_placement_is_one_that_the_model_allows() {
    let placements = std::env::var("GAPTREE_PLACEMENTS");
    let placements = placements.map_or(20_000, |count| count.parse().expect("a number"));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut space, mut model) = guarded(60);
    let mut found = 0;
    for _ in 0..placements {
        let options = options(&space, &mut numbers);
        let len = (numbers.below(4) + 1) * PAGE;
        let allowed = model.places(len, &options);
        let got = space.find_free(len, &options);
        let mapping = DATA.with_guard(numbers.below(3) as u8);
        assert_eq!(
            space.map_any_with(len, mapping, &options),
            got,
            "{options:x?}"
        );
        match (&allowed, got) {
            (Ok(allowed), Ok(addr)) if allowed.contains(&addr) => {
                found += 1;
                model.map_fixed_noreplace(addr, len, mapping).unwrap();
            }
            (Err(allowed), Err(got)) if *allowed == got => {}
            _ => panic!("{got:x?} is not one of {allowed:x?}: {options:x?}\n{space}"),
        }
        // Room for the next: about as much goes as comes.
        let gone = space.start() + numbers.below(60) * PAGE;
        let len = (2 * PAGE).min(space.start() + space.size() - gone);
        let unmapped = space.unmap(gone, len, |_| ());
        assert_eq!(unmapped, model.unmap(gone, len, |_| ()));
    }
    space.check();
    assert!(found > placements / 4, "{found} of {placements} were found");
}

/// What a guard or a reserved range keeps free is right after a sink has panicked.
#[test]
fn a_panic_leaves_the_guards_right() {
    let (mut space, _) = guarded(60);
    let stack = DATA.with_guard(1);
    let at = |page: u64| 0x10_0000 + page * PAGE;
    for page in [10, 20, 24] {
        space.map_at(at(page), 2 * PAGE, stack, |_| ()).unwrap();
    }
    type Call = fn(&mut AddrSpace, u64) -> Result<(), SpaceError>;
    let calls: [Call; 4] = [
        |space, addr| space.unmap(addr, 16 * PAGE, |_| -> () { panic!("a sink") }),
        |space, addr| space.map_at(addr, 16 * PAGE, DATA, |_| -> () { panic!("a sink") }),
        |space, addr| {
            let change = |_, _: &mut Mapping| -> () { panic!("a closure") };
            space.update(addr, 16 * PAGE, HolePolicy::Skip, change)
        },
        |space, addr| {
            let (from, stop) = (addr - 5 * PAGE, |_| -> () { panic!("a sink") });
            space.relocate(from, PAGE, addr, Source::Remove, stop)
        },
    ];
    for call in calls {
        let mut copy = space.clone();
        let result = catch_unwind(AssertUnwindSafe(|| call(&mut copy, at(10))));
        assert!(result.is_err());
        copy.check();
        let free = copy.find_free(PAGE, &MapOptions::default());
        assert_eq!(free, Ok(at(0)));
    }
}

#[test]
fn a_guard_is_free_but_a_gap_as_before() {
    let mut space = AddrSpace::new(0, 32 * PAGE, PAGE).unwrap();
    // A guard of the number that a mapping has which says nothing.
    space.set_guard(0, Guard { below: 1, above: 1 }).unwrap();
    let placed: Vec<u64> = (0..3)
        .map(|_| space.map_any(None, PAGE, DATA).unwrap())
        .collect();
    assert_eq!(placed, [0, 2 * PAGE, 4 * PAGE]);
    assert_eq!(
        space.map_any(Some(PAGE), PAGE, DATA),
        Ok(6 * PAGE),
        "a hint"
    );
    assert_eq!(space.gap_at(PAGE), Some((PAGE, PAGE)), "a gap as before");
    // As long as it may be.
    let endless = Guard {
        below: u64::MAX,
        above: u64::MAX,
    };
    space.set_guard(0, endless).unwrap();
    assert_eq!(space.guard(0), endless);
    assert_eq!(
        space.map_any(None, PAGE, DATA),
        Err(SpaceError::NoFreeRange)
    );
    space.set_guard(0, Guard::default()).unwrap();
    assert_eq!(space.map_any(None, PAGE, DATA), Ok(PAGE));
}

#[test]
fn every_call_over_a_reserved_page_is_refused_whole() {
    let mut space = AddrSpace::new(0, 32 * PAGE, PAGE).unwrap();
    space.reserve(4 * PAGE, 4 * PAGE).unwrap();
    space.reserve(8 * PAGE, PAGE).unwrap();
    assert!(space.reserved().eq([(4 * PAGE, 5 * PAGE)]));
    space.unreserve(0, 5 * PAGE).unwrap();
    assert!(space.reserved().eq([(5 * PAGE, 4 * PAGE)]));
    let refused = Err(SpaceError::Reserved);
    assert_eq!(space.map_fixed_noreplace(4 * PAGE, 2 * PAGE, DATA), refused);
    assert_eq!(space.map_at(0, 32 * PAGE, DATA, |_| ()), refused);
    assert_eq!(
        space.relocate(0, PAGE, 5 * PAGE, Source::Keep, |_| ()),
        refused
    );
    assert_eq!(
        space.relocate(5 * PAGE, PAGE, 0, Source::Keep, |_| ()),
        refused
    );
    let all = HolePolicy::Skip;
    assert_eq!(
        space.protect(0, 32 * PAGE, Prot::NONE, all, |_| ()),
        refused
    );
    assert_eq!(space.update(0, 32 * PAGE, all, |_, _| ()), refused);
    assert_eq!(space.seal(5 * PAGE, PAGE), refused);
    space.map_at(4 * PAGE, PAGE, DATA, |_| ()).unwrap();
    assert_eq!(space.extend(4 * PAGE, PAGE).map(drop), refused);
    assert_eq!(space.reserve(4 * PAGE, PAGE), Err(SpaceError::Exists));
}

#[test]
fn every_call_over_a_sealed_region_is_refused_whole() {
    let mut space = AddrSpace::new(0, 32 * PAGE, PAGE).unwrap();
    let all = HolePolicy::Skip;
    space.map_at(4 * PAGE, PAGE, DATA, |_| ()).unwrap();
    space.map_at(2 * PAGE, PAGE, DATA, |_| ()).unwrap();
    let refused = Err(SpaceError::Sealed);
    assert_eq!(space.seal(3 * PAGE, 2 * PAGE), Err(SpaceError::NotMapped));
    space.seal(4 * PAGE, PAGE).unwrap();
    assert_eq!(space.map_at(0, 32 * PAGE, DATA, |_| ()), refused);
    assert_eq!(space.unmap(0, 32 * PAGE, |_| ()), refused);
    assert_eq!(
        space.protect(0, 32 * PAGE, Prot::NONE, all, |_| ()),
        refused
    );
    assert_eq!(space.extend(4 * PAGE, PAGE).map(drop), refused);
    assert_eq!(
        space.relocate(4 * PAGE, PAGE, 0, Source::Keep, |_| ()),
        refused
    );
    assert_eq!(
        space.relocate(0, PAGE, 4 * PAGE, Source::Keep, |_| ()),
        refused
    );
    assert_eq!(
        space.map_fixed_noreplace(4 * PAGE, PAGE, DATA),
        Err(SpaceError::Exists)
    );
    // A mapping that is copied from there is not sealed; a copy of the space is.
    let copied = space.query(4 * PAGE).unwrap().mapping;
    assert!(copied.sealed);
    space.map_at(9 * PAGE, PAGE, copied, |_| ()).unwrap();
    assert!(!space.query(9 * PAGE).unwrap().mapping.sealed);
    assert_eq!(space.clone().unmap(4 * PAGE, PAGE, |_| ()), refused);
    // The owner can take the seal off.
    space
        .update(4 * PAGE, PAGE, all, |_, mapping| mapping.sealed = false)
        .unwrap();
    space.unmap(4 * PAGE, PAGE, |_| ()).unwrap();
}
