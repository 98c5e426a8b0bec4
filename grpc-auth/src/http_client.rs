//! The one HTTP set-up for everything this crate fetches: bounded in size, no redirects.

use std::net::IpAddr;
use std::time::Duration;

#[cfg(any(feature = "client", feature = "introspection"))]
use http::header::CONTENT_TYPE;
use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
#[cfg(feature = "client")]
use reqwest::{Certificate, Identity};
use reqwest::{ClientBuilder, RequestBuilder};
#[cfg(feature = "client")]
use secrecy::{ExposeSecret, SecretSlice};
use url::{Host, Url};

use crate::error::ConfigError;
use crate::jwks::FetchError;

const MAX_BODY_BYTES: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct HttpClient(reqwest::Client);

/// Whom to trust besides those that the system trusts, and as whom to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    #[cfg(feature = "client")]
    roots: Vec<Certificate>,
    #[cfg(feature = "client")]
    identity: Option<Identity>,
}

#[cfg(feature = "client")]
impl Trust {
    pub(crate) fn add_roots(&mut self, pem: &[u8]) -> Result<(), ConfigError> {
        let roots = Certificate::from_pem_bundle(pem).unwrap_or_default();
        if roots.is_empty() {
            return Err(ConfigError::ClientSetting {
                setting: "root_certificates",
                help: "there is no certificate in it: write PEM, which begins with `-----BEGIN \
                       CERTIFICATE-----`",
            });
        }
        self.roots.extend(roots);
        Ok(())
    }

    pub(crate) fn set_identity(&mut self, chain: &[u8], key: &[u8]) -> Result<(), ConfigError> {
        let pem = SecretSlice::from([chain, b"\n", key].concat());
        let identity = Identity::from_pem(pem.expose_secret());
        let identity = identity.map_err(|_| ConfigError::ClientSetting {
            setting: "identity",
            help: "write the PEM of a certificate with its chain, and the PEM of its private key",
        })?;
        self.identity = Some(identity);
        Ok(())
    }

    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match &self.roots[..] {
            [] => builder,
            roots => builder.tls_certs_merge(roots.iter().cloned()),
        };
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

#[cfg(not(feature = "client"))]
impl Trust {
    fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        builder
    }
}

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
        Self::with_trust(url, connect_timeout, &Trust::default())
    }

    /// The same, for a server whose certificate needs more, or that asks for this program's.
    pub(crate) fn with_trust(
        url: &Url,
        connect_timeout: Duration,
        trust: &Trust,
    ) -> Result<Self, ConfigError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(connect_timeout)
            .redirect(Policy::none())
            .user_agent(concat!("grpc-auth/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        builder = trust.apply(builder);
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
        let mut response = request.header(ACCEPT, "application/json").send().await?;
        let status = response.status().as_u16();
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
        _ => Err(ConfigError::UrlInsecure { setting, value: value.into() }),
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
        let error = secure_url("issuer", "tenant.example.com").unwrap_err();
        assert!(matches!(error, ConfigError::UrlInvalid { .. }), "{error}");
    }
}
