//! The credentials of a call: exactly one bearer token in the metadata (RFC 6750 §2.1).

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// No token is longer: HTTP/2 header limits make longer ones useless.
pub(crate) const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// The longest token that a resource server accepts unless it is configured otherwise. Tokens of
/// Microsoft Entra ID with 200 groups have 11.6 KB.
pub(crate) const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest scheme, with the spaces behind it (RFC 9110 §11.4: `1*SP`).
const MAX_SCHEME_BYTES: usize = 64;
const SCHEME: &str = "Bearer ";
const DPOP: &str = "DPoP ";

/// The access token of a call, as it came: for calling another service on behalf of the caller.
///
/// A token that is bound to its sender (RFC 8705, RFC 9449) is refused by another service: exchange
/// it for one of your own.
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
pub struct BearerToken(Arc<[u8]>);

/// Why the metadata holds no bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    Missing,
    OtherScheme,
    DpopOff,
    /// Longer than the setting allows.
    TooLong {
        bytes: usize,
        max: usize,
    },
    Malformed(&'static str),
}

impl BearerToken {
    /// Accepts a token68 of RFC 9110 §11.2 of at most 64 KiB. A resource server accepts 16 KiB, or
    /// what [`max_token_bytes`](crate::ResourceServerBuilder::max_token_bytes) says.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        Self::from_bytes(token.as_bytes())
    }

    fn from_bytes(token: &[u8]) -> Option<Self> {
        (token.len() <= MAX_TOKEN_BYTES && is_token68(token)).then(|| Self(token.into()))
    }

    /// For bytes that were found to be a token before.
    pub(crate) fn known(token: &[u8]) -> Self {
        Self(token.into())
    }

    /// The token itself: a program that has it can act as the caller.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        // Every token68 is ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value of an `authorization` header, marked sensitive.
    ///
    /// # Panics
    /// Never: every token68 can stand in a header.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.value(SCHEME)
    }

    /// The same for a token that is sent with a proof (RFC 9449 §7.1).
    pub(crate) fn dpop_header_value(&self) -> HeaderValue {
        self.value(DPOP)
    }

    #[expect(clippy::expect_used, reason = "every token68 can stand in a header")]
    fn value(&self, scheme: &str) -> HeaderValue {
        let value = HeaderValue::try_from(format!("{scheme}{}", self.expose_secret()));
        let mut value = value.expect("a token68 is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// Reads `authorization`, and only it: not `authorization-bin`, no cookie, no query parameter.
    #[cfg(test)]
    pub(crate) fn from_headers(mut headers: HeaderMap) -> Result<Self, NoToken> {
        Presented::of(&mut headers, DEFAULT_MAX_TOKEN_BYTES)?.parse()
    }
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// As a bearer token (RFC 6750).
    Bearer,
    /// With a proof of its holder's key (RFC 9449 §7.1).
    Dpop,
}

/// The raw credential. Only its scheme and length were checked: that is enough to find a token in the
/// cache, which costs less than a check of its characters.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'h> {
    token: &'h [u8],
    scheme: Scheme,
}

impl<'h> Presented<'h> {
    /// Finds the credentials, and marks them as sensitive: printed metadata does not show
    /// the token. Its length is checked before anything else.
    #[inline]
    pub(crate) fn of(headers: &'h mut HeaderMap, max_bytes: usize) -> Result<Self, NoToken> {
        // Hardly any call has a header of several values; otherwise they are counted.
        if headers.len() != headers.keys_len() && count_and_hide(headers) > 1 {
            return Err(NoToken::Malformed("several authorization values"));
        }
        let value = headers.get_mut(AUTHORIZATION).ok_or(NoToken::Missing)?;
        value.set_sensitive(true);
        let value = &*value;
        match value.as_bytes().strip_prefix(SCHEME.as_bytes()) {
            Some(token) if token.len() <= max_bytes && token.first() != Some(&b' ') => {
                Ok(Self { token, scheme: Scheme::Bearer })
            }
            _ => Self::of_any_scheme(value, max_bytes),
        }
    }

    /// The same for every spelling: schemes are compared without case, and one or more spaces follow
    /// (RFC 9110 §11.1, §11.4).
    fn of_any_scheme(value: &'h HeaderValue, max: usize) -> Result<Self, NoToken> {
        if value.len() > max + MAX_SCHEME_BYTES {
            return Err(NoToken::TooLong { bytes: value.len(), max });
        }
        let after = |prefix: &str| {
            let (scheme, token) = value.as_bytes().split_at_checked(prefix.len())?;
            scheme.eq_ignore_ascii_case(prefix.as_bytes()).then_some(token)
        };
        let (token, scheme) = match (after(SCHEME), after(DPOP)) {
            (Some(token), _) => (token, Scheme::Bearer),
            (None, Some(token)) => (token, Scheme::Dpop),
            (None, None) => return Err(no_bearer(value)),
        };
        let spaces = token.iter().take_while(|byte| **byte == b' ').count();
        let (_, token) = token.split_at(spaces);
        if token.len() > max {
            return Err(NoToken::TooLong { bytes: token.len(), max });
        }
        Ok(Self { token, scheme })
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn token(&self) -> &'h [u8] {
        self.token
    }

    /// Looks through the token.
    pub(crate) fn parse(&self) -> Result<BearerToken, NoToken> {
        BearerToken::from_bytes(self.token).ok_or_else(|| {
            NoToken::Malformed(match self.scheme {
                _ if !self.token.is_ascii() => "not ASCII",
                Scheme::Bearer => NOT_ONE,
                Scheme::Dpop => "not one token68 after `DPoP `",
            })
        })
    }
}

/// Methods that let anyone in see all of them. (`entry` would reserve a place, and a map can be full.)
fn count_and_hide(headers: &mut HeaderMap) -> usize {
    let credentials = headers.iter_mut().filter(|(name, _)| **name == AUTHORIZATION);
    credentials.map(|(_, value)| value.set_sensitive(true)).count()
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
    // Without a branch: all bytes are good nearly always, and so many are looked at at a time.
    let is_good = |byte: u8| {
        // `-`, `.`, `/` and the digits follow each other.
        ((byte | 0x20).wrapping_sub(b'a') < 26)
            | (byte.wrapping_sub(b'-') <= b'9' - b'-')
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'+')
    };
    !body.is_empty() && body.iter().fold(true, |good, byte| good & is_good(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> HeaderMap {
        values.into_iter().map(|v| (AUTHORIZATION, HeaderValue::from_bytes(v).unwrap())).collect()
    }

    #[test]
    fn one_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for value in [
            "Bearer a.b-_~+/c==",
            "bearer a.b-_~+/c==",
            "BEARER a.b-_~+/c==",
            // RFC 9110 §11.4: `1*SP` (spring-security#19500).
            "Bearer  a.b-_~+/c==",
            "bearer     a.b-_~+/c==",
        ] {
            let token = BearerToken::from_headers(headers([value.as_bytes()])).unwrap();
            assert_eq!(token.expose_secret(), "a.b-_~+/c==");
            assert_eq!(token.header_value(), "Bearer a.b-_~+/c==");
            assert!(token.header_value().is_sensitive());
        }
    }

    #[test]
    fn anything_else_is_refused_by_its_reason() {
        let two_tokens = NoToken::Malformed("not one token68 after `Bearer `");
        for (values, reason) in [
            (vec![], NoToken::Missing),
            (vec!["Bearer a", "Bearer a"], NoToken::Malformed("several authorization values")),
            (vec!["Bearer a", "Basic a"], NoToken::Malformed("several authorization values")),
            (vec!["Basic YTpi"], NoToken::OtherScheme),
            (vec!["DPoP"], NoToken::OtherScheme),
            (vec!["DPoP a b"], NoToken::Malformed("not one token68 after `DPoP `")),
            (vec!["a.b.c"], NoToken::OtherScheme),
            (vec!["Bearer\ta"], NoToken::OtherScheme),
            (vec![""], NoToken::Malformed("no scheme")),
            (vec![" Bearer a"], NoToken::Malformed("no scheme")),
            (vec!["Bearer"], two_tokens),
            (vec!["Bearer "], two_tokens),
            (vec!["Bearer  "], two_tokens),
            (vec!["Bearer  a b"], two_tokens),
            (vec!["Bearer \ta"], two_tokens),
            (vec!["Bearer\t a"], NoToken::OtherScheme),
            (vec!["Bearer a "], two_tokens),
            (vec!["Bearer a b"], two_tokens),
            (vec!["Bearer a,Bearer b"], two_tokens),
            (vec!["Bearer =="], two_tokens),
            (vec!["Bearer a=b"], two_tokens),
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
    fn the_length_of_a_token_is_bounded_whatever_stands_before_it() {
        const MAX: usize = 2048;
        let find = |value: String| {
            let mut headers = headers([value.as_bytes()]);
            Presented::of(&mut headers, MAX).map(|presented| presented.token().len())
        };
        for scheme in ["Bearer ", "bearer ", "Bearer      ", "DPoP ", "dpop  "] {
            assert_eq!(find(format!("{scheme}{}", "a".repeat(MAX))), Ok(MAX), "{scheme:?}");
            let longer = find(format!("{scheme}{}", "a".repeat(MAX + 1)));
            assert_eq!(longer, Err(NoToken::TooLong { bytes: MAX + 1, max: MAX }), "{scheme:?}");
        }
        // Of the spaces, so many are read.
        let spaces = |count| find(format!("Bearer{}a", " ".repeat(count)));
        assert_eq!(spaces(MAX), Ok(1));
        assert!(matches!(spaces(MAX + 64), Err(NoToken::TooLong { .. })));
        for junk in ["x", "Basic x", "Bearer ", " "] {
            let found = find(junk.repeat(1024 * 1024));
            assert!(matches!(found, Err(NoToken::TooLong { .. })), "{junk:?}: {found:?}");
        }
        assert!(BearerToken::parse(&"a".repeat(MAX_TOKEN_BYTES)).is_some());
        assert!(BearerToken::parse(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_none());
    }

    #[test]
    fn a_token_with_a_proof_is_told_from_a_bearer_token() {
        for (value, scheme) in [
            ("Bearer a", Scheme::Bearer),
            ("bEARER a", Scheme::Bearer),
            ("DPoP a", Scheme::Dpop),
            ("dpop a", Scheme::Dpop),
            ("DPoP  a", Scheme::Dpop),
        ] {
            let mut headers = headers([value.as_bytes()]);
            let presented = Presented::of(&mut headers, DEFAULT_MAX_TOKEN_BYTES).unwrap();
            assert_eq!((presented.scheme(), presented.token()), (scheme, &b"a"[..]), "{value}");
        }
    }

    /// Methods that let anyone in see them all.
    #[test]
    fn every_credential_is_hidden_from_whoever_prints_the_metadata() {
        for values in [&["Bearer a"][..], &["Bearer a", "Bearer b"], &["Basic a", "x", "y"]] {
            let mut headers = headers(values.iter().map(|value| value.as_bytes()));
            headers.append("other", HeaderValue::from_static("1"));
            headers.append("other", HeaderValue::from_static("2"));
            let _ = Presented::of(&mut headers, DEFAULT_MAX_TOKEN_BYTES);
            assert!(headers.get_all(AUTHORIZATION).iter().all(HeaderValue::is_sensitive));
            assert!(!headers.get_all("other").iter().any(HeaderValue::is_sensitive));
        }
    }

    #[test]
    fn a_token68_has_these_characters_and_no_others() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            for length in [1, 17, 64] {
                for place in [0, length / 2, length - 1] {
                    let mut token = vec![b'a'; length];
                    token[place] = byte;
                    let is_padding = byte == b'=' && place == length - 1 && length > 1;
                    assert_eq!(is_token68(&token), expected || is_padding, "{token:?}");
                }
            }
        }
    }

    #[test]
    fn other_places_are_not_read() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization-bin", HeaderValue::from_static("Bearer a"));
        headers.insert("cookie", HeaderValue::from_static("authorization=Bearer a"));
        assert_eq!(BearerToken::from_headers(headers).unwrap_err(), NoToken::Missing);
    }
}
