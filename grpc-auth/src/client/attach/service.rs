//! The tower service that sends calls with tokens.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower_service::Service;

use super::exchange::Exchange;
use crate::client::source::TokenSource;

/// A channel whose calls carry tokens; made by [`TokenSource::connect`] and
/// [`AddTokenLayer`](super::AddTokenLayer), which says what a call meets. Clones are the same
/// channel.
#[derive(Clone, Debug)]
pub struct AddToken<S> {
    inner: S,
    source: TokenSource,
    origin: Option<Arc<str>>,
}

impl<S> AddToken<S> {
    pub(super) fn new(inner: S, source: TokenSource, origin: Option<Arc<str>>) -> Self {
        Self { inner, source, origin }
    }

    /// Where its tokens come from.
    #[must_use]
    pub fn tokens(&self) -> &TokenSource {
        &self.source
    }
}

impl<S, R> Service<Request<Body>> for AddToken<S>
where
    S: Service<Request<Body>, Response = Response<R>, Future: Send, Error: Send>
        + Clone
        + Send
        + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AddTokenFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let own = request.extensions_mut().remove::<TokenSource>();
        let source = own.unwrap_or_else(|| self.source.clone());
        // The service that was polled ready goes along, and a clone of it stays, which is polled
        // again before it is called.
        let spare = self.inner.clone();
        let service = mem::replace(&mut self.inner, spare);
        let exchange = Exchange { service, source, origin: self.origin.clone() };
        AddTokenFuture { answer: Box::pin(exchange.run(request)) }
    }
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

/// The response of [`AddToken`]: the server's answer, at once or after waiting for a token, or a
/// refusal to send the request.
#[must_use = "futures do nothing unless polled"]
pub struct AddTokenFuture<S, R>
where
    S: Service<Request<Body>>,
{
    answer: Answer<R, S::Error>,
}

impl<S, R> Future for AddTokenFuture<S, R>
where
    S: Service<Request<Body>>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx)
    }
}

impl<S, R> fmt::Debug for AddTokenFuture<S, R>
where
    S: Service<Request<Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddTokenFuture").finish_non_exhaustive()
    }
}
