//! Methods open to anyone, and calls that are not gRPC, behind a layer without guards.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::{CallerExt, Principal, ResourceServer};
use http::{HeaderValue, Method, Request, Response};
use tests::sender::Doors;
use tonic::codegen::Service;
use tower_layer::Layer;

use super::dpop;

/// A service that tells what reached it.
#[derive(Clone)]
struct Mirror;

impl Service<Request<()>> for Mirror {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let caller = request.principal().and_then(Principal::subject).unwrap_or("unknown");
        let hidden = request.headers().get_all("dpop").iter().all(HeaderValue::is_sensitive);
        let answer = format!("{caller} {}", if hidden { "hidden" } else { "shown" });
        ready(Ok(Response::new(answer)))
    }
}

const ECHO: ServicePolicy = ServicePolicy::new(
    "echo.Echo",
    &[
        MethodPolicy::new("Open", AccessRule::AllowUnauthenticated),
        MethodPolicy::new("Closed", AccessRule::Authenticated),
    ],
);

async fn mirror(
    auth: &ResourceServer,
    method: Method,
    path: &str,
    authorization: &str,
    proofs: &[&str],
) -> String {
    let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    for proof in proofs {
        request.headers_mut().append("dpop", proof.parse().unwrap());
    }
    let Ok(answer) = auth.layer([ECHO]).unwrap().layer(Mirror).call(request).await;
    match answer.headers().get("grpc-status") {
        Some(status) => format!("status {}", status.to_str().unwrap()),
        None => answer.into_body(),
    }
}

#[tokio::test]
async fn where_anyone_may_call_an_unproved_token_means_nobody() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let proof = || doors.key.proof("https://echo.example.com/echo.Echo/Open", &token);
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));
    let open = async |authorization: &str, proofs: &[&str]| {
        mirror(&doors.auth, Method::POST, "/echo.Echo/Open", authorization, proofs).await
    };
    let good = proof().sign();
    assert_eq!(open(&dpop, &[&good]).await, "test hidden");
    assert_eq!(open(&dpop, &[&good]).await, "unknown hidden");
    assert_eq!(open(&dpop, &[&proof().sign_with_wrong_key()]).await, "unknown hidden");
    assert_eq!(open(&dpop, &[&proof().sign(), &proof().sign()]).await, "unknown hidden");
    assert_eq!(open(&dpop, &[]).await, "unknown hidden");
    assert_eq!(open(&bearer, &[&proof().sign()]).await, "unknown hidden");
    // Of a server that checks no proofs.
    let auth = doors.issuer.resource_server().build().await.unwrap();
    let answer = mirror(&auth, Method::POST, "/echo.Echo/Open", &dpop, &[&good]).await;
    assert_eq!(answer, "unknown hidden");
}

/// tonic serves them: a proof for a POST is invalid for a GET, and no proof is made for a GET at all.
#[tokio::test]
async fn another_http_method_is_refused() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let proof = || doors.key.proof("https://echo.example.com/echo.Echo/Closed", &token);
    let dpop = format!("DPoP {token}");
    for (method, htm, expected) in [
        (Method::POST, "POST", "test hidden"),
        (Method::GET, "POST", "status 16"),
        (Method::GET, "GET", "status 16"),
        (Method::POST, "GET", "status 16"),
    ] {
        let proof = proof().claim("htm", htm).sign();
        let answer = mirror(&doors.auth, method, "/echo.Echo/Closed", &dpop, &[&proof]).await;
        assert_eq!(answer, expected, "{htm}");
    }
}
