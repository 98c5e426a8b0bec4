//! What the layer learnt about a call, on its way to the guard. It travels in the request's
//! extensions and nowhere else: metadata can be overwritten by a caller's trailers.

use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use serde::de::DeserializeOwned;

use super::authorizer::DecisionPoint;
use crate::caller::Caller;
use crate::claims::{Claims, ClaimsMismatch};
use crate::clock::Clock;
use crate::error::Challenge;
use crate::policy::{Permit, Row, RpcKind};
use crate::principal::Principal;

/// One call behind a layer.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The caller and its token; none when anonymous.
    pub(crate) caller: Option<Caller>,
    pub(crate) decision: Decision,
    pub(crate) settings: Arc<CallSettings>,
}

/// How a resource server refuses, and what it adds to calls that it lets in.
#[derive(Debug)]
pub(crate) struct CallSettings {
    pub(crate) challenge: Challenge,
    /// What else stands in the extensions because of a call.
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
    /// No row has its name; its guard decides.
    Unnamed,
    /// There is no layer: a test calls the handler itself.
    #[cfg(feature = "testing")]
    InTest,
}

impl Decision {
    pub(crate) fn row(&self) -> Option<Row> {
        match self {
            Self::Permitted(permit) => Some(permit.row()),
            Self::Unnamed => None,
            #[cfg(feature = "testing")]
            Self::InTest => None,
        }
    }
}

impl Call {
    #[inline]
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Whether a unary call comes too late: it is decided on when its headers arrive, and its message
    /// may come days after that. (What streams is watched all the time, or is not to be.)
    #[inline]
    pub(super) fn is_too_late(&self, row: Row) -> bool {
        let Some(caller) = &self.caller else { return false };
        let CallSettings { clock, leeway, .. } = &*self.settings;
        row.kind() == RpcKind::Unary && caller.principal().has_expired(clock.now(), *leeway)
    }

    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.caller.as_ref().map(Caller::principal)
    }
}

/// The claims of a call in its extensions as one type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypedClaims {
    pub(super) insert: fn(&Principal, &mut Extensions) -> Result<(), ClaimsMismatch>,
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

fn insert_claims<T>(
    principal: &Principal,
    extensions: &mut Extensions,
) -> Result<(), ClaimsMismatch>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    extensions.insert(principal.claims::<T>()?);
    Ok(())
}
