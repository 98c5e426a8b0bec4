//! Authorization servers: what each of them is called, where its keys are, what its tokens mean.

mod auth0;
pub(crate) mod discovery;
mod grants;

use std::fmt;

pub use auth0::Auth0Config;
pub use grants::GrantSource;

pub(crate) use auth0::check_domain;
pub(crate) use grants::{GrantsError, unite};

/// An authorization server whose tokens are accepted.
///
/// | constructor | issuer | keys | token types | grants from |
/// |---|---|---|---|---|
/// | [`oidc`](Self::oidc) | as given | discovery | `at+jwt` (RFC 9068) | `scope` |
/// | [`auth0`](Self::auth0) | `https://DOMAIN/` | `/.well-known/jwks.json` | `JWT`, `at+jwt` | `scope`, `permissions` |
/// | [`static_keys`](Self::static_keys) | as given | given | `at+jwt` | `scope` |
///
/// ```
/// use grpc_auth::{GrantSource, Issuer};
///
/// // Roles become grants under a prefix of their own, so that no role can pose as a scope.
/// let issuer = Issuer::oidc("https://sso.example.com/realms/main")
///     .grants_from([
///         GrantSource::words("/scope"),
///         GrantSource::array("/realm_access/roles").prefixed("role:"),
///     ]);
/// ```
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(crate) identifier: String,
    pub(crate) auth0_domain: Option<String>,
    pub(crate) keys: Keys,
    pub(crate) token_types: Vec<String>,
    pub(crate) grants: Vec<GrantSource>,
    pub(crate) allow_missing_key_id: bool,
}

/// Where the keys come from, as configured.
#[derive(Clone)]
pub(crate) enum Keys {
    Discovered,
    At(String),
    Given(String),
}

/// A key set that was given may hold, by mistake, what is no public key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovered => f.write_str("Discovered"),
            Self::At(url) => f.debug_tuple("At").field(url).finish(),
            Self::Given(_) => f.write_str("Given([redacted])"),
        }
    }
}

/// The type of a JWT access token (RFC 9068 §2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

impl Issuer {
    /// An OAuth 2.0 authorization server or OpenID provider whose metadata says where its keys
    /// are: OpenID Connect Discovery first, then RFC 8414.
    ///
    /// `issuer` is compared with `iss` byte for byte; a trailing slash matters.
    #[must_use]
    pub fn oidc(issuer: impl Into<String>) -> Self {
        Self {
            identifier: issuer.into(),
            auth0_domain: None,
            keys: Keys::Discovered,
            token_types: vec![ACCESS_TOKEN_TYPE.into()],
            grants: vec![GrantSource::words("/scope")],
            allow_missing_key_id: false,
        }
    }

    /// An Auth0 tenant by its domain, `tenant.eu.auth0.com` or a custom one.
    ///
    /// Auth0 sends `typ: JWT` unless the API uses the RFC 9068 profile; its `permissions` (RBAC)
    /// count as scopes of the same name.
    #[must_use]
    pub fn auth0(domain: impl Into<String>) -> Self {
        auth0::issuer(domain.into())
    }

    /// An issuer whose keys are given as the JSON of a key set: for tests and air-gapped systems.
    #[must_use]
    pub fn static_keys(issuer: impl Into<String>, jwks: impl Into<String>) -> Self {
        Self { keys: Keys::Given(jwks.into()), ..Self::oidc(issuer) }
    }

    /// Fetches the keys from this address instead of asking the issuer's metadata for it.
    #[must_use]
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.keys = Keys::At(url.into());
        self
    }

    /// Accepts tokens of this `typ` too. Servers that do not follow RFC 9068 often send `JWT`;
    /// with it, the audience alone tells an access token from any other JWT of the issuer.
    #[must_use]
    pub fn accept_token_type(mut self, typ: impl Into<String>) -> Self {
        self.token_types.push(typ.into());
        self
    }

    /// Reads grants from these claims instead of the preset's. They are united; at most 512.
    #[must_use]
    pub fn grants_from(mut self, sources: impl IntoIterator<Item = GrantSource>) -> Self {
        self.grants = sources.into_iter().collect();
        self
    }

    /// Accepts tokens without `kid`: up to four keys that fit the algorithm are tried.
    #[must_use]
    pub fn allow_missing_key_id(mut self) -> Self {
        self.allow_missing_key_id = true;
        self
    }
}
