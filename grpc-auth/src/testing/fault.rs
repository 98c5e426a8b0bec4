//! Faults on demand, and counting who asked for what.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an authorization server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The metadata, in both forms.
    Discovery,
    /// The key set.
    Jwks,
    /// `POST /oauth/token`.
    Token,
    /// `POST /introspect`.
    Introspection,
}

/// How an endpoint misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Hangs up without an answer.
    Refuse,
    /// Accepts the request and never answers.
    Hang,
    /// Answers with this HTTP status.
    Status(u16),
    /// Answers 200 with a page for people, like a captive portal.
    Html,
    /// Answers 200 with an empty key set, or an empty object.
    Empty,
    /// Answers 200 and hangs up in the middle.
    Truncated,
}

impl Endpoint {
    const ALL: [Self; 4] = [Self::Discovery, Self::Jwks, Self::Token, Self::Introspection];

    pub(super) fn of_path(path: &str) -> Option<Self> {
        match path {
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                Some(Self::Discovery)
            }
            "/.well-known/jwks.json" => Some(Self::Jwks),
            "/oauth/token" => Some(Self::Token),
            "/introspect" => Some(Self::Introspection),
            _ => None,
        }
    }

    fn position(self) -> usize {
        Self::ALL.iter().take_while(|endpoint| **endpoint != self).count()
    }
}

/// One switch and one counter for each endpoint.
#[derive(Debug, Default)]
pub(super) struct Switchboard {
    faults: Mutex<[Option<Fault>; Endpoint::ALL.len()]>,
    requests: [AtomicU64; Endpoint::ALL.len()],
}

impl Switchboard {
    pub(super) fn set(&self, endpoint: Endpoint, fault: Option<Fault>) {
        if let Some(slot) = super::server::locked(&self.faults).get_mut(endpoint.position()) {
            *slot = fault;
        }
    }

    pub(super) fn clear(&self) {
        *super::server::locked(&self.faults) = Default::default();
    }

    /// Counts a request and tells how it is to fail.
    pub(super) fn request(&self, endpoint: Endpoint) -> Option<Fault> {
        if let Some(counter) = self.requests.get(endpoint.position()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        *super::server::locked(&self.faults).get(endpoint.position())?
    }

    pub(super) fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(endpoint.position()).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
