//! Random calls that map nothing: advice, locks, seals, limits, and accesses to memory.

use gaptree::linux::Access;

use super::calls::{Calls, STACK_GAP};
use super::raw::{Addr, Raw};
use super::sys::{Limit, PAGE};

/// All advice that Linux knows, but for that about broken memory and about huge pages of
/// the moment, and some that it does not know.
const ADVICE: [u64; 30] = [
    0,
    1,
    2,
    3,
    4,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    23,
    23,
    24,
    102,
    103,
    5,
    26,
    99,
    1 << 31,
];

impl Calls {
    pub(super) fn more(&mut self) -> Raw {
        let (at, len) = self.range();
        // From the window on, what is longer has to wrap around: outside is the process.
        let (addr, len) = match self.random.u32(..24) {
            0 => (
                Addr::In(at),
                self.any_of(&[0, 1, u64::MAX, u64::MAX - PAGE]),
            ),
            1 => (Addr::Beyond(self.odd()), self.odd()),
            _ => (Addr::In(at), len),
        };
        // Whole pages are locked: none behind the window.
        let slack = at % PAGE;
        match self.random.u32(..100) {
            0..30 => self.touch(),
            30..60 => Raw::Advise {
                addr,
                len,
                advice: self.any_of(&ADVICE),
            },
            60..68 => Raw::Lock {
                addr,
                len: len.saturating_sub(slack),
                flags: self.any_of(&[0, 0, 1, 1, 2]),
            },
            68..76 => Raw::Unlock {
                addr,
                len: len.saturating_sub(slack),
            },
            76..78 => self.all(),
            78..84 => Raw::Sync {
                addr,
                len,
                flags: self.any_of(&[0, 1, 2, 3, 4, 4, 5, 6, 8]),
            },
            84 if self.random.bool() => Raw::Fork {
                seed: self.random.u64(..),
            },
            84..87 => Raw::Resident { addr, len },
            87..93 => self.limit(),
            93..96 => Raw::Truncate {
                file: self.random.u32(..2),
                len: self.random.u64(..=self.pages * PAGE),
            },
            _ => self.seal(addr, len),
        }
    }

    /// An access in the window, with stacks often below the last one.
    fn touch(&mut self) -> Raw {
        let access = [Access::Read, Access::Write, Access::Write, Access::Execute];
        let access = access[self.random.usize(..access.len())];
        let mut at = self.random.u64(..self.pages * PAGE);
        if self.stacks && self.random.bool() {
            let away = match self.random.u32(..4) {
                0 => STACK_GAP + 2 * PAGE,
                _ => 16 * PAGE,
            };
            at = self.stack.saturating_sub(self.random.u64(1..=away));
        }
        Raw::Touch {
            addr: Addr::In(at),
            access,
        }
    }

    /// Locks of everything that comes. What is there is not locked: outside the window
    /// that is more than Linux can count (`MCL_CURRENT`).
    fn all(&mut self) -> Raw {
        match self.random.u32(..4) {
            0 => Raw::LockAll {
                flags: self.any_of(&[0, 2, 2, 4, 6, 6, 8]),
            },
            _ => Raw::UnlockAll,
        }
    }

    fn limit(&mut self) -> Raw {
        let limits = [
            Limit::AddressSpace,
            Limit::Data,
            Limit::Stack,
            Limit::Locked,
        ];
        let limit = limits[self.random.usize(..limits.len())];
        // Most of the time there is none, or it is wide.
        let all = self.pages * PAGE;
        let least = [all / 2, all / 2, 0][self.random.usize(..3)];
        let bytes = self.random.u64(least..all);
        let bytes = (self.random.u32(..3) == 0).then_some(bytes);
        Raw::Limit { limit, bytes }
    }

    fn seal(&mut self, addr: Addr, len: u64) -> Raw {
        let flags = self.any_of(&[0, 0, 0, 1]);
        // What is sealed stays, so it is little; but what cannot be is of any kind.
        let sealed = matches!(addr, Addr::In(_)) && flags == 0;
        if !sealed {
            return Raw::Seal { addr, len, flags };
        }
        if self.seals == 0 {
            return Raw::Resident { addr, len };
        }
        self.seals -= 1;
        Raw::Seal {
            addr,
            len: len.min(3 * PAGE),
            flags,
        }
    }
}
