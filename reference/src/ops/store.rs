//! Operations of a [`RangeStore`](gaptree::RangeStore).

use std::fmt;
use std::ops::Range;

use gaptree::{GapQuery, Order, Source};

use super::call::{Call, Walk};
use super::input::Input;
use crate::Position;

/// What an update does to the values it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Leaves them.
    Keep,
    /// Makes them all the same.
    Set(u8),
    /// The next of four values.
    Next,
    /// Alternates between two values, so that pieces of one former entry stay apart.
    Alternate,
}

impl Change {
    /// What the value becomes in the piece of this index.
    #[must_use]
    pub fn of(self, old: u8, piece: usize) -> u8 {
        match self {
            Self::Keep => old,
            Self::Set(value) => value,
            Self::Next => (old + 1) % 4,
            Self::Alternate => u8::from(piece % 2 == 1),
        }
    }
}

/// In which order the stripes of a pattern are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scatter {
    /// Upwards.
    Ascending,
    /// Downwards.
    Descending,
    /// All over the place.
    Scattered,
}

impl Scatter {
    /// The `n`-th of `count` indices; `count` is a power of two, so that an odd
    /// factor permutes them.
    #[must_use]
    pub fn index(self, n: u32, count: u32) -> u32 {
        match self {
            Self::Ascending => n,
            Self::Descending => count - 1 - n,
            Self::Scattered => n * 37 % count,
        }
    }
}

/// One operation on a store.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "each variant is the operation of its name")]
pub enum StoreOp<K: Position> {
    Get(K),
    SegmentAt(K),
    Overlaps(Range<K>),
    Overlapping(Range<K>, Walk),
    Iterate(Walk),
    Gaps(Range<K>, Walk),
    FindGap(GapQuery<K>),
    BestGap(GapQuery<K>),
    LongestGap(Range<K>),
    Insert(Range<K>, u8, Call),
    InsertWith(Range<K>, u8, Call),
    Remove(Range<K>),
    RemoveWith(Range<K>, Call),
    Update(Range<K>, Change, Call),
    Allocate(GapQuery<K>, u8, Call),
    /// Of a map; a store has no such operation.
    Relocate {
        from: Range<K>,
        to: K,
        source: Source,
        call: Call,
    },
    Clear,
    /// Goes on with a clone after clearing the original.
    Clone(Call),
    /// Many inserts or removals, as `fill` makes them.
    Stripes {
        first: K,
        count: u32,
        stride: u32,
        len: u32,
        scatter: Scatter,
        value: Option<u8>,
    },
}

/// Where keys are decoded: a cluster of neighbouring keys, and the edges.
#[derive(Clone, Copy, Debug)]
struct Keys {
    /// Position of the lowest key of the cluster.
    base: u128,
}

impl Keys {
    /// One byte says where the cluster of keys of type `K` lies.
    fn decode<K: Position>(input: &mut Input<'_>) -> Option<Self> {
        let max = K::MAX.position();
        let around = |position: u128| position.saturating_sub(24);
        let bases = [
            0,
            1,
            around(K::ZERO),
            around(1 << 32),
            around(1 << 62),
            around(1 << 63),
            around(1 << 64),
            max.saturating_sub(48),
            max.saturating_sub(4096),
        ];
        Some(Self {
            base: input.pick(&bases)?.min(max.saturating_sub(48)),
        })
    }

    fn key<K: Position>(self, input: &mut Input<'_>) -> Option<K> {
        let max = K::MAX.position();
        let position = match input.byte()? {
            near @ 0..=191 => self.base.saturating_add(u128::from(near % 48)),
            192..=223 => self.base.saturating_add(input.number(2)? % 4096),
            edge @ 224..=251 => {
                let edges = [
                    0,
                    1,
                    2,
                    K::ZERO.saturating_sub(1),
                    K::ZERO,
                    K::ZERO.saturating_add(1),
                    1 << 31,
                    (1 << 32) - 1,
                    1 << 32,
                    (1 << 62) - 1,
                    (1 << 63) - 1,
                    1 << 63,
                    (1 << 64) - 1,
                    1 << 64,
                    max / 2,
                    max.saturating_sub(1),
                    max,
                ];
                edges[usize::from(edge - 224) % edges.len()]
            }
            252..=255 => input.number(16)?,
        };
        Some(K::at_most(position))
    }

    /// Mostly a short range; one in eight has two unrelated ends.
    fn range<K: Position>(self, input: &mut Input<'_>) -> Option<Range<K>> {
        let start = self.key::<K>(input)?;
        let len = match input.byte()? {
            short @ 0..=199 => u128::from(short % 20),
            200..=223 => input.number(2)? % 4096,
            224..=255 => return Some(start..self.key(input)?),
        };
        Some(start..K::at_most(start.position().saturating_add(len)))
    }

    fn query<K: Position>(self, input: &mut Input<'_>) -> Option<GapQuery<K>> {
        let max = K::MAX.position();
        let len = match input.byte()? {
            short @ 0..=199 => u128::from(short % 25),
            200..=223 => input.number(2)? % 4096,
            224..=239 => input.pick(&[0, 1, 1 << 32, 1 << 62, 1 << 63, max / 2, max - 1, max])?,
            240..=255 => input.number(16)?,
        };
        let align = match input.byte()? {
            0..=95 => 1,
            small @ 96..=207 => 1 << (small % 6),
            large @ 208..=239 => 1 << (large % 128),
            240..=255 => input.pick(&[0, 3, 6, 12, u128::MAX, (1 << 63) + 1])?,
        };
        let phase = match input.byte()? {
            0..=95 => 0,
            below @ 96..=239 => u128::from(below).checked_rem(align).unwrap_or(0),
            240..=255 => input.number(2)?,
        };
        let which = input.byte()?;
        let window = if which < 96 {
            K::MIN..K::MAX
        } else {
            self.range(input)?
        };
        let order = if which % 2 == 0 {
            Order::Lowest
        } else {
            Order::Highest
        };
        let (len, align, phase) = (K::length(len), K::length(align), K::length(phase));
        Some(GapQuery {
            len,
            window,
            align,
            phase,
            order,
        })
    }

    fn stripes<K: Position>(self, input: &mut Input<'_>) -> Option<StoreOp<K>> {
        let first = K::at_most(self.base.saturating_add(input.number(2)? % 1024));
        let count = input.pick(&[8, 16, 32, 64, 128, 256])?;
        let stride = input.pick(&[1, 2, 3, 5, 16])?;
        let len = input.pick(&[1, 1, 2, 4])?.min(stride);
        let scatter = input.pick(&[Scatter::Ascending, Scatter::Descending, Scatter::Scattered])?;
        let value = input.byte()?;
        let value = (value < 160).then_some(value % 4);
        Some(StoreOp::Stripes {
            first,
            count,
            stride,
            len,
            scatter,
            value,
        })
    }
}

impl<K: Position> StoreOp<K> {
    /// All operations of a byte string; its first byte places the keys.
    #[must_use]
    pub fn decode_all(input: &mut Input<'_>) -> Vec<Self> {
        let Some(keys) = Keys::decode::<K>(input) else {
            return Vec::new();
        };
        std::iter::from_fn(|| Self::decode(keys, input)).collect()
    }

    /// The next operation, or `None` where the input ends.
    fn decode(keys: Keys, input: &mut Input<'_>) -> Option<Self> {
        let value = |input: &mut Input<'_>| Some(input.byte()? % 4);
        Some(match input.byte()? {
            0..=5 => Self::Get(keys.key(input)?),
            6..=9 => Self::Relocate {
                from: keys.range(input)?,
                to: keys.key(input)?,
                source: input.pick(&[Source::Keep, Source::Remove])?,
                call: Call::decode(input)?,
            },
            10..=19 => Self::SegmentAt(keys.key(input)?),
            20..=25 => Self::Overlaps(keys.range(input)?),
            26..=35 => Self::Overlapping(keys.range(input)?, Walk(input.byte()?)),
            36..=39 => Self::Iterate(Walk(input.byte()?)),
            40..=49 => Self::Gaps(keys.range(input)?, Walk(input.byte()?)),
            50..=61 => Self::FindGap(keys.query(input)?),
            62..=69 => Self::BestGap(keys.query(input)?),
            70..=77 => Self::LongestGap(keys.range(input)?),
            78..=117 => Self::Insert(keys.range(input)?, value(input)?, Call::decode(input)?),
            118..=137 => Self::InsertWith(keys.range(input)?, value(input)?, Call::decode(input)?),
            138..=152 => Self::Remove(keys.range(input)?),
            153..=177 => Self::RemoveWith(keys.range(input)?, Call::decode(input)?),
            178..=207 => {
                let range = keys.range(input)?;
                let number = value(input)?;
                let change = input.pick(&[
                    Change::Keep,
                    Change::Set(number),
                    Change::Set(number),
                    Change::Next,
                    Change::Alternate,
                ])?;
                Self::Update(range, change, Call::decode(input)?)
            }
            208..=237 => Self::Allocate(keys.query(input)?, value(input)?, Call::decode(input)?),
            238..=239 => Self::Clear,
            240..=243 => Self::Clone(Call::decode(input)?),
            244..=255 => keys.stripes(input)?,
        })
    }
}

fn write_query<K: Position>(f: &mut fmt::Formatter<'_>, query: &GapQuery<K>) -> fmt::Result {
    let GapQuery {
        len,
        window,
        align,
        phase,
        order,
    } = query;
    write!(
        f,
        "{len:?} keys in {window:?}, {phase:?} modulo {align:?}, {order:?}"
    )
}

impl<K: Position> fmt::Display for StoreOp<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key) => write!(f, "get {key:?}"),
            Self::SegmentAt(key) => write!(f, "segment_at {key:?}"),
            Self::Overlaps(range) => write!(f, "overlaps {range:?}"),
            Self::Overlapping(range, walk) => write!(f, "overlapping {range:?} {walk}"),
            Self::Iterate(walk) => write!(f, "iter {walk}"),
            Self::Gaps(range, walk) => write!(f, "gaps {range:?} {walk}"),
            Self::FindGap(query) => {
                f.write_str("find_gap ")?;
                write_query(f, query)
            }
            Self::BestGap(query) => {
                f.write_str("best_gap ")?;
                write_query(f, query)
            }
            Self::LongestGap(range) => write!(f, "longest_gap {range:?}"),
            Self::Insert(range, value, call) => write!(f, "insert {range:?} = {value}{call}"),
            Self::InsertWith(range, value, call) => {
                write!(f, "insert_with {range:?} = {value}{call}")
            }
            Self::Remove(range) => write!(f, "remove {range:?}"),
            Self::RemoveWith(range, call) => write!(f, "remove_with {range:?}{call}"),
            Self::Update(range, change, call) => write!(f, "update {range:?} {change:?}{call}"),
            Self::Allocate(query, value, call) => {
                f.write_str("allocate ")?;
                write_query(f, query)?;
                write!(f, " = {value}{call}")
            }
            Self::Relocate {
                from,
                to,
                source,
                call,
            } => write!(f, "relocate {from:?} to {to:?} {source:?}{call}"),
            Self::Clear => f.write_str("clear"),
            Self::Clone(call) => write!(f, "clone{call}"),
            Self::Stripes {
                first,
                count,
                stride,
                len,
                scatter,
                value,
            } => write!(
                f,
                "stripes {count} of {len} keys every {stride} from {first:?} {scatter:?} = {value:?}"
            ),
        }
    }
}
