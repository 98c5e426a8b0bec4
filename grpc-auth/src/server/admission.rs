//! Who may go on: from the path and the headers of a call to what becomes of it, at once or when what
//! it waits for is there.

mod identity;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Extensions, Request, Response, Uri};
use identity::{Identified, Identity, Waiting};

use super::ResourceServer;
use super::audit;
use super::audit::Denial;
use super::auth_context::{Call, CallSettings, Decision, TypedClaims};
use super::authorizer::{AccessRequest, Asking};
use super::stream_expiry::{StreamExpiry, Timer};
use crate::clock::deadline;
use crate::metrics;
use crate::policy::authorize;
use crate::policy::authorize::Permit;
use crate::policy::denial::Denied;
use crate::policy::index::PolicyIndex;
use crate::policy::rpc_kind::RpcKind;
use crate::policy::rule::AccessRule;
use crate::policy::service_policy::Row;
use crate::token::caller::Caller;
use crate::token::principal::Principal;

/// More than timers are late by.
const DEADLINE_LEAD: Duration = Duration::from_millis(5);

/// Why such a path is rejected.
/// What all clones of a service share. One pointer: tonic clones it for every request.
#[derive(Debug)]
pub(super) struct Shared {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
    allowed: metrics::Allowed,
    stream_expiry: StreamExpiry,
}

/// What becomes of a call for now.
pub(super) enum Admission {
    /// With the end of the call's streams.
    Granted(Option<Box<Timer>>),
    Refused(Box<Denial>),
    /// Boxed, so that what is moved is small: hardly any call waits.
    Waiting(Box<Stage>),
}

/// What a call waits for.
pub(super) enum Stage {
    /// Who its caller is.
    Caller(Waiting),
    /// The authorizer's answer about its caller, whom the rule lets in.
    Answer(Asking),
}

impl Shared {
    pub(super) fn new(
        auth: ResourceServer,
        policies: Arc<PolicyIndex>,
        stream_expiry: StreamExpiry,
    ) -> Self {
        let allowed = metrics::Allowed::new(policies.rows());
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
        match self.identify(request) {
            Identity::Known(identified) => self.settle(request, identified),
            // Whoever may call without a token does not wait for the issuer with one.
            Identity::Pending(Waiting::Keys(..)) if self.is_open(request.uri()) => {
                self.settle(request, Err(denial(Denied::BackendUnavailable)))
            }
            Identity::Pending(waiting) => Admission::Waiting(Box::new(Stage::Caller(waiting))),
        }
    }

    /// Goes on with a call once what it waits for is there.
    pub(super) fn proceed<B>(
        &self,
        request: &mut Request<B>,
        stage: &mut Stage,
        cx: &mut Context<'_>,
    ) -> Poll<Admission> {
        match stage {
            Stage::Caller(waiting) => {
                waiting.poll(self, request, cx).map(|caller| self.settle(request, caller))
            }
            Stage::Answer(asking) => asking.poll(cx).map(|answer| self.conclude(request, answer)),
        }
    }

    /// Ends when the caller no longer waits, if it says when (`grpc-timeout`). A little sooner: tonic
    /// looks at the deadline too, and would drop the call without a word in the log.
    pub(super) fn deadline<B>(
        &self,
        request: &Request<B>,
    ) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let timeout = deadline::timeout(request.headers())?;
        let timeout = timeout.saturating_sub(DEADLINE_LEAD);
        Some(Box::pin(self.auth.inner.settings.clock.sleep(timeout)))
    }

    /// Decides without what a call waits for: its caller no longer does.
    pub(super) fn give_up<B>(&self, request: &mut Request<B>, stage: &Stage) -> Admission {
        let cause = "the call's deadline (`grpc-timeout`) passed while it waited to be decided on";
        let denial = Denial::new(Denied::BackendUnavailable, cause);
        match stage {
            Stage::Caller(_) => self.settle(request, Err(Box::new(denial))),
            Stage::Answer(_) => self.conclude(request, Err(denial)),
        }
    }

    fn is_open(&self, uri: &Uri) -> bool {
        self.policies.find(uri).is_some_and(is_open)
    }

    /// Decides on a call whose caller is clear, and leaves what was learnt in the extensions of a
    /// call that is let in, or that the authorizer is to be asked about.
    fn settle<B>(&self, request: &mut Request<B>, identified: Identified) -> Admission {
        let path = request.uri().path();
        let Some((row, place)) = self.policies.find_with_place(request.uri()) else {
            return self.refuse_unknown(request, identified);
        };
        let (caller, permit) = match Self::decide(row, identified) {
            Ok(decided) => decided,
            Err(denial) => return refuse(request, Some(row), denial),
        };
        let principal = caller.as_ref().map(Caller::principal);
        let admission = match self.question(request, row, principal) {
            Some(asking) => Admission::Waiting(Box::new(Stage::Answer(asking))),
            None => {
                audit::log_allowed(path, Some(row), principal);
                self.allowed.count(place);
                Admission::Granted(self.timer(row, caller.as_ref()))
            }
        };
        match self.leave(request, caller, permit) {
            Ok(()) => admission,
            Err(denial) => refuse(request, Some(row), denial),
        }
    }

    /// What the authorizer is asked: nothing about methods that let anyone in.
    fn question<B>(
        &self,
        request: &Request<B>,
        row: Row,
        principal: Option<&Principal>,
    ) -> Option<Asking> {
        let authorizer = self.auth.inner.settings.authorizer.as_ref()?;
        if is_open(row) {
            return None;
        }
        // No rule but that one is passed by nobody.
        Some(authorizer.ask(AccessRequest::new(request, row, principal?)))
    }

    /// The authorizer has answered about a call.
    fn conclude<B>(&self, request: &Request<B>, answer: Result<(), Denial>) -> Admission {
        let path = request.uri().path();
        let Some((row, place)) = self.policies.find_with_place(request.uri()) else {
            return refuse(request, None, denial(Denied::MethodUnknown));
        };
        let caller = Call::of(request.extensions()).and_then(|call| call.caller.as_ref());
        let principal = caller.map(Caller::principal);
        let answer = answer.and_then(|()| match caller {
            // It took its time.
            Some(caller) if self.has_expired(caller) => Err(Denial::new(
                Denied::TokenExpired,
                "`exp` passed while the authorizer was asked",
            )),
            _ => Ok(()),
        });
        match answer {
            Ok(()) => {
                audit::log_allowed(path, Some(row), principal);
                self.allowed.count(place);
                Admission::Granted(self.timer(row, caller))
            }
            Err(denial) => refuse(request, Some(row), Box::new(denial.of_caller(principal))),
        }
    }

    fn has_expired(&self, caller: &Caller) -> bool {
        let CallSettings { clock, leeway, .. } = &*self.auth.inner.settings;
        caller.principal().has_expired(clock.now(), *leeway)
    }

    /// Who has no token has none that expires, and unary calls have no streams: whether their
    /// message came in time is for the guard to see, where there is one.
    #[inline]
    fn timer(&self, row: Row, caller: Option<&Caller>) -> Option<Box<Timer>> {
        if row.kind() == RpcKind::Unary && self.policies.are_guarded() {
            return None;
        }
        Timer::of(self.stream_expiry, &self.auth, caller?.principal(), row)
    }

    /// Leaves what was learnt in the extensions.
    fn leave<B>(
        &self,
        request: &mut Request<B>,
        caller: Option<Caller>,
        permit: Permit,
    ) -> Result<(), Box<Denial>> {
        let settings = &self.auth.inner.settings;
        let asked = caller.as_ref().filter(|_| !settings.typed_claims.is_empty()).cloned();
        let call = Call::new(caller, Decision::Permitted(permit), Arc::clone(settings));
        let extensions = request.extensions_mut();
        if let Some(outer) = extensions.insert(call) {
            forget_claims(&outer, extensions);
        }
        match asked {
            Some(caller) => leave_claims(&settings.typed_claims, caller.principal(), extensions),
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
    fn refuse_unknown<B>(&self, request: &Request<B>, identified: Identified) -> Admission {
        let denial = match identified {
            Ok(caller) => {
                let cause = self.policies.explain_miss(request.uri());
                Box::new(Denial::new(Denied::MethodUnknown, cause).of(caller.principal()))
            }
            Err(denial) => denial,
        };
        refuse(request, None, denial)
    }

    /// In this order: whether anyone may call, credentials, verification, the rule. The row of the
    /// table was found before, and the authorizer comes after it.
    #[inline]
    fn decide(row: Row, caller: Identified) -> Result<(Option<Caller>, Permit), Box<Denial>> {
        let caller = match row.rule() {
            // Here an invalid token means anonymous.
            AccessRule::AllowUnauthenticated => caller.ok(),
            AccessRule::Authenticated | AccessRule::RequireScopes(_) => Some(caller?),
        };
        let principal = caller.as_ref().map(Caller::principal);
        let permit = authorize(row, principal).map_err(|denied| denial_of(denied, principal))?;
        Ok((caller, permit))
    }
}

fn is_open(row: Row) -> bool {
    matches!(row.rule(), AccessRule::AllowUnauthenticated)
}

/// Leaves a caller's claims in the extensions, as each of the types.
#[inline(never)]
fn leave_claims(
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

/// What an outer layer learnt is not this layer's.
#[cold]
fn forget_claims(outer: &Call, extensions: &mut Extensions) {
    outer.settings.typed_claims.iter().for_each(|claims| (claims.remove)(extensions));
}

// What refuses is out of the way of calls that are let in: they are many, and the fewer lines of
// code a processor fetches for each, the better.

#[cold]
fn denial(cause: impl Into<Denial>) -> Box<Denial> {
    Box::new(cause.into())
}

#[cold]
fn denial_of(denied: Denied, principal: Option<&Principal>) -> Box<Denial> {
    Box::new(Denial::from(denied).of_caller(principal))
}

#[cold]
fn refuse<B>(request: &Request<B>, row: Option<Row>, denial: Box<Denial>) -> Admission {
    denial.log(request.uri().path(), row);
    Admission::Refused(denial)
}
