//! The tower service: from the path of a call to a permit in its extensions, or a refusal.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use tonic::server::NamedService;
use tower_service::Service;

use super::authorizer::{AccessRequest, Asking};
use super::call::{Call, CallSettings, Decision};
use super::decision::{self, Denial};
use super::expiry::{StreamExpiry, Timer, kind_of};
use super::future::ResponseFuture;
use super::stream::EndableBody;
use super::{Inner, ResourceServer};
use crate::bearer::{NoToken, Presented, Scheme};
use crate::caller::Caller;
use crate::deadline;
use crate::error::{ConfigError, Denied};
use crate::metrics;
use crate::policy::{AccessRule, Match, Permit, PolicyIndex, Row, RpcKind, authorize};
use crate::principal::Principal;
use crate::sender::{self, Unproved};
use crate::verify::{Pending, Verdict, Verifier};

/// More than timers are late by.
const DEADLINE_LEAD: Duration = Duration::from_millis(5);

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
    allowed: metrics::Allowed,
    stream_expiry: StreamExpiry,
}

/// What there is to learn of a caller.
pub(super) enum Waiting {
    /// Keys, for the verdict on a token that was presented so.
    Keys(Pending, Scheme),
    /// What the issuer says of a token that was presented so.
    Answer(Pending, Scheme),
    /// Whether this caller's proof was used before.
    Proof(sender::Pending, Caller),
}

/// Boxed, so that what is moved is small: nearly all callers are believed.
type Identified = Result<Caller, Box<Denial>>;

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

impl<S> Protect<S> {
    pub(super) fn new(inner: S, auth: ResourceServer, policies: Arc<PolicyIndex>) -> Self {
        let stream_expiry = StreamExpiry::default();
        let allowed = metrics::Allowed::new(policies.rows());
        Self { inner, shared: Arc::new(Shared { auth, policies, allowed, stream_expiry }) }
    }

    /// Sets when open streams of the service end; by default when their caller's token expires.
    /// A handler that still works on a stream then is dropped, at whatever it waits for. What a
    /// caller does not read it does not get, and that includes the end: a stream whose caller has
    /// stopped reading ends when it goes on, or when its connection does.
    ///
    /// ```
    /// # mod health { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
    /// # use tonic::{Code, Request, Response, Status};
    /// # use tonic_health::pb::health_client::HealthClient;
    /// # use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    /// use std::time::Duration;
    /// use grpc_auth::server::StreamExpiry;
    /// use grpc_auth::testing::AuthorizationServer;
    /// # struct Service;
    /// # #[grpc_auth::protect]
    /// # #[tonic::async_trait]
    /// # impl health::Health for Service {
    /// #     #[authenticated]
    /// #     async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
    /// #         Ok(Response::new(HealthCheckResponse::default()))
    /// #     }
    /// #     type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;
    /// #     #[authenticated]
    /// #     async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
    /// #         Ok(Response::new(tokio_stream::pending()))
    /// #     }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = AuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().build().await?;
    /// let minute = StreamExpiry::MaxAge(Duration::from_secs(60));
    /// let mut client = HealthClient::new(auth.protect(Service).stream_expiry(minute)?);
    ///
    /// # let mut request = Request::new(HealthCheckRequest::default());
    /// # let token = issuer.token().sign();
    /// # request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    /// // The token is valid, so the stream is open ..
    /// let mut stream = client.watch(request).await?.into_inner();
    /// // .. for a minute.
    /// issuer.clock().advance(Duration::from_secs(60));
    /// assert_eq!(stream.message().await.unwrap_err().code(), Code::Unauthenticated);
    ///
    /// assert!(auth.protect(Service).stream_expiry(StreamExpiry::MaxAge(Duration::ZERO)).is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::StreamAgeZero`].
    pub fn stream_expiry(self, stream_expiry: StreamExpiry) -> Result<Self, ConfigError> {
        stream_expiry.check()?;
        Ok(self.ending(stream_expiry))
    }

    /// With a policy that was checked.
    pub(super) fn ending(self, stream_expiry: StreamExpiry) -> Self {
        let Shared { auth, policies, .. } = &*self.shared;
        let (auth, policies) = (auth.clone(), Arc::clone(policies));
        let allowed = metrics::Allowed::new(policies.rows());
        let shared = Shared { auth, policies, allowed, stream_expiry };
        Self { inner: self.inner, shared: Arc::new(shared) }
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
    B: EndableBody,
    R: EndableBody + Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.shared.admit(&mut request) {
            Admission::Granted(None) => ResponseFuture::called(self.inner.call(request)),
            Admission::Granted(Some(timer)) => {
                ResponseFuture::streaming(&mut self.inner, request, timer)
            }
            Admission::Refused(denied) => ResponseFuture::refused(self.shared.answer(denied)),
            Admission::Waiting(stage) => {
                // The one that was polled ready goes with the call; a clone was not.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                ResponseFuture::waiting(Arc::clone(&self.shared), ready, request, *stage)
            }
        }
    }
}

/// What becomes of a call for now.
pub(super) enum Admission {
    /// With the end of the call's streams.
    Granted(Option<Box<Timer>>),
    Refused(Denied),
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
    /// Decides at once where that is possible.
    fn admit<B>(&self, request: &mut Request<B>) -> Admission {
        match self.identify(request) {
            Identity::Known(identified) => self.settle(request, identified),
            // Whoever may call without a token does not wait for the issuer with one.
            Identity::Pending(Waiting::Keys(..)) if self.is_open(request.uri().path()) => {
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

    fn is_open(&self, path: &str) -> bool {
        let Match::Row(row) = self.policies.find(path) else { return false };
        matches!(row.rule(), AccessRule::AllowUnauthenticated)
    }

    /// Decides on a call whose caller is clear, and leaves what was learnt in the extensions of a
    /// call that is let in, or that the authorizer is to be asked about.
    fn settle<B>(&self, request: &mut Request<B>, identified: Identified) -> Admission {
        let path = request.uri().path();
        let (matched, place) = self.policies.find_with_place(path);
        let row = match matched {
            Match::Row(row) => Some(row),
            Match::Guarded | Match::Unknown => None,
        };
        let (caller, permit) = match Self::decide(matched, identified) {
            Ok(decided) => decided,
            Err(denial) => return Admission::Refused(refuse(request, row, &denial)),
        };
        let principal = caller.as_ref().map(Caller::principal);
        let (admission, is_settled) = match self.question(request, row, principal) {
            Some(asking) => (Admission::Waiting(Box::new(Stage::Answer(asking))), false),
            None => {
                let timer = self.timer(path, row, caller.as_ref());
                (Admission::Granted(timer), permit.is_some())
            }
        };
        if is_settled {
            decision::log_allowed(path, row, principal);
            self.allowed.count(place);
        }
        match self.leave(request, caller, permit) {
            Ok(()) => admission,
            Err(denial) => Admission::Refused(refuse(request, row, &denial)),
        }
    }

    /// What the authorizer is asked: nothing about methods that let anyone in.
    fn question<B>(
        &self,
        request: &Request<B>,
        row: Option<Row>,
        principal: Option<&Principal>,
    ) -> Option<Asking> {
        let authorizer = self.auth.inner.settings.authorizer.as_ref()?;
        if row.is_some_and(|row| matches!(row.rule(), AccessRule::AllowUnauthenticated)) {
            return None;
        }
        // No rule but that one is passed by nobody.
        Some(authorizer.ask(AccessRequest::new(request, row, principal?)))
    }

    /// The authorizer has answered about a call.
    fn conclude<B>(&self, request: &Request<B>, answer: Result<(), Denial>) -> Admission {
        let call = Call::of(request.extensions());
        let row = call.and_then(|call| call.decision.row());
        let caller = call.and_then(|call| call.caller.as_ref());
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
                if row.is_some() {
                    let (_, place) = self.policies.find_with_place(request.uri().path());
                    decision::log_allowed(request.uri().path(), row, principal);
                    self.allowed.count(place);
                }
                Admission::Granted(self.timer(request.uri().path(), row, caller))
            }
            Err(denial) => Admission::Refused(refuse(request, row, &denial.of_caller(principal))),
        }
    }

    fn has_expired(&self, caller: &Caller) -> bool {
        let CallSettings { clock, leeway, .. } = &*self.auth.inner.settings;
        caller.principal().has_expired(clock.now(), *leeway)
    }

    /// Who has no token has none that expires, and unary calls have no streams: whether their
    /// message came in time is for the guard to see, where there is one.
    #[inline]
    fn timer(&self, path: &str, row: Option<Row>, caller: Option<&Caller>) -> Option<Box<Timer>> {
        if kind_of(row) == RpcKind::Unary && self.policies.are_guarded() {
            return None;
        }
        Timer::of(self.stream_expiry, &self.auth, caller?.principal(), path, row)
    }

    /// Leaves what was learnt in the extensions.
    fn leave<B>(
        &self,
        request: &mut Request<B>,
        caller: Option<Caller>,
        permit: Option<Permit>,
    ) -> Result<(), Box<Denial>> {
        let settings = &self.auth.inner.settings;
        let asked = caller.as_ref().filter(|_| !settings.typed_claims.is_empty()).cloned();
        let decision = permit.map_or(Decision::Unnamed, Decision::Permitted);
        let call = Call { caller, decision, settings: Arc::clone(settings) };
        let extensions = request.extensions_mut();
        // What an outer layer learnt is not this layer's.
        if let Some(outer) = extensions.insert(call) {
            outer.settings.typed_claims.iter().for_each(|claims| (claims.remove)(extensions));
        }
        if let Some(caller) = asked {
            let principal = caller.principal();
            for claims in &settings.typed_claims {
                (claims.insert)(principal, extensions)
                    .map_err(|mismatch| Box::new(Denial::from(mismatch).of(principal)))?;
            }
        }
        Ok(())
    }

    /// The refusal as an answer.
    pub(super) fn answer<R: Default>(&self, denied: Denied) -> Response<R> {
        denied.to_status(&self.auth.inner.settings.challenge).into_http()
    }

    /// In this order: the row of the table, whether anyone may call, credentials, verification,
    /// the rule. The authorizer comes after it.
    #[inline]
    fn decide(
        matched: Match,
        caller: Identified,
    ) -> Result<(Option<Caller>, Option<Permit>), Box<Denial>> {
        let row = match matched {
            Match::Row(row) => row,
            // The guard of the method decides; nobody gets as far without a valid token.
            Match::Guarded => return Ok((Some(caller?), None)),
            Match::Unknown => {
                return Err(Box::new(Denial::from(Denied::MethodUnknown).of(caller?.principal())));
            }
        };
        let caller = match row.rule() {
            // Here an invalid token means anonymous.
            AccessRule::AllowUnauthenticated => caller.ok(),
            AccessRule::Authenticated | AccessRule::RequireScopes(_) => Some(caller?),
        };
        let principal = caller.as_ref().map(Caller::principal);
        let permit = authorize(row, principal)
            .map_err(|denied| Box::new(Denial::from(denied).of_caller(principal)))?;
        Ok((caller, Some(permit)))
    }

    fn identify<B>(&self, request: &mut Request<B>) -> Identity {
        let Inner { verifier, sender, .. } = &*self.auth.inner;
        if sender.dpop.is_some() {
            sender::hide(request.headers_mut());
        }
        let presented = match Presented::of(request.headers_mut()) {
            Ok(presented) => presented,
            Err(none) => return Identity::Known(Err(denial(none))),
        };
        let scheme = presented.scheme();
        if scheme == Scheme::Dpop && sender.dpop.is_none() {
            sender::hide(request.headers_mut());
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

/// Whether the token is good in whoever's hands it is, and was presented so. Nearly all are.
#[inline]
fn is_unbound(scheme: Scheme, caller: &Caller) -> bool {
    scheme == Scheme::Bearer && caller.principal().confirmation().is_none()
}

fn denial(cause: impl Into<Denial>) -> Box<Denial> {
    Box::new(cause.into())
}

fn unproven(unproved: Unproved, caller: &Caller) -> Box<Denial> {
    Box::new(Denial::from(unproved).of(caller.principal()))
}

fn refuse<B>(request: &Request<B>, row: Option<Row>, denial: &Denial) -> Denied {
    denial.log(request.uri().path(), row);
    denial.denied
}

enum Identity {
    Known(Identified),
    Pending(Waiting),
}
