//! Refresh tokens: good once, for as much as was granted, and gone together (RFC 6749 §6).

use std::time::Duration;

use grpc_auth::testing::{ClientRegistration, GrantType};
use serde_json::Value;

use super::{AUDIENCE, CALLBACK, Oauth, claims};

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_and_a_new_one_of_itself() {
    let oauth = Oauth::start().await;
    let first = oauth.tokens(&[]).await;
    let second = oauth.refresh(&first["refresh_token"], &[]).await.granted();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(second["scope"], "read:echo offline_access");
    let token = claims(&second["access_token"]);
    assert_eq!((&token["sub"], &token["aud"]), (&"alice".into(), &AUDIENCE.into()));
    assert_eq!(token["tenant"], "blue");
    // A chain of them goes on for as long as it is used.
    let mut token = second["refresh_token"].clone();
    for _ in 0..3 {
        oauth.issuer.clock().advance(Duration::from_secs(29 * 24 * 3600));
        token = oauth.refresh(&token, &[]).await.granted()["refresh_token"].clone();
    }
    oauth.issuer.clock().advance(Duration::from_secs(30 * 24 * 3600));
    let late = oauth.refresh(&token, &[]).await;
    late.assert_refused_because("invalid_grant", "the refresh token has expired");
}

#[tokio::test]
async fn one_that_is_used_twice_revokes_all_that_came_of_the_grant() {
    let oauth = Oauth::start().await;
    let (first, bystander) = (oauth.tokens(&[]).await, oauth.tokens(&[]).await);
    let second = oauth.refresh(&first["refresh_token"], &[]).await.granted();
    let third = oauth.refresh(&second["refresh_token"], &[]).await.granted();
    let replayed = oauth.refresh(&first["refresh_token"], &[]).await;
    replayed.assert_refused_because("invalid_grant", "the refresh token was used");
    let newest = oauth.refresh(&third["refresh_token"], &[]).await;
    newest.assert_refused_because("invalid_grant", "the refresh token is revoked");
    for answer in [&first, &second, &third] {
        assert!(!oauth.is_active(&answer["access_token"]).await);
    }
    assert!(oauth.is_active(&bystander["access_token"]).await);
    oauth.refresh(&bystander["refresh_token"], &[]).await.granted();
}

#[tokio::test]
async fn less_may_be_asked_for_and_never_more() {
    let oauth = Oauth::start().await;
    let first = oauth.tokens(&[("scope", "read:echo write:echo offline_access")]).await;
    let less = oauth.refresh(&first["refresh_token"], &[("scope", "read:echo")]).await.granted();
    assert_eq!(claims(&less["access_token"])["scope"], "read:echo");
    // The next one works as the first did.
    let all = oauth.refresh(&less["refresh_token"], &[]).await.granted();
    assert_eq!(all["scope"], "read:echo write:echo offline_access");

    let narrow = oauth.tokens(&[]).await;
    for (more, error) in [
        (("scope", "read:echo write:echo"), "invalid_scope"),
        (("scope", "openid"), "invalid_scope"),
        (("audience", "https://other.example"), "invalid_target"),
        (("resource", "https://other.example"), "invalid_target"),
    ] {
        let refused = oauth.refresh(&narrow["refresh_token"], &[more]).await;
        refused.assert_refused(400, error);
    }
    // It was not used up by being refused.
    let same = [("audience", AUDIENCE)];
    oauth.refresh(&narrow["refresh_token"], &same).await.granted();
}

#[tokio::test]
async fn one_is_good_for_its_client_alone() {
    let oauth = Oauth::start().await;
    let tokens = oauth.tokens(&[]).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    let with = |token, id: &'static str| {
        let secret = if id == "other" { "other's secret" } else { "" };
        vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", id),
            ("client_secret", secret),
        ]
    };
    let stolen = oauth.token(&with(token, "other")).await;
    stolen.assert_refused_because("invalid_grant", "the refresh token is another client's");
    let unknown = oauth.token(&with("unknown", "cli")).await;
    unknown.assert_refused_because("invalid_grant", "unknown refresh token");
    let none = oauth.token(&with("", "cli")).await;
    none.assert_refused_because("invalid_request", "`refresh_token` is missing");
    // An access token is not a refresh token.
    let access = oauth.refresh(&tokens["access_token"], &[]).await;
    access.assert_refused_because("invalid_grant", "unknown refresh token");
    oauth.refresh(&tokens["refresh_token"], &[]).await.granted();
}

#[tokio::test]
async fn one_is_given_if_it_is_asked_for_or_always_or_never() {
    let oauth = Oauth::start().await;
    let has_one = |answer: Value| answer.get("refresh_token").is_some();
    assert!(has_one(oauth.tokens(&[]).await));
    assert!(!has_one(oauth.tokens(&[("scope", "read:echo")]).await));
    let registration =
        || ClientRegistration::public("cli").redirect_uri(CALLBACK).scopes(["read:echo"]);
    oauth.issuer.register(registration().always_refresh_tokens());
    assert!(has_one(oauth.tokens(&[("scope", "read:echo")]).await));
    oauth.issuer.register(registration().grants([GrantType::AuthorizationCode]));
    assert!(!has_one(oauth.tokens(&[]).await));
}

#[tokio::test]
async fn one_lets_nobody_in() {
    let oauth = Oauth::start().await;
    let tokens = oauth.tokens(&[("audience", "")]).await;
    assert!(oauth.is_active(&tokens["access_token"]).await);
    assert!(!oauth.is_active(&tokens["refresh_token"]).await);
}

/// Of many that come at once, one is the first, and the others are replays.
#[tokio::test]
async fn of_two_at_once_one_is_served() {
    let oauth = Oauth::start().await;
    let tokens = oauth.tokens(&[]).await;
    let refresh = || oauth.refresh(&tokens["refresh_token"], &[]);
    let (one, two) = tokio::join!(refresh(), refresh());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}
