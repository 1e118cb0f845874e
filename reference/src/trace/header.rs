//! The `.trace` file: header, mappings at the start, operations.

use super::op::Op;
use super::source::{Source, TraceError, Words, split_comment};

/// The page size of every trace, in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// A mapping that was there before the first operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Init {
    /// First address.
    pub start: u64,
    /// One past the last address.
    pub end: u64,
    /// Protection bits.
    pub prot: u32,
    /// `MAP_*` bits.
    pub flags: u32,
    /// Number of the file, `None` for anonymous memory.
    pub file: Option<u32>,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Whether it is the stack of the first thread.
    pub stack: bool,
    /// Whether the kernel put it there for its own purposes and listings of it
    /// are to be passed over: the stack, vvar or vdso.
    pub special: bool,
    /// The line of the trace file, from 1.
    pub line: usize,
}

/// A `.trace` file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// How many operations the header announces.
    pub announced: usize,
    /// Where the break starts and where it is before the first operation.
    pub brk: Option<(u64, u64)>,
    /// The mappings at the start.
    pub init: Vec<Init>,
    /// The operations in order.
    pub ops: Vec<Op>,
}

/// Whether a listing shows this name for memory that is the kernel's own.
pub(super) fn is_special(name: &str) -> bool {
    matches!(name, "[stack]" | "[vdso]" | "[vsyscall]" | "[uprobes]") || name.starts_with("[vvar")
}

impl Trace {
    pub(super) fn parse(source: &Source) -> Result<Self, TraceError> {
        let (mut announced, mut page_size) = (None, None);
        let mut trace = Self {
            announced: 0,
            brk: None,
            init: Vec::new(),
            ops: Vec::new(),
        };
        source.each_line(|number, line| {
            let (body, comment) = split_comment(line);
            let mut words = Words::of(body);
            match words.clone().next() {
                None => {
                    let mut words = Words::of(comment);
                    match words.next() {
                        Some("page") => page_size = Some(parse_page(words)?),
                        Some("ops") => announced = Some(words.count("number of operations")?),
                        Some("brk") => {
                            let start = words.number("start of the break")?;
                            trace.brk = Some((start, words.number("current break")?));
                        }
                        _ => {}
                    }
                }
                Some("init") => {
                    words.exactly("init")?;
                    if let Some(op) = trace.ops.first() {
                        return Err(format!(
                            "`init` follows the first operation, in line {}",
                            op.line
                        ));
                    }
                    trace.init.push(Init::parse(words, comment, number)?);
                }
                Some(_) => trace.ops.push(Op::parse(line, number)?),
            }
            Ok(())
        })?;
        let missing = |what: &str| source.at_end(format!("has no `{what}` line in its header"));
        page_size.ok_or_else(|| missing("# page"))?;
        trace.announced = announced.ok_or_else(|| missing("# ops"))?;
        Ok(trace)
    }
}

/// The page size, which must be the one that replaying knows.
fn parse_page(mut words: Words<'_>) -> Result<u64, String> {
    let size = words.number("page size")?;
    if size == PAGE_SIZE {
        Ok(size)
    } else {
        Err(format!(
            "page size `{size:x}` is not supported, only {PAGE_SIZE:x}"
        ))
    }
}

impl Init {
    fn parse(mut words: Words<'_>, comment: &str, line: usize) -> Result<Self, String> {
        let (start, end) = parse_range(&mut words)?;
        let (prot, flags) = (words.small("protection")?, words.small("flags")?);
        let (file, offset) = (words.file()?, words.number("offset")?);
        words.end()?;
        let mut names = comment.split_ascii_whitespace();
        let stack = names.clone().any(|name| name == "[stack]");
        let special = names.any(is_special);
        Ok(Self {
            start,
            end,
            prot,
            flags,
            file,
            offset,
            stack,
            special,
            line,
        })
    }
}

/// Start and end of a range of whole pages.
pub(super) fn parse_range(words: &mut Words<'_>) -> Result<(u64, u64), String> {
    let (start, end) = (words.number("start")?, words.number("end")?);
    if start >= end {
        return Err(format!("range {start:x} {end:x} is empty"));
    }
    if start % PAGE_SIZE != 0 || end % PAGE_SIZE != 0 {
        return Err(format!(
            "range {start:x} {end:x} is not made of whole pages"
        ));
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::{Source, Trace};

    const GOOD: &str = "# page 1000\n# ops 1\n# brk 5000 6000\n# file 0 x\n\
        init 1000 2000 1 2 0 800000 # vm=ac\ninit 3000 4000 3 122 - 0 # [stack]\nbrk 0 = 6000\n";

    #[test]
    fn header_mappings_and_operations_are_read() {
        let trace = Trace::parse(&Source::of(GOOD)).unwrap();
        assert_eq!((trace.announced, trace.brk), (1, Some((0x5000, 0x6000))));
        let [program, stack] = trace.init[..] else {
            panic!("{:?}", trace.init)
        };
        assert_eq!(
            (program.file, program.offset, program.special),
            (Some(0), 0x80_0000, false)
        );
        assert_eq!((stack.file, stack.stack, stack.special), (None, true, true));
        assert_eq!((trace.ops.len(), trace.ops[0].line), (1, 7));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        for (from, to, problem) in [
            (
                "# page 1000\n",
                "",
                "test:6: has no `# page` line in its header",
            ),
            ("# ops 1\n", "", "test:6: has no `# ops` line in its header"),
            (
                "# page 1000",
                "# page 4000",
                "test:1: page size `4000` is not supported, only 1000",
            ),
            (
                "# ops 1",
                "# ops",
                "test:2: the line ends where number of operations should follow",
            ),
            (
                "# brk 5000 6000",
                "# brk 5000",
                "test:3: the line ends where current break should follow",
            ),
            (
                "1000 2000 1",
                "1000 1000 1",
                "test:5: range 1000 1000 is empty",
            ),
            (
                "1000 2000 1",
                "1000 2001 1",
                "test:5: range 1000 2001 is not made of whole pages",
            ),
            (
                " 122 - 0",
                " 122 -",
                "test:6: the line ends where offset should follow",
            ),
            (
                " 122 - 0",
                " 122 - 0 1",
                "test:6: `1` follows where the line should end",
            ),
            (
                "brk 0 = 6000",
                "brk 0 =",
                "test:7: the line ends where the result should follow",
            ),
            (
                "init 3000",
                "brk 0 = 1\ninit 3000",
                "test:7: `init` follows the first operation, in line 6",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let error = Trace::parse(&Source::of(&text)).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
    }
}
