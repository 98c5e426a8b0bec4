//! What a call of an authorized channel resolves to: the server's answer, at once or after waiting
//! for a token, or a refusal to send it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use super::credentials::{Next, Sent};
use super::exchange::Exchange;

pin_project! {
    /// The response of [`AddToken`](super::AddToken).
    #[must_use = "futures do nothing unless polled"]
    pub struct AddTokenFuture<S, R>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        state: State<S, R, S::Future, S::Error>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, R, F, E> {
        Called {
            #[pin]
            response: F,
            // How it was sent, until it is answered, and how to send it again.
            sent: Option<(Sent, Option<Exchange<S>>)>,
        },
        // Boxed: calls that find a token never come here.
        Waiting { answer: Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>> },
        Refused { response: Option<Box<Response<R>>> },
    }
}

impl<S, R> AddTokenFuture<S, R>
where
    S: Service<Request<Body>>,
    R: Default,
{
    pub(super) fn called(response: S::Future, sent: Sent, again: Option<Exchange<S>>) -> Self {
        Self { state: State::Called { response, sent: Some((sent, again)) } }
    }

    pub(super) fn waiting(
        answer: impl Future<Output = Result<Response<R>, S::Error>> + Send + 'static,
    ) -> Self {
        Self { state: State::Waiting { answer: Box::pin(answer) } }
    }

    pub(super) fn refused(status: Status) -> Self {
        Self { state: State::Refused { response: Some(Box::new(status.into_http())) } }
    }
}

impl<S, R> Future for AddTokenFuture<S, R>
where
    S: Service<Request<Body>, Response = Response<R>, Future: Send, Error: Send> + Send + 'static,
    R: Default + Send + 'static,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Called { response, sent } => {
                    let answer = ready!(response.poll(cx))?;
                    let Some((sent, again)) = sent.take() else { return Poll::Ready(Ok(answer)) };
                    match (sent.judge(&answer), again) {
                        (Next::HandOn, _) | (_, None) => return Poll::Ready(Ok(answer)),
                        (next, Some(again)) => {
                            let answer = Box::pin(again.resume(answer, sent, next));
                            state.set(State::Waiting { answer });
                        }
                    }
                }
                StateProjection::Waiting { answer } => return answer.as_mut().poll(cx),
                // Polled again after it was ready: a future may do anything but panic here.
                StateProjection::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
            }
        }
    }
}

impl<S, R> fmt::Debug for AddTokenFuture<S, R>
where
    S: Service<Request<Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "called",
            State::Waiting { .. } => "waiting",
            State::Refused { .. } => "refused",
        };
        f.debug_tuple("AddTokenFuture").field(&state).finish()
    }
}
