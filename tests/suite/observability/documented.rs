//! What is emitted is what the documentation lists, and all of it.

use std::collections::BTreeSet;

use crate::observability::exposure_walks::everything;

const DOCUMENT: &str = include_str!("../../../grpc-auth/src/observability.md");

/// The lines of the table with this head, cell by cell.
fn table(head: &str) -> Vec<Vec<String>> {
    let (_, rest) = DOCUMENT.split_once(head).unwrap();
    let lines = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    lines
        .map(|line| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect())
        .collect()
}

fn names(cell: &str) -> BTreeSet<String> {
    cell.split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .filter(|n| !n.is_empty())
        .collect()
}

/// Up to the first comma, colon or semicolon.
fn beginning(message: &str) -> &str {
    message.split([',', ':', ';']).next().unwrap_or_default()
}

#[test]
fn every_event_span_and_metric_is_documented_and_emitted() {
    let everything = everything();
    let ours = || everything.records.iter().filter(|record| record.target.starts_with("grpc_auth"));

    let declared = |fields: &[&str]| fields.iter().map(ToString::to_string).collect();
    let emitted: BTreeSet<(String, String, BTreeSet<String>)> = ours()
        .filter(|record| !record.is_span)
        .map(|record| {
            (
                beginning(&record.name).into(),
                record.level.to_lowercase(),
                declared(&record.declared),
            )
        })
        .collect();
    let documented: BTreeSet<_> = table("| event | level | fields |")
        .into_iter()
        .map(|cells| (cells[0].clone(), cells[1].clone(), names(&cells[2])))
        .collect();
    assert_eq!(emitted, documented, "events");
    assert!(ours().all(|record| record.target == "grpc_auth"));

    let emitted: BTreeSet<(String, String, BTreeSet<String>)> = ours()
        .filter(|record| record.is_span)
        .map(|record| {
            (record.name.clone(), record.level.to_lowercase(), declared(&record.declared))
        })
        .collect();
    let documented: BTreeSet<_> = table("| span | level | fields | covers |")
        .into_iter()
        .map(|cells| (cells[0].trim_matches('`').into(), cells[1].clone(), names(&cells[2])))
        .collect();
    assert_eq!(emitted, documented, "spans");

    let emitted: BTreeSet<_> = everything
        .metrics
        .iter()
        .map(|metric| {
            assert!(metric.help.is_some(), "{} is not described", metric.name);
            let labels: BTreeSet<_> = metric.labels.iter().map(|(name, _)| name.clone()).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            (metric.name.clone(), kind, metric.unit.clone().unwrap_or_default(), labels)
        })
        .collect();
    let documented: BTreeSet<_> = table("| metric | type | unit | labels | is |")
        .into_iter()
        .map(|cells| {
            let labels = names(cells[3].trim_matches('–'));
            (cells[0].trim_matches('`').into(), cells[1].clone(), cells[2].clone(), labels)
        })
        .collect();
    assert_eq!(emitted, documented, "metrics");

    values_are_documented(&everything.metrics);
}

/// Every value of a label is one that the document names, but issuers and methods.
fn values_are_documented(metrics: &[crate::observability::exposure_walks::Metric]) {
    let words: BTreeSet<_> = DOCUMENT.split('`').skip(1).step_by(2).collect();
    let kinds = ["transport", "timeout", "status", "too_large", "not_metadata", "key_set"];
    let of_errors = ["encoded", "no_metadata", "token", "issuer_mismatch", "keys_url", "older"];
    let decisions = ["fetch", "join", "not_there", "remembered", "limited", "unavailable"];
    for (label, value) in metrics.iter().flat_map(|metric| &metric.labels) {
        let value = value.as_str();
        let is_documented = match label.as_str() {
            "issuer" => value.starts_with("http"),
            "source" => value.starts_with("http") || words.contains(value),
            "method" => value == "_OTHER" || value.starts_with("kit.v1.") || value == "a.B/C",
            "reason" => value == "OK" || value == "INTERNAL" || value.to_uppercase() == value,
            "decision" => decisions.contains(&value),
            _ => words.contains(value) || kinds.contains(&value) || of_errors.contains(&value),
        };
        assert!(is_documented, "{label}={value}");
    }
}
