//! Configuration that cannot work: said when the server is built, with what to write instead.

use std::error::Error;
use std::fmt;

/// Why a resource server cannot be built.
///
/// Each text names the setting and says what to write. `Debug` says the same, with all causes: it
/// is what a `main` prints that returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No audience is set: tokens made for other services would be accepted.
    #[error(
        "no audience is set: call `.audience(\"https://api.example.com\")` with the identifier \
         that this service has at the authorization server"
    )]
    AudienceMissing,
    /// An audience is empty, or cannot stand in a header.
    #[error(
        "the audience {value:?} cannot be used: write the identifier of this service as it stands \
         in `aud`, printable ASCII without quotes"
    )]
    AudienceInvalid {
        /// What was configured.
        value: String,
    },
    /// The realm cannot stand in a header.
    #[error("the realm {value:?} cannot be used: write printable ASCII without quotes")]
    RealmInvalid {
        /// What was configured.
        value: String,
    },
    /// No issuer is set: no token could ever be believed.
    #[error(
        "no issuer is set: start with `ResourceServer::auth0(..)`, `::oidc(..)` or \
         `::static_keys(..)`, or add one with `.issuer(..)`"
    )]
    IssuerMissing,
    /// The same issuer is configured twice: which of them decides would be a guess.
    #[error("the issuer `{issuer}` is configured twice: keep one of them")]
    IssuerDuplicate {
        /// The issuer.
        issuer: String,
    },
    /// An issuer or key-set address is not a URL.
    #[error("the {setting} {value:?} is not a URL: write it like `https://issuer.example.com/`")]
    UrlInvalid {
        /// Which setting.
        setting: &'static str,
        /// What was configured.
        value: String,
        /// Why it is none.
        #[source]
        source: url::ParseError,
    },
    /// An issuer or key-set address would be fetched without TLS from another host.
    #[error(
        "the {setting} `{value}` is not https: whoever sits on the way could hand out keys of \
         their own; write `https://..` (plain http is accepted from loopback addresses alone)"
    )]
    UrlInsecure {
        /// Which setting.
        setting: &'static str,
        /// What was configured.
        value: String,
    },
    /// An issuer's document names an address of the machine or the network link that this program
    /// runs on.
    #[error(
        "the {member} `{value}` is a loopback, link-local or unspecified address, and the issuer is \
         not: an issuer's document must not lead this program to services beside it; let the issuer \
         name another address, or configure {help}"
    )]
    UrlLocal {
        /// Which member of the document.
        member: &'static str,
        /// What the document says.
        value: String,
        /// The setting that replaces the member.
        help: &'static str,
    },
    /// An address has a user or a password in it, which would end up in logs.
    #[error("the {setting} has a user or a password in it: write it without")]
    UrlHasUser {
        /// Which setting.
        setting: &'static str,
    },
    /// An issuer carries what RFC 8414 §2 forbids in it.
    #[error("the issuer `{value}` has a query or a fragment: write it without")]
    IssuerNotPlain {
        /// What was configured.
        value: String,
    },
    /// An issuer has a place for a tenant in it, which nothing fills: no token would be its.
    #[error(
        "the issuer `{value}` is a template, and no token names it: for any tenant of Entra write \
         `Issuer::entra_any_tenant()`, for one of them `Issuer::entra(..)` with its id"
    )]
    IssuerTemplate {
        /// What was configured.
        value: String,
    },
    /// A provider's domain is not a host name.
    #[error(
        "the {provider} domain {value:?} is not a host name: write it like `{example}`, without \
         `https://` and without a slash"
    )]
    DomainInvalid {
        /// Whose.
        provider: &'static str,
        /// What was configured.
        value: String,
        /// What it looks like.
        example: &'static str,
    },
    /// A tenant of Microsoft Entra ID is not named by its id, which stands in `iss`.
    #[error(
        "the Entra tenant {value:?} is not a GUID: write the directory (tenant) id, like \
         `6babcaad-604b-40ac-a9d7-9fd97c0b779f`; for any tenant, `Issuer::entra_any_tenant()`"
    )]
    TenantInvalid {
        /// What was configured.
        value: String,
    },
    /// A provider's setting would make another address than the one that is meant.
    #[error("the {provider} setting `{setting}` cannot be used: {help}")]
    ProviderSetting {
        /// Whose.
        provider: &'static str,
        /// Which.
        setting: &'static str,
        /// What belongs there.
        help: &'static str,
    },
    /// A client's private key cannot be used.
    #[error("the client's private key cannot be used: {problem}")]
    ClientKey {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A client's id or secret is empty.
    #[error(
        "the {setting} is empty: write the one that the authorization server gave this service"
    )]
    ClientCredentialsMissing {
        /// Which of them.
        setting: &'static str,
    },
    /// A file that a setting names cannot be read.
    #[error("the file {} of the {setting} cannot be read", .path.display())]
    FileUnreadable {
        /// Which setting.
        setting: &'static str,
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A setting of a client of an authorization server cannot work.
    #[error("the client setting `{setting}` cannot work: {help}")]
    ClientSetting {
        /// Which.
        setting: &'static str,
        /// What to write instead.
        help: &'static str,
    },
    /// A setting of introspection would not work.
    #[error("the introspection setting `{setting}` cannot work: {help}")]
    IntrospectionSetting {
        /// Which.
        setting: &'static str,
        /// What belongs there.
        help: &'static str,
    },
    /// An opaque token does not say whom to ask.
    #[error(
        "the issuers `{first}` and `{second}` both have `.introspection(..)`, and an opaque token \
         does not say whose it is: keep one of them"
    )]
    IntrospectionAmbiguous {
        /// One issuer.
        first: String,
        /// Another.
        second: String,
    },
    /// An issuer that stands for many is to be asked about their tokens, and would not be: each
    /// token is of one of them.
    #[error(
        "the issuer `{issuer}` stands for any tenant, so its `.introspection(..)` would ask about \
         no token of theirs: leave it out, or write `Issuer::entra(..)` with the id of the tenant \
         that is asked"
    )]
    IntrospectionOfMany {
        /// The issuer.
        issuer: String,
    },
    /// The address of Redis is none. It is not repeated: it may hold a password.
    #[error(
        "the Redis address cannot be used: write it like `redis://:password@127.0.0.1:6379/0`, or \
         `rediss://..` for TLS"
    )]
    RedisAddress,
    /// No key can be made.
    #[error("the operating system has no random numbers")]
    RandomUnavailable,
    /// Tokens for this audience are tokens for anything.
    #[error(
        "the audience {value:?} stands in nearly every token of a Keycloak realm: write one that \
         is this service's own, and add an audience mapper for it"
    )]
    AudienceOfEveryone {
        /// What was configured.
        value: String,
    },
    /// An issuer whose tokens have no audience is to accept tokens of no client.
    #[error(
        "no client of the issuer `{issuer}` is listed: its tokens have no audience, so write the \
         ids of the clients whose tokens are for this service"
    )]
    ClientsMissing {
        /// The issuer.
        issuer: String,
    },
    /// The settings for key sets contradict each other.
    #[error("the key-set setting `{setting}` cannot work: {help}")]
    KeySetSetting {
        /// Which.
        setting: &'static str,
        /// What to write instead.
        help: &'static str,
    },
    /// The cache of verified tokens cannot hold anything.
    #[error("the token-cache setting `{setting}` cannot work: {help}")]
    TokenCacheSetting {
        /// Which.
        setting: &'static str,
        /// What to write instead.
        help: &'static str,
    },
    /// An origin that DPoP proofs may be made for is none.
    #[error(
        "the DPoP origin {value:?} cannot be used: write scheme and authority as clients know \
         them, like `https://echo.example.com`, and nothing else (plain http is accepted for \
         loopback addresses alone)"
    )]
    DpopOriginInvalid {
        /// What was configured.
        value: String,
    },
    /// A setting of DPoP cannot work.
    #[error("the DPoP setting `{setting}` cannot work: {help}")]
    DpopSetting {
        /// Which.
        setting: &'static str,
        /// What to write instead.
        help: &'static str,
    },
    /// An environment variable is not set, or empty.
    #[error("the environment variable `{name}` is not set: {help}")]
    VariableMissing {
        /// Its name.
        name: &'static str,
        /// What belongs there.
        help: &'static str,
    },
    /// A key set cannot be used.
    #[error(
        "the key set given for the issuer `{issuer}` cannot be used: write the JSON that the \
         issuer's `jwks_uri` answers with"
    )]
    KeySet {
        /// Whose keys.
        issuer: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The keys could not be fetched, and `Start::Required` asks for them.
    #[error(
        "the keys of the issuer `{issuer}` are not available, for the cause below; to start \
         without them, write `.start(Start::Warm)`"
    )]
    KeysUnavailable {
        /// Whose keys.
        issuer: String,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A grant source does not point at a claim: it would grant nothing, in silence.
    #[error(
        "the claim {value:?} is not a JSON pointer: begin it with a slash, like `/scope` or \
         `/realm_access/roles`"
    )]
    GrantPointerInvalid {
        /// What was configured.
        value: String,
    },
    /// The leeway is longer than clocks differ.
    #[error("the leeway of {seconds} s is more than 300 s: synchronize the clocks instead")]
    LeewayTooLong {
        /// What was configured.
        seconds: u64,
    },
    /// Streams that may be open for no time at all.
    #[error(
        "a `StreamExpiry::MaxAge` of zero ends every stream at once: write how long one may stay \
         open, or leave it at `StreamExpiry::UntilExpiry`"
    )]
    StreamAgeZero,
    /// A service has two policies.
    #[error("the service `{service}` has two policies in one layer: keep one of them")]
    PolicyDuplicate {
        /// The service.
        service: &'static str,
    },
    /// A policy was given for another service than the one it is to protect.
    #[error("the policy is for `{policy}`, the service is `{service}`: give the policy its name")]
    PolicyOfAnotherService {
        /// The policy's service.
        policy: &'static str,
        /// The service that was to be protected.
        service: &'static str,
    },
    /// A policy has requirements, which nothing but the guards of its annotated service enforces.
    #[error(
        "the policy for `{service}` has requirements, which only an annotated service enforces: \
         mount that with `auth.protect(service)`, or write a policy without them"
    )]
    PolicyNeedsGuards {
        /// The service.
        service: &'static str,
    },
    /// The authorizer cannot be asked as it is set.
    #[error("the setting `{setting}` cannot work: {help}")]
    AuthorizerSetting {
        /// Which.
        setting: &'static str,
        /// What to write instead.
        help: &'static str,
    },
    /// The runtime went away while the keys were fetched.
    #[error("the server is built while its tokio runtime shuts down")]
    Runtime(#[source] Box<dyn Error + Send + Sync>),
    /// A file of certificates or keys cannot be read.
    #[error("the file `{path}` cannot be read: write the path of {expected}")]
    TlsFile {
        /// Its path.
        path: String,
        /// What belongs there.
        expected: &'static str,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// A certificate or a key is not what belongs there. Nothing of it is repeated.
    #[error("{place} cannot be used: {problem}")]
    TlsMaterial {
        /// Where it came from.
        place: String,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// The system has no root certificates.
    #[error(
        "the system's certificate store is empty, so no server could be believed: install the \
         package `ca-certificates`, or write `ClientTls::webpki_roots()` or `ClientTls::ca_file(..)`"
    )]
    NoSystemRoots,
    /// The name that a server's certificate is to have is none.
    #[error(
        "the server name {value:?} cannot be used: write a host name or an IP address as it \
         stands in the server's certificate, without scheme and port"
    )]
    ServerNameInvalid {
        /// What was configured.
        value: String,
    },
    /// TLS was set for an endpoint that would be spoken to in plaintext all the same.
    #[error(
        "TLS is set for `{endpoint}`, whose scheme is not https, and would not be used: write \
         `https://..`"
    )]
    EndpointNotHttps {
        /// The endpoint.
        endpoint: String,
    },
    /// Tokens would go to another host in plaintext.
    #[error(
        "the endpoint `{endpoint}` is plaintext: whoever sits on the way could read the tokens \
         and use them; write `https://..` (plaintext is accepted to loopback addresses and Unix \
         sockets alone), or wrap the endpoint in `grpc_auth::danger::PlaintextAllowed::new(..)`"
    )]
    EndpointPlaintext {
        /// The endpoint.
        endpoint: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// The folder of the development CA cannot be used.
    #[error("the folder `{path}` of the development CA cannot be used: {help}")]
    DevelopmentCa {
        /// The folder.
        path: String,
        /// What to do.
        help: &'static str,
        /// What went wrong, if it was not decided here.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// What the doctor is to examine cannot be called.
    #[error("the doctor's {setting} {value:?} cannot be used: {help}")]
    DoctorSetting {
        /// Which setting.
        setting: &'static str,
        /// What was configured.
        value: String,
        /// What belongs there.
        help: &'static str,
    },
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    HttpClient(#[source] Box<dyn Error + Send + Sync>),
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
