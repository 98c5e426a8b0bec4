//! TLS for those who call.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{ClientTlsConfig, Endpoint};

use super::identity::Identity;
use super::pem::Pem;
use super::provider;
use crate::error::ConfigError;

/// Which servers are trusted, the client's identity, and the expected name of the server.
///
/// The roots are named, for there is no choice that fits everywhere:
///
/// | | trusts servers with certificates of |
/// |---|---|
/// | [`system`](Self::system) | the authorities that this machine trusts, an enterprise's own among them. What is used where none is given |
/// | [`webpki_roots`](Self::webpki_roots) | the authorities that browsers trust, as of this program's build: for images without a certificate store |
/// | [`ca_file`](Self::ca_file), [`ca_pem`](Self::ca_pem) | the authorities in the file, and no others: for services with an authority of their own |
///
/// A chain, the name and the times are always verified; there is no switch against it.
///
/// # Examples
/// ```no_run
/// use grpc_auth::tls::{ClientTls, Identity};
/// use tonic::transport::Endpoint;
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ClientTls::ca_file("tls/ca.pem")?
///     .identity(Identity::from_pem_files("tls/client.pem", "tls/client-key.pem")?);
/// let channel = tls.apply(Endpoint::from_static("https://echo.internal:443"))?.connect().await?;
///
/// // It would not be used.
/// assert!(tls.apply(Endpoint::from_static("http://echo.internal:80")).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls {
    roots: Arc<RootCertStore>,
    identity: Option<Identity>,
    server_name: Option<String>,
}

impl ClientTls {
    /// Trusts servers that this machine trusts: the operating system's store, or the files that
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` name. It is read now.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] when the system has no roots, as in images without `ca-certificates`.
    pub fn system() -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        // Stores hold odd certificates; what cannot be read is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(ConfigError::TlsMaterial {
                place: "the system's certificate store".into(),
                problem: "it is empty, so no server could be verified: install the package \
                          `ca-certificates`, or write `ClientTls::webpki_roots()` or \
                          `ClientTls::ca_file(..)`",
            });
        }
        Ok(Self::with(roots))
    }

    /// Trusts servers that browsers trust: Mozilla's list, as it was when this program was built.
    #[must_use]
    pub fn webpki_roots() -> Self {
        Self::with(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
    }

    /// Trusts servers with certificates of the authorities in this PEM file, and no others. It is
    /// read now.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read, [`ConfigError::TlsMaterial`] when there is
    /// something else in it than certificates.
    pub fn ca_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::of(&Pem::file(path.as_ref(), "a PEM file with the certificates of authorities")?)
    }

    /// Trusts servers with certificates of the authorities in this PEM, and no others.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] as [`ca_file`](Self::ca_file).
    pub fn ca_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(&Pem::given("the PEM of authorities", pem.as_ref()))
    }

    /// Trusts the authorities in this PEM file as well.
    ///
    /// # Errors
    /// As [`ca_file`](Self::ca_file).
    pub fn and_ca_file(mut self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let pem = Pem::file(path.as_ref(), "a PEM file with the certificates of authorities")?;
        pem.roots(Arc::make_mut(&mut self.roots))?;
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one (mutual TLS).
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Expects this name in the server's certificate, and asks for it (SNI), in the place of the
    /// endpoint's host: for servers that are reached by an address.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when it is neither a host name nor an IP address.
    pub fn server_name(mut self, name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        if ServerName::try_from(name.as_str()).is_err() {
            return Err(ConfigError::server_name(name));
        }
        self.server_name = Some(name);
        Ok(self)
    }

    /// Sets up TLS for a channel. What was set on the endpoint before is replaced.
    ///
    /// # Errors
    /// [`ConfigError::EndpointNotHttps`] when the endpoint's scheme is not https: tonic would speak
    /// plaintext to it all the same. [`ConfigError::Environment`] when tonic cannot set it up.
    pub fn apply(&self, endpoint: Endpoint) -> Result<Endpoint, ConfigError> {
        if endpoint.uri().scheme_str() != Some("https") {
            let endpoint = endpoint.uri().to_string();
            return Err(ConfigError::EndpointNotHttps { endpoint });
        }
        let anchors = self.roots.roots.iter().cloned();
        let mut config = ClientTlsConfig::new().trust_anchors(anchors);
        if let Some(identity) = &self.identity {
            config = config.identity(identity.to_tonic());
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        endpoint.tls_config(config).map_err(ConfigError::tls)
    }

    /// Gives an HTTP client the same roots and the same identity, for a token endpoint or a REST
    /// interface beside the gRPC one. The server name is left out: an HTTP client has many servers.
    ///
    /// # Errors
    /// [`ConfigError::Environment`] when it cannot be set up.
    pub fn apply_to_http(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, ConfigError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(ConfigError::tls)?
            .with_root_certificates(Arc::clone(&self.roots));
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => config
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified()))),
        };
        Ok(builder.tls_backend_preconfigured(config))
    }

    fn of(pem: &Pem) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        pem.roots(&mut roots)?;
        Ok(Self::with(roots))
    }

    fn with(roots: RootCertStore) -> Self {
        Self { roots: Arc::new(roots), identity: None, server_name: None }
    }
}

impl ClientTls {
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }

    pub(crate) fn own(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(crate) fn expected_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}
