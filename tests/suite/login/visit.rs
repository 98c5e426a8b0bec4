//! What a browser does with the address that it was given.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::in_time;

/// A browser at the authorization endpoint.
pub(super) struct Visit {
    parameters: HashMap<String, String>,
}

/// What it shows.
pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) html: String,
}

impl Visit {
    pub(super) fn of(url: Url) -> Self {
        let parameters: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(parameters.len(), url.query_pairs().count(), "a parameter stands twice: {url}");
        Self { parameters }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(|value| &**value)
    }

    pub(super) fn state(&self) -> &str {
        self.get("state").unwrap()
    }

    pub(super) fn nonce(&self) -> &str {
        self.get("nonce").unwrap_or_default()
    }

    pub(super) fn redirect_uri(&self) -> Url {
        self.get("redirect_uri").unwrap().parse().unwrap()
    }

    /// The host and port that it is sent back to.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.redirect_uri().port().unwrap())
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.host()).await.unwrap()
    }

    /// Is sent back with a code and this state.
    pub(super) async fn answer(&self) -> Shown {
        self.back(&format!("code=c-1&state={}", self.state())).await
    }

    /// Is sent back with this query.
    pub(super) async fn back(&self, query: &str) -> Shown {
        let path = self.redirect_uri().path().to_owned();
        self.send(&format!("GET {path}?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host())).await
    }

    /// Sends these bytes.
    pub(super) async fn send(&self, bytes: &str) -> Shown {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        Shown::read(stream).await
    }
}

impl Shown {
    pub(super) async fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        in_time(stream.read_to_string(&mut text)).await.unwrap();
        let (head, html) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.into(), html: html.into() }
    }

    /// Asserts the status, and that the page says this.
    #[track_caller]
    pub(super) fn says(&self, status: u16, text: &str) {
        assert!(self.status == status && self.html.contains(text), "{}\n{}", self.head, self.html);
    }
}
