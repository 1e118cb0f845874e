//! Random memory calls, and how the kernel is asked.

use std::fmt;

use fastrand::Rng;

use super::raw::{Addr, Raw};
use super::sys::{PAGE, TASK_END};

/// How many bytes below a stack Linux keeps free, as long as nothing is mapped there:
/// its `stack_guard_gap`.
pub(super) const STACK_GAP: u64 = 256 * PAGE;

/// Where a new mapping goes. All addresses of calls are distances in bytes from
/// the start of the window, so that a seed means the same in every process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Anywhere,
    /// At this address if it is free, else anywhere.
    Near(u64),
    Fixed(u64),
    NoReplace(u64),
}

/// What is mapped; offsets in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Anonymous,
    /// The same that does not count (`MAP_NORESERVE`).
    Unreserved,
    /// Anonymous memory that grows downwards: a stack.
    Stack,
    File {
        file: u32,
        offset: u64,
        shared: bool,
    },
}

/// What becomes of the range that `mremap` is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// It changes its length where it is, or not at all.
    Stay,
    /// It may go anywhere.
    Anywhere,
    /// It goes to this address.
    To(u64),
    /// It stays, and moves as well.
    Copy,
    /// It stays, and moves to this address as well.
    CopyTo(u64),
}

/// One call; lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Map {
        place: Place,
        len: u64,
        prot: u32,
        source: Source,
    },
    Unmap {
        at: u64,
        len: u64,
    },
    Protect {
        at: u64,
        len: u64,
        prot: u32,
    },
    Remap {
        at: u64,
        old_len: u64,
        new_len: u64,
        movement: Move,
    },
    /// With arguments of any kind.
    Raw(Raw),
}

/// Makes calls; for a while they fill the window, then they empty it.
pub(super) struct Calls {
    pub(super) random: Rng,
    /// Of a hundred calls, how many map.
    mapping: u32,
    /// Pages of the window.
    pub(super) pages: u64,
    /// Whether some mappings are stacks.
    pub(super) stacks: bool,
    /// Where the last stack was put that was given an address.
    pub(super) stack: u64,
    /// How many ranges may still be sealed: what is sealed stays in the window.
    pub(super) seals: u32,
}

impl Calls {
    pub(super) fn new(seed: u64, pages: u64, stacks: bool) -> Self {
        Self {
            random: Rng::with_seed(seed),
            mapping: 50,
            pages,
            stacks,
            stack: 0,
            seals: 0,
        }
    }

    pub(super) fn next(&mut self) -> Call {
        if self.random.u32(..400) == 0 {
            self.mapping = self.random.u32(35..75);
        }
        match self.random.u32(..24) {
            0 | 1 => return Call::Raw(self.raw()),
            2..8 => return Call::Raw(self.more()),
            _ => {}
        }
        let sort = self.random.u32(..100);
        if sort < self.mapping {
            return self.map();
        }
        let (at, len) = self.range();
        // With stacks the window is empty more often, so that they have room.
        let all = if self.stacks { 6 } else { 1 };
        match self.random.u32(..100) {
            sort if sort < all => Call::Unmap {
                at: 0,
                len: self.pages * PAGE,
            },
            0..50 => Call::Unmap { at, len },
            50..80 => {
                let grows = self.stacks && self.random.u32(..8) == 0;
                let bit = if grows {
                    libc::PROT_GROWSDOWN.cast_unsigned()
                } else {
                    0
                };
                Call::Protect {
                    at,
                    len,
                    prot: self.prot() | bit,
                }
            }
            _ => self.remap(at, len),
        }
    }

    fn map(&mut self) -> Call {
        let (at, range_len) = self.range();
        let (place, len) = match self.random.u32(..100) {
            0..45 => (Place::Anywhere, self.len(self.pages + 2)),
            45..60 => {
                let len = self.len(self.pages);
                (Place::Near(self.hint(len)), len)
            }
            60..85 => (Place::Fixed(at), range_len),
            _ => (Place::NoReplace(at), range_len),
        };
        let (prot, source) = (self.prot(), self.source(at & !(PAGE - 1)));
        if matches!((source, place), (Source::Stack, Place::Fixed(_))) {
            self.stack = at & !(PAGE - 1);
        }
        Call::Map {
            place,
            len,
            prot,
            source,
        }
    }

    /// Anywhere, with two pages more on each side: memory that is never free. With
    /// stacks, often where a mapping of this length just keeps away from one, or not.
    fn hint(&mut self, len: u64) -> u64 {
        if self.stacks && self.random.bool() {
            let away = STACK_GAP + len.next_multiple_of(PAGE) + PAGE;
            let at = self.stack.wrapping_sub(away);
            return at.wrapping_add(self.random.u64(..=2) * PAGE + self.slack());
        }
        let page = self.random.u64(..self.pages + 4).wrapping_sub(2);
        page.wrapping_mul(PAGE).wrapping_add(self.slack())
    }

    fn remap(&mut self, at: u64, old_len: u64) -> Call {
        let old_len = old_len.max(1);
        let all = self.pages;
        let mut new_len = self.len(all);
        let (to, room) = self.range();
        let movement = match self.random.u32(..100) {
            0..25 => Move::Stay,
            25..60 => Move::Anywhere,
            60..80 => {
                new_len = room;
                Move::To(to)
            }
            80..90 => {
                new_len = old_len;
                Move::Copy
            }
            _ => {
                new_len = old_len.min(all * PAGE - to.min(all * PAGE));
                Move::CopyTo(to)
            }
        };
        let copies = matches!(movement, Move::CopyTo(_));
        Call::Remap {
            at,
            old_len: if copies { new_len.max(1) } else { old_len },
            new_len,
            movement,
        }
    }

    /// Any arguments that cannot touch memory outside the window.
    fn raw(&mut self) -> Raw {
        let (at, len) = self.range();
        match self.random.u32(..4) {
            0 => self.raw_map(at, len),
            // More than there is from the window on, or beyond everything.
            1 if self.random.bool() => Raw::Unmap {
                addr: Addr::In(at),
                len: self.any_of(&[
                    TASK_END,
                    TASK_END + PAGE,
                    1 << 63,
                    u64::MAX - PAGE,
                    u64::MAX,
                ]),
            },
            1 => Raw::Unmap {
                addr: Addr::Beyond(self.odd()),
                len: self.odd(),
            },
            2 => {
                let prot =
                    self.any_of(&[0, 1, 3, 5, 7, 8, 9, 16, 1 << 24, 1 << 25, 3 << 24, 1 << 63]);
                let outside = self.random.bool();
                let addr = if outside {
                    Addr::Beyond(self.odd())
                } else {
                    Addr::In(at)
                };
                // From the window on, either inside or more than there is.
                let len = if outside {
                    self.odd()
                } else {
                    self.any_of(&[len, len, u64::MAX])
                };
                Raw::Protect { addr, len, prot }
            }
            _ => self.raw_remap(at, len),
        }
    }

    fn raw_map(&mut self, at: u64, len: u64) -> Raw {
        let kind = self.any_of(&[0, 1, 2, 2, 3, 4, 8, 9]);
        let flags = [
            0x20,
            0x20,
            0x100,
            0x4000,
            0x2_0000,
            0x8_0000,
            0x800,
            1 << 30,
            1 << 40,
        ];
        let flags = kind | self.any_of(&flags) | self.any_of(&flags);
        let file = [None, Some(0), Some(1), Some(2), Some(3)][self.random.usize(..5)];
        let offset = self.any_of(&[0, PAGE, 5, 1 << 62, (1 << 63) - PAGE, 1 << 63, u64::MAX]);
        let fixed = self.any_of(&[0, 0, 0x10, 0x10_0000]);
        // What is fixed is inside the window, or beyond everything.
        let (addr, len) = match self.random.u32(..3) {
            0 => (Addr::Beyond(self.odd()), self.odd()),
            1 if fixed == 0 => (Addr::In(at), self.odd()),
            _ => (Addr::In(at), len),
        };
        Raw::Map {
            addr,
            len,
            prot: self.any_of(&[0, 1, 2, 3, 5, 7, 8, 1 << 40]) & !4 | self.any_of(&[0, 0, 5]),
            flags: flags | fixed,
            file,
            offset,
        }
    }

    fn raw_remap(&mut self, at: u64, len: u64) -> Raw {
        let (to, room) = self.range();
        let flags = self.any_of(&[0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 1 << 32]);
        let beyond = self.random.u32(..4) == 0;
        let old_len = self.any_of(&[0, 1, len, len, u64::MAX]);
        let target = self.random.u32(..4);
        // What is unmapped is inside the window: the rest of the old, or the target.
        let new_len = match self.random.u32(..4) {
            _ if flags & 2 == 2 && target > 0 => room,
            0 => self.odd(),
            1 => old_len,
            _ => room.min(len),
        };
        Raw::Remap {
            addr: if beyond {
                Addr::Beyond(self.odd())
            } else {
                Addr::In(at)
            },
            old_len,
            new_len,
            flags,
            new_addr: if target == 0 {
                Addr::Beyond(self.odd())
            } else {
                Addr::In(to)
            },
        }
    }

    /// A number around everything that could wrap or end something.
    pub(super) fn odd(&mut self) -> u64 {
        let numbers = [
            0,
            1,
            PAGE - 1,
            PAGE,
            5 * PAGE,
            1 << 31,
            1 << 32,
            1 << 47,
            1 << 63,
            TASK_END,
            TASK_END - PAGE,
            TASK_END + 1,
            0_u64.wrapping_sub(TASK_END),
            0_u64.wrapping_sub(TASK_END).wrapping_sub(PAGE),
            0_u64.wrapping_sub(PAGE),
            0_u64.wrapping_sub(PAGE) + 1,
            u64::MAX,
        ];
        self.any_of(&numbers)
    }

    pub(super) fn any_of(&mut self, numbers: &[u64]) -> u64 {
        numbers[self.random.usize(..numbers.len())]
    }

    /// Address and length inside the window; a few addresses are not aligned,
    /// a few lengths are zero.
    pub(super) fn range(&mut self) -> (u64, u64) {
        let page = self.random.u64(..self.pages);
        let len = self.len(self.pages - page);
        let crooked = self.random.u32(..64) == 0;
        let at = page * PAGE
            + if crooked {
                1 + self.random.u64(..PAGE - 1)
            } else {
                0
            };
        (at, len)
    }

    /// At most `pages`; mostly short.
    fn len(&mut self, pages: u64) -> u64 {
        let most = match self.random.u32(..100) {
            0..2 => return 0,
            2..70 => pages.min(4),
            70..92 => pages.min(16),
            _ => pages,
        };
        self.random.u64(1..=most) * PAGE - self.slack()
    }

    /// Mostly nothing, else less than a page.
    fn slack(&mut self) -> u64 {
        if self.random.u32(..4) == 0 {
            self.random.u64(..PAGE)
        } else {
            0
        }
    }

    /// Executable alone is left out: some processors make it a key of its own.
    fn prot(&mut self) -> u32 {
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        let choices = [
            libc::PROT_NONE,
            libc::PROT_READ,
            libc::PROT_WRITE,
            read_write,
            read_write,
            libc::PROT_READ | libc::PROT_EXEC,
        ];
        choices[self.random.usize(..choices.len())].cast_unsigned()
    }

    /// Anonymous memory, or one of two files, often at the offset that makes
    /// neighbours contiguous.
    fn source(&mut self, at: u64) -> Source {
        if self.stacks && self.random.u32(..8) == 0 {
            return Source::Stack;
        }
        match self.random.u32(..16) {
            0..7 => return Source::Anonymous,
            7 => return Source::Unreserved,
            _ => {}
        }
        let shift = [0, 0, 0, 1, 7][self.random.usize(..5)] * PAGE;
        Source::File {
            file: self.random.u32(..2),
            offset: at + shift,
            shared: self.random.bool(),
        }
    }
}

/// Bits of libc's as the system calls have them.
fn bits(flags: i32) -> u64 {
    flags.cast_unsigned().into()
}

impl Source {
    /// The flags, the file and the offset of an `mmap`.
    fn arguments(self) -> (i32, Option<u32>, u64) {
        const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        match self {
            Self::Anonymous => (ANONYMOUS, None, 0),
            Self::Unreserved => (ANONYMOUS | libc::MAP_NORESERVE, None, 0),
            Self::Stack => (ANONYMOUS | libc::MAP_GROWSDOWN, None, 0),
            Self::File {
                file,
                offset,
                shared,
            } => {
                let kind = if shared {
                    libc::MAP_SHARED
                } else {
                    libc::MAP_PRIVATE
                };
                (kind, Some(file), offset)
            }
        }
    }
}

impl Call {
    /// The arguments of the system call, the same for both sides.
    pub(super) fn raw(&self) -> Raw {
        match *self {
            Self::Map {
                place,
                len,
                prot,
                source,
            } => {
                let (addr, fixed) = match place {
                    Place::Anywhere => (Addr::Zero, 0),
                    Place::Near(at) => (Addr::In(at), 0),
                    Place::Fixed(at) => (Addr::In(at), libc::MAP_FIXED),
                    Place::NoReplace(at) => (Addr::In(at), libc::MAP_FIXED_NOREPLACE),
                };
                let (flags, file, offset) = source.arguments();
                Raw::Map {
                    addr,
                    len,
                    prot: prot.into(),
                    flags: bits(flags | fixed),
                    file,
                    offset,
                }
            }
            Self::Unmap { at, len } => Raw::Unmap {
                addr: Addr::In(at),
                len,
            },
            Self::Protect { at, len, prot } => Raw::Protect {
                addr: Addr::In(at),
                len,
                prot: prot.into(),
            },
            Self::Remap {
                at,
                old_len,
                new_len,
                movement,
            } => {
                const COPY: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_DONTUNMAP;
                let (flags, new_addr) = match movement {
                    Move::Stay => (0, Addr::Zero),
                    Move::Anywhere => (libc::MREMAP_MAYMOVE, Addr::Zero),
                    Move::To(to) => (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, Addr::In(to)),
                    Move::Copy => (COPY, Addr::Zero),
                    Move::CopyTo(to) => (COPY | libc::MREMAP_FIXED, Addr::In(to)),
                };
                Raw::Remap {
                    addr: Addr::In(at),
                    old_len,
                    new_len,
                    flags: bits(flags),
                    new_addr,
                }
            }
            Self::Raw(raw) => raw,
        }
    }

    /// The hint and the length of an `mmap` that leaves the place open.
    pub(super) fn open_place(&self) -> Option<(Option<u64>, u64)> {
        match *self {
            Self::Map {
                place: Place::Anywhere,
                len,
                ..
            } => Some((None, len)),
            Self::Map {
                place: Place::Near(at),
                len,
                ..
            } => Some((Some(at), len)),
            _ => None,
        }
    }

    /// Whether the kernel chooses the address if it does not refuse.
    pub(super) fn leaves_the_place_open(&self) -> bool {
        matches!(
            self,
            Self::Map {
                place: Place::Anywhere | Place::Near(_),
                ..
            } | Self::Remap {
                movement: Move::Anywhere | Move::Copy,
                ..
            }
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map {
                place,
                len,
                prot,
                source,
            } => write!(f, "mmap {place:x?} len {len:#x} prot {prot} {source:x?}"),
            Self::Unmap { at, len } => write!(f, "munmap +{at:#x} len {len:#x}"),
            Self::Protect { at, len, prot } => {
                write!(f, "mprotect +{at:#x} len {len:#x} prot {prot}")
            }
            Self::Remap {
                at,
                old_len,
                new_len,
                movement,
            } => write!(
                f,
                "mremap +{at:#x} len {old_len:#x} to {new_len:#x} {movement:x?}"
            ),
            Self::Raw(raw) => write!(f, "raw {raw:x?}"),
        }
    }
}
