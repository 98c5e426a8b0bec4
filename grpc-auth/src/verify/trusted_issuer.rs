//! A trusted issuer: its keys, and what its tokens mean.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::claims::TokenClaims;
use super::error::VerifyErrorKind;
use crate::issuer::presets::entra::{GROUPS_ELSEWHERE, TENANT_PLACE, is_guid};
use crate::issuer::presets::keycloak::BOUND_TO_KEY;
use crate::issuer::scope_sources::unite;
use crate::issuer::{Issuer, RequiredClaim};
use crate::jose::compact::Compact;
use crate::jose::header::Header;
use crate::jose::jwk::Key;
use crate::json::node::Node;
use crate::jwks::set::KeySet;
use crate::jwks::source::KeySource;
use crate::token::key_set_version::Standing;
use crate::token::principal::{Facts, time_of};

/// An issuer with the keys it has now.
#[derive(Debug)]
pub(crate) struct TrustedIssuer {
    identifier: Arc<str>,
    pub(crate) keys: KeySource,
    pub(crate) settings: Issuer,
    /// For each grant source: the place of its claim among the wanted ones, and the names below.
    grants_at: Vec<(usize, Vec<String>)>,
}

/// What is known after the signature, beside the claims.
pub(super) struct Genuine {
    /// Of the key set that the key is from.
    pub(super) standing: Standing,
    /// When that set must no longer be used.
    pub(super) stale_until: Option<SystemTime>,
}

impl TrustedIssuer {
    /// Adds the names of the claims it needs to those that are wanted.
    pub(crate) fn new(settings: Issuer, keys: KeySource, wanted: &mut Vec<String>) -> Self {
        let mut place_of = |name: &str| {
            wanted.iter().position(|wanted| wanted == name).unwrap_or_else(|| {
                wanted.push(name.to_owned());
                wanted.len() - 1
            })
        };
        let grants_at = settings
            .grants
            .iter()
            .map(|source| {
                let mut names = source.names();
                let below = names.split_off(names.len().min(1));
                (place_of(names.first().map_or("", String::as_str)), below)
            })
            .collect();
        for required in &settings.required_claims {
            place_of(required.name);
        }
        for name in settings.also_reads {
            place_of(name);
        }
        Self { identifier: settings.identifier.as_str().into(), keys, settings, grants_at }
    }

    /// Whether this issuer says of itself what the token says of its issuer, byte for byte.
    pub(super) fn issued(&self, iss: &str, claims: &TokenClaims<'_, '_>) -> bool {
        if !self.settings.for_any_tenant {
            return *self.identifier == *iss;
        }
        let tenant = claims.named("tid").and_then(Node::as_text).filter(|tid| is_guid(tid));
        tenant.is_some_and(|tenant| self.identifier.replace(TENANT_PLACE, tenant) == iss)
    }

    /// What costs no cryptography, and needs no key.
    pub(super) fn check(
        &self,
        header: &Header<'_>,
        claims: &TokenClaims<'_, '_>,
        audiences: &[String],
        now: f64,
        leeway: f64,
    ) -> Result<(), VerifyErrorKind> {
        let settings = &self.settings;
        if !settings.token_types.iter().any(|accepted| header.is_of_type(accepted)) {
            return Err(VerifyErrorKind::TokenType);
        }
        self.check_key_choice(header)?;
        self.check_required(claims, |_| true)?;
        claims.check(&settings.intended_for, audiences, now, leeway)
    }

    /// Whether the claims that mark an access token are there, those that `counts`.
    pub(crate) fn check_required(
        &self,
        claims: &TokenClaims<'_, '_>,
        counts: impl Fn(&RequiredClaim) -> bool,
    ) -> Result<(), VerifyErrorKind> {
        for required in self.settings.required_claims.iter().filter(|required| counts(required)) {
            let found = claims.named(required.name).and_then(Node::as_text);
            let found = found.ok_or(VerifyErrorKind::RequiredClaim(*required))?;
            if !(required.values.is_empty() || required.values.contains(&found)) {
                return Err(VerifyErrorKind::RequiredClaim(*required));
            }
            let is_bound =
                || claims.confirmation().map(|bound| bound.is_some_and(|b| b.key.is_some()));
            if required.values.contains(&BOUND_TO_KEY) && found == BOUND_TO_KEY && !is_bound()? {
                return Err(VerifyErrorKind::Confirmation);
            }
        }
        Ok(())
    }

    /// Whether the issuer's tokens choose their keys so.
    fn check_key_choice(&self, header: &Header<'_>) -> Result<(), VerifyErrorKind> {
        let (allowed, settings) = (&self.settings.algorithms, &self.settings);
        if !allowed.is_empty() && !allowed.contains(&header.algorithm) {
            return Err(VerifyErrorKind::AlgorithmNotAllowed);
        }
        if header.kid.is_none() && !settings.allow_missing_key_id {
            return Err(VerifyErrorKind::KeyIdMissing);
        }
        Ok(())
    }

    /// Checks the signature with the keys that are known now. `KeysUnavailable` and `KeyUnknown`
    /// may change when keys are fetched.
    pub(super) fn check_signature(
        &self,
        compact: &Compact<'_>,
        header: &Header<'_>,
        iss: &str,
        now: SystemTime,
    ) -> Result<Genuine, VerifyErrorKind> {
        let loaded = self.keys.load(now).ok_or(VerifyErrorKind::KeysUnavailable)?;
        let snapshot = loaded.snapshot().ok_or(VerifyErrorKind::KeysUnavailable)?;
        let (standing, stale_until) = (loaded.standing, snapshot.stale_until);
        let (algorithm, keys) = (header.algorithm, &snapshot.keys);
        let mut is_known = false;
        let mut verifies = |key: &Key| {
            is_known = true;
            self.is_for(key, iss) && key.verifies(algorithm, compact.signed, &compact.signature)
        };
        let is_genuine = match header.kid.as_deref() {
            Some(kid) => {
                keys.with_kid(kid, algorithm).any(&mut verifies)
                    || (self.settings.allow_missing_key_id
                        && !keys.has_kid(kid)
                        && keys.unnamed(algorithm).any(&mut verifies))
            }
            None => keys.without_kid(algorithm).any(&mut verifies),
        };
        match (is_genuine, is_known) {
            (true, _) => Ok(Genuine { standing, stale_until }),
            (false, true) => Err(VerifyErrorKind::Signature),
            (false, false) if header.kid.as_deref().is_some_and(|kid| keys.has_kid(kid)) => {
                Err(VerifyErrorKind::KeyUnfit)
            }
            (false, false) => Err(VerifyErrorKind::KeyUnknown),
        }
    }

    /// Keys that serve many tenants say for which of them they are.
    fn is_for(&self, key: &Key, iss: &str) -> bool {
        match &key.issuer {
            Some(own) if self.settings.keys_name_issuers => {
                **own == *iss || is_template_of(own, iss)
            }
            _ => true,
        }
    }

    /// Copies what the caller is known by out of the claims. The JSON of the claims is left out: it is
    /// borrowed meanwhile.
    pub(crate) fn facts(&self, claims: &TokenClaims<'_, '_>) -> Result<Facts, VerifyErrorKind> {
        let find = |source: usize| {
            let (place, below) = self.grants_at.get(source)?;
            claims.kept(*place)?.at(below)
        };
        if claims.named(GROUPS_ELSEWHERE).is_some_and(|node| node.at(&["groups".into()]).is_some())
        {
            tracing::warn!(
                target: "grpc_auth",
                issuer = &*self.identifier,
                "a token leaves out its caller's groups, for they are too many: assign groups to \
                 the application, or use its roles"
            );
        }
        let other = claims.iss.as_deref().filter(|iss| **iss != *self.identifier);
        Ok(Facts {
            issuer: other.map_or_else(|| Arc::clone(&self.identifier), Into::into),
            subject: claims.sub.as_deref().map(Into::into),
            client_id: claims.client().map(Into::into),
            grants: unite(&self.settings.grants, find)
                .map_err(|error| VerifyErrorKind::Grants(error.into()))?,
            expires_at: claims.exp.unwrap_or(f64::INFINITY),
            confirmation: claims.confirmation()?,
            claims: Box::default(),
        })
    }
}

/// Checks header and signature as for any token, and nothing else.
pub(crate) fn verify_signature(
    issuer: Issuer,
    keys: KeySet,
    token: &str,
) -> Result<(), VerifyErrorKind> {
    let source = KeySource::given(&issuer.identifier, keys);
    let issuer = TrustedIssuer::new(issuer, source, &mut Vec::new());
    let compact = Compact::parse(token.as_bytes())?;
    let header = Header::parse(&compact.header)?;
    issuer.check_key_choice(&header)?;
    issuer.check_signature(&compact, &header, "", SystemTime::UNIX_EPOCH).map(|_| ())
}

/// Whether this is the issuer of some tenant, where the template leaves a place for one.
fn is_template_of(template: &str, iss: &str) -> bool {
    template.split_once(TENANT_PLACE).is_some_and(|(before, after)| {
        let tenant = iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        tenant.is_some_and(is_guid)
    })
}

/// When a token ends that is valid until `exp`, at the latest after `longest` from now and with its
/// keys.
pub(super) fn deadline(
    exp: f64,
    now: SystemTime,
    longest: Duration,
    genuine: &Genuine,
) -> SystemTime {
    let ends = [now.checked_add(longest), genuine.stale_until];
    ends.into_iter().flatten().fold(time_of(exp), SystemTime::min)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_verdict_ends_with_whatever_ends_first() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        // At 1,000: `exp`, for how long it is remembered, until when its keys may be used.
        for (exp, longest, stale_until, ends) in [
            (1_200.0, 300, Some(5_000), 1_200),
            (9_000.0, 300, Some(5_000), 1_300),
            (9_000.0, 300, None, 1_300),
            (9_000.0, 300, Some(1_100), 1_100),
            (9_000.0, u64::MAX, Some(5_000), 5_000),
            (9_000.0, u64::MAX, None, 9_000),
        ] {
            let genuine = Genuine { standing: Standing::of(1), stale_until: stale_until.map(at) };
            let found = deadline(exp, at(1_000), Duration::from_secs(longest), &genuine);
            assert_eq!(found, at(ends), "{exp} {longest} {stale_until:?}");
        }
    }
}
