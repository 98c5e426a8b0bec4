//! Which verifier a token is for.

use crate::introspection::introspector::Introspector;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::verify::Pending;
use crate::verify::Verdict;
use crate::verify::error::{VerifyErrorKind, VerifyFailure};
use crate::verify::jwt::JwtVerifier;

/// Verifies JWTs of configured issuers here, and asks about other tokens.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    pub(crate) jwt: JwtVerifier,
    pub(crate) introspector: Option<std::sync::Arc<Introspector>>,
}

impl TokenVerifier {
    /// The caller of exactly these bytes, if they were verified before and that still holds. It takes
    /// no lock and waits for nothing.
    #[inline]
    pub(crate) fn recall(&self, token: &[u8]) -> Option<AuthenticatedCaller> {
        let verified = self.jwt.recall(token);
        match (&self.introspector, &verified) {
            (Some(introspector), Some(caller)) if is_hybrid(introspector, caller) => {
                introspector.recall(token).filter(|asked| keeps_binding(caller, asked))
            }
            // What is remembered of a JWT's answer counts only with the verdict on the JWT.
            (Some(introspector), None) if introspector.is_hybrid() && self.jwt.is_own(token) => {
                None
            }
            (Some(introspector), None) => introspector.recall(token),
            _ => verified,
        }
    }

    /// Judges a token; at once if everything that takes is at hand.
    pub(crate) fn verify(&self, token: BearerToken) -> Verdict {
        let Some(introspector) = &self.introspector else { return self.jwt.verify(token) };
        if !self.jwt.is_own(token.as_bytes()) {
            return introspector.verify(token);
        }
        let verified = self.jwt.verify(token.clone());
        if !introspector.is_hybrid() {
            return verified;
        }
        let introspector = std::sync::Arc::clone(introspector);
        match verified {
            Verdict::Known(Ok(caller)) if is_hybrid(&introspector, &caller) => {
                match introspector.verify_until(token, caller.principal().expiry()) {
                    Verdict::Known(asked) => Verdict::Known(of_both(&caller, asked)),
                    Verdict::Pending(asked) | Verdict::Asked(asked) => {
                        Verdict::Asked(Box::pin(async move { of_both(&caller, asked.await) }))
                    }
                }
            }
            Verdict::Pending(verified) => Verdict::Pending(then_ask(introspector, verified, token)),
            other => other,
        }
    }
}

/// Whether a token that was verified here is introspected as well.
fn is_hybrid(introspector: &Introspector, caller: &AuthenticatedCaller) -> bool {
    introspector.is_hybrid() && caller.principal().issuer() == introspector.issuer()
}

fn then_ask(
    introspector: std::sync::Arc<Introspector>,
    verified: Pending,
    token: BearerToken,
) -> Pending {
    Box::pin(async move {
        let caller = verified.await?;
        if is_hybrid(&introspector, &caller) {
            let asked = introspector.verify_until(token, caller.principal().expiry());
            return of_both(&caller, asked.wait().await);
        }
        Ok(caller)
    })
}

/// What was asked counts, and must not untie a token from its holder: authorization servers repeat
/// `cnf` in their answers (RFC 8705 §3.2, RFC 9449 §6.2).
fn of_both(
    verified: &AuthenticatedCaller,
    asked: Result<AuthenticatedCaller, VerifyFailure>,
) -> Result<AuthenticatedCaller, VerifyFailure> {
    let asked = asked?;
    if keeps_binding(verified, &asked) { Ok(asked) } else { Err(VerifyErrorKind::Unbound.into()) }
}

/// A token whose claims were left out may be bound by the answer alone.
fn keeps_binding(verified: &AuthenticatedCaller, asked: &AuthenticatedCaller) -> bool {
    let bound = verified.principal().confirmation();
    bound.is_none() || bound == asked.principal().confirmation()
}
