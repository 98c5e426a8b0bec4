//! What users of other gRPC implementations see of a protected service.

use std::net::SocketAddr;

use grpc_auth::ResourceServer;
use grpc_auth::tls::{Identity, ServerTls};
use tests::kinds::Counting;
use tests::logs::Logs;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::transport::Server;

use crate::parts::{CLIENT, Caller, OidcProvider, Pki};

/// Serves the protected service on a free port until the test ends.
pub(crate) async fn serve(auth: &ResourceServer, service: Counting) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve_on(listener, Server::builder(), auth, service)
}

/// The same over TLS; clients may have certificates of the authority.
pub(crate) async fn serve_over_tls(
    pki: &Pki,
    auth: &ResourceServer,
    service: Counting,
) -> SocketAddr {
    let tls = ServerTls::new(Identity::from_pem(&pki.server.certificate, &pki.server.key).unwrap());
    let tls = tls.client_ca_pem(&pki.authority).unwrap().client_certificate_optional();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve_on(listener, Server::builder().tls_config(tls.config()).unwrap(), auth, service)
}

/// The same on a port that was chosen before.
pub(crate) fn serve_on(
    listener: TcpListener,
    mut server: Server,
    auth: &ResourceServer,
    service: Counting,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let incoming = TcpListenerStream::new(listener);
    let server = server.add_service(auth.protect(service));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

/// What a client sends, and what is said of it: code, reason, challenge, and the cause in the log.
struct Case {
    authorization: Vec<String>,
    code: Code,
    reason: &'static str,
    error: &'static str,
    cause: &'static str,
}

async fn refusals(issuer: &OidcProvider) -> Vec<Case> {
    let bearer =
        async |scope, resource| format!("Bearer {}", issuer.token(CLIENT, scope, resource).await);
    let good = bearer("read:word", "urn:kit:words:rs256").await;
    let invalid = ", error=\"invalid_token\", error_description=\"the access token is invalid\"";
    vec![
        Case {
            authorization: vec![],
            code: Code::Unauthenticated,
            reason: "CREDENTIALS_MISSING",
            error: "",
            cause: "no `authorization`",
        },
        Case {
            authorization: vec![bearer("write:word", "urn:kit:words:rs256").await],
            code: Code::PermissionDenied,
            reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            error: ", error=\"insufficient_scope\", scope=\"read:word\"",
            cause: "the token does not grant what the rule requires",
        },
        Case {
            authorization: vec![bearer("read:word", "urn:kit:other").await],
            code: Code::Unauthenticated,
            reason: "ACCESS_TOKEN_INVALID",
            error: invalid,
            cause: "`aud` does not contain a configured audience",
        },
        Case {
            authorization: vec![bearer("read:word", "urn:kit:words:opaque").await],
            code: Code::Unauthenticated,
            reason: "ACCESS_TOKEN_INVALID",
            error: invalid,
            cause: "it is no signed JWT",
        },
        Case {
            authorization: vec![good.clone(), good],
            code: Code::Unauthenticated,
            reason: "ACCESS_TOKEN_MALFORMED",
            error: ", error=\"invalid_request\"",
            cause: "several authorization values",
        },
        Case {
            authorization: vec!["Basic c3ZjOnN2Yy1zZWNyZXQ=".into()],
            code: Code::Unauthenticated,
            reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            error: "",
            cause: "another scheme",
        },
    ]
}

/// Two calls a process: with a token, and what is to be refused.
async fn sees_what_the_table_says(caller: Caller) {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let service = Counting::default();
    let address = serve(&auth, service.clone()).await;
    let good = issuer.token(CLIENT, "read:word", "urn:kit:words:rs256").await;
    let good = vec![format!("Bearer {good}")];
    let refusals = refusals(&issuer).await;
    let tried = refusals.len();
    for Case { authorization, code, reason, error, cause } in refusals {
        let logged = logs.text().len();
        let seen = caller.call(address, &[good.clone(), authorization]).await;
        let [allowed, denied] = &seen[..] else { panic!("{caller:?}: {seen:?}") };
        assert_eq!((allowed.code, allowed.text.as_deref()), (0, Some("word")), "{allowed:?}");
        if reason == "ACCESS_TOKEN_MALFORMED" && matches!(caller, Caller::GrpcJs) {
            // Node's HTTP/2 does not send it.
            assert_eq!(denied.code, i32::from(Code::Internal), "{denied:?}");
            continue;
        }
        assert_eq!(denied.code, i32::from(code), "{reason}: {denied:?}");
        assert_eq!(denied.reason.as_deref(), Some(reason), "{denied:?}");
        assert_eq!(denied.domain.as_deref(), Some("grpc-auth"), "{reason}");
        let challenge = format!("Bearer realm=\"urn:kit:words\"{error}");
        assert_eq!(denied.challenge.as_deref(), Some(&*challenge), "{reason}");
        assert!(logs.text()[logged..].contains(cause), "{reason}");
    }
    assert_eq!(service.reached_in_all(), tried);
}

#[tokio::test]
async fn grpcio_sees_what_the_table_says() {
    sees_what_the_table_says(Caller::Grpcio).await;
}

#[tokio::test]
async fn grpc_js_sees_what_the_table_says() {
    sees_what_the_table_says(Caller::GrpcJs).await;
}

#[tokio::test]
async fn grpcurl_sees_what_the_table_says() {
    sees_what_the_table_says(Caller::Grpcurl).await;
}

/// As users of other implementations attach tokens in production.
async fn has_call_credentials_over_tls(caller: Caller) {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let pki = Pki::new();
    let service = Counting::default();
    let address = serve_over_tls(&pki, &auth, service.clone()).await;
    let authority = pki.authority_file();
    let good = issuer.token(CLIENT, "read:word", "urn:kit:words:rs256").await;
    let elsewhere = issuer.token(CLIENT, "read:word", "urn:kit:other").await;
    let seen = caller.call_over_tls(address, &authority, &[good, elsewhere]).await;
    let [allowed, denied] = &seen[..] else { panic!("{caller:?}: {seen:?}") };
    assert_eq!((allowed.code, allowed.text.as_deref()), (0, Some("word")), "{allowed:?}");
    assert_eq!(denied.code, i32::from(Code::Unauthenticated), "{denied:?}");
    assert_eq!(denied.reason.as_deref(), Some("ACCESS_TOKEN_INVALID"), "{denied:?}");
    assert_eq!(service.reached_in_all(), 1);
}

#[tokio::test]
async fn grpcio_has_call_credentials_over_tls() {
    has_call_credentials_over_tls(Caller::Grpcio).await;
}

#[tokio::test]
async fn grpc_js_has_call_credentials_over_tls() {
    has_call_credentials_over_tls(Caller::GrpcJs).await;
}

#[tokio::test]
async fn grpcurl_has_call_credentials_over_tls() {
    has_call_credentials_over_tls(Caller::Grpcurl).await;
}
