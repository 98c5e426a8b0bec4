//! The registered claims (RFC 7519 §4.1) and what they must say.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::json::{Members, Text, Texts, read_object};
use super::rejection::Rejection;

/// The claims that decide; others are the user's business.
#[derive(Debug, Default)]
pub(super) struct RegisteredClaims<'t> {
    pub(super) iss: Option<Cow<'t, str>>,
    pub(super) sub: Option<Cow<'t, str>>,
    pub(super) aud: Vec<Cow<'t, str>>,
    pub(super) exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    /// Bound to a key of the holder (RFC 7800).
    bound: bool,
    pub(super) client_id: Option<Cow<'t, str>>,
    pub(super) azp: Option<Cow<'t, str>>,
}

impl<'t> Members<'t> for RegisteredClaims<'t> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "iss" => self.iss = Some(map.next_value_seed(Text)?),
            "sub" => self.sub = Some(map.next_value_seed(Text)?),
            "aud" => self.aud = map.next_value_seed(Texts)?,
            // NumericDate: a JSON number, fractions allowed. A string is none.
            "exp" => self.exp = Some(map.next_value()?),
            "nbf" => self.nbf = Some(map.next_value()?),
            "iat" => self.iat = Some(map.next_value()?),
            "client_id" => self.client_id = Some(map.next_value_seed(Text)?),
            "azp" => self.azp = Some(map.next_value_seed(Text)?),
            "cnf" => {
                self.bound = true;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'t> RegisteredClaims<'t> {
    pub(super) fn parse(json: &'t [u8]) -> Result<Self, Rejection> {
        let mut claims = Self::default();
        read_object(json, &mut claims)
            .map_err(|problem| Rejection::Json { part: "payload", problem })?;
        Ok(claims)
    }

    /// Everything but the issuer. `Expired` comes last, so that it is the answer for a token
    /// that is good otherwise.
    pub(super) fn check(
        &self,
        audiences: &[String],
        now: f64,
        leeway: f64,
    ) -> Result<(), Rejection> {
        if !self.aud.iter().any(|aud| audiences.iter().any(|ours| ours == aud)) {
            return Err(Rejection::Audience);
        }
        if self.bound {
            return Err(Rejection::SenderConstrained);
        }
        if self.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(Rejection::NotYetValid);
        }
        if self.iat.is_some_and(|iat| iat > now + leeway) {
            return Err(Rejection::IssuedInFuture);
        }
        match self.exp {
            None => Err(Rejection::ExpiryMissing),
            Some(exp) if exp <= now - leeway => Err(Rejection::Expired),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), Rejection> {
        RegisteredClaims::parse(json.as_bytes())?.check(&["api".into()], 1000.0, 30.0)
    }

    #[test]
    fn times_and_audiences_within_bounds_are_accepted() {
        for json in [
            r#"{"aud":"api","exp":1001}"#,
            r#"{"aud":["other","api"],"exp":970.5}"#,
            r#"{"aud":"api","exp":1e300,"nbf":1030,"iat":1030.0,"sub":"s","other":{}}"#,
        ] {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_its_reason() {
        let types = Rejection::Json { part: "payload", problem: "a member has another type" };
        for (json, expected) in [
            (r#"{"exp":1001}"#, Rejection::Audience),
            (r#"{"aud":"API","exp":1001}"#, Rejection::Audience),
            (r#"{"aud":"api ","exp":1001}"#, Rejection::Audience),
            (r#"{"aud":[],"exp":1001}"#, Rejection::Audience),
            (r#"{"aud":["api",1],"exp":1001}"#, types.clone()),
            (r#"{"aud":{},"exp":1001}"#, types.clone()),
            (r#"{"aud":null,"exp":1001}"#, types.clone()),
            (r#"{"aud":"api"}"#, Rejection::ExpiryMissing),
            (r#"{"aud":"api","exp":"1001"}"#, types.clone()),
            (r#"{"aud":"api","exp":null}"#, types.clone()),
            (r#"{"aud":"api","exp":true}"#, types.clone()),
            (r#"{"aud":"api","exp":970}"#, Rejection::Expired),
            (r#"{"aud":"api","exp":-1}"#, Rejection::Expired),
            (r#"{"aud":"api","exp":1001,"nbf":1030.5}"#, Rejection::NotYetValid),
            (r#"{"aud":"api","exp":1001,"nbf":"0"}"#, types.clone()),
            (r#"{"aud":"api","exp":1001,"iat":1031}"#, Rejection::IssuedInFuture),
            (r#"{"aud":"api","exp":1001,"sub":1}"#, types),
            (r#"{"aud":"api","exp":1001,"cnf":null}"#, Rejection::SenderConstrained),
            // Good otherwise: only then is a token said to be expired.
            (r#"{"aud":"other","exp":1}"#, Rejection::Audience),
        ] {
            assert_eq!(check(json), Err(expected), "{json}");
        }
    }
}
