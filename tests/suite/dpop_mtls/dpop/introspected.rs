//! Tokens that the issuer introspects.

use std::time::Duration;

use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{ClientAuthentication, Introspection, Issuer, ResourceServer};
use serde_json::{Value, json};
use tests::sender::{Doors, Expected};
use tests::serve;

use super::dpop;

/// A client of the introspection endpoint.
async fn asking(change: impl FnOnce(Introspection) -> Introspection) -> Doors {
    let doors = Doors::start(dpop()).await;
    doors.issuer.add_client("api", "secret", [""; 0]);
    let client = ClientAuthentication::client_secret_basic("api", "secret");
    let issuer =
        Issuer::discover(doors.issuer.url()).introspection(change(Introspection::new(client)));
    let builder =
        ResourceServer::builder().issuer(issuer).audience(TestAuthorizationServer::AUDIENCE);
    let auth = builder.clock(doors.issuer.clock().clone()).dpop(dpop()).build().await.unwrap();
    let mut doors = doors;
    doors.connect(serve(auth.protect(doors.handlers.clone())).await);
    doors
}

#[tokio::test]
async fn an_opaque_token_is_bound_by_what_the_issuer_says_of_it() {
    let doors = asking(|introspection| introspection).await;
    let token = doors.issuer.token().scopes(["read:word"]).bound_to_key(&doors.key).opaque();
    for _ in 0..2 {
        let bearer = format!("Bearer {token}");
        doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
        let proof = doors.proof(&token);
        assert!(doors.prove(&token, &proof).await.is_ok());
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    }
    let aud = TestAuthorizationServer::AUDIENCE;
    let answer = json!({"active": true, "aud": aud, "scope": "read:word", "token_type": "DPoP"});
    doors.issuer.set_introspection_response(Some(answer.to_string()));
    doors.refuses("Bearer another", &[], Expected::Token, "`cnf` binds it in another way").await;
}

/// An answer that leaves `cnf` out, or names another key, does not untie a token that has one.
#[tokio::test]
async fn an_answer_about_a_jwt_keeps_its_binding() {
    let doors = asking(Introspection::also_for_jwts).await;
    let other = doors.issuer.dpop_key();
    let answer = |cnf: Value| {
        let aud = TestAuthorizationServer::AUDIENCE;
        let answer = json!({"active": true, "aud": aud, "scope": "read:word", "cnf": cnf});
        Some(answer.to_string().replace(r#""cnf":null,"#, ""))
    };
    for (cnf, is_kept) in [
        (json!({"jkt": doors.key.thumbprint()}), true),
        (Value::Null, false),
        (json!({"jkt": other.thumbprint()}), false),
    ] {
        doors.issuer.set_introspection_response(answer(cnf));
        let token = doors.token();
        for _ in 0..3 {
            let proof = doors.proof(&token);
            let (bearer, dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
            if is_kept {
                assert!(doors.prove(&token, &proof).await.is_ok());
                doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
            } else {
                let cause = "does not repeat the `cnf`";
                doors.refuses(&bearer, &[], Expected::Token, cause).await;
                doors.refuses(&dpop, &[&proof], Expected::Token, cause).await;
            }
        }
        doors.issuer.clock().advance(Duration::from_secs(61));
    }
    // A JWT that says less than the answer is bound by the answer.
    doors.issuer.set_introspection_response(answer(json!({"jkt": doors.key.thumbprint()})));
    let token = doors.issuer.token().scopes(["read:word"]).sign();
    let bearer = format!("Bearer {token}");
    doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
}
