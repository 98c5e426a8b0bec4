//! What the layer learnt about a call, on its way to the guard. It travels in the request's
//! extensions and nowhere else: metadata can be overwritten by a caller's trailers.

use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;

use super::authorizer::DecisionPoint;
use crate::caller::Caller;
use crate::claims::{Claims, ClaimsMismatch};
use crate::clock::Clock;
use crate::error::Challenge;
use crate::policy::{Permit, Row};
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
}

/// What the layer says of the method.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// It may be called, in time.
    Permitted(Permit, Deadline),
    /// No row has its name; its guard decides.
    Unnamed,
    /// There is no layer: a test calls the handler itself.
    #[cfg(feature = "testing")]
    InTest,
}

impl Decision {
    pub(crate) fn row(&self) -> Option<Row> {
        match self {
            Self::Permitted(permit, _) => Some(permit.row()),
            Self::Unnamed => None,
            #[cfg(feature = "testing")]
            Self::InTest => None,
        }
    }
}

/// When a unary call is too late: it is decided on when its headers arrive, and its message may come
/// days after that. (What streams is watched all the time.)
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    pub(super) clock: Clock,
    /// Seconds since 1970; infinite if there is none.
    pub(super) at: f64,
}

impl Deadline {
    #[inline]
    pub(super) fn has_passed(&self) -> bool {
        self.at.is_finite() && self.clock.moment().seconds >= self.at
    }
}

impl Call {
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
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
