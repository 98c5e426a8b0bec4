//! Walks on every path, and all that is shown on the way: the log of every crate from TRACE up with
//! its spans, metrics, errors, statuses, metadata, and `Debug`. `secret_leaks` looks for secrets in it,
//! `documented` compares it with the documented lists.
//!
//! A new path takes a line in [`WALKS`]; a walk says what is secret and what it got to see.

mod attached;
mod bound;
mod calls;
mod doctor;
mod introspection;
mod keys;
mod logins;
mod outside;
mod tokens;

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use metrics_util::MetricKind;
use metrics_util::debugging::DebuggingRecorder;
use tests::block_on;
use tests::logs::{Logs, Record};
use tonic::Status;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic_types::StatusExt;

type Walk = fn(&Seen) -> Pin<Box<dyn Future<Output = ()> + '_>>;

const WALKS: &[(&str, Walk)] = &[
    ("calls that are let in", |seen| Box::pin(calls::allowed(seen))),
    ("calls that are refused", |seen| Box::pin(calls::refused(seen))),
    ("claims that do not fit", |seen| Box::pin(calls::misfits(seen))),
    ("services that are mounted or named wrongly", |seen| Box::pin(calls::mistakes(seen))),
    ("a request as services behind the layer see it", |seen| Box::pin(calls::behind(seen))),
    ("keys that cannot be fetched", |seen| Box::pin(keys::failures(seen))),
    ("keys that come, change and go", |seen| Box::pin(keys::life(seen))),
    ("an issuer that tells of itself no more", |seen| Box::pin(keys::metadata(seen))),
    ("groups that Entra left out", |seen| Box::pin(keys::groups(seen))),
    ("tokens an issuer is asked about", |seen| Box::pin(introspection::asked(seen))),
    ("a stream that ends with its token", |seen| Box::pin(calls::ended(seen))),
    ("tokens that are bound to their sender", |seen| Box::pin(bound::proved(seen))),
    ("requirements beyond the rule", |seen| Box::pin(bound::required(seen))),
    ("an authorizer", |seen| Box::pin(bound::authorized(seen))),
    ("a health service", |seen| Box::pin(keys::health(seen))),
    ("a token that is forwarded", |seen| Box::pin(outside::relayed(seen))),
    ("tokens of a source, attached", |seen| Box::pin(attached::channel(seen))),
    ("tokens of a source that are bound to a key", |seen| Box::pin(attached::bound(seen))),
    ("tokens of a source, for HTTP", |seen| Box::pin(attached::http(seen))),
    ("tokens judged outside of calls", |seen| Box::pin(outside::judged(seen))),
    ("the authorization server of tests", |seen| Box::pin(outside::testing(seen))),
    ("tokens that are granted", |seen| Box::pin(tokens::granted(seen))),
    ("tokens that are exchanged and refreshed", |seen| Box::pin(tokens::exchanged(seen))),
    ("tokens that are found", |seen| Box::pin(tokens::found(seen))),
    ("a person's login, kept and ended", |seen| Box::pin(logins::login(seen))),
    ("a doctor with a token", |seen| Box::pin(doctor::examinations(seen))),
    ("configurations", |seen| Box::pin(outside::configured(seen))),
];

/// What was shown, and what is secret.
#[derive(Default)]
pub(crate) struct Seen {
    shown: RefCell<Vec<(String, String)>>,
    secrets: RefCell<Vec<Secret>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) what: String,
    pub(crate) value: String,
    /// The fields of a decision's line in the log where it may stand.
    pub(crate) log_fields: &'static [&'static str],
}

/// A metric that was described or recorded.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: MetricKind,
    pub(crate) unit: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
}

/// All of it.
pub(crate) struct Everything {
    pub(crate) shown: Vec<(String, String)>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) records: Vec<Record>,
    pub(crate) metrics: Vec<Metric>,
}

/// Walks on every path, once for all tests that look at what was shown.
pub(crate) fn everything() -> &'static Everything {
    static EVERYTHING: LazyLock<Everything> = LazyLock::new(|| {
        seen_on(|seen| {
            for (name, walk) in WALKS {
                let before = seen.shown.borrow().len();
                block_on(walk(seen));
                assert!(seen.shown.borrow().len() > before, "{name}: nothing was looked at");
            }
            keys::without_runtime(seen);
        })
    });
    &EVERYTHING
}

pub(crate) fn seen_on(walk: impl FnOnce(&Seen)) -> Everything {
    let logs = Logs::capture();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let seen = Seen::default();
    metrics::with_local_recorder(&recorder, || walk(&seen));
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    let metrics = metrics.map(|(key, unit, help, _)| Metric {
        name: key.key().name().into(),
        kind: key.kind(),
        unit: unit.map(|unit| unit.as_str().into()),
        help: help.map(|help| help.to_string()),
        labels: key.key().labels().map(|l| (l.key().into(), l.value().into())).collect(),
    });
    Everything {
        metrics: metrics.collect(),
        records: logs.records(),
        shown: seen.shown.into_inner(),
        secrets: seen.secrets.into_inner(),
    }
}

impl Seen {
    /// Something that must not be seen anywhere.
    pub(crate) fn secret(&self, what: &str, value: impl Into<String>) -> String {
        self.logged(what, value, &[])
    }

    /// Something that may stand in these fields of a decision's line, and nowhere else.
    pub(crate) fn logged(
        &self,
        what: &str,
        value: impl Into<String>,
        log_fields: &'static [&'static str],
    ) -> String {
        let value = value.into();
        let secret = Secret { what: what.into(), value: value.clone(), log_fields };
        self.secrets.borrow_mut().push(secret);
        value
    }

    /// A token: neither it nor its claims and signature may be seen.
    pub(crate) fn token(&self, what: &str, token: String) -> String {
        for part in token.split('.').skip(1).filter(|part| part.len() > 16) {
            self.secret(&format!("a part of {what}"), part);
        }
        self.secret(what, token)
    }

    /// A text that was shown to a person or a caller.
    pub(crate) fn shows(&self, what: &str, text: impl Into<String>) {
        self.shown.borrow_mut().push((what.into(), text.into()));
    }

    pub(crate) fn debug(&self, what: &str, value: &dyn Debug) {
        self.shows(what, format!("{value:?} {value:#?}"));
    }

    pub(crate) fn error(&self, what: &str, error: &dyn Error) {
        self.debug(what, &error);
        let mut next = Some(error);
        while let Some(error) = next {
            self.shows(what, error.to_string());
            next = error.source();
        }
    }

    /// A refusal, with all that travels in it, and which one it is.
    pub(crate) fn refusal(&self, what: &str, status: &Status) -> String {
        self.error(what, status);
        self.debug(what, &status.get_error_details());
        self.shows(what, String::from_utf8_lossy(status.details()));
        self.metadata(what, status.metadata());
        status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }

    pub(crate) fn metadata(&self, what: &str, metadata: &MetadataMap) {
        self.debug(what, metadata);
        for entry in metadata.iter() {
            let text = match entry {
                KeyAndValueRef::Ascii(name, value) => {
                    format!("{name}: {}", String::from_utf8_lossy(value.as_encoded_bytes()))
                }
                KeyAndValueRef::Binary(name, value) => {
                    let value = value.to_bytes().unwrap();
                    format!("{name}: {}", String::from_utf8_lossy(&value))
                }
            };
            self.shows(what, text);
        }
    }
}
