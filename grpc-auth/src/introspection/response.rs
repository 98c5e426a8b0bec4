//! The answer of an introspection endpoint (RFC 7662 §2.2), and its checks.

use std::borrow::Cow;

use serde::de::MapAccess;

use crate::issuer::Issuer;
use crate::jose::error::JoseError;
use crate::json::error::JsonError;
use crate::json::node::Node;
use crate::json::{Members, read_object};
use crate::jwks::set::KeySet;
use crate::jwks::source::KeySource;
use crate::token::principal::Facts;
use crate::verify::claims::TokenClaims;
use crate::verify::error::VerifyErrorKind;
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
        match name {
            // Servers are known that say "true", or 1.
            "active" => {
                self.active = match map.next_value()? {
                    Node::Bool(active) => Some(active),
                    _ => None,
                }
            }
            "token_type" => {
                self.token_type = match map.next_value()? {
                    Node::Text(text) => Some(text),
                    _ => Some("".into()),
                }
            }
            _ => return self.claims.take(name, map),
        }
        Ok(true)
    }
}

/// What some servers say in it of a token: whether it is one for access, or for refreshing.
const TOKEN_USE: &str = "token_use";

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
    ) -> Result<Result<Active, VerifyErrorKind>, JsonError> {
        let mut answer =
            Answer { active: None, token_type: None, claims: TokenClaims::new(&self.wanted) };
        match read_object(json, &mut answer) {
            Ok(()) => {}
            // What is no JSON object was not said by an introspection endpoint; an object that can
            // be read in two ways was, and is no reason to let anyone in.
            Err(error) if error.is_no_object() => return Err(error),
            Err(error) => return Ok(Err(JoseError::Json { part: "introspection", error }.into())),
        }
        Ok(self.check(answer, json, now))
    }

    fn check(
        &self,
        answer: Answer<'_, '_>,
        json: &[u8],
        now: f64,
    ) -> Result<Active, VerifyErrorKind> {
        let Answer { active, token_type, mut claims } = answer;
        match active {
            Some(true) => {}
            Some(false) => return Err(VerifyErrorKind::Inactive),
            None => return Err(VerifyErrorKind::ActiveNotBoolean),
        }
        let is_access_token =
            |typ: &str| ["Bearer", "DPoP"].iter().any(|known| known.eq_ignore_ascii_case(typ));
        if token_type.as_deref().is_some_and(|typ| !is_access_token(typ)) {
            return Err(VerifyErrorKind::IntrospectedTokenType);
        }
        // Servers introspect refresh tokens too (RFC 7662 §2.1), whose `token_type` is that
        // of the access tokens they are good for.
        let is_for_access =
            |node: &Node<'_>| matches!(node.as_text(), Some("access_token" | "access"));
        if claims.named(TOKEN_USE).is_some_and(|node| !is_for_access(node)) {
            return Err(VerifyErrorKind::IntrospectedTokenUse);
        }
        // RFC 9449 §5: bound to a key, and the answer has to say to which.
        if token_type.is_some_and(|typ| typ.eq_ignore_ascii_case("DPoP"))
            && claims.confirmation()?.is_none_or(|bound| bound.key.is_none())
        {
            return Err(VerifyErrorKind::Confirmation);
        }
        let settings = &self.issuer.settings;
        if claims.iss.as_deref().is_some_and(|iss| iss != settings.identifier) {
            return Err(VerifyErrorKind::Issuer);
        }
        // Claims that tell an access token by being there stand in tokens, not in answers.
        self.issuer.check_required(&claims, |required| !required.values.is_empty())?;
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
        let facts = Facts { claims: json.into(), ..self.issuer.facts(&claims)? };
        Ok(Active { facts, exp })
    }
}

/// Reads an answer as one of this issuer about a token for this audience, for fuzzers.
pub(crate) fn read_answer(json: &[u8], issuer: &str, audience: &str) -> Result<(), String> {
    let audiences = vec![audience.to_owned()];
    let expectation = Expectation::new(Issuer::discover(issuer), audiences, false, 30.0);
    match expectation.read(json, 1000.0) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(rejection)) => Err(rejection.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::principal::Principal;

    fn read(
        allow_missing_audience: bool,
        json: &str,
    ) -> Result<Result<Active, VerifyErrorKind>, JsonError> {
        let issuer = Issuer::discover("https://as.example/");
        let expectation =
            Expectation::new(issuer, vec!["api".into()], allow_missing_audience, 30.0);
        expectation.read(json.as_bytes(), 1000.0)
    }

    fn scopes(json: &str) -> Vec<String> {
        let active = read(false, json).unwrap().unwrap();
        Principal::new(active.facts).scopes().map(Into::into).collect()
    }

    #[test]
    fn an_active_token_for_us_is_believed() {
        let minimal = read(false, r#"{"active":true,"aud":"api"}"#).unwrap().unwrap();
        assert_eq!(minimal.exp, None);
        let full = r#"{"active":true,"aud":["x","api"],"iss":"https://as.example/","sub":"alice",
            "client_id":"app","token_type":"bearer","token_use":"access_token","exp":1001,"nbf":1030,"iat":990,"scope":"b a"}"#;
        let full = read(false, full).unwrap().unwrap();
        assert_eq!(full.exp, Some(1001.0));
        let principal = Principal::new(full.facts);
        assert_eq!((principal.subject(), principal.client_id()), (Some("alice"), Some("app")));
        assert_eq!(principal.scopes().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn scopes_are_words_or_an_array() {
        assert_eq!(scopes(r#"{"active":true,"aud":"api","scope":"a b"}"#), ["a", "b"]);
        assert_eq!(scopes(r#"{"active":true,"aud":"api","scope":["b","a"]}"#), ["a", "b"]);
        assert_eq!(scopes(r#"{"active":true,"aud":"api"}"#), [""; 0]);
        let form = read(false, r#"{"active":true,"aud":"api","scope":[1]}"#).unwrap();
        assert!(matches!(form, Err(VerifyErrorKind::Grants(_))));
    }

    #[test]
    fn everything_else_is_refused_by_its_reason() {
        for (text, expected) in [
            (r#"{"active":false}"#, VerifyErrorKind::Inactive),
            (r#"{}"#, VerifyErrorKind::ActiveNotBoolean),
            (r#"{"active":"true","aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
            (r#"{"active":1,"aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
            (r#"{"active":[true],"aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
            (r#"{"active":true}"#, VerifyErrorKind::AudienceUnsaid),
            (r#"{"active":true,"aud":"other"}"#, VerifyErrorKind::Audience),
            (r#"{"active":true,"aud":"api","exp":970}"#, VerifyErrorKind::Expired),
            (r#"{"active":true,"aud":"api","nbf":1031}"#, VerifyErrorKind::NotYetValid),
            (r#"{"active":true,"aud":"api","iat":1031}"#, VerifyErrorKind::IssuedInFuture),
            (r#"{"active":true,"aud":"api","iss":"https://as.example"}"#, VerifyErrorKind::Issuer),
            (
                r#"{"active":true,"aud":"api","token_type":"refresh_token"}"#,
                VerifyErrorKind::IntrospectedTokenType,
            ),
            (
                r#"{"active":true,"aud":"api","token_type":7}"#,
                VerifyErrorKind::IntrospectedTokenType,
            ),
            (
                r#"{"active":true,"aud":"api","token_use":"refresh_token"}"#,
                VerifyErrorKind::IntrospectedTokenUse,
            ),
            (r#"{"active":true,"aud":"api","token_use":7}"#, VerifyErrorKind::IntrospectedTokenUse),
        ] {
            assert_eq!(read(false, text).unwrap().err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_object_that_can_be_read_in_two_ways_is_no_reason_to_accept_a_token() {
        let hidden = r#"{"active":true,"aud":"api",
            "x":{"$serde_json::private::RawValue":"{\"active\":false}"}}"#;
        for (text, expected) in [
            (r#"{"active":false,"active":true,"aud":"api"}"#, "the member `active` occurs twice"),
            (r#"{"active":true,"aud":"x","aud":"api"}"#, "the member `aud` occurs twice"),
            (r#"{"active":true,"aud":"api","exp":"1001"}"#, "`exp` is a string, expected a number"),
            (hidden, "a member name begins with `$serde_json::private::`, which is reserved"),
        ] {
            let found = read(false, text).unwrap().err().unwrap().to_string();
            assert_eq!(found, format!("its introspection cannot be read: {expected}"), "{text}");
        }
    }

    /// A client may have written the half: what it chose is no failure of the endpoint.
    #[test]
    fn an_answer_with_half_a_surrogate_pair_is_an_answer() {
        for text in [
            r#"{"active":true,"aud":"api","sub":"\ud800"}"#,
            r#"{"active":true,"aud":"api","x":{"y":["\udc00"]}}"#,
            r#"{"active":true,"aud":"api","\ud800":1}"#,
        ] {
            let found = read(false, text).unwrap().err().unwrap().to_string();
            assert!(found.contains(" cannot be read: "), "{text}: {found}");
        }
    }

    #[test]
    fn an_audience_that_is_said_is_checked_even_if_it_may_be_missing() {
        assert!(read(true, r#"{"active":true}"#).unwrap().is_ok());
        let other = read(true, r#"{"active":true,"aud":"other"}"#).unwrap();
        assert_eq!(other.err(), Some(VerifyErrorKind::Audience));
    }

    #[test]
    fn what_is_no_object_is_no_answer() {
        for text in ["", "<html>", "[]", "true", r#"{"active":true"#, r#"{"active":true} x"#] {
            assert!(read(true, text).is_err(), "{text}");
        }
    }
}
