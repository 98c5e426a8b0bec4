//! The policy of a service: one constant table of rules, and the one function that decides.
//!
//! [`#[protect]`](crate::protect) writes the table of an annotated service. For a service that
//! cannot be annotated (reflection, health, a third party's) it is written by hand:
//!
//! ```
//! use grpc_auth::policy::{AccessRule, MethodPolicy, ScopeExpr, ServicePolicy};
//! use grpc_auth::Scope;
//!
//! const HEALTH: ServicePolicy = ServicePolicy::new(
//!     "grpc.health.v1.Health",
//!     &[
//!         MethodPolicy::new("Check", AccessRule::AllowUnauthenticated),
//!         MethodPolicy::new("Watch", AccessRule::RequireScopes(
//!             ScopeExpr::Scope(Scope::from_static("watch:health")),
//!         )),
//!     ],
//! );
//!
//! assert_eq!(HEALTH.to_string(), "\
//! grpc.health.v1.Health
//!   Check  allow_unauthenticated
//!   Watch  require_scopes(\"watch:health\")
//! ");
//! ```

pub(crate) mod authorize;
pub(crate) mod denial;
pub(crate) mod descriptor;
mod display;
pub(crate) mod index;
pub(crate) mod rpc_kind;
mod rpc_name;
pub(crate) mod rule;
pub(crate) mod service_policy;

pub use authorize::{Permit, authorize};
pub use rpc_kind::RpcKind;
pub use rule::{AccessRule, ScopeExpr};
pub use service_policy::{MethodPolicy, PolicyEntry, ServicePolicy};
