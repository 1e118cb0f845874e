//! What the kernel shows: the rows of `/proc/self/maps`, with their flags, and counters.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::mem;
use std::ops::Range;

use gaptree::linux::flags::*;

use super::sys;
use crate::trace::{Object, Row};

/// The flags of a row as `/proc/self/smaps` abbreviates them. The protection is in the
/// row itself.
const FLAGS: [(&[u8; 2], u32); 26] = [
    (b"sh", VM_SHARED),
    (b"mr", VM_MAYREAD),
    (b"mw", VM_MAYWRITE),
    (b"me", VM_MAYEXEC),
    (b"ms", VM_MAYSHARE),
    (b"gd", VM_GROWSDOWN),
    (b"pf", VM_PFNMAP),
    (b"gu", VM_MAYBE_GUARD),
    (b"lo", VM_LOCKED),
    (b"io", VM_IO),
    (b"sr", VM_SEQ_READ),
    (b"rr", VM_RAND_READ),
    (b"dc", VM_DONTCOPY),
    (b"de", VM_DONTEXPAND),
    (b"lf", VM_LOCKONFAULT),
    (b"ac", VM_ACCOUNT),
    (b"nr", VM_NORESERVE),
    (b"sf", VM_SYNC),
    (b"dd", VM_DONTDUMP),
    (b"wf", VM_WIPEONFORK),
    (b"hg", VM_HUGEPAGE),
    (b"nh", VM_NOHUGEPAGE),
    (b"mg", VM_MERGEABLE),
    (b"dp", VM_DROPPABLE),
    (b"sl", VM_SEALED),
    // Whether a page has changed since somebody asked; nobody here does.
    (b"sd", 0),
];

/// Lines of `/proc/self/status`, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub(super) size: u64,
    pub(super) locked: u64,
    pub(super) data: u64,
    pub(super) stack: u64,
    pub(super) exec: u64,
}

/// The open listings, read again and again into one buffer.
pub(super) struct Maps {
    /// Without flags.
    short: File,
    /// With flags, which takes the kernel ten times as long.
    long: File,
    status: File,
    /// Whether the kernel can be asked for single rows.
    tells_rows: bool,
    text: Vec<u8>,
    /// The inodes of the files that may be mapped in the window, by number.
    inodes: Vec<u64>,
}

/// The next word that ends with `end`.
fn word<'a>(line: &mut &'a [u8], end: u8) -> &'a [u8] {
    let at = line.iter().position(|&byte| byte == end);
    let at = at.unwrap_or(line.len());
    let word = &line[..at];
    *line = line.get(at + 1..).unwrap_or_default();
    word
}

fn number(word: &[u8], radix: u32) -> io::Result<u64> {
    let text = std::str::from_utf8(word).map_err(io::Error::other)?;
    u64::from_str_radix(text, radix).map_err(io::Error::other)
}

/// Whether a line begins a row: the others begin with a name.
fn is_row(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| !byte.is_ascii_uppercase())
}

/// The flags that are named in a line.
fn bits(line: &[u8]) -> io::Result<u32> {
    let words = line.split(|&byte| byte == b' ');
    let words = words.filter(|word| word.len() == 2 && !matches!(*word, b"rd" | b"wr" | b"ex"));
    let bit = |word: &[u8]| {
        let known = FLAGS.iter().find(|(name, _)| name.as_slice() == word);
        let unknown = || io::Error::other(format!("flag {}", String::from_utf8_lossy(word)));
        known.map(|&(_, bit)| bit).ok_or_else(unknown)
    };
    words.map(bit).try_fold(0, |bits, bit| Ok(bits | bit?))
}

impl Maps {
    pub(super) fn open(inodes: Vec<u64>) -> io::Result<Self> {
        let short = File::open("/proc/self/maps")?;
        Ok(Self {
            tells_rows: sys::row_from(&short, 0).is_ok(),
            short,
            long: File::open("/proc/self/smaps")?,
            status: File::open("/proc/self/status")?,
            text: Vec::with_capacity(1 << 20),
            inodes,
        })
    }

    /// The same of the process that this one has become.
    pub(super) fn reopened(&self) -> io::Result<Self> {
        Self::open(self.inodes.clone())
    }

    fn read(&mut self, file: fn(&mut Self) -> &mut File) -> io::Result<()> {
        let mut text = mem::take(&mut self.text);
        text.clear();
        let file = file(self);
        let read = file.rewind().and_then(|()| file.read_to_end(&mut text));
        self.text = text;
        read.map(|_| ())
    }

    /// Everything that is mapped, as ranges of addresses.
    pub(super) fn taken(&mut self) -> io::Result<Vec<Range<u64>>> {
        self.read(|maps| &mut maps.short)?;
        let lines = self.text.split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| is_row(line));
        let range = |mut line: &[u8]| {
            let start = number(word(&mut line, b'-'), 16)?;
            Ok(start..number(word(&mut line, b' '), 16)?)
        };
        lines.map(range).collect()
    }

    /// The rows that share a byte with `window`, clipped to it, as the kernel
    /// has them: it may have two rows where one would do. With their flags, if asked.
    pub(super) fn rows(
        &mut self,
        window: &Range<u64>,
        flags: bool,
    ) -> io::Result<Vec<(Row, Option<u32>)>> {
        if self.tells_rows && !flags {
            return self.told_rows(window);
        }
        self.read(if flags {
            |maps| &mut maps.long
        } else {
            |maps| &mut maps.short
        })?;
        let mut rows: Vec<(Row, Option<u32>)> = Vec::new();
        let mut inside = false;
        for mut line in self.text.split(|&byte| byte == b'\n') {
            if let Some(words) = line.strip_prefix(b"VmFlags:")
                && inside
                && let Some((_, flags)) = rows.last_mut()
            {
                *flags = Some(bits(words)?);
            }
            if !is_row(line) {
                continue;
            }
            let start = number(word(&mut line, b'-'), 16)?;
            let end = number(word(&mut line, b' '), 16)?;
            inside = end > window.start && start < window.end;
            if !inside {
                continue;
            }
            let row = self.row(start..end, line)?;
            let cut = window.start.saturating_sub(start);
            let offset = match row.object {
                Object::Anonymous => 0,
                _ => row.offset + cut,
            };
            let (start, end) = (start.max(window.start), end.min(window.end));
            let row = Row {
                start,
                end,
                offset,
                ..row
            };
            rows.push((row, None));
        }
        Ok(rows)
    }

    /// The same from the kernel's answers for single rows: it takes no longer if there
    /// are many outside.
    fn told_rows(&self, window: &Range<u64>) -> io::Result<Vec<(Row, Option<u32>)>> {
        let mut rows = Vec::new();
        let mut at = window.start;
        while at < window.end {
            let found = match sys::row_from(&self.short, at) {
                Err(libc::ENOENT) => break,
                found => found.map_err(io::Error::from_raw_os_error)?,
            };
            if found.start >= window.end {
                break;
            }
            let object = self.object(found.inode)?;
            let start = found.start.max(window.start);
            let offset = match object {
                Object::Anonymous => 0,
                _ => found.offset + (start - found.start),
            };
            let row = Row {
                start,
                end: found.end.min(window.end),
                prot: (found.access & 7) as u32,
                shared: found.access & 8 != 0,
                object,
                offset,
            };
            rows.push((row, None));
            at = found.end;
        }
        Ok(rows)
    }

    /// How much memory the process has.
    pub(super) fn counts(&mut self) -> io::Result<Counts> {
        self.read(|maps| &mut maps.status)?;
        let mut counts = Counts::default();
        for line in self.text.split(|&byte| byte == b'\n') {
            let count = match line.get(..6) {
                Some(b"VmSize") => &mut counts.size,
                Some(b"VmLck:") => &mut counts.locked,
                Some(b"VmData") => &mut counts.data,
                Some(b"VmStk:") => &mut counts.stack,
                Some(b"VmExe:" | b"VmLib:") => &mut counts.exec,
                _ => continue,
            };
            let digits = line.iter().copied().filter(u8::is_ascii_digit);
            let count_kib = number(&digits.collect::<Vec<_>>(), 10)?;
            if count_kib > 1 << 40 {
                eprintln!("{}", String::from_utf8_lossy(line));
            }
            *count = count.wrapping_add(count_kib.wrapping_mul(1024));
        }
        Ok(counts)
    }

    /// The rest of a line: permissions, offset, device, inode.
    fn row(&self, range: Range<u64>, mut line: &[u8]) -> io::Result<Row> {
        let letters = word(&mut line, b' ');
        let bits = [(b'r', 1), (b'w', 2), (b'x', 4)];
        let set = bits.iter().filter(|(letter, _)| letters.contains(letter));
        let offset = number(word(&mut line, b' '), 16)?;
        word(&mut line, b' ');
        let inode = number(word(&mut line, b' '), 10)?;
        Ok(Row {
            start: range.start,
            end: range.end,
            prot: set.map(|(_, bit)| bit).sum(),
            shared: letters.contains(&b's'),
            object: self.object(inode)?,
            offset,
        })
    }

    fn object(&self, inode: u64) -> io::Result<Object> {
        let file = self.inodes.iter().position(|&known| known == inode);
        Ok(match (inode, file) {
            (0, _) => Object::Anonymous,
            (_, Some(file)) => Object::File(u32::try_from(file).map_err(io::Error::other)?),
            (_, None) => Object::Shared(inode),
        })
    }
}
