//! The client certificate of a connection (RFC 8705 §3).

use std::fmt;

use http::Extensions;
#[cfg(unix)]
use tonic::transport::server::UdsConnectInfo;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use crate::token::confirmation::Thumbprint;

/// The certificate that a client proved to hold on this connection, where tonic does not terminate
/// TLS itself.
///
/// Tokens that are bound to a certificate are compared with the one of tonic's own connection,
/// without further words. An application with an acceptor of its own puts this into the extensions
/// of every request of the connection, from a layer outside of
/// [`Protect`](crate::server::Protect); where both are there, this one counts. **The code that inserts it
/// vouches for it**: that the certificate was verified and its key proved in this connection's
/// handshake. Made from a header that a client could write, it lets any client in that has seen a
/// certificate, and certificates are public.
///
/// ```
/// use grpc_auth::ClientCertificate;
///
/// # let (mut request, der) = (http::Request::new(()), &[0_u8][..]);
/// request.extensions_mut().insert(ClientCertificate::from_der(der));
/// ```
#[derive(Clone)]
pub struct ClientCertificate(Thumbprint);

impl ClientCertificate {
    /// The client's own certificate, the first of its chain, in DER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        Self(Thumbprint::of(der))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}

/// Of this connection, as its acceptor knows it. No header is read: a proxy's
/// `x-forwarded-client-cert` is the client's to write wherever no proxy removes it.
pub(crate) fn of(extensions: &Extensions) -> Option<Thumbprint> {
    if let Some(ClientCertificate(thumbprint)) = extensions.get() {
        return Some(*thumbprint);
    }
    let certificates = match extensions.get::<TlsConnectInfo<TcpConnectInfo>>() {
        Some(connection) => connection.peer_certs(),
        #[cfg(unix)]
        None => extensions.get::<TlsConnectInfo<UdsConnectInfo>>()?.peer_certs(),
        #[cfg(not(unix))]
        None => None,
    };
    certificates?.first().map(|leaf| Thumbprint::of(leaf))
}
