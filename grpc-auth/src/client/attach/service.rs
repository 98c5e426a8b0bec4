//! The tower service: a token into the request, or the future that waits for one.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tonic::body::Body;
use tower_service::Service;

use super::body;
use super::credentials::Sent;
use super::exchange::Exchange;
use super::future::AddTokenFuture;
use super::head::Head;
use super::refusal;
use crate::client::dpop::DPOP;
use crate::client::source::TokenSource;
use crate::clock::deadline::Deadline;

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
        if request.headers().contains_key(AUTHORIZATION) {
            return AddTokenFuture::refused(*refusal::already_authorized());
        }
        let source = own.unwrap_or_else(|| self.source.clone());
        if source.dpop().is_some() && request.headers().contains_key(DPOP) {
            return AddTokenFuture::refused(*refusal::already_authorized());
        }
        let (mut parts, body) = request.into_parts();
        let deadline = Deadline::of(&parts.headers, source.clock());
        let (body, message) = body::look_at(body);
        let origin = self.origin.clone();

        let Some(token) = source.current() else {
            // The service that was polled ready goes along, and a clone of it stays, which is polled
            // again before it is called.
            let spare = self.inner.clone();
            let service = mem::replace(&mut self.inner, spare);
            let head = Head::of(&parts);
            let exchange = Exchange { service, source, origin, head, message, deadline };
            return AddTokenFuture::waiting(exchange.begin(body));
        };
        source.outage().ends();
        let again = message.map(|message| Exchange {
            service: self.inner.clone(),
            source: source.clone(),
            origin: origin.clone(),
            head: Head::of(&parts),
            message: Some(message),
            deadline,
        });
        match Sent::with(token, source, origin, &mut parts) {
            Ok(sent) => {
                let response = self.inner.call(Request::from_parts(parts, body));
                AddTokenFuture::called(response, sent, again)
            }
            Err(status) => AddTokenFuture::refused(*status),
        }
    }
}
