//! Which tokens are accepted: issuers, key ids, types, and one answer for every cause.

use grpc_auth::testing::{Endpoint, TestAuthorizationServer, TokenBuilder};
use grpc_auth::{BearerToken, Issuer, ResourceServer};
use tests::callers::{attempt, with};
use tests::{Kit, assert_denied};
use tonic::{Code, Status};

#[tokio::test]
async fn keys_of_one_issuer_are_worth_nothing_at_another() {
    let one = TestAuthorizationServer::start().await.unwrap();
    let other = TestAuthorizationServer::start().await.unwrap();
    let auth = one.resource_server().issuer(Issuer::discover(other.url())).build().await.unwrap();
    attempt(&one, &auth).await.unwrap();
    attempt(&other, &auth).await.unwrap();
    // Both servers use the same key ids.
    let posing = other.token().scopes(["read:word"]).claim("iss", one.url()).sign();
    assert_denied(with(&auth, &posing).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn static_keys_and_explicit_addresses_need_no_discovery() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let by_hand = ResourceServer::static_keys(issuer.url(), issuer.jwks());
    let by_address = ResourceServer::builder().issuer(
        Issuer::discover(issuer.url()).jwks_uri(format!("{}.well-known/jwks.json", issuer.url())),
    );
    for (builder, fetches) in [(by_hand, 0), (by_address, 1)] {
        let builder = builder.audience(TestAuthorizationServer::AUDIENCE);
        let auth = builder.clock(issuer.clock().clone()).build().await.unwrap();
        attempt(&issuer, &auth).await.unwrap();
        assert_eq!(issuer.requests(Endpoint::Jwks), fetches);
        assert_eq!(issuer.requests(Endpoint::Discovery), 0);
    }
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
        .audience(TestAuthorizationServer::AUDIENCE)
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
    let forged =
        configured(&kit, Issuer::allow_missing_key_id, &token().sign_with_wrong_key()).await;
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

/// What verification refuses, through the layer: the text and status are the same for all.
#[tokio::test]
async fn every_cause_of_an_invalid_token_looks_the_same_to_the_caller() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    for token in [
        token().sign_with_wrong_key(),
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
        token().claim("scope", serde_json::json!({"read:word": 1})).sign(),
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

/// RFC 9068 §2.2 names the client in `client_id`; `azp` is OpenID Connect's name for it.
#[tokio::test]
async fn client_id_counts_where_azp_names_another_client() {
    let kit = Kit::start().await;
    for (claims, expected) in [
        (&[("azp", "party"), ("client_id", "app")][..], Some("app")),
        (&[("azp", "party"), ("cid", "other")][..], Some("party")),
        (&[("azp", "party")][..], Some("party")),
        (&[("client_id", "app")][..], Some("app")),
        (&[][..], None),
    ] {
        let add = |token: TokenBuilder, (name, value): &(&str, &str)| token.claim(*name, value);
        let token = claims.iter().fold(kit.issuer.token(), add).sign();
        let caller = kit.auth.verify(&BearerToken::parse(&token).unwrap()).await.unwrap();
        assert_eq!(caller.client_id(), expected, "{claims:?}");
    }
}
