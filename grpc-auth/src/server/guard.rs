//! The guard at the top of every annotated method, and what it hands to the method.

use std::pin::Pin;

use serde::de::DeserializeOwned;
use tonic::{Request, Status};
use tracing::{error, warn};

use super::call::{Call, Decision};
use super::decision::{self, Denial};
use super::expiry::TOO_LATE;
use crate::__private::Own;
use crate::bearer::BearerToken;
use crate::caller::Caller;
use crate::claims::Claims;
use crate::error::{Challenge, Denied};
use crate::metrics;
use crate::policy::{AccessRule, Permit, Row, ServicePolicy, authorize};
use crate::principal::Principal;

/// A call that passed the guard.
#[derive(Debug)]
pub struct Admitted<'r> {
    pub(super) row: Row,
    /// None without a layer.
    pub(super) call: Option<&'r Call>,
}

/// Asks for the permit of exactly this row. A permit of another row, or none, is no permit: then
/// the row decides here. Without a layer nobody looked at the caller, and only methods that let
/// anyone in can be called.
///
/// # Errors
/// The refusal, as what the method returns.
pub fn enter<'r, M, R: Refuse>(
    policy: &'static ServicePolicy,
    own: Own,
    request: &'r Request<M>,
) -> Result<Admitted<'r>, R> {
    let row = own.row_in(policy);
    let call = Call::of(request.extensions());
    let permit = match call {
        Some(call) => permit_for(row, call)?,
        None => permit_without_layer(row)?,
    };
    Ok(Admitted { row: permit.row(), call })
}

fn permit_for<R: Refuse>(row: Row, call: &Call) -> Result<Permit, R> {
    match call.decision {
        Decision::Permitted(permit) if permit.row() == row && call.is_too_late(row) => {
            Err(too_late(row, call))
        }
        Decision::Permitted(permit) if permit.row() == row => Ok(permit),
        _ => decide_here(row, call),
    }
}

/// The layer knows the method by another name than its row, or not at all.
#[cold]
fn decide_here<R: Refuse>(row: Row, call: &Call) -> Result<Permit, R> {
    match call.decision {
        Decision::Permitted(permit) => warn!(
            target: "grpc_auth",
            method = %row,
            called = %permit.row(),
            "the method answers another RPC than its row names: correct its `rpc = \"..\"`"
        ),
        #[cfg(feature = "testing")]
        Decision::InTest => {}
        Decision::Unnamed => warn!(
            target: "grpc_auth",
            method = %row,
            "no RPC of this name was called: the method's row needs `rpc = \"..\"` with the name \
             in the `.proto` file"
        ),
    }
    let method = format!("/{row}");
    let denial = match authorize(row, call.principal()) {
        Ok(_) if !was_asked(row, call) => Denial::new(
            Denied::PolicyRefused,
            "the authorizer was not asked: the layer knows the RPC as one that lets anyone in",
        ),
        Ok(_) if is_watched_too_little(row, call) => Denial::new(
            Denied::PolicyRefused,
            "the layer takes the RPC for one without these streams, and would not end them with \
             the token: correct the rows' `rpc = \"..\"`",
        ),
        Ok(_) if call.is_too_late(row) => return Err(too_late(row, call)),
        Ok(permit) => {
            decision::log_allowed(&method, Some(row), call.principal());
            metrics::allowed(row);
            return Ok(permit);
        }
        Err(denied) => denied.into(),
    };
    let denial = denial.of_caller(call.principal());
    denial.log(&method, Some(row));
    Err(R::refuse(denial.denied.to_status(&call.settings.challenge)))
}

/// The token was good when the call arrived, and is not any more now that its message is here.
#[cold]
fn too_late<R: Refuse>(row: Row, call: &Call) -> R {
    let denial = Denial::new(Denied::TokenExpired, TOO_LATE).of_caller(call.principal());
    denial.log(&format!("/{row}"), Some(row));
    R::refuse(denial.denied.to_status(&call.settings.challenge))
}

/// The layer asks the authorizer, if there is one, unless it takes the method for an open one.
fn was_asked(row: Row, call: &Call) -> bool {
    let is_open = |row: Row| matches!(row.rule(), AccessRule::AllowUnauthenticated);
    call.settings.authorizer.is_none() || is_open(row) || !call.decision.row().is_some_and(is_open)
}

/// The layer ends the streams of the method that it takes this one for.
fn is_watched_too_little(row: Row, call: &Call) -> bool {
    let Some(taken_for) = call.decision.row().map(|row| row.kind()) else { return false };
    (row.kind().streams_requests() && !taken_for.streams_requests())
        || (row.kind().streams_responses() && !taken_for.streams_responses())
}

fn permit_without_layer<R: Refuse>(row: Row) -> Result<Permit, R> {
    authorize(row, None).map_err(|_| {
        error!(
            target: "grpc_auth",
            method = %row,
            verdict = "deny",
            "the service is mounted without its layer, so nobody may call this method: mount it \
             with `auth.protect(service)` instead of tonic's `Server::new(service)`"
        );
        metrics::denied(Some(row), Denied::LayerMissing);
        R::refuse(Denied::LayerMissing.to_status(&Challenge::new("", false)))
    })
}

impl Admitted<'_> {
    /// Makes what the method asks for.
    ///
    /// # Errors
    /// The refusal, as what the method returns.
    pub fn inject<T: Inject, R: Refuse>(&self) -> Result<T, R> {
        let caller = self.call.and_then(|call| call.caller.as_ref());
        T::inject(caller).map_err(|denial| match caller {
            Some(caller) => self.refuse(&denial.of(caller.principal())),
            None => self.refuse(&denial),
        })
    }

    /// Makes what a method that lets anyone in asks for.
    ///
    /// # Errors
    /// The refusal, as what the method returns.
    pub fn inject_optional<T: InjectOptional, R: Refuse>(&self) -> Result<T, R> {
        self.inject()
    }

    pub(super) fn refuse<R: Refuse>(&self, denial: &Denial) -> R {
        denial.log(&format!("/{}", self.row), Some(self.row));
        let none = Challenge::new("", false);
        let challenge = self.call.map_or(&none, |call| &call.settings.challenge);
        R::refuse(denial.denied.to_status(challenge))
    }
}

/// What a method can ask for after its request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be injected into a protected method",
    label = "nothing of this type comes with a call",
    note = "after its request a method can take `Claims<T>` (`T: DeserializeOwned + Send + Sync`), \
            `Principal`, `BearerToken`, or an `Option` of them"
)]
pub trait Inject: Sized {
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: users name the trait, nobody implements it")]
    fn inject(caller: Option<&Caller>) -> Result<Self, Denial>;
}

/// What a method that lets anyone in can ask for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` needs a caller, but this method lets anyone in",
    label = "an anonymous call has none",
    note = "write `Option<{Self}>`, or replace `#[allow_unauthenticated]` with `#[authenticated]`"
)]
pub trait InjectOptional: Inject {}

/// What comes with a caller.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be injected into a protected method",
    label = "nothing of this type comes with a call",
    note = "after its request a method can take `Claims<T>` (`T: DeserializeOwned + Send + Sync`), \
            `Principal`, `BearerToken`, or an `Option` of them"
)]
pub trait FromCaller: Sized {
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: users name the trait, nobody implements it")]
    fn from_caller(caller: &Caller) -> Result<Self, Denial>;
}

impl<T: DeserializeOwned + Send + Sync + 'static> FromCaller for Claims<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &Caller) -> Result<Self, Denial> {
        Ok(caller.principal().claims()?)
    }
}

impl FromCaller for Principal {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &Caller) -> Result<Self, Denial> {
        Ok(caller.principal().clone())
    }
}

impl FromCaller for BearerToken {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &Caller) -> Result<Self, Denial> {
        Ok(caller.token().ok_or(Denied::CredentialsMissing)?.clone())
    }
}

impl<T: FromCaller> Inject for Option<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&Caller>) -> Result<Self, Denial> {
        caller.map(T::from_caller).transpose()
    }
}

impl<T: FromCaller> InjectOptional for Option<T> {}

impl<T: DeserializeOwned + Send + Sync + 'static> Inject for Claims<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&Caller>) -> Result<Self, Denial> {
        required(caller)
    }
}

impl Inject for Principal {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&Caller>) -> Result<Self, Denial> {
        required(caller)
    }
}

impl Inject for BearerToken {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&Caller>) -> Result<Self, Denial> {
        required(caller)
    }
}

fn required<T: FromCaller>(caller: Option<&Caller>) -> Result<T, Denial> {
    T::from_caller(caller.ok_or(Denied::CredentialsMissing)?)
}

/// What a method returns when its guard refuses: a result before `async_trait` saw the method, a
/// boxed future after it.
#[diagnostic::on_unimplemented(
    message = "a protected method returns `Result<_, tonic::Status>`",
    label = "not what a tonic service returns"
)]
pub trait Refuse {
    #[doc(hidden)]
    fn refuse(status: Status) -> Self;
}

impl<T> Refuse for Result<T, Status> {
    fn refuse(status: Status) -> Self {
        Err(status)
    }
}

impl<'a, T: Send + 'a> Refuse for Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>> {
    fn refuse(status: Status) -> Self {
        Box::pin(std::future::ready(Err(status)))
    }
}
