//! What a method requires beyond its rule: who is let in, who is not, and what else comes after.

use std::cell::RefCell;

use grpc_auth::testing::{anonymous, principal_with_claims, with_principal};
use grpc_auth::{Claims, ConfigError, ProtectedService};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, assert_scope_denied, serve, with_token};
use tokio_stream::{Empty, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};

thread_local! {
    /// What ran, in its order. Calls in process stay on the test's thread.
    static RAN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn ran(what: &'static str) {
    RAN.with_borrow_mut(|all| all.push(what));
}

/// What ran since it was asked the last time.
fn all_that_ran() -> Vec<&'static str> {
    RAN.take()
}

#[derive(Debug, Deserialize)]
struct Tenant {
    tenant: String,
}

/// Claims that report when they are read.
#[derive(Debug)]
struct Injected;

impl<'de> Deserialize<'de> for Injected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ran("injected");
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Claims whose reading fails in a way of its own.
#[derive(Debug)]
struct Panicking;

impl<'de> Deserialize<'de> for Panicking {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("canary while claims are read")
    }
}

#[derive(Clone, Debug)]
struct Orders;

fn owns(claims: &Claims<Tenant>, word: &Word) -> bool {
    ran("owns");
    claims.tenant == word.text
}

fn is_blue(claims: &Claims<Tenant>) -> bool {
    claims.tenant == "blue"
}

impl Orders {
    fn is_known(claims: &Claims<Tenant>) -> bool {
        match &*claims.tenant {
            "blue" => true,
            "red" => false,
            other => panic!("canary: {other}"),
        }
    }
}

#[grpc_auth::protect(descriptor = tests::pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Kinds for Orders {
    #[require_scopes("read:word")]
    #[require(owns)]
    #[require(|_: &Claims<Tenant>, word| {
        ran("is short");
        word.text.len() < 10
    })]
    async fn unary(
        &self,
        request: Request<Word>,
        _: Claims<Injected>,
    ) -> Result<Response<Word>, Status> {
        ran("handler");
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = Empty<Result<Word, Status>>;

    #[grpc_auth::require(owns)]
    #[authenticated]
    #[require(owns)]
    async fn server_stream(
        &self,
        _: Request<Word>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        ran("handler");
        Ok(Response::new(tokio_stream::empty()))
    }

    #[authenticated]
    #[require(is_blue)]
    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        ran("handler");
        let words: Vec<_> = request.into_inner().collect::<Result<_, _>>().await?;
        Ok(Response::new(words.into_iter().next().unwrap_or_default()))
    }

    type BidiStream = Streaming<Word>;

    #[authenticated]
    #[require(Self::is_known)]
    async fn bidi(
        &self,
        request: Request<tonic::Streaming<Word>>,
    ) -> Result<Response<Streaming<Word>>, Status> {
        ran("handler");
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|_: &Claims<Panicking>, _| true)]
    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        ran("handler");
        Ok(Response::new(request.into_inner()))
    }
}

fn word(text: &str) -> Word {
    Word { text: text.into() }
}

/// A caller of this tenant.
struct Caller {
    kit: Kit,
    client: KindsClient<grpc_auth::server::Protect<KindsServer<Orders>>>,
}

impl Caller {
    async fn start() -> Self {
        let kit = Kit::start().await;
        let client = KindsClient::new(kit.auth.protect(Orders));
        Self { kit, client }
    }

    fn token(&self, tenant: &str) -> String {
        self.kit.issuer.token().scopes(["read:word"]).claim("tenant", tenant).sign()
    }

    async fn call(&mut self, method: &str, tenant: &str, text: &str) -> Result<(), Status> {
        let token = self.token(tenant);
        let message = with_token(word(text), &token);
        let stream = with_token(tokio_stream::once(word(text)), &token);
        match method {
            "Unary" => self.client.unary(message).await.map(drop),
            "ServerStream" => self.client.server_stream(message).await.map(drop),
            "ClientStream" => self.client.client_stream(stream).await.map(drop),
            "Bidi" => self.client.bidi(stream).await.map(drop),
            _ => self.client.open(message).await.map(drop),
        }
    }
}

const POLICY: &str = "PERMISSION_DENIED_BY_POLICY";

#[tokio::test]
async fn in_all_kinds_of_methods_it_lets_in_whom_it_holds_for_and_nobody_else() {
    let mut caller = Caller::start().await;
    for (method, tenant, text) in [
        ("Unary", "blue", "blue"),
        ("ServerStream", "red", "red"),
        ("ClientStream", "blue", "any"),
        ("Bidi", "blue", "any"),
    ] {
        caller.call(method, tenant, text).await.unwrap();
        assert!(all_that_ran().contains(&"handler"), "{method}");
    }
    for (method, tenant, text) in [
        ("Unary", "blue", "red"),
        ("Unary", "a long tenant", "a long tenant"),
        ("ServerStream", "red", "blue"),
        ("ClientStream", "red", "any"),
        ("Bidi", "red", "any"),
    ] {
        let answer = caller.call(method, tenant, text).await;
        let status = answer.as_ref().unwrap_err();
        assert_eq!(status.message(), "the caller may not call this method");
        assert!(status.metadata().get("www-authenticate").is_none());
        assert_denied(answer, Code::PermissionDenied, POLICY);
        assert!(!all_that_ran().contains(&"handler"), "{method}");
    }
}

#[tokio::test]
async fn the_rule_comes_first_then_each_requirement_then_what_is_injected_then_the_handler() {
    let mut caller = Caller::start().await;
    caller.call("Unary", "blue", "blue").await.unwrap();
    assert_eq!(all_that_ran(), ["owns", "is short", "injected", "handler"]);

    let answer = caller.call("Unary", "a long tenant", "a long tenant").await;
    assert_denied(answer, Code::PermissionDenied, POLICY);
    assert_eq!(all_that_ran(), ["owns", "is short"]);

    assert_denied(caller.call("Unary", "blue", "red").await, Code::PermissionDenied, POLICY);
    assert_eq!(all_that_ran(), ["owns"]);

    let token = caller.kit.issuer.token().claim("tenant", "blue").sign();
    assert_scope_denied(caller.client.unary(with_token(word("blue"), &token)).await);
    assert_anonymous_denied(caller.client.unary(word("blue")).await);
    assert_eq!(all_that_ran(), [""; 0]);

    // Twice the same is asked twice.
    caller.call("ServerStream", "blue", "blue").await.unwrap();
    assert_eq!(all_that_ran(), ["owns", "owns", "handler"]);
}

#[tokio::test]
async fn the_log_names_the_requirement_and_no_value() {
    let logs = Logs::capture();
    let mut caller = Caller::start().await;
    let answer = caller.call("Unary", "canary-tenant", "canary-word").await;
    assert_denied(answer, Code::PermissionDenied, POLICY);
    let line = logs.line_with("call denied");
    for text in [
        "method=\"/kit.v1.Kinds/Unary\"",
        "verdict=\"deny\"",
        "reason=\"PERMISSION_DENIED_BY_POLICY\"",
        "cause=\"the requirement `owns` does not hold\"",
        caller.kit.issuer.url(),
    ] {
        assert!(line.contains(text), "{text} in {line}");
    }
    caller.call("Unary", "canary-tenant", "canary-tenant").await.unwrap_err();
    let short = "the requirement `|_: &Claims<Tenant>, word| { ran(\\\"is short\\\"); \
                 word.text.len() < 10 }` does not hold";
    assert!(logs.line_with(short).contains("call denied"));
    assert!(!logs.text().contains("canary"), "{}", logs.text());
}

/// On one connection, whose other calls go on.
#[tokio::test]
async fn a_panic_denies_and_says_nothing_but_which_requirement_it_was() {
    let logs = Logs::capture();
    let mut caller = Caller::start().await;
    let (good, bad) = (caller.token("blue"), caller.token("canary-tenant"));
    let mut client = KindsClient::new(serve(caller.kit.auth.protect(Orders)).await);
    let (held, messages) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let mut open = client.bidi(with_token(messages, &good)).await.unwrap().into_inner();

    let answer = client.bidi(with_token(tokio_stream::once(word("any")), &bad)).await;
    let status = answer.as_ref().unwrap_err();
    assert_eq!(status.message(), "internal error");
    assert!(status.metadata().get("www-authenticate").is_none());
    assert_denied(answer, Code::Internal, "");

    held.send(word("still open")).await.unwrap();
    assert_eq!(open.next().await.unwrap().unwrap().text, "still open");

    let line = logs.line_with("a requirement panicked");
    assert!(line.contains("ERROR") && line.contains("requirement=\"Self::is_known\""), "{line}");
    let line = logs.line_with("call denied");
    assert!(line.contains("cause=\"the requirement `Self::is_known` panicked\""), "{line}");

    // Reading the claims is part of it.
    let answer = caller.call("Open", "blue", "any").await;
    assert_denied(answer, Code::Internal, "");
    let line = logs.line_with("its `Deserialize` panicked");
    assert!(line.contains("call denied") && line.contains("Panicking` at `.`"), "{line}");
    assert!(!logs.text().contains("canary"), "{}", logs.text());
}

#[tokio::test]
async fn claims_that_do_not_fit_are_denied_and_the_log_has_their_path() {
    let logs = Logs::capture();
    let mut caller = Caller::start().await;
    let token = caller.kit.issuer.token().claim("tenant", ["canary"]).sign();
    let stream = tokio_stream::once(word("any"));
    let answer = caller.client.client_stream(with_token(stream, &token)).await;
    assert_denied(answer, Code::PermissionDenied, POLICY);
    assert!(logs.line_with("call denied").contains("Tenant` at `tenant`"), "{}", logs.text());
    assert!(!logs.text().contains("canary"));
    assert_eq!(all_that_ran(), [""; 0]);
}

#[tokio::test]
async fn the_table_says_that_scopes_are_not_all_there_is() {
    let policy = <Orders as ProtectedService<KindsServer<_>>>::POLICY;
    assert_eq!(
        policy.to_string(),
        "kit.v1.Kinds\n  \
         Unary         require_scopes(\"read:word\") require(owns) \
         require(|_: &Claims<Tenant>, word| { ran(\"is short\"); word.text.len() < 10 })\n  \
         ServerStream  authenticated require(owns) require(owns)\n  \
         ClientStream  authenticated require(is_blue)\n  \
         Bidi          authenticated require(Self::is_known)\n  \
         Open          authenticated require(|_: &Claims<Panicking>, _| true)\n"
    );
    let json = serde_json::to_value(policy).unwrap();
    assert_eq!(json["methods"][2]["require"], json!(["is_blue"]));
}

/// Without a guard, nothing would check them.
#[tokio::test]
async fn a_table_with_requirements_is_none_for_a_service_without_guards() {
    let kit = Kit::start().await;
    let policy = <Orders as ProtectedService<KindsServer<_>>>::POLICY;
    let error = kit.auth.protect_with(KindsServer::new(Orders), policy).unwrap_err();
    assert!(matches!(error, ConfigError::Policy { service: "kit.v1.Kinds", .. }));
    assert!(error.to_string().contains("it has requirements"), "{error}");
    assert!(error.to_string().contains("mount that with `auth.protect(service)`"), "{error}");
}

/// A method whose row has another name, so that the layer does not find it.
struct Misnamed;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Names for Misnamed {
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[require(owns)]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::test]
async fn a_misnamed_method_requires_what_it_says() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().claim("tenant", "blue").sign();
    let mut client = NamesClient::new(kit.auth.protect(Misnamed));
    assert!(client.get_url(with_token(word("blue"), &token)).await.is_ok());
    let answer = client.get_url(with_token(word("red"), &token)).await;
    assert_denied(answer, Code::PermissionDenied, POLICY);
}

#[tokio::test]
async fn without_a_layer_it_is_not_even_asked() {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(KindsServer::new(Orders));
    let token = kit.issuer.token().scopes(["read:word"]).claim("tenant", "blue").sign();
    let answer = client.unary(with_token(word("blue"), &token)).await;
    assert_denied(answer, Code::Internal, "");
    assert_eq!(all_that_ran(), [""; 0]);
}

#[tokio::test]
async fn a_unit_test_of_the_handler_meets_it_as_well() {
    let blue = principal_with_claims(json!({"tenant": "blue", "scope": "read:word"}));
    let call = |text: &str| with_principal(Request::new(word(text)), &blue);
    assert!(Orders.unary(call("blue")).await.is_ok());
    assert_denied(Orders.unary(call("red")).await, Code::PermissionDenied, POLICY);
    assert_anonymous_denied(Orders.unary(anonymous(Request::new(word("blue")))).await);
}
