//! The credentials of a call: exactly one bearer token in the metadata (RFC 6750 §2.1).

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, Entry, HeaderMap, HeaderValue};

/// HTTP/2 header limits make longer tokens useless; checked before anything else is looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
const SCHEME: &str = "Bearer ";

/// The access token of a call, as it came: for calling another service on behalf of the caller.
///
/// It never shows itself: `Debug` is redacted, and there is no `Display`.
///
/// ```
/// use grpc_auth::BearerToken;
///
/// let token = BearerToken::parse("dGhlIHRva2Vu").unwrap();
/// assert_eq!(format!("{token:?}"), "BearerToken([redacted])");
/// assert_eq!(token.header_value(), "Bearer dGhlIHRva2Vu");
/// assert!(BearerToken::parse("two words").is_none());
/// ```
#[derive(Clone)]
pub struct BearerToken(Arc<str>);

/// Why the metadata holds no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    Missing,
    OtherScheme,
    Malformed(&'static str),
}

impl BearerToken {
    /// Takes a token68 of RFC 7235 §2.1 of at most 8 KiB.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let fits = token.len() <= MAX_TOKEN_BYTES && is_token68(token.as_bytes());
        fits.then(|| Self(token.into()))
    }

    /// The token itself. Whoever holds it can act as the caller.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// The value of an `authorization` header, marked sensitive.
    ///
    /// # Panics
    /// Never: every token68 can stand in a header.
    #[must_use]
    #[expect(clippy::expect_used, reason = "every token68 can stand in a header")]
    pub fn header_value(&self) -> HeaderValue {
        let value = HeaderValue::try_from(format!("{SCHEME}{}", self.0));
        let mut value = value.expect("a token68 is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// Reads `authorization`, and only it: not `authorization-bin`, no cookie, no query parameter.
    #[cfg(test)]
    pub(crate) fn from_headers(mut headers: HeaderMap) -> Result<Self, NoToken> {
        Presented::of(&mut headers)?.parse()
    }
}

/// What stands where a token should. Only its frame was looked at: that is enough to find a token
/// that was verified before, and a token costs more to look through than to find.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'h>(&'h [u8]);

impl<'h> Presented<'h> {
    /// Finds the credentials, and hides them: whoever prints the metadata further in does not print
    /// the token.
    pub(crate) fn of(headers: &'h mut HeaderMap) -> Result<Self, NoToken> {
        // Hardly any call has a header of several values; otherwise they are counted.
        if headers.len() != headers.keys_len() && count_and_hide(headers) > 1 {
            return Err(NoToken::Malformed("several authorization values"));
        }
        let value = headers.get_mut(AUTHORIZATION).ok_or(NoToken::Missing)?;
        value.set_sensitive(true);
        if value.len() > MAX_TOKEN_BYTES + SCHEME.len() {
            return Err(NoToken::Malformed("longer than 8 KiB"));
        }
        let value = &*value;
        if let Some(token) = value.as_bytes().strip_prefix(SCHEME.as_bytes()) {
            return Ok(Self(token));
        }
        match value.as_bytes().split_at_checked(SCHEME.len()) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) => {
                Ok(Self(token))
            }
            _ => Err(no_bearer(value)),
        }
    }

    pub(crate) fn token(&self) -> &'h [u8] {
        self.0
    }

    /// Looks through the token.
    pub(crate) fn parse(&self) -> Result<BearerToken, NoToken> {
        let token = str::from_utf8(self.0).ok().filter(|token| token.is_ascii());
        let token = token.ok_or(NoToken::Malformed("not ASCII"))?;
        BearerToken::parse(token).ok_or(NoToken::Malformed(NOT_ONE))
    }
}

/// Methods that let anyone in see all of them. (`entry` alone would reserve a place, and a map can
/// be full.)
fn count_and_hide(headers: &mut HeaderMap) -> usize {
    if headers.contains_key(AUTHORIZATION)
        && let Entry::Occupied(mut credentials) = headers.entry(AUTHORIZATION)
    {
        return credentials.iter_mut().map(|value| value.set_sensitive(true)).count();
    }
    0
}

const NOT_ONE: &str = "not one token68 after `Bearer `";

fn no_bearer(value: &HeaderValue) -> NoToken {
    let Ok(value) = value.to_str() else { return NoToken::Malformed("not ASCII") };
    match value.split_once(' ').map_or(value, |(scheme, _)| scheme) {
        "" => NoToken::Malformed("no scheme"),
        scheme if scheme.eq_ignore_ascii_case(SCHEME.trim_end()) => NoToken::Malformed(NOT_ONE),
        _ => NoToken::OtherScheme,
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([redacted])")
    }
}

/// token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
fn is_token68(token: &[u8]) -> bool {
    let unpadded = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (body, _) = token.split_at(unpadded);
    !body.is_empty()
        && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> HeaderMap {
        values.into_iter().map(|v| (AUTHORIZATION, HeaderValue::from_bytes(v).unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b-_~+/c==", "bearer a.b-_~+/c==", "BEARER a.b-_~+/c=="] {
            let token = BearerToken::from_headers(headers([value.as_bytes()])).unwrap();
            assert_eq!(token.expose_secret(), "a.b-_~+/c==");
            assert_eq!(token.header_value(), "Bearer a.b-_~+/c==");
            assert!(token.header_value().is_sensitive());
        }
    }

    #[test]
    fn anything_else_is_refused_by_its_reason() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        let two_tokens = NoToken::Malformed("not one token68 after `Bearer `");
        for (values, reason) in [
            (vec![], NoToken::Missing),
            (vec!["Bearer a", "Bearer a"], NoToken::Malformed("several authorization values")),
            (vec!["Bearer a", "Basic a"], NoToken::Malformed("several authorization values")),
            (vec!["Basic YTpi"], NoToken::OtherScheme),
            (vec!["DPoP a.b.c"], NoToken::OtherScheme),
            (vec!["a.b.c"], NoToken::OtherScheme),
            (vec!["Bearer\ta"], NoToken::OtherScheme),
            (vec![""], NoToken::Malformed("no scheme")),
            (vec![" Bearer a"], NoToken::Malformed("no scheme")),
            (vec!["Bearer"], two_tokens),
            (vec!["Bearer "], two_tokens),
            (vec!["Bearer  a"], two_tokens),
            (vec!["Bearer a "], two_tokens),
            (vec!["Bearer a b"], two_tokens),
            (vec!["Bearer a,Bearer b"], two_tokens),
            (vec!["Bearer =="], two_tokens),
            (vec!["Bearer a=b"], two_tokens),
            (vec![&*long], NoToken::Malformed("longer than 8 KiB")),
        ] {
            let headers = headers(values.iter().map(|value| value.as_bytes()));
            assert_eq!(BearerToken::from_headers(headers).unwrap_err(), reason, "{values:?}");
        }
        let not_ascii = headers([&b"Bearer \xff"[..]]);
        assert_eq!(
            BearerToken::from_headers(not_ascii).unwrap_err(),
            NoToken::Malformed("not ASCII")
        );
    }

    #[test]
    fn other_places_are_not_read() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization-bin", HeaderValue::from_static("Bearer a"));
        headers.insert("cookie", HeaderValue::from_static("authorization=Bearer a"));
        assert_eq!(BearerToken::from_headers(headers).unwrap_err(), NoToken::Missing);
    }
}
