//! Tokens of a program of its own: obtained, cached, renewed, and attached to calls.

pub(crate) mod attach;
pub(crate) mod token_endpoint;
mod token_grants;
mod token_mtls;
mod token_providers;
mod token_relay;
pub(crate) mod token_source;
