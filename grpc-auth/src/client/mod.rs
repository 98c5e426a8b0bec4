//! The client side: calling other services with tokens.
//!
//! | to | there is |
//! |---|---|
//! | get tokens for this program, and keep them | [`ClientCredentials`], any other grant: [`OAuthClient`], from elsewhere: [`TokenSource`] |
//! | send them with calls | [`TokenSource::connect`], [`TokenSource::layer`]; over HTTP [`TokenSource::http_layer`], [`TokenSource::send`] |
//! | act for a caller | [`TokenRelayLayer`] forwards the caller's token, [`OnBehalfOf`] exchanges it |
//! | log a person in | [`OAuthClient::login`], [`OAuthClient::device_login`]: [`login`] |
//! | find out why a connection does not come about | [`doctor`] |

mod access_token;
mod attach;
mod digest;
pub mod doctor;
mod dpop;
mod error;
mod exchange;
#[cfg(feature = "testing")]
pub(crate) mod fuzz;
pub mod login;
mod oauth_client;
mod on_behalf_of;
mod outage;
mod registry;
mod relay;
mod renewal;
mod request;
mod response;
mod server;
mod source;
mod web;

pub use access_token::AccessToken;
pub use attach::{Authorized, AuthorizedFuture, AuthorizedLayer, ConnectError};
pub use dpop::DpopKey;
pub use error::TokenError;
pub use exchange::SubjectToken;
pub use login::{LoggedIn, LoggedOut, Login, LoginError, StoredLogin, TokenStore};
pub use oauth_client::OAuthClient;
pub use on_behalf_of::OnBehalfOf;
pub use relay::{ResponseFuture, TokenRelay, TokenRelayLayer};
pub use request::{ClientCredentials, TokenRequest};
pub use source::TokenSource;
pub use web::{AuthorizeError, AuthorizedHttp, AuthorizedHttpLayer};
