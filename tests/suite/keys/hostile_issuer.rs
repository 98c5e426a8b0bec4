//! What an issuer, a cache on the way, or an attacker could do to a server that accepts too much
//! or waits too patiently.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{
    BearerToken, Issuer, JwksHealth, Principal, ResourceServer, ScopeSource, StartupPolicy,
    VerifyError,
};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, LAST_MODIFIED};
use serde_json::{Value, json};
use tests::answers::{self, ok};
use tests::callers::{attempt, settle, until, with};
use tests::kinds::{Counting, call};
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied};
use tonic::Code;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

async fn verify(auth: &ResourceServer, token: String) -> Result<Principal, VerifyError> {
    auth.verify(&BearerToken::parse(&token).unwrap()).await
}

/// A server that trusts the issuers, whose keys are those of the authorization server.
async fn believing(
    server: &TestAuthorizationServer,
    issuers: impl IntoIterator<Item = Issuer>,
) -> ResourceServer {
    let keys = format!("{}.well-known/jwks.json", server.url());
    let builder = ResourceServer::builder().audience("api").clock(server.clock().clone());
    let builder =
        issuers.into_iter().fold(builder, |builder, issuer| builder.issuer(issuer.jwks_uri(&keys)));
    builder.start(StartupPolicy::Required).build().await.unwrap()
}

fn entra_issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

fn set_key_issuers(server: &TestAuthorizationServer, issuer: &Value) {
    let mut jwks: Value = serde_json::from_str(&server.jwks()).unwrap();
    for key in jwks["keys"].as_array_mut().unwrap() {
        key["issuer"] = issuer.clone();
    }
    server.set_jwks(Some(jwks.to_string()));
}

#[tokio::test]
async fn a_key_of_one_tenant_is_no_key_of_another() {
    let server = TestAuthorizationServer::start().await.unwrap();
    let token = |tenant: &str| {
        let token = server.token().audience("api").claim("azp", "c").claim("tid", tenant);
        token.claim("iss", entra_issuer(tenant)).sign()
    };
    set_key_issuers(&server, &json!(entra_issuer(OTHER_TENANT)));
    let one = believing(&server, [Issuer::entra(TENANT)]).await;
    let refused = verify(&one, token(TENANT)).await.unwrap_err();
    assert_eq!(refused.to_string(), "the signature is not the issuer's");
    set_key_issuers(&server, &json!(entra_issuer("{tenantid}")));
    let one = believing(&server, [Issuer::entra(TENANT)]).await;
    verify(&one, token(TENANT)).await.unwrap();

    // A key whose issuer is not a text belongs to no issuer.
    for issuer in [json!(1), json!([entra_issuer(TENANT)]), json!(null)] {
        set_key_issuers(&server, &issuer);
        let keys = server.jwks();
        let any = Issuer::static_keys("https://i.example/", keys);
        let built = ResourceServer::builder().issuer(any).audience("api").build().await;
        let error = format!("{:?}", built.unwrap_err());
        assert!(error.contains("it has no usable signing key: 3"), "{error}");
    }
}

#[tokio::test]
async fn an_id_token_of_entra_or_okta_names_no_client_and_is_no_access_token() {
    let server = TestAuthorizationServer::start().await.unwrap();
    let token = || server.token().header("typ", "JWT").audience("api");
    let entra = believing(&server, [Issuer::entra(TENANT)]).await;
    let id_token = token().claim("iss", entra_issuer(TENANT)).claim("roles", ["admin"]);
    let refused = verify(&entra, id_token.clone().sign()).await.unwrap_err();
    assert_eq!(refused.to_string(), "`azp` is missing: it is no access token of this issuer");
    verify(&entra, id_token.claim("azp", "c").sign()).await.unwrap();

    let okta = believing(&server, [Issuer::okta("a.okta.com", "default")]).await;
    let id_token = token().claim("iss", "https://a.okta.com/oauth2/default");
    let refused = verify(&okta, id_token.sign()).await.unwrap_err();
    assert_eq!(refused.to_string(), "`cid` is missing: it is no access token of this issuer");
}

#[tokio::test]
async fn a_scope_cannot_pose_as_a_role() {
    let server = TestAuthorizationServer::start().await.unwrap();
    let issuer = Issuer::keycloak("https://sso.example.com", "main", "echo");
    let auth = believing(&server, [issuer]).await;
    let token = server.token().audience("api").claim("typ", "Bearer");
    let token = token.claim("iss", "https://sso.example.com/realms/main");
    let token = token.scopes(["role:admin", "openid"]);
    let caller = verify(&auth, token.sign()).await.unwrap();
    assert_eq!(caller.scopes().collect::<Vec<_>>(), ["openid"]);
}

#[tokio::test]
async fn the_more_exact_issuer_decides_whatever_their_order() {
    let server = TestAuthorizationServer::start().await.unwrap();
    let groups = [ScopeSource::array("/groups").prefixed("group:")];
    let exact = Issuer::entra(TENANT).scopes_from(groups);
    let auth = believing(&server, [Issuer::entra_any_tenant(), exact]).await;
    let token = server.token().audience("api").claim("azp", "c").claim("tid", TENANT);
    let token = token.claim("iss", entra_issuer(TENANT)).claim("groups", ["ops"]);
    assert!(verify(&auth, token.sign()).await.unwrap().has_scope("group:ops"));
}

#[tokio::test]
async fn a_date_in_the_future_keeps_no_removed_key_alive() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let dated = |date: &'static str| {
        issuer.set_key_set_headers([
            (LAST_MODIFIED, HeaderValue::from_static(date)),
            (CACHE_CONTROL, HeaderValue::from_static("max-age=86400")),
        ]);
    };
    dated("Fri, 01 Jan 2100 00:00:00 GMT");
    let auth = issuer.resource_server().build().await.unwrap();
    let stolen = issuer.token().scopes(["read:word"]).expires_in(240 * HOUR).sign();
    with(&auth, &stolen).await.unwrap();
    issuer.replace_keys().unwrap();
    dated("Mon, 23 Nov 2026 00:00:00 GMT");
    attempt(&issuer, &auth).await.unwrap();
    let answer = with(&auth, &stolen).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

/// A file put back from a backup is what there is, once the keys that are held are not fresh.
#[tokio::test]
async fn an_older_set_is_accepted_after_the_present_one_is_no_longer_fresh() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let dated = |date: &'static str| {
        issuer.set_key_set_headers([(LAST_MODIFIED, HeaderValue::from_static(date))]);
    };
    dated("Tue, 02 Jan 2024 00:00:00 GMT");
    let auth = issuer.resource_server().build().await.unwrap();
    issuer.replace_keys().unwrap();
    dated("Mon, 01 Jan 2024 00:00:00 GMT");
    let answer = attempt(&issuer, &auth).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    issuer.clock().advance(15 * MINUTE);
    until("the older set is accepted", async || {
        issuer.clock().advance(SECOND);
        attempt(&issuer, &auth).await.is_ok()
    })
    .await;
}

/// A cache before the issuer has the former set until it gets `no-cache`.
#[tokio::test]
async fn a_new_key_is_found_past_a_cache_though_a_refresh_was_due() {
    for wait in [MINUTE, 14 * MINUTE] {
        let issuer = Arc::new(TestAuthorizationServer::start().await.unwrap());
        let cached = issuer.jwks();
        let url = answers::serve({
            let issuer = Arc::clone(&issuer);
            move |head: &str| match head.to_ascii_lowercase().contains("no-cache") {
                true => ok("", &issuer.jwks()),
                false => ok("", &cached),
            }
        })
        .await;
        let auth = ResourceServer::builder()
            .issuer(Issuer::discover(issuer.url()).jwks_uri(url))
            .audience(TestAuthorizationServer::AUDIENCE)
            .clock(issuer.clock().clone())
            .start(StartupPolicy::Required)
            .build()
            .await
            .unwrap();
        issuer.replace_keys().unwrap();
        issuer.clock().advance(wait);
        attempt(&issuer, &auth).await.unwrap();
    }
}

/// The keys move; both places count versions in their `ETag`.
#[tokio::test]
async fn an_etag_says_nothing_about_another_address() {
    let issuer = Arc::new(TestAuthorizationServer::start().await.unwrap());
    let before = issuer.jwks();
    let base = Arc::new(Mutex::new(String::new()));
    let moved = Arc::new(Mutex::new(false));
    let gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let same = "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\nconnection: close\r\n\r\n";
    let url = answers::serve({
        let (issuer, base, moved) = (Arc::clone(&issuer), Arc::clone(&base), Arc::clone(&moved));
        move |head: &str| {
            let (base, moved) = (base.lock().unwrap().clone(), *moved.lock().unwrap());
            match (head.split(' ').nth(1).unwrap_or_default(), moved) {
                ("/.well-known/openid-configuration", _) => {
                    let keys = format!("{base}{}", if moved { "new" } else { "old" });
                    ok("", &json!({"issuer": base, "jwks_uri": keys}).to_string())
                }
                ("/old", true) => gone.to_owned(),
                ("/old", false) => ok("etag: \"1\"\r\n", &before),
                _ if head.to_ascii_lowercase().contains("if-none-match: \"1\"") => same.to_owned(),
                _ => ok("etag: \"1\"\r\n", &issuer.jwks()),
            }
        }
    })
    .await;
    base.lock().unwrap().clone_from(&url);
    let auth = ResourceServer::oidc(&url)
        .audience(TestAuthorizationServer::AUDIENCE)
        .clock(issuer.clock().clone())
        .start(StartupPolicy::Required)
        .build()
        .await
        .unwrap();
    let stolen = issuer.token().claim("iss", &*url).scopes(["read:word"]).expires_in(24 * HOUR);
    let stolen = stolen.sign();
    with(&auth, &stolen).await.unwrap();
    issuer.replace_keys().unwrap();
    *moved.lock().unwrap() = true;
    issuer.clock().advance(14 * MINUTE);
    until("the removed key is dead", async || with(&auth, &stolen).await.is_err()).await;
}

#[tokio::test]
async fn a_method_for_anyone_does_not_wait_for_the_issuer() {
    let kit = Kit::start().await;
    kit.issuer.fail(Endpoint::Jwks, Fault::Hang);
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let junk = kit.issuer.token().header("kid", "junk").sign_with_wrong_key();
    // The clock stands still: it would wait for ever.
    call(&mut client, "Open", Some(&junk)).await.unwrap();
}

#[tokio::test]
async fn calls_that_wait_for_keys_are_bounded() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server().key_sets(|key_sets| key_sets.max_waiting = 10);
    let auth = builder.build().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let token = issuer.token().header("kid", format!("junk{n}")).sign_with_wrong_key();
            let auth = auth.clone();
            tokio::spawn(async move { with(&auth, &token).await })
        })
        .collect();
    settle().await;
    let (waiting, answered): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| !call.is_finished());
    assert_eq!(waiting.len(), 10);
    for call in answered {
        assert_denied(call.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    issuer.clock().advance(5 * SECOND);
    for call in waiting {
        assert_denied(call.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
}

#[tokio::test]
async fn a_slow_issuer_does_not_slow_another() {
    let slow = TestAuthorizationServer::start().await.unwrap();
    let quick = TestAuthorizationServer::start().await.unwrap();
    slow.fail(Endpoint::Discovery, Fault::Hang);
    let builder = quick.resource_server().issuer(Issuer::discover(slow.url()));
    let auth = builder.start(StartupPolicy::Lazy).build().await.unwrap();
    let waiting = {
        let (auth, token) = (auth.clone(), slow.token().scopes(["read:word"]).sign());
        tokio::spawn(async move { with(&auth, &token).await })
    };
    until("the slow one is asked", async || slow.requests(Endpoint::Discovery) == 1).await;
    // The clock stands still: these wait for no timeout.
    for _ in 0..10 {
        attempt(&quick, &auth).await.unwrap();
    }
    assert!(!waiting.is_finished());
    let health: Vec<_> = auth.key_sets().map(|(_, health)| health).collect();
    assert_eq!(health, [JwksHealth::Fresh, JwksHealth::Idle]);
    waiting.abort();
}

/// "Nothing changed" is no answer to a server that has nothing.
#[tokio::test]
async fn an_answer_to_another_question_is_no_key_set() {
    let url =
        answers::serve(|_: &str| "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".into())
            .await;
    let issuer = Issuer::discover("https://i.example/").jwks_uri(url);
    let builder =
        ResourceServer::builder().issuer(issuer).audience("a").start(StartupPolicy::Required);
    let error = format!("{:?}", builder.build().await.unwrap_err());
    assert!(error.contains("HTTP status 304"), "{error}");
}

#[tokio::test]
async fn a_known_key_named_for_another_algorithm_causes_no_fetch() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().header("alg", "RS256").sign_with_wrong_key();
    let refused = verify(&kit.auth, token).await.unwrap_err();
    assert_eq!(refused.to_string(), "the issuer's key with this `kid` is not for this `alg`");
    settle().await;
    assert_eq!(kit.issuer.requests(Endpoint::Jwks), 1);
}

#[test]
fn a_server_whose_runtime_is_gone_says_so_at_once() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other) = (runtime(), runtime());
    let logs = tests::logs::Logs::capture();
    let issuer = other.block_on(TestAuthorizationServer::start()).unwrap();
    let auth = one.block_on(issuer.resource_server().start(StartupPolicy::Lazy).build()).unwrap();
    drop(one);
    let answer = other.block_on(attempt(&issuer, &auth));
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    let _ = logs.line_with("build it in the runtime that serves");
}

#[tokio::test]
async fn an_answer_fills_no_log_and_a_wrong_name_is_asked_for_ever_more_rarely() {
    let logs = tests::logs::Logs::capture();
    let long = json!({"issuer": "x".repeat(200_000), "jwks_uri": "https://k.example/"}).to_string();
    let url = answers::serve(move |_: &str| ok("", &long)).await;
    ResourceServer::oidc(url).audience("a").build().await.unwrap();
    assert!(logs.text().lines().all(|line| line.len() < 4096));

    let issuer = TestAuthorizationServer::start().await.unwrap();
    let wrong = issuer.url().trim_end_matches('/').to_owned();
    let builder = ResourceServer::oidc(wrong).audience("a").clock(issuer.clock().clone());
    let _auth = builder.build().await.unwrap();
    for _ in 0..600 {
        issuer.clock().advance(SECOND);
        settle().await;
    }
    let asked = issuer.requests(Endpoint::Discovery);
    assert!(asked < 60, "{asked} requests in ten idle minutes");
}
