//! What a protected call resolves to: the service's answer, a refusal that is there already, or
//! either of them once the keys for its token have come and the authorizer has answered. A call with
//! streams is answered when they have to end, if its handler has not done so.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::admission::{Admission, Decided, Shared};
use super::body::{EndableBody, Side};
use super::stream_expiry::StreamDeadline;
use crate::policy::rpc_kind::RpcKind;

pin_project! {
    /// The response of [`Protect`](super::Protect).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, R, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, R, F> {
        // The timer, of a call with streams, goes on with the response's body.
        Called { #[pin] response: F, timer: Option<Box<StreamDeadline>> },
        // Boxed, for they are rare: every call moves this future, and most are called at once.
        Refused { response: Option<Box<Response<R>>> },
        Waiting { call: Deciding<S, B> },
        Answered,
    }
}

/// A call that was decided on after it had to wait, with the service that was ready for it.
struct DecidedCall<S, B> {
    shared: Arc<Shared>,
    service: S,
    request: Request<B>,
    decided: Decided,
}

type Deciding<S, B> = Pin<Box<dyn Future<Output = DecidedCall<S, B>> + Send>>;

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    /// A call that is decided on, and the service that is ready for it.
    pub(super) fn decided(
        shared: &Shared,
        service: &mut S,
        request: Request<B>,
        decided: Decided,
    ) -> Self
    where
        B: EndableBody,
        R: Default,
    {
        Self { state: State::decided(shared, service, request, decided) }
    }

    pub(super) fn waiting(
        shared: Arc<Shared>,
        service: S,
        mut request: Request<B>,
        waiting: Admission,
    ) -> Self
    where
        S: Send + 'static,
        B: Send + 'static,
    {
        let deadline = shared.deadline(&request);
        let call = Box::pin(async move {
            let decided = shared.decide_later(&mut request, waiting, deadline).await;
            DecidedCall { shared, service, request, decided }
        });
        Self { state: State::Waiting { call } }
    }
}

impl<S, B, R> State<S, B, R, S::Future>
where
    S: Service<Request<B>>,
    B: EndableBody,
    R: Default,
{
    #[inline]
    fn decided(shared: &Shared, service: &mut S, request: Request<B>, decided: Decided) -> Self {
        match decided {
            Ok(None) => Self::Called { response: service.call(request), timer: None },
            Ok(Some(timer)) => Self::streaming(service, request, timer),
            Err(denial) => Self::Refused { response: Some(Box::new(shared.answer(&denial))) },
        }
    }

    /// Calls a service that is ready, with a request that ends with the call's streams.
    fn streaming(service: &mut S, request: Request<B>, mut timer: Box<StreamDeadline>) -> Self {
        if timer.kind() == RpcKind::Unary {
            // The message has to come in time; a handler that has it takes as long as it likes.
            let request = request.map(|body| body.ending(Side::Request, timer));
            return Self::Called { response: service.call(request), timer: None };
        }
        let request = if timer.kind().streams_requests() {
            request.map(|body| body.ending(Side::Request, timer.share()))
        } else {
            request
        };
        Self::Called { response: service.call(request), timer: Some(timer) }
    }
}

/// Polls a call with streams, until its handler answers or they end.
fn poll_streaming<F, R, E>(
    response: Pin<&mut F>,
    slot: &mut Option<Box<StreamDeadline>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<R>, E>>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default + EndableBody,
{
    // First of all: the handler may be about to see the end of its request stream.
    let polled = response.poll(cx);
    let Some(timer) = slot else { return polled };
    if let Poll::Ready(response) = polled {
        if let Some(timer) = slot.take_if(|timer| timer.kind().streams_responses()) {
            let ending = |body: R| body.ending(Side::Response, timer);
            return Poll::Ready(response.map(|response| response.map(ending)));
        }
        return Poll::Ready(response);
    }
    if timer.has_only_to_answer() {
        return Poll::Pending;
    }
    timer.poll(cx).map(|()| Ok(timer.status().into_http()))
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: EndableBody,
    R: Default + EndableBody,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Called { response, timer: None } => return response.poll(cx),
                StateProjection::Called { response, timer } => {
                    let response = ready!(poll_streaming(response, timer, cx));
                    // The handler's future goes now, not when the answer has been sent.
                    state.set(State::Answered);
                    return Poll::Ready(response);
                }
                // Polled again after it was ready: a future may do anything but panic here.
                StateProjection::Answered => return Poll::Pending,
                StateProjection::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
                StateProjection::Waiting { call } => {
                    let DecidedCall { shared, mut service, request, decided } =
                        ready!(call.as_mut().poll(cx));
                    state.set(State::decided(&shared, &mut service, request, decided));
                }
            }
        }
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
