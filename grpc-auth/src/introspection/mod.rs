//! Asking the authorization server about a token (RFC 7662).

mod cache;
mod circuit_breaker;
pub(crate) mod introspector;
mod request;
pub(crate) mod response;
#[cfg(feature = "redis")]
pub(crate) mod shared_cache;

/// What a token is known by.
pub(crate) type Digest = [u8; 32];
