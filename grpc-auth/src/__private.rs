//! What `#[protect]` writes into user code. No public API: it changes without notice.
//!
//! The functions of the table are named like the attributes, so that an expansion reads like the
//! impl it was made of.

use std::marker::PhantomData;
use std::pin::Pin;
pub use std::sync::Arc;

use futures_core::Stream;

pub use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};

use crate::policy::rpc_kind::RpcKind;
use crate::policy::rule::{AccessRule, ScopeExpr};
use crate::policy::service_policy::{MethodPolicy, PolicyEntry, ServicePolicy};
use crate::server::ProtectedService;
use crate::server::guard::enter;
use crate::token::scope::Scope;

pub use crate::policy::descriptor::{DescriptorCheck, MethodName, named_by};
pub use crate::server::guard::{Admitted, FromCaller, Inject, InjectOptional, Refuse};

/// Reads JSON that others wrote, as this crate does; an error names the member and holds no value.
#[cfg(feature = "cli")]
pub fn read_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    crate::json::read(json).map_err(|error| error.to_string())
}

/// The guard of the method at this position of the impl: takes the permit that the layer gave for
/// the method's entry and this call.
///
/// # Errors
/// Without such a permit the call is rejected.
pub fn guard<'r, S, T: ProtectedService<S>, const POSITION: usize>(
    request: &'r Request<impl Sized>,
) -> Result<Admitted<'r>, Status> {
    enter(const { entry_at(T::POLICY, POSITION) }, request.extensions())
}

#[expect(clippy::panic, reason = "it runs while compiling: a panic is a compile error")]
const fn entry_at(policy: ServicePolicy, position: usize) -> PolicyEntry {
    match policy.entry_of_method(position) {
        Some(entry) => entry,
        None => panic!("the policy of the service has no entry for the method"),
    }
}

/// The answer of a method that returns no `Result`, since `async_trait` expanded it already.
#[must_use]
pub fn denied<R: Refuse>(status: Status) -> R {
    R::refuse(status)
}

/// The policy of the service that this server type serves.
#[must_use]
pub const fn policy<S: NamedService>(methods: &'static [MethodPolicy]) -> ServicePolicy {
    ServicePolicy::annotated(S::NAME, methods)
}

/// The entry of the method at this position of the impl.
#[must_use]
pub const fn entry(position: usize, rpc: &'static str, rule: AccessRule) -> MethodPolicy {
    MethodPolicy::annotated(position, rpc, rule)
}

/// `#[require_scopes(..)]`
#[must_use]
pub const fn require_scopes(scopes: ScopeExpr) -> AccessRule {
    AccessRule::RequireScopes(scopes)
}

/// `#[authenticated]`
#[must_use]
pub const fn authenticated() -> AccessRule {
    AccessRule::Authenticated
}

/// `#[allow_unauthenticated]`
#[must_use]
pub const fn allow_unauthenticated() -> AccessRule {
    AccessRule::AllowUnauthenticated
}

/// A scope that the rule gives as a string.
#[must_use]
pub const fn scope(scope: &'static str) -> ScopeExpr {
    ScopeExpr::Scope(Scope::from_static(scope))
}

/// A constant that the rule names.
#[derive(Debug)]
pub struct Constant<T>(pub T);

impl Constant<Scope> {
    /// Its scope.
    #[must_use]
    pub const fn scope(self) -> ScopeExpr {
        ScopeExpr::Scope(self.0)
    }
}

/// Found where a constant has another type, for a message that says so.
pub trait OtherConstant<T>: Sized {
    /// Never called.
    #[must_use]
    fn scope(self) -> ScopeExpr
    where
        T: IsScope,
    {
        unreachable()
    }
}

impl<T> OtherConstant<T> for Constant<T> {}

/// Implemented by no type.
#[diagnostic::on_unimplemented(
    message = "a scope constant has the type `grpc_auth::Scope`, not `{Self}`",
    label = "not a `Scope`",
    note = "declare it as `const READ: Scope = Scope::from_static(\"read:echo\");`"
)]
pub trait IsScope {}

/// `all(..)`
#[must_use]
pub const fn all(scopes: &'static [ScopeExpr]) -> ScopeExpr {
    ScopeExpr::All(scopes)
}

/// `any(..)`
#[must_use]
pub const fn any(scopes: &'static [ScopeExpr]) -> ScopeExpr {
    ScopeExpr::Any(scopes)
}

/// The kind of an RPC with these streams.
#[must_use]
pub const fn kind(streams_requests: bool, streams_responses: bool) -> RpcKind {
    RpcKind::of(streams_requests, streams_responses)
}

/// A side of a method, by the type of its request or of what it returns. `Side::<T>::STREAMS` is one
/// of the constants below where `T`, whatever it is called, is the type of a stream; anything else
/// has the one of [`OneMessage`].
#[derive(Debug)]
pub struct Side<T>(PhantomData<T>);

/// A side that is no stream.
pub trait OneMessage {
    /// Whether it is one.
    const STREAMS: bool = false;
}

impl<T> OneMessage for Side<T> {}

impl<M> Side<Request<Streaming<M>>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
}

impl<S: Stream> Side<Result<Response<S>, Status>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
}

/// What `async_trait` makes of it.
type Boxed<S> = Pin<Box<dyn Future<Output = Result<Response<S>, Status>> + Send>>;

impl<S: Stream> Side<Boxed<S>> {
    /// Whether it is one.
    pub const STREAMS: bool = true;
}

/// Of the methods that `cfg` left for one RPC there is at most one.
#[track_caller]
pub const fn check_unique(methods: &[&str]) {
    assert!(
        methods.len() < 2,
        "two methods of this impl have the same RPC, and no `cfg` removes one of them\n\nhelp: \
         tell them apart by `rpc = \"..\"` with the names in the `.proto` file"
    );
}

/// Stands for an injected parameter or a body in a method that does not compile for another reason.
#[must_use]
#[expect(clippy::unreachable, reason = "stands beside a compile error: it never runs")]
pub const fn unreachable<T>() -> T {
    unreachable!()
}
