//! The guard at the top of every annotated method, and what it hands to the method.

use std::pin::Pin;

use serde::de::DeserializeOwned;
use tonic::{Extensions, Status};
use tracing::error;

use super::audit::Denial;
use super::auth_context::{AuthContext, Decision};
use super::challenge::Challenge;
use super::stream_expiry::TOO_LATE;
use crate::metrics;
use crate::policy::authorize;
use crate::policy::authorize::Permit;
use crate::policy::denial::DenialReason;
use crate::policy::service_policy::PolicyEntry;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::token::claims::Claims;
use crate::token::principal::Principal;

/// A call that passed the guard.
#[derive(Debug)]
pub struct Admitted<'r> {
    pub(super) entry: PolicyEntry,
    /// None without a layer.
    pub(super) call: Option<&'r AuthContext>,
}

/// Takes the permit of exactly this entry, which the layer gave for this very call, and rejects the
/// call without one. Without a layer only methods that let anyone in can be called.
///
/// # Errors
/// The status that the caller gets.
pub(crate) fn enter(entry: PolicyEntry, extensions: &Extensions) -> Result<Admitted<'_>, Status> {
    let call = AuthContext::of(extensions);
    let permit = match call {
        Some(call) => take_permit(entry, call)?,
        None => permit_without_layer(entry)?,
    };
    Ok(Admitted { entry: permit.entry(), call })
}

fn take_permit(entry: PolicyEntry, call: &AuthContext) -> Result<Permit, Status> {
    let permit = match call.decision() {
        Decision::Permitted(permit) if permit.entry() == entry => permit,
        Decision::Permitted(permit) => {
            return Err(no_permit(entry, call, &of_another(entry, permit)));
        }
        #[cfg(feature = "testing")]
        Decision::InTest => decide_in_test(entry, call)?,
    };
    if !call.take_permit() {
        return Err(no_permit(entry, call, &USED));
    }
    if call.is_too_late() {
        return Err(too_late(entry, call));
    }
    Ok(permit)
}

/// Why there is no permit, and what to do about it.
struct NoPermit {
    cause: &'static str,
    help: &'static str,
}

const PLAIN_FUNCTION: &str =
    "move the code that several handlers need into a plain function, and call that from each";
const USED: NoPermit = NoPermit {
    cause: "the permit of this request was taken before: a handler called a method itself, or the \
            extensions of an earlier call were kept or cloned",
    help: PLAIN_FUNCTION,
};
const SIBLING: NoPermit = NoPermit {
    cause: "the request has the permit of another method: a handler called this one itself, or \
            the `rpc = \"..\"` of the two methods are wrong",
    help: PLAIN_FUNCTION,
};
const OTHER_SERVICE: NoPermit = NoPermit {
    cause: "the request has the permit of another service: a handler or a layer handed it on",
    help: "call the service through its own `auth.protect(service)`",
};
const OTHER_POLICY: NoPermit = NoPermit {
    cause: "the layer decided by another policy than this method's own",
    help: "give the layer the service's own policy, `<Service as ProtectedService<_>>::POLICY`, or \
           mount the service with `auth.protect(service)`",
};

fn of_another(entry: PolicyEntry, permit: Permit) -> NoPermit {
    let other = permit.entry();
    match (other.service() == entry.service(), other.rpc() == entry.rpc()) {
        (false, _) => OTHER_SERVICE,
        (true, false) => SIBLING,
        (true, true) => OTHER_POLICY,
    }
}

/// The caller did nothing wrong: the operator's code did.
#[cold]
fn no_permit(entry: PolicyEntry, call: &AuthContext, why: &NoPermit) -> Status {
    error!(
        target: "grpc_auth",
        method = %entry,
        permit_of = call.decision().entry().map(tracing::field::display),
        verdict = "deny",
        cause = why.cause,
        help = why.help,
        "method called without a permit of its own"
    );
    metrics::denied(Some(entry), DenialReason::PermitMissing);
    DenialReason::PermitMissing.to_status(&call.settings.challenge)
}

/// Where there is no layer the guard does what it would do.
#[cfg(feature = "testing")]
fn decide_in_test(entry: PolicyEntry, call: &AuthContext) -> Result<Permit, Status> {
    authorize(entry, call.principal()).map_err(|denied| {
        let denial = Denial::from(denied).of_caller(call.principal());
        denial.log(&format!("/{entry}"), Some(entry));
        denial.denied.to_status(&call.settings.challenge)
    })
}

/// The token was good when the call arrived, and is not any more now that its message is here.
#[cold]
fn too_late(entry: PolicyEntry, call: &AuthContext) -> Status {
    let denial = Denial::new(DenialReason::TokenExpired, TOO_LATE).of_caller(call.principal());
    denial.log(&format!("/{entry}"), Some(entry));
    denial.denied.to_status(&call.settings.challenge)
}

fn permit_without_layer(entry: PolicyEntry) -> Result<Permit, Status> {
    authorize(entry, None).map_err(|_| {
        error!(
            target: "grpc_auth",
            method = %entry,
            verdict = "deny",
            "the service is mounted without its layer, so every call of this method is rejected: mount it \
             with `auth.protect(service)` instead of tonic's `Server::new(service)`"
        );
        metrics::denied(Some(entry), DenialReason::LayerMissing);
        DenialReason::LayerMissing.to_status(&Challenge::new("", false))
    })
}

impl Admitted<'_> {
    /// Makes what the method asks for.
    ///
    /// # Errors
    /// The status that the caller gets.
    pub fn inject<T: Inject>(&self) -> Result<T, Status> {
        let caller = self.call.and_then(|call| call.caller.as_ref());
        T::inject(caller).map_err(|denial| match caller {
            Some(caller) => self.refuse(&denial.of(caller.principal())),
            None => self.refuse(&denial),
        })
    }

    /// Makes what a method that lets anyone in asks for.
    ///
    /// # Errors
    /// The status that the caller gets.
    pub fn inject_optional<T: InjectOptional>(&self) -> Result<T, Status> {
        self.inject()
    }

    pub(super) fn refuse(&self, denial: &Denial) -> Status {
        denial.log(&format!("/{}", self.entry), Some(self.entry));
        let none = Challenge::new("", false);
        let challenge = self.call.map_or(&none, |call| &call.settings.challenge);
        denial.denied.to_status(challenge)
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
    #[expect(private_interfaces, reason = "sealed: users name the trait and do not implement it")]
    fn inject(caller: Option<&AuthenticatedCaller>) -> Result<Self, Denial>;
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
    #[expect(private_interfaces, reason = "sealed: users name the trait and do not implement it")]
    fn from_caller(caller: &AuthenticatedCaller) -> Result<Self, Denial>;
}

impl<T: DeserializeOwned + Send + Sync + 'static> FromCaller for Claims<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &AuthenticatedCaller) -> Result<Self, Denial> {
        Ok(caller.principal().claims()?)
    }
}

impl FromCaller for Principal {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &AuthenticatedCaller) -> Result<Self, Denial> {
        Ok(caller.principal().clone())
    }
}

impl FromCaller for BearerToken {
    #[expect(private_interfaces, reason = "sealed")]
    fn from_caller(caller: &AuthenticatedCaller) -> Result<Self, Denial> {
        Ok(caller.token().ok_or(DenialReason::CredentialsMissing)?.clone())
    }
}

impl<T: FromCaller> Inject for Option<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&AuthenticatedCaller>) -> Result<Self, Denial> {
        caller.map(T::from_caller).transpose()
    }
}

impl<T: FromCaller> InjectOptional for Option<T> {}

impl<T: DeserializeOwned + Send + Sync + 'static> Inject for Claims<T> {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&AuthenticatedCaller>) -> Result<Self, Denial> {
        required(caller)
    }
}

impl Inject for Principal {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&AuthenticatedCaller>) -> Result<Self, Denial> {
        required(caller)
    }
}

impl Inject for BearerToken {
    #[expect(private_interfaces, reason = "sealed")]
    fn inject(caller: Option<&AuthenticatedCaller>) -> Result<Self, Denial> {
        required(caller)
    }
}

fn required<T: FromCaller>(caller: Option<&AuthenticatedCaller>) -> Result<T, Denial> {
    T::from_caller(caller.ok_or(DenialReason::CredentialsMissing)?)
}

/// What a method returns after `async_trait` expanded it: a boxed future.
#[diagnostic::on_unimplemented(
    message = "a protected method returns `Result<_, tonic::Status>`",
    label = "not what a tonic service returns"
)]
pub trait Refuse {
    #[doc(hidden)]
    fn refuse(status: Status) -> Self;
}

impl<'a, T: Send + 'a> Refuse for Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>> {
    fn refuse(status: Status) -> Self {
        Box::pin(std::future::ready(Err(status)))
    }
}
