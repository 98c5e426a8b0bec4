//! Key sets as issuers publish them: many keys, without key ids, under another media type.

use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{BearerToken, Issuer, ResourceServer, StartupPolicy};
use serde_json::{Value, json};
use tests::answers::{self, ok};

async fn server(issuer: Issuer) -> Result<ResourceServer, grpc_auth::ConfigError> {
    let builder = ResourceServer::builder().issuer(issuer).audience("api");
    builder.start(StartupPolicy::Required).build().await
}

async fn verify(server: &ResourceServer, token: &str) -> Result<(), String> {
    let verified = server.verify(&BearerToken::parse(token).unwrap()).await;
    verified.map(|_| ()).map_err(|error| error.to_string())
}

fn without_kids(jwks: &str, kid: &Value) -> String {
    let mut jwks: Value = serde_json::from_str(jwks).unwrap();
    for key in jwks["keys"].as_array_mut().unwrap() {
        key["kid"] = kid.clone();
    }
    jwks.to_string()
}

/// Reported at jwt_verify_lib#65 and node-jwks-rsa#101.
#[tokio::test]
async fn keys_without_kid_verify_a_token_that_has_one_where_that_is_allowed() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let token = issuer.token().audience("api").sign();
    let forged = issuer.token().audience("api").sign_with_wrong_key();
    for kid in [json!(null), json!(""), json!([])] {
        let keys = without_kids(&issuer.jwks(), &kid);
        let configured = Issuer::static_keys(issuer.url(), keys);
        let strict = server(configured.clone()).await.unwrap();
        let refused = verify(&strict, &token).await.unwrap_err();
        assert!(refused.contains("configure `Issuer::allow_missing_key_id`"), "{refused}");
        let lenient = server(configured.allow_missing_key_id()).await.unwrap();
        assert_eq!(verify(&lenient, &token).await, Ok(()));
        let refused = verify(&lenient, &forged).await.unwrap_err();
        assert_eq!(refused, "the signature is not the issuer's");
    }
    // A key that has another kid is no key for the token, allowed or not.
    let keys = without_kids(&issuer.jwks(), &json!("another"));
    let configured = Issuer::static_keys(issuer.url(), keys).allow_missing_key_id();
    let refused = verify(&server(configured).await.unwrap(), &token).await.unwrap_err();
    assert!(refused.starts_with("the issuer has no key with this `kid`"), "{refused}");
}

/// Reported at adcp#5445 (120 keys) and uaa#3365 (406 for `application/json`).
#[tokio::test]
async fn a_thousand_keys_are_fetched_by_their_own_media_type() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let token = issuer.token().audience("api").sign();
    let jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let others = |count: usize| {
        let mut keys: Vec<_> = (0..count)
            .map(|n| {
                let mut key = jwks["keys"][0].clone();
                key["kid"] = json!(format!("other-{n}"));
                key
            })
            .collect();
        keys.extend(jwks["keys"].as_array().unwrap().iter().cloned());
        json!({ "keys": keys }).to_string()
    };
    let own = jwks["keys"].as_array().unwrap().len();
    for (count, max_keys, is_accepted) in
        [(1000, None, true), (1001, None, false), (1001, Some(1001), true), (own, Some(1), false)]
    {
        let body = others(count - own);
        let url = answers::serve(move |head| {
            let accept = head.lines().find_map(|line| line.strip_prefix("accept: ")).unwrap();
            if accept == "application/jwk-set+json, application/json;q=0.9" {
                ok("content-type: application/jwk-set+json\r\n", &body)
            } else {
                ok("", "").replace("200 OK", "406 Not Acceptable")
            }
        })
        .await;
        let issuer = Issuer::discover(issuer.url()).jwks_uri(url);
        let builder = ResourceServer::builder().issuer(issuer).audience("api");
        let builder = builder.key_sets(|settings| {
            settings.max_keys = max_keys.unwrap_or(settings.max_keys);
        });
        match builder.start(StartupPolicy::Required).build().await {
            Ok(server) => {
                assert!(is_accepted, "{count}");
                assert_eq!(verify(&server, &token).await, Ok(()));
            }
            Err(error) => {
                assert!(!is_accepted, "{count}: {error}");
                assert!(error.to_string().contains("set `JwksSettings::max_keys`"), "{error}");
            }
        }
    }
}

/// Reported at IdentityModel#1030.
#[tokio::test]
async fn an_identifier_that_is_no_https_url_needs_keys_or_their_address() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let keys = format!("{}.well-known/jwks.json", issuer.url());
    for identifier in [
        "urn:example:issuer",
        "spiffe://cluster.local",
        "accounts.google.com",
        "http://host/adfs/services/trust",
        "https://issuer.example/?tenant=a",
    ] {
        let token = issuer.token().audience("api").claim("iss", identifier).sign();
        let other = issuer.token().audience("api").claim("iss", format!("{identifier}/")).sign();
        let discovered = server(Issuer::discover(identifier)).await.unwrap_err().to_string();
        let names_setting = discovered.contains("`Issuer::jwks_uri");
        assert!(names_setting, "{identifier}: {discovered}");
        for configured in [
            Issuer::static_keys(identifier, issuer.jwks()),
            Issuer::discover(identifier).jwks_uri(&keys),
        ] {
            let server = server(configured).await.unwrap();
            assert_eq!(verify(&server, &token).await, Ok(()), "{identifier}");
            let refused = verify(&server, &other).await.unwrap_err();
            assert!(refused.contains("issuer"), "{identifier}: {refused}");
        }
        // What is fetched is https all the same.
        let insecure = Issuer::discover(identifier).jwks_uri("http://keys.example/");
        assert!(server(insecure).await.unwrap_err().to_string().contains("is not https"));
    }
    let empty = server(Issuer::static_keys("", issuer.jwks())).await.unwrap_err().to_string();
    assert!(empty.contains("it is empty"), "{empty}");
}
