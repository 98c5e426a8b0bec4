//! A remote decision point: when it is asked, what it receives, and what its answers do.

mod guarded;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::ConfigError;
use grpc_auth::server::{
    AccessDecision, AccessRequest, Authorizer, AuthorizerError, ResourceServerBuilder,
};
use grpc_auth::testing::TestAuthorizationServer;
use tests::callers::{settle, until};
use tests::kinds::{Counting, METHODS, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::{assert_anonymous_denied, assert_denied, assert_scope_denied, serve, with_token};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const POLICY: &str = "PERMISSION_DENIED_BY_POLICY";
const UNAVAILABLE: &str = "AUTH_BACKEND_UNAVAILABLE";

/// What an authorizer was asked.
type Asked = Arc<Mutex<Vec<AccessRequest>>>;

/// Denies the subject `mallory`, and remembers.
fn all_but_mallory(asked: &Asked) -> impl Authorizer + use<> {
    let asked = Arc::clone(asked);
    move |request: AccessRequest| {
        let is_mallory = request.principal().subject() == Some("mallory");
        asked.lock().unwrap().push(request);
        async move {
            tokio::task::yield_now().await;
            Ok(if is_mallory { AccessDecision::Deny } else { AccessDecision::Allow })
        }
    }
}

/// An issuer, and the paths for which a server that trusts it asks.
struct World {
    issuer: TestAuthorizationServer,
    builder: ResourceServerBuilder,
    asked: Asked,
}

impl World {
    async fn start() -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let asked = Asked::default();
        let builder = issuer.resource_server().authorizer(all_but_mallory(&asked));
        Self { issuer, builder, asked }
    }

    fn token(&self, subject: &str) -> String {
        let scopes = ["read:word", "write:word", "team:blue"];
        self.issuer.token().subject(subject).scopes(scopes).sign()
    }
}

fn paths(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().drain(..).map(|request| request.path().to_owned()).collect()
}

#[tokio::test]
async fn whom_the_rule_lets_in_it_lets_in_or_denies_in_all_kinds_of_methods() {
    let logs = Logs::capture();
    let world = World::start().await;
    let [alice, mallory] = ["alice", "mallory"].map(|subject| world.token(subject));
    let auth = world.builder.build().await.unwrap();
    let service = Counting::default();
    let mut client = KindsClient::new(serve(auth.protect(service.clone())).await);
    for method in METHODS.into_iter().filter(|method| *method != "Open") {
        call(&mut client, method, Some(&alice)).await.unwrap();
        assert_eq!(service.reached(method), 1);
        assert_eq!(paths(&world.asked), [format!("/kit.v1.Kinds/{method}")]);

        let answer = call(&mut client, method, Some(&mallory)).await;
        let status = answer.as_ref().unwrap_err();
        assert_eq!(status.message(), "the caller may not call this method");
        assert!(status.metadata().get("www-authenticate").is_none());
        assert_denied(answer, Code::PermissionDenied, POLICY);
        assert_eq!(service.reached(method), 1);
        assert_eq!(paths(&world.asked).len(), 1);
    }
    // Allowed is what both the rule and the authorizer allow.
    let text = logs.text();
    assert_eq!(text.matches("call allowed").count(), 4, "{text}");
    assert_eq!(text.matches("cause=\"the authorizer denies it\"").count(), 4, "{text}");
}

#[tokio::test]
async fn it_is_not_asked_about_calls_that_are_refused_anyhow_nor_about_open_methods() {
    #[derive(Debug, serde::Deserialize)]
    struct Tenant {
        #[expect(dead_code, reason = "only its type matters")]
        tenant: String,
    }
    let world = World::start().await;
    let token = || world.issuer.token().subject("alice").scopes(["read:word"]);
    let auth = world.builder.insert_claims::<Tenant>().build().await.unwrap();
    let mut client = KindsClient::new(auth.protect(Counting::default()));

    assert_anonymous_denied(call(&mut client, "Unary", None).await);
    let forged = token().claim("tenant", "blue").sign_with_wrong_key();
    let answer = call(&mut client, "Unary", Some(&forged)).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let good = token().claim("tenant", "blue").sign();
    assert_scope_denied(call(&mut client, "ClientStream", Some(&good)).await);
    let misfit = token().sign();
    let answer = call(&mut client, "Unary", Some(&misfit)).await;
    assert_denied(answer, Code::PermissionDenied, POLICY);
    call(&mut client, "Open", None).await.unwrap();
    call(&mut client, "Open", Some(&good)).await.unwrap();
    assert_eq!(paths(&world.asked), [""; 0]);

    call(&mut client, "Unary", Some(&good)).await.unwrap();
    assert_eq!(paths(&world.asked), ["/kit.v1.Kinds/Unary"]);
}

#[tokio::test]
async fn it_sees_the_method_the_caller_and_the_metadata_without_credentials() {
    let world = World::start().await;
    let token = world.issuer.token().subject("alice").scopes(["read:word"]);
    let token = token.claim("tenant", "canary-tenant").sign();
    let auth = world.builder.build().await.unwrap();
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    let mut request = with_token(Word::default(), &token);
    let metadata = request.metadata_mut();
    metadata.insert("dpop", "canary-proof".parse().unwrap());
    metadata.append("dpop", "canary-proof".parse().unwrap());
    metadata.insert("proxy-authorization", "Basic canary".parse().unwrap());
    metadata.insert("x-region", "canary-region".parse().unwrap());
    client.unary(request).await.unwrap();

    let asked = world.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.path(), "/kit.v1.Kinds/Unary");
    assert_eq!((asked.service(), asked.rpc()), ("kit.v1.Kinds", "Unary"));
    assert_eq!(asked.entry().rule().to_string(), "require_scopes(\"read:word\")");
    assert_eq!(asked.principal().subject(), Some("alice"));
    let claims = asked.principal().claims::<serde_json::Value>().unwrap();
    assert_eq!(claims["tenant"], "canary-tenant");
    assert_eq!(asked.metadata().get("x-region").unwrap(), "canary-region");
    for name in ["authorization", "dpop", "proxy-authorization"] {
        assert!(!asked.metadata().contains_key(name), "{name}");
    }
    let all = format!("{:?}", asked.metadata());
    assert!(!all.contains(&token) && !all.contains("canary-proof") && !all.contains("Basic"));
    assert!(!format!("{asked:?} {auth:?}").contains("canary"), "{asked:?} {auth:?}");
}

/// An error whose text must not reach the caller.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("canary: alice@example.com cannot be looked up")
    }
}

impl std::error::Error for Broken {}

/// What `answer` does to a call, and the log's cause of it.
async fn refusal(answer: impl Authorizer) -> (Status, String) {
    let logs = Logs::capture();
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().authorizer(answer).build().await.unwrap();
    let service = Counting::default();
    let mut client = KindsClient::new(serve(auth.protect(service.clone())).await);
    let token = issuer.token().scopes(["read:word"]).sign();
    let status = call(&mut client, "Unary", Some(&token)).await.unwrap_err();
    assert_eq!(service.reached_in_all(), 0);
    assert!(!logs.text().contains("call allowed") && !logs.text().contains("canary"));
    (status, logs.line_with("call denied"))
}

fn assert_unavailable(status: Status) {
    let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(retry, Some(Duration::from_secs(1)));
    assert_denied::<()>(Err(status), Code::Unavailable, UNAVAILABLE);
}

#[tokio::test]
async fn an_error_is_neither_yes_nor_no_and_its_text_stays_where_it_is() {
    let fails = |_: AccessRequest| async {
        Err::<(), _>(Broken)?;
        Ok(AccessDecision::Allow)
    };
    let (status, line) = refusal(fails).await;
    assert_unavailable(status);
    assert!(line.contains("did not decide: suite::decisions::authorizer::Broken"), "{line}");

    let says = |_: AccessRequest| async { Err(AuthorizerError::new("no policy is loaded")) };
    let (status, line) = refusal(says).await;
    assert_unavailable(status);
    assert!(line.contains("the authorizer did not decide: no policy is loaded"), "{line}");
}

/// Panics before it has a future, or in it.
struct Panics {
    at_once: bool,
}

impl Authorizer for Panics {
    fn authorize(
        &self,
        _: AccessRequest,
    ) -> impl Future<Output = Result<AccessDecision, AuthorizerError>> + Send {
        assert!(!self.at_once, "canary");
        async {
            tokio::task::yield_now().await;
            panic!("canary")
        }
    }
}

#[tokio::test]
async fn a_panic_denies() {
    for at_once in [true, false] {
        let (status, line) = refusal(Panics { at_once }).await;
        assert_eq!(status.message(), "internal error");
        assert_denied::<()>(Err(status), Code::Internal, "");
        assert!(line.contains("cause=\"the authorizer panicked\""), "{line}");
    }
}

/// Never answers, and panics when it is dropped.
struct PanicsInDrop;

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        panic!("canary")
    }
}

impl Authorizer for PanicsInDrop {
    async fn authorize(&self, _: AccessRequest) -> Result<AccessDecision, AuthorizerError> {
        let _late = Late;
        std::future::pending().await
    }
}

/// What it leaves behind is no reason to hang up on the caller, nor on others.
#[tokio::test]
async fn a_panic_after_its_time_changes_nothing() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().authorizer(PanicsInDrop).build().await.unwrap();
    let service = Counting::default();
    let channel = serve(auth.protect(service.clone())).await;
    let token = issuer.token().scopes(["read:word"]).sign();
    let pending = || {
        let (mut client, token) = (KindsClient::new(channel.clone()), token.clone());
        tokio::spawn(async move { call(&mut client, "Unary", Some(&token)).await })
    };
    // One caller goes away, the other waits to the end.
    let (gone, waiting) = (pending(), pending());
    settle().await;
    gone.abort();
    settle().await;
    issuer.clock().advance(Duration::from_secs(5));
    assert_unavailable(waiting.await.unwrap().unwrap_err());
    assert_eq!(service.reached_in_all(), 0);
    let mut client = KindsClient::new(channel.clone());
    assert!(call(&mut client, "Open", None).await.is_ok());
}

#[tokio::test]
async fn it_is_waited_for_as_long_as_is_set_and_no_longer() {
    for (configured, seconds) in [(None, 5), (Some(Duration::from_secs(2)), 2)] {
        let logs = Logs::capture();
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let hangs = |_: AccessRequest| std::future::pending();
        let builder = issuer.resource_server().authorizer(hangs);
        let builder = match configured {
            Some(timeout) => builder.authorizer_timeout(timeout),
            None => builder,
        };
        let auth = builder.build().await.unwrap();
        let token = issuer.token().scopes(["read:word"]).sign();
        let pending = tokio::spawn(async move {
            let mut client = KindsClient::new(auth.protect(Counting::default()));
            call(&mut client, "Unary", Some(&token)).await
        });
        settle().await;
        issuer.clock().advance(Duration::from_millis(seconds * 1000 - 1));
        settle().await;
        assert!(!pending.is_finished());
        issuer.clock().advance(Duration::from_millis(1));
        until("the call is answered", async || pending.is_finished()).await;
        let answer = pending.await.unwrap();
        assert_unavailable(answer.unwrap_err());
        let cause = format!("cause=\"the authorizer did not answer within {seconds}s\"");
        assert!(logs.line_with(&cause).contains("reason=\"AUTH_BACKEND_UNAVAILABLE\""));
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_when_it_is_built() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let yes = |_: AccessRequest| async { Ok(AccessDecision::Allow) };
    let builder = || issuer.resource_server();
    let second = Duration::from_secs(1);
    for (builder, text) in [
        (builder().authorizer(yes).authorizer(yes), "`authorizer` cannot work: it is set twice"),
        (
            builder().authorizer_timeout(second),
            "`authorizer_timeout` cannot work: there is no authorizer",
        ),
        (builder().authorizer(yes).authorizer_timeout(Duration::ZERO), "write 1 s or more"),
        (builder().authorizer(yes).authorizer_timeout(31 * second), "write at most 30 s"),
    ] {
        let error = builder.build().await.unwrap_err();
        assert!(matches!(error, ConfigError::Setting { of: "resource-server", .. }));
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(builder().authorizer(yes).authorizer_timeout(30 * second).build().await.is_ok());
}
