//! What is compared, and how it ended: plain data.

use std::fmt;
use std::str::FromStr;

/// How the kernel lays out a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// New mappings go to the highest gap that fits.
    Default,
    /// `ADDR_COMPAT_LAYOUT`: new mappings go to the lowest gap that fits.
    Legacy,
}

impl Layout {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Default, Self::Legacy];
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Legacy => "legacy",
        })
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL
            .into_iter()
            .find(|layout| layout.to_string() == text);
        named.ok_or_else(|| format!("`{text}` is not a layout"))
    }
}

/// How a comparison ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Everything agreed.
    Agreed(Report),
    /// The disagreement.
    Disagreed(String),
    /// It could not run here; why.
    Skipped(String),
}

/// What was compared, all of it in agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Calls made on both sides, each followed by a comparison of the listings.
    pub operations: u64,
    /// Addresses that the kernel chose.
    pub placements: u64,
    /// Calls that both refused, with the same error.
    pub refused: u64,
    /// Actions of the host, done on a copy of the pages.
    pub actions: u64,
    /// Listings in which two rows differ in nothing that the listing shows.
    pub split: u64,
    /// Calls that were not made: kernels before 6.17 or without some configuration answer
    /// otherwise, pages may be guards, or the process may lock nothing any more.
    pub left_out: u64,
}

impl Report {
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.placements += other.placements;
        self.refused += other.refused;
        self.actions += other.actions;
        self.split += other.split;
        self.left_out += other.left_out;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operations,
            placements,
            refused,
            actions,
            split,
            left_out,
        } = self;
        write!(f, "{operations} operations, {placements} placements, ")?;
        write!(f, "{refused} refusals, {actions} actions of the host; ")?;
        write!(
            f,
            "{split} listings with rows that look as if they were one, "
        )?;
        write!(f, "{left_out} calls left out")
    }
}
