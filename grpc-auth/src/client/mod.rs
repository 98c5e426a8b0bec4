//! The client side: calling other services with tokens.
//!
//! [`TokenRelayLayer`] forwards the token of the caller whom a handler serves. With the feature
//! `client`, a `TokenSource` gets tokens for the program itself, and attaches them to the calls of a
//! channel or the requests of an HTTP client.

#[cfg(feature = "client")]
mod access_token;
#[cfg(feature = "client")]
mod attach;
#[cfg(feature = "client")]
mod dpop;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod oauth_client;
#[cfg(feature = "client")]
mod outage;
mod relay;
#[cfg(feature = "client")]
mod request;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
mod server;
#[cfg(feature = "client")]
mod source;
#[cfg(feature = "client")]
mod web;

#[cfg(feature = "client")]
pub use access_token::AccessToken;
#[cfg(feature = "client")]
pub use attach::{Authorized, AuthorizedFuture, AuthorizedLayer, ConnectError};
#[cfg(feature = "client")]
pub use dpop::DpopKey;
#[cfg(feature = "client")]
pub use error::TokenError;
#[cfg(feature = "client")]
pub use oauth_client::OAuthClient;
pub use relay::{ResponseFuture, TokenRelay, TokenRelayLayer};
#[cfg(feature = "client")]
pub use request::{ClientCredentials, TokenRequest};
#[cfg(feature = "client")]
pub use source::TokenSource;
#[cfg(feature = "client")]
pub use web::{AuthorizeError, AuthorizedHttp, AuthorizedHttpLayer};
