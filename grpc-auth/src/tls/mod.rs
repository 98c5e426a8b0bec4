//! TLS for channels and servers (feature `tls`): which servers are trusted, this program's identity,
//! and no token in plaintext.
//!
//! [`ClientTls`] is applied to an [`Endpoint`](tonic::transport::Endpoint), [`ServerTls`] is given to
//! tonic's [`Server`](tonic::transport::Server). Files are read when they are named, once: what is
//! wrong with them is said there, and a renewed certificate is used by the next start. With the feature
//! `dev-tls`, `DevelopmentCa` makes certificates for one machine; a program for production differs
//! in one line:
//!
//! ```no_run
//! # fn main() -> Result<(), grpc_auth::ConfigError> {
//! # use grpc_auth::tls::{ClientTls, ServerTls};
//! # #[cfg(feature = "dev-tls")] {
//! # use grpc_auth::tls::DevelopmentCa;
//! // A server.
//! let tls = DevelopmentCa::new("target/dev-tls").server_tls()?; // development
//! # }
//! let tls = ServerTls::from_pem_files("tls/chain.pem", "tls/key.pem")?; // production
//! let server = tonic::transport::Server::builder().tls_config(tls.config());
//!
//! // A client.
//! # #[cfg(feature = "dev-tls")] {
//! # use grpc_auth::tls::DevelopmentCa;
//! let tls = DevelopmentCa::new("target/dev-tls").client_tls()?; // development
//! # }
//! let tls = ClientTls::system()?; // production
//! let endpoint = tls.apply(tonic::transport::Endpoint::from_static("https://localhost:50051"))?;
//! # Ok(()) }
//! ```
//!
//! # What tonic does by itself
//! As of 0.14.9, and why this module asks for the scheme `https` wherever it can:
//!
//! * `Endpoint::from_static("https://..")`, `from_shared` and `try_from` set up no TLS. Connecting
//!   fails with "Connecting to HTTPS without TLS enabled" if any of tonic's `tls-*` features is on,
//!   as it is with the feature `tls` of this crate. **Without any of them it connects in
//!   plaintext**, to an `https://` address.
//! * `EchoClient::connect("https://..")` trusts the roots that tonic's features enable: with the
//!   feature `tls` the system's, as [`SecureEndpoint`] does.
//! * TLS that is set for an `http://` endpoint is not used, in silence. [`ClientTls::apply`] refuses
//!   that.
//! * `ClientTlsConfig` and `Identity` print the private key in their `Debug`. The types here do not.

#[cfg(any(feature = "doctor", feature = "dev-tls"))]
pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod destination;
#[cfg(feature = "dev-tls")]
mod development;
pub(crate) mod identity;
mod pem;
mod plaintext;
mod server;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

#[cfg(any(feature = "doctor", feature = "dev-tls"))]
pub use certificate::CertificateFacts;
pub use client::ClientTls;
pub use destination::SecureEndpoint;
#[cfg(feature = "dev-tls")]
pub use development::DevelopmentCa;
pub use identity::Identity;
pub use server::ServerTls;

/// The one crypto backend, named: another crate's choice of a default does not matter.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
