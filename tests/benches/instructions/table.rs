//! Counts and their limits, a line each as soon as it is known.

use std::process::ExitCode;

#[derive(Debug, Default)]
pub(crate) struct Table {
    has_head: bool,
    is_over: bool,
}

impl Table {
    /// How many times as much.
    pub(crate) fn ratio(&mut self, what: &str, reference: f64, ours: f64, limit: f64) {
        let ratio = ours / reference;
        let columns = [format!("{ratio:.4} ×"), format!("{limit} ×")];
        self.line(what, reference, ours, columns, ratio > limit);
    }

    /// How much more.
    pub(crate) fn difference(&mut self, what: &str, reference: f64, ours: f64, limit: f64) {
        let more = ours - reference;
        let columns = [format!("+ {}", grouped(more)), format!("+ {}", grouped(limit))];
        self.line(what, reference, ours, columns, more > limit + 0.005);
    }

    pub(crate) fn note(&self, text: &str) {
        println!("  {text}");
    }

    /// A failure when any limit was exceeded.
    pub(crate) fn verdict(&self) -> ExitCode {
        if self.is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn line(
        &mut self,
        what: &str,
        reference: f64,
        ours: f64,
        [measured, limit]: [String; 2],
        is_over: bool,
    ) {
        if !self.has_head {
            let head = ["reference", "grpc-auth", "measured", "limit"];
            println!("{:46}{:>12}{:>12}{:>12}{:>11}", "", head[0], head[1], head[2], head[3]);
            self.has_head = true;
        }
        self.is_over |= is_over;
        let verdict = if is_over { "OVER" } else { "ok" };
        let (reference, ours) = (grouped(reference), grouped(ours));
        println!("{what:46}{reference:>12}{ours:>12}{measured:>12}{limit:>11}  {verdict}");
    }
}

/// 298,250, or 12.03 where a hundredth matters.
fn grouped(number: f64) -> String {
    if number < 100.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
