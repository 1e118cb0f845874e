//! The table: one row an oracle.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

/// How a check ended.
pub(super) enum Ended {
    Agreed,
    Disagreed,
    Skipped(String),
}

/// A row of the table.
pub(super) struct Row {
    pub(super) check: String,
    /// What was done and compared.
    pub(super) operations: Option<u64>,
    pub(super) placements: Option<u64>,
    pub(super) states: Option<u64>,
    pub(super) ended: Ended,
    pub(super) time: Duration,
}

const HEADER: [&str; 7] = [
    "oracle",
    "operations",
    "placements",
    "states",
    "disagreements",
    "skipped",
    "s",
];

impl Row {
    pub(super) fn new(check: impl Into<String>, ended: Ended) -> Self {
        Self {
            check: check.into(),
            operations: None,
            placements: None,
            states: None,
            ended,
            time: Duration::ZERO,
        }
    }

    pub(super) fn agreed(check: impl Into<String>, operations: u64) -> Self {
        Self {
            operations: Some(operations),
            ..Self::new(check, Ended::Agreed)
        }
    }

    pub(super) fn skipped(check: impl Into<String>, reason: impl ToString) -> Self {
        Self::new(check, Ended::Skipped(reason.to_string()))
    }

    pub(super) fn disagrees(&self) -> bool {
        matches!(self.ended, Ended::Disagreed)
    }

    fn cells(&self) -> [String; 7] {
        let (disagreements, skipped) = match &self.ended {
            Ended::Agreed => ("0", "-".to_owned()),
            Ended::Disagreed => ("YES, see above", "-".to_owned()),
            Ended::Skipped(reason) => ("-", reason.clone()),
        };
        [
            self.check.clone(),
            grouped(self.operations),
            grouped(self.placements),
            grouped(self.states),
            disagreements.to_owned(),
            skipped,
            self.time.as_secs().to_string(),
        ]
    }

    /// The row on one line, for while others still run.
    pub(super) fn line(&self) -> String {
        let named = |(name, cell): (&str, &String)| match cell.as_str() {
            "-" => None,
            cell => Some(format!("{name} {cell}")),
        };
        let cells = self.cells();
        let rest: Vec<String> = HEADER
            .into_iter()
            .zip(&cells)
            .skip(1)
            .filter_map(named)
            .collect();
        format!("{}: {}", self.check, rest.join(", "))
    }
}

/// A number with its thousands apart.
fn grouped(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| HumanCount(number).to_string())
}

/// All rows in Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
    for column in [1, 2, 3, 4, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row.cells());
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Row, grouped, table};

    #[test]
    fn thousands_are_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345_678, "12,345,678"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(Some(number)), text);
        }
        assert_eq!(grouped(None), "-");
    }

    #[test]
    fn a_skipped_check_is_never_shown_as_one_that_agreed() {
        let row = Row::skipped("the kernel", "no personality");
        assert!(!row.disagrees());
        assert_eq!(row.line(), "the kernel: skipped no personality, s 0");
        let text = table(&[row, Row::agreed("another", 1234)]);
        assert!(text.contains("| no personality |"), "{text}");
        assert!(text.contains("1,234"), "{text}");
    }
}
