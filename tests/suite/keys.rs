//! Keys: fetched at the start, refreshed in the background, kept when that fails.

use std::time::Duration;

use grpc_auth::testing::{AuthorizationServer, Endpoint, Fault};
use grpc_auth::{Issuer, ResourceServer, Start};
use tests::kinds::{Counting, call};
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Calls with a fresh token of the issuer.
async fn attempt(issuer: &AuthorizationServer, auth: &ResourceServer) -> Result<(), Status> {
    let token = issuer.token().scopes(["read:word"]).sign();
    with(auth, &token).await
}

async fn with(auth: &ResourceServer, token: &str) -> Result<(), Status> {
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    call(&mut client, "Unary", Some(token)).await.map(|_| ())
}

/// Lets the background work until the condition holds; the test's time limit is the bound.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(in_time.is_ok(), "waited in vain until {what}");
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_every_hour() {
    let kit = Kit::start().await;
    let fetches = || kit.issuer.requests(Endpoint::Jwks);
    for _ in 0..10 {
        attempt(&kit.issuer, &kit.auth).await.unwrap();
    }
    assert_eq!(fetches(), 1);
    kit.issuer.clock().advance(HOUR - Duration::from_secs(1));
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    assert_eq!(fetches(), 1);
    kit.issuer.clock().advance(Duration::from_secs(1));
    until("the keys are fetched again", async || fetches() == 2).await;
}

#[tokio::test]
async fn a_planned_rotation_is_followed_by_the_refresh() {
    let kit = Kit::start().await;
    let old = kit.issuer.token().scopes(["read:word"]).expires_in(10 * HOUR).sign();
    kit.issuer.add_keys().unwrap();
    kit.issuer.clock().advance(HOUR);
    until("the added keys are fetched", async || kit.issuer.requests(Endpoint::Jwks) == 2).await;
    kit.issuer.retire_keys().unwrap();
    until("tokens of the new keys are accepted", async || {
        attempt(&kit.issuer, &kit.auth).await.is_ok()
    })
    .await;
    with(&kit.auth, &old).await.unwrap();

    // The old key is no longer published: dead at the next fetch.
    kit.issuer.clock().advance(HOUR);
    until("the retired key is forgotten", async || with(&kit.auth, &old).await.is_err()).await;
    assert_denied(with(&kit.auth, &old).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    attempt(&kit.issuer, &kit.auth).await.unwrap();
}

#[tokio::test]
async fn keys_are_kept_when_a_refresh_fails_and_it_is_tried_again_soon() {
    for fault in [Fault::Refuse, Fault::Status(500), Fault::Html, Fault::Empty, Fault::Truncated] {
        let kit = Kit::start().await;
        let fetches = || kit.issuer.requests(Endpoint::Jwks);
        kit.issuer.fail(Endpoint::Jwks, fault);
        kit.issuer.clock().advance(HOUR);
        until("the refresh fails", async || fetches() == 2).await;
        attempt(&kit.issuer, &kit.auth).await.unwrap();
        kit.issuer.heal();
        kit.issuer.replace_keys().unwrap();
        until("the refresh is repeated after seconds", async || {
            kit.issuer.clock().advance(Duration::from_millis(100));
            attempt(&kit.issuer, &kit.auth).await.is_ok()
        })
        .await;
        assert!(fetches() <= 4, "{fault:?}: {} fetches", fetches());
    }
}

#[tokio::test]
async fn without_keys_calls_are_unavailable_and_neither_let_in_nor_called_invalid() {
    let issuer = AuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Discovery, Fault::Status(503));
    let auth = issuer.resource_server().start(Start::Warm).build().await.unwrap();

    let answer = attempt(&issuer, &auth).await;
    let retry = answer.as_ref().unwrap_err().get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(Duration::from_secs(1)));
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    // What keys cannot help is said at once.
    assert_denied(with(&auth, "nonsense").await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let foreign = issuer.token().claim("iss", "https://other.example/").sign();
    assert_denied(with(&auth, &foreign).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");

    issuer.heal();
    until("the keys are there", async || {
        issuer.clock().advance(Duration::from_millis(100));
        attempt(&issuer, &auth).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_hanging_issuer_delays_the_start_no_longer_than_the_timeout() {
    let issuer = AuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    let auth = issuer.resource_server().start(Start::Warm).build().await.unwrap();
    let answer = attempt(&issuer, &auth).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

#[tokio::test]
async fn keys_of_one_issuer_are_worth_nothing_at_another() {
    let one = AuthorizationServer::start().await.unwrap();
    let other = AuthorizationServer::start().await.unwrap();
    let auth = one.resource_server().issuer(Issuer::oidc(other.url())).build().await.unwrap();
    attempt(&one, &auth).await.unwrap();
    attempt(&other, &auth).await.unwrap();
    // Both servers use the same key ids.
    let posing = other.token().scopes(["read:word"]).claim("iss", one.url()).sign();
    assert_denied(with(&auth, &posing).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn static_keys_and_explicit_addresses_need_no_discovery() {
    let issuer = AuthorizationServer::start().await.unwrap();
    let by_hand = ResourceServer::static_keys(issuer.url(), issuer.jwks());
    let by_address = ResourceServer::builder().issuer(
        Issuer::oidc(issuer.url()).jwks_uri(format!("{}.well-known/jwks.json", issuer.url())),
    );
    for (builder, fetches) in [(by_hand, 0), (by_address, 1)] {
        let builder = builder.audience(AuthorizationServer::AUDIENCE);
        let auth = builder.clock(issuer.clock().clone()).build().await.unwrap();
        attempt(&issuer, &auth).await.unwrap();
        assert_eq!(issuer.requests(Endpoint::Jwks), fetches);
        assert_eq!(issuer.requests(Endpoint::Discovery), 0);
    }
}

#[tokio::test]
async fn refreshing_ends_with_the_last_server_and_service() {
    let kit = Kit::start().await;
    let service = kit.auth.protect(Counting::default());
    drop(kit.auth);
    kit.issuer.clock().advance(HOUR);
    until("the service's keys are fetched", async || kit.issuer.requests(Endpoint::Jwks) == 2)
        .await;
    drop(service);
    tokio::task::yield_now().await;
    kit.issuer.clock().advance(HOUR);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(kit.issuer.requests(Endpoint::Jwks), 2);
}

/// Calls with a token of an issuer that is configured by hand.
async fn configured(
    kit: &Kit,
    adjust: impl FnOnce(Issuer) -> Issuer,
    token: &str,
) -> Result<(), Status> {
    let issuer = Issuer::static_keys(kit.issuer.url(), kit.issuer.jwks());
    let auth = ResourceServer::builder()
        .issuer(adjust(issuer))
        .audience(AuthorizationServer::AUDIENCE)
        .clock(kit.issuer.clock().clone())
        .build()
        .await
        .unwrap();
    with(&auth, token).await
}

#[tokio::test]
async fn a_token_names_its_key_unless_the_issuer_is_said_not_to() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]).without_key_id();
    let answer = configured(&kit, |issuer| issuer, &token().sign()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    configured(&kit, Issuer::allow_missing_key_id, &token().sign()).await.unwrap();
    let forged = configured(&kit, Issuer::allow_missing_key_id, &token().forge()).await;
    assert_denied(forged, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn another_token_type_is_accepted_where_that_is_configured() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().scopes(["read:word"]).header("typ", "JWT").sign();
    let answer = configured(&kit, |issuer| issuer, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    configured(&kit, |issuer| issuer.accept_token_type("JWT"), &token).await.unwrap();
}

/// The shape of Auth0's documented access tokens: slash after the domain, `typ: JWT`, the audience
/// in an array beside `/userinfo`, RBAC's `permissions`.
#[tokio::test]
async fn tokens_as_auth0_makes_them_are_accepted() {
    let logs = tests::logs::Logs::capture();
    let kit = Kit::start().await;
    let domain = "tenant.eu.auth0.com";
    let auth = ResourceServer::builder()
        .issuer(
            Issuer::auth0(domain).jwks_uri(format!("{}.well-known/jwks.json", kit.issuer.url())),
        )
        .audience(AuthorizationServer::AUDIENCE)
        .clock(kit.issuer.clock().clone())
        .start(Start::Required)
        .build()
        .await
        .unwrap();
    let token = || {
        kit.issuer
            .token()
            .algorithm(grpc_auth::Algorithm::Rs256)
            .header("typ", "JWT")
            .claim("iss", format!("https://{domain}/"))
            .claim("aud", [AuthorizationServer::AUDIENCE, "https://tenant.eu.auth0.com/userinfo"])
            .claim("azp", "client")
            .claim("org_id", "org_1")
    };
    with(&auth, &token().scopes(["openid", "read:word"]).sign()).await.unwrap();
    with(&auth, &token().scopes(["openid"]).claim("permissions", ["read:word"]).sign())
        .await
        .unwrap();
    with(&auth, &token().header("typ", "at+jwt").scopes(["read:word"]).sign()).await.unwrap();

    let weak = token().scopes(["openid"]).claim("permissions", ["write:word"]).sign();
    tests::assert_scope_denied(with(&auth, &weak).await);
    let without_slash = token().claim("iss", format!("https://{domain}")).sign();
    let answer = with(&auth, &without_slash).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    // Asked for without an audience, Auth0's token is no JWT anyone can verify.
    let answer = with(&auth, "eyJhbGciOiJkaXIifQ..iv.ciphertext.tag").await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let _ = logs.line_with("when the request for the token names no `audience`");
}

/// What verification refuses, through the layer: the text and status are the same for all.
#[tokio::test]
async fn every_cause_of_an_invalid_token_looks_the_same_to_the_caller() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    for token in [
        token().forge(),
        token().claim("iss", "https://other.example/").sign(),
        token().audience("https://other.example").sign(),
        token().without_claim("aud").sign(),
        token().without_claim("exp").sign(),
        token().without_claim("iss").sign(),
        token().claim("iss", [kit.issuer.url()]).sign(),
        token().claim("exp", "4102444800").sign(),
        token().claim("nbf", 4_102_444_800_u64).sign(),
        token().claim("iat", 4_102_444_800_u64).sign(),
        token().claim("cnf", serde_json::json!({"jkt": "x"})).sign(),
        token().claim("scope", ["read:word"]).sign(),
        token().header("typ", "JWT").sign(),
        token().header("typ", "logout+jwt").sign(),
        token().header("kid", "unknown").sign(),
        token().header("kid", "../../etc/passwd").sign(),
        token().header("kid", "k".repeat(300)).sign(),
        token().header("alg", "HS256").sign(),
        token().header("alg", "RS256").sign(),
        token().header("crit", ["exp"]).sign(),
        token().header("b64", false).sign(),
        format!("{}.extra.parts", token().sign()),
        format!("{}=", token().sign()),
    ] {
        let status = with(&kit.auth, &token).await.unwrap_err();
        assert_eq!(status.message(), "the access token is invalid");
        assert_denied(Err::<(), _>(status), Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    attempt(&kit.issuer, &kit.auth).await.unwrap();
}
