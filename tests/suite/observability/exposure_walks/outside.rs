//! What happens outside of the calls of a protected service.

use grpc_auth::client::TokenRelayLayer;
use grpc_auth::testing::{TestAuthorizationServer, principal_with_claims, with_principal};
use grpc_auth::{Auth0Config, BearerToken, Issuer, ResourceServer};
use serde_json::{Value, json};
use tests::Kit;
use tests::kinds::Counting;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tonic::Request;
use tower_layer::Layer;

use super::Seen;

pub(super) async fn relayed(seen: &Seen) {
    let kit = Kit::start().await;
    let channel = tests::serve(kit.auth.protect(Counting::default())).await;
    let relay = TokenRelayLayer::new().layer(channel);
    seen.debug("a relay", &relay);
    let mut client = KindsClient::new(relay);
    let token = seen.token("a forwarded token", kit.issuer.token().scopes(["read:word"]).sign());
    let with_own = |own: bool, forwarded: bool| {
        let mut request = Request::new(Word::default());
        if own {
            request = tests::with_token(Word::default(), &token);
        }
        if forwarded {
            request.extensions_mut().insert(BearerToken::parse(&token).unwrap());
        }
        request
    };
    seen.debug("a request with a token to forward", &with_own(false, true));
    client.unary(with_own(false, true)).await.unwrap();
    for (own, forwarded) in [(false, false), (true, false), (true, true)] {
        let status = client.unary(with_own(own, forwarded)).await.unwrap_err();
        seen.refusal("a call that is not sent", &status);
    }
}

pub(super) async fn judged(seen: &Seen) {
    let kit = Kit::start().await;
    let subject = seen.secret("subject", "canary-judged");
    let token = || kit.issuer.token().subject(&subject).claim("email", "canary-judged@example");
    let good = seen.token("a good token", token().sign());
    let good = BearerToken::parse(&good).unwrap();
    seen.debug("a token", &good);
    let caller = kit.auth.verify(&good).await.unwrap();
    seen.debug("a caller", &caller);
    seen.debug("a caller's claims", &caller.claims::<Value>().unwrap());
    let misfit = caller.claims::<Vec<u8>>().unwrap_err();
    seen.error("claims that do not fit", &misfit);
    for bad in [
        token().sign_with_wrong_key(),
        token().expired().sign(),
        token().audience("canary-other").sign(),
    ] {
        let bad = seen.token("a bad token", bad);
        let refused = kit.auth.verify(&BearerToken::parse(&bad).unwrap()).await.unwrap_err();
        seen.error("a refusal", &refused);
        seen.debug("what callers are told", &refused.denied());
    }
    seen.secret("audience", "canary-other");
    seen.debug("a server's health", &kit.auth.health());
}

pub(super) async fn testing(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let secret = seen.secret("client secret", "canary-client-secret");
    issuer.add_client("service", &*secret, ["read:word"]);
    let token = async |secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "service"),
            ("client_secret", secret),
        ];
        let request = reqwest::Client::new().post(issuer.token_endpoint()).form(&form);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let granted = token(&secret).await;
    let opaque = seen.token("an opaque token", granted["access_token"].as_str().unwrap().into());
    let wrong = seen.secret("client secret", "canary-wrong-secret");
    seen.debug("what a stranger is told", &token(&wrong).await);
    let introspection = [("token", &*opaque), ("client_id", "service"), ("client_secret", &secret)];
    let request = reqwest::Client::new().post(format!("{}introspect", issuer.url()));
    let known: Value = request.form(&introspection).send().await.unwrap().json().await.unwrap();
    assert_eq!(known["active"], true);
    seen.debug("an authorization server", &issuer);
    seen.debug("its clock", issuer.clock());

    let subject = seen.secret("subject", "canary-principal");
    let caller = principal_with_claims(json!({"sub": subject, "scope": "read:word"}));
    seen.debug("a made-up caller", &caller);
    seen.debug("its request", &with_principal(Request::new(Word::default()), &caller));
}

pub(super) async fn configured(seen: &Seen) {
    let secret = seen.secret("client secret", "canary-configured-secret");
    let config: Auth0Config = serde_json::from_value(json!({
        "domain": "tenant.eu.auth0.com",
        "audience": "https://echo.example.com",
        "client_id": "public",
        "client_secret": secret,
    }))
    .unwrap();
    seen.debug("a configuration", &config);
    seen.debug("a server's configuration", &ResourceServer::from_config(&config));

    let password = seen.secret("password", "canary-password-in-url");
    let url = format!("https://user:{password}@issuer.example/");
    for issuer in [Issuer::oidc(&*url), Issuer::oidc("https://i.example/").jwks_uri(&*url)] {
        let built = ResourceServer::builder().issuer(issuer).audience("a").build().await;
        seen.error("a password in a URL", &built.unwrap_err());
    }
}
