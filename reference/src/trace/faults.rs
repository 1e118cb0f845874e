//! Page faults of a recorded program: the look-ups of a trace.

use super::source::{Source, TraceError, Words, split_comment};

/// What the program tried to do with the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read it.
    Read,
    /// Write to it.
    Write,
    /// Run code at it.
    Exec,
}

impl Access {
    /// Whether protection `prot` lets it through, as x86-64 does: whatever
    /// can be written or run can also be read.
    #[must_use]
    pub fn allowed_by(self, prot: u32) -> bool {
        let any_of = match self {
            Self::Read => 1 | 2 | 4,
            Self::Write => 2,
            Self::Exec => 4,
        };
        prot & any_of != 0
    }
}

/// A page fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// How many operations were complete.
    pub after: usize,
    /// The address, of any alignment.
    pub addr: u64,
    /// What was tried.
    pub access: Access,
    /// The line of the file, from 1.
    pub line: usize,
}

impl Fault {
    /// All faults of a `.faults` file.
    pub(super) fn parse_all(source: &Source) -> Result<Vec<Self>, TraceError> {
        let mut faults: Vec<Self> = Vec::new();
        source.each_line(|line, text| {
            let mut words = Words::of(split_comment(text).0);
            if words.clone().next().is_none() {
                return Ok(());
            }
            let after = words.count("number of operations")?;
            let addr = words.number("address")?;
            let access = match words.word("access")? {
                "r" => Access::Read,
                "w" => Access::Write,
                "x" => Access::Exec,
                other => return Err(format!("access `{other}` is not r, w or x")),
            };
            words.end()?;
            if faults.last().is_some_and(|last| after < last.after) {
                return Err(format!(
                    "the fault after {after:x} operations follows a later one"
                ));
            }
            faults.push(Self {
                after,
                addr,
                access,
                line,
            });
            Ok(())
        })?;
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Fault, Source};

    #[test]
    fn faults_are_read_in_order() {
        let source = Source::of("# comment\n0 7fa79695cb70 x\na 10 r\n\na 11 w\n");
        let faults = Fault::parse_all(&source).unwrap();
        let fault = |after, addr, access, line| Fault {
            after,
            addr,
            access,
            line,
        };
        assert_eq!(
            faults,
            [
                fault(0, 0x7fa7_9695_cb70, Access::Exec, 2),
                fault(10, 0x10, Access::Read, 3),
                fault(10, 0x11, Access::Write, 5),
            ]
        );
    }

    #[test]
    fn access_needs_its_bit_and_reading_any() {
        let allowed = |access: Access| {
            (0..8)
                .filter(|&prot| access.allowed_by(prot))
                .collect::<Vec<u32>>()
        };
        assert_eq!(allowed(Access::Read), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(allowed(Access::Write), [2, 3, 6, 7]);
        assert_eq!(allowed(Access::Exec), [4, 5, 6, 7]);
    }

    #[test]
    fn a_bad_fault_is_named_with_its_line() {
        for (text, problem) in [
            (
                "0 10 r\n0 10",
                "test:2: the line ends where access should follow",
            ),
            ("0 10 q", "test:1: access `q` is not r, w or x"),
            ("0 10 r r", "test:1: `r` follows where the line should end"),
            (
                "g 10 r",
                "test:1: number of operations `g` is not a lower-case hexadecimal number",
            ),
            (
                "2 10 r\n1 10 r",
                "test:2: the fault after 1 operations follows a later one",
            ),
        ] {
            assert_eq!(
                Fault::parse_all(&Source::of(text)).unwrap_err().to_string(),
                problem
            );
        }
    }
}
