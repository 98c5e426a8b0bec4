//! Opaque tokens: what the introspection endpoint says, and what is remembered of it.

mod abandoned;
mod as_answered;
pub(crate) mod canned;
mod circuit;
mod outage;
mod revoked;
mod settings;

use std::collections::HashSet;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{
    BearerToken, ClientAuthentication, Introspection, IntrospectionCache, Issuer, Redis,
    ResourceServer,
};
use tests::callers::{settle, until, with};
use tests::logs::Logs;
use tests::{assert_denied, block_on};
use tokio::task::JoinSet;
use tonic::{Code, Status};

const SECOND: Duration = Duration::from_secs(1);
const SECRET: &str = "s3:cr%t ümläut";

struct Opaque {
    issuer: TestAuthorizationServer,
    auth: ResourceServer,
}

fn client() -> ClientAuthentication {
    ClientAuthentication::client_secret_basic("orders:api", SECRET)
}

impl Opaque {
    async fn start() -> Self {
        Self::with(|introspection| introspection).await
    }

    async fn with(change: impl FnOnce(Introspection) -> Introspection) -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        issuer.add_client("orders:api", SECRET, [""; 0]);
        let asked =
            Issuer::discover(issuer.url()).introspection(change(Introspection::new(client())));
        let auth = Self::server(&issuer, asked).await;
        Self { issuer, auth }
    }

    async fn server(issuer: &TestAuthorizationServer, asked: Issuer) -> ResourceServer {
        let builder = ResourceServer::builder().issuer(asked).clock(issuer.clock().clone());
        builder.audience(TestAuthorizationServer::AUDIENCE).build().await.unwrap()
    }

    fn token(&self) -> String {
        self.issuer.token().scopes(["read:word"]).opaque()
    }

    fn asked(&self) -> u64 {
        self.issuer.requests(Endpoint::Introspection)
    }

    async fn call(&self, token: &str) -> Result<(), Status> {
        with(&self.auth, token).await
    }

    fn advance(&self, duration: Duration) {
        self.issuer.clock().advance(duration);
    }
}

#[track_caller]
fn assert_unavailable<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

#[track_caller]
fn assert_invalid<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn an_active_token_is_asked_about_once_and_its_scopes_decide() {
    let kit = Opaque::start().await;
    let token = kit.token();
    for _ in 0..3 {
        kit.call(&token).await.unwrap();
    }
    assert_eq!(kit.asked(), 1);
    let poor = kit.issuer.token().scopes(["read:other"]).opaque();
    assert_denied(kit.call(&poor).await, Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let headers = kit.issuer.last_request(Endpoint::Introspection).unwrap();
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
}

/// What the server says, and what the log says of it.
#[tokio::test]
async fn what_is_not_active_for_us_is_refused_by_its_reason() {
    let ours = format!(r#""aud":"{}","scope":"read:word""#, TestAuthorizationServer::AUDIENCE);
    for (answer, cause) in [
        (r#"{"active":false}"#.to_owned(), "says that the token is not active"),
        (format!(r#"{{"active":"true",{ours}}}"#), "`active` is not the boolean"),
        (format!(r#"{{"active":1,{ours}}}"#), "`active` is not the boolean"),
        (format!("{{{ours}}}"), "`active` is not the boolean"),
        (format!(r#"{{"active":false,"active":true,{ours}}}"#), "the member `active` occurs twice"),
        (r#"{"active":true,"aud":"https://other.example"}"#.into(), "`aud` does not contain"),
        (r#"{"active":true,"scope":"read:word"}"#.into(), "allow_missing_audience"),
        (format!(r#"{{"active":true,"iss":"https://o.example",{ours}}}"#), "`iss` is not"),
        (format!(r#"{{"active":true,"nbf":9999999999,{ours}}}"#), "`nbf` is in the future"),
        (format!(r#"{{"active":true,"token_type":"refresh",{ours}}}"#), "`token_type`"),
        // A server may know refresh tokens as well (RFC 7662 §2.1), and say so in its own way.
        (
            format!(
                r#"{{"active":true,"token_type":"Bearer","token_use":"refresh_token",{ours}}}"#
            ),
            "`token_use`",
        ),
        (format!(r#"{{"active":true,"cnf":{{"jkt":"x"}},{ours}}}"#), "`cnf`"),
    ] {
        let kit = Opaque::start().await;
        let token = kit.token();
        kit.issuer.set_introspection_response(Some(answer.clone()));
        let logs = Logs::capture();
        assert_invalid(kit.call(&token).await);
        let line = logs.line_with("call denied");
        assert!(line.contains(cause), "{answer}: {line}");
        assert!(!logs.text().contains(&token), "the token is in the log");
        // It is cached for ten seconds, and then introspected again.
        assert_invalid(kit.call(&token).await);
        assert_eq!(kit.asked(), 1, "{answer}");
        kit.issuer.set_introspection_response(None);
        kit.advance(10 * SECOND);
        kit.call(&token).await.unwrap();
        assert_eq!(kit.asked(), 2, "{answer}");
    }
}

#[tokio::test]
async fn an_expired_token_is_expired_whatever_the_server_says() {
    let kit = Opaque::start().await;
    let aud = TestAuthorizationServer::AUDIENCE;
    let body = format!(r#"{{"active":true,"aud":"{aud}","exp":1000}}"#);
    kit.issuer.set_introspection_response(Some(body));
    let answer = kit.call(&kit.token()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_revoked_token_is_refused_once_its_answer_is_a_minute_old() {
    let kit = Opaque::start().await;
    let token = kit.token();
    kit.call(&token).await.unwrap();
    kit.issuer.revoke(&token);
    kit.advance(60 * SECOND - Duration::from_nanos(1000));
    kit.call(&token).await.unwrap();
    kit.advance(Duration::from_nanos(1000));
    assert_invalid(kit.call(&token).await);
    assert_eq!(kit.asked(), 2);
}

#[tokio::test]
async fn an_answer_is_never_believed_beyond_the_tokens_expiry() {
    let kit = Opaque::start().await;
    let token = kit.issuer.token().scopes(["read:word"]).expires_in(5 * SECOND).opaque();
    kit.call(&token).await.unwrap();
    kit.advance(5 * SECOND);
    assert_invalid(kit.call(&token).await);
    assert_eq!(kit.asked(), 2);
    // Without an expiry half as long as with one.
    let token = kit.issuer.token().scopes(["read:word"]).without_claim("exp").opaque();
    kit.call(&token).await.unwrap();
    kit.issuer.revoke(&token);
    kit.advance(29 * SECOND);
    kit.call(&token).await.unwrap();
    kit.advance(SECOND);
    assert_invalid(kit.call(&token).await);
}

#[tokio::test]
async fn the_endpoint_is_looked_up_once_for_all_who_wait() {
    let kit = Opaque::start().await;
    let before = kit.issuer.requests(Endpoint::Discovery);
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let (auth, token) = (kit.auth.clone(), kit.token());
        calls.spawn(async move { with(&auth, &token).await });
    }
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!((kit.issuer.requests(Endpoint::Discovery) - before, kit.asked()), (1, 60));
}

#[tokio::test]
async fn off_asks_every_time() {
    let kit = Opaque::with(|asked| asked.cache(IntrospectionCache::off())).await;
    let token = kit.token();
    for _ in 0..3 {
        kit.call(&token).await.unwrap();
    }
    kit.issuer.revoke(&token);
    assert_invalid(kit.call(&token).await);
    assert_eq!(kit.asked(), 4);
}

#[tokio::test]
async fn a_thousand_calls_with_one_token_ask_once() {
    let kit = Opaque::start().await;
    let token = kit.token();
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let (auth, token) = (kit.auth.clone(), token.clone());
        calls.spawn(async move { with(&auth, &token).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(kit.asked(), 1);
}

/// Each future is dropped after another number of polls; another call is asking the same.
#[tokio::test]
async fn a_call_that_is_dropped_takes_nobody_with_it() {
    drop_at_every_poll(async || {
        let kit = Opaque::start().await;
        let token = kit.token();
        (kit, token)
    })
    .await;
    // Verified here first.
    drop_at_every_poll(async || {
        let kit = Opaque::with(Introspection::also_for_jwts).await;
        let token = kit.issuer.token().scopes(["read:word"]).sign();
        (kit, token)
    })
    .await;
}

async fn drop_at_every_poll(start: impl AsyncFn() -> (Opaque, String)) {
    for polls in 0.. {
        let (kit, token) = start().await;
        let mut dropped = Box::pin(kit.call(&token));
        for _ in 0..polls {
            let polled = dropped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                assert!(polls > 3, "it waited for nothing");
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(dropped);
        kit.call(&token).await.unwrap();
        assert_eq!(kit.asked(), 1, "dropped after {polls} polls");
    }
}

#[tokio::test]
async fn every_client_authentication_is_understood() {
    let pair = rcgen::KeyPair::generate().unwrap();
    // SEC 1 §2.3.3: 4, x, y.
    let (x, y) = pair.public_key_raw()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let jwks = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#);
    let der = STANDARD.encode(pair.serialize_der());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
    let key = || ClientAuthentication::private_key_jwt("keyed", &pem).unwrap();
    for client in [
        client(),
        ClientAuthentication::client_secret_post("orders:api", SECRET),
        key().key_id("k1"),
    ] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        issuer.add_client("orders:api", SECRET, [""; 0]);
        issuer.add_client_with_keys("keyed", jwks.clone(), [""; 0]);
        let asked =
            Issuer::discover(issuer.url()).introspection(Introspection::new(client.clone()));
        let auth = Opaque::server(&issuer, asked).await;
        let token = issuer.token().scopes(["read:word"]).opaque();
        with(&auth, &token).await.unwrap_or_else(|status| panic!("{client:?}: {status:?}"));
    }
    // An assertion for another audience is rejected.
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client_with_keys("keyed", jwks, [""; 0]);
    let client = key().assertion_audience("https://other.example/");
    let asked = Issuer::discover(issuer.url()).introspection(Introspection::new(client));
    let auth = Opaque::server(&issuer, asked).await;
    assert_unavailable(with(&auth, &issuer.token().opaque()).await);
}

#[tokio::test]
async fn jwts_of_configured_issuers_are_verified_here_and_others_are_asked_about() {
    let kit = Opaque::start().await;
    let own = kit.issuer.token().scopes(["read:word"]).sign();
    kit.call(&own).await.unwrap();
    kit.issuer.revoke(&own);
    kit.call(&own).await.unwrap();
    assert_invalid(kit.call(&kit.issuer.token().sign_with_wrong_key()).await);
    assert_eq!(kit.asked(), 0);
    for (n, other) in [
        kit.issuer.token().claim("iss", "https://other.example/").sign(),
        "a.b.c".into(),
        "a.b.c.d.e".into(),
        "opaque-and-unknown".into(),
    ]
    .into_iter()
    .enumerate()
    {
        assert_invalid(kit.call(&other).await);
        assert_eq!(kit.asked(), n as u64 + 1, "{other}");
    }
}

#[tokio::test]
async fn an_issuer_without_keys_is_asked_about_its_jwts_too() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("orders:api", SECRET, [""; 0]);
    let asked = Issuer::introspected(issuer.url(), Introspection::new(client()));
    let auth = Opaque::server(&issuer, asked).await;
    let token = issuer.token().scopes(["read:word"]).sign();
    with(&auth, &token).await.unwrap();
    assert_eq!(issuer.requests(Endpoint::Jwks), 0);
    issuer.revoke(&token);
    issuer.clock().advance(60 * SECOND);
    assert_invalid(with(&auth, &token).await);
}

#[tokio::test]
async fn hybrid_takes_a_good_signature_and_an_active_token() {
    let kit = Opaque::with(Introspection::also_for_jwts).await;
    let token = kit.issuer.token().scopes(["read:word"]).sign();
    for _ in 0..3 {
        kit.call(&token).await.unwrap();
    }
    assert_eq!(kit.asked(), 1);
    // A forgery is rejected here, without a request.
    assert_invalid(kit.call(&kit.issuer.token().scopes(["read:word"]).sign_with_wrong_key()).await);
    assert_eq!(kit.asked(), 1);
    // A key that is gone ends it, whatever is remembered of the answer.
    kit.issuer.replace_keys().unwrap();
    kit.call(&kit.issuer.token().scopes(["read:word"]).sign()).await.unwrap();
    assert_invalid(kit.call(&token).await);
    // And so does revocation.
    let token = kit.issuer.token().scopes(["read:word"]).sign();
    kit.call(&token).await.unwrap();
    kit.issuer.revoke(&token);
    kit.advance(60 * SECOND);
    assert_invalid(kit.call(&token).await);
    // What the answer says is what counts: a lightweight token's scopes are in it.
    let light = kit.issuer.token().sign();
    let aud = TestAuthorizationServer::AUDIENCE;
    let answer = format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word"}}"#);
    kit.issuer.set_introspection_response(Some(answer));
    kit.call(&light).await.unwrap();
    // Opaque ones are introspected as ever.
    kit.call(&kit.token()).await.unwrap();
}

#[tokio::test]
async fn inactive_tokens_displace_no_active_one() {
    let kit = Opaque::start().await;
    let good = kit.token();
    kit.call(&good).await.unwrap();
    for n in 0..5000 {
        assert_invalid(kit.call(&format!("junk-{n:08}")).await);
    }
    let asked = kit.asked();
    kit.call(&good).await.unwrap();
    assert_eq!(kit.asked(), asked);
}

#[tokio::test]
async fn its_token_is_handed_on_and_its_claims_are_read_once() {
    let kit = Opaque::start().await;
    let token = BearerToken::parse(&kit.token()).unwrap();
    let first = kit.auth.verify(&token).await.unwrap();
    let again = kit.auth.verify(&token).await.unwrap();
    let claims = |principal: &grpc_auth::Principal| {
        let claims = principal.claims::<HashSet<String>>();
        claims.unwrap_err().path().to_owned()
    };
    assert_eq!(claims(&first), claims(&again));
    let scope = first.claims::<serde_json::Value>().unwrap()["scope"].clone();
    assert_eq!(scope, "read:word");
}
