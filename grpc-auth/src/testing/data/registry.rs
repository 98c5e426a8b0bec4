//! Who is registered: clients and users, and what scopes mean to people.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::token::confirmation::Thumbprint;

/// How a client gets tokens: the values of `grant_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum GrantType {
    /// A person signs in and consents in a browser (RFC 6749 §4.1), always with PKCE (RFC 7636).
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// The client acts for itself (RFC 6749 §4.4).
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// A person signs in on another device (RFC 8628).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code", alias = "device_code")]
    DeviceCode,
    /// A new access token for a refresh token (RFC 6749 §6).
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// A token for another service in place of a caller's (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange", alias = "token_exchange")]
    TokenExchange,
}

impl GrantType {
    pub(crate) const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::RefreshToken,
        Self::TokenExchange,
    ];

    /// The value of `grant_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

/// How a client authenticates.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// It is public.
    None,
    Secret(String),
    /// A key set.
    Keys(String),
}

/// A user who can sign in.
#[derive(Clone)]
pub(crate) struct User {
    password: Thumbprint,
    /// What their tokens say besides.
    pub(crate) claims: Map<String, Value>,
}

impl User {
    pub(crate) fn new(password: &str, claims: Map<String, Value>) -> Self {
        Self { password: Thumbprint::of(password.as_bytes()), claims }
    }

    /// A claim that the server makes itself.
    pub(crate) fn reserved(claims: &Map<String, Value>) -> Option<&str> {
        claims.keys().map(String::as_str).find(|name| RESERVED_CLAIMS.contains(name))
    }
}

const RESERVED_CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "client_id",
    "azp",
    "act",
    "may_act",
    "cnf",
    "nonce",
    "auth_time",
    "at_hash",
];

/// The users by their names.
#[derive(Default)]
pub(crate) struct Users(pub(crate) BTreeMap<String, User>);

impl Users {
    /// Whether this is a user's password; it takes as long if there is no such user.
    pub(crate) fn knows(&self, name: &str, password: &str) -> bool {
        let given = Thumbprint::of(password.as_bytes());
        let user = self.0.get(name);
        let own = user.map_or_else(|| Thumbprint::of(b""), |user| user.password);
        verify_slices_are_equal(own.as_bytes(), given.as_bytes()).is_ok() && user.is_some()
    }
}

/// An address without its port, if it is http on a loopback address.
pub(crate) fn without_port(uri: &str) -> Option<(&str, &str)> {
    let host =
        ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
    let rest = uri.get(host.len()..)?;
    let rest = match rest.strip_prefix(':') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (port, rest) = rest.split_at_checked(digits)?;
            port.parse::<u16>().ok()?;
            rest
        }
        None => rest,
    };
    // Not the beginning of another host's name.
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_without_its_port_is_host_and_rest() {
        for (uri, expected) in [
            ("http://127.0.0.1/callback", Some(("http://127.0.0.1", "/callback"))),
            ("http://127.0.0.1:1/callback?a", Some(("http://127.0.0.1", "/callback?a"))),
            ("http://[::1]:65535/", Some(("http://[::1]", "/"))),
            ("http://127.0.0.1:80", Some(("http://127.0.0.1", ""))),
            ("http://127.0.0.1:65536/", None),
            ("http://127.0.0.1:/", None),
            ("http://127.0.0.1:+1/", None),
            ("http://127.0.0.1:80@evil.example/", None),
            ("http://127.0.0.1@evil.example/", None),
            ("http://127.0.0.1.evil.example/", None),
            ("http://127.0.0.12/", None),
            ("http://localhost/", None),
            ("https://127.0.0.1/", None),
        ] {
            assert_eq!(without_port(uri), expected, "{uri}");
        }
    }
}
