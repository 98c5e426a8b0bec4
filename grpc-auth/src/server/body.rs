//! Bodies that end with their call's streams: a response in trailers with a status, a request in an
//! error that the handler sees.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::stream_expiry::StreamDeadline;
use crate::policy::rpc_kind::RpcKind;

/// A body that can be made to end: tonic's, and those that have no streams in them because they are
/// in memory as a whole.
#[diagnostic::on_unimplemented(
    message = "streams in a body of the type `{Self}` cannot be ended when a token expires",
    label = "neither tonic's body nor one that is in memory as a whole",
    note = "convert it with `request.map(tonic::body::Body::new)`, as tonic's `Routes` does, or \
            `response.map(tonic::body::Body::new)`"
)]
pub trait EndableBody: Sized {
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "sealed: users name the trait and do not implement it")]
    fn ending(self, side: Side, timer: Box<StreamDeadline>) -> Self;
}

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

impl EndableBody for Body {
    #[expect(private_interfaces, reason = "sealed")]
    fn ending(self, side: Side, timer: Box<StreamDeadline>) -> Self {
        if side == Side::Request && self.is_end_stream() {
            timer.note_end_of_requests();
        }
        Self::new(Ending { body: Some(self), side, timer })
    }
}

/// In memory as a whole: there is nothing to wait for, and nothing to end.
macro_rules! endable_in_memory {
    ($($body:ty),*) => {$(
        impl EndableBody for $body {
            #[expect(private_interfaces, reason = "sealed")]
            fn ending(self, side: Side, timer: Box<StreamDeadline>) -> Self {
                if side == Side::Request {
                    timer.note_end_of_requests();
                }
                self
            }
        }
    )*};
}

endable_in_memory!((), Bytes, String);

/// A body of tonic's that ends by itself, or when the call's streams do.
struct Ending {
    /// None after the end, whichever it was: what belongs to the handler goes at once.
    body: Option<Body>,
    side: Side,
    timer: Box<StreamDeadline>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

impl Ending {
    /// Ends the body because the token expired.
    fn end(&mut self) -> Polled {
        self.body = None;
        let status = self.timer.status();
        Poll::Ready(Some(match self.side {
            Side::Request => Err(status),
            Side::Response => {
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))
            }
        }))
    }

    /// A stream that always has a next message never has to wait for a timer. The one message of a
    /// unary call has come when its stream is over.
    fn is_cut_before(&self, frame: &Option<Result<Frame<Bytes>, Status>>) -> bool {
        let is_message = self.side == Side::Request && self.timer.kind() == RpcKind::Unary;
        let counts = match frame {
            Some(Ok(frame)) => is_message || frame.is_data(),
            None => is_message,
            Some(Err(_)) => false,
        };
        counts && self.timer.is_due()
    }

    /// After a frame that is the last, nothing is left that could be ended.
    fn pass(&mut self, frame: Option<Result<Frame<Bytes>, Status>>) -> Polled {
        let is_whole = match &frame {
            None => true,
            // Who sends a response asks for itself whether it is over.
            Some(Ok(frame)) => {
                frame.is_trailers() || (self.side == Side::Request && self.is_end_stream())
            }
            Some(Err(_)) => false,
        };
        if is_whole && self.side == Side::Request {
            self.timer.note_end_of_requests();
        }
        if is_whole || matches!(frame, Some(Err(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) if this.is_cut_before(&frame) => this.end(),
            Poll::Ready(frame) => this.pass(frame),
            Poll::Pending => {
                ready!(this.timer.poll(cx));
                this.end()
            }
        }
    }

    /// The expiry of the token ends the body in a frame of its own, so only an end that has been
    /// reached counts.
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    /// How much is sent before the end is unknown.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
