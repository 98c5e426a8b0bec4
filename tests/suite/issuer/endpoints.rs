//! The embedded authorization server, as a foreign client sees it.

use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

async fn server() -> TestAuthorizationServer {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("svc", "s3cret: ü%&=+", ["read:echo", "write:echo"]);
    issuer
}

async fn token(issuer: &TestAuthorizationServer, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let request = Client::new().post(issuer.token_endpoint()).form(form);
    answer(request.send().await.unwrap()).await
}

async fn answer(response: Response) -> (StatusCode, Value) {
    (response.status(), response.json().await.unwrap())
}

const CREDENTIALS: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "svc"),
    ("client_secret", "s3cret: ü%&=+"),
];

#[tokio::test]
async fn its_metadata_is_served_in_both_forms() {
    let issuer = server().await;
    for form in ["openid-configuration", "oauth-authorization-server"] {
        let url = format!("{}.well-known/{form}", issuer.url());
        let metadata: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(metadata["issuer"], issuer.url());
        assert_eq!(metadata["token_endpoint"], issuer.token_endpoint());
        let jwks = metadata["jwks_uri"].as_str().unwrap().to_owned();
        let jwks: Value = reqwest::get(jwks).await.unwrap().json().await.unwrap();
        let algorithms: Vec<_> =
            jwks["keys"].as_array().unwrap().iter().map(|key| key["alg"].clone()).collect();
        assert_eq!(algorithms, ["RS256", "ES256", "EdDSA"]);
    }
    assert_eq!(issuer.requests(Endpoint::Discovery), 2);
    assert_eq!(issuer.requests(Endpoint::Jwks), 2);
}

/// Another implementation verifies the tokens too, with the key from the key set.
#[tokio::test]
async fn its_tokens_verify_with_jsonwebtoken() {
    let issuer = server().await;
    let keys: JwkSet = serde_json::from_str(&issuer.jwks()).unwrap();
    for (ours, theirs) in [
        (grpc_auth::Algorithm::Rs256, Algorithm::RS256),
        (grpc_auth::Algorithm::Es256, Algorithm::ES256),
        (grpc_auth::Algorithm::EdDsa, Algorithm::EdDSA),
    ] {
        let token = || issuer.token().algorithm(ours).subject("alice");
        let kid = decode_header(token().sign()).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(theirs);
        validation.set_audience(&[TestAuthorizationServer::AUDIENCE]);
        validation.set_issuer(&[issuer.url()]);
        let claims = decode::<Value>(token().sign(), &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "alice");
        assert!(decode::<Value>(token().sign_with_wrong_key(), &key, &validation).is_err());
    }
}

#[tokio::test]
async fn client_credentials_grant_what_the_client_may_have() {
    let issuer = server().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let audience = ("audience", TestAuthorizationServer::AUDIENCE);
    let (status, all) = token(&issuer, &[&CREDENTIALS[..], &[audience]].concat()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(all["token_type"], "Bearer");
    assert_eq!(all["expires_in"], 3600);
    assert_eq!(all["scope"], "read:echo write:echo");
    let access_token = all["access_token"].as_str().unwrap();
    assert_eq!(access_token.split('.').count(), 3);

    let some = [&CREDENTIALS[..], &[audience, ("scope", "read:echo")]].concat();
    assert_eq!(token(&issuer, &some).await.1["scope"], "read:echo");

    // Accepted by the resource server for what it grants: the whole way round.
    let mut client = tests::pb::kit::kinds_client::KindsClient::new(
        auth.protect(tests::kinds::Counting::default()),
    );
    assert!(tests::kinds::call(&mut client, "Bidi", Some(access_token)).await.is_ok());
    tests::assert_scope_denied(tests::kinds::call(&mut client, "Unary", Some(access_token)).await);
}

#[tokio::test]
async fn clients_authenticate_by_basic_form_or_json() {
    let issuer = server().await;
    let post = || Client::new().post(issuer.token_endpoint());
    let json: Value = CREDENTIALS
        .iter()
        .map(|(k, v)| ((*k).to_owned(), json!(v)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(answer(post().json(&json).send().await.unwrap()).await.0, StatusCode::OK);
    // RFC 6749 §2.3.1: both halves are form-encoded before they become basic credentials.
    let basic = post().basic_auth("svc", Some("s3cret%3A+%C3%BC%25%26%3D%2B"));
    let basic = basic.form(&[("grant_type", "client_credentials")]);
    assert_eq!(answer(basic.send().await.unwrap()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn requests_that_cannot_be_granted_are_refused_by_their_reason() {
    let issuer = server().await;
    for (form, status, error) in [
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "svc"),
                ("client_secret", "no"),
            ],
            401,
            "invalid_client",
        ),
        (
            vec![("grant_type", "client_credentials"), ("client_id", "who"), ("client_secret", "")],
            401,
            "invalid_client",
        ),
        (vec![("grant_type", "client_credentials")], 401, "invalid_client"),
        ([&CREDENTIALS[..], &[("scope", "admin:all")]].concat(), 400, "invalid_scope"),
        ([&CREDENTIALS[..], &[("scope", "read:echo admin:all")]].concat(), 400, "invalid_scope"),
        (
            [&CREDENTIALS[1..], &[("grant_type", "password")]].concat(),
            400,
            "unsupported_grant_type",
        ),
        (CREDENTIALS[1..].to_vec(), 400, "invalid_request"),
        (
            [&CREDENTIALS[..], &[("scope", "read:echo"), ("scope", "write:echo")]].concat(),
            400,
            "invalid_request",
        ),
    ] {
        let (found, body) = token(&issuer, &form).await;
        assert_eq!((found.as_u16(), body["error"].as_str().unwrap()), (status, error), "{form:?}");
        assert!(body.get("access_token").is_none());
    }
}

#[tokio::test]
async fn introspection_knows_its_own_living_tokens_alone() {
    let issuer = server().await;
    let introspect = async |token: String| {
        let request = Client::new().post(format!("{}introspect", issuer.url())).form(&[
            ("token", &*token),
            ("client_id", "svc"),
            ("client_secret", "s3cret: ü%&=+"),
        ]);
        answer(request.send().await.unwrap()).await.1
    };
    // Without an audience the token is opaque, as at Auth0.
    let (_, opaque) = token(&issuer, &CREDENTIALS).await;
    let opaque = opaque["access_token"].as_str().unwrap().to_owned();
    assert_eq!(opaque.split('.').count(), 1);
    let known = introspect(opaque.clone()).await;
    assert_eq!((&known["active"], &known["client_id"]), (&json!(true), &json!("svc")));
    assert_eq!(introspect(issuer.token().sign()).await["active"], true);

    for (what, token) in [
        ("forged", issuer.token().sign_with_wrong_key()),
        ("expired", issuer.token().expired().sign()),
        ("unknown", "unknown".to_owned()),
    ] {
        assert_eq!(introspect(token).await, json!({"active": false}), "{what}");
    }
    issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
    assert_eq!(introspect(opaque).await, json!({"active": false}));

    let anonymous =
        Client::new().post(format!("{}introspect", issuer.url())).form(&[("token", "x")]);
    assert_eq!(answer(anonymous.send().await.unwrap()).await.0, StatusCode::UNAUTHORIZED);
}
