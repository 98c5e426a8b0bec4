//! Calls, from the door to the handler.

use std::cell::RefCell;
use std::convert::Infallible;
use std::task::{Context, Poll};

use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::testing::TokenBuilder;
use grpc_auth::{BearerToken, CallerExt, Claims, Principal};
use serde::Deserialize;
use serde_json::json;
use tests::kinds::{Counting, METHODS, call};
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::KindsServer;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_client::NamesClient;
use tests::{Kit, serve, with_token};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use tower_layer::Layer;

use super::Seen;
use crate::decisions::rpc_names::Misnamed;

const SCOPES: [&str; 4] = ["read:word", "write:word", "team:blue", "canary-scope"];

/// A token all of whose claims are secret.
fn secretive(seen: &Seen, kit: &Kit) -> TokenBuilder {
    let secret = |what: &str| seen.secret(what, format!("canary-{what}"));
    seen.secret("scope", "canary-scope");
    kit.issuer
        .token()
        .subject(secret("subject"))
        .scopes(SCOPES)
        .claim("jti", secret("jti"))
        .claim("client_id", secret("client-id"))
        .claim("tenant", json!({"name": secret("claim")}))
        .claim(secret("name"), [secret("element")])
}

pub(super) async fn allowed(seen: &Seen) {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(serve(kit.auth.protect(Counting::default())).await);
    let token = seen.token("a good token", secretive(seen, &kit).sign());
    // The third time it is remembered.
    for _ in 0..3 {
        for method in METHODS {
            call(&mut client, method, Some(&token)).await.unwrap();
        }
    }
    let answer = client.unary(with_token(Word::default(), &token)).await.unwrap();
    seen.metadata("the metadata of an answer", answer.metadata());
    let mut words = client.server_stream(with_token(Word::default(), &token)).await.unwrap();
    while words.get_mut().message().await.unwrap().is_some() {}
    let trailers = words.get_mut().trailers().await.unwrap().unwrap_or_default();
    seen.metadata("the trailers of a stream", &trailers);
    call(&mut client, "Open", None).await.unwrap();
}

pub(super) async fn refused(seen: &Seen) {
    let mut kit = Kit::start().await;
    let builder = kit.issuer.resource_server().max_token_bytes(8 * 1024);
    kit.auth = builder.build().await.unwrap();
    let mut client = KindsClient::new(serve(kit.auth.protect(Counting::default())).await);
    let token = || secretive(seen, &kit);
    let now = kit.issuer.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    seen.logged("key id", "canary-kid", &["kid"]);
    seen.logged("issuer", "https://canary-issuer.example/", &["issuer"]);
    seen.logged("audience", "canary-audience", &["audience"]);
    for secret in ["canary-thumbprint", "canary-typ", "canary-expiry"] {
        seen.secret("a claim", secret);
    }
    const INVALID: &str = "ACCESS_TOKEN_INVALID";
    let refused = [
        ("expired", token().expired().sign(), "ACCESS_TOKEN_EXPIRED"),
        ("forged", token().sign_with_wrong_key(), INVALID),
        ("of another audience", token().audience("canary-audience").sign(), INVALID),
        (
            "of another issuer",
            token().claim("iss", "https://canary-issuer.example/").sign(),
            INVALID,
        ),
        ("with an unknown key", token().header("kid", "canary-kid").sign(), INVALID),
        ("with a long key id", token().header("kid", "canary-kid".repeat(100)).sign(), INVALID),
        ("of another type", token().header("typ", "canary-typ").sign(), INVALID),
        ("without signature", token().header("alg", "none").sign(), INVALID),
        ("with critical headers", token().header("crit", ["canary-typ"]).sign(), INVALID),
        ("not valid yet", token().claim("nbf", now + 3600).sign(), INVALID),
        ("from the future", token().claim("iat", now + 3600).sign(), INVALID),
        ("without expiry", token().without_claim("exp").sign(), INVALID),
        ("with an odd expiry", token().claim("exp", "canary-expiry").sign(), INVALID),
        ("bound", token().claim("cnf", json!({"jkt": "canary-thumbprint"})).sign(), INVALID),
        ("with odd scopes", token().claim("scope", json!({"canary-scope": 1})).sign(), INVALID),
        ("opaque", "canary-opaque-token-of-some-length".into(), INVALID),
        (
            "of five parts",
            "canary-one.canary-two.canary-three.canary-four.canary-five".into(),
            INVALID,
        ),
        ("no JSON", "Y2FuYXJ5.Y2FuYXJ5.Y2FuYXJ5Y2FuYXJ5".into(), INVALID),
        ("weak", token().scopes(["canary-scope"]).sign(), "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
    ];
    for (what, token, reason) in refused {
        let token = seen.token(&format!("a token {what}"), token);
        for method in ["Unary", "ServerStream"] {
            let status = call(&mut client, method, Some(&token)).await.unwrap_err();
            assert_eq!(seen.refusal(what, &status), reason, "{what}");
        }
        // Here it means anonymous.
        call(&mut client, "Open", Some(&token)).await.unwrap();
    }

    for value in ["canary-scheme", "canary-password", "canary two words"] {
        seen.secret("credentials", value);
    }
    let long = format!("Bearer {}", "canary-long".repeat(800));
    for (what, values, reason) in [
        ("no credentials", &[][..], "CREDENTIALS_MISSING"),
        ("the token alone", &["canary-password"], "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ("another scheme", &["canary-scheme canary-password"], "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ("several words", &["Bearer canary two words"], "ACCESS_TOKEN_MALFORMED"),
        ("two credentials", &["Bearer canary-password", "Bearer x"], "ACCESS_TOKEN_MALFORMED"),
        ("too long a token", &[&long], "ACCESS_TOKEN_MALFORMED"),
    ] {
        let mut request = Request::new(Word::default());
        for value in values {
            let mut value: MetadataValue<_> = value.parse().unwrap();
            value.set_sensitive(true);
            request.metadata_mut().append("authorization", value);
        }
        let status = client.unary(request).await.unwrap_err();
        assert_eq!(seen.refusal(what, &status), reason, "{what}");
    }

    // A path is no secret, but no label of a metric.
    seen.logged("path", "canary-path", &["method"]);
    let service = kit.auth.layer([ServicePolicy::new("a.B", &[])]).unwrap().layer(Show);
    let token = seen.token("a good token", secretive(seen, &kit).sign());
    let answer = ask(service, "/canary-path/canary-path", &token).await;
    assert_eq!(answer.headers()["grpc-status"], "7");
    seen.debug("an unknown path", &answer);
}

/// Claims that count as personal data.
#[derive(Debug, Deserialize)]
struct Tenant {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Number {
    #[expect(dead_code, reason = "no claim fits")]
    tenant: u64,
}

struct Service;

thread_local! {
    static HANDLED: RefCell<Vec<(&'static str, String)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Deserialize)]
struct Tenanted {
    tenant: Tenant,
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    async fn get(
        &self,
        request: Request<Word>,
        claims: Claims<Tenanted>,
        caller: Principal,
        token: BearerToken,
    ) -> Result<Response<Word>, Status> {
        assert!(claims.tenant.name.starts_with("canary"));
        HANDLED.with_borrow_mut(|handled| {
            handled.push(("a handler's request", format!("{request:?}")));
            handled.push(("a handler's claims", format!("{claims:?}")));
            handled.push(("a handler's caller", format!("{caller:?}")));
            handled.push(("a handler's token", format!("{token:?}")));
        });
        request.claims::<Number>()?;
        Ok(Response::new(Word::default()))
    }

    #[authenticated]
    async fn put(&self, _: Request<Word>, _: Claims<Number>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }
}

pub(super) async fn misfits(seen: &Seen) {
    let kit = Kit::start().await;
    let token = seen.token("a token that does not fit", secretive(seen, &kit).sign());
    let mut client = LeftClient::new(kit.auth.protect(Service));
    for status in [
        client.put(with_token(Word::default(), &token)).await.unwrap_err(),
        client.get(with_token(Word::default(), &token)).await.unwrap_err(),
    ] {
        assert_eq!(seen.refusal("a misfit", &status), "PERMISSION_DENIED_BY_POLICY");
    }
    for (what, text) in HANDLED.take() {
        seen.shows(what, text);
    }
    let typed = kit.issuer.resource_server().insert_claims::<Number>().build().await.unwrap();
    let status = LeftClient::new(typed.protect(Service))
        .get(with_token(Word::default(), &token))
        .await
        .unwrap_err();
    assert_eq!(seen.refusal("a typed misfit", &status), "PERMISSION_DENIED_BY_POLICY");
}

pub(super) async fn mistakes(seen: &Seen) {
    let kit = Kit::start().await;
    let token = seen.token("a good token", secretive(seen, &kit).sign());
    let mut bare = KindsClient::new(KindsServer::new(Counting::default()));
    let status = call(&mut bare, "Unary", Some(&token)).await.unwrap_err();
    assert_eq!(seen.refusal("no layer", &status), "");
    let status = Request::new(()).claims::<Number>().unwrap_err();
    assert_eq!(seen.refusal("claims without a layer", &status), "");

    let mut names = NamesClient::new(kit.auth.protect(Misnamed));
    let word = || with_token(Word::default(), &token);
    let status = names.get_url(word()).await.unwrap_err();
    assert_eq!(seen.refusal("a derived name", &status), "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    names.get_v2_item(word()).await.unwrap();
    let both = secretive(seen, &kit).scopes(["do", "move"]).sign();
    let both = seen.token("a token for both", both);
    let status = names.r#move(with_token(Word::default(), &both)).await.unwrap_err();
    assert_eq!(seen.refusal("the permit of another method", &status), "");
}

/// Tells what it is asked.
#[derive(Clone, Copy, Debug)]
struct Show;

impl tower_service::Service<http::Request<()>> for Show {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<()>) -> Self::Future {
        std::future::ready(Ok(http::Response::new(format!("{request:?}"))))
    }
}

async fn ask<S>(mut service: S, path: &str, token: &str) -> http::Response<String>
where
    S: tower_service::Service<
            http::Request<()>,
            Response = http::Response<String>,
            Error = Infallible,
        >,
{
    let request = http::Request::post(path).header("authorization", format!("Bearer {token}"));
    service.call(request.body(()).unwrap()).await.unwrap()
}

pub(super) async fn behind(seen: &Seen) {
    const POLICY: ServicePolicy =
        ServicePolicy::new("a.B", &[MethodPolicy::new("C", AccessRule::AllowUnauthenticated)]);
    let kit = Kit::start().await;
    let auth = kit.issuer.resource_server().insert_claims::<Tenanted>().build().await.unwrap();
    let layer = auth.layer([POLICY]).unwrap();
    let service = layer.layer(Show);
    seen.debug("a layer", &layer);
    seen.debug("a layer's service", &service);
    seen.debug("a mounted service", &kit.auth.protect::<LeftServer<_>, _>(Misplaced));
    let token = seen.token("a good token", secretive(seen, &kit).sign());
    let answer = ask(service, "/a.B/C", &token).await;
    assert!(answer.body().contains("Sensitive"), "{}", answer.body());
    seen.debug("a request behind the layer", &answer);
}

/// Stands there to be shown.
struct Misplaced;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Left for Misplaced {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) async fn ended(seen: &Seen) {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(serve(kit.auth.protect(Counting::default())).await);
    let token = seen.token("a token that expires", secretive(seen, &kit).sign());
    let words = tokio_stream::pending::<Word>();
    let mut answer = client.bidi(with_token(words, &token)).await.unwrap().into_inner();
    kit.issuer.clock().advance(std::time::Duration::from_secs(3630));
    let status = answer.message().await.unwrap_err();
    assert_eq!(seen.refusal("the end of a stream", &status), "ACCESS_TOKEN_EXPIRED");
}
