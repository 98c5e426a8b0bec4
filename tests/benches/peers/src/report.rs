//! What was measured, as JSON to keep and as a table to read.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::columns::Column;
use crate::mode::Mode;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) mode: String,
    pub(crate) algorithm: String,
    pub(crate) seconds: f64,
    pub(crate) columns: Vec<Measured>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// Of each round, what the columns' turns were.
    pub(crate) rounds: Vec<Vec<Sample>>,
}

/// One turn.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) calls: usize,
    pub(crate) seconds: f64,
    /// The server's time on a processor.
    pub(crate) cpu_seconds: f64,
}

impl Sample {
    fn calls_per_second(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    fn cpu_per_call(&self) -> f64 {
        self.cpu_seconds / self.calls as f64
    }
}

impl Results {
    pub(crate) fn read(folder: &Path, mode: Mode) -> Result<Self, Box<dyn Error>> {
        let file = folder.join(format!("{mode}.json"));
        let text = fs::read_to_string(&file).map_err(|error| format!("{mode}: {error}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn write(&self, folder: &Path, mode: Mode) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{mode}.json")), serde_json::to_string_pretty(self)?)?;
        fs::write(folder.join(format!("{mode}.md")), self.table(mode)?)?;
        Ok(())
    }

    pub(crate) fn table(&self, mode: Mode) -> Result<String, Box<dyn Error>> {
        let mut table = format!(
            "{}: {}, {} rounds of {} s\n\n\
             | | calls/s | ÷ no auth: min / median / max | server CPU per call | ÷ no auth |\n\
             |---|--:|--:|--:|--:|\n",
            mode.title(),
            self.algorithm,
            self.columns.first().map_or(0, |column| column.rounds.len()),
            self.seconds,
        );
        let plain = self.column(Column::NoAuth)?;
        for column in &self.columns {
            let [min, median, max] = column.ratio(plain, Sample::calls_per_second);
            let [_, cpu_ratio, _] = column.ratio(plain, Sample::cpu_per_call);
            writeln!(
                table,
                "| {} | {:.0} | {min:.3} / {median:.3} / {max:.3} | {:.2} µs | {cpu_ratio:.3} |",
                column.name,
                column.spread(Sample::calls_per_second)[1],
                column.spread(Sample::cpu_per_call)[1] * 1e6,
            )?;
        }
        writeln!(table, "\n{}", self.verdict(mode)?)?;
        Ok(table)
    }

    fn verdict(&self, mode: Mode) -> Result<String, Box<dyn Error>> {
        let (reference, limit) = limit(mode);
        let (ours, theirs) = (self.column(Column::GrpcAuth)?, self.column(reference)?);
        let (plain, again) = (self.column(Column::NoAuth)?, self.column(Column::NoAuthAgain)?);
        let [_, median, _] = ours.ratio(theirs, Sample::calls_per_second);
        let [_, by_cpu, _] = theirs.ratio(ours, Sample::cpu_per_call);
        let [least, _, most] = again.ratio(plain, Sample::calls_per_second);
        let verdict = if self.holds(mode)? { "ok" } else { "UNDER" };
        Ok(format!(
            "calls/s of grpc-auth ÷ {reference}: {median:.3}, limit ≥ {limit}: {verdict}\n\
             (by CPU per call: {by_cpu:.3}; what should be 1 was {least:.3} to {most:.3})"
        ))
    }

    /// Whether calls a second are as many as they have to be.
    pub(crate) fn holds(&self, mode: Mode) -> Result<bool, Box<dyn Error>> {
        let (reference, limit) = limit(mode);
        let (ours, theirs) = (self.column(Column::GrpcAuth)?, self.column(reference)?);
        let [_, median, _] = ours.ratio(theirs, Sample::calls_per_second);
        Ok(median >= limit)
    }

    fn column(&self, column: Column) -> Result<&Measured, Box<dyn Error>> {
        let found = self.columns.iter().find(|measured| measured.name == column.to_string());
        found.ok_or_else(|| format!("no results of {column}").into())
    }
}

/// What calls a second of grpc-auth are compared with, and how many times as many they have to be.
fn limit(mode: Mode) -> (Column, f64) {
    match mode {
        Mode::OneToken => (Column::NoAuth, 0.97),
        Mode::TokensInTurn => (Column::NoAuth, 0.95),
        Mode::Streaming => (Column::NoAuth, 0.96),
        Mode::Distinct => (Column::Jsonwebtoken, 1.12),
    }
}

impl Measured {
    /// In its best round: what else runs on the machine only takes away.
    pub(crate) fn most_calls_per_second(&self) -> f64 {
        self.spread(Sample::calls_per_second)[2]
    }

    /// Of the rounds; a round's value is the median of its turns.
    fn spread(&self, of: impl Fn(&Sample) -> f64) -> [f64; 3] {
        spread(self.rounds.iter().map(|turns| spread(turns.iter().map(&of))[1]))
    }

    /// Of the rounds; a round's ratio is the median of those of neighbours in a turn.
    fn ratio(&self, to: &Self, of: impl Fn(&Sample) -> f64) -> [f64; 3] {
        spread(self.rounds.iter().zip(&to.rounds).map(|(turns, to)| {
            spread(turns.iter().zip(to).map(|(sample, to)| of(sample) / of(to)))[1]
        }))
    }
}

/// Minimum, median, maximum.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(0), at(values.len() / 2), at(values.len().saturating_sub(1))]
}
