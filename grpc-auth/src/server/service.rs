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
use crate::bearer::BearerToken;
use crate::error::Denied;
use crate::policy::{AccessRule, Match, Permit, PolicyIndex, authorize};

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
struct Shared {
    auth: ResourceServer,
    policies: Arc<PolicyIndex>,
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
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        match self.shared.admit(&mut parts) {
            Ok(()) => ResponseFuture::permitted(self.inner.call(Request::from_parts(parts, body))),
            Err(denied) => {
                let status = denied.to_status(&self.shared.auth.inner.challenge);
                ResponseFuture::refused(status.into_http())
            }
        }
    }
}

impl Shared {
    /// Decides, and leaves what it learnt in the extensions of a call that is let in.
    fn admit(&self, call: &mut Parts) -> Result<(), Denied> {
        // What an outer layer learnt is not this layer's.
        if let Some(outer) = call.extensions.remove::<Call>() {
            outer.typed_claims.iter().for_each(|claims| (claims.remove)(&mut call.extensions));
        }
        // Whoever prints the metadata further in does not print the token. (`entry` alone would
        // reserve a place, and a map can be full.)
        if call.headers.contains_key(AUTHORIZATION)
            && let Entry::Occupied(mut credentials) = call.headers.entry(AUTHORIZATION)
        {
            credentials.iter_mut().for_each(|value| value.set_sensitive(true));
        }
        let path = call.uri.path();
        let matched = self.policies.find(path);
        let decision = self.decide(matched, &call.headers).and_then(|(caller, permit)| {
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
        let challenge = Arc::clone(&self.auth.inner.challenge);
        match decision {
            Ok((caller, permit)) => {
                if permit.is_some() {
                    decision::log_allowed(path, row, caller.as_ref().map(|c| &c.principal));
                }
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

    /// In this order: the row of the table, whether anyone may call, credentials, verification,
    /// the rule.
    fn decide(
        &self,
        matched: Match,
        headers: &HeaderMap,
    ) -> Result<(Option<Caller>, Option<Permit>), Denial> {
        let caller = self.identify(headers);
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

    fn identify(&self, headers: &HeaderMap) -> Result<Caller, Denial> {
        let token = BearerToken::from_headers(headers)?;
        let principal = self.auth.inner.verifier.verify(token.expose_secret())?;
        Ok(Caller { principal, token })
    }
}
