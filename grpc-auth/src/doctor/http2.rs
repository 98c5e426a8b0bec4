//! HTTP/2 (RFC 9113): its preface, one call, and what the server says when it does not want it.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::tee_stream::{Record, Recorded, Seen};
use crate::clock::Clock;
use crate::sanitize_untrusted::shown;

/// More of an answer is not read.
const MAX_BODY: usize = 16 * 1024;
/// For what follows the first message.
const GRACE: Duration = Duration::from_millis(250);
const MAX_HEADERS: u32 = 16 * 1024;
const FRAME_HEADER: usize = 9;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
/// An empty message (not compressed, of no bytes): most requests can be that.
const EMPTY_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);

/// A connection whose server has answered the preface.
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    record: Record,
    driver: JoinHandle<()>,
}

/// A GOAWAY frame (RFC 9113 §6.8).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GoAway {
    pub(crate) reason: String,
    pub(crate) debug: String,
}

impl Http2 {
    /// Sends the preface, and waits for the server's SETTINGS. What came instead is in the error.
    pub(crate) async fn open<T>(io: T) -> Result<Self, Seen>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, record) = Recorded::new(io);
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(MAX_HEADERS);
        let Ok((sender, connection)) = builder.handshake(io).await else {
            record.end();
            return Err(record.seen());
        };
        let ending = record.clone();
        let driver = tokio::spawn(async move {
            // The call, and what was read, say why it ended.
            let _ = connection.await;
            ending.end();
        });
        let opened = Self { sender, record, driver };
        let seen = opened.record.wait_for(FRAME_HEADER).await;
        if frame_type(&seen.bytes) == Some(SETTINGS) { Ok(opened) } else { Err(seen) }
    }

    /// Calls with an empty message, and reads what comes back.
    pub(crate) async fn call(
        &self,
        request: Request<()>,
        clock: &Clock,
    ) -> Result<Answer, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut body) = sender.send_request(request, false)?;
        // A server that has answered already may want no more.
        let _ = body.send_data(EMPTY_MESSAGE, true);
        let (parts, mut body) = response.await?.into_parts();
        let mut answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: Vec::new(),
            trailers: HeaderMap::new(),
        };
        let mut more = true;
        while more && !answer.has_message() {
            more = answer.read(&mut body).await;
        }
        let is_grpc = answer.is_grpc();
        let rest = async {
            while more {
                more = answer.read(&mut body).await;
            }
        };
        if is_grpc {
            // The status comes behind the message, unless the method streams: that need not end.
            let _ = clock.timeout(GRACE, rest).await;
        } else {
            rest.await;
        }
        Ok(answer)
    }

    pub(crate) async fn ended(&self) -> Seen {
        self.record.wait_for(usize::MAX).await
    }

    pub(crate) fn seen(&self) -> Seen {
        self.record.seen()
    }
}

impl Answer {
    /// Reads on. Whether there may be more; what is cut off in the middle tells enough.
    async fn read(&mut self, body: &mut RecvStream) -> bool {
        match body.data().await {
            Some(Ok(data)) => {
                let _ = body.flow_control().release_capacity(data.len());
                self.body.extend_from_slice(&data);
                self.body.len() < MAX_BODY
            }
            Some(Err(_)) => false,
            None => {
                self.trailers = body.trailers().await.ok().flatten().unwrap_or_default();
                false
            }
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The type of the first frame, if these bytes can be one: on stream 0, and no longer than any may be
/// before its size was negotiated (RFC 9113 §4.2).
pub(crate) fn frame_type(bytes: &[u8]) -> Option<u8> {
    let [a, b, c, kind, _, s0, s1, s2, s3] = *bytes.first_chunk::<FRAME_HEADER>()?;
    let fits = u32::from_be_bytes([0, a, b, c]) <= 16_384 && [s0, s1, s2, s3] == [0; 4];
    (fits && matches!(kind, SETTINGS | GOAWAY)).then_some(kind)
}

/// The first GOAWAY among the frames.
pub(crate) fn goaway(mut bytes: &[u8]) -> Option<GoAway> {
    loop {
        let (header, rest) = bytes.split_first_chunk::<FRAME_HEADER>()?;
        let [a, b, c, kind, ..] = *header;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let payload = rest.get(..length).unwrap_or(rest);
        if kind == GOAWAY {
            let code = u32::from_be_bytes(*payload.get(4..)?.first_chunk()?);
            let reason = format!("{:?}", Reason::from(code));
            return Some(GoAway { reason, debug: shown(payload.get(8..).unwrap_or_default()) });
        }
        bytes = rest.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS_FRAME: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

    fn goaway_frame(code: u8, debug: &[u8]) -> Vec<u8> {
        let length = u8::try_from(8 + debug.len()).unwrap();
        let mut frame = vec![0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, code];
        frame.extend_from_slice(debug);
        frame
    }

    #[test]
    fn a_goaway_is_found_among_the_frames_with_its_reason() {
        let bytes = [SETTINGS_FRAME, &goaway_frame(11, b"too_many_pings")].concat();
        let found = goaway(&bytes).unwrap();
        assert_eq!(
            found,
            GoAway { reason: "ENHANCE_YOUR_CALM".into(), debug: "too_many_pings".into() }
        );
        assert_eq!(goaway(SETTINGS_FRAME), None);
        // Cut off: never past the end.
        for length in 0..bytes.len() {
            let _ = goaway(&bytes[..length]);
        }
    }

    #[test]
    fn only_a_frame_that_may_come_first_is_http_2() {
        assert_eq!(frame_type(SETTINGS_FRAME), Some(SETTINGS));
        assert_eq!(frame_type(&goaway_frame(0, b"")), Some(GOAWAY));
        for other in [
            &b"HTTP/1.1 400 Bad Request"[..],
            b"\x15\x03\x03\x00\x02\x02\x46\0\0",
            b"SSH-2.0-OpenSSH",
        ] {
            assert_eq!(frame_type(other), None, "{other:?}");
        }
    }
}
