//! Which endpoints tokens go to.

use grpc_auth::ConfigError;
use grpc_auth::client::{ClientCredentials, ConnectError, TokenSource};
use tests::pb::kit::kinds_client::KindsClient;
use tonic::transport::Endpoint;

use super::{Attached, word};

fn tokens() -> TokenSource {
    ClientCredentials::auth0("tenant.eu.auth0.com", "id", "secret").build().unwrap()
}

#[tokio::test]
async fn plaintext_to_another_host_is_refused_when_built() {
    for bad in [
        "http://echo.example.com",
        "http://10.0.0.1:50051",
        "http://0.0.0.0:50051",
        "http://localhost.example.com",
        "http://tonic",
        "echo.example.com:50051",
    ] {
        let endpoint = || Endpoint::try_from(bad).unwrap();
        let refused = tokens().connect_lazy(endpoint()).unwrap_err();
        assert!(matches!(refused, ConfigError::EndpointPlaintext { .. }), "{bad}: {refused}");
        assert!(refused.to_string().contains("write `https://..`"), "{refused}");
        let refused = tokens().connect(endpoint()).await.unwrap_err();
        let is_plaintext =
            matches!(refused, ConnectError::Config(ConfigError::EndpointPlaintext { .. }));
        assert!(is_plaintext, "{bad}: {refused}");
    }
    for good in
        ["https://echo.example.com", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]
    {
        tokens().connect_lazy(Endpoint::try_from(good).unwrap()).unwrap();
    }
}

/// Endpoints that were made by hand have no TLS: it is added, and not left out in silence.
#[tokio::test]
async fn an_https_endpoint_without_tls_gets_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hello = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 1];
        stream.readable().await.unwrap();
        stream.try_read(&mut first).unwrap();
        first[0]
    });
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    let error = tokens().connect(endpoint).await.unwrap_err();
    assert!(matches!(error, ConnectError::Transport(_)), "{error}");
    // A TLS record of a handshake (RFC 8446 §5.1), where gRPC would begin with `P`.
    assert_eq!(hello.await.unwrap(), 22);
}

#[tokio::test]
async fn a_lazy_channel_connects_with_its_first_call() {
    let kit = Attached::start().await;
    let channel = kit.tokens.connect_lazy(kit.door.open().await).unwrap();
    let mut client = KindsClient::new(channel);
    client.unary(word()).await.unwrap();
    assert_eq!(kit.door.credentials(), [kit.held().await]);
}

#[tokio::test]
async fn an_endpoint_where_nobody_answers_is_told_apart_from_a_wrong_one() {
    let endpoint = Endpoint::from_static("http://127.0.0.1:1");
    let error = tokens().connect(endpoint).await.unwrap_err();
    assert!(matches!(error, ConnectError::Transport(_)), "{error}");
}
