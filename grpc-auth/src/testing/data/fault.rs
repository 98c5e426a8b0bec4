//! Faults on demand, and counting who asked for what.

use std::sync::Mutex;

use axum::http::HeaderMap;

use crate::lock::locked;

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
    /// `GET /authorize`, where people are sent to sign in.
    Authorization,
    /// `POST /oauth/device_authorization`.
    DeviceAuthorization,
    /// `POST /oauth/revoke`.
    Revocation,
    /// Where [`Fault::Redirect`] points to: another path for each of the above.
    Elsewhere,
}

/// How an endpoint misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Hangs up without an answer.
    Refuse,
    /// Accepts the request and never answers. The client gives up by its own clock: move it, from
    /// another task if the one that would is waiting.
    Hang,
    /// Answers with this HTTP status.
    Status(u16),
    /// Answers 200 with a page for people, like a captive portal.
    Html,
    /// Answers 200 with an empty key set, or an empty object.
    Empty,
    /// Answers 200 and hangs up in the middle.
    Truncated,
    /// Answers 200 and resets the TCP connection in the middle.
    Reset,
    /// Answers 200 and sends one byte a second, by the server's clock.
    Drip,
    /// Answers 200 with a gigabyte of spaces, of a length it does not announce.
    Huge,
    /// Answers 302, to the true answer at [`Endpoint::Elsewhere`].
    Redirect,
    /// Answers 200 with the true headers and length, and every bit of the body flipped.
    Corrupt,
    /// Answers with this HTTP status and `Retry-After`.
    RetryAfter {
        /// The HTTP status.
        status: u16,
        /// How long to stay away.
        seconds: u64,
    },
}

impl Endpoint {
    const COUNT: usize = Self::Elsewhere as usize + 1;

    /// What a path of [`Elsewhere`](Self::Elsewhere) starts with.
    pub(crate) const ELSEWHERE: &str = "/elsewhere";

    pub(crate) fn of_path(path: &str) -> Option<Self> {
        match path {
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                Some(Self::Discovery)
            }
            "/.well-known/jwks.json" => Some(Self::Jwks),
            "/oauth/token" => Some(Self::Token),
            "/introspect" => Some(Self::Introspection),
            "/authorize" => Some(Self::Authorization),
            "/oauth/device_authorization" => Some(Self::DeviceAuthorization),
            "/oauth/revoke" => Some(Self::Revocation),
            _ => {
                path.strip_prefix(Self::ELSEWHERE).and_then(Self::of_path).map(|_| Self::Elsewhere)
            }
        }
    }
}

/// One line for each endpoint.
#[derive(Default)]
pub(crate) struct Switchboard(Mutex<[Line; Endpoint::COUNT]>);

#[derive(Default)]
struct Line {
    fault: Option<Fault>,
    requests: u64,
    last_request: Option<HeaderMap>,
}

impl Switchboard {
    pub(crate) fn set(&self, endpoint: Endpoint, fault: Option<Fault>) {
        self.with(endpoint, |line| line.fault = fault);
    }

    pub(crate) fn clear(&self) {
        locked(&self.0).iter_mut().for_each(|line| line.fault = None);
    }

    /// Records a request and tells how it is to fail.
    pub(crate) fn request(&self, endpoint: Endpoint, headers: &HeaderMap) -> Option<Fault> {
        self.with(endpoint, |line| {
            line.requests += 1;
            line.last_request = Some(headers.clone());
            line.fault
        })
        .flatten()
    }

    pub(crate) fn requests(&self, endpoint: Endpoint) -> u64 {
        self.with(endpoint, |line| line.requests).unwrap_or_default()
    }

    pub(crate) fn last_request(&self, endpoint: Endpoint) -> Option<HeaderMap> {
        self.with(endpoint, |line| line.last_request.clone()).flatten()
    }

    fn with<T>(&self, endpoint: Endpoint, act: impl FnOnce(&mut Line) -> T) -> Option<T> {
        locked(&self.0).get_mut(endpoint as usize).map(act)
    }
}
