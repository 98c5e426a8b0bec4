//! Our client gets tokens of foreign authorization servers: each way of client authentication,
//! secrets of any characters, and what is said when the server refuses.

use grpc_auth::client::{ClientCredentials, OAuthClient, TokenError, TokenSource};
use grpc_auth::{Algorithm, ClientAuthentication, ResourceServer};
use serde_json::json;
use tests::callers::with;
use tests::{assert_denied, assert_scope_denied};
use tonic::{Code, Status};

use crate::parts::{ClientKey, Django, ODD_SECRET, OidcProvider};

/// A protected service is called with a token of this source.
pub(crate) async fn call(auth: &ResourceServer, tokens: &TokenSource) -> Result<(), Status> {
    let token = tokens.token().await.unwrap_or_else(|error| panic!("{tokens:?}: {error}"));
    with(auth, token.token().expose_secret()).await
}

/// The error code of RFC 6749 §5.2, and the whole text.
pub(crate) async fn refused(tokens: &TokenSource) -> (String, String) {
    let error = tokens.token().await.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    let text = error.to_string();
    let TokenError::Refused { error, .. } = error else { panic!("{text}") };
    (error.into(), text)
}

#[tokio::test]
async fn each_client_authentication_gets_a_token_that_is_accepted() {
    let keys = [
        ("RS256", ClientKey::rsa()),
        ("ES256", ClientKey::p256()),
        ("EdDSA", ClientKey::ed25519()),
    ];
    let set: Vec<_> = keys.iter().map(|(kid, key)| key.named(kid)).collect();
    let issuer = OidcProvider::with_client_keys(&json!({ "keys": set })).await;
    let auth = issuer.resource_server().build().await.unwrap();
    let assertion = |(kid, key): &(&str, ClientKey)| {
        ClientAuthentication::private_key_jwt("svc-jwt", &key.pem).unwrap().key_id(*kid)
    };
    let mut clients = vec![
        ClientAuthentication::client_secret_basic("svc", "svc-secret"),
        ClientAuthentication::client_secret_post("svc-post", "svc-post-secret"),
        ClientAuthentication::client_secret_basic("svc:odd %", ODD_SECRET),
        ClientAuthentication::client_secret_post("svc-post:odd %", ODD_SECRET),
        assertion(&keys[0]).algorithm(Algorithm::Ps256).unwrap(),
        assertion(&keys[1]).assertion_audience(issuer.token_endpoint()),
    ];
    clients.extend(keys.iter().map(assertion));
    for client in clients {
        let request = ClientCredentials::oidc(issuer.issuer(), client.clone());
        let tokens = request.scopes(["read:word"]).resource("urn:kit:words:es256").build().unwrap();
        call(&auth, &tokens).await.unwrap_or_else(|status| panic!("{client:?}: {status:?}"));
        assert_eq!(tokens.token().await.unwrap().scope(), Some("read:word"), "{client:?}");
    }
    // A token is kept for the next call.
    assert_eq!(issuer.requests("token").await, 9);
}

#[tokio::test]
async fn a_refusal_of_the_server_is_given_with_what_to_do_and_without_the_secret() {
    let issuer = OidcProvider::start().await;
    let client = |secret: &str| {
        let client = ClientAuthentication::client_secret_post("svc-post", secret);
        issuer.client(client).client_credentials()
    };
    let good = client("svc-post-secret");
    for (request, error, help) in [
        (client("svc-post-secre"), "invalid_client", "check the client's id, its secret"),
        (good.clone().scopes(["write:word"]), "invalid_scope", "may not be granted"),
        (good.resource("urn:kit:nowhere"), "invalid_target", "not known there"),
    ] {
        let (found, text) = refused(&request.build().unwrap()).await;
        assert_eq!(found, error, "{text}");
        assert!(text.contains(help), "{text}");
        assert!(!text.contains("svc-post-secre"), "{text}");
    }
}

#[tokio::test]
async fn a_secret_in_any_language_is_understood_in_the_header_and_in_the_form() {
    let (id, secret) = Django::ODD;
    let issuer = Django::start().await;
    for client in [
        ClientAuthentication::client_secret_basic(id, secret),
        ClientAuthentication::client_secret_post(id, secret),
    ] {
        let client = OAuthClient::token_endpoint(issuer.token_endpoint(), client);
        let tokens = client.client_credentials().scopes(["read:word"]).build().unwrap();
        let token = tokens.token().await.unwrap_or_else(|error| panic!("{client:?}: {error}"));
        let active = issuer.introspect(token.token().expose_secret()).await;
        assert_eq!((&active["active"], &active["client_id"]), (&true.into(), &id.into()));
    }
    let wrong = ClientAuthentication::client_secret_basic(id, &secret[1..]);
    let client = OAuthClient::token_endpoint(issuer.token_endpoint(), wrong);
    let (error, _) = refused(&client.client_credentials().build().unwrap()).await;
    assert_eq!(error, "invalid_client");
}

#[tokio::test]
async fn what_is_asked_for_decides_what_the_token_is_good_for() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let client = issuer.client(ClientAuthentication::client_secret_basic("svc", "svc-secret"));
    let asked = |scope, resource| {
        client.client_credentials().scopes([scope]).resource(resource).build().unwrap()
    };
    call(&auth, &asked("read:word", "urn:kit:words:rs256")).await.unwrap();
    assert_scope_denied(call(&auth, &asked("write:word", "urn:kit:words:rs256")).await);
    let elsewhere = call(&auth, &asked("read:word", "urn:kit:other")).await;
    assert_denied(elsewhere, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}
