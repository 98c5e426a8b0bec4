//! Decides on a call by its path and its headers: at once where that is possible, else in
//! [`slow_path`].

mod identity;
mod slow_path;

use std::sync::Arc;

use http::{Extensions, Request, Response, Uri};
use identity::{Identified, Identity, Unidentified};

use super::ResourceServer;
use super::audit;
use super::audit::Denial;
use super::auth_context::{AuthContext, AuthSettings, Decision, TypedClaims};
use super::authorizer::{AccessRequest, Asking};
use super::stream_expiry::{StreamDeadline, StreamExpiry};
use crate::metrics;
use crate::policy::authorize;
use crate::policy::authorize::Permit;
use crate::policy::denial::DenialReason;
use crate::policy::index::PolicyIndex;
use crate::policy::rpc_kind::RpcKind;
use crate::policy::rule::AccessRule;
use crate::policy::service_policy::PolicyEntry;
use crate::token::caller::AuthenticatedCaller;
use crate::token::principal::Principal;

/// What all clones of a service share. One pointer: tonic clones it for every request.
#[derive(Debug)]
pub(super) struct Shared {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
    allowed: metrics::Allowed,
    stream_expiry: StreamExpiry,
}

/// The end of the call's streams, if they have one; or why the call is rejected. Boxed, so that what
/// is moved is small: nearly all calls are permitted, and few have streams.
pub(super) type Decided = Result<Option<Box<StreamDeadline>>, Box<Denial>>;

/// What becomes of a call.
pub(super) enum Admission {
    Decided(Decided),
    /// Boxed: hardly any call waits.
    Waiting(Box<Waiting>),
}

/// What a call waits for.
pub(super) enum Waiting {
    /// Who its caller is.
    Caller(Unidentified),
    /// The authorizer's answer about a caller that the rule lets in.
    Authorizer(Asking),
}

/// A call whose caller is known, or rejected.
enum Settled {
    Decided(Decided),
    /// The rule lets the caller in; the authorizer has to answer.
    Asking(Asking),
}

impl Shared {
    pub(super) fn new(
        auth: ResourceServer,
        policies: Arc<PolicyIndex>,
        stream_expiry: StreamExpiry,
    ) -> Self {
        let allowed = metrics::Allowed::new(policies.entries());
        Self { auth, policies, allowed, stream_expiry }
    }

    /// The same with another end of streams.
    pub(super) fn ending(&self, stream_expiry: StreamExpiry) -> Self {
        Self::new(self.auth.clone(), Arc::clone(&self.policies), stream_expiry)
    }

    pub(super) fn policies(&self) -> &PolicyIndex {
        &self.policies
    }

    /// Decides at once where that is possible.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Admission {
        let caller = match self.identify(request) {
            Identity::Known(identified) => identified,
            // Methods open to anyone never wait for a key fetch.
            Identity::Pending(Unidentified::Keys(..)) if self.is_open(request.uri()) => {
                Err(denial(DenialReason::BackendUnavailable))
            }
            Identity::Pending(unidentified) => {
                return Admission::Waiting(Box::new(Waiting::Caller(unidentified)));
            }
        };
        match self.settle(request, caller) {
            Settled::Decided(decided) => Admission::Decided(decided),
            Settled::Asking(asking) => Admission::Waiting(Box::new(Waiting::Authorizer(asking))),
        }
    }

    fn is_open(&self, uri: &Uri) -> bool {
        self.policies.find(uri).is_some_and(is_open)
    }

    /// Decides on a call whose caller is known or rejected. Stores the auth context in the extensions
    /// of a call that is let in, or that the authorizer has to answer about.
    fn settle<B>(&self, request: &mut Request<B>, identified: Identified) -> Settled {
        let path = request.uri().path();
        let Some((row, place)) = self.policies.find_with_place(request.uri()) else {
            return Settled::Decided(Err(self.refuse_unknown(request, identified)));
        };
        let (caller, permit) = match Self::decide(row, identified) {
            Ok(decided) => decided,
            Err(denial) => return Settled::Decided(Err(refuse(request, Some(row), denial))),
        };
        let principal = caller.as_ref().map(AuthenticatedCaller::principal);
        let settled = match self.authorizer_query(request, row, principal) {
            Some(asking) => Settled::Asking(asking),
            None => {
                audit::log_allowed(path, Some(row), principal);
                self.allowed.count(place);
                Settled::Decided(Ok(self.timer(row, caller.as_ref())))
            }
        };
        match self.insert_context(request, caller, permit) {
            Ok(()) => settled,
            Err(denial) => Settled::Decided(Err(refuse(request, Some(row), denial))),
        }
    }

    /// What the authorizer is asked: nothing about methods that let anyone in.
    fn authorizer_query<B>(
        &self,
        request: &Request<B>,
        row: PolicyEntry,
        principal: Option<&Principal>,
    ) -> Option<Asking> {
        let authorizer = self.auth.inner.settings.authorizer.as_ref()?;
        if is_open(row) {
            return None;
        }
        // Every other rule needs a principal.
        Some(authorizer.ask(AccessRequest::new(request, row, principal?)))
    }

    /// The authorizer has answered about a call.
    fn conclude<B>(&self, request: &Request<B>, answer: Result<(), Denial>) -> Decided {
        let path = request.uri().path();
        let Some((row, place)) = self.policies.find_with_place(request.uri()) else {
            return Err(refuse(request, None, denial(DenialReason::MethodUnknown)));
        };
        let caller = AuthContext::of(request.extensions()).and_then(|call| call.caller.as_ref());
        let principal = caller.map(AuthenticatedCaller::principal);
        let answer = answer.and_then(|()| match caller {
            // The token may have expired while the authorizer was asked.
            Some(caller) if self.has_expired(caller) => Err(Denial::new(
                DenialReason::TokenExpired,
                "`exp` passed while the authorizer was asked",
            )),
            _ => Ok(()),
        });
        match answer {
            Ok(()) => {
                audit::log_allowed(path, Some(row), principal);
                self.allowed.count(place);
                Ok(self.timer(row, caller))
            }
            Err(denial) => Err(refuse(request, Some(row), Box::new(denial.of_caller(principal)))),
        }
    }

    fn has_expired(&self, caller: &AuthenticatedCaller) -> bool {
        let AuthSettings { clock, leeway, .. } = &*self.auth.inner.settings;
        caller.principal().has_expired(clock.now(), *leeway)
    }

    /// The deadline of the call's streams. Anonymous calls have no deadline; unary calls have no streams,
    /// and their guard checks whether the message came in time.
    #[inline]
    fn timer(
        &self,
        row: PolicyEntry,
        caller: Option<&AuthenticatedCaller>,
    ) -> Option<Box<StreamDeadline>> {
        if row.kind() == RpcKind::Unary && self.policies.are_guarded() {
            return None;
        }
        StreamDeadline::of(self.stream_expiry, &self.auth, caller?.principal(), row)
    }

    /// Stores the auth context in the extensions.
    fn insert_context<B>(
        &self,
        request: &mut Request<B>,
        caller: Option<AuthenticatedCaller>,
        permit: Permit,
    ) -> Result<(), Box<Denial>> {
        let settings = &self.auth.inner.settings;
        let asked = caller.as_ref().filter(|_| !settings.typed_claims.is_empty()).cloned();
        let call = AuthContext::new(caller, Decision::Permitted(permit), Arc::clone(settings));
        let extensions = request.extensions_mut();
        if let Some(outer) = extensions.insert(call) {
            forget_claims(&outer, extensions);
        }
        match asked {
            Some(caller) => insert_claims(&settings.typed_claims, caller.principal(), extensions),
            None => Ok(()),
        }
    }

    /// The refusal as an answer.
    #[cold]
    pub(super) fn answer<R: Default>(&self, denial: &Denial) -> Response<R> {
        denial.to_status(&self.auth.inner.settings.challenge).into_http()
    }

    /// No row has the path. Callers without a valid token are not told.
    #[cold]
    fn refuse_unknown<B>(&self, request: &Request<B>, identified: Identified) -> Box<Denial> {
        let denial = match identified {
            Ok(caller) => {
                let cause = self.policies.explain_miss(request.uri());
                Box::new(Denial::new(DenialReason::MethodUnknown, cause).of(caller.principal()))
            }
            Err(denial) => denial,
        };
        refuse(request, None, denial)
    }

    /// In this order: whether anyone may call, credentials, verification, the rule. The row of the
    /// table was found before, and the authorizer comes after it.
    #[inline]
    fn decide(
        row: PolicyEntry,
        caller: Identified,
    ) -> Result<(Option<AuthenticatedCaller>, Permit), Box<Denial>> {
        let caller = match row.rule() {
            // Here an invalid token means anonymous.
            AccessRule::AllowUnauthenticated => caller.ok(),
            AccessRule::Authenticated | AccessRule::RequireScopes(_) => Some(caller?),
        };
        let principal = caller.as_ref().map(AuthenticatedCaller::principal);
        let permit = authorize(row, principal).map_err(|denied| denial_of(denied, principal))?;
        Ok((caller, permit))
    }
}

fn is_open(row: PolicyEntry) -> bool {
    matches!(row.rule(), AccessRule::AllowUnauthenticated)
}

/// Leaves a caller's claims in the extensions, as each of the types.
#[inline(never)]
fn insert_claims(
    types: &[TypedClaims],
    principal: &Principal,
    extensions: &mut Extensions,
) -> Result<(), Box<Denial>> {
    for claims in types {
        (claims.insert)(principal, extensions)
            .map_err(|mismatch| Box::new(Denial::from(mismatch).of(principal)))?;
    }
    Ok(())
}

/// Removes the typed claims of an outer layer.
#[cold]
fn forget_claims(outer: &AuthContext, extensions: &mut Extensions) {
    outer.settings.typed_claims.iter().for_each(|claims| (claims.remove)(extensions));
}

// Rejections are `#[cold]`, to keep the path of permitted calls small.

#[cold]
fn denial(cause: impl Into<Denial>) -> Box<Denial> {
    Box::new(cause.into())
}

#[cold]
fn denial_of(denied: DenialReason, principal: Option<&Principal>) -> Box<Denial> {
    Box::new(Denial::from(denied).of_caller(principal))
}

#[cold]
fn refuse<B>(request: &Request<B>, row: Option<PolicyEntry>, denial: Box<Denial>) -> Box<Denial> {
    denial.log(request.uri().path(), row);
    denial
}
