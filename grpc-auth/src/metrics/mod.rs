//! What operators graph: one function or type for each metric, which does nothing without the
//! feature `metrics`.
//!
//! The labels of a metric are bounded: configured issuers, entries of policies, and words from this
//! crate. Callers cannot choose one. A new metric takes a [`Metric`] in [`METRICS`], a function here
//! and a line in `observability.md`, which a test compares.

mod handle;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{Clock, Stopwatch};
use crate::policy::denial::DenialReason;
use crate::policy::service_policy::PolicyEntry;

use handle::{Counter, Gauge, Histogram, Kind, Metric, Unit};

/// Whether anything is measured.
const ENABLED: bool = cfg!(feature = "metrics");

/// The `method` of calls whose method no policy names: their path is the caller's to choose.
const OTHER_METHOD: &str = "_OTHER";

const DECISIONS: Metric = Metric {
    name: "grpc_auth_decisions_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["method", "verdict", "reason"],
    help: "Decisions on calls, by method and by the reason of a refusal",
};
const VERIFICATIONS: Metric = Metric {
    name: "grpc_auth_verification_duration_seconds",
    kind: Kind::Histogram,
    unit: Unit::Seconds,
    labels: &["outcome", "waited"],
    help: "How long tokens took to verify that were not remembered",
};
const CACHE_LOOKUPS: Metric = Metric {
    name: "grpc_auth_token_cache_lookups_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["cache", "result"],
    help: "Tokens that were looked for among those that are remembered",
};
const CACHE_ENTRIES: Metric = Metric {
    name: "grpc_auth_token_cache_entries",
    kind: Kind::Gauge,
    unit: Unit::Count,
    labels: &["cache"],
    help: "Tokens that are remembered",
};
const INTROSPECTIONS: Metric = Metric {
    name: "grpc_auth_introspection_duration_seconds",
    kind: Kind::Histogram,
    unit: Unit::Seconds,
    labels: &["issuer", "outcome"],
    help: "How long introspection endpoints took to answer",
};
const KEY_SET_FETCHES: Metric = Metric {
    name: "grpc_auth_key_set_fetches_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["issuer", "result"],
    help: "Fetches of key sets, by what came of them",
};
const KEY_SET_AGE: Metric = Metric {
    name: "grpc_auth_key_set_age_seconds",
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["issuer"],
    help: "How long ago the key set was fetched that is held",
};
const KEY_SET_GENERATION: Metric = Metric {
    name: "grpc_auth_key_set_generation",
    kind: Kind::Gauge,
    unit: Unit::Count,
    labels: &["issuer"],
    help: "How often the keys of the issuer have changed, the first ones included",
};
const UNKNOWN_KEYS: Metric = Metric {
    name: "grpc_auth_unknown_keys_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["issuer", "decision"],
    help: "Tokens with a key id that is not known, by what was done about it",
};
const KEYS_SKIPPED: Metric = Metric {
    name: "grpc_auth_keys_skipped_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["issuer"],
    help: "Keys of key sets that are not used",
};

const TOKEN_RENEWALS: Metric = Metric {
    name: "grpc_auth_token_renewals_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["source", "outcome"],
    help: "Requests for tokens of this program's own, by what came of them",
};

/// All of them.
const METRICS: [&Metric; 11] = [
    &DECISIONS,
    &VERIFICATIONS,
    &CACHE_LOOKUPS,
    &CACHE_ENTRIES,
    &INTROSPECTIONS,
    &KEY_SET_FETCHES,
    &KEY_SET_AGE,
    &KEY_SET_GENERATION,
    &UNKNOWN_KEYS,
    &KEYS_SKIPPED,
    &TOKEN_RENEWALS,
];

/// How often the age of a key set is reported while nothing happens to it; `None` without a recorder.
pub(crate) const AGE_INTERVAL: Option<Duration> =
    if ENABLED { Some(Duration::from_secs(15)) } else { None };

/// Tells the recorder what each metric is.
pub(crate) fn describe() {
    METRICS.iter().for_each(|metric| metric.describe());
}

/// Counts the calls that the entries of a layer let in. Their counters are at hand, for that is what
/// nearly every call comes to.
#[derive(Debug)]
pub(crate) struct Allowed(Box<[Counter]>);

impl Allowed {
    /// For these entries, in this order.
    pub(crate) fn new(entries: impl Iterator<Item = PolicyEntry>) -> Self {
        let counter = |entry: PolicyEntry| DECISIONS.counter(&[&entry.to_string(), "allow", "OK"]);
        Self(if ENABLED { entries.map(counter).collect() } else { Box::default() })
    }

    /// Counts a call that the entry at this place let in.
    #[inline]
    pub(crate) fn count(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            counter.increment(1);
        }
    }
}

/// Counts a call that is refused. Without an entry its method is not told.
pub(crate) fn denied(entry: Option<PolicyEntry>, denied: DenialReason) {
    if ENABLED {
        let method = entry.map_or(OTHER_METHOD.into(), |entry| entry.to_string());
        let reason = denied.reason().unwrap_or("INTERNAL");
        DECISIONS.counter(&[&method, "deny", reason]).increment(1);
    }
}

/// What verification came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Valid,
    Expired,
    Invalid,
    /// Unknown: what it takes to verify is not available.
    Unavailable,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Valid, Self::Expired, Self::Invalid, Self::Unavailable];

    /// The name in metrics and spans.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<DenialReason> for Outcome {
    fn from(denied: DenialReason) -> Self {
        match denied {
            DenialReason::TokenExpired => Self::Expired,
            DenialReason::BackendUnavailable => Self::Unavailable,
            DenialReason::CredentialsMissing
            | DenialReason::CredentialsMalformed
            | DenialReason::SchemeUnsupported
            | DenialReason::TokenInvalid
            | DenialReason::ProofMalformed
            | DenialReason::ProofInvalid
            | DenialReason::ProofNonceRequired
            | DenialReason::ScopeInsufficient(_)
            | DenialReason::MethodUnknown
            | DenialReason::ClaimsMismatch
            | DenialReason::PolicyRefused
            | DenialReason::PolicyPanicked
            | DenialReason::LayerMissing
            | DenialReason::PermitMissing => Self::Invalid,
        }
    }
}

/// How long tokens take to verify, by outcome. Outcomes that have not come yet are reported as zero.
#[derive(Debug)]
pub(crate) struct Verifications([(Outcome, Histogram); 4]);

impl Verifications {
    pub(crate) fn new() -> Self {
        Self(Outcome::ALL.map(|outcome| (outcome, verifications(outcome, "false"))))
    }

    /// A verification ended for which nothing had to be fetched.
    pub(crate) fn end(&self, timer: &Timer, outcome: Outcome) {
        let histogram = self.0.iter().find(|(own, _)| *own == outcome);
        if let (Some(watch), Some((_, histogram))) = (&timer.0, histogram) {
            histogram.record(watch.elapsed());
        }
    }
}

/// A verification ended that waited for a fetch.
pub(crate) fn verified_after_waiting(timer: &Timer, outcome: Outcome) {
    if let Some(watch) = &timer.0 {
        verifications(outcome, "true").record(watch.elapsed());
    }
}

fn verifications(outcome: Outcome, waited: &str) -> Histogram {
    VERIFICATIONS.histogram(&[outcome.as_str(), waited])
}

/// How long something takes; none if nothing is measured.
#[derive(Debug)]
pub(crate) struct Timer(Option<Stopwatch>);

impl Timer {
    pub(crate) fn start(clock: &Clock) -> Self {
        Self(if ENABLED { Some(clock.stopwatch()) } else { None })
    }
}

/// The use of one cache of tokens.
#[derive(Debug)]
pub(crate) struct TokenCacheUse {
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    /// Its own ones: caches share the gauge.
    own: AtomicU64,
}

impl TokenCacheUse {
    pub(crate) fn new(cache: &'static str) -> Self {
        Self {
            hits: CACHE_LOOKUPS.counter(&[cache, "hit"]),
            misses: CACHE_LOOKUPS.counter(&[cache, "miss"]),
            entries: CACHE_ENTRIES.gauge(&[cache]),
            own: AtomicU64::new(0),
        }
    }

    pub(crate) fn looked_up(&self, is_hit: bool) {
        if is_hit { self.hits.increment(1) } else { self.misses.increment(1) }
    }

    pub(crate) fn remembered(&self) {
        if ENABLED {
            self.own.fetch_add(1, Relaxed);
            self.entries.increment(1.0);
        }
    }

    pub(crate) fn forgot(&self) {
        if ENABLED {
            self.own.fetch_sub(1, Relaxed);
            self.entries.decrement(1.0);
        }
    }
}

impl Drop for TokenCacheUse {
    fn drop(&mut self) {
        self.entries.decrement(number(self.own.load(Relaxed)));
    }
}

/// An introspection endpoint answered, or did not.
pub(crate) fn introspected(issuer: &str, timer: &Timer, outcome: &'static str) {
    if let Some(watch) = &timer.0 {
        INTROSPECTIONS.histogram(&[issuer, outcome]).record(watch.elapsed());
    }
}

/// A fetch of an issuer's key set ended.
pub(crate) fn key_set_fetched(issuer: &str, result: &'static str) {
    KEY_SET_FETCHES.counter(&[issuer, result]).increment(1);
}

pub(crate) fn key_set_generation(issuer: &str, generation: u64) {
    KEY_SET_GENERATION.gauge(&[issuer]).set(number(generation));
}

/// A token names a key of the issuer that is not known.
pub(crate) fn unknown_key(issuer: &str, decision: &'static str) {
    UNKNOWN_KEYS.counter(&[issuer, decision]).increment(1);
}

pub(crate) fn key_skipped(issuer: &str) {
    KEYS_SKIPPED.counter(&[issuer]).increment(1);
}

/// A request for a token of this program's own ended.
pub(crate) fn token_renewed(source: &str, outcome: &'static str) {
    TOKEN_RENEWALS.counter(&[source, outcome]).increment(1);
}

/// The key set that is held was fetched so long ago.
pub(crate) fn key_set_age(issuer: &str, age: Duration) {
    KEY_SET_AGE.gauge(&[issuer]).set(age.as_secs_f64());
}

#[expect(clippy::cast_precision_loss, reason = "no counter reaches 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `observability.md` has a line for each metric, and none for any other.
    #[test]
    fn the_list_of_metrics_is_the_one_that_is_documented() {
        let documented: Vec<_> = include_str!("../observability.md")
            .lines()
            .filter(|line| line.starts_with("| `grpc_auth_"))
            .map(|line| line.split('|').map(str::trim).take(5).collect::<Vec<_>>())
            .collect();
        let expected: Vec<_> = METRICS
            .iter()
            .map(|metric| {
                let labels: Vec<_> =
                    metric.labels.iter().map(|label| format!("`{label}`")).collect();
                let labels = if labels.is_empty() { "–".into() } else { labels.join(", ") };
                [
                    String::new(),
                    format!("`{}`", metric.name),
                    format!("{:?}", metric.kind).to_lowercase(),
                    format!("{:?}", metric.unit).to_lowercase(),
                    labels,
                ]
            })
            .collect();
        assert_eq!(documented, expected);
    }
}
