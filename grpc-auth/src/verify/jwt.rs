//! Verifying a JWT access token (RFC 9068 §4, RFC 8725).

use std::sync::Arc;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::Verdict;
use super::claims::TokenClaims;
use super::configured::list;
use super::error::{VerifyErrorKind, VerifyFailure};
use super::lenient_jwt::looks_like_a_jwt;
use super::token_cache::VerifiedTokens;
use super::trusted_issuer::{TrustedIssuer, deadline};
use crate::clock::Clock;
use crate::issuer::presets::provider::Seen;
use crate::jose::compact::Compact;
use crate::jose::error::JoseError;
use crate::jose::header::Header;
use crate::jwks::lifecycle::Arrival;
use crate::jwks::source::{Missing, Waiting, Wanted};
use crate::metrics;
use crate::metrics::{Outcome, Timer, Verifications};
use crate::sanitize_untrusted::escape;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::token::principal::{Principal, Validity, time_of};

/// Accepts tokens of the configured issuers made for this service.
#[derive(Debug)]
pub(crate) struct JwtVerifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuers: Vec<TrustedIssuer>,
    audiences: Vec<String>,
    /// The names of the claims that some issuer needs.
    wanted: Vec<String>,
    /// Seconds by which clocks may differ.
    leeway: f64,
    clock: Clock,
    verified: VerifiedTokens,
    metrics: Verifications,
}

/// A token that is not accepted with the keys that are known now.
struct Rejected {
    refusal: VerifyFailure,
    /// Keys that could change that.
    missing: Option<MissingKeys>,
}

struct MissingKeys {
    /// The place of the issuer.
    issuer: usize,
    /// Of the keys before they were looked at.
    generation: u64,
    wanted: Wanted,
}

/// A token that waits for keys.
struct Unsettled {
    /// If they cannot be had.
    refusal: VerifyFailure,
    waiting: Waiting,
}

impl JwtVerifier {
    /// An issuer that stands for many decides only where no other one does.
    pub(crate) fn new(
        mut issuers: Vec<TrustedIssuer>,
        audiences: Vec<String>,
        wanted: Vec<String>,
        leeway: f64,
        clock: Clock,
        verified: VerifiedTokens,
    ) -> Self {
        issuers.sort_by_key(|issuer| issuer.settings.for_any_tenant);
        let metrics = Verifications::new();
        Self(Arc::new(Shared { issuers, audiences, wanted, leeway, clock, verified, metrics }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn issuers(&self) -> &[TrustedIssuer] {
        &self.0.issuers
    }

    /// Whether this looks like a JWT of a configured issuer, and is verified here for better or
    /// worse.
    pub(crate) fn is_own(&self, token: &[u8]) -> bool {
        // Servers that read less strictly may take it for the token it was made of, and not say what
        // is checked here: type and binding.
        let is_respelt = || !self.0.issuers.is_empty() && looks_like_a_jwt(token);
        let Ok(compact) = Compact::parse(token) else { return is_respelt() };
        let claims = TokenClaims::parse(&compact.claims, &self.0.wanted);
        let Ok(claims) = claims else { return is_respelt() };
        let iss = claims.iss.as_deref().unwrap_or_default();
        self.0.issuers.iter().any(|issuer| issuer.issued(iss, &claims))
    }

    /// The caller of exactly these bytes, if they were verified before and that still holds. It takes
    /// no lock and waits for nothing.
    pub(crate) fn recall(&self, token: &[u8]) -> Option<AuthenticatedCaller> {
        self.0.verified.find(token, self.0.clock.now(), &self.0.issuers).map(remembered)
    }

    /// Verifies a token; at once if the keys that it takes are at hand.
    pub(crate) fn verify(&self, token: BearerToken) -> Verdict {
        let timer = Timer::start(&self.0.clock);
        let unsettled = match self.0.settle(&token, None) {
            Ok(result) => {
                self.0.metrics.end(&timer, outcome(&result));
                return Verdict::Known(result);
            }
            Err(unsettled) => *unsettled,
        };
        let shared = Arc::clone(&self.0);
        let span = debug_span!(target: "grpc_auth", "wait_for_keys", outcome = Empty);
        let waiting = async move {
            let result = shared.in_time(token, unsettled).await;
            metrics::verified_after_waiting(&timer, outcome(&result));
            Span::current().record("outcome", outcome(&result).as_str());
            result
        };
        Verdict::Pending(Box::pin(waiting.instrument(span)))
    }
}

impl Shared {
    /// Verifies with what is known now. Known keys are read from a snapshot: no lock, no waiting.
    fn attempt(&self, token: &BearerToken) -> Result<AuthenticatedCaller, Box<Rejected>> {
        let compact = Compact::parse(token.as_bytes()).map_err(|rejection| {
            let seen = Seen { is_no_jwt: true, ..Seen::default() };
            let hint = self.issuers.iter().find_map(|issuer| issuer.settings.hint(seen));
            let is_no_jwt = matches!(rejection, JoseError::Parts(_));
            VerifyFailure { hint: hint.filter(|_| is_no_jwt), ..rejection.into() }
        })?;
        let header = Header::parse(&compact.header).map_err(VerifyFailure::from)?;
        let claims = TokenClaims::parse(&compact.claims, &self.wanted)
            .map_err(|rejection| about(rejection, &header, None))?;
        let iss = claims.iss.as_deref().unwrap_or_default();
        let issuer = self.issuers.iter().position(|issuer| issuer.issued(iss, &claims));
        let Some((place, issuer)) =
            issuer.and_then(|place| Some((place, self.issuers.get(place)?)))
        else {
            let seen = Seen { unknown_issuer: Some(iss), ..Seen::default() };
            let hint = self.issuers.iter().find_map(|issuer| issuer.settings.hint(seen));
            let configured = self.issuers.iter().map(|issuer| &issuer.settings.identifier);
            let configured = Some(list(configured).into());
            let refusal = about(VerifyErrorKind::Issuer, &header, claims.iss.as_deref());
            return Err(VerifyFailure { hint, configured, ..refusal }.into());
        };

        let now = self.clock.moment();
        let generation = issuer.keys.generation();
        let refuse = |rejection: VerifyErrorKind| {
            let seen = Seen {
                has_nonce: header.has_nonce,
                lacks_audience: rejection == VerifyErrorKind::Audience && claims.aud.is_empty(),
                reached_signature: rejection == VerifyErrorKind::Signature,
                ..Seen::default()
            };
            let hint = issuer.settings.hint(seen);
            let refusal = VerifyFailure { hint, ..about(rejection, &header, Some(iss)) };
            refusal.with_configured(&claims, &issuer.settings, &self.audiences)
        };
        // Cheap checks before expensive ones; but that a token has expired is said only to
        // a caller that holds one of the issuer's.
        let verdict = issuer.check(&header, &claims, &self.audiences, now.seconds, self.leeway);
        if let Err(rejection) = &verdict
            && *rejection != VerifyErrorKind::Expired
        {
            return Err(refuse(rejection.clone()).into());
        }
        let genuine = match issuer.check_signature(&compact, &header, iss, now.time) {
            Ok(genuine) => genuine,
            Err(rejection) => {
                // Only a token that is plausible otherwise is worth a fetch. An expired one waits for
                // a fetch that runs anyway, because the caller learns of the expiry only after the
                // signature was verified.
                let has_expired = verdict.is_err();
                let wanted = wanted(&rejection, &header, &claims, has_expired)
                    .filter(|_| header.algorithm.makes_signatures_of(compact.signature.len()));
                let missing =
                    wanted.map(|wanted| MissingKeys { issuer: place, generation, wanted });
                let mut refusal = refuse(rejection);
                if refusal.rejection == VerifyErrorKind::KeysUnavailable {
                    refusal.hint = has_expired.then_some(NOT_WORTH_A_FETCH);
                }
                return Err(Box::new(Rejected { refusal, missing }));
            }
        };
        verdict.map_err(&refuse)?;
        let mut facts = issuer.facts(&claims).map_err(&refuse)?;
        let longest = self.verified.max_age().unwrap_or_default();
        let deadline = deadline(claims.exp.unwrap_or_default(), now.time, longest, &genuine);
        let validity = Validity { deadline, issuer: place, standing: genuine.standing };
        drop(claims);
        facts.claims = compact.claims.into();
        let principal = Principal::verified(facts, Some(validity), Some(token.clone()));
        if deadline > now.time {
            self.verified.insert(&principal);
        }
        Ok(remembered(principal))
    }

    /// Verifies with what is known now, unless a fetch is worth to be waited for.
    fn settle(
        &self,
        token: &BearerToken,
        arrival: Option<Arrival>,
    ) -> Result<Attempt, Box<Unsettled>> {
        loop {
            let Rejected { refusal, missing } = match self.attempt(token) {
                Ok(caller) => return Ok(Ok(caller)),
                Err(rejected) => *rejected,
            };
            let Some(MissingKeys { issuer, generation, wanted }) = missing else {
                return Ok(Err(refusal));
            };
            let Some(issuer) = self.issuers.get(issuer) else { return Ok(Err(refusal)) };
            match issuer.keys.need(&wanted, generation, self.clock.now(), arrival) {
                // Keys that came since then cost no fetch.
                Missing::LookAgain => {}
                Missing::Wait(waiting) => return Err(Box::new(Unsettled { refusal, waiting })),
                Missing::Unknown => return Ok(Err(refusal)),
                Missing::Unavailable => return Ok(Err(refusal.without_keys())),
                Missing::Limited(wait) => return Ok(Err(refusal.limited(wait))),
            }
        }
    }

    /// Waits for keys as long as a call may.
    async fn in_time(&self, token: BearerToken, unsettled: Unsettled) -> Attempt {
        let Unsettled { refusal, waiting } = unsettled;
        let longest = waiting.longest;
        let in_time = self.clock.timeout(longest, self.wait_for_keys(token, waiting)).await;
        in_time.unwrap_or_else(|| Err(refusal.without_keys()))
    }

    /// Tries again whenever a fetch has ended, until it is clear that none will help.
    async fn wait_for_keys(&self, token: BearerToken, mut waiting: Waiting) -> Attempt {
        loop {
            waiting.finished.changed().await.ok();
            match self.settle(&token, Some(waiting.arrival)) {
                Ok(result) => return result,
                Err(unsettled) => waiting = unsettled.waiting,
            }
        }
    }
}

fn outcome(result: &Attempt) -> Outcome {
    match result {
        Ok(_) => Outcome::Valid,
        Err(refusal) => refusal.rejection.denied().into(),
    }
}

/// The principal of a JWT keeps its token.
fn remembered(principal: Principal) -> AuthenticatedCaller {
    AuthenticatedCaller::new(principal, None)
}

type Attempt = Result<AuthenticatedCaller, VerifyFailure>;

impl VerifyFailure {
    fn without_keys(self) -> Self {
        // Hints about other rejections do not fit.
        let hint = self.hint.filter(|_| self.rejection == VerifyErrorKind::KeysUnavailable);
        Self { rejection: VerifyErrorKind::KeysUnavailable, hint, ..self }
    }

    fn limited(self, wait: Duration) -> Self {
        Self { rejection: VerifyErrorKind::KeyFetchesLimited(wait), hint: None, ..self }
    }
}

impl From<VerifyFailure> for Box<Rejected> {
    fn from(refusal: VerifyFailure) -> Self {
        Self::new(Rejected { refusal, missing: None })
    }
}

const NOT_WORTH_A_FETCH: &str =
    "`exp` has passed: the token causes no fetch, and is rejected once there are keys";

/// Tokens without a key id share one in the count of what is unknown; no real one is that long.
const NO_KID: &str = "";

/// What a fetch could bring to change this rejection, if anything.
fn wanted(
    rejection: &VerifyErrorKind,
    header: &Header<'_>,
    claims: &TokenClaims<'_, '_>,
    has_expired: bool,
) -> Option<Wanted> {
    match rejection {
        VerifyErrorKind::KeysUnavailable if has_expired => Some(Wanted::KeysOfRunningFetch),
        _ if has_expired => None,
        VerifyErrorKind::KeysUnavailable => Some(Wanted::AnyKeys),
        VerifyErrorKind::KeyUnknown => Some(Wanted::Key {
            kid: header.kid.as_deref().unwrap_or(NO_KID).into(),
            // `iat` is in whole seconds as a rule: it may be up to one later.
            issued: claims.iat.map(|iat| time_of(iat + 1.0)),
        }),
        VerifyErrorKind::Signature | VerifyErrorKind::KeyUnfit => Some(Wanted::Replacement),
        _ => None,
    }
}

fn about(rejection: VerifyErrorKind, header: &Header<'_>, iss: Option<&str>) -> VerifyFailure {
    VerifyFailure {
        kid: header.kid.as_deref().map(|kid| escape(kid).into()),
        issuer: iss.map(|iss| escape(iss).into()),
        ..rejection.into()
    }
}
