//! An HTTP server that answers what a test tells it to.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers with what the handler makes of a request's head, on a free port of 127.0.0.1; returns
/// its address, with a trailing slash.
pub async fn serve(handler: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap_or(0);
                request.truncate(length);
                let answer = handler(&String::from_utf8_lossy(&request));
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

/// 200 with these further header lines and this body; the last on its connection.
#[must_use]
pub fn ok(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
