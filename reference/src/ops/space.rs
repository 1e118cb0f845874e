//! Operations of an [`AddrSpace`](gaptree::AddrSpace).

use std::fmt;

use gaptree::{
    Guard, HintRule, HolePolicy, MapOptions, Mapping, OffsetRule, Order, Placement, Prot, Source,
};

use super::call::{Call, Walk};
use super::input::Input;
use super::sample::Sample;

/// Bounds of a space, valid and small enough for one slot a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpaceShape {
    /// Address of the first byte.
    pub start: u64,
    /// Number of pages.
    pub pages: u64,
    /// Bytes a page.
    pub page_size: u64,
}

impl SpaceShape {
    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.pages * self.page_size
    }

    /// The address after the last byte, 0 for 2^64.
    fn end(&self) -> u64 {
        self.start.wrapping_add(self.size())
    }

    /// Two bytes choose page size and position: at the bottom and the top of
    /// the 64-bit space, across 2^32 and 2^63, and in between.
    pub fn decode(input: &mut Input<'_>) -> Option<Self> {
        let page_size = input.pick(&[4096, 4096, 4096, 16384, 1, 1 << 21, 1 << 57])?;
        let choice = input.byte()?;
        let pages = [3, 12, 24, 60][usize::from(choice % 4)];
        let half = pages / 2 * page_size;
        let start = match choice / 4 % 5 {
            0 => 0x10000_u64.next_multiple_of(page_size),
            1 => 0,
            2 => 0_u64.wrapping_sub(pages * page_size),
            3 => (1_u64 << 32)
                .saturating_sub(half)
                .next_multiple_of(page_size),
            _ => (1_u64 << 63) - half,
        };
        Some(Self {
            start,
            pages,
            page_size,
        })
    }

    /// Mostly the address of a page; also addresses inside pages, just outside
    /// the space, and at powers of two.
    fn address(&self, input: &mut Input<'_>) -> Option<u64> {
        let page = |n: u64| self.start.wrapping_add(n.wrapping_mul(self.page_size));
        Some(match input.byte()? {
            choice @ 0..=199 => page(u64::from(choice) % self.pages),
            200..=215 => {
                let inside = u64::from(input.byte()?) % self.page_size;
                page(u64::from(input.byte()?) % self.pages) + inside
            }
            216..=239 => input.pick(&[
                self.start.wrapping_sub(self.page_size),
                self.start.wrapping_sub(1),
                self.start.wrapping_add(1),
                self.end().wrapping_sub(self.page_size),
                self.end().wrapping_sub(1),
                self.end(),
                self.end().wrapping_add(1),
                self.end().wrapping_add(self.page_size),
            ])?,
            240..=251 => {
                let edges = [
                    0,
                    self.page_size,
                    1 << 31,
                    1 << 32,
                    1 << 47,
                    1 << 63,
                    u64::MAX,
                ];
                input.pick(&edges)?
            }
            252..=255 => u64::from_le_bytes(input.number(8)?.to_le_bytes()[..8].try_into().ok()?),
        })
    }

    /// Mostly one to eleven pages; also lengths that round up, zero, around
    /// the whole space, and powers of two.
    fn length(&self, input: &mut Input<'_>) -> Option<u64> {
        let page = self.page_size;
        Some(match input.byte()? {
            choice @ 0..=187 => (u64::from(choice) % 11 + 1).wrapping_mul(page),
            choice @ 188..=207 => (u64::from(choice) % 5 + 1).wrapping_mul(page) - 1,
            choice @ 208..=223 => (u64::from(choice) % 5).wrapping_mul(page) + 1,
            224..=231 => 0,
            232..=243 => {
                let size = self.size();
                let sizes = [size, size + page, size - page, size + 1, size - 1];
                input.pick(&sizes)?
            }
            244..=253 => input.pick(&[
                1,
                1 << 31,
                1 << 32,
                1 << 47,
                1 << 63,
                u64::MAX,
                0_u64.wrapping_sub(page),
                0_u64.wrapping_sub(page).wrapping_add(1),
                0_u64.wrapping_sub(self.start),
            ])?,
            254..=255 => u64::from_le_bytes(input.number(8)?.to_le_bytes()[..8].try_into().ok()?),
        })
    }

    /// One of a few mappings; where it is linear, the offset that belongs to
    /// `addr` in one of three files, so that neighbours are often contiguous.
    fn mapping(&self, addr: u64, input: &mut Input<'_>) -> Option<Mapping<u8>> {
        let prot = Prot(input.pick(&[1, 3, 3, 0, 5, 7])?);
        let choice = input.byte()?;
        let flags = if choice & 1 == 1 { 2 } else { 1 };
        let distance = addr.wrapping_sub(self.start);
        let shift = [0, 0, self.page_size, 0_u64.wrapping_sub(self.page_size)];
        let offset = distance.wrapping_add(shift[usize::from(choice >> 1 & 3)]);
        let mut mapping = match choice >> 3 & 3 {
            0 | 1 => Mapping::anonymous(prot, flags),
            2 => Mapping::file(prot, flags, 3, offset),
            _ => Mapping {
                offset_rule: OffsetRule::Verbatim,
                ..Mapping::file(prot, flags, 3, offset % 0x4000)
            },
        };
        mapping.original = choice >= 250;
        // Mostly the same data, so that neighbours join.
        let data = [0, 0, 0, 1, 0, 2, 0, 0][usize::from(choice >> 5)];
        let guard = input.pick(&[0, 0, 0, 0, 0, 0, 1, 2])?;
        Some(mapping.with_data(data).with_guard(guard))
    }

    fn options(&self, input: &mut Input<'_>) -> Option<MapOptions> {
        let which = input.byte()?;
        let hint = if which & 1 == 1 {
            Some(self.address(input)?)
        } else {
            None
        };
        let window = if which & 2 == 2 {
            Some((self.address(input)?, self.length(input)?))
        } else {
            None
        };
        let align = match input.byte()? {
            0..=79 => 0,
            80..=159 => self.page_size,
            small @ 160..=207 => self.page_size.wrapping_mul(1 << (small % 5)),
            any @ 208..=239 => 1 << (any % 64),
            240..=255 => input.pick(&[3, self.page_size.wrapping_mul(3), u64::MAX])?,
        };
        let placement = if which & 4 == 4 {
            Some(self.placement(input)?)
        } else {
            None
        };
        let hint_rule = match which >> 3 & 3 {
            0 | 3 => HintRule::Exact,
            1 => HintRule::RoundDown,
            _ => HintRule::Upwards,
        };
        let margin = if which >> 5 == 0 {
            self.guard(input)?
        } else {
            Guard::default()
        };
        Some(MapOptions {
            hint,
            hint_rule,
            window,
            align,
            margin,
            placement,
        })
    }

    fn placement(&self, input: &mut Input<'_>) -> Option<Placement> {
        Some(match input.byte()? {
            0..=69 => Placement::Lowest,
            70..=139 => Placement::Highest,
            140..=159 => Placement::Best(Order::Lowest),
            160..=179 => Placement::Best(Order::Highest),
            180..=199 => Placement::Nearest(self.address(input)?),
            seed => Placement::Random(u64::from(seed)),
        })
    }

    /// A page or two on one side, mostly.
    fn guard(&self, input: &mut Input<'_>) -> Option<Guard> {
        let page = self.page_size;
        Some(match input.byte()? {
            0..=99 => Guard::below(page),
            100..=149 => Guard::above(page.saturating_mul(2)),
            150..=199 => Guard {
                below: 1,
                above: page.saturating_add(1),
            },
            200..=229 => Guard::default(),
            _ => Guard {
                below: self.length(input)?,
                above: self.length(input)?,
            },
        })
    }
}

fn holes(input: &mut Input<'_>) -> Option<HolePolicy> {
    input.pick(&[
        HolePolicy::Skip,
        HolePolicy::StopAtHole,
        HolePolicy::RequireMapped,
    ])
}

/// What an update does to every mapping it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldChange {
    /// Takes these bits of the protection away.
    Take(u32),
    /// Sets these flags.
    Flags(u32),
    /// Gives it the data of this number.
    Data(u8),
    /// Moves its offset on by so many bytes.
    Offset(u64),
    /// Changes what the offset means.
    Rule(OffsetRule),
    /// Makes it original, or not.
    Original(bool),
    /// Makes it one of another file.
    File(i32),
    /// Gives it another guard.
    Guard(u8),
    /// Seals it, or not.
    Sealed(bool),
}

impl FieldChange {
    fn decode(page_size: u64, input: &mut Input<'_>) -> Option<Self> {
        Some(match input.byte()? {
            0..=49 => Self::Take(input.pick(&[1, 2, 4])?),
            50..=99 => Self::Flags(input.pick(&[4, 1 << 31])?),
            100..=149 => Self::Data(input.pick(&[0, 0, 1, 2])?),
            150..=179 => {
                Self::Offset(input.pick(&[0, page_size, 0_u64.wrapping_sub(page_size)])?)
            }
            180..=199 => Self::Rule(input.pick(&[OffsetRule::Linear, OffsetRule::Verbatim])?),
            200..=219 => Self::Original(input.pick(&[true, false])?),
            220..=231 => Self::Guard(input.pick(&[0, 1, 2, 255])?),
            232..=239 => Self::Sealed(input.pick(&[true, false, false])?),
            240..=255 => Self::File(input.pick(&[3, 4, -1, i32::MIN])?),
        })
    }

    /// The data of the change; the same for all its mappings.
    #[must_use]
    pub fn data<T: Sample>(self) -> T {
        T::of(if let Self::Data(number) = self {
            number
        } else {
            0
        })
    }

    /// Makes the change.
    pub fn apply<T: Sample>(self, mapping: &mut Mapping<T>, data: &T) {
        match self {
            Self::Take(bits) => mapping.prot.0 &= !bits,
            Self::Flags(bits) => mapping.flags |= bits,
            Self::Data(_) => mapping.data = data.clone(),
            Self::Offset(distance) => mapping.offset = mapping.offset.wrapping_add(distance),
            Self::Rule(rule) => mapping.offset_rule = rule,
            Self::Original(original) => mapping.original = original,
            Self::File(fd) => mapping.fd = fd,
            Self::Guard(guard) => mapping.guard = guard,
            Self::Sealed(sealed) => mapping.sealed = sealed,
        }
    }
}

/// One operation on a space.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "each variant is the operation of its name")]
pub enum SpaceOp {
    SetPlacement(Placement),
    SetLimits {
        regions: Option<usize>,
        bytes: Option<u64>,
    },
    SetGuard {
        number: u8,
        guard: Guard,
    },
    Reserve {
        addr: u64,
        len: u64,
    },
    Unreserve {
        addr: u64,
        len: u64,
    },
    Seal {
        addr: u64,
        len: u64,
    },
    MapAny {
        hint: Option<u64>,
        len: u64,
        mapping: Mapping<u8>,
    },
    MapAnyWith {
        len: u64,
        mapping: Mapping<u8>,
        options: MapOptions,
    },
    FindFree {
        len: u64,
        options: MapOptions,
    },
    MapAt {
        addr: u64,
        len: u64,
        mapping: Mapping<u8>,
        call: Call,
    },
    MapFixedNoreplace {
        addr: u64,
        len: u64,
        mapping: Mapping<u8>,
    },
    Unmap {
        addr: u64,
        len: u64,
        call: Call,
    },
    Protect {
        addr: u64,
        len: u64,
        prot: Prot,
        holes: HolePolicy,
        call: Call,
    },
    Update {
        addr: u64,
        len: u64,
        holes: HolePolicy,
        change: FieldChange,
        call: Call,
    },
    Relocate {
        from: u64,
        len: u64,
        to: u64,
        source: Source,
        call: Call,
    },
    Extend {
        addr: u64,
        by: u64,
    },
    Query(u64),
    CheckAccess {
        addr: u64,
        len: u64,
        needs: Prot,
    },
    CheckMapped {
        addr: u64,
        len: u64,
    },
    RegionsIn {
        addr: u64,
        len: u64,
        walk: Walk,
    },
    Pieces {
        addr: u64,
        len: u64,
        walk: Walk,
    },
    Segments {
        addr: u64,
        len: u64,
        walk: Walk,
    },
    GapsIn {
        addr: u64,
        len: u64,
        walk: Walk,
    },
    GapAt(u64),
    MappedBytesIn {
        addr: u64,
        len: u64,
    },
    Regions(Walk),
    Gaps(Walk),
    MarkOriginal,
    UnmapNonOriginal(Call),
    Reset,
    /// Goes on with a clone after emptying the original.
    Clone(Call),
}

impl SpaceOp {
    /// The next operation on a space of this shape, or `None` where the input
    /// ends.
    pub fn decode(shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        match input.byte()? {
            change @ ..=190 => Self::decode_change(change, shape, input),
            other => Self::decode_other(other, shape, input),
        }
    }

    /// The operation of a byte up to 70, which is about placing.
    fn decode_placement(byte: u8, shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        Some(match byte {
            0..=3 => Self::SetPlacement(shape.placement(input)?),
            6 => Self::SetGuard {
                number: input.pick(&[1, 2, 1, 2, 0, 255])?,
                guard: shape.guard(input)?,
            },
            7..=9 => Self::decode_shutting(byte, shape, input)?,
            4..=5 => {
                let (regions, bytes) = (input.byte()?, input.byte()?);
                let pages = u64::from(bytes) % (shape.pages + 1);
                Self::SetLimits {
                    regions: (regions < 192).then_some(usize::from(regions % 12)),
                    bytes: (bytes < 128).then_some(pages * shape.page_size),
                }
            }
            10..=35 => {
                let hint = if input.byte()? & 1 == 1 {
                    Some(shape.address(input)?)
                } else {
                    None
                };
                let len = shape.length(input)?;
                Self::MapAny {
                    hint,
                    len,
                    mapping: shape.mapping(shape.start, input)?,
                }
            }
            36..=60 => {
                let (len, options) = (shape.length(input)?, shape.options(input)?);
                Self::MapAnyWith {
                    len,
                    mapping: shape.mapping(shape.start, input)?,
                    options,
                }
            }
            61.. => Self::FindFree {
                len: shape.length(input)?,
                options: shape.options(input)?,
            },
        })
    }

    /// The operation of a byte from 7 to 9, which shuts a range or opens it: mostly one
    /// of few pages, so that other calls are still possible.
    fn decode_shutting(byte: u8, shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        let addr = shape.address(input)?;
        let len = match input.byte()? {
            0..=179 => shape.page_size,
            180..=219 => shape.page_size.saturating_mul(2),
            _ => shape.length(input)?,
        };
        let all = (shape.start, shape.size());
        Some(match (byte, input.byte()?) {
            (7, _) => Self::Seal { addr, len },
            (8, _) => Self::Reserve { addr, len },
            (_, 0..=127) => Self::Unreserve { addr, len },
            _ => Self::Unreserve {
                addr: all.0,
                len: all.1,
            },
        })
    }

    /// The operation of a byte up to 190, which places or changes a range.
    fn decode_change(byte: u8, shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        let address = |input: &mut Input<'_>| shape.address(input);
        let length = |input: &mut Input<'_>| shape.length(input);
        Some(match byte {
            0..=70 => Self::decode_placement(byte, shape, input)?,
            71..=105 => {
                let (addr, len) = (address(input)?, length(input)?);
                let mapping = shape.mapping(addr, input)?;
                Self::MapAt {
                    addr,
                    len,
                    mapping,
                    call: Call::decode(input)?,
                }
            }
            106..=120 => {
                let (addr, len) = (address(input)?, length(input)?);
                Self::MapFixedNoreplace {
                    addr,
                    len,
                    mapping: shape.mapping(addr, input)?,
                }
            }
            121..=155 => {
                let (addr, len) = (address(input)?, length(input)?);
                Self::Unmap {
                    addr,
                    len,
                    call: Call::decode(input)?,
                }
            }
            156..=176 => Self::Protect {
                addr: address(input)?,
                len: length(input)?,
                prot: Prot(input.pick(&[0, 1, 3, 5])?),
                holes: holes(input)?,
                call: Call::decode(input)?,
            },
            177..=181 => Self::Relocate {
                from: address(input)?,
                len: length(input)?,
                to: address(input)?,
                source: input.pick(&[Source::Keep, Source::Remove])?,
                call: Call::decode(input)?,
            },
            182 => Self::Extend {
                addr: address(input)?,
                by: length(input)?,
            },
            _ => Self::Update {
                addr: address(input)?,
                len: length(input)?,
                holes: holes(input)?,
                change: FieldChange::decode(shape.page_size, input)?,
                call: Call::decode(input)?,
            },
        })
    }

    /// The operation of a byte from 216 to 233, which walks over a range.
    fn decode_walk(byte: u8, shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        let (addr, len) = (shape.address(input)?, shape.length(input)?);
        let walk = Walk(input.byte()?);
        Some(match byte {
            ..=221 => Self::RegionsIn { addr, len, walk },
            222..=225 => Self::Pieces { addr, len, walk },
            226..=229 => Self::Segments { addr, len, walk },
            230.. => Self::GapsIn { addr, len, walk },
        })
    }

    /// The operation of a byte from 191 on, which asks or changes everything.
    fn decode_other(byte: u8, shape: &SpaceShape, input: &mut Input<'_>) -> Option<Self> {
        let address = |input: &mut Input<'_>| shape.address(input);
        let length = |input: &mut Input<'_>| shape.length(input);
        Some(match byte {
            ..=197 => Self::Query(address(input)?),
            198..=200 => Self::CheckMapped {
                addr: address(input)?,
                len: length(input)?,
            },
            201..=215 => Self::CheckAccess {
                addr: address(input)?,
                len: length(input)?,
                needs: Prot(input.pick(&[0, 1, 2])?),
            },
            216..=233 => Self::decode_walk(byte, shape, input)?,
            234 => Self::GapAt(address(input)?),
            235 => Self::MappedBytesIn {
                addr: address(input)?,
                len: length(input)?,
            },
            236..=237 => Self::Regions(Walk(input.byte()?)),
            238..=240 => Self::Gaps(Walk(input.byte()?)),
            241..=244 => Self::MarkOriginal,
            245..=248 => Self::UnmapNonOriginal(Call::decode(input)?),
            249 => Self::Reset,
            250..=255 => Self::Clone(Call::decode(input)?),
        })
    }
}

/// A mapping on part of a line.
struct Short<'a>(&'a Mapping<u8>);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mapping {
            prot,
            flags,
            fd,
            offset,
            offset_rule,
            original,
            sealed,
            guard,
            data,
        } = self.0;
        write!(
            f,
            "prot {} flags {flags} fd {fd} offset {offset:#x} {offset_rule:?} data {data}",
            prot.0
        )?;
        if *guard != 0 {
            write!(f, " guard {guard}")?;
        }
        if *sealed {
            f.write_str(" sealed")?;
        }
        if *original {
            f.write_str(" original")
        } else {
            Ok(())
        }
    }
}

impl SpaceOp {
    /// [`Display`](fmt::Display) of an operation that changes nothing, or everything.
    fn write_short(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindFree { len, options } => write!(f, "find_free len {len:#x} {options:x?}"),
            Self::Query(addr) => write!(f, "query {addr:#x}"),
            Self::CheckAccess { addr, len, needs } => {
                write!(f, "check_access {addr:#x} len {len:#x} needs {}", needs.0)
            }
            Self::RegionsIn { addr, len, walk } => {
                write!(f, "regions_in {addr:#x} len {len:#x} {walk}")
            }
            Self::CheckMapped { addr, len } => write!(f, "check_mapped {addr:#x} len {len:#x}"),
            Self::Pieces { addr, len, walk } => write!(f, "pieces {addr:#x} len {len:#x} {walk}"),
            Self::Segments { addr, len, walk } => {
                write!(f, "segments {addr:#x} len {len:#x} {walk}")
            }
            Self::GapsIn { addr, len, walk } => write!(f, "gaps_in {addr:#x} len {len:#x} {walk}"),
            Self::GapAt(addr) => write!(f, "gap_at {addr:#x}"),
            Self::MappedBytesIn { addr, len } => {
                write!(f, "mapped_bytes_in {addr:#x} len {len:#x}")
            }
            Self::Regions(walk) => write!(f, "regions {walk}"),
            Self::Gaps(walk) => write!(f, "gaps {walk}"),
            Self::SetPlacement(placement) => write!(f, "set_placement {placement:?}"),
            Self::SetGuard { number, guard } => write!(f, "set_guard {number} {guard:x?}"),
            Self::Reserve { addr, len } => write!(f, "reserve {addr:#x} len {len:#x}"),
            Self::Unreserve { addr, len } => write!(f, "unreserve {addr:#x} len {len:#x}"),
            Self::Seal { addr, len } => write!(f, "seal {addr:#x} len {len:#x}"),
            Self::SetLimits { regions, bytes } => {
                write!(f, "set limits: regions {regions:?}, bytes {bytes:x?}")
            }
            Self::MarkOriginal => f.write_str("mark_original"),
            Self::UnmapNonOriginal(call) => write!(f, "unmap_non_original{call}"),
            Self::Reset => f.write_str("reset"),
            Self::Clone(call) => write!(f, "clone{call}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SpaceOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapAny { hint, len, mapping } => {
                write!(f, "map_any hint {hint:x?} len {len:#x}: {}", Short(mapping))
            }
            Self::MapAnyWith {
                len,
                mapping,
                options,
            } => {
                write!(
                    f,
                    "map_any_with len {len:#x} {options:x?}: {}",
                    Short(mapping)
                )
            }
            Self::MapAt {
                addr,
                len,
                mapping,
                call,
            } => {
                write!(f, "map_at {addr:#x} len {len:#x}: {}{call}", Short(mapping))
            }
            Self::MapFixedNoreplace { addr, len, mapping } => {
                write!(
                    f,
                    "map_fixed_noreplace {addr:#x} len {len:#x}: {}",
                    Short(mapping)
                )
            }
            Self::Unmap { addr, len, call } => write!(f, "unmap {addr:#x} len {len:#x}{call}"),
            Self::Protect {
                addr,
                len,
                prot,
                holes,
                call,
            } => {
                write!(
                    f,
                    "protect {addr:#x} len {len:#x} prot {} {holes:?}{call}",
                    prot.0
                )
            }
            Self::Update {
                addr,
                len,
                holes,
                change,
                call,
            } => write!(
                f,
                "update {addr:#x} len {len:#x} {change:?} {holes:?}{call}"
            ),
            Self::Relocate {
                from,
                len,
                to,
                source,
                call,
            } => write!(
                f,
                "relocate {from:#x} len {len:#x} to {to:#x} {source:?}{call}"
            ),
            Self::Extend { addr, by } => write!(f, "extend {addr:#x} by {by:#x}"),
            other => other.write_short(f),
        }
    }
}
