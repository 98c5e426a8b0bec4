//! A client as it is registered.

use std::fmt;

use url::{Host, Url};

use super::registry::{Credentials, GrantType, without_port};
use crate::jwks::set::KeySet;
use crate::token::scope::is_scope_token;

/// A client to be registered with
/// [`TestAuthorizationServer::register`](crate::testing::TestAuthorizationServer::register).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use grpc_auth::testing::{TestAuthorizationServer, ClientRegistration};
///
/// let issuer = TestAuthorizationServer::start().await?;
/// issuer.register(
///     ClientRegistration::public("cli")
///         .redirect_uri("http://127.0.0.1/callback")
///         .scopes(["read:echo", "write:echo"]),
/// );
/// issuer.add_user("alice", "wonderland");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a registration does nothing until it is given to a server"]
pub struct ClientRegistration {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) credentials: Credentials,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// None: any.
    pub(crate) audiences: Vec<String>,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) always_refreshes: bool,
}

impl ClientRegistration {
    /// A client without a secret, such as a program on people's machines: people sign in with a
    /// code or on another device, and it may be given refresh tokens.
    pub fn public(id: impl Into<String>) -> Self {
        let grants = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken];
        Self::new(id.into(), Credentials::None).grants(grants)
    }

    /// A client with a secret, for every grant. It authenticates with `client_secret_basic` or
    /// `client_secret_post`.
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id.into(), Credentials::Secret(secret.into()))
    }

    /// A client that authenticates by assertions (`private_key_jwt`, RFC 7523), signed with a key
    /// of this key set, for every grant.
    pub fn with_keys(id: impl Into<String>, jwks: impl Into<String>) -> Self {
        Self::new(id.into(), Credentials::Keys(jwks.into()))
    }

    fn new(id: String, credentials: Credentials) -> Self {
        Self {
            id,
            name: None,
            credentials,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            audiences: Vec::new(),
            grants: GrantType::ALL.into(),
            always_refreshes: false,
        }
    }

    /// What people are shown as its name. Default: its id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where people are sent back to after signing in; may be called several times. It is compared
    /// exactly, but for the port of `http://127.0.0.1` and `http://[::1]` (RFC 8252 §7.3).
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// What it may be granted; all of it if it does not ask. `openid` and `offline_access` may be
    /// asked for on top where people sign in.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// For whom it may get tokens, the first if it does not ask. Default: for anyone, and opaque
    /// tokens if it does not ask.
    pub fn audiences<S: Into<String>>(mut self, audiences: impl IntoIterator<Item = S>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// How it may get tokens, instead of its kind's default.
    pub fn grants(mut self, grants: impl IntoIterator<Item = GrantType>) -> Self {
        self.grants = grants.into_iter().collect();
        self
    }

    /// Gives it a refresh token whenever a person signs in, not only for `offline_access`.
    pub fn always_refresh_tokens(mut self) -> Self {
        self.always_refreshes = true;
        self
    }

    pub(crate) fn is_public(&self) -> bool {
        matches!(self.credentials, Credentials::None)
    }

    pub(crate) fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Byte for byte, but for the port of a loopback address, which the system chooses
    /// (RFC 8252 §7.3).
    pub(crate) fn has_redirect_uri(&self, uri: &str) -> bool {
        let asked = without_port(uri);
        let is_same_but_for_port = |own: &str| asked.is_some() && without_port(own) == asked;
        self.redirect_uris.iter().any(|own| own == uri || is_same_but_for_port(own))
    }

    /// Whether it can work: the field that cannot, and why.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.id.is_empty() {
            return Err(("id", "it is empty".into()));
        }
        match &self.credentials {
            Credentials::Secret(secret) if secret.is_empty() => {
                return Err(("secret", "it is empty: leave it out for a public client".into()));
            }
            Credentials::Keys(jwks) if KeySet::parse(jwks.as_bytes()).is_err() => {
                return Err(("jwks", "it is no key set with a usable public key".into()));
            }
            Credentials::None => {
                let own = [GrantType::ClientCredentials, GrantType::TokenExchange];
                if let Some(grant) = self.grants.iter().find(|grant| own.contains(grant)) {
                    let why = format!("`{}` is not for clients without a secret", grant.as_str());
                    return Err(("grant_types", why));
                }
            }
            _ => {}
        }
        for uri in &self.redirect_uris {
            check_redirect_uri(uri).map_err(|why| ("redirect_uris", format!("{uri:?} {why}")))?;
        }
        for scope in &self.scopes {
            if !is_scope_token(scope.as_bytes()) {
                return Err(("scopes", format!("{scope:?} is not a scope name (RFC 6749 §3.3)")));
            }
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(("audiences", "one of them is empty".into()));
        }
        Ok(())
    }
}

/// Without the credentials.
impl fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRegistration")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
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
