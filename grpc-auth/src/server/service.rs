//! The tower service: from the path of a call to a permit in its extensions, or a refusal.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, Entry, HeaderMap};
use http::request::Parts;
use http::{Request, Response};
use tonic::server::NamedService;
use tower_service::Service;

use super::ResourceServer;
use super::call::{Call, Caller, Decision};
use super::decision::{self, Denial};
use super::future::ResponseFuture;
use crate::bearer::{BearerToken, Presented};
use crate::error::Denied;
use crate::policy::{AccessRule, Match, Permit, PolicyIndex, authorize};
use crate::verify::{Pending, Verdict, Verifier};

/// A service that only permitted calls reach; made by [`ResourceServer::protect`].
///
/// It answers refusals itself, before the body is read, as gRPC trailers-only responses.
#[derive(Clone)]
pub struct Protect<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// One pointer: tonic clones the service for every request.
#[derive(Debug)]
pub(super) struct Shared {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
}

/// A verdict that keys are fetched for, and the token it is on.
pub(super) struct Waiting {
    verdict: Pending,
    token: BearerToken,
}

type Identified = Result<Caller, Denial>;

impl Waiting {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Identified> {
        self.verdict.as_mut().poll(cx).map(|verdict| {
            let token = self.token.clone();
            verdict.map(|principal| Caller { principal, token }).map_err(Denial::from)
        })
    }
}

impl<S> Protect<S> {
    pub(super) fn new(inner: S, auth: ResourceServer, policies: Arc<PolicyIndex>) -> Self {
        Self { inner, shared: Arc::new(Shared { auth, policies }) }
    }

    /// Adjusts tonic's server inside, its message limits or compression:
    /// `auth.protect(service).map(|server| server.max_decoding_message_size(1 << 20))`.
    #[must_use]
    pub fn map(self, adjust: impl FnOnce(S) -> S) -> Self {
        Self { inner: adjust(self.inner), shared: self.shared }
    }
}

/// Services rarely have `Debug`, and need none here.
impl<S> fmt::Debug for Protect<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protect").field("policies", &self.shared.policies).finish_non_exhaustive()
    }
}

impl<S: NamedService> NamedService for Protect<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B, R> Service<Request<B>> for Protect<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        match self.shared.admit(&mut parts) {
            Admission::Granted => {
                ResponseFuture::called(self.inner.call(Request::from_parts(parts, body)))
            }
            Admission::Refused(denied) => ResponseFuture::refused(self.shared.answer(denied)),
            Admission::Waiting(waiting) => {
                // The one that was polled ready goes with the call; a clone was not.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                let request = Request::from_parts(parts, body);
                ResponseFuture::waiting(Arc::clone(&self.shared), ready, request, waiting)
            }
        }
    }
}

/// What becomes of a call for now.
enum Admission {
    Granted,
    Refused(Denied),
    Waiting(Waiting),
}

impl Shared {
    /// Decides at once where that is possible.
    fn admit(&self, call: &mut Parts) -> Admission {
        // What an outer layer learnt is not this layer's.
        if let Some(outer) = call.extensions.remove::<Call>() {
            outer.typed_claims.iter().for_each(|claims| (claims.remove)(&mut call.extensions));
        }
        let identified = match self.identify(&call.headers) {
            Identity::Known(identified) => identified,
            Identity::Pending(waiting) => return Admission::Waiting(waiting),
        };
        self.settle(call, identified).map_or_else(Admission::Refused, |()| Admission::Granted)
    }

    /// Decides on a call whose caller is clear, and leaves what was learnt in the extensions of a
    /// call that is let in.
    pub(super) fn settle(&self, call: &mut Parts, identified: Identified) -> Result<(), Denied> {
        hide_credentials(&mut call.headers);
        let path = call.uri.path();
        let matched = self.policies.find(path);
        let decision = Self::decide(matched, identified).and_then(|(caller, permit)| {
            if let Some(caller) = &caller {
                for claims in self.auth.inner.typed_claims.iter() {
                    (claims.insert)(&caller.principal, &mut call.extensions)
                        .map_err(|mismatch| Denial::from(mismatch).of(&caller.principal))?;
                }
            }
            Ok((caller, permit))
        });
        let row = match matched {
            Match::Row(row) => Some(row),
            Match::Guarded | Match::Unknown => None,
        };
        match decision {
            Ok((caller, permit)) => {
                if permit.is_some() {
                    decision::log_allowed(path, row, caller.as_ref().map(|c| &c.principal));
                }
                let challenge = Arc::clone(&self.auth.inner.challenge);
                let typed_claims = Arc::clone(&self.auth.inner.typed_claims);
                let decision = permit.map_or(Decision::Unnamed, Decision::Permitted);
                call.extensions.insert(Call { caller, decision, challenge, typed_claims });
                Ok(())
            }
            Err(denial) => {
                denial.log(path, row);
                Err(denial.denied)
            }
        }
    }

    /// The refusal as an answer.
    pub(super) fn answer<R: Default>(&self, denied: Denied) -> Response<R> {
        denied.to_status(&self.auth.inner.challenge).into_http()
    }

    /// In this order: the row of the table, whether anyone may call, credentials, verification,
    /// the rule.
    fn decide(
        matched: Match,
        caller: Identified,
    ) -> Result<(Option<Caller>, Option<Permit>), Denial> {
        let row = match matched {
            Match::Row(row) => row,
            // The guard of the method decides; nobody gets as far without a valid token.
            Match::Guarded => return Ok((Some(caller?), None)),
            Match::Unknown => {
                return Err(Denial::from(Denied::MethodUnknown).of(&caller?.principal));
            }
        };
        let caller = match row.rule() {
            // Here an invalid token means anonymous.
            AccessRule::AllowUnauthenticated => caller.ok(),
            AccessRule::Authenticated | AccessRule::RequireScopes(_) => Some(caller?),
        };
        let principal = caller.as_ref().map(|caller| &caller.principal);
        let permit =
            authorize(row, principal).map_err(|denied| Denial::of_caller(denied, principal))?;
        Ok((caller, Some(permit)))
    }

    fn identify(&self, headers: &HeaderMap) -> Identity {
        let verifier = &self.auth.inner.verifier;
        let presented = match Presented::of(headers) {
            Ok(presented) => presented,
            Err(none) => return Identity::Known(Err(none.into())),
        };
        if let Some(principal) = verifier.recall(presented.token()) {
            return Identity::Known(Ok(Caller { principal, token: presented.verified() }));
        }
        let token = match presented.parse() {
            Ok(token) => token,
            Err(none) => return Identity::Known(Err(none.into())),
        };
        match verifier.verify(&token) {
            Verdict::Known(verdict) => Identity::Known(
                verdict.map(|principal| Caller { principal, token }).map_err(Denial::from),
            ),
            Verdict::Pending(verdict) => Identity::Pending(Waiting { verdict, token }),
        }
    }
}

enum Identity {
    Known(Identified),
    Pending(Waiting),
}

/// Whoever prints the metadata further in does not print the token.
fn hide_credentials(headers: &mut HeaderMap) {
    match headers.get_mut(AUTHORIZATION) {
        None => {}
        Some(value) if value.is_sensitive() => {}
        Some(value) => {
            value.set_sensitive(true);
            // `entry` alone would reserve a place, and a map can be full.
            if let Entry::Occupied(mut credentials) = headers.entry(AUTHORIZATION) {
                credentials.iter_mut().for_each(|value| value.set_sensitive(true));
            }
        }
    }
}
