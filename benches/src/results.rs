//! `results.csv`: how rows are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::measure::Row;

/// The columns, as in the first line that is no comment.
pub const COLUMNS: [&str; 8] = [
    "workload", "n", "subject", "unit", "min", "median", "rounds", "hash",
];

/// A results file that is being written, row by row.
#[derive(Debug)]
pub struct Results {
    writer: csv::Writer<File>,
}

impl Results {
    /// A new file that begins with these comments.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path, comments: &[String]) -> io::Result<Self> {
        let mut file = File::create(path)?;
        for comment in comments {
            writeln!(file, "# {comment}")?;
        }
        let mut writer = csv::WriterBuilder::new().from_writer(file);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer })
    }

    /// More rows for a file that is there.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn append(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        let writer = csv::WriterBuilder::new().from_writer(file);
        Ok(Self { writer })
    }

    /// Adds rows, at once.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn add(&mut self, rows: &[Row]) -> io::Result<()> {
        for row in rows {
            self.writer.write_record([
                row.workload.clone(),
                row.n.to_string(),
                row.subject.to_owned(),
                row.unit.to_owned(),
                format!("{:.3}", row.min),
                format!("{:.3}", row.median),
                row.rounds.to_string(),
                format!("{:016x}", row.hash),
            ])?;
        }
        self.writer.flush()
    }
}
