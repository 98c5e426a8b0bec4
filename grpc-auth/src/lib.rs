#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
// The lower layers are compiled whole, whatever the features above them; a build with all features
// shows what nothing uses.
#![cfg_attr(not(all(feature = "cli", feature = "redis", feature = "dev-tls")), allow(dead_code))]

#[cfg(feature = "client")]
pub mod client;
mod client_authentication;
mod clock;
pub mod danger;
#[cfg(feature = "doctor")]
pub mod doctor;
mod error;
mod http;
mod introspection;
mod issuer;
mod jose;
mod json;
mod jwks;
mod lock;
#[cfg(feature = "login")]
pub mod login;
mod metrics;
pub mod observability;
mod panics;
pub mod policy;
#[cfg(any(feature = "login", feature = "dev-tls"))]
mod private_file;
mod proof_of_possession;
#[cfg(feature = "redis")]
mod redis;
mod sanitize_untrusted;
pub mod server;
mod single_flight;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tls")]
pub mod tls;
mod token;
mod verify;

#[doc(hidden)]
pub mod __private;

pub use crate::clock::Clock;
pub use crate::error::ConfigError;
pub use crate::policy::denial::{DenialReason, ERROR_DOMAIN};
pub use crate::token::bearer::BearerToken;
pub use crate::token::claims::{Claims, ClaimsError};
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
/// Beside its rule a method can have any number of [`#[require(..)]`](macro@require)s: functions of the
/// caller's claims and the message, all of which must hold.
///
/// | option | when |
/// |---|---|
/// | `server = path::EchoServer` | the compiler cannot find type `EchoServer` at `#[protect]`: import it beside the trait, or name it here |
/// | `crate = path` | this crate has another name |
/// | `descriptor = path` | the constant bytes of a `FileDescriptorSet`: it gives the RPCs' names, and RPCs without a method and methods without an RPC do not compile |
///
/// Parameters after the request are injected: [`Claims<T>`], [`Principal`], [`BearerToken`], or an
/// `Option` of them; where anyone is let in, only the options.
///
/// # Examples
/// ```
/// # mod health { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
/// use grpc_auth::testing::TestAuthorizationServer;
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
/// let issuer = TestAuthorizationServer::start().await?;
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
///     let admitted = guard::<HealthServer<Self>, Self, 0>(&request)?;
///     let caller: Principal = admitted.inject()?;
///     ..
/// }
///
/// impl ProtectedService<HealthServer<Self>> for Service {
///     const POLICY: ServicePolicy = policy::<HealthServer<Self>>(&[
///         entry(0, "Check", require_scopes(all(&[scope("read:health"), ..])))
///             .derived()
///             .kind(kind(
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
/// (rustc 1.95, two cores; `cargo bench -p tests --bench expansion`). At run time the guard takes
/// the permit that the layer gave for its entry and this call, and rejects the call without one.
///
/// # One permit, one method, one call
/// A handler that calls another method of a protected service with its own request
/// (`self.put(request)`) is rejected with INTERNAL, whatever the caller may do: the other method's
/// rule, authorizer and requirements are for callers. Move the code that both need into a plain
/// function, and call that from each. Extensions that are cloned or kept have the caller and no
/// permit; a middleware below the layer that repeats a request with cloned extensions is rejected
/// for the same reason, so put it above the layer.
///
/// # Limitations
/// * A Rust name does not tell how the `.proto` file spells the RPC: `get_url` serves `GetURL` as
///   well as `GetUrl`. With `descriptor` the names come from there. Without it an entry matches the
///   path whose method name is the same without `_` and case, and two methods with such names need
///   `rpc = ".."`. A path that no entry matches is rejected, and the log names the nearest entry and
///   what to write.
/// * Rules behind `cfg_attr` and methods made by macro calls are refused: they cannot be seen.
/// * An attribute macro below `#[protect]` works on what `#[protect]` wrote. Methods that it adds
///   have neither entry nor guard, and no caller reaches them; with `descriptor` their RPCs do not
///   compile. Put such macros above.
/// * Methods left to default stubs have no entry and are rejected: PERMISSION_DENIED with a valid
///   token, UNAUTHENTICATED without one.
pub use grpc_auth_macros::protect;

/// Lets in callers whose token grants what is listed. Under [`macro@protect`], with or without
/// its path; anywhere else it has no effect and does not compile.
///
/// ```text
/// #[require_scopes("read:echo")]                                 // one scope
/// #[require_scopes("read:echo", "write:echo")]                   // both
/// #[require_scopes(scopes::READ, any("team:blue", "admin:all"))] // a constant, and one of two
/// #[require_scopes("read:url", rpc = "GetURL")]                  // the RPC's name in the `.proto` file
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

pub use crate::client_authentication::ClientAuthentication;
pub use crate::client_authentication::bearer_credential::BearerCredential;
pub use crate::client_authentication::secret::ClientSecret;
#[cfg(feature = "redis")]
pub use crate::redis::Redis;
/// Lets anyone in. A valid token still identifies its caller, an invalid one means anonymous. Under
/// [`macro@protect`], with or without its path; anywhere else it has no effect and does not compile.
///
/// ```compile_fail
/// #[grpc_auth::allow_unauthenticated]
/// fn outside_of_protect() {}
/// ```
pub use grpc_auth_macros::allow_unauthenticated;

pub use crate::http::connection::ConnectionFailure;
pub use crate::http::error::HttpError;
pub use crate::issuer::Issuer;
pub use crate::issuer::introspection::{Introspection, IntrospectionCache};
pub use crate::issuer::presets::auth0::Auth0Config;
pub use crate::issuer::presets::preset::{Preset, PresetClients};
pub use crate::issuer::scope_sources::ScopeSource;
pub use crate::jose::algorithm::{Algorithm, UnknownAlgorithm};
pub use crate::jwks::event::{JwksEvent, JwksHealth, UnknownKidOutcome};
pub use crate::jwks::fetch::{KeyFetchError, KeyFetchProblem};
pub use crate::jwks::set::JwksError;
pub use crate::jwks::settings::{JwksSettings, RefreshMode};
pub use crate::jwks::skipped::SkippedKey;
pub use crate::jwks::token::JwksToken;
#[cfg(feature = "tls")]
pub use crate::proof_of_possession::certificate::ClientCertificate;
pub use crate::proof_of_possession::dpop::Dpop;
#[cfg(feature = "redis")]
pub use crate::proof_of_possession::redis::RedisReplayStore;
pub use crate::proof_of_possession::replay::{DpopProofId, ReplayStore, ReplayStoreError};
#[doc(inline)]
pub use crate::server::builder::{ResourceServerBuilder, StartupPolicy};
#[doc(inline)]
pub use crate::server::health::VerifierHealth;
#[doc(inline)]
pub use crate::server::request_ext::CallerExt;
#[doc(inline)]
pub use crate::server::{ProtectedService, ResourceServer};
pub use crate::token::principal::Principal;
pub use crate::token::scope::Scope;
pub use crate::verify::error::VerifyError;
pub use crate::verify::token_cache::TokenCache;
/// Requires something of the caller's claims and the message, beside the method's access rule:
/// that an order is the caller's own, that a tenant is named that the caller belongs to. Under
/// [`macro@protect`], with or without its path; anywhere else it has no effect and does not compile.
///
/// It takes a closure, or the path of a function: `fn(&Claims<T>, &M) -> bool` with `M` the message
/// of the method's `Request<M>` and `T` any type the claims are to have. A method with a stream of
/// messages, `Request<Streaming<M>>`, is entered before the first of them has come: there it is
/// `fn(&Claims<T>) -> bool`.
///
/// Requirements are asked in their order, once the access rule and the
/// [`Authorizer`](server::Authorizer) have let the caller in and before anything is injected; the
/// first that does not hold refuses the call:
///
/// | | the caller sees |
/// |---|---|
/// | it does not hold | PERMISSION_DENIED, PERMISSION_DENIED_BY_POLICY; the log names the requirement |
/// | the claims do not fit `T` | PERMISSION_DENIED, PERMISSION_DENIED_BY_POLICY; the log names the path |
/// | it panics, or the `Deserialize` of `T` does | INTERNAL |
///
/// The requirement's text is in the [table](policy::ServicePolicy), and in the log when it
/// does not hold: it should hold no secret of its own.
///
/// # Examples
/// ```
/// # mod health { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
/// # use tonic::{Code, Request, Response, Status};
/// # use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
/// use grpc_auth::{Claims, ProtectedService};
///
/// #[derive(serde::Deserialize)]
/// struct Staff {
///     teams: Vec<String>,
/// }
///
/// /// The team is named first: `blue.orders`.
/// fn owns_service(claims: &Claims<Staff>, message: &HealthCheckRequest) -> bool {
///     let team = message.service.split('.').next();
///     claims.teams.iter().any(|own| Some(own.as_str()) == team)
/// }
///
/// # struct Service;
/// #[grpc_auth::protect]
/// #[tonic::async_trait]
/// impl health::Health for Service {
///     #[require_scopes("read:health")]
///     #[require(owns_service)]
///     #[require(|_: &Claims<Staff>, message| message.service.len() < 100)]
///     async fn check(
///         &self,
///         _: Request<HealthCheckRequest>,
///     ) -> Result<Response<HealthCheckResponse>, Status> {
///         Ok(Response::new(HealthCheckResponse::default()))
///     }
/// #   type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;
/// #   #[authenticated]
/// #   async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
/// #       Ok(Response::new(tokio_stream::empty()))
/// #   }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = grpc_auth::testing::TestAuthorizationServer::start().await?;
/// # let auth = issuer.resource_server().build().await?;
/// # let mut client = HealthClient::new(auth.protect(Service));
/// # let call = |service: &str| {
/// #     let mut request = Request::new(HealthCheckRequest { service: service.into() });
/// #     let token = issuer.token().scopes(["read:health"]).claim("teams", ["blue"]).sign();
/// #     request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
/// #     request
/// # };
/// // The caller's token has `"teams": ["blue"]`.
/// assert!(client.check(call("blue.orders")).await.is_ok());
/// let denied = client.check(call("red.orders")).await.unwrap_err();
/// assert_eq!(denied.code(), Code::PermissionDenied);
///
/// let entry = <Service as ProtectedService<health::HealthServer<_>>>::POLICY.entry("Check").unwrap();
/// assert_eq!(entry.requirements()[0], "owns_service");
/// # Ok(()) }
/// ```
///
/// # Expansion
/// ```text
/// if let Err(refusal) = admitted.require(0, &request, const { owns_service }) {
///     return refusal;
/// }
/// ```
///
/// # Limitations
/// * It is a function of claims and message: `self` and the method's other parameters cannot be used.
/// * The parameter's type, as it is written, decides whether messages are streamed:
///   `Request<Streaming<..>>`; behind a type alias of another name it does not compile.
/// * The message is decoded before it is asked. Whether a caller may send large ones is a matter of
///   the access rule.
/// * A panic goes to the process's panic hook as any other does, with its message. With
///   `panic = "abort"` it ends the process, and no caller is admitted.
///
/// ```compile_fail
/// #[grpc_auth::require(|_| true)]
/// fn outside_of_protect() {}
/// ```
pub use grpc_auth_macros::require;
