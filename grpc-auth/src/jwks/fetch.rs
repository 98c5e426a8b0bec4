//! Where an issuer's keys are, and one attempt at getting them.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use url::Url;

use super::set::{JwksError, KeySet};
use super::settings::JwksSettings;
use super::skipped::SkippedKey;
use super::token::JwksToken;
use crate::clock::Clock;
use crate::http::cache_control::Freshness;
use crate::http::client::{Answer, Document, HttpClient};
use crate::http::discovery;
use crate::http::document::without_query;
use crate::http::error::HttpError;

/// Why keys could not be fetched. Its text is the whole cause and says what to set.
#[derive(Debug, thiserror::Error)]
#[error("url={url} {problem}")]
pub struct KeyFetchError {
    url: Box<str>,
    problem: KeyFetchProblem,
}

/// What kept keys from being fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFetchProblem {
    /// The key set, or the metadata that names its address, could not be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is no usable key set.
    #[error("the key set cannot be used: {0}")]
    KeySet(JwksError),
    /// The file of the token for the request ([`JwksToken::file`](crate::JwksToken::file)) cannot be
    /// read, or holds no token.
    #[error("the token file {} cannot be used: {cause}", .path.display())]
    Token {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A cache on the way answered with keys that are older than the present ones, and others.
    #[error("the answer is older than the key set that is held, and differs from it")]
    Older,
}

impl KeyFetchError {
    /// The address that was fetched: that of the keys, or of the metadata. A query is left out.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What went wrong there.
    #[must_use]
    pub const fn problem(&self) -> &KeyFetchProblem {
        &self.problem
    }

    /// The name in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.problem {
            KeyFetchProblem::Http(error) => error.kind(),
            KeyFetchProblem::KeySet(_) => "key_set",
            KeyFetchProblem::Token { .. } => "token",
            KeyFetchProblem::Older => "older",
        }
    }

    /// The HTTP status, if the server answered with another than success.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.http() {
            Some(error) => error.status(),
            None => None,
        }
    }

    /// The error of the request, if it is one.
    pub(super) const fn http(&self) -> Option<&HttpError> {
        match &self.problem {
            KeyFetchProblem::Http(error) => Some(error),
            KeyFetchProblem::KeySet(_) | KeyFetchProblem::Token { .. } | KeyFetchProblem::Older => {
                None
            }
        }
    }
}

/// Why a fetch is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Request {
    /// The set grows old, or was never there.
    Scheduled,
    /// A token names a key that is not in it, or its key may have been replaced under its key id:
    /// caches on the way are bypassed.
    Forced,
}

/// Where the keys are.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// Where the metadata of the issuer at this address says (RFC 8414).
    Discovered(Url),
    /// At this address.
    At(Url),
}

/// Fetches the keys of one issuer, and remembers the last answer to ask whether it changed.
#[derive(Debug)]
pub(crate) struct KeyFetcher {
    pub(crate) http: HttpClient,
    /// As configured: a `Url` is normalized, identifiers are compared byte for byte.
    pub(crate) issuer: Box<str>,
    pub(crate) location: Location,
    pub(crate) clock: Clock,
    /// How long the address of the keys stays cached.
    pub(crate) rediscover: Duration,
    discovered: Option<(Url, SystemTime)>,
    last: Option<Last>,
    /// The address of the last request.
    at: Option<Url>,
    max_keys: usize,
    token: Option<JwksToken>,
}

/// The answer that is held.
#[derive(Debug)]
struct Last {
    /// Where it is from: an `ETag` says nothing about another address.
    url: Url,
    etag: Option<HeaderValue>,
    identities: Vec<[u8; 32]>,
    left_issuer_at: SystemTime,
    last_modified: Option<SystemTime>,
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) enum Fetched {
    NotModified { max_age: Option<Duration> },
    Keys { set: KeySet, skipped: Vec<SkippedKey>, max_age: Option<Duration> },
}

impl KeyFetcher {
    pub(crate) fn new(
        http: HttpClient,
        issuer: &str,
        location: Location,
        clock: Clock,
        settings: &JwksSettings,
        token: Option<JwksToken>,
    ) -> Self {
        let (discovered, last, at) = (None, None, None);
        let (rediscover, max_keys) = (settings.rediscover, settings.max_keys);
        let issuer = issuer.into();
        Self { http, issuer, location, clock, rediscover, discovered, last, at, max_keys, token }
    }

    /// Names the address at which a fetch failed.
    pub(super) fn failed(&self, problem: impl Into<KeyFetchProblem>) -> KeyFetchError {
        let url = match (&self.at, &self.location) {
            (Some(url), _) | (None, Location::At(url) | Location::Discovered(url)) => url,
        };
        KeyFetchError { url: without_query(url).into(), problem: problem.into() }
    }

    pub(super) async fn fetch(&mut self, request: Request) -> Result<Fetched, KeyFetchProblem> {
        match self.attempt(request).await {
            Err(KeyFetchProblem::Http(error)) if error.is_retried_at_once() => {
                self.attempt(request).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&mut self, request: Request) -> Result<Fetched, KeyFetchProblem> {
        let url = self.keys_url().await?;
        let outcome = self.fetch_from(&url, request).await;
        if let Err(KeyFetchProblem::Http(error)) = &outcome
            && error.is_gone()
        {
            let before = self.discovered.take();
            let moved_to = self.keys_url().await?;
            if before.is_some_and(|(url, _)| url != moved_to) {
                return self.fetch_from(&moved_to, request).await;
            }
        }
        outcome
    }

    /// Asks for the address once, and again after a while.
    async fn keys_url(&mut self) -> Result<Url, KeyFetchProblem> {
        let issuer = match &self.location {
            Location::At(url) => return Ok(url.clone()),
            Location::Discovered(issuer) => issuer,
        };
        let now = self.clock.now();
        let is_recent =
            |since| now.duration_since(since).is_ok_and(|passed| passed < self.rediscover);
        if let Some((url, since)) = &self.discovered
            && is_recent(*since)
        {
            return Ok(url.clone());
        }
        self.at = Some(issuer.clone());
        match discovery::jwks_uri(&self.http, issuer, &self.issuer, now).await {
            Ok(url) => {
                self.discovered = Some((url.clone(), now));
                Ok(url)
            }
            // The old address is better than none.
            Err(error) => match &self.discovered {
                Some((url, _)) => {
                    tracing::warn!(
                        target: "grpc_auth",
                        issuer = &*self.issuer, %error,
                        "the issuer's metadata could not be fetched again; its keys are where they \
                         were"
                    );
                    Ok(url.clone())
                }
                None => Err(error.into()),
            },
        }
    }

    async fn fetch_from(
        &mut self,
        url: &Url,
        request: Request,
    ) -> Result<Fetched, KeyFetchProblem> {
        self.at = Some(url.clone());
        let last = self.last.as_ref().filter(|last| last.url == *url);
        let etag = last.and_then(|last| last.etag.clone());
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            let value = token.header_value().await;
            let value = value.map_err(|(path, cause)| KeyFetchProblem::Token { path, cause })?;
            headers.insert(AUTHORIZATION, value);
        }
        match (request, etag) {
            (Request::Forced, _) => {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            }
            (Request::Scheduled, Some(etag)) => {
                headers.insert(IF_NONE_MATCH, etag);
            }
            (Request::Scheduled, None) => {}
        }
        let is_conditional = headers.contains_key(IF_NONE_MATCH);
        let answer = self.http.get(Document::KeySet, url, headers).await?;
        let now = self.clock.now();
        let freshness = Freshness::of(&answer.headers);
        let max_age = freshness.max_age;
        match answer.status {
            200..300 => {}
            304 if is_conditional => {
                if let Some(last) = &mut self.last {
                    last.left_issuer_at = freshness.left_at(now);
                }
                return Ok(Fetched::NotModified { max_age });
            }
            _ => return Err(answer.to_error(now).into()),
        }
        let (set, skipped) =
            KeySet::parse_at_most(&answer.body, self.max_keys).map_err(KeyFetchProblem::KeySet)?;
        let new = Last::of(url, &answer, &set, freshness, now);
        if self.last.as_ref().is_some_and(|last| new.is_older_than(last, now)) {
            return Err(KeyFetchProblem::Older);
        }
        self.last = Some(new);
        Ok(Fetched::Keys { set, skipped, max_age })
    }

    /// Once the keys are no longer fresh, an answer that seems older is what there is.
    pub(super) fn accept_older(&mut self) {
        if let Some(last) = &mut self.last {
            (last.left_issuer_at, last.last_modified) = (SystemTime::UNIX_EPOCH, None);
        }
    }
}

impl Last {
    fn of(url: &Url, answer: &Answer, set: &KeySet, freshness: Freshness, now: SystemTime) -> Self {
        Self {
            url: url.clone(),
            etag: answer.headers.get(ETAG).cloned(),
            identities: set.identities(),
            left_issuer_at: freshness.left_at(now),
            // A date in the future would make all that follows seem old.
            last_modified: freshness.last_modified.filter(|date| *date <= now),
        }
    }

    /// The same keys are never too old: then only a copy is. An answer from the future was dated by
    /// a clock that has been set back, and compares with nothing.
    fn is_older_than(&self, held: &Self, now: SystemTime) -> bool {
        let dated_before = matches!(
            (self.last_modified, held.last_modified),
            (Some(this), Some(other)) if this < other
        );
        let left_before = (self.left_issuer_at..=now).contains(&held.left_issuer_at)
            && self.left_issuer_at < held.left_issuer_at;
        self.identities != held.identities && (dated_before || left_before)
    }
}
