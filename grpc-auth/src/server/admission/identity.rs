//! Who calls: from the headers of a call to its caller, at once or when what it takes is there.

use std::task::{Context, Poll, ready};

use http::Request;

use super::{Shared, denial};
use crate::proof_of_possession::Unproved;
use crate::server::Inner;
use crate::server::audit::Denial;
use crate::token::bearer::{NoToken, Presented, Scheme};
use crate::token::caller::Caller;
use crate::verify::{Pending, Verdict, Verifier};

/// What there is to learn of a caller.
pub(in crate::server) enum Waiting {
    /// Keys, for the verdict on a token that was presented so.
    Keys(Pending, Scheme),
    /// What the issuer says of a token that was presented so.
    Answer(Pending, Scheme),
    /// Whether this caller's proof was used before.
    Proof(crate::proof_of_possession::Pending, Caller),
}

/// Boxed, so that what is moved is small: nearly all callers are believed.
pub(super) type Identified = Result<Caller, Box<Denial>>;

/// What is known of a caller for now.
pub(super) enum Identity {
    Known(Identified),
    Pending(Waiting),
}

impl Shared {
    pub(super) fn identify<B>(&self, request: &mut Request<B>) -> Identity {
        let Inner { verifier, sender, .. } = &*self.auth.inner;
        if sender.dpop.is_some() {
            crate::proof_of_possession::proof::hide(request.headers_mut());
        }
        let presented = match Presented::of(request.headers_mut()) {
            Ok(presented) => presented,
            Err(none) => return Identity::Known(Err(denial(none))),
        };
        let scheme = presented.scheme();
        if scheme == Scheme::Dpop && sender.dpop.is_none() {
            crate::proof_of_possession::proof::hide(request.headers_mut());
            return Identity::Known(Err(denial(NoToken::DpopOff)));
        }
        if let Some(caller) = verifier.recall(presented.token()) {
            if is_unbound(scheme, &caller) {
                return Identity::Known(Ok(caller));
            }
            return self.prove(request, scheme, caller);
        }
        let token = match presented.parse() {
            Ok(token) => token,
            Err(none) => return Identity::Known(Err(denial(none))),
        };
        match verifier.verify(token) {
            Verdict::Known(Ok(caller)) => self.prove(request, scheme, caller),
            Verdict::Known(Err(refusal)) => Identity::Known(Err(denial(refusal))),
            Verdict::Pending(verdict) => Identity::Pending(Waiting::Keys(verdict, scheme)),
            Verdict::Asked(verdict) => Identity::Pending(Waiting::Answer(verdict, scheme)),
        }
    }

    /// Whether the token's sender is its holder. It is asked for every call: what is remembered of
    /// a token is that it is genuine.
    fn prove<B>(&self, request: &Request<B>, scheme: Scheme, caller: Caller) -> Identity {
        if is_unbound(scheme, &caller) {
            return Identity::Known(Ok(caller));
        }
        match self.auth.inner.sender.check(request, scheme, &caller) {
            Ok(None) => Identity::Known(Ok(caller)),
            Ok(Some(verdict)) => Identity::Pending(Waiting::Proof(verdict, caller)),
            Err(unproved) => Identity::Known(Err(unproven(unproved, &caller))),
        }
    }
}

impl Waiting {
    pub(super) fn poll<B>(
        &mut self,
        shared: &Shared,
        request: &Request<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Identified> {
        loop {
            match self {
                Self::Keys(verdict, scheme) | Self::Answer(verdict, scheme) => {
                    let caller = match ready!(verdict.as_mut().poll(cx)) {
                        Ok(caller) => caller,
                        Err(refusal) => return Poll::Ready(Err(denial(refusal))),
                    };
                    match shared.prove(request, *scheme, caller) {
                        Identity::Known(identified) => return Poll::Ready(identified),
                        Identity::Pending(next) => *self = next,
                    }
                }
                Self::Proof(verdict, caller) => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    return Poll::Ready(match verdict {
                        Ok(()) => Ok(caller.clone()),
                        Err(unproved) => Err(unproven(unproved, caller)),
                    });
                }
            }
        }
    }
}

/// Whether the token is good in whoever's hands it is, and was presented so. Nearly all are.
#[inline]
fn is_unbound(scheme: Scheme, caller: &Caller) -> bool {
    scheme == Scheme::Bearer && caller.principal().confirmation().is_none()
}

#[cold]
fn unproven(unproved: Unproved, caller: &Caller) -> Box<Denial> {
    Box::new(Denial::from(unproved).of(caller.principal()))
}
