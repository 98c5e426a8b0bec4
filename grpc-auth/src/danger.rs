//! Every switch that weakens something, and nothing else: a review of a program begins with a search
//! for `danger`.

use std::fmt;

use tonic::transport::Endpoint;

/// An endpoint that tokens may be sent to in plaintext, although it is another host's: an attacker on
/// the way can read them, and use them until they expire.
///
/// It is meant for networks that encrypt below of HTTP, like a service mesh whose sidecars speak
/// mTLS, or WireGuard. For a server without a certificate of its own,
/// `grpc_auth::tls::DevelopmentCa` makes one.
///
/// ```
/// use grpc_auth::danger::PlaintextAllowed;
/// use grpc_auth::tls::SecureEndpoint;
/// use tonic::transport::Endpoint;
///
/// let endpoint = Endpoint::from_static("http://echo.mesh.internal:50051");
/// let refused = SecureEndpoint::from(endpoint.clone()).into_endpoint().unwrap_err();
/// assert!(refused.to_string().contains("is plaintext"));
/// assert!(SecureEndpoint::from(PlaintextAllowed::new(endpoint)).into_endpoint().is_ok());
/// ```
#[derive(Clone)]
pub struct PlaintextAllowed(pub(crate) Endpoint);

impl PlaintextAllowed {
    /// Lets tokens go to this endpoint in plaintext.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl fmt::Debug for PlaintextAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlaintextAllowed").field(self.0.uri()).finish()
    }
}
