//! The client side: calling other services with tokens.
//!
//! [`TokenRelayLayer`] forwards the token of the caller whom a handler serves.

#[cfg(feature = "client")]
pub mod doctor;
mod relay;

pub use relay::{ResponseFuture, TokenRelay, TokenRelayLayer};
