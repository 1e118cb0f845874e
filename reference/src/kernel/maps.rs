//! What the kernel shows: the rows of `/proc/self/maps`.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;

use crate::trace::{Object, Row};

/// The open listing, read again and again into one buffer.
pub(super) struct Maps {
    file: File,
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

impl Maps {
    pub(super) fn open(inodes: Vec<u64>) -> io::Result<Self> {
        Ok(Self {
            file: File::open("/proc/self/maps")?,
            text: Vec::with_capacity(1 << 20),
            inodes,
        })
    }

    fn read(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.text.clear();
        self.file.read_to_end(&mut self.text)?;
        Ok(())
    }

    /// Everything that is mapped, as ranges of addresses.
    pub(super) fn taken(&mut self) -> io::Result<Vec<Range<u64>>> {
        self.read()?;
        let lines = self.text.split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let range = |mut line: &[u8]| {
            let start = number(word(&mut line, b'-'), 16)?;
            Ok(start..number(word(&mut line, b' '), 16)?)
        };
        lines.map(range).collect()
    }

    /// The rows that share a byte with `window`, clipped to it, as the kernel
    /// has them: it may have two where one would do.
    pub(super) fn rows(&mut self, window: &Range<u64>) -> io::Result<Vec<Row>> {
        self.read()?;
        let mut rows = Vec::new();
        for mut line in self.text.split(|&byte| byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let start = number(word(&mut line, b'-'), 16)?;
            let end = number(word(&mut line, b' '), 16)?;
            if end <= window.start || start >= window.end {
                continue;
            }
            let row = Self::row(&self.inodes, start..end, line)?;
            let cut = window.start.saturating_sub(start);
            let offset = match row.object {
                Object::Anonymous => 0,
                _ => row.offset + cut,
            };
            let (start, end) = (start.max(window.start), end.min(window.end));
            rows.push(Row {
                start,
                end,
                offset,
                ..row
            });
        }
        Ok(rows)
    }

    /// The rest of a line: permissions, offset, device, inode.
    fn row(inodes: &[u64], range: Range<u64>, mut line: &[u8]) -> io::Result<Row> {
        let letters = word(&mut line, b' ');
        let bits = [(b'r', 1), (b'w', 2), (b'x', 4)];
        let set = bits.iter().filter(|(letter, _)| letters.contains(letter));
        let offset = number(word(&mut line, b' '), 16)?;
        word(&mut line, b' ');
        let inode = number(word(&mut line, b' '), 10)?;
        let file = inodes.iter().position(|&known| known == inode);
        let object = match (inode, file) {
            (0, _) => Object::Anonymous,
            (_, Some(file)) => Object::File(u32::try_from(file).map_err(io::Error::other)?),
            (_, None) => Object::Shared(inode),
        };
        Ok(Row {
            start: range.start,
            end: range.end,
            prot: set.map(|(_, bit)| bit).sum(),
            shared: letters.contains(&b's'),
            object,
            offset,
        })
    }
}
