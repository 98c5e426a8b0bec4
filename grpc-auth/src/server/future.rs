//! What a protected call resolves to: the service's answer, or a refusal that is there already.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

pin_project! {
    /// The response of [`Protect`](super::Protect).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Permitted { #[pin] response: F },
        Refused { response: Option<http::Response<B>> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn permitted(response: F) -> Self {
        Self { state: State::Permitted { response } }
    }

    pub(super) fn refused(response: http::Response<B>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<http::Response<B>, E>>,
{
    type Output = Result<http::Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Permitted { response } => Poll::Ready(ready!(response.poll(cx))),
            StateProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled again after it was ready: a future may do anything but panic here.
                None => Poll::Pending,
            },
        }
    }
}
