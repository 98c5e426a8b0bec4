//! Who calls: from the headers of a call to its caller, at once or when what it takes is there.

use http::Request;

use super::{Shared, denial};
use crate::proof_of_possession;
use crate::proof_of_possession::Unproved;
use crate::server::Inner;
use crate::server::audit::Denial;
use crate::token::bearer::{NoToken, Presented, Scheme};
use crate::token::caller::AuthenticatedCaller;
use crate::verify::{Pending, Verdict};

/// What has to come before the caller is known.
pub(in crate::server) enum Unidentified {
    /// Keys, for the verdict on a token that was presented so.
    Keys(Pending, Scheme),
    /// The introspection of a token that was presented so.
    Introspection(Pending, Scheme),
    /// Whether this caller's proof was used before.
    Proof(proof_of_possession::Pending, AuthenticatedCaller),
}

/// Boxed, so that what is moved is small: nearly all callers are accepted.
pub(super) type Identified = Result<AuthenticatedCaller, Box<Denial>>;

/// What is known of a caller for now.
pub(super) enum Identity {
    Known(Identified),
    Pending(Unidentified),
}

impl Shared {
    pub(super) fn identify<B>(&self, request: &mut Request<B>) -> Identity {
        let Inner { verifier, sender, max_token_bytes, .. } = &*self.auth.inner;
        if sender.dpop.is_some() {
            proof_of_possession::proof::hide(request.headers_mut());
        }
        let presented = match Presented::of(request.headers_mut(), *max_token_bytes) {
            Ok(presented) => presented,
            Err(none) => return Identity::Known(Err(denial(none))),
        };
        let scheme = presented.scheme();
        if scheme == Scheme::Dpop && sender.dpop.is_none() {
            proof_of_possession::proof::hide(request.headers_mut());
            return Identity::Known(Err(denial(NoToken::DpopOff)));
        }
        if let Some(caller) = verifier.recall(presented.token()) {
            if is_unbound(scheme, &caller) {
                return Identity::Known(Ok(caller));
            }
            return self.proven(request, scheme, caller);
        }
        let token = match presented.parse() {
            Ok(token) => token,
            Err(none) => return Identity::Known(Err(denial(none))),
        };
        match verifier.verify(token) {
            Verdict::Known(Ok(caller)) => self.proven(request, scheme, caller),
            Verdict::Known(Err(refusal)) => Identity::Known(Err(denial(refusal))),
            Verdict::Pending(verdict) => Identity::Pending(Unidentified::Keys(verdict, scheme)),
            Verdict::Asked(verdict) => {
                Identity::Pending(Unidentified::Introspection(verdict, scheme))
            }
        }
    }

    fn proven<B>(
        &self,
        request: &Request<B>,
        scheme: Scheme,
        caller: AuthenticatedCaller,
    ) -> Identity {
        match self.prove(request, scheme, &caller) {
            Ok(None) => Identity::Known(Ok(caller)),
            Ok(Some(proof)) => Identity::Pending(Unidentified::Proof(proof, caller)),
            Err(denial) => Identity::Known(Err(denial)),
        }
    }

    /// Checks that the token's sender is its holder, for every call: what is cached of a token is
    /// that it is genuine. The rest of the check may have to wait for the replay store.
    pub(super) fn prove<B>(
        &self,
        request: &Request<B>,
        scheme: Scheme,
        caller: &AuthenticatedCaller,
    ) -> Result<Option<proof_of_possession::Pending>, Box<Denial>> {
        if is_unbound(scheme, caller) {
            return Ok(None);
        }
        let checked = self.auth.inner.sender.check(request, scheme, caller);
        checked.map_err(|unproved| unproven(unproved, caller))
    }
}

/// Whether the token is bound to no key, and was presented so. Nearly all are.
#[inline]
fn is_unbound(scheme: Scheme, caller: &AuthenticatedCaller) -> bool {
    scheme == Scheme::Bearer && caller.principal().confirmation().is_none()
}

#[cold]
pub(super) fn unproven(unproved: Unproved, caller: &AuthenticatedCaller) -> Box<Denial> {
    Box::new(Denial::from(unproved).of(caller.principal()))
}
