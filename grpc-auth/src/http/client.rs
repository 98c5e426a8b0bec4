//! The one HTTP set-up for everything this crate fetches: bounded in size, no redirects, nothing
//! inflated.

use std::time::{Duration, SystemTime};

use http::header::CONTENT_TYPE;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder};
use url::Url;

use super::address::is_loopback;
use super::cache_control::retry_after;
use super::error::HttpError;
use crate::error::ConfigError;

const MAX_BODY_BYTES: usize = 256 * 1024;
/// No content coding.
const IDENTITY: &str = "identity";

/// RFC 9110 §8.4.1: upper and lower case are the same.
fn is_coding(value: &HeaderValue) -> bool {
    !value.is_empty() && !value.as_bytes().eq_ignore_ascii_case(IDENTITY.as_bytes())
}

/// Chooses by the address of each request: a client that was made for one server also fetches from
/// addresses that the server's documents name.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    /// For loopback addresses, which no proxy can reach.
    direct: reqwest::Client,
    /// For all others: through the proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`).
    proxied: reqwest::Client,
}

/// An answer; its body is read for status 200, and where another is of interest.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The error of an answer with another status than was hoped for.
    pub(crate) fn to_error(&self, now: SystemTime) -> HttpError {
        let retry_after = retry_after(&self.headers, now);
        HttpError::Status { status: self.status, retry_after }
    }
}

impl HttpClient {
    /// Requests to loopback addresses pass no proxy. The caller bounds the time, by the clock.
    pub(crate) fn new(connect_timeout: Duration) -> Result<Self, ConfigError> {
        Self::with_tls(connect_timeout, Ok)
    }

    /// The same, with TLS settings of the program's own: another certificate authority, or a client
    /// certificate.
    pub(crate) fn with_tls(
        connect_timeout: Duration,
        apply: impl Fn(ClientBuilder) -> Result<ClientBuilder, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let builder = || {
            let builder = reqwest::Client::builder()
                .connect_timeout(connect_timeout)
                .redirect(Policy::none())
                // Another crate may have switched on what inflates answers: few bytes would become
                // many.
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .user_agent(concat!("grpc-auth/", env!("CARGO_PKG_VERSION")));
            apply(builder)
        };
        let finish = |builder: ClientBuilder| {
            builder.build().map_err(|error| ConfigError::Environment {
                what: "the HTTP client cannot be set up",
                source: Some(error.into()),
            })
        };
        Ok(Self { direct: finish(builder()?.no_proxy())?, proxied: finish(builder()?)? })
    }

    fn towards(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(url) { &self.direct } else { &self.proxied }
    }

    /// Fetches a document of at most 256 KiB.
    pub(crate) async fn get(
        &self,
        url: &Url,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, HttpError> {
        let mut request = self.towards(url).get(url.clone());
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        Self::send(request, |status| status == 200).await
    }

    /// Sends a form, and takes a document of at most 256 KiB where it comes with such a status.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: String,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, HttpError> {
        let mut request = self.towards(url).post(url.clone()).body(form).headers(headers);
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Self::send(request, has_document).await
    }

    async fn send(
        request: RequestBuilder,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, HttpError> {
        let request = request.header(ACCEPT, "application/json");
        // Without it any coding would do (RFC 9110 §12.5.3).
        let mut response = request.header(ACCEPT_ENCODING, IDENTITY).send().await?;
        let status = response.status().as_u16();
        let coding = response.headers().get(CONTENT_ENCODING);
        if has_document(status) && coding.is_some_and(is_coding) {
            return Err(HttpError::Encoded);
        }
        let mut body = Vec::new();
        while has_document(status)
            && let Some(chunk) = response.chunk().await?
        {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Fetches from a server that answers every connection with these bytes.
    async fn fetch(head: &str, body: Vec<u8>) -> Result<Answer, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let head = head.replace("SELF", url.as_str());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            }
        });
        HttpClient::new(Duration::from_secs(2)).unwrap().get(&url, None).await
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let head = "HTTP/1.1 302 Found\r\nlocation: SELFelsewhere\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(fetch(head, Vec::new()).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_beyond() {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let fits = fetch(head, vec![b' '; MAX_BODY_BYTES]).await;
        assert_eq!(fits.unwrap().body.len(), MAX_BODY_BYTES);
        let too_long = fetch(head, vec![b' '; MAX_BODY_BYTES + 1]).await;
        assert!(matches!(too_long, Err(HttpError::TooLarge)), "{too_long:?}");
    }

    /// The environment is a process's own, so this test runs itself in others. A proxy sees what is
    /// fetched: `HOST` of an https address in `CONNECT HOST:443`.
    #[tokio::test]
    async fn each_request_passes_the_proxy_or_not_by_its_own_address() {
        const NAME: &str =
            "http::client::tests::each_request_passes_the_proxy_or_not_by_its_own_address";
        const FETCHED: &str = "GRPC_AUTH_TEST_FETCHED";
        if let Ok(urls) = std::env::var(FETCHED) {
            let http = HttpClient::new(Duration::from_secs(2)).unwrap();
            for url in urls.split(' ') {
                // The answer does not matter.
                let _ = http.get(&Url::parse(url).unwrap(), None).await;
            }
            return;
        }
        let (proxy, at_proxy) = listening("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        let (server, at_server) = listening("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        let urls = format!("{server}/a https://keys.example/b {server}/c https://b.example/d");
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(FETCHED, urls)
            .env("HTTPS_PROXY", &proxy)
            .env("HTTP_PROXY", &proxy)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .env_remove("https_proxy")
            .env_remove("http_proxy")
            .stdout(std::process::Stdio::null())
            .status();
        let ran = tokio::task::spawn_blocking(move || child.unwrap().success()).await.unwrap();
        assert!(ran);
        let heads = |seen: &Mutex<Vec<String>>| std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(
            heads(&at_proxy),
            ["CONNECT keys.example:443 HTTP/1.1", "CONNECT b.example:443 HTTP/1.1"]
        );
        assert_eq!(heads(&at_server), ["GET /a HTTP/1.1", "GET /c HTTP/1.1"]);
    }

    /// A server that answers every connection so, with the first lines of what it was sent.
    fn listening(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
        use std::io::{Read as _, Write as _};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), [0; 4096]);
                let read = stream.read(&mut request).unwrap();
                let head = String::from_utf8_lossy(&request[..read]);
                lines.lock().unwrap().extend(head.lines().next().map(str::to_owned));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (url, seen)
    }
}
