//! The table that the examples print.

use grpc_auth::policy::ServicePolicy;
use tonic::transport::Channel;

use crate::trial::{Caller, METHODS, Outcome};

const HEADER: [&str; 6] = ["METHOD", "CALLER", "RULE", "VERDICT", "STATUS", "REASON"];

/// Calls every method as every caller, prints what came of it, and counts the verdicts that are
/// not the expected ones. `expected` gives a status and a reason; `OK` and nothing to be let in.
///
/// # Errors
/// When an answer is not what Echo was told.
pub async fn run(
    channel: &Channel,
    policy: ServicePolicy,
    callers: &[Caller],
    expected: impl Fn(&str, &str) -> (&'static str, &'static str),
) -> Result<usize, String> {
    let mut lines = vec![HEADER.map(ToOwned::to_owned)];
    let mut surprises = 0;
    for method in METHODS {
        let rule = policy.entry(method).map(|entry| entry.rule().to_string()).unwrap_or_default();
        for caller in callers {
            let outcome = caller.call(channel, method).await?;
            let expected = expected(method, caller.name);
            let as_expected = (&*outcome.status(), outcome.reason()) == expected;
            surprises += usize::from(!as_expected);
            let verdict = match &outcome {
                Outcome::Allowed => "allow",
                Outcome::DenialReason { .. } => "deny",
            };
            let surprise = if as_expected {
                String::new()
            } else {
                format!("  <- expected {} {}", expected.0, expected.1)
            };
            lines.push([
                method.into(),
                caller.name.into(),
                rule.clone(),
                verdict.into(),
                outcome.status(),
                format!("{}{surprise}", outcome.reason()),
            ]);
        }
    }
    print(&lines);
    Ok(surprises)
}

fn print(lines: &[[String; 6]]) {
    let mut widths = [0; 6];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.len());
        }
    }
    let mut last: Option<&String> = None;
    for line in lines {
        let [method, ..] = line;
        // A gap between methods, and none below the header.
        if last.is_some_and(|last| last != HEADER[0] && last != method) {
            println!();
        }
        last = Some(method);
        let cells: Vec<_> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}
