//! Who is registered: clients and users, and what scopes mean to people.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::authorize::without_port;
use crate::jwks::KeySet;
use crate::scope::is_scope_token;
use crate::sender::Thumbprint;

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

/// A client to be registered with
/// [`AuthorizationServer::register`](super::AuthorizationServer::register).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use grpc_auth::testing::{AuthorizationServer, Registration};
///
/// let issuer = AuthorizationServer::start().await?;
/// issuer.register(
///     Registration::public("cli")
///         .redirect_uri("http://127.0.0.1/callback")
///         .scopes(["read:echo", "write:echo"]),
/// );
/// issuer.add_user("alice", "wonderland");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a registration does nothing until it is given to a server"]
pub struct Registration {
    pub(super) id: String,
    pub(super) client: Client,
}

impl Registration {
    /// A client without a secret, such as a program on people's machines: people sign in with a
    /// code or on another device, and it may be given refresh tokens.
    pub fn public(id: impl Into<String>) -> Self {
        let grants = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken];
        Self { id: id.into(), client: Client::new(Credentials::None, grants) }
    }

    /// A client with a secret, for every grant. It authenticates with `client_secret_basic` or
    /// `client_secret_post`.
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        let credentials = Credentials::Secret(secret.into());
        Self { id: id.into(), client: Client::new(credentials, GrantType::ALL) }
    }

    /// A client that authenticates by assertions (`private_key_jwt`, RFC 7523), signed with a key
    /// of this key set, for every grant.
    pub fn with_keys(id: impl Into<String>, jwks: impl Into<String>) -> Self {
        let credentials = Credentials::Keys(jwks.into());
        Self { id: id.into(), client: Client::new(credentials, GrantType::ALL) }
    }

    /// What people are shown as its name. Default: its id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.client.name = Some(name.into());
        self
    }

    /// Where people are sent back to after signing in; may be called several times. It is compared
    /// exactly, but for the port of `http://127.0.0.1` and `http://[::1]` (RFC 8252 §7.3).
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.client.redirect_uris.push(uri.into());
        self
    }

    /// What it may be granted; all of it if it does not ask. `openid` and `offline_access` may be
    /// asked for on top where people sign in.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.client.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// For whom it may get tokens, the first if it does not ask. Default: for anyone, and opaque
    /// tokens if it does not ask.
    pub fn audiences<S: Into<String>>(mut self, audiences: impl IntoIterator<Item = S>) -> Self {
        self.client.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// How it may get tokens, instead of its kind's default.
    pub fn grants(mut self, grants: impl IntoIterator<Item = GrantType>) -> Self {
        self.client.grants = grants.into_iter().collect();
        self
    }

    /// Gives it a refresh token whenever a person signs in, not only for `offline_access`.
    pub fn always_refresh_tokens(mut self) -> Self {
        self.client.always_refreshes = true;
        self
    }

    /// Whether it can work: the field that cannot, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let client = &self.client;
        if self.id.is_empty() {
            return Err(("id", "it is empty".into()));
        }
        match &client.credentials {
            Credentials::Secret(secret) if secret.is_empty() => {
                return Err(("secret", "it is empty: leave it out for a public client".into()));
            }
            Credentials::Keys(jwks) if KeySet::parse(jwks.as_bytes()).is_err() => {
                return Err(("jwks", "it is no key set with a usable public key".into()));
            }
            Credentials::None => {
                let own = [GrantType::ClientCredentials, GrantType::TokenExchange];
                if let Some(grant) = client.grants.iter().find(|grant| own.contains(grant)) {
                    let why = format!("`{}` is not for clients without a secret", grant.as_str());
                    return Err(("grant_types", why));
                }
            }
            _ => {}
        }
        for uri in &client.redirect_uris {
            check_redirect_uri(uri).map_err(|why| ("redirect_uris", format!("{uri:?} {why}")))?;
        }
        for scope in &client.scopes {
            if !is_scope_token(scope.as_bytes()) {
                return Err(("scopes", format!("{scope:?} is not a scope name (RFC 6749 §3.3)")));
            }
        }
        if client.audiences.iter().any(String::is_empty) {
            return Err(("audiences", "one of them is empty".into()));
        }
        Ok(())
    }
}

/// https, http on a loopback address, or an application's own scheme (RFC 8252 §7).
fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    // The parser mends what it reads; browsers and clients would not compare equal.
    let is_printable = uri.bytes().all(|byte| byte.is_ascii_graphic());
    let url = Url::parse(uri).ok().filter(|_| is_printable);
    let url = url.ok_or("is not an absolute address, like `http://127.0.0.1/callback`")?;
    if url.fragment().is_some() {
        return Err("has a fragment (RFC 6749 §3.1.2): write it without");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it: write it without");
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(Host::Ipv4(address))) if address.is_loopback() => Ok(()),
        ("http", Some(Host::Ipv6(address))) if address.is_loopback() => Ok(()),
        ("http", Some(Host::Domain("localhost"))) => Ok(()),
        // Not `javascript:`: its own scheme is a domain name in reverse.
        (scheme, _) if scheme.contains('.') => Ok(()),
        _ => Err("is neither https, nor http on a loopback address, nor of a scheme like \
                  `com.example.app` (RFC 8252 §7)"),
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
