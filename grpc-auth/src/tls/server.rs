//! TLS for those who are called.

use std::fmt;
use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tonic::transport::{Certificate, ServerTlsConfig};

use super::identity::Identity;
use super::pem::Pem;
use crate::error::ConfigError;

/// Who the server is, and which client certificates it asks for.
///
/// ```no_run
/// use grpc_auth::tls::ServerTls;
/// use tonic::transport::Server;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ServerTls::from_pem_files("tls/chain.pem", "tls/key.pem")?;
/// let server = Server::builder().tls_config(tls.config())?;
///
/// // Mutual TLS: clients without a certificate of this authority are refused in the handshake.
/// let tls = tls.client_ca_file("tls/clients-ca.pem")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ServerTls {
    identity: Identity,
    clients: Option<Clients>,
}

#[derive(Clone)]
struct Clients {
    ca_pem: Vec<u8>,
    optional: bool,
}

impl ServerTls {
    /// A server with this identity, which asks for no client certificates.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self { identity, clients: None }
    }

    /// Reads the identity from PEM files, now.
    ///
    /// # Errors
    /// As [`Identity::from_pem_files`].
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, ConfigError> {
        Identity::from_pem_files(chain, key).map(Self::new)
    }

    /// Requires a client certificate of the authorities in this PEM file: it is read now.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read, [`ConfigError::TlsMaterial`] when there is
    /// something else in it than certificates.
    pub fn client_ca_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let expected = "a PEM file with the authorities of client certificates";
        self.client_ca(&Pem::file(path.as_ref(), expected)?)
    }

    /// Requires a client certificate of the authorities in this PEM.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] as [`client_ca_file`](Self::client_ca_file).
    pub fn client_ca_pem(self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.client_ca(&Pem::given("the PEM of client authorities", pem.as_ref()))
    }

    /// Lets clients in that have no certificate, too. One that has is still verified. Without client
    /// authorities it changes nothing, for no client is asked.
    #[must_use]
    pub fn client_certificate_optional(mut self) -> Self {
        if let Some(clients) = &mut self.clients {
            clients.optional = true;
        }
        self
    }

    /// For [`Server::tls_config`](tonic::transport::Server::tls_config).
    ///
    /// tonic takes rustls's process-wide crypto backend, and panics where a program has two
    /// compiled in and chose none: if none is chosen, aws-lc is from here on.
    #[must_use]
    pub fn config(&self) -> ServerTlsConfig {
        // An error says that one was chosen.
        let _ = aws_lc_rs::default_provider().install_default();
        let config = ServerTlsConfig::new().identity(self.identity.to_tonic());
        match &self.clients {
            None => config,
            Some(clients) => config
                .client_ca_root(Certificate::from_pem(&clients.ca_pem))
                .client_auth_optional(clients.optional),
        }
    }

    fn client_ca(mut self, pem: &Pem) -> Result<Self, ConfigError> {
        // tonic passes over what it cannot read.
        pem.roots(&mut RootCertStore::empty())?;
        self.clients = Some(Clients { ca_pem: pem.bytes().to_vec(), optional: false });
        Ok(self)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = match &self.clients {
            None => "not asked",
            Some(Clients { optional: true, .. }) => "may have a certificate",
            Some(Clients { optional: false, .. }) => "must have a certificate",
        };
        f.debug_struct("ServerTls")
            .field("identity", &self.identity)
            .field("clients", &clients)
            .finish()
    }
}
