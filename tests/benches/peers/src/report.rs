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
    /// One a round.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) calls_per_second: f64,
    pub(crate) cpu_microseconds: f64,
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

    /// Ratios compare the neighbours of one round.
    pub(crate) fn table(&self, mode: Mode) -> Result<String, Box<dyn Error>> {
        let mut table = format!(
            "{}: {}, {} rounds of {} s\n\n\
             | | calls/s | ÷ no auth: min / median / max | server CPU per call | ÷ no auth |\n\
             |---|--:|--:|--:|--:|\n",
            mode.title(),
            self.algorithm,
            self.columns.first().map_or(0, |column| column.samples.len()),
            self.seconds,
        );
        let plain = self.samples(Column::NoAuth)?;
        for column in &self.columns {
            let calls = |sample: &Sample| sample.calls_per_second;
            let cpu = |sample: &Sample| sample.cpu_microseconds;
            let [min, median, max] = ratio(&column.samples, plain, calls);
            let [_, cpu_ratio, _] = ratio(&column.samples, plain, cpu);
            writeln!(
                table,
                "| {} | {:.0} | {min:.3} / {median:.3} / {max:.3} | {:.2} µs | {cpu_ratio:.3} |",
                column.name,
                spread(column.samples.iter().map(calls))[1],
                spread(column.samples.iter().map(cpu))[1],
            )?;
        }
        writeln!(table, "\n{}", self.verdict(mode)?)?;
        Ok(table)
    }

    fn verdict(&self, mode: Mode) -> Result<String, Box<dyn Error>> {
        let (reference, limit) = match mode {
            Mode::OneToken => (Column::NoAuth, 0.97),
            Mode::TokensInTurn => (Column::NoAuth, 0.95),
            Mode::Streaming => (Column::NoAuth, 0.96),
            Mode::Distinct => (Column::Jsonwebtoken, 1.12),
        };
        let (ours, theirs) = (self.samples(Column::GrpcAuth)?, self.samples(reference)?);
        let (plain, again) = (self.samples(Column::NoAuth)?, self.samples(Column::NoAuthAgain)?);
        let calls = |sample: &Sample| sample.calls_per_second;
        let [_, median, _] = ratio(ours, theirs, calls);
        let [_, by_cpu, _] = ratio(theirs, ours, |sample| sample.cpu_microseconds);
        let [least, _, most] = ratio(again, plain, calls);
        let verdict = if median >= limit { "ok" } else { "UNDER" };
        Ok(format!(
            "calls/s of grpc-auth ÷ {reference}: {median:.3}, limit ≥ {limit}: {verdict}\n\
             (by CPU per call: {by_cpu:.3}; what should be 1 was {least:.3} to {most:.3})"
        ))
    }

    fn samples(&self, column: Column) -> Result<&[Sample], Box<dyn Error>> {
        let found = self.columns.iter().find(|measured| measured.name == column.to_string());
        Ok(&found.ok_or_else(|| format!("no results of {column}"))?.samples)
    }
}

impl Measured {
    /// In its best round: what else runs on the machine only takes away.
    pub(crate) fn most_calls_per_second(&self) -> f64 {
        spread(self.samples.iter().map(|sample| sample.calls_per_second))[2]
    }
}

fn ratio(samples: &[Sample], to: &[Sample], of: impl Fn(&Sample) -> f64) -> [f64; 3] {
    spread(samples.iter().zip(to).map(|(sample, to)| of(sample) / of(to)))
}

/// Minimum, median, maximum.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(0), at(values.len() / 2), at(values.len().saturating_sub(1))]
}
