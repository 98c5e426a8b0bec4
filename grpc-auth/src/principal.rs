//! The caller, once its token is believed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use crate::claims::{Claims, ClaimsMemo, ClaimsMismatch};

/// Who calls: the verified token's issuer, subject, client and grants.
///
/// A principal comes from a verified token only. Cloning it copies a pointer. Its `Debug` shows
/// no claim's value.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    facts: Facts,
    memo: ClaimsMemo,
}

/// What verification learnt about the caller.
pub(crate) struct Facts {
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) grants: Grants,
    /// Seconds since 1970.
    pub(crate) expires_at: f64,
    /// The JSON object of the token's claims.
    pub(crate) claims: Box<[u8]>,
}

/// Names, sorted and without duplicates, in one piece of memory: they are looked through on every
/// call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    text: Box<str>,
    /// Where each ends.
    ends: Box<[u32]>,
}

impl Grants {
    fn contains(&self, name: &str) -> bool {
        let mut start = 0;
        self.ends.iter().any(|end| {
            let (from, to) = (start, *end as usize);
            start = to;
            // Lengths differ more often than texts.
            to.wrapping_sub(from) == name.len() && self.text.get(from..to) == Some(name)
        })
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let grant = self.text.get(start..end).unwrap_or_default();
            start = end;
            grant
        })
    }
}

impl Grants {
    /// From prefixes and names, sorted and without duplicates.
    pub(crate) fn new(grants: &[(&str, &str)]) -> Self {
        let length = grants.iter().map(|(prefix, name)| prefix.len() + name.len()).sum();
        let mut text = String::with_capacity(length);
        let ends = grants.iter().map(|(prefix, name)| {
            text.push_str(prefix);
            text.push_str(name);
            // A token has 8 KiB, and a prefix is short.
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        });
        let ends = ends.collect();
        Self { text: text.into(), ends }
    }
}

/// Seconds since 1970; not every platform's clock goes further.
const END_OF_9999: f64 = 253_402_300_799.0;

impl Principal {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(Inner { facts, memo: ClaimsMemo::default() }))
    }

    /// The authorization server that vouches for the caller (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.facts.issuer
    }

    /// The caller: a person or, for client credentials, the client (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.facts.subject.as_deref()
    }

    /// The application that the token was issued to (`client_id` of RFC 9068, else `azp`, Okta's `cid`,
    /// or `appid` of Entra's version 1.0).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.facts.client_id.as_deref()
    }

    /// Tells whether the token grants exactly this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.facts.grants.contains(scope)
    }

    /// Everything the token grants, sorted.
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.facts.grants.iter()
    }

    /// When the token expires (`exp`); at the latest at the end of the year 9999.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs_f64(self.0.facts.expires_at.clamp(0.0, END_OF_9999))
    }

    /// The token's claims as a `T`, deserialized at most once per token and type.
    ///
    /// # Errors
    /// When the claims do not fit `T`; the error names the path in the claims, never a value.
    pub fn claims<T>(&self) -> Result<Claims<T>, ClaimsMismatch>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.memo.get_or_parse(&self.0.facts.claims)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.issuer())
            .field("scopes", &self.scopes().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expires_at(expires_at: f64) -> SystemTime {
        Principal::new(Facts {
            issuer: "i".into(),
            subject: None,
            client_id: None,
            grants: Grants::default(),
            expires_at,
            claims: Box::default(),
        })
        .expires_at()
    }

    #[test]
    fn an_expiry_beyond_all_clocks_is_late_and_not_early() {
        assert_eq!(expires_at(1.5), UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!(expires_at(-1.0), UNIX_EPOCH);
        assert_eq!(expires_at(1e300), UNIX_EPOCH + Duration::from_secs(253_402_300_799));
    }
}
