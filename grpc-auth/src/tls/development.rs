//! Certificates for one machine (feature `dev-tls`).

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs4::FileExt;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

use super::certificate::CertificateFacts;
use super::client::ClientTls;
use super::identity::Identity;
use super::provider;
use super::server::ServerTls;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::private_file;

mod issue;

/// What every server has, beside names of its own.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// With less than this left, new ones are made: what a process that starts now reads should last it.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A certificate authority for development: servers and clients on one machine speak TLS as they
/// will in production, with nothing to set up, and nothing installed where browsers would trust it.
///
/// It lives in a folder, which server and client share; it and the certificates are made when they
/// are asked for first, and again when less than 30 days of their year are left (restart the server
/// then, as well). The folder is made with the mode 0700, the files with 0600; a folder that others
/// may write to is refused. Keep it out of version control: a reader of `ca-key.pem` can be any
/// server to the clients that trust it.
///
/// | file | |
/// |---|---|
/// | `ca.pem` | the authority's certificate: `grpcurl -cacert`, `curl --cacert` |
/// | `server.pem`, `server-key.pem` | for `localhost`, 127.0.0.1, ::1 and the names that were added |
/// | `client-NAME.pem`, `client-NAME-key.pem` | for [`identity`](Self::identity) |
///
/// # Examples
/// ```
/// use grpc_auth::tls::{ClientTls, DevelopmentCa};
/// use tonic::transport::{Endpoint, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("grpc-auth-doc-{}", std::process::id()));
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
/// # let (_, health) = tonic_health::server::health_reporter();
/// let ca = DevelopmentCa::new(&folder);
/// let server = Server::builder().tls_config(ca.server_tls()?.config())?.add_service(health);
/// # tokio::spawn(server.serve_with_incoming(incoming));
///
/// let endpoint = Endpoint::try_from(format!("https://localhost:{}", address.port()))?;
/// assert!(ca.client_tls()?.apply(endpoint.clone())?.connect().await.is_ok());
/// // No other client trusts it.
/// assert!(ClientTls::webpki_roots().apply(endpoint)?.connect().await.is_err());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DevelopmentCa {
    folder: PathBuf,
    names: Vec<String>,
    clock: Clock,
}

impl DevelopmentCa {
    /// An authority in this folder, like `target/dev-tls`. Nothing is read or written yet.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            names: LOCAL.map(ToOwned::to_owned).into(),
            clock: Clock::system(),
        }
    }

    /// Makes the server's certificate valid for this name or address as well.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Judges what expires by this clock, in the place of the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// For a server: its certificate.
    ///
    /// # Errors
    /// [`ConfigError::DevelopmentCa`] when the folder cannot be used,
    /// [`ConfigError::Value`] when a name is invalid.
    pub fn server_tls(&self) -> Result<ServerTls, ConfigError> {
        for name in &self.names {
            ServerName::try_from(name.as_str()).map_err(|_| ConfigError::server_name(name))?;
        }
        self.leaf("server", &self.names).map(ServerTls::new)
    }

    /// For a client: it trusts this authority, and no other.
    ///
    /// # Errors
    /// [`ConfigError::DevelopmentCa`] when the folder cannot be used.
    pub fn client_tls(&self) -> Result<ClientTls, ConfigError> {
        self.locked(|| self.authority())?;
        ClientTls::ca_file(self.ca_file())
    }

    /// A client's identity, for mutual TLS: `ca.client_tls()?.identity(ca.identity("alice")?)`. The
    /// server asks for it with `ca.server_tls()?.client_ca_file(ca.ca_file())`.
    ///
    /// # Errors
    /// [`ConfigError::DevelopmentCa`] when the folder cannot be used,
    /// [`ConfigError::Value`] when the name is not one like a host's.
    pub fn identity(&self, name: &str) -> Result<Identity, ConfigError> {
        // It becomes a file's name.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(ConfigError::server_name(name));
        }
        self.leaf(&format!("client-{name}"), &[name.to_owned()])
    }

    /// Where the authority's certificate is kept, once anything was asked for.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }
}

impl DevelopmentCa {
    fn leaf(&self, role: &str, names: &[String]) -> Result<Identity, ConfigError> {
        self.locked(|| {
            self.authority()?;
            let (certificate, key) = self.files(role);
            if let Ok(identity) = Identity::from_pem_files(&certificate, &key)
                && self.is_good(&identity, names)
            {
                return Ok(identity);
            }
            let ca_key = fs::read_to_string(self.files("ca").1).map_err(|e| self.unusable(e))?;
            let made = issue::leaf(&ca_key, names, &self.clock).map_err(|e| self.unusable(e))?;
            self.write(role, &made)?;
            Identity::from_pem_files(certificate, key)
        })
    }

    /// Sees that there is an authority, and that it lasts.
    fn authority(&self) -> Result<(), ConfigError> {
        let (certificate, key) = self.files("ca");
        let lasts = Identity::from_pem_files(certificate, key).is_ok_and(|ca| {
            let facts = ca.chain().first().and_then(|der| CertificateFacts::of(der));
            facts.and_then(|facts| facts.remaining(&self.clock)).is_some_and(|r| r > RENEW_BEFORE)
        });
        if lasts {
            return Ok(());
        }
        let made = issue::authority(&self.clock).map_err(|error| self.unusable(error))?;
        self.write("ca", &made)
    }

    /// Whether it is this authority's, for all these names, now and for a while. The authority's end
    /// is the end of all it signed.
    fn is_good(&self, identity: &Identity, names: &[String]) -> bool {
        let Some((leaf, rest)) = identity.chain().split_first() else { return false };
        let Ok(pem) = fs::read(self.ca_file()) else { return false };
        let mut roots = RootCertStore::empty();
        if super::pem::Pem::given("", &pem).roots(&mut roots).is_err() {
            return false;
        }
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let Ok(verifier) = builder.build() else { return false };
        let now = self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let times = [now, now + RENEW_BEFORE].map(UnixTime::since_unix_epoch);
        names.iter().all(|name| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| {
                times
                    .iter()
                    .all(|at| verifier.verify_server_cert(leaf, rest, &name, &[], *at).is_ok())
            })
        })
    }

    /// The key first: a certificate without its key is made again.
    fn write(&self, role: &str, made: &issue::Issued) -> Result<(), ConfigError> {
        let (certificate, key) = self.files(role);
        private_file::write(&key, made.key_pem.as_bytes())
            .and_then(|()| private_file::write(&certificate, made.certificate_pem.as_bytes()))
            .map_err(|error| self.unusable(error))
    }

    fn files(&self, role: &str) -> (PathBuf, PathBuf) {
        (self.folder.join(format!("{role}.pem")), self.folder.join(format!("{role}-key.pem")))
    }

    /// Server and client may start at once: only one of them makes anything.
    fn locked<T>(&self, work: impl FnOnce() -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        private_file::create_folder(&self.folder).map_err(|error| self.unusable(error))?;
        if private_file::others_may_write(&self.folder).map_err(|error| self.unusable(error))? {
            return Err(ConfigError::DevelopmentCa {
                path: shown(&self.folder),
                help: "others may write to it, and could put an authority of their own there; \
                       `chmod go-w` it if it is yours, or write another folder",
                source: None,
            });
        }
        let path = self.folder.join(".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| self.unusable(error))?;
        FileExt::lock(&file).map_err(|error| self.unusable(error))?;
        // The lock goes with the file.
        work()
    }

    fn unusable(&self, source: impl std::error::Error + Send + Sync + 'static) -> ConfigError {
        ConfigError::DevelopmentCa {
            path: shown(&self.folder),
            help: "write a folder that this program can make and write to",
            source: Some(Box::new(source)),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
