//! Forwarding the caller's token: a service that calls another one on behalf of its caller.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::Status;
use tower_layer::Layer;
use tower_service::Service;

use crate::token::bearer::BearerToken;

/// Forwards the caller's token to the service that is called (token relay): the
/// [`BearerToken`] in a request's extensions becomes its `authorization` (RFC 6750 §2.1), marked
/// sensitive.
///
/// A request without a `BearerToken` is not sent: it is answered UNAUTHENTICATED on the spot. Nor is
/// one that carries an `authorization` already, whatever it is: that is answered INTERNAL, for two
/// credentials are a mistake of this program's, and neither is silently replaced by the other. Calls
/// under another identity go through a channel without this layer.
///
/// The other service sees the caller as this one does, and can act as the caller: forward tokens
/// only to services that their audience names and their callers mean to reach, over TLS. A token
/// that is bound to a key of its holder (`cnf`) is refused there.
///
/// ```
/// # mod echo { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
/// use grpc_auth::BearerToken;
/// use grpc_auth::client::{TokenRelay, TokenRelayLayer};
/// use grpc_auth::testing::TestAuthorizationServer;
/// use tonic::{Code, Request, Response, Status};
/// use tonic_health::pb::health_client::HealthClient;
/// use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
/// use tower_layer::Layer;
/// # use grpc_auth::server::Protect;
/// # type Channel = Protect<echo::HealthServer<Backend>>;
///
/// struct Frontend {
///     backend: HealthClient<TokenRelay<Channel>>,
/// }
///
/// #[grpc_auth::protect]
/// #[tonic::async_trait]
/// impl echo::Health for Frontend {
///     #[authenticated]
///     async fn check(
///         &self,
///         request: Request<HealthCheckRequest>,
///         token: BearerToken,
///     ) -> Result<Response<HealthCheckResponse>, Status> {
///         let mut onward = Request::new(request.into_inner());
///         onward.extensions_mut().insert(token);
///         self.backend.clone().check(onward).await
///     }
/// #   type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;
/// #   #[authenticated]
/// #   async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
/// #       Ok(Response::new(tokio_stream::empty()))
/// #   }
/// }
/// # struct Backend;
/// # #[grpc_auth::protect]
/// # #[tonic::async_trait]
/// # impl echo::Health for Backend {
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
/// # let issuer = TestAuthorizationServer::start().await?;
/// # let auth = issuer.resource_server().build().await?;
/// # let channel = auth.protect(Backend);
/// let backend = HealthClient::new(TokenRelayLayer::new().layer(channel));
/// let mut client = HealthClient::new(auth.protect(Frontend { backend: backend.clone() }));
///
/// let call = |scope: &str| {
///     let mut request = Request::new(HealthCheckRequest::default());
///     let token = issuer.token().scopes([scope]).sign();
///     request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
///     request
/// };
/// // The backend judges the caller by the caller's own token.
/// assert!(client.check(call("read:health")).await.is_ok());
/// assert_eq!(client.check(call("read:other")).await.unwrap_err().code(), Code::PermissionDenied);
///
/// // Nothing is sent without a token.
/// let refused = backend.clone().check(HealthCheckRequest::default()).await.unwrap_err();
/// assert_eq!(refused.code(), Code::Unauthenticated);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenRelayLayer(());

/// The service that [`TokenRelayLayer`] makes around a channel.
#[derive(Clone, Debug)]
pub struct TokenRelay<S> {
    inner: S,
}

impl TokenRelayLayer {
    /// Forwards tokens; there is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for TokenRelayLayer {
    type Service = TokenRelay<S>;

    fn layer(&self, inner: S) -> TokenRelay<S> {
        TokenRelay { inner }
    }
}

impl<S, B, R> Service<Request<B>> for TokenRelay<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = TokenRelayFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match attach(&mut request) {
            // The service that was polled ready, and no clone of it.
            Ok(()) => TokenRelayFuture { response: Some(self.inner.call(request)), refusal: None },
            Err(status) => {
                TokenRelayFuture { response: None, refusal: Some(Box::new(status.into_http())) }
            }
        }
    }
}

/// Turns the token in the extensions into the request's credentials.
fn attach<B>(request: &mut Request<B>) -> Result<(), Box<Status>> {
    let token = request.extensions_mut().remove::<BearerToken>();
    if request.headers().contains_key(AUTHORIZATION) {
        return Err(Box::new(Status::internal(
            "the call was not sent: it already carries `authorization`, and the channel forwards \
             the caller's token; remove it, or use a channel without `TokenRelayLayer`",
        )));
    }
    let Some(token) = token else {
        return Err(Box::new(Status::unauthenticated(
            "the call was not sent: it carries no token of a caller to forward; insert the \
             injected `BearerToken` into the extensions of the outgoing request",
        )));
    };
    // A map can be full.
    match request.headers_mut().try_insert(AUTHORIZATION, token.header_value()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Box::new(Status::internal(
            "the call was not sent: it has too many headers for another one",
        ))),
    }
}

pin_project! {
    /// The response of [`TokenRelay`]: the other service's, or a refusal to send the request.
    #[must_use = "futures do nothing unless polled"]
    pub struct TokenRelayFuture<F, R> {
        // One of the two.
        #[pin]
        response: Option<F>,
        refusal: Option<Box<Response<R>>>,
    }
}

impl<F, R, E> Future for TokenRelayFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.response.as_pin_mut() {
            Some(response) => response.poll(cx),
            // Polled again after it was ready: a future may do anything but panic here.
            None => this.refusal.take().map_or(Poll::Pending, |refusal| Poll::Ready(Ok(*refusal))),
        }
    }
}

impl<F, R> fmt::Debug for TokenRelayFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRelayFuture").finish_non_exhaustive()
    }
}
