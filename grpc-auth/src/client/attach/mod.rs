//! Attaching tokens to the calls of a channel, and trying once more where another token helps.

mod answer;
mod body;
pub(crate) mod connect;
mod credentials;
mod exchange;
mod refusal;
pub(crate) mod service;

use std::sync::Arc;

use tower_layer::Layer;

use super::source::TokenSource;
use crate::error::ConfigError;
use crate::proof_of_possession::origin::check_origin;

pub(super) use service::AddToken;

/// Attaches the tokens of a [`TokenSource`] to the calls of a channel; made by
/// [`TokenSource::layer`].
///
/// # What a call meets
///
/// - It carries the token that is held, as `authorization` (RFC 6750 §2.1), marked sensitive. If
///   there is no token yet it waits for one, for as long as its deadline (`grpc-timeout`) allows.
/// - Without a token it is not sent. It is answered on the spot: UNAVAILABLE with RetryInfo where
///   time mends the cause, UNAUTHENTICATED where a setting has to change, DEADLINE_EXCEEDED where the
///   deadline was first. The cause is in the log, once for each outage.
/// - If it carries an `authorization` already it is answered INTERNAL: two credentials are a mistake
///   of this program's, and neither is silently replaced by the other.
/// - A `TokenSource` in the request's extensions is asked in place of the layer's own, for this call
///   alone.
///
/// # When the server refuses the token
///
/// A call that is answered UNAUTHENTICATED before anything else (trailers-only), is sent once more
/// with another token, if its request was one message of at most 256 KiB and no more, as those of
/// unary and server-streaming calls are. An open stream of requests is never sent again, but the next
/// call has another token then. There is another one if that which was sent is no longer held, or if
/// none was given up within the last 10 s: a thousand calls that are refused at once cause one request
/// for a token. If none can be got, the call is answered as one without a token, and the one that was
/// refused serves on, for another service may take it. A refusal for which another token is no remedy,
/// PERMISSION_DENIED above all, goes to the caller as it is. With a token that is bound to a key, a
/// call may be sent once more before that, with the nonce that the server asks for.
///
/// What bounds all of it is the call's deadline (`grpc-timeout`: `request.set_timeout(..)`).
/// `Endpoint::timeout` is counted below this layer, anew each time that a call is sent, and without
/// the time that it waits for a token.
///
/// ```
/// # mod echo { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
/// use grpc_auth::ClientAuthentication;
/// use grpc_auth::client::OAuthClient;
/// use grpc_auth::testing::TestAuthorizationServer;
/// use tonic::{Code, Request, Response, Status};
/// use tonic_health::pb::health_client::HealthClient;
/// use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
/// use tower_layer::Layer;
/// # struct Service;
/// # #[grpc_auth::protect]
/// # #[tonic::async_trait]
/// # impl echo::Health for Service {
/// #     #[require_scopes("read:health")]
/// #     async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
/// #         Ok(Response::new(HealthCheckResponse::default()))
/// #     }
/// #   type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;
/// #   #[authenticated]
/// #   async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
/// #       Ok(Response::new(tokio_stream::empty()))
/// #   }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestAuthorizationServer::start().await?;
/// issuer.add_client("reader", "s3cret", ["read:health"]);
/// issuer.add_client("writer", "s3cret", ["write:health"]);
/// let auth = issuer.resource_server().build().await?;
/// # let channel = auth.protect(Service);
///
/// let tokens = |id: &str| {
///     let client = ClientAuthentication::client_secret_basic(id, "s3cret");
///     let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
///     client.client_credentials().audience(TestAuthorizationServer::AUDIENCE).build()
/// };
/// let mut client = HealthClient::new(tokens("reader")?.layer().layer(channel));
/// assert!(client.check(HealthCheckRequest::default()).await.is_ok());
///
/// // The same channel, for a call under another identity.
/// let mut request = Request::new(HealthCheckRequest::default());
/// request.extensions_mut().insert(tokens("writer")?);
/// assert_eq!(client.check(request).await.unwrap_err().code(), Code::PermissionDenied);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct AddTokenLayer {
    source: TokenSource,
    origin: Option<Arc<str>>,
}

impl TokenSource {
    /// Attaches these tokens to the calls of any channel. Where the channel is not of
    /// [`connect`](Self::connect) it is the caller who sees to it that tokens do not go to another
    /// host in plaintext.
    #[must_use]
    pub fn layer(&self) -> AddTokenLayer {
        AddTokenLayer { source: self.clone(), origin: None }
    }
}

impl AddTokenLayer {
    /// Tells where the channel leads to, as its server knows itself: `https://echo.example.com`.
    /// Proofs are made for this address (RFC 9449), so that tokens that are bound to a key need it;
    /// others do not. Channels of [`connect`](TokenSource::connect) know it.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when it is more than scheme and authority, or http to
    /// another host.
    pub fn origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        check_origin(origin)?;
        self.origin = Some(origin.trim_end_matches('/').into());
        Ok(self)
    }
}

impl<S> Layer<S> for AddTokenLayer {
    type Service = AddToken<S>;

    fn layer(&self, inner: S) -> AddToken<S> {
        AddToken::new(inner, self.source.clone(), self.origin.clone())
    }
}
