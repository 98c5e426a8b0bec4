//! Why a token is rejected: for the log. Callers learn far less (see `DenialReason`).

use std::fmt;
use std::time::Duration;

use crate::issuer::RequiredClaim;
use crate::issuer::scope_sources::GrantsError;
use crate::jose::error::JoseError;
use crate::policy::denial::DenialReason;

/// Why [`ResourceServer::verify`](crate::ResourceServer::verify) rejects a token.
///
/// Its text is for the operator's eyes: which check failed, which setting has a say in it and what
/// is configured there. It holds no value from the token, at most the name of a claim, and `Debug`
/// says the same. Callers learn what
/// [`denied`](Self::denied) says.
#[derive(thiserror::Error)]
#[error("{}", .0.cause())]
pub struct VerifyError(pub(crate) VerifyFailure);

impl VerifyError {
    /// What the caller sees.
    #[must_use]
    pub fn denied(&self) -> DenialReason {
        self.0.rejection.denied()
    }
}

impl fmt::Debug for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A rejected token, with what helps an operator to find out why.
#[derive(Clone, Debug)]
pub(crate) struct VerifyFailure {
    pub(crate) rejection: VerifyErrorKind,
    /// The configured values that the token does not match.
    pub(crate) configured: Option<Box<str>>,
    /// What users of the provider run into.
    pub(crate) hint: Option<&'static str>,
    /// Escaped: the sender chose it.
    pub(crate) kid: Option<Box<str>>,
    /// Escaped: the sender chose it.
    pub(crate) issuer: Option<Box<str>>,
    /// The token's audience, if it is what was rejected. Escaped: the sender chose it.
    pub(crate) audience: Option<Box<str>>,
}

impl VerifyFailure {
    pub(crate) fn cause(&self) -> String {
        let mut cause = self.rejection.to_string();
        if let Some(configured) = &self.configured {
            cause += &format!(": configured is {configured}");
        }
        if let Some(hint) = self.hint {
            cause += &format!("; {hint}");
        }
        cause
    }
}

impl From<JoseError> for VerifyFailure {
    fn from(error: JoseError) -> Self {
        VerifyErrorKind::from(error).into()
    }
}

impl From<VerifyErrorKind> for VerifyFailure {
    fn from(rejection: VerifyErrorKind) -> Self {
        Self { rejection, configured: None, hint: None, kid: None, issuer: None, audience: None }
    }
}

/// The first check that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VerifyErrorKind {
    #[error(
        "the token has {bytes} bytes, and this server accepts {max}: see \
         `ResourceServerBuilder::max_token_bytes`"
    )]
    TooLong { bytes: usize, max: usize },
    #[error(transparent)]
    Jose(#[from] JoseError),
    #[error("`alg` is not among those configured for this issuer")]
    AlgorithmNotAllowed,
    #[error("`iss` is not a configured issuer, byte for byte")]
    Issuer,
    #[error(
        "`typ` is not accepted from this issuer; if its access tokens have this type, configure \
         `Issuer::accept_token_type`"
    )]
    TokenType,
    #[error("`aud` does not contain a configured audience")]
    Audience,
    #[error("`client_id` is not a listed client of this issuer, which names no audience")]
    Client,
    #[error(
        "`{}` {}: it is no access token of this issuer", .0.name,
        match .0.values {
            [] => "is missing".into(),
            values => format!("is not `{}`", values.join("` or `")),
        }
    )]
    RequiredClaim(RequiredClaim),
    #[error("`exp` is missing")]
    ExpiryMissing,
    #[error("`exp` has passed")]
    Expired,
    #[error("`nbf` is in the future")]
    NotYetValid,
    #[error("`iat` is in the future")]
    IssuedInFuture,
    #[error("the issuer's answer does not repeat the `cnf` of the token that it is about")]
    Unbound,
    #[error("it is bound to a key of its holder (`cnf`), which only a call can prove to hold")]
    SenderConstrained,
    #[error(
        "`cnf` binds it in another way than those that are checked: expected an object with \
         `x5t#S256`, `jkt` or both, each a SHA-256 thumbprint in base64url"
    )]
    Confirmation,
    #[error("its grants cannot be read: {0}")]
    Grants(Box<GrantsError>),
    #[error("`kid` is missing; if this issuer has none, configure `Issuer::allow_missing_key_id`")]
    KeyIdMissing,
    #[error("the issuer has no key with this `kid` for this `alg`")]
    KeyUnknown,
    #[error("the issuer's key with this `kid` is not for this `alg`")]
    KeyUnfit,
    #[error("the signature is not the issuer's")]
    Signature,
    #[error("no key that fits is known, and the issuer's key set cannot be fetched at the moment")]
    KeysUnavailable,
    #[error(
        "the issuer has no key with this `kid` so far, and unknown key ids have caused as many \
         fetches of its key set as `JwksSettings::unknown_key_burst` allows: the next one is \
         possible in {} s", .0.as_secs_f64().ceil()
    )]
    KeyFetchesLimited(Duration),
    #[error("the authorization server says that the token is not active")]
    Inactive,
    #[error("the introspection endpoint's `active` is not the boolean `true` or `false`")]
    ActiveNotBoolean,
    #[error("the introspection endpoint's `token_type` says that it is no access token")]
    IntrospectedTokenType,
    #[error("the introspection endpoint's `token_use` says that it is no access token")]
    IntrospectedTokenUse,
    #[error(
        "the introspection endpoint says no `aud`; if it never does, configure \
         `Introspection::allow_missing_audience`"
    )]
    AudienceUnsaid,
    #[error("the introspection endpoint does not answer, and nothing is known of the token")]
    IntrospectionUnavailable,
    #[error(
        "more tokens than `Introspection::max_in_flight` are being introspected, and nothing is \
         known of this one"
    )]
    IntrospectionBusy,
}

impl VerifyErrorKind {
    /// How long the caller should wait before it tries again, if that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::KeyFetchesLimited(wait) => Some(*wait),
            _ => None,
        }
    }
}
