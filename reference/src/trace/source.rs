//! A trace file as numbered lines of words, and what is wrong with one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::SplitAsciiWhitespace;

use lzma_rust2::XzReader;

/// What is wrong with the files of a recording, and where.
#[derive(Debug)]
pub struct TraceError {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
}

impl TraceError {
    pub(super) fn new(path: &Path, line: impl Into<Option<usize>>, problem: String) -> Self {
        Self {
            path: path.to_path_buf(),
            line: line.into(),
            problem,
        }
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(path, None, format!("cannot be read: {error}"))
    }

    /// The number of the line, from 1; `None` if the file as a whole is wrong.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// `FILE:LINE: what is wrong`, in one line.
impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl std::error::Error for TraceError {}

/// The text of one file, decompressed if its name ends in `.xz`.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: String,
}

impl Source {
    /// Reads the whole file.
    pub(super) fn open(path: &Path) -> Result<Self, TraceError> {
        let mut file = File::open(path).map_err(|error| TraceError::io(path, &error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| TraceError::io(path, &error))?;
        if path.extension().is_some_and(|extension| extension == "xz") {
            let mut plain = Vec::new();
            let mut reader = XzReader::new(bytes.as_slice(), true);
            reader.read_to_end(&mut plain).map_err(|error| {
                TraceError::new(path, None, format!("cannot be decompressed: {error}"))
            })?;
            bytes = plain;
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
            TraceError::new(path, line, "is not text".to_owned())
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            text,
        })
    }

    /// Text that is in no file, for tests.
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self {
            path: PathBuf::from("test"),
            text: text.to_owned(),
        }
    }

    /// Calls `read` with every line and its number; a problem it returns is
    /// located there.
    pub(super) fn each_line<'a>(
        &'a self,
        mut read: impl FnMut(usize, &'a str) -> Result<(), String>,
    ) -> Result<(), TraceError> {
        for (index, line) in self.text.lines().enumerate() {
            let number = index + 1;
            read(number, line).map_err(|problem| TraceError::new(&self.path, number, problem))?;
        }
        Ok(())
    }

    /// A problem of the file's end, such as something that is not there.
    pub(super) fn at_end(&self, problem: String) -> TraceError {
        TraceError::new(&self.path, self.text.lines().count(), problem)
    }
}

/// The words of a line, taken from the left; errors say which word is wrong.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    words: SplitAsciiWhitespace<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self {
            words: line.split_ascii_whitespace(),
        }
    }

    /// The next word, or `None` at the end of the line.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.words.next()
    }

    /// The next word; `what` names it where the line ends before it.
    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.next()
            .ok_or_else(|| format!("the line ends where {what} should follow"))
    }

    /// The next word as a hexadecimal number.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, String> {
        hex(self.word(what)?, what)
    }

    /// The next word as a hexadecimal number of at most 32 bits.
    pub(super) fn small(&mut self, what: &str) -> Result<u32, String> {
        let word = self.word(what)?;
        u32::try_from(hex(word, what)?).map_err(|_| format!("{what} `{word}` is above ffffffff"))
    }

    /// The next word as a hexadecimal count.
    pub(super) fn count(&mut self, what: &str) -> Result<usize, String> {
        let word = self.word(what)?;
        usize::try_from(hex(word, what)?).map_err(|_| format!("{what} `{word}` is too large"))
    }

    /// The next word as a file's number, or `None` for `-`.
    pub(super) fn file(&mut self) -> Result<Option<u32>, String> {
        let mut ahead = self.clone();
        if ahead.next() == Some("-") {
            *self = ahead;
            return Ok(None);
        }
        let file = self.small("file")?;
        if file >= FILE_LIMIT {
            return Err(format!("file `{file:x}` is above {:x}", FILE_LIMIT - 1));
        }
        Ok(Some(file))
    }

    /// All words that are left, with single spaces.
    pub(super) fn rest(self) -> String {
        self.words.collect::<Vec<_>>().join(" ")
    }

    /// The next word must be this one.
    pub(super) fn exactly(&mut self, expected: &str) -> Result<(), String> {
        let word = self.word(&format!("`{expected}`"))?;
        if word == expected {
            Ok(())
        } else {
            Err(format!("`{word}` stands where `{expected}` should"))
        }
    }

    /// No word must be left.
    pub(super) fn end(mut self) -> Result<(), String> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(format!("`{word}` follows where the line should end")),
        }
    }
}

/// One above the largest file number: replaying numbers shared anonymous
/// objects from here on.
pub(super) const FILE_LIMIT: u32 = 1 << 30;

/// A number as traces write it: lower-case hexadecimal without prefix.
pub(super) fn hex(word: &str, what: &str) -> Result<u64, String> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if word.is_empty() || !word.bytes().all(digit) {
        return Err(format!(
            "{what} `{word}` is not a lower-case hexadecimal number"
        ));
    }
    u64::from_str_radix(word, 16).map_err(|_| format!("{what} `{word}` does not fit in 64 bits"))
}

/// The line before its comment, and the comment.
pub(super) fn split_comment(line: &str) -> (&str, &str) {
    line.split_once('#').unwrap_or((line, ""))
}
