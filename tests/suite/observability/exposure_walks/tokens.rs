//! Tokens of this program's own.

use std::time::Duration;

use grpc_auth::client::{AccessToken, ClientCredentials, OAuthClient, SubjectToken, TokenSource};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{BearerToken, ClientAuthentication};
use serde_json::json;
use tests::callers::settle;

use super::Seen;
use crate::client::token_endpoint::TokenEndpoint;

pub(super) async fn granted(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let secret = seen.secret("client secret", "canary-own-secret");
    issuer.add_client("orders", &*secret, ["read:word"]);
    let orders = ClientAuthentication::client_secret_basic("orders", secret);
    let client = OAuthClient::oidc(issuer.url(), orders).clock(issuer.clock().clone());
    seen.debug("a client", &client);
    let request = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE);
    let value = seen.secret("a parameter", "canary-parameter");
    let request = request.parameter("more", value);
    seen.debug("a request for tokens", &request);
    let tokens = request.build().unwrap();
    let token = tokens.token().await.unwrap();
    seen.token("an own token", token.token().expose_secret().into());
    seen.debug("a token", &token);
    seen.debug("a token's header", token.header_value());
    seen.debug("a source", &tokens);
    // More failures in a row than are warned of, of every kind.
    let faults = [Fault::Html, Fault::Status(500), Fault::Refuse, Fault::Truncated];
    for fault in faults {
        issuer.fail(Endpoint::Token, fault);
        issuer.clock().advance(Duration::from_secs(3600));
        seen.error("no token", &tokens.token().await.unwrap_err());
        seen.debug("a source without a token", &tokens);
    }
    issuer.heal();
    issuer.add_client("orders", "another", ["read:word"]);
    issuer.clock().advance(Duration::from_secs(3600));
    seen.error("a client that is refused", &tokens.token().await.unwrap_err());
    settle().await;
}

pub(super) async fn exchanged(seen: &Seen) {
    let new = seen.secret("a refresh token", "canary-rotated-refresh-token");
    let endpoint = TokenEndpoint::start(move |form| {
        if form.values().any(|value| value.contains("echoed")) {
            let said: Vec<_> = form.values().cloned().collect();
            return (400, json!({"error": "invalid_grant", "error_description": said.join(" ")}));
        }
        let token = "canary-exchanged-token";
        let answer = json!({
            "access_token": token, "token_type": "Bearer", "refresh_token": new, "id_token": token,
        });
        (200, answer)
    })
    .await;
    seen.secret("an exchanged token", "canary-exchanged-token");
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let body: String = key.lines().nth(1).unwrap().into();
    seen.secret("a private key", body);
    let keyed = ClientAuthentication::private_key_jwt("keyed", key).unwrap();
    let client = OAuthClient::token_endpoint(format!("{}?key=canary-query", endpoint.url), keyed);
    seen.secret("a query", "canary-query");

    let subject = seen.secret("a subject token", "canary-subject-token");
    let actor = seen.secret("an actor token", "canary-actor-token");
    let request = client.token_exchange(SubjectToken::jwt(subject.clone()));
    let request = request.actor(SubjectToken::id_token(actor));
    seen.debug("a request for an exchange", &request);
    let tokens = request.build().unwrap();
    seen.debug("an exchanged token", &tokens.token().await.unwrap());
    let stock = client.on_behalf_of(|request| request).unwrap();
    stock.token(&BearerToken::parse(&subject).unwrap()).await.unwrap();
    seen.debug("an exchange", &stock);

    let old = seen.secret("a refresh token", "canary-refresh-token");
    let request = client.refresh_token(old).on_rotation(|_| panic!("for the test"));
    seen.debug("a request with a refresh token", &request);
    let tokens = request.build().unwrap();
    tokens.token().await.unwrap();
    seen.debug("a source with a refresh token", &tokens);

    // A server that says what it was sent.
    let echoed = seen.secret("a refresh token", "canary-echoed-token");
    let tokens = client.refresh_token(echoed).build().unwrap();
    seen.error("a refusal that echoes", &tokens.token().await.unwrap_err());
    seen.debug("a source that was refused", &tokens);
    for (_, form) in endpoint.script.asked().iter() {
        let assertion = form["client_assertion"].clone();
        seen.secret("an assertion", assertion.split('.').nth(1).unwrap());
    }
}

pub(super) async fn found(seen: &Seen) {
    let token = seen.secret("a token", "canary-fixed-token");
    let token = BearerToken::parse(&token).unwrap();
    let fixed = TokenSource::static_token(token.clone());
    fixed.token().await.unwrap();
    seen.debug("a fixed source", &fixed);
    let function = TokenSource::from_fn(move || {
        let token = AccessToken::bearer(token.clone());
        async { Ok::<_, std::io::Error>(token) }
    });
    function.token().await.unwrap();
    seen.debug("a source of the program's own", &function);

    let directory = crate::client::token_source::Directory::new("seen");
    let content = seen.secret("a file", "canary two-words");
    let path = directory.write("token", "canary-file-token");
    seen.secret("a token", "canary-file-token");
    let file = TokenSource::file(&path).unwrap();
    file.token().await.unwrap();
    seen.debug("a file", &file);
    directory.write("token", &content);
    seen.error("a bad file", &TokenSource::file(&path).unwrap_err());
    let clock = grpc_auth::testing::ManualClock::new();
    seen.error("no token", &file.with_clock(clock).token().await.unwrap_err());

    let secret = seen.secret("client secret", "canary-auth0-secret");
    let auth0 = ClientCredentials::auth0("tenant.eu.auth0.com", "id", secret);
    seen.debug("a source at Auth0", &auth0.build().unwrap());
}
