//! Taking tokens back (RFC 7009).

use grpc_auth::testing::Endpoint;
use serde_json::Value;

use super::{Answer, Oauth};

impl Oauth {
    async fn revoke(&self, token: &Value, more: &[(&str, &str)]) -> Answer {
        let own = [("client_id", "cli"), ("token", token.as_str().unwrap())];
        self.answer("oauth/revoke", &[&own[..], more].concat()).await
    }
}

#[tokio::test]
async fn an_access_token_is_taken_back_alone() {
    let oauth = Oauth::start().await;
    for audience in ["", super::AUDIENCE] {
        let tokens = oauth.tokens(&[("audience", audience)]).await;
        let hint = [("token_type_hint", "refresh_token")];
        assert_eq!(oauth.revoke(&tokens["access_token"], &hint).await.status, 200);
        assert!(!oauth.is_active(&tokens["access_token"]).await);
        let next = oauth.refresh(&tokens["refresh_token"], &[]).await.granted();
        assert!(oauth.is_active(&next["access_token"]).await);
    }
    assert_eq!(oauth.issuer.requests(Endpoint::Revocation), 2);
}

#[tokio::test]
async fn a_refresh_token_is_taken_back_with_all_that_came_of_the_grant() {
    let oauth = Oauth::start().await;
    let first = oauth.tokens(&[]).await;
    let second = oauth.refresh(&first["refresh_token"], &[]).await.granted();
    // The one that was used before names the same grant.
    assert_eq!(oauth.revoke(&first["refresh_token"], &[]).await.status, 200);
    for answer in [&first, &second] {
        assert!(!oauth.is_active(&answer["access_token"]).await);
    }
    let refused = oauth.refresh(&second["refresh_token"], &[]).await;
    refused.assert_refused_because("invalid_grant", "the refresh token is revoked");
}

#[tokio::test]
async fn a_token_that_counts_for_nothing_is_as_good_as_revoked() {
    let oauth = Oauth::start().await;
    assert_eq!(oauth.revoke(&"unknown".into(), &[]).await.status, 200);
    let tokens = oauth.tokens(&[]).await;
    assert_eq!(oauth.revoke(&tokens["refresh_token"], &[]).await.status, 200);
    assert_eq!(oauth.revoke(&tokens["refresh_token"], &[]).await.status, 200);
    assert_eq!(oauth.revoke(&oauth.issuer.token().expired().sign().into(), &[]).await.status, 200);
}

#[tokio::test]
async fn only_whose_a_token_is_takes_it_back() {
    let oauth = Oauth::start().await;
    let tokens = oauth.tokens(&[]).await;
    let revoke = async |form: &[(&str, &str)]| oauth.answer("oauth/revoke", form).await;
    for name in ["access_token", "refresh_token"] {
        let token = ("token", tokens[name].as_str().unwrap());
        revoke(&[token]).await.assert_refused(401, "invalid_client");
        let wrong = [token, ("client_id", "web"), ("client_secret", "wrong")];
        revoke(&wrong).await.assert_refused(401, "invalid_client");
        let other = [token, ("client_id", "web"), ("client_secret", "web's secret")];
        revoke(&other).await.assert_refused_because("invalid_request", "another client's");
        let twice = [token, token, ("client_id", "cli")];
        revoke(&twice).await.assert_refused_because("invalid_request", "stands twice");
    }
    revoke(&[("client_id", "cli")]).await.assert_refused_because("invalid_request", "`token`");
    assert!(oauth.is_active(&tokens["access_token"]).await);
    oauth.refresh(&tokens["refresh_token"], &[]).await.granted();
}
