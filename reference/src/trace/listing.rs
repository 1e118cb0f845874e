//! The kernel's own listings, and how one is compared with ours.

use std::collections::HashMap;
use std::fmt;

use super::header::{is_special, parse_range};
use super::source::{Source, TraceError, Words, hex, split_comment};

/// What a row maps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Object {
    /// Private memory without a file.
    Anonymous,
    /// The file with this number.
    File(u32),
    /// A shared object without a file. Each side has its own numbers.
    Shared(u64),
}

/// A run of pages as `/proc/PID/maps` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Protection, of the bits 1, 2 and 4.
    pub prot: u32,
    /// Whether writes are seen by others.
    pub shared: bool,
    /// What is mapped.
    pub object: Object,
    /// Offset in it, in bytes; zero for anonymous memory.
    pub offset: u64,
}

impl Row {
    /// `None` for a row that is to be passed over.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut words = Words::of(line);
        let (start, end) = parse_range(&mut words)?;
        let (prot, shared) = parse_perms(words.word("permissions")?)?;
        let offset = words.number("offset")?;
        let object = match words.clone().next().and_then(|word| word.strip_prefix('s')) {
            Some(inode) => {
                words.word("file")?;
                Object::Shared(hex(inode, "inode")?)
            }
            None => words.file()?.map_or(Object::Anonymous, Object::File),
        };
        while let Some(name) = words.next() {
            if is_special(name) {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            start,
            end,
            prot,
            shared,
            object,
            offset,
        }))
    }

    /// Whether one row could show both.
    fn joins(&self, next: &Self) -> bool {
        let same = (self.prot, self.shared, self.object) == (next.prot, next.shared, next.object);
        let len = self.end - self.start;
        let contiguous = self.object == Object::Anonymous
            || self
                .offset
                .checked_add(len)
                .is_some_and(|offset| offset == next.offset);
        self.end == next.start && same && contiguous
    }
}

fn parse_perms(word: &str) -> Result<(u32, bool), String> {
    let bad = || format!("permissions `{word}` are not of the form rwxp");
    let letters: [u8; 4] = word.as_bytes().try_into().map_err(|_| bad())?;
    let mut prot = 0;
    for (bit, letter) in [(1, b'r'), (2, b'w'), (4, b'x')].into_iter().zip(letters) {
        match bit {
            (bit, set) if letter == set => prot |= bit,
            _ if letter == b'-' => {}
            _ => return Err(bad()),
        }
    }
    match letters[3] {
        b's' => Ok((prot, true)),
        b'p' => Ok((prot, false)),
        _ => Err(bad()),
    }
}

/// A row as the trace's listings write it.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bit = |bit, letter| if self.prot & bit != 0 { letter } else { '-' };
        let (read, write, exec) = (bit(1, 'r'), bit(2, 'w'), bit(4, 'x'));
        let shared = if self.shared { 's' } else { 'p' };
        write!(
            f,
            "{:012x} {:012x} {read}{write}{exec}{shared}",
            self.start, self.end
        )?;
        write!(f, " {:x} ", self.offset)?;
        match self.object {
            Object::Anonymous => f.write_str("-"),
            Object::File(file) => write!(f, "{file:x}"),
            Object::Shared(object) => write!(f, "s{object:x}"),
        }
    }
}

/// Joins adjacent rows that could be one. How finely the kernel splits memory
/// depends on more than system calls show.
pub fn coalesce(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let mut joined: Vec<Row> = Vec::new();
    for row in rows {
        match joined.last_mut() {
            Some(last) if last.joins(&row) => last.end = row.end,
            _ => joined.push(row),
        }
    }
    joined
}

/// What the kernel showed after a number of operations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// How many operations were complete.
    pub after: usize,
    /// The rest of its heading, such as `ckpt` or `final exit_group`.
    pub kind: String,
    /// The line of its heading, from 1.
    pub line: usize,
    /// Its rows, coalesced, without those to be passed over.
    pub rows: Vec<Row>,
    /// The same as the kernel has them.
    raw: Vec<Row>,
}

impl Listing {
    /// All listings of a `.maps` or `.ckpt.maps` file.
    pub(super) fn parse_all(source: &Source) -> Result<Vec<Self>, TraceError> {
        let mut listings: Vec<Self> = Vec::new();
        source.each_line(|number, line| {
            let mut words = Words::of(split_comment(line).0);
            match words.clone().next() {
                None => {}
                Some("state") => {
                    words.exactly("state")?;
                    let after = words.count("number of operations")?;
                    let kind = words.rest();
                    listings.push(Self {
                        after,
                        kind,
                        line: number,
                        rows: Vec::new(),
                        raw: Vec::new(),
                    });
                }
                Some(_) => {
                    let listing = listings
                        .last_mut()
                        .ok_or("a row precedes the first `state`")?;
                    if let Some(row) = Row::parse(line)? {
                        if listing.raw.last().is_some_and(|last| row.start < last.end) {
                            return Err("the row does not lie above the one before it".to_owned());
                        }
                        listing.raw.push(row);
                    }
                }
            }
            Ok(())
        })?;
        for listing in &mut listings {
            listing.rows = coalesce(listing.raw.iter().copied());
        }
        Ok(listings)
    }

    /// Whether `ours` begin and end where the kernel's rows do, none of them coalesced.
    #[must_use]
    pub fn is_exact(&self, ours: &[Row]) -> bool {
        let ours = ours.iter().map(|row| (row.start, row.end));
        ours.eq(self.raw.iter().map(|row| (row.start, row.end)))
    }

    /// The first row in which `ours`, coalesced, differs from the kernel's, or
    /// `None` if every page has the same protection, sharing, file and offset.
    /// Shared objects without a file correspond one to one.
    #[must_use]
    pub fn difference(&self, ours: &[Row]) -> Option<Difference> {
        let (mut to_kernel, mut to_ours) = (HashMap::new(), HashMap::new());
        let mut same = |ours: &Row, kernel: &Row| match (ours.object, kernel.object) {
            (Object::Shared(a), Object::Shared(b)) => {
                let paired = *to_kernel.entry(a).or_insert(b) == b;
                paired && *to_ours.entry(b).or_insert(a) == a && {
                    *ours
                        == Row {
                            object: ours.object,
                            ..*kernel
                        }
                }
            }
            _ => ours == kernel,
        };
        let common = ours
            .iter()
            .zip(&self.rows)
            .take_while(|(a, b)| same(a, b))
            .count();
        if common == ours.len() && common == self.rows.len() {
            return None;
        }
        let window = |rows: &[Row]| rows.iter().skip(common).take(SHOWN).copied().collect();
        Some(Difference {
            before: common.checked_sub(1).map(|last| self.rows[last]),
            expected: window(&self.rows),
            got: window(ours),
        })
    }
}

/// How many rows of each side a difference shows.
const SHOWN: usize = 3;

/// Where two listings part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The last row that is the same.
    before: Option<Row>,
    /// What follows it on the kernel's side, a few rows.
    expected: Vec<Row>,
    /// What follows it on ours, a few rows.
    got: Vec<Row>,
}

/// A line a row: the last one that is the same, expected ones, ours.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |rows: &[Row], name: &str, f: &mut fmt::Formatter<'_>| {
            if rows.is_empty() {
                return write!(f, "\n  {name} no more rows");
            }
            rows.iter()
                .try_for_each(|row| write!(f, "\n  {name} {row}"))
        };
        f.write_str("the listings differ (start, end, permissions, offset, file):")?;
        if let Some(row) = self.before {
            write!(f, "\n  both     {row}")?;
        }
        side(&self.expected, "expected", f)?;
        side(&self.got, "got     ", f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Listing, Object, Row, Source};

    const GOOD: &str = "# a comment\nstate a final exit_group\n\
        1000 2000 r--p 0 0 prog vm=ac\n2000 3000 r--p 1000 0 prog\n3000 5000 rw-p 0 - [heap] vm=ac\n\
        5000 6000 rw-s 0 s1f zero\n7000 8000 rw-p 0 - [stack]\nstate b ckpt\n";

    fn listing() -> Listing {
        Listing::parse_all(&Source::of(GOOD))
            .unwrap()
            .swap_remove(0)
    }

    #[test]
    fn rows_are_read_coalesced_and_filtered() {
        let listings = Listing::parse_all(&Source::of(GOOD)).unwrap();
        let shape: Vec<_> = listings
            .iter()
            .map(|l| (l.after, l.kind.as_str(), l.line))
            .collect();
        assert_eq!(shape, [(10, "final exit_group", 2), (11, "ckpt", 8)]);
        let rows: Vec<String> = listings[0].rows.iter().map(Row::to_string).collect();
        assert_eq!(
            rows,
            [
                "000000001000 000000003000 r--p 0 0",
                "000000003000 000000005000 rw-p 0 -",
                "000000005000 000000006000 rw-s 0 s1f",
            ]
        );
    }

    #[test]
    fn shared_objects_are_compared_by_bijection() {
        let mut listing = listing();
        let mut ours = listing.rows.clone();
        ours[2].object = Object::Shared(7);
        assert_eq!(listing.difference(&ours), None);
        let next = |row: Row, object| Row {
            start: row.end + 0x1000,
            end: row.end + 0x2000,
            object: Object::Shared(object),
            ..row
        };
        let (kernel_row, our_row) = (listing.rows[2], ours[2]);
        listing.rows.push(next(kernel_row, 0x1f));
        for (object, same) in [(7, true), (8, false)] {
            let mut ours = ours.clone();
            ours.push(next(our_row, object));
            assert_eq!(listing.difference(&ours).is_none(), same);
        }
        *listing.rows.last_mut().unwrap() = next(kernel_row, 0x20);
        ours.push(next(our_row, 7));
        assert!(listing.difference(&ours).is_some());
    }

    #[test]
    fn every_column_and_every_missing_row_is_a_difference() {
        let listing = listing();
        let changes: [fn(&mut Row); 6] = [
            |row| row.start += 0x1000,
            |row| row.end -= 0x1000,
            |row| row.prot ^= 4,
            |row| row.shared ^= true,
            |row| row.offset += 0x1000,
            |row| row.object = Object::File(9),
        ];
        for index in 0..listing.rows.len() {
            for change in changes {
                let mut ours = listing.rows.clone();
                change(&mut ours[index]);
                assert!(listing.difference(&ours).is_some(), "{}", ours[index]);
            }
            let mut ours = listing.rows.clone();
            ours.remove(index);
            assert!(listing.difference(&ours).is_some());
        }
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let mut ours = listing().rows;
        ours[1].prot = 1;
        ours.truncate(2);
        let text = listing().difference(&ours).unwrap().to_string();
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "  both     000000001000 000000003000 r--p 0 0",
                "  expected 000000003000 000000005000 rw-p 0 -",
                "  expected 000000005000 000000006000 rw-s 0 s1f",
                "  got      000000003000 000000005000 r--p 0 -",
            ]
        );
    }

    #[test]
    fn a_bad_listing_is_named_with_its_line() {
        for (from, to, problem) in [
            (
                "state a",
                "states a",
                "test:2: a row precedes the first `state`",
            ),
            (
                "state a",
                "state",
                "test:2: number of operations `final` is not a lower-case hexadecimal number",
            ),
            (
                "r--p 0 0",
                "r--q 0 0",
                "test:3: permissions `r--q` are not of the form rwxp",
            ),
            (
                "r--p 0 0",
                "rr-p 0 0",
                "test:3: permissions `rr-p` are not of the form rwxp",
            ),
            (
                "r--p 0 0",
                "r--ps 0 0",
                "test:3: permissions `r--ps` are not of the form rwxp",
            ),
            (
                "2000 3000",
                "1000 3000",
                "test:4: the row does not lie above the one before it",
            ),
            (
                "s1f",
                "sx",
                "test:6: inode `x` is not a lower-case hexadecimal number",
            ),
            (
                "rw-p 0 - [heap]",
                "rw-p 0",
                "test:5: the line ends where file should follow",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1).replace("vm=ac\n5000", "\n5000");
            let text = if to.ends_with("p 0") {
                text.replacen("rw-p 0 vm=ac", "rw-p 0", 1)
            } else {
                text
            };
            let error = Listing::parse_all(&Source::of(&text)).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
    }
}
