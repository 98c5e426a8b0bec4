//! What to do about a rejected token: for operators.

use super::error::{VerifyError, VerifyErrorKind};
use crate::jose::error::JoseError;
use crate::policy::denial::DenialReason;

impl VerifyError {
    /// The stable name of the check that failed, for programs: `audience`, `expired`, `signature`, ..
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.rejection.advice().code
    }

    /// What to do about it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::{BearerToken, testing::TestAuthorizationServer};
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().build().await?;
    ///
    /// let token = issuer.token().audience("https://other.example.com").sign();
    /// let refused = auth.verify(&BearerToken::parse(&token).unwrap()).await.unwrap_err();
    /// assert_eq!(refused.code(), "audience");
    /// assert!(refused.help().contains("ask the authorization server for a token for this service"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.0.rejection.advice().help
    }
}

/// What a cause means for the operator and for the caller.
struct Advice {
    code: &'static str,
    help: &'static str,
    denied: DenialReason,
}

const fn invalid(code: &'static str, help: &'static str) -> Advice {
    Advice { code, help, denied: DenialReason::TokenInvalid }
}

const fn malformed(code: &'static str, help: &'static str) -> Advice {
    Advice { code, help, denied: DenialReason::CredentialsMalformed }
}

const fn expired(code: &'static str, help: &'static str) -> Advice {
    Advice { code, help, denied: DenialReason::TokenExpired }
}

const fn unavailable(code: &'static str, help: &'static str) -> Advice {
    Advice { code, help, denied: DenialReason::BackendUnavailable }
}

impl VerifyErrorKind {
    /// What the caller sees: one answer for every cause, except for a good token that expired, for keys
    /// that are not available, and for introspection that does not answer.
    pub(crate) fn denied(&self) -> DenialReason {
        self.advice().denied
    }

    /// The one table of the causes.
    fn advice(&self) -> Advice {
        match self {
            Self::TooLong { .. } => malformed(
                "too-long",
                "let the authorization server put less into its tokens (groups, roles), or raise \
                 `ResourceServerBuilder::max_token_bytes`, tonic's \
                 `Server::http2_max_header_list_size` and the limits of the proxies on the way",
            ),
            Self::Jose(JoseError::Parts(_)) => invalid(
                "not-a-jwt",
                "if it is opaque, only its authorization server can tell what it is good for: ask for a \
                 token for this service, which most servers then make a JWT (Auth0: name the \
                 `audience`), or configure `Issuer::introspection`",
            ),
            Self::Jose(JoseError::Base64(_)) => invalid(
                "base64",
                "it was cut or changed on its way: copy it whole, without line breaks, quotes and `=`",
            ),
            Self::Jose(JoseError::Json { error, .. }) if error.is_misfit() => invalid(
                "json",
                "let the authorization server write the expected type (RFC 7515 §4.1, RFC 7519 §4.1, \
                 RFC 7662 §2.2): a new token does not help",
            ),
            Self::Jose(JoseError::Json { .. }) => invalid(
                "json",
                "let the authorization server write JSON that can be read in one way alone (RFC 8725 \
                 §2.4); if its other tokens are accepted, this one was changed on its way or made by \
                 hand",
            ),
            Self::Jose(JoseError::Algorithm | JoseError::Ed448) => invalid(
                "algorithm",
                "let the authorization server sign access tokens with RS256, PS256, ES256 or EdDSA: \
                 with HS256 every verifier could make them, and `none` is no signature",
            ),
            Self::AlgorithmNotAllowed => invalid(
                "algorithm-not-allowed",
                "let the authorization server sign with one that `Issuer::algorithms` lists, or list \
                 this one",
            ),
            Self::Jose(JoseError::HeaderParameter(_)) => invalid(
                "header-parameter",
                "let the authorization server leave it out: the token is not to be understood by who \
                 does not know this extension (RFC 7515 §4.1.11)",
            ),
            Self::Issuer => invalid(
                "issuer",
                "get the token from the issuer that is configured, or configure the one in `iss`, byte \
                 for byte: a slash at its end counts",
            ),
            Self::TokenType => invalid(
                "token-type",
                "send the access token, not the ID token; if access tokens have this `typ` there, \
                 accept it with `Issuer::accept_token_type`, or use the provider's own preset",
            ),
            Self::Audience => invalid(
                "audience",
                "ask the authorization server for a token for this service (`audience` at Auth0, \
                 `resource` with RFC 8707), or configure the identifier that it has there",
            ),
            Self::Client => invalid(
                "client",
                "get the token with a client that is listed, or list this one: only its tokens for this \
                 service may have its id",
            ),
            Self::RequiredClaim(_) => invalid(
                "required-claim",
                "send the access token, not the ID token or another one of this issuer",
            ),
            Self::ExpiryMissing => invalid(
                "expiry-missing",
                "let the authorization server set `exp`: a token that never ends cannot be taken back",
            ),
            Self::Expired => expired(
                "expired",
                "get a new one; if it should be valid still, compare the clocks of this machine and of \
                 the authorization server",
            ),
            Self::NotYetValid => invalid(
                "not-yet-valid",
                "wait until then; if it is valid by now, set the clock of this machine (NTP)",
            ),
            Self::IssuedInFuture => invalid(
                "issued-in-future",
                "set the clock of this machine, or of the authorization server (NTP)",
            ),
            Self::SenderConstrained => invalid(
                "sender-constrained",
                "all else about it is in order: call with a proof of its key (DPoP), or over a \
                 connection with its certificate, to a service that checks that (`.dpop(..)`, \
                 `.mutual_tls()`)",
            ),
            Self::Confirmation => invalid(
                "confirmation",
                "let the authorization server bind it by a thumbprint that can be checked (RFC 8705, \
                 RFC 9449), or not at all",
            ),
            Self::Grants(_) => invalid(
                "grants",
                "configure `Issuer::scopes_from` as this issuer writes its scopes and roles, or let it \
                 write them so",
            ),
            Self::KeyIdMissing => invalid(
                "key-id-missing",
                "let the authorization server name its key (`kid`), or configure \
                 `Issuer::allow_missing_key_id`",
            ),
            Self::Jose(JoseError::KeyIdTooLong) => invalid(
                "key-id-too-long",
                "get it from the authorization server: no key is named like that",
            ),
            Self::KeyUnknown => invalid(
                "key-unknown",
                "it is of another tenant or environment, or its key was retired: get a new one, and \
                 compare its `kid` with those in the issuer's key set",
            ),
            Self::KeyUnfit => invalid(
                "key-unfit",
                "get a new one from the authorization server: its key is not for this `alg`",
            ),
            Self::Signature => invalid(
                "signature",
                "it was changed, forged, or cut at its end: get it from the authorization server again, \
                 and copy it whole",
            ),
            Self::KeysUnavailable => unavailable(
                "keys-unavailable",
                "nothing is known of the token yet: see whether the issuer can be reached from here, \
                 and try again",
            ),
            Self::KeyFetchesLimited(_) => unavailable(
                "key-fetches-limited",
                "nothing is known of the token yet: try again after that time",
            ),
            Self::Unbound => invalid(
                "unbound",
                "let the introspection endpoint repeat `cnf` (RFC 8705 §3.2, RFC 9449 §6.2): otherwise \
                 no service can check which client the token belongs to",
            ),
            Self::Inactive => invalid(
                "inactive",
                "get a new one: it has expired, was revoked, or is of another server",
            ),
            Self::ActiveNotBoolean => invalid(
                "active-not-boolean",
                "see whether the address is that of the introspection endpoint (RFC 7662 §2.2)",
            ),
            Self::IntrospectedTokenType => invalid(
                "introspected-token-type",
                "send the access token, not the refresh or ID token",
            ),
            Self::IntrospectedTokenUse => invalid(
                "introspected-token-use",
                "send the access token, not the refresh or ID token",
            ),
            Self::AudienceUnsaid => invalid(
                "audience-unsaid",
                "let the introspection endpoint say `aud`, or configure \
                 `Introspection::allow_missing_audience`",
            ),
            Self::IntrospectionUnavailable => unavailable(
                "introspection-unavailable",
                "see whether the introspection endpoint can be reached from here, and try again",
            ),
            Self::IntrospectionBusy => unavailable(
                "introspection-busy",
                "try again; if it stays so, see how long the introspection endpoint takes",
            ),
        }
    }
}
