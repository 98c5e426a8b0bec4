//! The verified identity of a caller.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use super::bearer::BearerToken;
use super::claims::{Claims, ClaimsError, ClaimsMemo};
use super::confirmation::Confirmation;
use super::key_set_version::Standing;

/// Who calls: the verified token's issuer, subject, client and grants.
///
/// A principal comes from a verified token only. Cloning it copies a pointer. Its `Debug` shows
/// no claim's value.
#[derive(Clone)]
pub struct Principal(Arc<Verified>);

/// All that is known of a token.
pub(crate) struct Verified {
    /// None if the token must not be kept.
    token: Option<BearerToken>,
    /// None if it is looked at each time.
    validity: Option<Validity>,
    /// The same as in the facts, for a clock's reading: at the latest the end of the year 9999.
    expires_at: SystemTime,
    facts: Facts,
    memo: ClaimsMemo,
}

/// How long a verified token stays cached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) deadline: SystemTime,
    /// Which configuration it was verified by, and with which keys.
    pub(crate) issuer: usize,
    pub(crate) standing: Standing,
}

/// What verification learnt about the caller.
pub(crate) struct Facts {
    /// What its sender has to hold; boxed, for most tokens are bound to nothing.
    pub(crate) confirmation: Option<Box<Confirmation>>,
    pub(crate) grants: Grants,
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) client_id: Option<Box<str>>,
    /// Seconds since 1970.
    pub(crate) expires_at: f64,
    /// The JSON object of the token's claims.
    pub(crate) claims: Box<[u8]>,
}

/// What a token grants: names, sorted and without duplicates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants(Box<[Box<str>]>);

impl Grants {
    /// From prefixes and names, sorted and without duplicates.
    pub(crate) fn new(grants: &[(&str, &str)]) -> Self {
        Self(grants.iter().map(|(prefix, name)| [*prefix, *name].concat().into()).collect())
    }

    #[inline]
    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|grant| **grant == *name)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|grant| &**grant)
    }
}

/// A NumericDate (RFC 7519 §2) as a clock would show it, between 1970 and the end of 9999: not every
/// platform's clock goes further.
pub(crate) fn time_of(seconds: f64) -> SystemTime {
    const END_OF_9999: f64 = 253_402_300_799.0;
    UNIX_EPOCH + Duration::try_from_secs_f64(seconds.clamp(0.0, END_OF_9999)).unwrap_or_default()
}

impl Principal {
    /// Of a token that is kept elsewhere, or known by its hash.
    pub(crate) fn new(facts: Facts) -> Self {
        Self::verified(facts, None, None)
    }

    pub(crate) fn verified(
        facts: Facts,
        validity: Option<Validity>,
        token: Option<BearerToken>,
    ) -> Self {
        let expires_at = time_of(facts.expires_at);
        Self(Arc::new(Verified { validity, facts, expires_at, token, memo: ClaimsMemo::default() }))
    }

    /// In seconds since 1970.
    pub(crate) fn expiry(&self) -> f64 {
        self.0.facts.expires_at
    }

    pub(crate) fn claims_len(&self) -> usize {
        self.0.facts.claims.len()
    }

    pub(crate) fn as_arc(&self) -> &Arc<Verified> {
        &self.0
    }

    /// The token it was made from, if that was kept.
    pub(crate) fn token(&self) -> Option<&BearerToken> {
        self.0.token.as_ref()
    }

    /// What each of its calls has to prove, if anything.
    #[inline]
    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        self.0.facts.confirmation.as_deref()
    }

    /// The authorization server that vouches for the caller (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.facts.issuer
    }

    /// The issuer, to be kept without all else that is known.
    pub(crate) fn shared_issuer(&self) -> Arc<str> {
        Arc::clone(&self.0.facts.issuer)
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
    #[inline]
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
        self.0.expires_at
    }

    /// Whether the token's time is over, with so much leeway.
    #[inline]
    pub(crate) fn has_expired(&self, now: SystemTime, leeway: Duration) -> bool {
        // Nearly always the first comparison is all.
        now >= self.0.expires_at && now >= self.0.expires_at + leeway
    }

    /// The token's claims as a `T`, deserialized at most once per token and type.
    ///
    /// # Errors
    /// When the claims do not fit `T`; the error names the path in the claims, never a value.
    pub fn claims<T>(&self) -> Result<Claims<T>, ClaimsError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.typed_claims().clone()
    }

    /// The same, where they stay.
    pub(crate) fn typed_claims<T>(&self) -> &Result<Claims<T>, ClaimsError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.memo.get_or_parse(&self.0.facts.claims)
    }
}

impl Verified {
    pub(crate) fn validity(&self) -> Option<&Validity> {
        self.validity.as_ref()
    }

    /// None if it was not kept.
    pub(crate) fn token(&self) -> Option<&[u8]> {
        self.token.as_ref().map(BearerToken::as_bytes)
    }
}

impl From<Arc<Verified>> for Principal {
    fn from(verified: Arc<Verified>) -> Self {
        Self(verified)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("issuer", &self.facts.issuer)
            .field("scopes", &self.facts.grants.0.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_found_in_lists_of_every_length() {
        for length in 1..300 {
            let long = "l".repeat(length);
            let grants = Grants::new(&[("", "a"), ("", &long), ("role:", "m")]);
            assert!(["a", &long, "role:m"].iter().all(|name| grants.contains(name)), "{length}");
            let others = ["", "m", "role:", &long[1..], &long.repeat(2), "al"];
            assert!(!others.iter().any(|name| grants.contains(name)), "{length}");
            assert_eq!(grants.iter().collect::<Vec<_>>(), ["a", &long, "role:m"]);
        }
        assert!(!Grants::default().contains(""));
        assert_eq!(Grants::default().iter().len(), 0);
    }

    fn expires_at(expires_at: f64) -> SystemTime {
        Principal::new(Facts {
            issuer: "i".into(),
            subject: None,
            client_id: None,
            grants: Grants::default(),
            expires_at,
            confirmation: None,
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
