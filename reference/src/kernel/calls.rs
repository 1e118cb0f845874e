//! Random memory calls, and how the kernel is asked.

use std::fmt;

use fastrand::Rng;

use super::sys::{self, Answer, EINVAL, PAGE};
use super::window::Window;

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
    /// Anonymous memory that grows downwards: a stack.
    Stack,
    File {
        file: usize,
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
}

/// Makes calls; for a while they fill the window, then they empty it.
pub(super) struct Calls {
    random: Rng,
    /// Of a hundred calls, how many map.
    mapping: u32,
    /// Pages of the window.
    pages: u64,
    /// Whether some mappings are stacks.
    stacks: bool,
    /// Where the last stack was put that was given an address.
    stack: u64,
}

impl Calls {
    pub(super) fn new(seed: u64, pages: u64, stacks: bool) -> Self {
        Self {
            random: Rng::with_seed(seed),
            mapping: 50,
            pages,
            stacks,
            stack: 0,
        }
    }

    pub(super) fn next(&mut self) -> Call {
        if self.random.u32(..400) == 0 {
            self.mapping = self.random.u32(35..75);
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
            50..80 => Call::Protect {
                at,
                len,
                prot: self.prot(),
            },
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

    /// Address and length inside the window; a few addresses are not aligned,
    /// a few lengths are zero.
    fn range(&mut self) -> (u64, u64) {
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
        if self.random.u32(..2) == 0 {
            return Source::Anonymous;
        }
        let shift = [0, 0, 0, 1, 7][self.random.usize(..5)] * PAGE;
        Source::File {
            file: self.random.usize(..2),
            offset: at + shift,
            shared: self.random.bool(),
        }
    }
}

/// Flags of private memory without a file.
const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

impl Call {
    /// Asks the kernel. `Ok` is an absolute address, or zero.
    pub(super) fn ask(&self, window: &Window) -> Answer {
        let addr = |at: u64| window.range.start.wrapping_add(at);
        match *self {
            Self::Map {
                place,
                len,
                prot,
                source,
            } => {
                let (sharing, file) = match source {
                    Source::Anonymous => (ANONYMOUS, None),
                    Source::Stack => (ANONYMOUS | libc::MAP_GROWSDOWN, None),
                    Source::File {
                        file,
                        offset,
                        shared: true,
                    } => (libc::MAP_SHARED, Some((&window.files[file], offset))),
                    Source::File { file, offset, .. } => {
                        (libc::MAP_PRIVATE, Some((&window.files[file], offset)))
                    }
                };
                let (addr, fixed) = match place {
                    Place::Anywhere => (0, 0),
                    Place::Near(at) => (addr(at), 0),
                    Place::Fixed(at) => (addr(at), libc::MAP_FIXED),
                    Place::NoReplace(at) => (addr(at), libc::MAP_FIXED_NOREPLACE),
                };
                sys::mmap(addr, len, prot, sharing | fixed, file)
            }
            Self::Unmap { at, len } => sys::munmap(addr(at), len),
            Self::Protect { at, len, prot } => sys::mprotect(addr(at), len, prot),
            Self::Remap {
                at,
                old_len,
                new_len,
                movement,
            } => {
                const COPY: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_DONTUNMAP;
                let (flags, to) = match movement {
                    Move::Stay => (0, 0),
                    Move::Anywhere => (libc::MREMAP_MAYMOVE, 0),
                    Move::To(to) => (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, addr(to)),
                    Move::Copy => (COPY, 0),
                    Move::CopyTo(to) => (COPY | libc::MREMAP_FIXED, addr(to)),
                };
                sys::mremap(addr(at), old_len, new_len, flags, to)
            }
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

/// An address that must be a multiple of the page size.
pub(super) fn aligned(addr: u64) -> Answer {
    if addr.is_multiple_of(PAGE) {
        Ok(addr)
    } else {
        Err(EINVAL)
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
        }
    }
}
