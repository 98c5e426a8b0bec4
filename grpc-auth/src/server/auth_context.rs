//! What the layer learnt about a call, on its way to the guard. It travels in the request's
//! extensions and nowhere else: metadata can be overwritten by a caller's trailers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Extensions;
use serde::de::DeserializeOwned;

use super::authorizer::DecisionPoint;
use super::challenge::Challenge;
use crate::clock::Clock;
use crate::policy::authorize::Permit;
use crate::policy::service_policy::PolicyEntry;
use crate::token::caller::AuthenticatedCaller;
use crate::token::claims::{Claims, ClaimsError};
use crate::token::principal::Principal;

/// One call behind a layer: who its caller is, and the permit for one guard.
///
/// The guard takes the permit, so that it serves no second method and no later call. A clone has the
/// caller without the permit: extensions can be cloned and kept.
#[derive(Debug)]
pub(crate) struct AuthContext {
    /// The caller and its token; none when anonymous.
    pub(crate) caller: Option<AuthenticatedCaller>,
    decision: Decision,
    is_taken: AtomicBool,
    pub(crate) settings: Arc<AuthSettings>,
}

impl Clone for AuthContext {
    fn clone(&self) -> Self {
        let (caller, settings) = (self.caller.clone(), Arc::clone(&self.settings));
        Self { caller, decision: self.decision, is_taken: AtomicBool::new(true), settings }
    }
}

/// How a resource server refuses, and what it adds to calls that it lets in.
#[derive(Debug)]
pub(crate) struct AuthSettings {
    pub(crate) challenge: Challenge,
    /// The typed claims that the layer inserts into the extensions.
    pub(crate) typed_claims: Vec<TypedClaims>,
    /// Who is asked after the rule.
    pub(crate) authorizer: Option<DecisionPoint>,
    pub(crate) clock: Clock,
    /// By which tokens, and their streams, outlive `exp`.
    pub(crate) leeway: Duration,
}

/// What the layer says of the method.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    /// It may be called.
    Permitted(Permit),
    /// There is no layer: a test calls the handler itself, and the guard decides.
    #[cfg(feature = "testing")]
    InTest,
}

impl Decision {
    pub(crate) fn entry(&self) -> Option<PolicyEntry> {
        match self {
            Self::Permitted(permit) => Some(permit.entry()),
            #[cfg(feature = "testing")]
            Self::InTest => None,
        }
    }
}

impl AuthContext {
    pub(crate) fn new(
        caller: Option<AuthenticatedCaller>,
        decision: Decision,
        settings: Arc<AuthSettings>,
    ) -> Self {
        Self { caller, decision, is_taken: AtomicBool::new(false), settings }
    }

    #[inline]
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// What the layer says of the method. It stays readable after the permit was taken.
    #[inline]
    pub(super) fn decision(&self) -> Decision {
        self.decision
    }

    /// Takes the permit. False when it was taken before, or this is a clone.
    #[inline]
    pub(super) fn take_permit(&self) -> bool {
        !self.is_taken.swap(true, Ordering::Relaxed)
    }

    /// Whether the caller's token has expired meanwhile: a call is decided on when its headers
    /// arrive, and its message may come days after that.
    #[inline]
    pub(super) fn is_too_late(&self) -> bool {
        let Some(caller) = &self.caller else { return false };
        let AuthSettings { clock, leeway, .. } = &*self.settings;
        caller.principal().has_expired(clock.now(), *leeway)
    }

    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.caller.as_ref().map(AuthenticatedCaller::principal)
    }
}

/// The claims of a call in its extensions as one type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypedClaims {
    pub(super) insert: fn(&Principal, &mut Extensions) -> Result<(), ClaimsError>,
    pub(super) remove: fn(&mut Extensions),
}

impl TypedClaims {
    pub(super) fn new<T>() -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let remove = |extensions: &mut Extensions| {
            extensions.remove::<Claims<T>>();
        };
        Self { insert: insert_claims::<T>, remove }
    }
}

fn insert_claims<T>(principal: &Principal, extensions: &mut Extensions) -> Result<(), ClaimsError>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    extensions.insert(principal.claims::<T>()?);
    Ok(())
}
