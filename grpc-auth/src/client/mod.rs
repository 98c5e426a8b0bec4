//! The client side: calling other services with tokens.
//!
//! [`TokenRelayLayer`] forwards the token of the caller whom a handler serves.
//! [`login`] logs a person in.

#[cfg(feature = "client")]
mod access_token;
#[cfg(feature = "client")]
mod digest;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod exchange;
#[cfg(feature = "client")]
pub mod login;
#[cfg(feature = "client")]
mod oauth_client;
#[cfg(feature = "client")]
mod on_behalf_of;
#[cfg(feature = "client")]
mod registry;
mod relay;
#[cfg(feature = "client")]
mod renewal;
#[cfg(feature = "client")]
mod request;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
mod server;
#[cfg(feature = "client")]
mod source;

#[cfg(feature = "client")]
pub use access_token::AccessToken;
#[cfg(feature = "client")]
pub use error::TokenError;
#[cfg(feature = "client")]
pub use exchange::SubjectToken;
#[cfg(feature = "client")]
pub use login::{LoggedIn, LoggedOut, Login, LoginError, StoredLogin, TokenStore};
#[cfg(feature = "client")]
pub use oauth_client::OAuthClient;
#[cfg(feature = "client")]
pub use on_behalf_of::OnBehalfOf;
pub use relay::{ResponseFuture, TokenRelay, TokenRelayLayer};
#[cfg(feature = "client")]
pub use request::{ClientCredentials, TokenRequest};
#[cfg(feature = "client")]
pub use source::TokenSource;
