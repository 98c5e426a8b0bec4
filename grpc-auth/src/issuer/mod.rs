//! Authorization servers: what each of them is called, where its keys are, what its tokens mean.

pub(crate) mod introspection;
pub(crate) mod presets;
pub(crate) mod scope_sources;
#[cfg(feature = "redis")]
pub(crate) mod shared_cache;

use std::fmt;
use std::sync::Arc;

pub(crate) use scope_sources::ScopeSource;

use crate::danger::PlaintextIssuer;
use crate::error::ConfigError;
use crate::http::network::Network;
use crate::jose::algorithm::Algorithm;
use crate::jwks::token::JwksToken;
use introspection::Introspection;
use presets::preset::Preset;
use presets::provider::{Provider, Seen};

/// An authorization server whose tokens are accepted.
///
/// | constructor | issuer | keys | token types (`typ`) | for us if | grants from |
/// |---|---|---|---|---|---|
/// | [`discover`](Self::discover) | as given | discovery | `at+jwt` (RFC 9068) | `aud` has our audience | `scope` |
/// | [`auth0`](Self::auth0) | `https://DOMAIN/` | `/.well-known/jwks.json` | `JWT`, `at+jwt` | `aud` | `scope`, `permissions` |
/// | [`okta`](Self::okta) | `https://DOMAIN/oauth2/ID` | discovery | none, `JWT`, `at+jwt` | `aud` | `scp` |
/// | [`entra`](Self::entra) | v2.0 of a tenant | discovery | `JWT`, `at+jwt` | `aud` | `scp`, `roles` as `role:..` |
/// | [`entra_v1`](Self::entra_v1) | `https://sts.windows.net/TENANT/` | the tenant's | `JWT`, `at+jwt` | `aud` | `scp`, `roles` as `role:..` |
/// | [`entra_any_tenant`](Self::entra_any_tenant) | v2.0 of the tenant in `tid` | those common to all | `JWT`, `at+jwt` | `aud` | `scp`, `roles` as `role:..` |
/// | [`keycloak`](Self::keycloak) | `BASE/realms/REALM` | discovery | `JWT`, `at+jwt` | `aud`, and the claim `typ` is `Bearer`, or `DPoP` with a key in `cnf` | `scope`, roles of the realm and of our client as `role:..` |
/// | [`cognito`](Self::cognito) | the user pool | discovery | none, `JWT` | `client_id` is listed, and `token_use` is `access` | `scope`, `cognito:groups` as `group:..` |
/// | [`static_keys`](Self::static_keys) | as given | given | `at+jwt` | `aud` | `scope` |
///
/// What a preset says of grants is replaced by [`scopes_from`](Self::scopes_from).
///
/// ```
/// use grpc_auth::{ScopeSource, Issuer};
///
/// // Roles become grants under a prefix of their own, so that no role can pose as a scope.
/// let issuer = Issuer::discover("https://sso.example.com/realms/main")
///     .scopes_from([
///         ScopeSource::words("/scope"),
///         ScopeSource::array("/realm_access/roles").prefixed("role:"),
///     ]);
/// ```
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(crate) identifier: String,
    provider: Option<Arc<dyn Provider>>,
    pub(crate) keys: Keys,
    pub(crate) token_types: Vec<String>,
    /// Empty: those of its keys.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) intended_for: IntendedFor,
    pub(crate) required_claims: Vec<RequiredClaim>,
    /// Claims that are read beside those of `grants` and `required_claims`.
    pub(crate) also_reads: &'static [&'static str],
    /// The identifier has a place for the tenant that is in the claim `tid`.
    pub(crate) for_any_tenant: bool,
    /// Each key may say for which issuer it is, and then verifies no other's tokens.
    pub(crate) keys_name_issuers: bool,
    pub(crate) grants: Vec<ScopeSource>,
    pub(crate) allow_missing_key_id: bool,
    pub(crate) introspection: Option<Introspection>,
    pub(crate) network: Network,
    pub(crate) jwks_token: Option<JwksToken>,
}

/// How a token says that it is for this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IntendedFor {
    /// `aud` contains one of the configured audiences.
    Audience,
    /// There is no `aud`; it was issued to one of these clients.
    Clients(Vec<String>),
}

/// A claim that has to be there as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequiredClaim {
    pub(crate) name: &'static str,
    /// One of these; without any, every value.
    pub(crate) values: &'static [&'static str],
}

/// Where the keys come from, as configured.
#[derive(Clone)]
pub(crate) enum Keys {
    Discovered,
    At(String),
    Given(String),
    /// Tokens are introspected, all of them.
    None,
}

/// A key set that was given may hold, by mistake, what is no public key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovered => f.write_str("Discovered"),
            Self::At(url) if url.contains('@') => f.write_str("At([redacted])"),
            Self::At(url) => f.debug_tuple("At").field(url).finish(),
            Self::Given(_) => f.write_str("Given([redacted])"),
            Self::None => f.write_str("None"),
        }
    }
}

/// The type of a JWT access token (RFC 9068 §2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

impl Issuer {
    /// The presets, in the order of the table above: for programs that take the provider from their
    /// configuration.
    pub const PRESETS: &'static [Preset] = presets::ALL;

    /// The preset of this name.
    ///
    /// # Errors
    /// [`ConfigError::Value`] lists the names that there are.
    pub fn preset(name: &str) -> Result<&'static Preset, ConfigError> {
        Self::PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
            let names: Vec<_> = Self::PRESETS.iter().map(|preset| preset.name).collect();
            ConfigError::value("provider", name, format!("write one of {}", names.join(", ")))
        })
    }

    /// An OAuth 2.0 authorization server or OpenID provider whose metadata says where its keys
    /// are: OpenID Connect Discovery first, then RFC 8414.
    ///
    /// `issuer` is compared with `iss` byte for byte; a trailing slash matters.
    #[must_use]
    pub fn discover(issuer: impl Into<String>) -> Self {
        Self {
            identifier: issuer.into(),
            provider: None,
            keys: Keys::Discovered,
            token_types: vec![ACCESS_TOKEN_TYPE.into()],
            algorithms: Vec::new(),
            intended_for: IntendedFor::Audience,
            required_claims: Vec::new(),
            also_reads: &[],
            for_any_tenant: false,
            keys_name_issuers: false,
            grants: vec![ScopeSource::words_or_array("/scope")],
            allow_missing_key_id: false,
            introspection: None,
            network: Network::default(),
            jwks_token: None,
        }
    }

    /// An Auth0 tenant by its domain, `tenant.eu.auth0.com` or a custom one.
    ///
    /// Auth0 sends `typ: JWT` unless the API uses the RFC 9068 profile; its `permissions` (RBAC)
    /// count as scopes of the same name.
    #[must_use]
    pub fn auth0(domain: impl Into<String>) -> Self {
        presets::auth0::issuer(domain.into())
    }

    /// A custom authorization server of an Okta organization: `dev-1.okta.com` and its id, often
    /// `default`.
    ///
    /// Access tokens of the organization's own server (`https://DOMAIN` without a path) are for
    /// Okta alone; no other service can verify them.
    #[must_use]
    pub fn okta(domain: impl Into<String>, authorization_server: impl Into<String>) -> Self {
        presets::okta::issuer(domain.into(), authorization_server.into())
    }

    /// One tenant of Microsoft Entra ID, by its id (a GUID), for tokens of version 2.0: the
    /// application's manifest says `requestedAccessTokenVersion: 2`. The audience is the
    /// application's id.
    ///
    /// Application roles become grants with the prefix `role:`. Groups can be added with
    /// [`scopes_from`](Self::scopes_from); Entra leaves them out of tokens of people who have many,
    /// and the log says so then.
    #[must_use]
    pub fn entra(tenant: impl Into<String>) -> Self {
        presets::entra::v2(tenant.into().to_ascii_lowercase())
    }

    /// One tenant of Microsoft Entra ID, for tokens of version 1.0. The audience is the
    /// application's id URI, or its id.
    #[must_use]
    pub fn entra_v1(tenant: impl Into<String>) -> Self {
        presets::entra::v1(tenant.into().to_ascii_lowercase())
    }

    /// Any tenant of Microsoft Entra ID, for tokens of version 2.0: any user of a Microsoft
    /// directory can have one. `iss` must be that of the tenant in `tid`, and the key must be for
    /// it; which tenants may do what is for the rules and the handlers to say. To accept some
    /// tenants, add each with [`entra`](Self::entra) instead.
    #[must_use]
    pub fn entra_any_tenant() -> Self {
        presets::entra::any_tenant()
    }

    /// A realm of Keycloak at its base address, `https://sso.example.com`, and the id of the client
    /// that this service is there.
    ///
    /// Roles of the realm and of this client become grants with the prefix `role:`; roles of other
    /// clients do not count. `aud` must contain the configured audience, which takes an audience
    /// mapper at the caller's client. Lightweight access tokens leave most claims out and are
    /// refused.
    #[must_use]
    pub fn keycloak(
        base: impl Into<String>,
        realm: impl Into<String>,
        client: impl Into<String>,
    ) -> Self {
        presets::keycloak::issuer(base.into(), realm.into(), client.into())
    }

    /// A user pool of Amazon Cognito: `eu-central-1`, `eu-central-1_AbCdEf`, and the ids of the
    /// clients whose users may call.
    ///
    /// Its access tokens have no `aud`: the list of clients is what keeps tokens for other services
    /// out. ID tokens are refused. Groups become grants with the prefix `group:`.
    #[must_use]
    pub fn cognito<S: Into<String>>(
        region: impl Into<String>,
        user_pool: impl Into<String>,
        clients: impl IntoIterator<Item = S>,
    ) -> Self {
        let clients = clients.into_iter().map(Into::into).collect();
        presets::cognito::issuer(region.into(), user_pool.into(), clients)
    }

    /// An issuer whose keys are given as the JSON of a key set: for tests and air-gapped systems.
    #[must_use]
    pub fn static_keys(issuer: impl Into<String>, jwks: impl Into<String>) -> Self {
        Self { keys: Keys::Given(jwks.into()), ..Self::discover(issuer) }
    }

    /// An issuer that introspects every token, JWTs included: its keys are not fetched.
    #[must_use]
    pub fn introspected(issuer: impl Into<String>, introspection: Introspection) -> Self {
        Self { keys: Keys::None, ..Self::discover(issuer).introspection(introspection) }
    }

    /// Asks this issuer about tokens that cannot be verified here (RFC 7662); see
    /// [`Introspection`]. One issuer of a resource server can be asked: an opaque token does not
    /// say whose it is. An issuer that stands for many tenants cannot be asked.
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    fn of_provider(mut self, provider: impl Provider + 'static) -> Self {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// Whether the preset's settings can be what they are said to be.
    pub(crate) fn check(&self, audiences: &[String]) -> Result<(), ConfigError> {
        self.provider.as_ref().map_or(Ok(()), |provider| provider.check(audiences))
    }

    /// What the users of this product run into.
    pub(crate) fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        self.provider.as_ref()?.hint(seen)
    }

    /// Fetches the keys from this address instead of asking the issuer's metadata for it. Then the
    /// identifier of the issuer may be any text, for it is compared and not fetched:
    ///
    /// ```
    /// use grpc_auth::{Issuer, ResourceServer, StartupPolicy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = Issuer::discover("spiffe://cluster.local");
    /// let server = |issuer| {
    ///     let builder = ResourceServer::builder().issuer(issuer).audience("api");
    ///     builder.start(StartupPolicy::Lazy).build()
    /// };
    /// assert!(server(issuer.clone()).await.unwrap_err().to_string().contains("cannot be discovered"));
    /// assert!(server(issuer.jwks_uri("https://keys.example.com/jwks")).await.is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.keys = Keys::At(url.into());
        self
    }

    /// Sends this bearer token with requests for the key set, and with no others: Kubernetes asks
    /// for one at the key set of its service accounts. Default: none.
    ///
    /// ```
    /// use grpc_auth::{Issuer, JwksToken};
    ///
    /// let issuer = Issuer::discover("https://kubernetes.default.svc.cluster.local")
    ///     .jwks_uri("https://kubernetes.default.svc/openid/v1/jwks")
    ///     .jwks_token(JwksToken::file("/var/run/secrets/kubernetes.io/serviceaccount/token"));
    /// ```
    #[must_use]
    pub fn jwks_token(mut self, token: JwksToken) -> Self {
        self.jwks_token = Some(token);
        self
    }

    /// Uses these TLS settings for everything that is fetched from this issuer: metadata, keys and
    /// introspection. Default: those of the server, see
    /// [`ResourceServerBuilder::tls`](crate::ResourceServerBuilder::tls).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Self {
        self.network.set_tls(move |http| tls.apply_to_http(http));
        self
    }

    /// Also fetches from this issuer in plaintext; see [`PlaintextIssuer`] for what that risks.
    #[must_use]
    pub fn plaintext(mut self, origin: PlaintextIssuer) -> Self {
        self.network.set_plaintext(origin.0);
        self
    }

    /// Takes the keys from the JSON of a key set, instead of fetching them: to judge tokens of a
    /// provider where it cannot be reached.
    #[must_use]
    pub fn jwks(mut self, jwks: impl Into<String>) -> Self {
        self.keys = Keys::Given(jwks.into());
        self
    }

    /// Accepts tokens of this `typ` too. Servers that do not follow RFC 9068 often send `JWT`;
    /// with it, the audience alone tells an access token from any other JWT of the issuer. An empty
    /// text accepts tokens that have no `typ`.
    #[must_use]
    pub fn accept_token_type(mut self, typ: impl Into<String>) -> Self {
        self.token_types.push(typ.into());
        self
    }

    /// Reads grants from these claims instead of the preset's. They are united; at most 512.
    #[must_use]
    pub fn scopes_from(mut self, sources: impl IntoIterator<Item = ScopeSource>) -> Self {
        self.grants = sources.into_iter().collect();
        self
    }

    /// Accepts signatures with these algorithms alone. Default: those of the issuer's own keys.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts tokens without `kid`: up to four keys that fit the algorithm are tried. And keys without
    /// `kid`: up to 16 of them are tried for a token whose `kid` no key has. Without key ids a sudden
    /// rotation looks like a forgery; it is noticed with the next refresh, or by a bad signature.
    #[must_use]
    pub fn allow_missing_key_id(mut self) -> Self {
        self.allow_missing_key_id = true;
        self
    }
}
