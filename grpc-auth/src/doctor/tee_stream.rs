//! What came in on a connection: its first bytes say what speaks there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio_rustls::rustls;

/// More is passed on without being kept.
const KEPT: usize = 16 * 1024;

/// A stream that keeps the first 16 KiB that are read from it.
pub(crate) struct Recorded<T> {
    inner: T,
    record: Record,
}

/// What a [`Recorded`] has kept, for the examination.
#[derive(Clone)]
pub(crate) struct Record(Arc<watch::Sender<Seen>>);

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    /// Why TLS could not read on. h2 keeps only the text of it.
    pub(crate) failure: Option<rustls::Error>,
    /// Nothing more comes.
    pub(crate) ended: bool,
}

impl<T> Recorded<T> {
    pub(crate) fn new(inner: T) -> (Self, Record) {
        let record = Record(Arc::new(watch::Sender::default()));
        (Self { inner, record: record.clone() }, record)
    }
}

impl Record {
    pub(crate) fn seen(&self) -> Seen {
        self.0.borrow().clone()
    }

    pub(crate) fn end(&self) {
        self.0.send_modify(|seen| seen.ended = true);
    }

    /// Waits until so many bytes were read, or no more will be.
    pub(crate) async fn wait_for(&self, bytes: usize) -> Seen {
        let mut changes = self.0.subscribe();
        let seen = changes.wait_for(|seen| seen.ended || seen.bytes.len() >= bytes).await;
        seen.map(|seen| seen.clone()).unwrap_or_default()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Recorded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Poll::Ready(read) = &polled {
            self.record.0.send_modify(|seen| match read {
                Ok(()) => {
                    let new = buffer.filled().get(before..).unwrap_or_default();
                    let room = KEPT.saturating_sub(seen.bytes.len());
                    seen.bytes.extend_from_slice(new.get(..room).unwrap_or(new));
                }
                Err(error) => seen.failure = tls_error(error).cloned(),
            });
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Recorded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The reason in an error of a TLS stream.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
