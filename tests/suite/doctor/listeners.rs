//! Listeners that behave as servers should not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A frame of HTTP/2 that says nothing in particular.
pub(crate) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Behaves so to each connection.
pub(crate) async fn listen<F>(behave: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    address
}

/// Behaves so to each connection that has agreed on TLS.
pub(crate) async fn listen_tls<F>(
    config: ServerConfig,
    behave: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listen(move |stream| {
        let (acceptor, behave) = (acceptor.clone(), behave.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                behave(stream).await;
            }
        }
    })
    .await
}

/// Reads what there is.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).await.unwrap_or(0);
    bytes.truncate(length);
    bytes
}

/// Reads once, says this, and reads on until the client leaves.
pub(crate) async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    read(&mut stream).await;
    let _ = stream.write_all(bytes).await;
    while !read(&mut stream).await.is_empty() {}
}

/// Says nothing, ever.
pub(crate) async fn be_silent(mut stream: impl AsyncRead + Unpin) {
    while !read(&mut stream).await.is_empty() {}
}

/// Answers every call over HTTP/2 with this.
pub(crate) async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(&http::Request<h2::RecvStream>) -> (Response<()>, &'static [u8]),
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (response, body) = answer(&request);
        let mut stream = respond.send_response(response, false).unwrap();
        stream.send_data(Bytes::from_static(body), true).unwrap();
    }
}

/// An answer of HTTP, without its body.
pub(crate) fn response(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap()
}

/// A GOAWAY frame.
pub(crate) fn goaway(code: u8, debug: &[u8]) -> Vec<u8> {
    let length = u8::try_from(8 + debug.len()).unwrap();
    let mut frame = vec![0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, code];
    frame.extend_from_slice(debug);
    frame
}
