//! The client side: calling other services with tokens.
//!
//! | to | there is |
//! |---|---|
//! | get tokens for this program, and keep them | [`ClientCredentials`], any other grant: [`OAuthClient`], from elsewhere: [`TokenSource`] |
//! | send them with calls | [`TokenSource::connect`], [`TokenSource::layer`]; over HTTP [`TokenSource::http_layer`], [`TokenSource::send`] |
//! | act for a caller | [`TokenRelayLayer`] forwards the caller's token, [`TokenExchange`] exchanges it |
//! | log a person in | [`OAuthClient::login`], [`OAuthClient::device_login`]: [`login`](crate::login) |
//! | find out why a connection does not come about | [`doctor`](crate::doctor) |

pub(crate) mod access_token;
mod attach;
pub(crate) mod builder;
mod digest;
mod dpop;
pub(crate) mod error;
mod exchange;
pub(crate) mod fuzz;
pub(crate) mod grants;
pub(crate) mod oauth_client;
mod on_behalf_of;
mod outage;
mod registry;
mod relay;
mod renewal;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod source;
mod web;

pub use access_token::AccessToken;
pub use attach::AddTokenLayer;
pub use attach::connect::ConnectError;
pub use attach::service::{AddToken, AddTokenFuture};
pub use builder::{ClientCredentials, TokenSourceBuilder};
pub use dpop::DpopKey;
pub use error::{TokenError, TokenErrorKind};
pub use exchange::SubjectToken;
pub use oauth_client::OAuthClient;
pub use on_behalf_of::TokenExchange;
pub use relay::{TokenRelay, TokenRelayFuture, TokenRelayLayer};
pub use source::TokenSource;
pub use web::error::AttachTokenError;
pub use web::layer::{AddTokenHttp, AddTokenHttpLayer};
