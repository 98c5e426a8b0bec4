//! The kit of the tests: generated services, an issuer, callers, and assertions on refusals.
//!
//! The README's code blocks are doctests of this package, which has the `.proto` file they need.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a kit for tests")]

pub mod answers;
pub mod callers;
pub mod judge;
pub mod kinds;
pub mod logs;
pub mod readme;
pub mod resp;
pub mod sender;
pub mod tls;

/// The README, whose code blocks are doctests.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/readme.md"))]
pub struct Readme;

use std::future::Future;

use grpc_auth::ResourceServer;
use grpc_auth::server::Protect;
use grpc_auth::testing::TestAuthorizationServer;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// What the `.proto` files say.
#[expect(missing_docs, clippy::default_trait_access, reason = "generated")]
pub mod pb {
    /// Kinds, Names, Left and Right.
    pub mod kit {
        tonic::include_proto!("kit.v1");
    }
    /// Shared, with default stubs and `self: Arc<Self>`.
    pub mod stubs {
        tonic::include_proto!("stubs");
    }
    /// The descriptor of `kit`.
    pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("kit_descriptor");
}

/// An issuer and a resource server that trusts it.
#[derive(Debug)]
pub struct Kit {
    /// The authorization server.
    pub issuer: TestAuthorizationServer,
    /// The resource server.
    pub auth: ResourceServer,
}

impl Kit {
    /// Starts an issuer, and a resource server with its keys.
    pub async fn start() -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let auth = issuer.resource_server().build().await.unwrap();
        Self { issuer, auth }
    }

    /// A request of a caller with these scopes.
    pub fn request<M>(&self, message: M, scopes: &[&str]) -> Request<M> {
        with_token(message, &self.issuer.token().scopes(scopes.iter().copied()).sign())
    }
}

/// A request with this token.
pub fn with_token<M>(message: M, token: &str) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// An error with its causes, as a program would show it.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Runs a test case that is a program.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Asserts the code and the ErrorInfo reason of a refusal; an empty reason means none.
#[track_caller]
pub fn assert_denied<T>(answer: Result<T, Status>, code: Code, reason: &str) {
    let Err(status) = answer else { panic!("allowed, expected {code:?} {reason}") };
    let found = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    assert_eq!((status.code(), &*found), (code, reason), "{status:?}");
}

/// Asserts that anonymous callers are refused for want of credentials.
#[track_caller]
pub fn assert_anonymous_denied<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unauthenticated, "CREDENTIALS_MISSING");
}

/// Asserts that a caller is refused for want of a scope.
#[track_caller]
pub fn assert_scope_denied<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
}

/// Serves on a free port of 127.0.0.1 until the test ends, and connects.
pub async fn serve<S>(service: Protect<S>) -> tonic::transport::Channel
where
    Protect<S>: tonic::server::NamedService
        + tonic::codegen::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(incoming));
    connect(address).await
}

/// Connects to a server of the test.
pub async fn connect(address: std::net::SocketAddr) -> tonic::transport::Channel {
    let endpoint = tonic::transport::Endpoint::try_from(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}
