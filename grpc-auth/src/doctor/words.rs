//! Parts of sentences.

use std::time::Duration;

/// What a program calls itself, its `server`.
pub(super) fn named(server: Option<&String>) -> String {
    server.map_or_else(|| "something".into(), |server| format!("`{server}`"))
}

/// The value between two texts; nothing without a value.
pub(super) fn aside(before: &str, value: Option<&String>, after: &str) -> String {
    value.map(|value| format!("{before}{value}{after}")).unwrap_or_default()
}

pub(super) fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..=119 => format!("{:.1} s", duration.as_secs_f64()),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// Scheme, host and port of a URL.
pub(super) fn origin(location: &str) -> Option<&str> {
    let path = location.find("://")? + 3;
    let end = location.get(path..)?.find('/').map_or(location.len(), |slash| path + slash);
    location.get(..end)
}

pub(super) fn status_name(code: u32) -> Option<&'static str> {
    STATUS_NAMES.get(usize::try_from(code).ok()?).copied()
}

/// In the order of their codes.
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
