//! How requests to an issuer go through the network, as configured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::{Origin, Url};

use super::client::HttpClient;
use crate::error::ConfigError;

/// How requests to an issuer go through the network. The settings of an issuer replace those of its
/// server.
#[derive(Clone, Default)]
pub(crate) struct Network {
    tls: Option<Arc<ApplyTls>>,
    /// It may hold a password.
    proxy: Option<String>,
    /// As configured.
    plaintext: Option<String>,
}

type ApplyTls = dyn Fn(ClientBuilder) -> Result<ClientBuilder, ConfigError> + Send + Sync;

impl Network {
    #[cfg(feature = "tls")]
    pub(crate) fn set_tls(
        &mut self,
        apply: impl Fn(ClientBuilder) -> Result<ClientBuilder, ConfigError> + Send + Sync + 'static,
    ) {
        self.tls = Some(Arc::new(apply));
    }

    pub(crate) fn set_proxy(&mut self, proxy: String) {
        self.proxy = Some(proxy);
    }

    pub(crate) fn set_plaintext(&mut self, origin: String) {
        self.plaintext = Some(origin);
    }

    /// These settings; those of the server where an issuer has no TLS settings or no proxy.
    pub(crate) fn or(&self, others: &Self) -> Self {
        Self {
            tls: self.tls.clone().or_else(|| others.tls.clone()),
            proxy: self.proxy.clone().or_else(|| others.proxy.clone()),
            plaintext: self.plaintext.clone(),
        }
    }

    pub(crate) fn client(&self, connect_timeout: Duration) -> Result<HttpClient, ConfigError> {
        let proxy = self.proxy.as_deref().map(checked_proxy).transpose()?;
        let plaintext = self.origin()?;
        let client = HttpClient::with_tls(connect_timeout, |mut builder| {
            if let Some(proxy) = &proxy {
                builder = builder.proxy(proxy.clone().no_proxy(NoProxy::from_env()));
            }
            match &self.tls {
                Some(apply) => apply(builder),
                None => Ok(builder),
            }
        })?;
        Ok(client.allowing(plaintext))
    }

    /// The origin that may be fetched in plaintext.
    pub(crate) fn origin(&self) -> Result<Option<Origin>, ConfigError> {
        self.plaintext.as_deref().map(checked_origin).transpose()
    }
}

fn checked_proxy(proxy: &str) -> Result<Proxy, ConfigError> {
    // Its text is left out of the error.
    let wrong = || {
        let help = "the proxy is not a URL like `http://proxy.internal:3128`";
        ConfigError::setting("resource-server", "proxy", help)
    };
    let url = Url::parse(proxy).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    Proxy::all(url.ok_or_else(wrong)?).map_err(|_| wrong())
}

fn checked_origin(origin: &str) -> Result<Origin, ConfigError> {
    let url = Url::parse(origin).ok().filter(|url| {
        let is_whole = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        url.scheme() == "http" && is_whole && is_anonymous
    });
    url.map(|url| url.origin()).ok_or_else(|| {
        ConfigError::setting(
            "issuer",
            "plaintext",
            "`PlaintextIssuer` takes scheme, host and port alone: write `http://keycloak:8080`",
        )
    })
}

/// Neither certificates nor the password of a proxy.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("tls", &self.tls.is_some())
            .field("proxy", &self.proxy.is_some())
            .field("plaintext", &self.plaintext.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plaintext_origin_is_exact_and_a_proxy_is_a_url() {
        assert!(checked_origin("http://keycloak:8080").is_ok());
        for wrong in [
            "https://keycloak",
            "keycloak:8080",
            "keycloak",
            "http://keycloak/realms/main",
            "http://user:hunter2@keycloak",
            "http://keycloak/?x",
            "",
        ] {
            let error = checked_origin(wrong).unwrap_err().to_string();
            assert!(
                error.contains("http://keycloak:8080") && !error.contains("hunter2"),
                "{error}"
            );
        }
        assert!(checked_proxy("http://user:pass@proxy:3128").is_ok());
        for wrong in ["proxy:hunter2", "ftp://u:hunter2@proxy", "", "socks5://u:hunter2@proxy"] {
            let error = checked_proxy(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let mut network = Network::default();
        network.set_proxy("http://user:hunter2@proxy".into());
        assert!(!format!("{network:?}").contains("hunter2"));
    }
}
