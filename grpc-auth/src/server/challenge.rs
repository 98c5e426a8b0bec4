//! How a denial is sent to the caller: status, details, and the `www-authenticate` challenge.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic_types::{ErrorDetails, StatusExt};

use crate::jose::algorithm::Algorithm;
use crate::policy::denial::{Demand, DenialReason, ERROR_DOMAIN};
use crate::policy::rule::AccessRule;
use crate::policy::service_policy::PolicyEntry;
use crate::proof_of_possession::nonce::Nonces;

/// What a resource server tells about itself when it refuses a caller.
#[derive(Debug)]
pub(crate) struct Challenge {
    realm: Box<str>,
    disclose_scopes: bool,
    /// Where DPoP proofs are checked: issues the nonce for the next one.
    nonces: Option<Arc<Nonces>>,
}

/// Carries the nonce that the next proof needs (RFC 9449 §8).
const DPOP_NONCE: &str = "dpop-nonce";

/// How long a caller should wait before it tries again, where nothing better is known.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

impl DenialReason {
    /// The answer to the caller.
    pub(crate) fn to_status(self, challenge: &Challenge) -> Status {
        self.to_status_with(challenge, RETRY_DELAY)
    }

    /// The same; where the caller may try again, it should wait so long.
    pub(crate) fn to_status_with(self, challenge: &Challenge, retry_after: Duration) -> Status {
        let mut details = ErrorDetails::new();
        if let Some(reason) = self.reason() {
            details.set_error_info(reason, ERROR_DOMAIN, self.info());
        }
        if self == Self::BackendUnavailable {
            details.set_retry_info(Some(retry_after));
        }
        let mut metadata = http::HeaderMap::new();
        for value in challenge.for_denied(self) {
            metadata.append(WWW_AUTHENTICATE, value);
        }
        if self == Self::ProofNonceRequired
            && let Some(nonce) = challenge.nonce()
        {
            metadata.insert(DPOP_NONCE, nonce);
        }
        Status::with_error_details_and_metadata(
            self.code(),
            self.to_string(),
            details,
            MetadataMap::from_headers(metadata),
        )
    }

    fn info(self) -> HashMap<String, String> {
        let Self::ScopeInsufficient(entry) = self else { return HashMap::new() };
        HashMap::from([("method".into(), entry.to_string())])
    }
}

impl Challenge {
    pub(crate) fn new(realm: impl Into<Box<str>>, disclose_scopes: bool) -> Self {
        Self { realm: realm.into(), disclose_scopes, nonces: None }
    }

    /// Asks for tokens with proofs as well.
    pub(crate) fn with_dpop(self, nonces: Option<Arc<Nonces>>) -> Self {
        Self { nonces, ..self }
    }

    /// The challenges of RFC 6750 §3 and RFC 9449 §7.1. Without credentials they carry no error
    /// code.
    fn for_denied(&self, denied: DenialReason) -> impl Iterator<Item = HeaderValue> {
        let error = self.error_of(denied);
        let is_of_proof = matches!(denied.answer().challenge, Demand::Proof(_));
        let bearer = error.as_ref().filter(|_| !is_of_proof);
        let bearer = bearer.map(|error| format!("Bearer realm=\"{}\"{error}", self.realm));
        let dpop = error.as_ref().filter(|_| self.nonces.is_some()).map(|error| {
            let names: Vec<_> = Algorithm::ALL.iter().map(|name| name.as_str()).collect();
            format!("DPoP realm=\"{}\"{error}, algs=\"{}\"", self.realm, names.join(" "))
        });
        [bearer, dpop].into_iter().flatten().filter_map(|value| value.try_into().ok())
    }

    fn nonce(&self) -> Option<HeaderValue> {
        self.nonces.as_ref()?.current().try_into().ok()
    }

    /// What follows the realm; `None` without a challenge.
    fn error_of(&self, denied: DenialReason) -> Option<String> {
        let scopes = match denied {
            DenialReason::ScopeInsufficient(entry) => self.scopes(entry),
            _ => String::new(),
        };
        Some(match denied.answer().challenge {
            Demand::Nothing => return None,
            Demand::Credentials => String::new(),
            Demand::Request(error) => format!(", error=\"{error}\""),
            Demand::Token(error) | Demand::Proof(error) => {
                format!(", error=\"{error}\", error_description=\"{denied}\"")
            }
            Demand::Scopes(error) => format!(", error=\"{error}\"{scopes}"),
        })
    }

    fn scopes(&self, entry: PolicyEntry) -> String {
        match entry.rule() {
            AccessRule::RequireScopes(rule) if self.disclose_scopes => {
                let scopes = rule.sufficient_scopes();
                let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
                format!(", scope=\"{}\"", names.join(" "))
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
