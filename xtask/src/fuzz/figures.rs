//! What libFuzzer and a target say of themselves, as figures.

use std::fmt;
use std::time::Duration;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Inputs that were run.
    inputs: u64,
    /// Operations that were compared, each engine counted.
    pub(crate) operations: u64,
    /// Wall-clock time.
    time: Duration,
    /// Edges of the control-flow graph that were reached.
    edges: u64,
    /// Inputs kept because each reached something new.
    corpus: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inputs,
            operations,
            time,
            edges,
            corpus,
        } = self;
        let seconds = time.as_secs_f64();
        let rate = (*operations as f64 / seconds.max(0.001)).round();
        write!(
            f,
            "{operations:>10} operations of {inputs:>8} inputs in {seconds:>4.0} s, "
        )?;
        write!(
            f,
            "{rate:>7} operations a second, {edges:>5} edges, {corpus:>5} inputs in the corpus"
        )
    }
}

/// What one process has said last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) operations: u64,
    inputs: u64,
    edges: u64,
    corpus: u64,
}

impl Line {
    /// Reads a line such as `#4096 pulse cov: 71 ft: 93 corp: 9/20b ...`; says
    /// whether it is one.
    pub(super) fn read(&mut self, line: &str) -> bool {
        self.parse(line).is_some()
    }

    fn parse(&mut self, line: &str) -> Option<()> {
        let mut words = line.strip_prefix('#')?.split_ascii_whitespace();
        self.inputs = words.next()?.parse().ok()?;
        while let Some(word) = words.next() {
            match word {
                "cov:" => self.edges = words.next()?.parse().ok()?,
                "corp:" => self.corpus = words.next()?.split('/').next()?.parse().ok()?,
                _ => {}
            }
        }
        Some(())
    }
}

/// Inputs and operations add up; coverage is that of the process that has most.
pub(super) fn sum(lines: &[Line], time: Duration) -> Figures {
    let total = |of: fn(&Line) -> u64| lines.iter().map(of).sum();
    let most = |of: fn(&Line) -> u64| lines.iter().map(of).max().unwrap_or(0);
    Figures {
        inputs: total(|line| line.inputs),
        operations: total(|line| line.operations),
        time,
        edges: most(|line| line.edges),
        corpus: most(|line| line.corpus),
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn figures_are_read_from_lines_of_libfuzzer() {
        let text = "#4096\tpulse  cov: 712 ft: 3093 corp: 91/20Kb lim: 63 exec/s: 512 rss: 52Mb";
        let mut line = Line::default();
        assert!(line.read(text));
        assert_eq!((line.inputs, line.edges, line.corpus), (4096, 712, 91));
        assert!(!line.read("INFO: Seed: 5"));
    }
}
