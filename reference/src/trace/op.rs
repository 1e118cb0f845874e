//! One recorded system call and what the kernel answered.

use std::fmt;

use super::source::{Words, split_comment};

/// A memory system call with its arguments as the program passed them: bytes,
/// not rounded to pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `mmap`; flags as on Linux x86-64, `file` `None` for anonymous memory.
    Mmap {
        /// Address asked for, zero for any.
        hint: u64,
        /// Length in bytes.
        len: u64,
        /// Protection bits.
        prot: u32,
        /// `MAP_*` bits.
        flags: u32,
        /// Number of the file.
        file: Option<u32>,
        /// Offset in the file, in bytes.
        offset: u64,
    },
    /// `munmap`.
    Munmap {
        /// First address.
        addr: u64,
        /// Length in bytes.
        len: u64,
    },
    /// `mprotect`.
    Mprotect {
        /// First address.
        addr: u64,
        /// Length in bytes.
        len: u64,
        /// Protection bits, `PROT_GROWSDOWN` among them.
        prot: u32,
    },
    /// `mremap`.
    Mremap {
        /// First address of the old range.
        addr: u64,
        /// Its length in bytes; zero duplicates a shared mapping.
        old_len: u64,
        /// Length of the new range in bytes.
        new_len: u64,
        /// `MREMAP_*` bits: 1 may move, 2 fixed, 4 do not unmap.
        flags: u32,
        /// Where to, if the flags say so.
        new_addr: u64,
    },
    /// `brk`; zero asks where the break is.
    Brk {
        /// The new break.
        addr: u64,
    },
    /// `madvise`.
    Madvise {
        /// First address.
        addr: u64,
        /// Length in bytes.
        len: u64,
        /// `MADV_*`.
        advice: u32,
    },
    /// `mlock`.
    Mlock {
        /// First address.
        addr: u64,
        /// Length in bytes.
        len: u64,
    },
    /// `munlock`.
    Munlock {
        /// First address.
        addr: u64,
        /// Length in bytes.
        len: u64,
    },
}

/// The name of a kernel error, such as `ENOMEM`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Errno(Box<str>);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Errno {
    /// Whether it has this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        *self.0 == *name
    }
}

/// A line of a trace: a call, its result, who called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// What was called.
    pub call: Call,
    /// What the kernel returned.
    pub result: Result<u64, Errno>,
    /// The thread, zero for the first.
    pub thread: u32,
    /// The line of the trace file, from 1.
    pub line: usize,
}

impl Op {
    /// Reads a line that is neither empty nor a comment.
    pub(super) fn parse(line: &str, number: usize) -> Result<Self, String> {
        let mut words = Words::of(split_comment(line).0);
        let call = Call::parse(&mut words)?;
        words.exactly("=")?;
        let result = words.word("the result")?;
        let result = match result.strip_prefix('-') {
            Some(name) => Err(errno(name)?),
            None => Ok(super::source::hex(result, "result")?),
        };
        let mut thread = 0;
        if let Some(word) = words.next() {
            let id = word.strip_prefix('@');
            let id = id.ok_or_else(|| format!("`{word}` follows where the line should end"))?;
            thread = Words::of(id).small("thread")?;
        }
        words.end()?;
        Ok(Self {
            call,
            result,
            thread,
            line: number,
        })
    }
}

fn errno(name: &str) -> Result<Errno, String> {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if name.starts_with('E') && name.len() > 1 && name.bytes().all(upper) {
        Ok(Errno(name.into()))
    } else {
        Err(format!(
            "result `-{name}` is not the name of a kernel error"
        ))
    }
}

impl Call {
    /// Whether it can change what is mapped: advice and locks cannot.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        !matches!(
            self,
            Self::Madvise { .. } | Self::Mlock { .. } | Self::Munlock { .. }
        )
    }

    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let name = words.word("an operation")?;
        Ok(match name {
            "mmap" => Self::Mmap {
                hint: words.number("hint")?,
                len: words.number("length")?,
                prot: words.small("protection")?,
                flags: words.small("flags")?,
                file: words.file()?,
                offset: words.number("offset")?,
            },
            "munmap" => Self::Munmap {
                addr: words.number("address")?,
                len: words.number("length")?,
            },
            "mprotect" => Self::Mprotect {
                addr: words.number("address")?,
                len: words.number("length")?,
                prot: words.small("protection")?,
            },
            "mremap" => Self::Mremap {
                addr: words.number("address")?,
                old_len: words.number("old length")?,
                new_len: words.number("new length")?,
                flags: words.small("flags")?,
                new_addr: words.number("new address")?,
            },
            "brk" => Self::Brk {
                addr: words.number("address")?,
            },
            "madvise" => Self::Madvise {
                addr: words.number("address")?,
                len: words.number("length")?,
                advice: words.small("advice")?,
            },
            "mlock" => Self::Mlock {
                addr: words.number("address")?,
                len: words.number("length")?,
            },
            "munlock" => Self::Munlock {
                addr: words.number("address")?,
                len: words.number("length")?,
            },
            _ => return Err(format!("unknown operation `{name}`")),
        })
    }
}

/// The call as the trace writes it.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Mmap {
                hint,
                len,
                prot,
                flags,
                file,
                offset,
            } => {
                write!(f, "mmap {hint:x} {len:x} {prot:x} {flags:x} ")?;
                match file {
                    Some(file) => write!(f, "{file:x} {offset:x}"),
                    None => write!(f, "- {offset:x}"),
                }
            }
            Self::Munmap { addr, len } => write!(f, "munmap {addr:x} {len:x}"),
            Self::Mprotect { addr, len, prot } => write!(f, "mprotect {addr:x} {len:x} {prot:x}"),
            Self::Mremap {
                addr,
                old_len,
                new_len,
                flags,
                new_addr,
            } => {
                write!(
                    f,
                    "mremap {addr:x} {old_len:x} {new_len:x} {flags:x} {new_addr:x}"
                )
            }
            Self::Brk { addr } => write!(f, "brk {addr:x}"),
            Self::Madvise { addr, len, advice } => write!(f, "madvise {addr:x} {len:x} {advice:x}"),
            Self::Mlock { addr, len } => write!(f, "mlock {addr:x} {len:x}"),
            Self::Munlock { addr, len } => write!(f, "munlock {addr:x} {len:x}"),
        }
    }
}

/// The line of the trace, without its comment.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", self.call)?;
        match &self.result {
            Ok(result) => write!(f, "{result:x}")?,
            Err(Errno(name)) => write!(f, "-{name}")?,
        }
        if self.thread != 0 {
            write!(f, " @{:x}", self.thread)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Op;

    #[test]
    fn an_operation_is_displayed_as_its_line() {
        for line in [
            "mmap 7fc8f0000000 4000000 0 4022 - 0 = 7fc8e77ff000 @3",
            "mmap 0 15ef58 1 802 3 1000 = 7fa7967cf000",
            "mmap 0 9000000 3 40021 - 0 = -ENOMEM",
            "munmap 7fa79692e000 9067 = 0 @1f",
            "mprotect 7fa796745000 4000 1000001 = -EINVAL",
            "mremap 7f7a8e400000 400000 400000 3 ffffffffffffffff = -EINVAL",
            "brk 0 = 560eefb0f000",
            "madvise 0 1000 4 = 0",
            "mlock 1000 10 = 0",
            "munlock 1000 10 = -ENOMEM",
        ] {
            assert_eq!(Op::parse(line, 1).unwrap().to_string(), line);
        }
        let commented = Op::parse("brk 0 = 5 # a comment", 9).unwrap();
        assert_eq!(
            (commented.to_string().as_str(), commented.line),
            ("brk 0 = 5", 9)
        );
    }

    #[test]
    fn a_bad_line_is_named_by_its_problem() {
        for (line, problem) in [
            (
                "mmap 0 2000",
                "the line ends where protection should follow",
            ),
            (
                "mmap 0 2000 3 22 - 0",
                "the line ends where `=` should follow",
            ),
            (
                "mmap 0 2000 3 22 - 0 =",
                "the line ends where the result should follow",
            ),
            (
                "mmap 0 2000 3 22 - 0 7f00",
                "`7f00` stands where `=` should",
            ),
            ("mremapp 0 1 2 3 4 = 0", "unknown operation `mremapp`"),
            (
                "brk 0x10 = 0",
                "address `0x10` is not a lower-case hexadecimal number",
            ),
            (
                "brk +10 = 0",
                "address `+10` is not a lower-case hexadecimal number",
            ),
            (
                "brk 10 = 7FFF",
                "result `7FFF` is not a lower-case hexadecimal number",
            ),
            (
                "brk 12345678123456781 = 0",
                "address `12345678123456781` does not fit in 64 bits",
            ),
            (
                "mprotect 0 1 100000000 = 0",
                "protection `100000000` is above ffffffff",
            ),
            (
                "mmap 0 1 3 2 40000000 0 = 0",
                "file `40000000` is above 3fffffff",
            ),
            (
                "munmap 0 1 = -12",
                "result `-12` is not the name of a kernel error",
            ),
            (
                "munmap 0 1 = -E",
                "result `-E` is not the name of a kernel error",
            ),
            ("munmap 0 1 = 0 3", "`3` follows where the line should end"),
            (
                "munmap 0 1 = 0 @3 4",
                "`4` follows where the line should end",
            ),
            (
                "munmap 0 1 = 0 @",
                "the line ends where thread should follow",
            ),
        ] {
            assert_eq!(Op::parse(line, 1).unwrap_err(), problem, "{line}");
        }
    }
}
