//! Verifying a JWT access token (RFC 9068 §4, RFC 8725).

use std::sync::Arc;

use serde_json::Value;

use super::claims::RegisteredClaims;
use super::compact::Compact;
use super::header::Header;
use super::rejection::{Refusal, Rejection, escape};
use crate::clock::Clock;
use crate::issuer::{GrantSource, unite};
use crate::jwks::KeyStore;
use crate::principal::{Facts, Principal};

/// Believes tokens of the configured issuers made for the configured audiences.
#[derive(Debug)]
pub(crate) struct JwtVerifier {
    pub(crate) issuers: Vec<TrustedIssuer>,
    pub(crate) audiences: Vec<String>,
    /// Seconds by which clocks may differ.
    pub(crate) leeway: f64,
    pub(crate) clock: Clock,
}

/// An issuer with the keys it has now.
#[derive(Debug)]
pub(crate) struct TrustedIssuer {
    pub(crate) identifier: Arc<str>,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) token_types: Vec<String>,
    pub(crate) grants: Vec<GrantSource>,
    pub(crate) allow_missing_key_id: bool,
    /// Auth0 has an explanation of its own for tokens that are no JWT.
    pub(crate) is_auth0: bool,
}

impl JwtVerifier {
    /// Verifies a token. Known keys are read from a snapshot: no lock, no waiting.
    pub(crate) fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        let compact = Compact::parse(token).map_err(|rejection| self.explain(rejection))?;
        let header = Header::parse(&compact.header)?;
        let claims = RegisteredClaims::parse(&compact.claims)
            .map_err(|rejection| about(rejection, &header, None))?;
        self.verify_parsed(&compact, &header, &claims)
            .map_err(|rejection| about(rejection, &header, claims.iss.as_deref()))
    }

    fn verify_parsed(
        &self,
        compact: &Compact<'_>,
        header: &Header<'_>,
        claims: &RegisteredClaims<'_>,
    ) -> Result<Principal, Rejection> {
        let issuer = claims
            .iss
            .as_deref()
            .and_then(|iss| self.issuers.iter().find(|issuer| *issuer.identifier == *iss))
            .ok_or(Rejection::Issuer)?;
        if !issuer.token_types.iter().any(|accepted| header.is_of_type(accepted)) {
            return Err(Rejection::TokenType);
        }
        // Cheap checks before expensive ones; but that a token has expired is told only to
        // someone who holds one of the issuer's.
        let verdict = claims.check(&self.audiences, self.clock.unix_seconds(), self.leeway);
        match &verdict {
            Ok(()) | Err(Rejection::Expired) => issuer.check_signature(compact, header)?,
            Err(_) => {}
        }
        verdict?;
        issuer.principal(&compact.claims, claims)
    }

    fn explain(&self, rejection: Rejection) -> Rejection {
        match rejection {
            Rejection::Parts(count) if self.issuers.iter().any(|issuer| issuer.is_auth0) => {
                Rejection::PartsAuth0(count)
            }
            other => other,
        }
    }
}

impl TrustedIssuer {
    fn check_signature(&self, compact: &Compact<'_>, header: &Header<'_>) -> Result<(), Rejection> {
        let snapshot = self.keys.load();
        let set = snapshot.as_deref().ok_or(Rejection::KeysUnavailable)?;
        let keys = match header.kid.as_deref() {
            Some(kid) => set.with_kid(kid, header.algorithm),
            None if self.allow_missing_key_id => set.without_kid(header.algorithm),
            None => return Err(Rejection::KeyIdMissing),
        };
        if keys.is_empty() {
            return Err(Rejection::KeyUnknown);
        }
        let genuine = keys
            .iter()
            .any(|key| key.verifies(header.algorithm, compact.signed, &compact.signature));
        if genuine { Ok(()) } else { Err(Rejection::Signature) }
    }

    fn principal(
        &self,
        json: &[u8],
        claims: &RegisteredClaims<'_>,
    ) -> Result<Principal, Rejection> {
        let problem = "it does not parse";
        let value: Value = serde_json::from_slice(json)
            .map_err(|_| Rejection::Json { part: "payload", problem })?;
        let client_id = claims.client_id.as_deref().or(claims.azp.as_deref());
        Ok(Principal::new(Facts {
            issuer: Arc::clone(&self.identifier),
            subject: claims.sub.as_deref().map(Into::into),
            client_id: client_id.map(Into::into),
            grants: unite(&self.grants, &value).map_err(Rejection::Grants)?,
            expires_at: claims.exp.unwrap_or_default(),
            claims: json.into(),
        }))
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, kid: None, issuer: None }
    }
}

fn about(rejection: Rejection, header: &Header<'_>, iss: Option<&str>) -> Refusal {
    Refusal { rejection, kid: header.kid.as_deref().map(escape), issuer: iss.map(escape) }
}
