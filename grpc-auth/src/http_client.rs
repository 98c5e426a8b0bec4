//! The one HTTP set-up for everything this crate fetches: bounded in size, no redirects, nothing
//! inflated.

use std::net::IpAddr;
use std::time::Duration;

#[cfg(any(feature = "client", feature = "introspection"))]
use http::header::CONTENT_TYPE;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder};
use url::{Host, Url};

use crate::error::ConfigError;
use crate::jwks::FetchError;
#[cfg(feature = "client")]
use crate::tls::ClientTls;

const MAX_BODY_BYTES: usize = 256 * 1024;
/// No content coding.
const IDENTITY: &str = "identity";

/// RFC 9110 §8.4.1: upper and lower case are the same.
fn is_coding(value: &HeaderValue) -> bool {
    !value.is_empty() && !value.as_bytes().eq_ignore_ascii_case(IDENTITY.as_bytes())
}

#[derive(Clone, Debug)]
pub(crate) struct HttpClient(reqwest::Client);

/// An answer; its body is read for status 200, and where another is of interest.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl HttpClient {
    /// A client for one server. What goes to a loopback address passes no proxy. Whoever asks
    /// bounds the time, by the clock.
    pub(crate) fn for_url(url: &Url, connect_timeout: Duration) -> Result<Self, ConfigError> {
        Self::finish(Self::builder(url, connect_timeout))
    }

    /// The same, for a server with a certificate of another authority, or that asks for this
    /// program's.
    #[cfg(feature = "client")]
    pub(crate) fn with_tls(
        url: &Url,
        connect_timeout: Duration,
        tls: &ClientTls,
    ) -> Result<Self, ConfigError> {
        Self::finish(tls.apply_to_http(Self::builder(url, connect_timeout))?)
    }

    fn builder(url: &Url, connect_timeout: Duration) -> ClientBuilder {
        let builder = reqwest::Client::builder()
            .connect_timeout(connect_timeout)
            .redirect(Policy::none())
            // Another crate may have switched on what inflates answers: few bytes would become many.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("grpc-auth/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) { builder.no_proxy() } else { builder }
    }

    fn finish(builder: ClientBuilder) -> Result<Self, ConfigError> {
        builder.build().map(Self).map_err(|error| ConfigError::HttpClient(error.into()))
    }

    /// Fetches a document of at most 256 KiB.
    pub(crate) async fn get(
        &self,
        url: &Url,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, FetchError> {
        let mut request = self.0.get(url.clone());
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        Self::send(request, |status| status == 200).await
    }

    /// Sends a form, and takes a document of at most 256 KiB where it comes with such a status.
    #[cfg(any(feature = "client", feature = "introspection"))]
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: String,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, FetchError> {
        let mut request = self.0.post(url.clone()).body(form).headers(headers);
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Self::send(request, has_document).await
    }

    async fn send(
        request: RequestBuilder,
        has_document: impl Fn(u16) -> bool,
    ) -> Result<Answer, FetchError> {
        let request = request.header(ACCEPT, "application/json");
        // Without it any coding would do (RFC 9110 §12.5.3).
        let mut response = request.header(ACCEPT_ENCODING, IDENTITY).send().await?;
        let status = response.status().as_u16();
        let coding = response.headers().get(CONTENT_ENCODING);
        if has_document(status) && coding.is_some_and(is_coding) {
            return Err(FetchError::Encoded);
        }
        let mut body = Vec::new();
        while has_document(status)
            && let Some(chunk) = response.chunk().await?
        {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }
}

/// Parses an address that may be fetched: https, or http on a loopback address.
pub(crate) fn secure_url(setting: &'static str, value: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(value).map_err(|source| ConfigError::UrlInvalid {
        setting,
        value: value.into(),
        source,
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::UrlHasUser { setting });
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        // As it was read: a stranger may have written it, and a URL has nothing in it that a terminal
        // obeys.
        _ => Err(ConfigError::UrlInsecure { setting, value: url.into() }),
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Fetches from a server that answers every connection with these bytes.
    async fn fetch(head: &str, body: Vec<u8>) -> Result<Answer, FetchError> {
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
        HttpClient::for_url(&url, Duration::from_secs(2)).unwrap().get(&url, None).await
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
        assert!(matches!(too_long, Err(FetchError::TooLarge)), "{too_long:?}");
    }

    #[test]
    fn only_https_and_loopback_may_be_fetched() {
        for good in [
            "https://issuer.example.com/",
            "http://127.0.0.1:80/",
            "http://127.1.2.3/",
            "http://[::1]:1/",
            "http://localhost/x",
        ] {
            assert!(secure_url("issuer", good).is_ok(), "{good}");
        }
        for bad in [
            "http://issuer.example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
        ] {
            let error = secure_url("issuer", bad).unwrap_err();
            assert!(matches!(error, ConfigError::UrlInsecure { .. }), "{bad}: {error}");
            assert!(error.to_string().contains("write `https://..`"));
        }
        for secret in ["https://user:hunter2@a.example/", "http://127.0.0.1@example.com/"] {
            let error = secure_url("issuer", secret).unwrap_err();
            assert!(matches!(error, ConfigError::UrlHasUser { .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        for written in
            ["http://a.example/\u{1b}[2J\u{202e}\n", "a.example\u{1b}[2J\n", "a:\u{1b}[2J\n"]
        {
            let error = secure_url("jwks_uri", written).unwrap_err().to_string();
            assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
        }
        let error = secure_url("issuer", "tenant.example.com").unwrap_err();
        assert!(matches!(error, ConfigError::UrlInvalid { .. }), "{error}");
    }
}
