//! The one HTTP set-up for everything this crate fetches: bounded in size, no redirects, nothing
//! inflated.

use std::time::{Duration, SystemTime};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder};
use url::{Origin, Url};

use super::address::is_loopback;
use super::cache_control::retry_after;
use super::connection::ConnectionFailure;
use super::error::{HttpError, chain};
use crate::error::ConfigError;
use crate::sanitize_untrusted::escape;

const MAX_BODY_BYTES: usize = 256 * 1024;
/// 1 KiB a key for 1,000 keys, the default of `JwksSettings::max_keys`; no JSON document may be
/// longer.
const MAX_KEY_SET_BYTES: usize = crate::json::MAX_BYTES;
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
    /// Why https servers cannot be verified, if this machine has no certificates of authorities.
    no_authorities: Option<Box<str>>,
    plaintext: Option<Origin>,
}

/// What is fetched: its media type, and its largest size.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Document {
    Json,
    /// RFC 7517 §8.5.2.
    KeySet,
}

impl Document {
    const fn media_types(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::KeySet => "application/jwk-set+json, application/json;q=0.9",
        }
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::Json => MAX_BODY_BYTES,
            Self::KeySet => MAX_KEY_SET_BYTES,
        }
    }
}

/// An answer; its body is read for success, and where another status is of interest.
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
        let location = self.headers.get(LOCATION).filter(|_| (300..400).contains(&self.status));
        let location = location.and_then(|location| location.to_str().ok());
        let shown = |location: &str| escape(location.split(['?', '#']).next().unwrap_or_default());
        let location = location.map(|location| shown(location).into());
        HttpError::Status { status: self.status, location, retry_after }
    }

    /// Any 2xx.
    pub(crate) fn is_success(&self) -> bool {
        is_success(self.status)
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
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
        let failed = |error: reqwest::Error| ConfigError::Environment {
            what: "the HTTP client cannot be set up",
            source: Some(error.into()),
        };
        let mut no_authorities = None;
        let proxied = match builder()?.build() {
            // Not every fetch needs them: the first that does says so.
            Err(error) if ConnectionFailure::of(&error) == ConnectionFailure::NoAuthorities => {
                no_authorities = Some(chain(&error).into());
                builder()?.tls_certs_only([]).build()
            }
            outcome => outcome,
        };
        let direct = builder()?.no_proxy();
        let direct =
            if no_authorities.is_some() { direct.tls_certs_only([]) } else { direct }.build();
        Ok(Self {
            direct: direct.map_err(failed)?,
            proxied: proxied.map_err(failed)?,
            no_authorities,
            plaintext: None,
        })
    }

    /// Also fetches from this origin in plaintext.
    pub(crate) fn allowing(mut self, plaintext: Option<Origin>) -> Self {
        self.plaintext = plaintext;
        self
    }

    /// The origin that may be fetched in plaintext although it is another machine's.
    pub(crate) fn plaintext(&self) -> Option<&Origin> {
        self.plaintext.as_ref()
    }

    fn check_authorities(&self, url: &Url) -> Result<(), HttpError> {
        match &self.no_authorities {
            Some(detail) if url.scheme() == "https" => Err(HttpError::Transport {
                is_connect: false,
                failure: ConnectionFailure::NoAuthorities,
                detail: detail.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn towards(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(url) { &self.direct } else { &self.proxied }
    }

    /// Fetches a document.
    pub(crate) async fn get(
        &self,
        document: Document,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Answer, HttpError> {
        self.check_authorities(url)?;
        let request = self.towards(url).get(url.clone()).headers(headers);
        Self::send(document, request, is_success).await
    }

    /// Sends a form, and takes a document of at most 256 KiB where it comes with such a status.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: String,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, HttpError> {
        self.check_authorities(url)?;
        let mut request = self.towards(url).post(url.clone()).body(form).headers(headers);
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Self::send(Document::Json, request, has_document).await
    }

    async fn send(
        document: Document,
        request: RequestBuilder,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, HttpError> {
        let request = request.header(ACCEPT, document.media_types());
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
            if body.len() + chunk.len() > document.max_bytes() {
                return Err(HttpError::TooLarge(document.max_bytes()));
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
    async fn fetch(document: Document, head: &str, body: Vec<u8>) -> Result<Answer, HttpError> {
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
        HttpClient::new(Duration::from_secs(2)).unwrap().get(document, &url, HeaderMap::new()).await
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let head = "HTTP/1.1 302 Found\r\nlocation: SELFelsewhere\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(fetch(Document::Json, head, Vec::new()).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_beyond() {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        for document in [Document::Json, Document::KeySet] {
            let most = document.max_bytes();
            let fits = fetch(document, head, vec![b' '; most]).await;
            assert_eq!(fits.unwrap().body.len(), most);
            let too_long = fetch(document, head, vec![b' '; most + 1]).await;
            assert!(matches!(too_long, Err(HttpError::TooLarge(_))), "{too_long:?}");
        }
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
                let _ = http.get(Document::Json, &Url::parse(url).unwrap(), HeaderMap::new()).await;
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

    /// Runs this test in a process of its own, with an environment without proxies.
    fn alone(name: &str, marker: &str, environment: &[(&str, &str)]) {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", &format!("http::client::tests::{name}")]).env(marker, "1");
        for name in
            ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        {
            child.env_remove(name);
        }
        child.envs(environment.iter().copied()).stdout(std::process::Stdio::null());
        assert!(child.status().unwrap().success());
    }

    async fn failure_of(url: &str) -> (ConnectionFailure, String) {
        let http = HttpClient::new(Duration::from_secs(2)).unwrap();
        let url = Url::parse(url).unwrap();
        match http.get(Document::Json, &url, HeaderMap::new()).await {
            Err(error @ HttpError::Transport { failure, .. }) => (failure, error.to_string()),
            other => panic!("{url}: {other:?}"),
        }
    }

    /// Reported at actix-4-jwt-auth#34 and platform#622.
    #[test]
    fn an_unknown_host_is_named_as_such() {
        const ALONE: &str = "GRPC_AUTH_TEST_UNKNOWN_HOST";
        if std::env::var_os(ALONE).is_none() {
            return alone("an_unknown_host_is_named_as_such", ALONE, &[]);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // No name has a label of 64 bytes, so that no name server is asked.
        let url = format!("https://{}.invalid/", "a".repeat(64));
        let (failure, text) = runtime.block_on(failure_of(&url));
        assert_eq!(failure, ConnectionFailure::UnknownHost, "{text}");
        assert!(text.contains("the host name is unknown"), "{text}");
    }

    /// Reported at reqwest#2988. Without https nothing is missing.
    #[test]
    fn a_machine_without_authorities_says_so_with_the_first_fetch_that_needs_them() {
        const ALONE: &str = "GRPC_AUTH_TEST_NO_AUTHORITIES";
        let name = "a_machine_without_authorities_says_so_with_the_first_fetch_that_needs_them";
        if std::env::var_os(ALONE).is_none() {
            let empty =
                std::env::temp_dir().join(format!("grpc-auth-no-ca-{}", std::process::id()));
            std::fs::create_dir_all(&empty).unwrap();
            let file = empty.join("none.pem");
            std::fs::write(&file, "").unwrap();
            let (empty, file) = (empty.to_str().unwrap(), file.to_str().unwrap());
            alone(name, ALONE, &[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", empty)]);
            return std::fs::remove_dir_all(empty).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (failure, text) = runtime.block_on(failure_of("https://127.0.0.1:1/"));
        assert_eq!(failure, ConnectionFailure::NoAuthorities, "{text}");
        for help in ["`ca-certificates`", "`SSL_CERT_FILE`", "`ResourceServerBuilder::tls(..)`"] {
            assert!(text.contains(help), "{text}");
        }
        let (server, seen) = listening("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        let http = HttpClient::new(Duration::from_secs(2)).unwrap();
        let url = Url::parse(&server).unwrap();
        runtime.block_on(http.get(Document::Json, &url, HeaderMap::new())).unwrap();
        assert_eq!(seen.lock().unwrap().len(), 1);
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
