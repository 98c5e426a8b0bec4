//! A server with settings of its own, and one that answers what a test wants.

use std::path::PathBuf;
use std::time::Duration;

use grpc_auth::testing::{
    ClientRegistration, Endpoint, Fault, ManualClock, StartError, TestAuthorizationServer,
};
use serde_json::{Value, json};

use super::{Oauth, claims};

const OWN: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", "web"),
    ("client_secret", "web's secret"),
    ("audience", super::AUDIENCE),
];

/// A file that is gone after the test.
struct File(PathBuf);

impl File {
    fn of(name: &str, text: &str) -> Self {
        let name = format!("grpc-auth-{}-{name}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_server_reads_its_clients_users_and_scopes_from_a_file() {
    let file = json!({
        "clients": [
            {
                "id": "cli",
                "name": "Echo program",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "scopes": ["read:echo"],
                "audiences": [super::AUDIENCE],
                "grant_types": ["authorization_code", "refresh_token", "device_code"],
                "always_refresh_tokens": true,
            },
            {"id": "web", "secret": "web's secret", "scopes": ["read:echo"]},
            {"id": "keyed", "jwks": serde_json::from_str::<serde_json::Value>(
                &TestAuthorizationServer::start().await.unwrap().jwks()).unwrap()},
        ],
        "users": [{"name": "alice", "password": "wonderland", "claims": {"tenant": "red"}}],
        "scopes": {"read:echo": "Read what you have sent"},
    });
    let file = File::of("all", &file.to_string());
    let issuer = TestAuthorizationServer::builder()
        .listen("localhost:0")
        .clock(ManualClock::running())
        .token_lifetime(Duration::from_secs(120))
        .register(ClientRegistration::confidential("more", "secret"))
        .load(&file.0)
        .unwrap()
        .start()
        .await
        .unwrap();
    let oauth = Oauth { issuer, http: Oauth::start().await.http };
    assert!(oauth.issuer.url().starts_with("http://127.0.0.1:"));
    let page = oauth.get(&oauth.address(&[("scope", "")])).await;
    let page = oauth.sign_in(&page).await;
    page.assert_told(200, "Read what you have sent");
    let sent = oauth.submit(&page, "consent", &[("decision", "allow")]).await.sent();
    let answer = oauth.redeem(sent["code"].as_str().unwrap()).await.granted();
    assert_eq!(answer["expires_in"], 120);
    assert!(answer["refresh_token"].is_string());
    assert_eq!(claims(&answer["access_token"])["tenant"], "red");
    oauth.token(&OWN).await.granted();
    let more = super::changed(OWN.to_vec(), &[("client_id", "more"), ("client_secret", "secret")]);
    oauth.token(&more).await.granted();
}

#[tokio::test]
async fn a_server_that_cannot_work_says_what_to_write_instead() {
    let start = async |listen: &str| {
        TestAuthorizationServer::builder().listen(listen).start().await.map(drop).unwrap_err()
    };
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[2001:db8::1]:80"] {
        let error = start(open).await;
        assert!(matches!(error, StartError::NotLoopback { .. }), "{open}: {error}");
        assert!(error.to_string().contains("write a loopback address"), "{error}");
    }
    for none in ["", "8080", "127.0.0.1", "example.com:80", "localhost"] {
        let error = start(none).await;
        assert!(matches!(error, StartError::ListenAddress { .. }), "{none}: {error}");
    }
    let taken = TestAuthorizationServer::start().await.unwrap();
    let address = taken.url().trim_start_matches("http://").trim_end_matches('/');
    assert!(matches!(start(address).await, StartError::Listen { .. }));

    let builder = TestAuthorizationServer::builder;
    let error = builder().token_lifetime(Duration::ZERO).start().await.unwrap_err();
    assert!(matches!(error, StartError::TokenLifetime), "{error}");
    let twice = builder()
        .register(ClientRegistration::public("a"))
        .register(ClientRegistration::public("a"));
    let error = twice.start().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the client `a` cannot be registered: `id`: another client has the same: keep one of them"
    );
    for (registration, field) in [
        (ClientRegistration::public(""), "id"),
        (ClientRegistration::confidential("a", ""), "secret"),
        (ClientRegistration::with_keys("a", "{}"), "jwks"),
        (ClientRegistration::public("a").redirect_uri("/callback"), "redirect_uris"),
        (ClientRegistration::public("a").scopes(["a b"]), "scopes"),
        (ClientRegistration::public("a").audiences([""]), "audiences"),
        (
            ClientRegistration::public("a")
                .grants([grpc_auth::testing::GrantType::ClientCredentials]),
            "grant_types",
        ),
    ] {
        let error = builder().register(registration).start().await.unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`: ")), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_with_the_place() {
    let load =
        |path: &PathBuf| TestAuthorizationServer::builder().load(path).map(drop).unwrap_err();
    let missing = std::env::temp_dir().join("grpc-auth-no-such-file.json");
    let error = load(&missing);
    assert!(matches!(error, StartError::FileUnreadable { .. }));
    assert!(error.to_string().contains("grpc-auth-no-such-file.json"), "{error}");
    let text = "{\n  \"clients\": [\n    {\"id\": \"a\", \"scope\": [\"a\"]}\n  ]\n}";
    let file = File::of("misspelt", text);
    let error = load(&file.0).to_string();
    for said in [
        "misspelt.json",
        "`clients[0].scope`",
        "line 3",
        "it is unknown, expected one of",
        "`scopes`",
    ] {
        assert!(error.contains(said), "{error}");
    }
    let grants = r#"{"clients": [{"id": "a", "grant_types": ["implicit"]}]}"#;
    let error = load(&File::of("grants", grants).0).to_string();
    for said in ["`clients[0].grant_types[0]`", "it is unknown", "`authorization_code`"] {
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn tokens_live_as_long_as_they_are_told_and_may_not_say_so() {
    let oauth = Oauth::start().await;
    oauth.issuer.set_token_lifetime(Duration::from_secs(45));
    let answer = oauth.token(&OWN).await.granted();
    assert_eq!(answer["expires_in"], 45);
    let token = claims(&answer["access_token"]);
    assert_eq!(token["exp"].as_u64().unwrap() - token["iat"].as_u64().unwrap(), 45);
    oauth.issuer.omit_expires_in(true);
    let answer = oauth.token(&OWN).await.granted();
    assert!(answer.get("expires_in").is_none());
    oauth.issuer.clock().advance(Duration::from_secs(45));
    assert!(!oauth.is_active(&answer["access_token"]).await);
    oauth.issuer.omit_expires_in(false);
    assert_eq!(oauth.token(&OWN).await.granted()["expires_in"], 45);
}

#[tokio::test]
async fn two_tokens_are_never_the_same() {
    let oauth = Oauth::start().await;
    let [one, two] = [oauth.token(&OWN).await.granted(), oauth.token(&OWN).await.granted()];
    assert_ne!(one["access_token"], two["access_token"]);
}

#[tokio::test]
async fn the_token_endpoint_answers_what_a_test_wants() {
    let oauth = Oauth::start().await;
    oauth.issuer.set_token_response(Some((200, "no JSON".into())));
    let answer = oauth.post("oauth/token", &OWN).await;
    assert_eq!((answer.status, &*answer.html), (200, "no JSON"));
    oauth.issuer.set_token_response(Some((503, "{}".into())));
    assert_eq!(oauth.token(&OWN).await.status, 503);
    oauth.issuer.refuse_tokens("invalid_scope");
    oauth.token(&OWN).await.assert_refused(400, "invalid_scope");
    oauth.issuer.refuse_tokens("invalid_client");
    oauth.token(&OWN).await.assert_refused(401, "invalid_client");
    assert_eq!(oauth.issuer.requests(Endpoint::Token), 4);
    oauth.issuer.set_token_response(None);
    oauth.token(&OWN).await.granted();
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_wrong_at_once() {
    let oauth = Oauth::start().await;
    oauth.issuer.add_client("web", "a new secret", ["read:echo"]);
    oauth.token(&OWN).await.assert_refused(401, "invalid_client");
    let new = super::changed(OWN.to_vec(), &[("client_secret", "a new secret")]);
    oauth.token(&new).await.granted();
    oauth.issuer.remove_client("web");
    oauth.token(&new).await.assert_refused(401, "invalid_client");
}

#[tokio::test]
async fn the_new_endpoints_fail_when_they_are_told_to() {
    let oauth = Oauth::start().await;
    for (endpoint, path) in [
        (Endpoint::Authorization, "authorize"),
        (Endpoint::DeviceAuthorization, "oauth/device_authorization"),
        (Endpoint::Revocation, "oauth/revoke"),
    ] {
        oauth.issuer.fail(endpoint, Fault::Status(503));
        let status = match endpoint {
            Endpoint::Authorization => oauth.get(&oauth.address(&[])).await.status,
            _ => oauth.answer(path, &[("client_id", "cli")]).await.status,
        };
        assert_eq!((status, oauth.issuer.requests(endpoint)), (503, 1));
        oauth.issuer.heal();
        let healed = oauth.post(path, &[("client_id", "cli")]).await.status;
        assert_ne!(healed, 503);
    }
}

#[tokio::test]
async fn a_users_claims_are_their_own_and_not_the_servers() {
    let oauth = Oauth::start().await;
    for claims in [json!({"sub": "root"}), json!({"scope": "admin"}), json!("no object")] {
        let adding = std::panic::AssertUnwindSafe(|| {
            oauth.issuer.add_user_with_claims("mallory", "", claims);
        });
        assert!(std::panic::catch_unwind(adding).is_err());
    }
}

#[tokio::test]
async fn the_metadata_lists_what_can_be_granted_and_what_anyone_who_signs_in_may_ask_for() {
    let oauth = Oauth::start().await;
    let metadata = oauth.get(&oauth.at(".well-known/openid-configuration")).await;
    let metadata: Value = serde_json::from_str(&metadata.html).unwrap();
    let scopes = json!(["offline_access", "openid", "read:echo", "write:echo"]);
    assert_eq!(metadata["scopes_supported"], scopes);
}
