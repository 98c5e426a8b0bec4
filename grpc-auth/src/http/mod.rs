//! Requests to authorization servers: the HTTP client, cache headers and the metadata of issuers.

pub(crate) mod address;
pub(crate) mod cache_control;
pub(crate) mod cached_metadata;
pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod discovery;
pub(crate) mod document;
pub(crate) mod error;
mod metadata;
pub(crate) mod network;
mod optional;
