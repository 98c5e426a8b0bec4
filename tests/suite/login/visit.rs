//! What a browser does with the address that it was given.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::in_time;

/// The page that a login begins with.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) url: Url,
}

/// A browser at the authorization endpoint.
pub(super) struct Visit {
    parameters: HashMap<String, String>,
    /// What it was given at the start.
    pub(super) cookie: String,
}

/// What it shows.
pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) html: String,
}

impl Start {
    /// The one that the browser's file leads to.
    pub(super) fn in_file(file: &Url) -> Self {
        let html = std::fs::read_to_string(file.to_file_path().unwrap()).unwrap();
        let (_, rest) = html.split_once("http-equiv=\"refresh\" content=\"0; url=").unwrap();
        let (address, _) = rest.split_once('"').unwrap();
        assert!(html.contains(&format!("<a href=\"{address}\">")), "{html}");
        Self { url: address.parse().unwrap() }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.url.port().unwrap())
    }

    /// A browser goes there that knows this cookie.
    pub(super) async fn open(&self, cookie: &str) -> Shown {
        let (path, host) = (self.url.path(), self.host());
        send(&host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"))
            .await
    }

    /// A browser goes there that was never there, and is sent on.
    pub(super) async fn begin(&self) -> Visit {
        Visit::sent(&self.open("").await)
    }
}

impl Visit {
    /// Where a browser is sent by the start page.
    pub(super) fn sent(shown: &Shown) -> Self {
        assert_eq!((shown.status, &*shown.html), (303, ""), "{}", shown.head);
        let url: Url = shown.header("location").unwrap().parse().unwrap();
        let parameters: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(parameters.len(), url.query_pairs().count(), "a parameter stands twice: {url}");
        let cookie = shown.header("set-cookie").unwrap().split(';').next().unwrap();
        Self { parameters, cookie: cookie.into() }
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
        self.back_with(&self.cookie, query).await
    }

    /// A browser with this cookie is.
    pub(super) async fn back_with(&self, cookie: &str, query: &str) -> Shown {
        let (path, host) = (self.redirect_uri().path().to_owned(), self.host());
        let head = format!("GET {path}?{query} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}");
        self.send(&format!("{head}\r\n\r\n")).await
    }

    /// Sends these bytes.
    pub(super) async fn send(&self, bytes: &str) -> Shown {
        send(&self.host(), bytes).await
    }
}

pub(super) async fn send(host: &str, bytes: &str) -> Shown {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    Shown::read(stream).await
}

impl Shown {
    pub(super) async fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        in_time(stream.read_to_string(&mut text)).await.unwrap();
        let (head, html) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.into(), html: html.into() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Asserts the status, and that the page says this.
    #[track_caller]
    pub(super) fn says(&self, status: u16, text: &str) {
        assert!(self.status == status && self.html.contains(text), "{}\n{}", self.head, self.html);
    }
}
