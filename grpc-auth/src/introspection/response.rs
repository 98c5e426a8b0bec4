//! The answer of an introspection endpoint (RFC 7662 §2.2), and its checks.

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess};

use crate::issuer::Issuer;
use crate::jose::error::JoseError;
use crate::json::error::JsonError;
use crate::json::node::Node;
use crate::json::{Members, read_object};
use crate::jwks::set::KeySet;
use crate::jwks::source::KeySource;
use crate::token::principal::Facts;
use crate::verify::claims::TokenClaims;
use crate::verify::error::{VerifyErrorKind, VerifyFailure};
use crate::verify::trusted_issuer::TrustedIssuer;

/// What an answer is checked by.
#[derive(Debug)]
pub(crate) struct Expectation {
    pub(crate) issuer: TrustedIssuer,
    audiences: Vec<String>,
    /// The names of the claims that are read beside the registered ones.
    wanted: Vec<String>,
    allow_missing_audience: bool,
    leeway: f64,
}

/// A token that is active and for us.
pub(crate) struct Active {
    pub(crate) facts: Facts,
    /// Seconds since 1970.
    pub(crate) exp: Option<f64>,
}

impl Active {
    /// What expires then at the latest, in seconds since 1970.
    pub(crate) fn until(mut self, expires_at: f64) -> Self {
        if expires_at.is_finite() {
            self.exp = Some(self.exp.unwrap_or(expires_at).min(expires_at));
            self.facts.expires_at = self.facts.expires_at.min(expires_at);
        }
        self
    }
}

struct Answer<'t, 'n> {
    active: Option<bool>,
    token_type: Option<Cow<'t, str>>,
    claims: TokenClaims<'t, 'n>,
}

impl<'t> Members<'t> for Answer<'t, '_> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        map.next_value_seed(Member { answer: self, name })?;
        Ok(true)
    }
}

/// One member of an answer.
struct Member<'a, 't, 'n> {
    answer: &'a mut Answer<'t, 'n>,
    name: &'a str,
}

impl<'t> DeserializeSeed<'t> for Member<'_, 't, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { answer, name } = self;
        let node = Node::deserialize(deserializer)?;
        let misfit =
            |node: &Node<'_>, expected: &&str| D::Error::invalid_type(node.unexpected(), expected);
        match (name, node) {
            // Servers are known that say "true", or 1.
            ("active", Node::Bool(active)) => answer.active = Some(active),
            ("active", _) => answer.active = None,
            (_, node) if node.is_absent() => {}
            ("token_type", Node::Text(text)) => answer.token_type = Some(text),
            ("token_type", node) => return Err(misfit(&node, &"a string")),
            (_, node) => answer.claims.put(name, node).map_err(|(node, e)| misfit(&node, &e))?,
        }
        Ok(())
    }
}

/// What some servers say in it of a token: whether it is one for access, or for refreshing.
const TOKEN_USE: &str = "token_use";

/// What `token_type` says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Access,
    /// It is bound to a key of its holder (RFC 9449 §5, RFC 9200 §8.3).
    Bound,
    /// A refresh or ID token, or no access token (`N_A`, RFC 8693 §2.2.1).
    Other,
}

impl Kind {
    /// Compares without case and `-`/`_`. Servers write `Bearer`, `access_token`, `at+jwt`, the URN of
    /// RFC 8693 §3, or words of their own, which count as an access token's. Refresh and ID tokens have
    /// known names.
    fn of(token_type: &str) -> Self {
        let word = token_type.trim().to_ascii_lowercase().replace(['-', '_'], "");
        match &*word {
            "dpop" | "pop" => Self::Bound,
            "na" | "id" => Self::Other,
            word if word.contains("refresh") || word.contains("idtoken") => Self::Other,
            _ => Self::Access,
        }
    }
}

impl Expectation {
    pub(crate) fn new(
        issuer: Issuer,
        audiences: Vec<String>,
        allow_missing_audience: bool,
        leeway: f64,
    ) -> Self {
        let mut wanted = vec![TOKEN_USE.into()];
        let keys = KeySource::given(&issuer.identifier, KeySet::none());
        let issuer = TrustedIssuer::new(issuer, keys, &mut wanted);
        Self { issuer, audiences, wanted, allow_missing_audience, leeway }
    }

    /// Reads an answer that came at this time, in seconds since 1970.
    ///
    /// # Errors
    /// When it is not a JSON object, which says nothing about the token.
    pub(crate) fn read(
        &self,
        json: &[u8],
        now: f64,
    ) -> Result<Result<Active, VerifyFailure>, JsonError> {
        let mut answer =
            Answer { active: None, token_type: None, claims: TokenClaims::new(&self.wanted) };
        match read_object(json, &mut answer) {
            Ok(()) => {}
            // What is no JSON object was not said by an introspection endpoint; an object that can
            // be read in two ways was, and is no reason to let anyone in.
            Err(error) if error.is_no_object() => return Err(error),
            Err(error) => {
                let part = "the introspection response";
                return Ok(Err(VerifyErrorKind::from(JoseError::Json { part, error }).into()));
            }
        }
        Ok(self.check(&mut answer, json, now).map_err(|rejection| {
            let settings = &self.issuer.settings;
            // A token that never expires has no `exp` (RFC 7662 §2.2).
            let is_zero = rejection == VerifyErrorKind::Expired && answer.claims.exp == Some(0.0);
            let hint = is_zero.then_some(
                "it is 0, the year 1970: let the introspection endpoint leave `exp` out where a token \
                 does not expire",
            );
            let failure = VerifyFailure { hint, ..rejection.into() };
            failure.with_configured(&answer.claims, settings, &self.audiences)
        }))
    }

    fn check(
        &self,
        answer: &mut Answer<'_, '_>,
        json: &[u8],
        now: f64,
    ) -> Result<Active, VerifyErrorKind> {
        let Answer { active, token_type, claims } = answer;
        match active {
            Some(true) => {}
            Some(false) => return Err(VerifyErrorKind::Inactive),
            None => return Err(VerifyErrorKind::ActiveNotBoolean),
        }
        let kind = token_type.as_deref().map_or(Kind::Access, Kind::of);
        if kind == Kind::Other {
            return Err(VerifyErrorKind::IntrospectedTokenType);
        }
        // Servers introspect refresh tokens too (RFC 7662 §2.1), whose `token_type` is that
        // of the access tokens they are good for.
        let is_for_access =
            |node: &Node<'_>| matches!(node.as_text(), Some("access_token" | "access"));
        if claims.named(TOKEN_USE).is_some_and(|node| !is_for_access(node)) {
            return Err(VerifyErrorKind::IntrospectedTokenUse);
        }
        // The answer has to say to which key.
        if kind == Kind::Bound && claims.confirmation()?.is_none_or(|bound| bound.key.is_none()) {
            return Err(VerifyErrorKind::Confirmation);
        }
        let settings = &self.issuer.settings;
        if claims.iss.as_deref().is_some_and(|iss| iss != settings.identifier) {
            return Err(VerifyErrorKind::Issuer);
        }
        // Claims that tell an access token by being there stand in tokens, not in answers.
        self.issuer.check_required(claims, |required| !required.values.is_empty())?;
        match claims.check_purpose(&settings.intended_for, &self.audiences) {
            Err(VerifyErrorKind::Audience) if claims.aud.is_empty() => {
                if !self.allow_missing_audience {
                    return Err(VerifyErrorKind::AudienceUnsaid);
                }
            }
            outcome => outcome?,
        }
        claims.check_times(now, self.leeway)?;
        claims.join_words("scope");
        let exp = claims.exp;
        let facts = Facts { claims: json.into(), ..self.issuer.facts(claims)? };
        Ok(Active { facts, exp })
    }
}

/// Reads an answer as one of this issuer about a token for this audience, for fuzzers.
pub(crate) fn read_answer(json: &[u8], issuer: &str, audience: &str) -> Result<(), String> {
    let audiences = vec![audience.to_owned()];
    let expectation = Expectation::new(Issuer::discover(issuer), audiences, false, 30.0);
    match expectation.read(json, 1000.0) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(failure)) => Err(failure.cause()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
