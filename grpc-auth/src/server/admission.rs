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
use super::auth_context::{AuthContext, Decision, TypedClaims};
use super::authorizer::{AccessRequest, Asking};
use super::stream_expiry::{StreamDeadline, StreamExpiry};
use crate::error::ConfigError;
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

/// What becomes of a call. Hardly any call waits, so what is large is boxed.
pub(super) enum Admission {
    Decided(Decided),
    /// It is not known yet who its caller is.
    Caller(Box<Unidentified>),
    /// The rule lets the caller in; the authorizer has to answer.
    Authorizer(Asking),
}

impl Shared {
    pub(super) fn new(auth: &ResourceServer, policies: PolicyIndex) -> Arc<Self> {
        Self::with(auth.clone(), Arc::new(policies), StreamExpiry::default())
    }

    fn with(
        auth: ResourceServer,
        policies: Arc<PolicyIndex>,
        stream_expiry: StreamExpiry,
    ) -> Arc<Self> {
        let allowed = metrics::Allowed::new(policies.entries());
        Arc::new(Self { auth, policies, allowed, stream_expiry })
    }

    /// The same with another end of streams.
    pub(super) fn ending(&self, stream_expiry: StreamExpiry) -> Result<Arc<Self>, ConfigError> {
        stream_expiry.check()?;
        Ok(Self::with(self.auth.clone(), Arc::clone(&self.policies), stream_expiry))
    }

    pub(super) fn policies(&self) -> &PolicyIndex {
        &self.policies
    }

    /// Decides at once where that is possible.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Admission {
        match self.identify(request) {
            Identity::Known(identified) => self.settle(request, identified),
            // Methods open to anyone never wait for a key fetch.
            Identity::Pending(Unidentified::Keys(..)) if self.is_open(request.uri()) => {
                self.settle(request, Err(denial(DenialReason::BackendUnavailable)))
            }
            Identity::Pending(unidentified) => Admission::Caller(Box::new(unidentified)),
        }
    }

    fn is_open(&self, uri: &Uri) -> bool {
        self.policies.find(uri).is_some_and(is_open)
    }

    /// Decides on a call whose caller is known or rejected. Stores the auth context in the extensions
    /// of a call that is let in, or that the authorizer has to answer about.
    fn settle<B>(&self, request: &mut Request<B>, identified: Identified) -> Admission {
        let Some((entry, place)) = self.policies.find_with_place(request.uri()) else {
            return Admission::Decided(Err(self.refuse_unknown(request, identified)));
        };
        let (caller, permit) = match Self::decide(entry, identified) {
            Ok(decided) => decided,
            Err(denial) => return Admission::Decided(Err(refuse(request, Some(entry), denial))),
        };
        let principal = caller.as_ref().map(AuthenticatedCaller::principal);
        let admission = match self.authorizer_query(request, entry, principal) {
            Some(asking) => Admission::Authorizer(asking),
            None => Admission::Decided(Ok(self.allow(request, entry, place, principal))),
        };
        match self.insert_context(request, caller, permit) {
            Ok(()) => admission,
            Err(denial) => Admission::Decided(Err(refuse(request, Some(entry), denial))),
        }
    }

    /// What the authorizer is asked: nothing about methods that let anyone in.
    fn authorizer_query<B>(
        &self,
        request: &Request<B>,
        entry: PolicyEntry,
        principal: Option<&Principal>,
    ) -> Option<Asking> {
        let authorizer = self.auth.inner.settings.authorizer.as_ref()?;
        if is_open(entry) {
            return None;
        }
        // Every other rule needs a principal.
        Some(authorizer.ask(AccessRequest::new(request, entry, principal?)))
    }

    /// The authorizer has answered about a call.
    fn conclude<B>(&self, request: &Request<B>, answer: Result<(), Denial>) -> Decided {
        let Some((entry, place)) = self.policies.find_with_place(request.uri()) else {
            return Err(refuse(request, None, denial(DenialReason::MethodUnknown)));
        };
        let call = AuthContext::of(request.extensions());
        let principal = call.and_then(AuthContext::principal);
        let answer = match answer {
            // The token may have expired while the authorizer was asked.
            Ok(()) if call.is_some_and(AuthContext::is_too_late) => Err(Denial::new(
                DenialReason::TokenExpired,
                "`exp` passed while the authorizer was asked",
            )),
            answer => answer,
        };
        match answer {
            Ok(()) => Ok(self.allow(request, entry, place, principal)),
            Err(denial) => Err(refuse(request, Some(entry), Box::new(denial.of_caller(principal)))),
        }
    }

    /// Logs and counts a call that is let in. Returns the deadline of its streams: anonymous calls have
    /// none; unary calls have no streams, and their guard checks whether the message came in time.
    #[inline]
    fn allow<B>(
        &self,
        request: &Request<B>,
        entry: PolicyEntry,
        place: usize,
        principal: Option<&Principal>,
    ) -> Option<Box<StreamDeadline>> {
        audit::log_allowed(request.uri().path(), Some(entry), principal);
        self.allowed.count(place);
        if entry.kind() == RpcKind::Unary && self.policies.are_guarded() {
            return None;
        }
        StreamDeadline::of(self.stream_expiry, &self.auth, principal?, entry)
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

    /// No entry has the path. Callers without a valid token are not told.
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

    /// In this order: whether anyone may call, credentials, verification, the rule. The entry of the
    /// table was found before, and the authorizer comes after it.
    #[inline]
    fn decide(
        entry: PolicyEntry,
        caller: Identified,
    ) -> Result<(Option<AuthenticatedCaller>, Permit), Box<Denial>> {
        let caller = match entry.rule() {
            // Here an invalid token means anonymous.
            AccessRule::AllowUnauthenticated => caller.ok(),
            AccessRule::Authenticated | AccessRule::RequireScopes(_) => Some(caller?),
        };
        let principal = caller.as_ref().map(AuthenticatedCaller::principal);
        let permit = authorize(entry, principal).map_err(|denied| denial_of(denied, principal))?;
        Ok((caller, permit))
    }
}

fn is_open(entry: PolicyEntry) -> bool {
    matches!(entry.rule(), AccessRule::AllowUnauthenticated)
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
fn refuse<B>(request: &Request<B>, entry: Option<PolicyEntry>, denial: Box<Denial>) -> Box<Denial> {
    denial.log(request.uri().path(), entry);
    denial
}
