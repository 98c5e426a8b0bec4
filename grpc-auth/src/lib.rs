#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod bearer;
mod caller;
mod claims;
mod clock;
mod error;
mod http_client;
mod issuer;
mod json;
mod jwks;
pub mod policy;
mod principal;
mod scope;
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod verify;

#[doc(hidden)]
pub mod __private;

pub use bearer::BearerToken;
pub use claims::{Claims, ClaimsMismatch};
pub use clock::Clock;
pub use error::{ConfigError, Denied, ERROR_DOMAIN};
/// Protects a tonic service: reads the access rule of each method, puts a guard at its top, and
/// implements [`ProtectedService`] with the table of all rules.
///
/// It stands on the impl of the service trait, above or below `#[tonic::async_trait]`. Every method
/// has exactly one rule, its own or the default that stands on the impl:
///
/// | rule | lets in |
/// |---|---|
/// | `#[require_scopes("a", "b")]` | callers whose token grants all of these; `any(..)` and `all(..)` nest |
/// | `#[authenticated]` | callers with a valid token |
/// | `#[allow_unauthenticated]` | anyone; a valid token still identifies its caller |
///
/// | option | when |
/// |---|---|
/// | `server = path::EchoServer` | the server type does not stand beside the trait's path |
/// | `crate = path` | this crate has another name |
/// | `descriptor = path` | the constant bytes of a `FileDescriptorSet`: RPCs without a row and rows without an RPC do not compile |
///
/// Parameters after the request are injected: [`Claims<T>`], [`Principal`], [`BearerToken`], or an
/// `Option` of them; where anyone is let in, only the options.
///
/// # Examples
/// ```
/// # mod health { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
/// use grpc_auth::testing::AuthorizationServer;
/// use grpc_auth::{Principal, Scope};
/// use tonic::{Code, Request, Response, Status};
/// use tonic_health::pb::health_client::HealthClient;
/// use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
///
/// const WATCH: Scope = Scope::from_static("watch:health");
///
/// struct Service;
///
/// #[grpc_auth::protect]
/// #[tonic::async_trait]
/// impl health::Health for Service {
///     #[require_scopes("read:health", any("team:blue", "admin:all"))]
///     async fn check(
///         &self,
///         _: Request<HealthCheckRequest>,
///         caller: Principal,
///     ) -> Result<Response<HealthCheckResponse>, Status> {
///         assert!(caller.has_scope("read:health"));
///         Ok(Response::new(HealthCheckResponse::default()))
///     }
///
///     type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;
///
///     #[require_scopes(WATCH)]
///     async fn watch(
///         &self,
///         _: Request<HealthCheckRequest>,
///     ) -> Result<Response<Self::WatchStream>, Status> {
///         Ok(Response::new(tokio_stream::empty()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = AuthorizationServer::start().await?;
/// let auth = issuer.resource_server().build().await?;
/// let mut client = HealthClient::new(auth.protect(Service));
/// let call = |scopes: [&str; 2]| {
///     let mut request = Request::new(HealthCheckRequest::default());
///     let token = issuer.token().scopes(scopes).sign();
///     request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
///     request
/// };
///
/// assert!(client.check(call(["read:health", "team:blue"])).await.is_ok());
/// let denied = client.check(call(["read:health", "team:red"])).await.unwrap_err();
/// assert_eq!(denied.code(), Code::PermissionDenied);
/// let anonymous = client.check(HealthCheckRequest::default()).await.unwrap_err();
/// assert_eq!(anonymous.code(), Code::Unauthenticated);
/// # Ok(()) }
/// ```
///
/// # Expansion
/// The impl stays as it is written, less the rules and the injected parameters; each method begins
/// with its guard. Then follows the table:
///
/// ```text
/// async fn check(&self, request: Request<HealthCheckRequest>) -> Result<.., Status> {
///     if let Err(refusal) = enter(const { row::<HealthServer<Self>, Self>(0) }, &request) {
///         return refusal;
///     }
///     ..
/// }
///
/// impl ProtectedService<HealthServer<Self>> for Service {
///     const POLICY: ServicePolicy = ServicePolicy::annotated(HealthServer::<Self>::NAME, &[
///         MethodPolicy::annotated(0, "Check", AccessRule::RequireScopes(..))
///             .kind(RpcKind::of(
///                 Side::<Request<HealthCheckRequest>>::STREAMS,
///                 Side::<Result<.., Status>>::STREAMS,
///             )),
///         ..
///     ]);
///     ..
/// }
/// ```
///
/// An impl of 1,000 annotated methods, checked against its descriptor, costs the compiler 0.6 ms a
/// method: `cargo check` of it took 1.35 s instead of 0.79 s, `cargo build` 1.43 s instead of 0.84 s
/// (rustc 1.95, two cores; `cargo bench -p tests --bench expansion`). At run time the guard
/// compares its row with the layer's permit.
///
/// # Limitations
/// * tonic's Rust names do not tell the RPC's name where the `.proto` file is not in UpperCamelCase
///   (`GetURL` becomes `get_url`): write `rpc = "GetURL"` in the rule. Forgotten, the method stays
///   closed to anonymous callers, its guard enforces its rule, and the log says what to write; with
///   `descriptor` it does not compile.
/// * Rules behind `cfg_attr` and methods made by macro calls are refused: they cannot be seen.
/// * An attribute macro below `#[protect]` works on what `#[protect]` wrote. Methods that it adds
///   have neither row nor guard, and any valid token reaches them; with `descriptor` their RPCs do
///   not compile. Put such macros above.
/// * Methods left to default stubs have no row and no guard; they answer UNIMPLEMENTED, to callers
///   with a valid token only.
pub use grpc_auth_macros::protect;

/// Lets in callers whose token grants what is listed. Under [`macro@protect`], with or without
/// its path; anywhere else it has no effect and does not compile.
///
/// ```text
/// #[require_scopes("read:echo")]                                 // one scope
/// #[require_scopes("read:echo", "write:echo")]                   // both
/// #[require_scopes(scopes::READ, any("team:blue", "admin:all"))] // a constant, and one of two
/// #[require_scopes("read:url", rpc = "GetURL")]                  // a name that Rust's does not tell
/// ```
///
/// Scopes are checked against RFC 6749 §3.3 while compiling.
///
/// ```compile_fail
/// #[grpc_auth::require_scopes("read:echo")]
/// fn outside_of_protect() {}
/// ```
pub use grpc_auth_macros::require_scopes;

/// Lets in callers with a valid token, whatever it grants. Under [`macro@protect`], with or
/// without its path; anywhere else it has no effect and does not compile.
///
/// ```compile_fail
/// #[grpc_auth::authenticated]
/// fn outside_of_protect() {}
/// ```
pub use grpc_auth_macros::authenticated;

/// Lets anyone in. A valid token still identifies its caller, an invalid one means anonymous. Under
/// [`macro@protect`], with or without its path; anywhere else it has no effect and does not compile.
///
/// ```compile_fail
/// #[grpc_auth::allow_unauthenticated]
/// fn outside_of_protect() {}
/// ```
pub use grpc_auth_macros::allow_unauthenticated;
pub use issuer::{Auth0Config, GrantSource, Issuer};
pub use jwks::{
    Algorithm, FetchError, KeySetError, KeySetEvent, KeySetHealth, KeySetSettings, RefreshMode,
    SkippedKey, UnknownKey,
};
pub use principal::Principal;
pub use scope::Scope;
#[doc(inline)]
pub use server::{ProtectedService, RequestExt, ResourceServer, ResourceServerBuilder, Start};
pub use verify::{Refused, TokenCache};
