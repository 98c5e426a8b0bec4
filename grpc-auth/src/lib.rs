#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod bearer;
mod claims;
mod clock;
mod error;
mod http_client;
mod issuer;
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
pub use grpc_auth_macros::{allow_unauthenticated, authenticated, protect, require_scopes};
pub use issuer::{Auth0Config, GrantSource, Issuer};
pub use jwks::{Algorithm, FetchError, KeySetError};
pub use principal::Principal;
pub use scope::Scope;
pub use server::{ProtectedService, RequestExt, ResourceServer, Start};
