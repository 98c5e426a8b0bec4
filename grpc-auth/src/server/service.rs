//! The tower service: from a call to a permit in its extensions, or a refusal.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::server::NamedService;
use tower_service::Service;

use super::admission::{Admission, Shared};
use super::body::EndableBody;
use super::future::ResponseFuture;
use super::stream_expiry::StreamExpiry;
use crate::error::ConfigError;

/// A service that only permitted calls reach; made by
/// [`ResourceServer::protect`](crate::ResourceServer::protect).
///
/// It answers refusals itself, before the body is read, as gRPC trailers-only responses.
///
/// Bodies are tonic's, or in memory as a whole: `()`, `Bytes`, `String`. Services with bodies of another
/// type are mounted through tonic's `Routes`, which converts them, or behind a layer that does:
/// `request.map(tonic::body::Body::new)`.
#[derive(Clone)]
pub struct Protect<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Protect<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// Sets when open streams of the service end; by default when their caller's token expires.
    /// A handler that still works on a stream then is dropped, at whatever it waits for. What a
    /// caller does not read it does not get, and that includes the end: a stream whose caller has
    /// stopped reading ends when it goes on, or when its connection does.
    ///
    /// ```
    /// # mod health { pub use tonic_health::pb::health_server::{Health, HealthServer}; }
    /// # use tonic::{Code, Request, Response, Status};
    /// # use tonic_health::pb::health_client::HealthClient;
    /// # use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    /// use std::time::Duration;
    /// use grpc_auth::server::StreamExpiry;
    /// use grpc_auth::testing::TestAuthorizationServer;
    /// # struct Service;
    /// # #[grpc_auth::protect]
    /// # #[tonic::async_trait]
    /// # impl health::Health for Service {
    /// #     #[authenticated]
    /// #     async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
    /// #         Ok(Response::new(HealthCheckResponse::default()))
    /// #     }
    /// #     type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;
    /// #     #[authenticated]
    /// #     async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
    /// #         Ok(Response::new(tokio_stream::pending()))
    /// #     }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().build().await?;
    /// let minute = StreamExpiry::MaxAge(Duration::from_secs(60));
    /// let mut client = HealthClient::new(auth.protect(Service).stream_expiry(minute)?);
    ///
    /// # let mut request = Request::new(HealthCheckRequest::default());
    /// # let token = issuer.token().sign();
    /// # request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    /// // The token is valid, so the stream is open ..
    /// let mut stream = client.watch(request).await?.into_inner();
    /// // .. for a minute.
    /// issuer.clock().advance(Duration::from_secs(60));
    /// assert_eq!(stream.message().await.unwrap_err().code(), Code::Unauthenticated);
    ///
    /// assert!(auth.protect(Service).stream_expiry(StreamExpiry::MaxAge(Duration::ZERO)).is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub fn stream_expiry(self, stream_expiry: StreamExpiry) -> Result<Self, ConfigError> {
        Ok(Self { inner: self.inner, shared: self.shared.ending(stream_expiry)? })
    }

    /// Adjusts tonic's server inside, its message limits or compression:
    /// `auth.protect(service).map(|server| server.max_decoding_message_size(1 << 20))`.
    #[must_use]
    pub fn map(self, adjust: impl FnOnce(S) -> S) -> Self {
        Self { inner: adjust(self.inner), shared: self.shared }
    }
}

/// Services rarely have `Debug`, and need none here.
impl<S> fmt::Debug for Protect<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protect").field("policies", self.shared.policies()).finish_non_exhaustive()
    }
}

impl<S: NamedService> NamedService for Protect<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B, R> Service<Request<B>> for Protect<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    B: EndableBody + Send + 'static,
    R: EndableBody + Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.shared.admit(&mut request) {
            Admission::Decided(decided) => {
                ResponseFuture::decided(&self.shared, &mut self.inner, request, decided)
            }
            waiting => {
                // The one that was polled ready goes with the call; a clone was not.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                ResponseFuture::waiting(Arc::clone(&self.shared), ready, request, waiting)
            }
        }
    }
}
