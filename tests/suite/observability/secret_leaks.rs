//! Secrets that are run through everything, and looked for in all that is shown.

use std::fmt::Display;

use memchr::memmem::Finder;

use crate::observability::exposure_walks::{Everything, Secret, everything, seen_on};

/// Where a secret is seen that must not be: as lines for people.
fn hits(everything: &Everything) -> Vec<String> {
    let mut hits = Vec::new();
    // Most records are like others.
    let mut records: Vec<_> = everything.records.iter().collect();
    records.sort();
    records.dedup();
    let metrics: Vec<_> = everything.metrics.iter().map(|metric| format!("{metric:?}")).collect();
    for Secret { what, value, log_fields } in &everything.secrets {
        let finder = Finder::new(value);
        let mut look = |place: &dyn Display, text: &str| {
            if let Some(start) = finder.find(text.as_bytes()) {
                let (before, after) = (&text[..start], &text[start + value.len()..]);
                let before: String = before.chars().rev().take(80).collect();
                let before: String = before.chars().rev().collect();
                let after: String = after.chars().take(80).collect();
                hits.push(format!("{what} in {place}: .. {before}>>>{value}<<<{after} .."));
            }
        };
        for (place, text) in &everything.shown {
            look(place, text);
        }
        for record in &records {
            look(&"a message", &record.name);
            let is_decision = record.target == "grpc_auth" && record.declared.contains(&"verdict");
            for (field, text) in &record.values {
                if !(is_decision && log_fields.contains(field)) {
                    look(&format_args!("{field} of {} {}", record.target, record.name), text);
                }
            }
        }
        for metric in &metrics {
            look(&"a metric", metric);
        }
    }
    hits
}

#[test]
fn no_secret_is_seen_anywhere() {
    let everything = everything();
    let hits = hits(everything);
    assert!(hits.is_empty(), "{} hits\n{}", hits.len(), hits.join("\n"));
    // It was all looked at.
    for target in ["grpc_auth", "h2", "hyper", "tower"] {
        let is_there = everything.records.iter().any(|record| record.target.starts_with(target));
        assert!(is_there, "nothing was logged by {target}");
    }
    assert!(everything.records.iter().any(|record| record.level == "TRACE"));
    assert!(everything.metrics.iter().any(|metric| !metric.labels.is_empty()));
    assert!(everything.secrets.len() > 100 && everything.shown.len() > 200);
}

/// What is seen in one place each is found in each.
#[test]
fn a_secret_that_is_shown_is_found_wherever_that_is() {
    let everything = seen_on(|seen| {
        seen.secret("a secret", "canary-shown");
        seen.logged("a key id", "canary-kid", &["kid"]);
        seen.debug("a value", &Some("canary-shown"));
        tracing::trace!(target: "another", "says canary-shown");
        tracing::trace!(target: "another", field = "canary-shown");
        tracing::trace!(target: "grpc_auth", verdict = "deny", kid = "canary-kid", "may");
        tracing::trace!(target: "grpc_auth", kid = "canary-kid", "may not");
        let span = tracing::trace_span!("a span", field = "canary-shown", later = 0);
        span.record("later", "canary-shown");
        metrics::counter!("a_counter", "label" => "canary-shown").increment(1);
    });
    let hits = hits(&everything);
    assert_eq!(hits.len(), 7, "{}", hits.join("\n"));
}
