//! What a protected call resolves to: the service's answer, a refusal that is there already, or
//! either of them once the keys for its token have come and the authorizer has answered.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::service::{Admission, Shared, Stage};

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
        Called { #[pin] response: F },
        // Boxed, for they are rare: every call moves this future, and most are called at once.
        Refused { response: Option<Box<Response<R>>> },
        Waiting { held: Option<Box<Held<S, B>>> },
    }
}

/// A call that waits for its token's verdict or the authorizer's answer, with the service that was
/// ready for it.
struct Held<S, B> {
    shared: Arc<Shared>,
    service: S,
    request: Request<B>,
    stage: Stage,
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    pub(super) fn called(response: S::Future) -> Self {
        Self { state: State::Called { response } }
    }

    pub(super) fn refused(response: Response<R>) -> Self {
        Self { state: State::Refused { response: Some(Box::new(response)) } }
    }

    pub(super) fn waiting(
        shared: Arc<Shared>,
        service: S,
        request: Request<B>,
        stage: Stage,
    ) -> Self {
        let held = Some(Box::new(Held { shared, service, request, stage }));
        Self { state: State::Waiting { held } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Called { response } => return response.poll(cx),
                // Polled again after it was ready: a future may do anything but panic here.
                StateProjection::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
                StateProjection::Waiting { held } => {
                    let Some(call) = held else { return Poll::Pending };
                    let Held { shared, request, stage, .. } = &mut **call;
                    let Poll::Ready(admission) = shared.proceed(request, stage, cx) else {
                        return Poll::Pending;
                    };
                    let Some(mut call) = held.take() else { return Poll::Pending };
                    let next = match admission {
                        Admission::Granted => {
                            State::Called { response: call.service.call(call.request) }
                        }
                        Admission::Refused(denied) => {
                            let response = Box::new(call.shared.answer(denied));
                            State::Refused { response: Some(response) }
                        }
                        Admission::Waiting(stage) => {
                            call.stage = stage;
                            State::Waiting { held: Some(call) }
                        }
                    };
                    state.set(next);
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
        let state = match &self.state {
            State::Called { .. } => "called",
            State::Refused { .. } => "refused",
            State::Waiting { .. } => "waiting",
        };
        f.debug_tuple("ResponseFuture").field(&state).finish()
    }
}
