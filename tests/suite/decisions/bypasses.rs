//! Ways in that were not opened on purpose.

use grpc_auth::policy::{AccessRule, MethodPolicy, ScopeExpr, ServicePolicy};
use grpc_auth::{CallerExt, ConfigError, Dpop, ProtectedService, ResourceServer, Scope};
use http::Method;
use tests::kinds::{Counting, METHODS, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::KindsServer;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, assert_scope_denied, connect};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tower_layer::Layer;

use crate::decisions::raw_http2::{Raw, send_path, serve_raw};
use crate::decisions::rpc_names::Misnamed;

#[tokio::test]
async fn a_service_mounted_without_its_layer_refuses_everything_and_says_what_to_do() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let service = Counting::default();
    let mut client = KindsClient::new(KindsServer::new(service.clone()));
    let token = kit.issuer.token().scopes(["read:word", "write:word", "team:blue"]).sign();
    for method in METHODS {
        let answer = call(&mut client, method, Some(&token)).await;
        if method == "Open" {
            assert!(answer.is_ok());
            continue;
        }
        let status = answer.as_ref().unwrap_err();
        assert_eq!(status.message(), "internal error");
        assert_denied(answer, Code::Internal, "");
        let line = logs.line_with(&format!("kit.v1.Kinds/{method} "));
        assert!(line.contains("ERROR") && line.contains("auth.protect(service)"), "{line}");
    }
    assert_eq!(service.reached_in_all(), service.reached("Open"));
}

/// Another service of the same name, stricter.
struct Strict;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Left for Strict {
    #[require_scopes("admin:all")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::test]
async fn a_permit_of_a_laxer_table_for_the_same_service_is_none() {
    const LAX: ServicePolicy = ServicePolicy::new(
        "kit.v1.Left",
        &[
            MethodPolicy::new("Get", AccessRule::AllowUnauthenticated),
            MethodPolicy::new("Put", AccessRule::AllowUnauthenticated),
        ],
    );
    let kit = Kit::start().await;
    let lax = kit.auth.protect_with(LeftServer::new(Strict), LAX).unwrap();
    let mut client = LeftClient::new(lax);
    let word = Word::default;
    assert_denied(client.get(word()).await, Code::Internal, "");
    assert_denied(client.put(word()).await, Code::Internal, "");
    // Not even what the method's own rule would let in: the layer decided by another one.
    let logs = Logs::capture();
    assert_denied(client.put(kit.request(word(), &[])).await, Code::Internal, "");
    let line = logs.line_with("the layer decided by another policy than this method's own");
    assert!(line.contains("give the layer the service's own policy"), "{line}");
}

#[tokio::test]
async fn a_table_of_guards_is_none_for_a_service_without_guards() {
    let kit = Kit::start().await;
    let policy = <Misnamed as ProtectedService<NamesServer<_>>>::POLICY;
    let service = kit.auth.protect_with(NamesServer::new(Unguarded), policy).unwrap();
    let mut client = NamesClient::new(service);
    let answer = client.get_url(kit.request(Word::default(), &["read:url"])).await;
    assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
}

struct Unguarded;

#[tonic::async_trait]
impl Names for Unguarded {
    async fn get_http_info(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
    async fn get_url(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
    async fn get_v2_item(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
    async fn do_thing(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
    async fn r#move(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("reached")
    }
}

#[tokio::test]
async fn as_many_headers_as_a_map_holds_are_no_way_to_a_panic() {
    let kit = Kit::start().await;
    let dpop = Dpop::for_origins(["https://echo.example.com"]);
    let proving = kit.issuer.resource_server().dpop(dpop).build().await.unwrap();
    for (auth, names) in [
        (&kit.auth, &[][..]),
        (&kit.auth, &["authorization", "x-0"]),
        (&kit.auth, &["authorization", "authorization"]),
        (&proving, &["authorization", "dpop"]),
        (&proving, &["authorization", "dpop", "dpop"]),
    ] {
        let mut request = http::Request::new(tonic::body::Body::default());
        let headers = request.headers_mut();
        for name in names {
            headers.append(*name, http::HeaderValue::from_static("Bearer x"));
        }
        for n in 0.. {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            if headers.try_append(name, http::HeaderValue::from_static("")).is_err() {
                break;
            }
        }
        *request.uri_mut() = "/kit.v1.Left/Get".parse().unwrap();
        let mut service = auth.protect(Strict);
        let response = tonic::codegen::Service::call(&mut service, request).await.unwrap();
        assert_eq!(response.headers().get("grpc-status").unwrap(), "16", "{names:?}");
    }
}

#[tokio::test]
async fn an_outer_layer_lends_nothing_to_an_inner_one() {
    let outside = Kit::start().await;
    let inside = Kit::start().await;
    let policy = <Strict as ProtectedService<LeftServer<_>>>::POLICY;
    let nested = outside.auth.layer([policy]).unwrap().layer(inside.auth.protect(Strict));
    let mut client = LeftClient::new(nested);
    let answer = client.put(outside.request(Word::default(), &[])).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

/// Not annotated: its policy is written by hand, and it reads its caller from the request.
struct ByHand;

#[tonic::async_trait]
impl Left for ByHand {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        let token = request.metadata().get("authorization").unwrap();
        assert!(token.is_sensitive() && !format!("{request:?}").contains("eyJ"), "{request:?}");
        let subject = request.principal().and_then(|principal| principal.subject());
        Ok(Response::new(Word { text: subject.unwrap_or("unknown").into() }))
    }
    async fn put(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        panic!("a method without a row was reached");
    }
}

const READ_ONLY: ServicePolicy = ServicePolicy::new(
    "kit.v1.Left",
    &[MethodPolicy::new(
        "Get",
        AccessRule::RequireScopes(ScopeExpr::Scope(Scope::from_static("read:word"))),
    )],
);

#[tokio::test]
async fn a_hand_written_table_lets_in_what_it_names_and_nothing_else() {
    let kit = Kit::start().await;
    let service = kit.auth.protect_with(LeftServer::new(ByHand), READ_ONLY).unwrap();
    let mut client = LeftClient::new(service);
    assert_anonymous_denied(client.get(Word::default()).await);
    assert_scope_denied(client.get(kit.request(Word::default(), &["write:word"])).await);
    let answer = client.get(kit.request(Word::default(), &["read:word"])).await.unwrap();
    assert_eq!(answer.into_inner().text, "test");

    assert_anonymous_denied(client.put(Word::default()).await);
    let known = client.put(kit.request(Word::default(), &["read:word"])).await;
    assert_denied(known, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
}

#[tokio::test]
async fn a_policy_of_another_service_and_a_second_one_are_refused_at_build() {
    let auth = Kit::start().await.auth;
    let error = auth.protect_with(NamesServer::new(Misnamed), READ_ONLY).unwrap_err();
    assert!(matches!(error, ConfigError::Policy { .. }));
    assert!(error.to_string().contains("give the policy its name"), "{error}");
    let text = error.to_string();
    assert!(text.contains("`kit.v1.Left`") && text.contains("`kit.v1.Names`"), "{text}");
    let error = auth.layer([READ_ONLY, READ_ONLY]).unwrap_err();
    assert!(matches!(error, ConfigError::Policy { service: "kit.v1.Left", .. }));
    assert!(error.to_string().contains("two policies"), "{error}");
}

#[tokio::test]
async fn a_layer_over_the_whole_server_refuses_what_no_policy_names() {
    let kit = Kit::start().await;
    let policy = <Strict as ProtectedService<LeftServer<_>>>::POLICY;
    let address = serve_raw(
        Server::builder()
            .layer(kit.auth.layer([policy]).unwrap())
            .add_service(LeftServer::new(Strict))
            .add_service(NamesServer::new(Misnamed)),
    )
    .await;
    let mut left = LeftClient::new(connect(address).await);
    assert_anonymous_denied(left.put(Word::default()).await);
    assert!(left.put(kit.request(Word::default(), &[])).await.is_ok());

    // Mounted, but not named by a policy.
    let mut names = NamesClient::new(connect(address).await);
    assert_anonymous_denied(names.get_v2_item(Word::default()).await);
    let known = names.get_v2_item(kit.request(Word::default(), &[])).await;
    assert_denied(known, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
}

/// What gRPC clients refuse to send, over raw HTTP/2.
#[tokio::test]
async fn no_handler_runs_without_a_permit_whatever_is_sent() {
    let kit = Kit::start().await;
    let service = Counting::default();
    let server = Server::builder().add_service(kit.auth.protect(service.clone()));
    let address = serve_raw(server).await;
    let good = format!("Bearer {}", kit.issuer.token().scopes(["read:word"]).sign());
    let weak = format!("Bearer {}", kit.issuer.token().sign());
    let unary = "/kit.v1.Kinds/Unary";

    let missing = ("16", "CREDENTIALS_MISSING");
    let malformed = ("16", "ACCESS_TOKEN_MALFORMED");
    let other_type = ("16", "ACCESS_TOKEN_TYPE_UNSUPPORTED");
    let insufficient = ("7", "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    for (what, call, (status, reason)) in [
        ("two values, the good one first", Raw::to(unary).header(&good).header(&weak), malformed),
        ("two values, the good one last", Raw::to(unary).header(&weak).header(&good), malformed),
        ("the good value twice", Raw::to(unary).header(&good).header(&good), malformed),
        ("two in one", Raw::to(unary).header(&format!("{good},{good}")), malformed),
        ("another scheme", Raw::to(unary).header("Basic YTpi"), other_type),
        ("a token in the trailers", Raw::to(unary).trailer(&good), missing),
        (
            "a better token in the trailers",
            Raw::to(unary).header(&weak).trailer(&good),
            insufficient,
        ),
        ("a query", Raw::to(&format!("{unary}?access_token=x")), missing),
        ("GET", Raw::to(unary).method(Method::GET), missing),
        ("PUT", Raw::to(unary).method(Method::PUT), missing),
        ("OPTIONS", Raw::to(unary).method(Method::OPTIONS), missing),
        ("another content type", Raw::to(unary).content_type("text/plain"), missing),
        ("gRPC-Web", Raw::to(unary).content_type("application/grpc-web"), missing),
        ("an unknown method", Raw::to("/kit.v1.Kinds/unary"), missing),
        ("a longer path", Raw::to("/kit.v1.Kinds/Unary/"), missing),
        ("a path in escapes", Raw::to("/kit.v1.Kinds/%55nary"), missing),
        ("the path of the open method, nearly", Raw::to("/kit.v1.Kinds/Open/../Unary"), missing),
        (
            "the open method's name in the query",
            Raw::to(&format!("{unary}?/kit.v1.Kinds/Open")),
            missing,
        ),
    ] {
        let answer = call.send(address).await;
        assert_eq!(answer.status.as_deref(), Some(status), "{what}: {answer:?}");
        assert!(answer.details.contains(reason), "{what}: {answer:?}");
        assert_eq!(answer.http, 200, "{what}");
        assert_eq!(service.reached_in_all(), 0, "{what}");
    }

    // A proxy in front that authorizes by the whole `:path` sees other paths than tonic routes by.
    for path in [&format!("{unary}?x=1"), &format!("{unary}?"), "/kit.v1.Kinds/Open?x", "/?x"] {
        for (call, status, reason) in [
            (Raw::to(path), "16", "CREDENTIALS_MISSING"),
            (Raw::to(path).header(&good), "7", "PERMISSION_DENIED_BY_POLICY"),
        ] {
            let answer = call.send(address).await;
            // What belongs to no service is answered by tonic.
            let (status, reason) = if path == "/?x" { ("12", "") } else { (status, reason) };
            assert_eq!(answer.status.as_deref(), Some(status), "{path}: {answer:?}");
            assert!(answer.details.contains(reason), "{path}: {answer:?}");
            assert_eq!(service.reached_in_all(), 0, "{path}");
        }
    }

    // The same raw caller gets in with one good token: the refusals above had their reasons.
    let answer = Raw::to(unary).header(&good).trailer("Bearer other").send(address).await;
    assert_eq!(answer.status.as_deref(), Some("0"), "{answer:?}");
    assert_eq!(service.reached("Unary"), 1);
}

/// h2 drops a fragment when it reads `:path`, before tonic and this crate see the call: all of them go
/// by the path in front of it.
#[tokio::test]
async fn a_fragment_in_the_path_opens_nothing() {
    let kit = Kit::start().await;
    let service = Counting::default();
    let server = Server::builder().add_service(kit.auth.protect(service.clone()));
    let address = serve_raw(server).await;
    let good = format!("Bearer {}", kit.issuer.token().scopes(["read:word"]).sign());
    let weak = format!("Bearer {}", kit.issuer.token().sign());
    let (unary, open) = ("/kit.v1.Kinds/Unary", "/kit.v1.Kinds/Open");
    for rest in ["#", "#x", "#/kit.v1.Kinds/Open", "#?x", "?x#y", "?#"] {
        for authorization in [None, Some(&*weak)] {
            send_path(address, &format!("{unary}{rest}"), authorization).await;
            assert_eq!(service.reached_in_all(), 0, "{rest}");
        }
    }
    send_path(address, &format!("{unary}?x#{unary}"), Some(&good)).await;
    assert_eq!(service.reached_in_all(), 0);
    send_path(address, &format!("{open}#{unary}"), None).await;
    assert_eq!((service.reached("Open"), service.reached_in_all()), (1, 1));
    send_path(address, &format!("{unary}#{open}"), Some(&good)).await;
    assert_eq!((service.reached("Unary"), service.reached_in_all()), (1, 2));
}

/// The whole surface by name, so that a new way to mount a service is seen here.
#[expect(dead_code, reason = "it only has to compile")]
fn ways_to_mount(auth: &ResourceServer) {
    let _: grpc_auth::server::Protect<LeftServer<Strict>> = auth.protect(Strict);
    let _: grpc_auth::server::Protect<LeftServer<Strict>> = auth.protect_arc(Strict.into());
    let _ =
        auth.protect(Strict).map(|server: LeftServer<_>| server.max_decoding_message_size(1024));
}
