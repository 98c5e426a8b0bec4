//! A client as it is registered.

use url::{Host, Url};

use super::registry::{Client, Credentials, GrantType};
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
#[derive(Clone, Debug)]
#[must_use = "a registration does nothing until it is given to a server"]
pub struct ClientRegistration {
    pub(crate) id: String,
    pub(crate) client: Client,
}

impl ClientRegistration {
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
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
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
