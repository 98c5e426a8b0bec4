//! Who is registered: clients and users, and what scopes mean to people.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::authorize::request::without_port;
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
    pub(super) const ALL: [Self; 5] = [
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

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

/// A registered client and what it may be granted.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) name: Option<String>,
    pub(super) credentials: Credentials,
    pub(super) redirect_uris: Vec<String>,
    pub(super) scopes: Vec<String>,
    /// None: any.
    pub(super) audiences: Vec<String>,
    pub(super) grants: Vec<GrantType>,
    pub(super) always_refreshes: bool,
}

/// How a client authenticates.
#[derive(Clone)]
pub(super) enum Credentials {
    /// It is public.
    None,
    Secret(String),
    /// A key set.
    Keys(String),
}

impl Client {
    pub(super) fn new(
        credentials: Credentials,
        grants: impl IntoIterator<Item = GrantType>,
    ) -> Self {
        Self {
            name: None,
            credentials,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            audiences: Vec::new(),
            grants: grants.into_iter().collect(),
            always_refreshes: false,
        }
    }

    pub(super) fn is_public(&self) -> bool {
        matches!(self.credentials, Credentials::None)
    }

    pub(super) fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Byte for byte, but for the port of a loopback address, which the system chooses
    /// (RFC 8252 §7.3).
    pub(super) fn has_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|own| own == uri || is_same_but_for_port(own, uri))
    }
}

fn is_same_but_for_port(own: &str, other: &str) -> bool {
    matches!((without_port(own), without_port(other)), (Some(own), Some(other)) if own == other)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// Someone who can sign in.
#[derive(Clone)]
pub(super) struct User {
    password: Thumbprint,
    /// What their tokens say besides.
    pub(super) claims: Map<String, Value>,
}

impl User {
    pub(super) fn new(password: &str, claims: Map<String, Value>) -> Self {
        Self { password: Thumbprint::of(password.as_bytes()), claims }
    }

    /// A claim that the server makes itself.
    pub(super) fn reserved(claims: &Map<String, Value>) -> Option<&str> {
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
pub(super) struct Users(pub(super) BTreeMap<String, User>);

impl Users {
    /// Whether this is a user's password; it takes as long if there is no such user.
    pub(super) fn knows(&self, name: &str, password: &str) -> bool {
        let given = Thumbprint::of(password.as_bytes());
        let user = self.0.get(name);
        let own = user.map_or_else(|| Thumbprint::of(b""), |user| user.password);
        verify_slices_are_equal(own.as_bytes(), given.as_bytes()).is_ok() && user.is_some()
    }
}
