//! Every switch that weakens something, and nothing else: a review of a program begins with a search
//! for `danger`.

#[cfg(feature = "tls")]
use std::fmt;

#[cfg(feature = "tls")]
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
#[cfg(feature = "tls")]
#[derive(Clone)]
pub struct PlaintextAllowed(pub(crate) Endpoint);

#[cfg(feature = "tls")]
impl PlaintextAllowed {
    /// Lets tokens go to this endpoint in plaintext.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

/// An issuer of another host whose keys are fetched in plaintext: an attacker on the way can replace
/// the keys, and then forge every token.
///
/// It is meant for networks that no one else can reach, like that of docker compose, or that encrypt
/// below of HTTP, like a service mesh. It allows one origin: scheme, host and port. The server logs a
/// warning when it is built.
///
/// ```
/// use grpc_auth::danger::PlaintextIssuer;
/// use grpc_auth::{Issuer, ResourceServer, StartupPolicy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::discover("http://keycloak:8080/realms/main");
/// let server = |issuer| {
///     let builder = ResourceServer::builder().issuer(issuer).audience("api");
///     builder.start(StartupPolicy::Lazy).build()
/// };
/// let refused = server(issuer.clone()).await.unwrap_err();
/// assert!(refused.to_string().contains("is not https"));
/// assert!(refused.to_string().contains("PlaintextIssuer"));
///
/// let allowed = issuer.plaintext(PlaintextIssuer::new("http://keycloak:8080"));
/// assert!(server(allowed).await.is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PlaintextIssuer(pub(crate) String);

impl PlaintextIssuer {
    /// Lets metadata, keys and introspection be fetched from this origin in plaintext:
    /// `http://keycloak:8080`, without a path. Building the server fails if it is something else.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self(origin.into())
    }
}

#[cfg(feature = "tls")]
impl fmt::Debug for PlaintextAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlaintextAllowed").field(self.0.uri()).finish()
    }
}
