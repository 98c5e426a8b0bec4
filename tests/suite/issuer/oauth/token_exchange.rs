//! A token in place of a caller's (RFC 8693).

use std::time::Duration;

use grpc_auth::testing::{ClientRegistration, GrantType};
use serde_json::json;

use super::{AUDIENCE, Answer, Oauth, changed, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const NEXT: &str = "https://next.example";

impl Oauth {
    async fn exchange(&self, token: &str, changes: &[(&str, &str)]) -> Answer {
        let form = vec![
            ("grant_type", GRANT),
            ("client_id", "web"),
            ("client_secret", "web's secret"),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", NEXT),
        ];
        self.token(&changed(form, changes)).await
    }
}

#[tokio::test]
async fn a_service_calls_on_for_its_caller() {
    let oauth = Oauth::start().await;
    let caller = oauth.tokens(&[("scope", "read:echo write:echo")]).await;
    let answer = oauth.exchange(caller["access_token"].as_str().unwrap(), &[]).await.granted();
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(answer["token_type"], "Bearer");
    // The client may read, the caller may write too.
    assert_eq!(answer["scope"], "read:echo");
    assert!(answer.get("refresh_token").is_none());
    let token = claims(&answer["access_token"]);
    assert_eq!((&token["sub"], &token["aud"]), (&json!("alice"), &json!(NEXT)));
    assert_eq!((&token["client_id"], &token["act"]), (&json!("web"), &json!({"sub": "web"})));
    assert_eq!(token["tenant"], "blue");

    // Who acted before is still to be seen.
    let other = [("client_id", "other"), ("client_secret", "other's secret")];
    let onwards = oauth.exchange(answer["access_token"].as_str().unwrap(), &other).await.granted();
    let act = &claims(&onwards["access_token"])["act"];
    assert_eq!(*act, json!({"sub": "other", "act": {"sub": "web"}}));
}

#[tokio::test]
async fn an_opaque_token_is_exchanged_as_well_and_for_one() {
    let oauth = Oauth::start().await;
    let opaque = oauth.issuer.token().subject("bob").scopes(["read:echo"]).opaque();
    let answer = oauth.exchange(&opaque, &[("audience", "")]).await.granted();
    let known = oauth.introspect(&answer["access_token"]).await;
    assert_eq!((&known["sub"], &known["act"]), (&json!("bob"), &json!({"sub": "web"})));
    let wanted = [("audience", ""), ("requested_token_type", JWT)];
    let refused = oauth.exchange(&opaque, &wanted).await;
    refused.assert_refused_because("invalid_target", "would be no JWT");
    let wanted = [("requested_token_type", JWT), ("subject_token_type", JWT)];
    let answer = oauth.exchange(&opaque, &wanted).await.granted();
    assert_eq!(answer["issued_token_type"], JWT);
}

#[tokio::test]
async fn it_grants_what_both_may_and_no_more() {
    let oauth = Oauth::start().await;
    let reader = oauth.issuer.token().scopes(["read:echo"]).sign();
    let writer = oauth.issuer.token().scopes(["write:echo"]).sign();
    let both = oauth.issuer.token().scopes(["read:echo", "write:echo"]).sign();
    for (token, scope, granted) in [
        (&reader, "", Some("read:echo")),
        (&reader, "read:echo", Some("read:echo")),
        (&both, "", Some("read:echo")),
        (&writer, "", Some("")),
        // The client may not.
        (&both, "write:echo", None),
        (&writer, "write:echo", None),
        // The caller may not.
        (&writer, "read:echo", None),
        (&reader, "read:echo offline_access", None),
    ] {
        let answer = oauth.exchange(token, &[("scope", scope)]).await;
        match granted {
            Some(granted) => assert_eq!(answer.granted()["scope"], granted, "{scope}"),
            None => answer.assert_refused(400, "invalid_scope"),
        }
    }
    let registration = ClientRegistration::confidential("web", "web's secret").audiences([NEXT]);
    oauth.issuer.register(registration);
    oauth.exchange(&reader, &[("audience", AUDIENCE)]).await.assert_refused(400, "invalid_target");
    oauth.exchange(&reader, &[]).await.granted();
}

#[tokio::test]
async fn it_ends_with_the_token_it_was_made_from() {
    let oauth = Oauth::start().await;
    let token = oauth.issuer.token().expires_in(Duration::from_secs(90)).sign();
    let answer = oauth.exchange(&token, &[]).await.granted();
    assert_eq!(answer["expires_in"], 90);
    assert_eq!(claims(&answer["access_token"])["exp"], claims(&json!(token))["exp"]);
    // And is revoked with the grant that it came of.
    let caller = oauth.tokens(&[]).await;
    let answer = oauth.exchange(caller["access_token"].as_str().unwrap(), &[]).await.granted();
    assert!(oauth.is_active(&answer["access_token"]).await);
    oauth.refresh(&caller["refresh_token"], &[]).await.granted();
    oauth.refresh(&caller["refresh_token"], &[]).await.assert_refused(400, "invalid_grant");
    assert!(!oauth.is_active(&answer["access_token"]).await);
}

#[tokio::test]
async fn only_a_living_access_token_of_this_servers_is_exchanged() {
    let oauth = Oauth::start().await;
    let revoked = oauth.issuer.token().sign();
    oauth.issuer.revoke(&revoked);
    let id_token = oauth.tokens(&[("scope", "openid")]).await["id_token"].clone();
    let refresh_token = oauth.tokens(&[]).await["refresh_token"].clone();
    for (what, token) in [
        ("unknown", "unknown".to_owned()),
        ("forged", oauth.issuer.token().sign_with_wrong_key()),
        ("expired", oauth.issuer.token().expired().sign()),
        ("revoked", revoked),
        ("of another", Oauth::start().await.issuer.token().sign()),
        ("an ID token", id_token.as_str().unwrap().to_owned()),
        ("a refresh token", refresh_token.as_str().unwrap().to_owned()),
    ] {
        let refused = oauth.exchange(&token, &[]).await;
        println!("{what}");
        refused.assert_refused_because("invalid_request", "is no living token of this server's");
    }
}

#[tokio::test]
async fn what_is_not_supported_is_said() {
    let oauth = Oauth::start().await;
    let token = oauth.issuer.token().sign();
    for (changes, reason) in [
        (&[("subject_token", "")][..], "`subject_token` is missing"),
        (&[("subject_token_type", "")], "`subject_token_type` is missing"),
        (
            &[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")],
            "`subject_token_type` has to be",
        ),
        (
            &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
            "`requested_token_type` has to be",
        ),
        (&[("actor_token", "a"), ("actor_token_type", JWT)], "`actor_token` is not supported"),
        (&[("actor_token_type", JWT)], "`actor_token_type` is not supported"),
    ] {
        let refused = oauth.exchange(&token, changes).await;
        refused.assert_refused_because("invalid_request", reason);
    }
    let nobodys = oauth.issuer.token().without_claim("sub").sign();
    let refused = oauth.exchange(&nobodys, &[]).await;
    refused.assert_refused_because("invalid_request", "`subject_token` has no subject");
}

#[tokio::test]
async fn a_token_may_name_who_may_act() {
    let oauth = Oauth::start().await;
    let naming = |id: &str| oauth.issuer.token().claim("may_act", json!({"sub": id})).sign();
    oauth.exchange(&naming("web"), &[]).await.granted();
    let refused = oauth.exchange(&naming("other"), &[]).await;
    refused.assert_refused_because("invalid_request", "`may_act`");
}

#[tokio::test]
async fn a_client_that_cannot_show_who_it_is_exchanges_nothing() {
    let oauth = Oauth::start().await;
    let token = oauth.issuer.token().sign();
    let public = [("client_id", "cli"), ("client_secret", "")];
    oauth.exchange(&token, &public).await.assert_refused(400, "unauthorized_client");
    oauth.exchange(&token, &[("client_secret", "no")]).await.assert_refused(401, "invalid_client");
    let grants = [GrantType::ClientCredentials];
    oauth.issuer.register(ClientRegistration::confidential("web", "web's secret").grants(grants));
    oauth.exchange(&token, &[]).await.assert_refused(400, "unauthorized_client");
}
