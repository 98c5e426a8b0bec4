//! Whether a request can be sent again: told by what is on the wire, and not by what the method is
//! called.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

/// More is not kept for a second try.
const MAX_KEPT_BYTES: usize = 256 * 1024;
/// Of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

type Polled = Option<Result<Frame<Bytes>, Status>>;

/// Looks at the beginning of a body, and gives back a body that says the same. If that was one
/// message of gRPC's, there without waiting, and the end of the body, the message as well: bytes
/// that both share.
pub(super) fn look_at(mut body: Body) -> (Body, Option<Bytes>) {
    // The connection polls the body again, with a waker that does wake.
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = |body: &mut Body| Pin::new(body).poll_frame(&mut cx);
    let frame = match poll(&mut body) {
        Poll::Pending => return (body, None),
        Poll::Ready(None) => return (Body::empty(), None),
        Poll::Ready(Some(Err(status))) => return (begun([Some(Err(status)), None], body), None),
        Poll::Ready(Some(Ok(frame))) => frame,
    };
    let message = match frame.into_data() {
        Ok(data) if is_one_message(&data) => data,
        Ok(data) => return (begun([Some(Ok(Frame::data(data))), None], body), None),
        Err(frame) => return (begun([Some(Ok(frame)), None], body), None),
    };
    match poll(&mut body) {
        Poll::Ready(None) if message.len() <= MAX_KEPT_BYTES => {
            (whole(message.clone()), Some(message))
        }
        Poll::Ready(None) => (whole(message), None),
        Poll::Ready(Some(second)) => {
            (begun([Some(Ok(Frame::data(message))), Some(second)], body), None)
        }
        Poll::Pending => (begun([Some(Ok(Frame::data(message))), None], body), None),
    }
}

/// A body of one message.
pub(super) fn whole(message: Bytes) -> Body {
    begun([Some(Ok(Frame::data(message))), None], Body::empty())
}

fn begun(polled: [Polled; 2], rest: Body) -> Body {
    Body::new(Begun { polled, rest })
}

/// Neither cut short, nor several in one frame.
fn is_one_message(data: &[u8]) -> bool {
    let Some((prefix, message)) = data.split_first_chunk::<PREFIX_BYTES>() else { return false };
    let [_, length @ ..] = *prefix;
    usize::try_from(u32::from_be_bytes(length)) == Ok(message.len())
}

/// What was polled of a body, and then the rest of it. Without a length: requests of tonic's have none
/// either.
struct Begun {
    polled: [Polled; 2],
    rest: Body,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        let polled = self.polled.iter_mut().find_map(Option::take);
        polled.map_or_else(
            || Pin::new(&mut self.rest).poll_frame(cx),
            |frame| Poll::Ready(Some(frame)),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.polled.iter().all(Option::is_none) && self.rest.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use super::*;

    /// Says these things, and nothing when they are over.
    struct Script(VecDeque<Poll<Polled>>);

    impl http_body::Body for Script {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
            let next = self.0.pop_front().unwrap_or(Poll::Ready(None));
            if next.is_pending() {
                cx.waker().wake_by_ref();
            }
            next
        }
    }

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        message.resize(PREFIX_BYTES + length, b'x');
        message
    }

    fn data(bytes: impl Into<Bytes>) -> Poll<Polled> {
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }

    /// What a body says, frame by frame.
    async fn read(mut body: Body) -> Vec<String> {
        let mut read = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            read.push(match frame.map(Frame::into_data) {
                Ok(Ok(data)) => format!("{data:?}"),
                Ok(Err(_)) => "trailers".into(),
                Err(status) => status.message().into(),
            });
        }
        read
    }

    #[tokio::test]
    async fn one_message_and_the_end_can_be_sent_again_and_all_else_is_passed_on_as_it_is() {
        let failed = || Poll::Ready(Some(Err(Status::aborted("failed"))));
        let trailers = || Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new()))));
        let two = [message(3), message(4)].concat();
        for (script, is_kept) in [
            (vec![data(message(0))], true),
            (vec![data(message(100))], true),
            (vec![data(message(MAX_KEPT_BYTES - PREFIX_BYTES))], true),
            (vec![data(message(MAX_KEPT_BYTES - PREFIX_BYTES + 1))], false),
            (vec![], false),
            (vec![Poll::Pending, data(message(1))], false),
            (vec![data(message(1)), Poll::Pending], false),
            (vec![data(message(1)), data(message(2))], false),
            (vec![data(message(1)), data(message(2)), Poll::Pending, data(message(3))], false),
            (vec![data(two)], false),
            (vec![data(message(9)[..8].to_vec()), data(message(9)[8..].to_vec())], false),
            (vec![data(vec![0, 0])], false),
            (vec![failed()], false),
            (vec![data(message(1)), failed()], false),
            (vec![data(message(1)), trailers()], false),
            (vec![trailers()], false),
        ] {
            let copy = |script: &Vec<Poll<Polled>>| {
                let frames = script.iter().map(|polled| match polled {
                    Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                        Some(bytes) => data(bytes.clone()),
                        None => trailers(),
                    },
                    Poll::Ready(_) => failed(),
                    Poll::Pending => Poll::Pending,
                });
                Body::new(Script(frames.collect()))
            };
            let expected = read(copy(&script)).await;
            let (body, kept) = look_at(copy(&script));
            assert_eq!(kept.is_some(), is_kept, "{script:?}");
            assert_eq!(read(body).await, expected);
            if let Some(kept) = kept {
                assert_eq!(read(whole(kept)).await, expected);
            }
        }
    }
}
