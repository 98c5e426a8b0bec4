//! Devices without a browser (RFC 8628).

use std::time::Duration;

use grpc_auth::testing::{ClientRegistration, Endpoint, GrantType};
use serde_json::{Value, json};

use super::{AUDIENCE, Answer, Oauth, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Oauth {
    async fn device(&self, changes: &[(&str, &str)]) -> Value {
        let form =
            [("client_id", "cli"), ("scope", "read:echo offline_access"), ("audience", AUDIENCE)];
        let form = super::changed(form.to_vec(), changes);
        self.answer("oauth/device_authorization", &form).await.granted()
    }

    async fn poll(&self, device: &Value) -> Answer {
        let code = device["device_code"].as_str().unwrap();
        self.token(&[("grant_type", GRANT), ("client_id", "cli"), ("device_code", code)]).await
    }

    fn wait(&self, seconds: u64) {
        self.issuer.clock().advance(Duration::from_secs(seconds));
    }
}

fn user_code(device: &Value) -> &str {
    device["user_code"].as_str().unwrap()
}

#[tokio::test]
async fn a_person_types_the_code_signs_in_consents_and_the_device_gets_their_token() {
    let oauth = Oauth::start().await;
    let device = oauth.device(&[]).await;
    assert_eq!(device["verification_uri"], oauth.at("device"));
    assert_eq!((&device["expires_in"], &device["interval"]), (&json!(600), &json!(5)));
    assert_eq!(oauth.issuer.requests(Endpoint::DeviceAuthorization), 1);
    oauth.poll(&device).await.assert_refused(400, "authorization_pending");

    let page = oauth.get(device["verification_uri"].as_str().unwrap()).await;
    page.assert_told(200, "Type the code that the device shows.");
    let typed = user_code(&device).to_lowercase().replace('-', " ");
    let page = oauth.post("device", &[("user_code", &typed)]).await;
    page.assert_told(200, "to go on to <strong>Echo program</strong>");
    let page = oauth.sign_in(&page).await;
    page.assert_told(200, "Another device wants to act for you.");
    assert!(page.html.contains(user_code(&device)));
    let page = oauth.submit(&page, "consent", &[("decision", "allow")]).await;
    page.assert_told(200, "Device connected");

    oauth.wait(5);
    let answer = oauth.poll(&device).await.granted();
    assert_eq!(answer["scope"], "read:echo offline_access");
    let token = claims(&answer["access_token"]);
    assert_eq!((&token["sub"], &token["aud"]), (&json!("alice"), &json!(AUDIENCE)));
    oauth.refresh(&answer["refresh_token"], &[]).await.granted();
    oauth.wait(5);
    oauth.poll(&device).await.assert_refused_because("invalid_grant", "the device code was used");
}

#[tokio::test]
async fn the_address_with_the_code_asks_to_compare_it() {
    let oauth = Oauth::start().await;
    let device = oauth.device(&[]).await;
    let page = oauth.get(device["verification_uri_complete"].as_str().unwrap()).await;
    page.assert_told(200, "only if the device shows this very code");
    assert!(page.html.contains(&format!("value=\"{}\"", user_code(&device))));
}

#[tokio::test]
async fn a_test_decides_without_a_browser() {
    let oauth = Oauth::start().await;
    let (allowed, denied) = (oauth.device(&[]).await, oauth.device(&[]).await);
    oauth.issuer.approve_device(user_code(&allowed), "alice");
    oauth.issuer.deny_device(user_code(&denied));
    oauth.poll(&allowed).await.granted();
    oauth.poll(&denied).await.assert_refused(400, "access_denied");
    let again = std::panic::AssertUnwindSafe(|| {
        oauth.issuer.approve_device(user_code(&denied), "alice");
    });
    assert!(std::panic::catch_unwind(again).is_err(), "it was decided");
}

#[tokio::test]
async fn a_person_who_denies_or_cancels_ends_it() {
    let oauth = Oauth::start().await;
    for cancels in [true, false] {
        let device = oauth.device(&[]).await;
        let page = oauth.post("device", &[("user_code", user_code(&device))]).await;
        let page = if cancels {
            oauth.submit(&page, "sign-in", &[("decision", "deny")]).await
        } else {
            let page = oauth.sign_in(&page).await;
            oauth.submit(&page, "consent", &[("decision", "deny")]).await
        };
        page.assert_told(200, "Device refused");
        oauth.poll(&device).await.assert_refused(400, "access_denied");
        let again = oauth.post("device", &[("user_code", user_code(&device))]).await;
        again.assert_told(422, "No device waits for this code.");
    }
}

#[tokio::test]
async fn one_that_asks_too_soon_is_slowed_down_more_and_more() {
    let oauth = Oauth::start().await;
    let device = oauth.device(&[]).await;
    oauth.poll(&device).await.assert_refused(400, "authorization_pending");
    oauth.wait(4);
    oauth.poll(&device).await.assert_refused(400, "slow_down");
    // Ten seconds from now on.
    oauth.wait(9);
    oauth.poll(&device).await.assert_refused(400, "slow_down");
    oauth.wait(14);
    oauth.poll(&device).await.assert_refused(400, "slow_down");
    oauth.wait(20);
    oauth.poll(&device).await.assert_refused(400, "authorization_pending");
    oauth.issuer.approve_device(user_code(&device), "alice");
    oauth.poll(&device).await.assert_refused(400, "slow_down");
    oauth.wait(25);
    oauth.poll(&device).await.granted();
}

#[tokio::test]
async fn it_expires_by_the_servers_clock() {
    let oauth = Oauth::start().await;
    let device = oauth.device(&[]).await;
    let page = oauth.post("device", &[("user_code", user_code(&device))]).await;
    oauth.wait(599);
    oauth.poll(&device).await.assert_refused(400, "authorization_pending");
    let page = oauth.sign_in(&page).await;
    oauth.wait(1);
    oauth.poll(&device).await.assert_refused(400, "expired_token");
    let late = oauth.post("device", &[("user_code", user_code(&device))]).await;
    late.assert_told(422, "No device waits for this code.");
    let late = oauth.submit(&page, "consent", &[("decision", "allow")]).await;
    late.assert_told(400, "has expired");
    // What was allowed and never fetched, too.
    let device = oauth.device(&[]).await;
    oauth.issuer.approve_device(user_code(&device), "alice");
    oauth.wait(600);
    oauth.poll(&device).await.assert_refused(400, "expired_token");
}

#[tokio::test]
async fn a_device_code_is_good_for_its_client_alone() {
    let oauth = Oauth::start().await;
    let device = oauth.device(&[]).await;
    oauth.issuer.approve_device(user_code(&device), "alice");
    let code = device["device_code"].as_str().unwrap();
    let other = [("client_id", "other"), ("client_secret", "other's secret")];
    let form = [&[("grant_type", GRANT), ("device_code", code)][..], &other].concat();
    let stolen = oauth.token(&form).await;
    stolen.assert_refused_because("invalid_grant", "the device code is another client's");
    let unknown = json!({"device_code": user_code(&device)});
    oauth.poll(&unknown).await.assert_refused_because("invalid_grant", "unknown device code");
    let none = oauth.token(&[("grant_type", GRANT), ("client_id", "cli")]).await;
    none.assert_refused_because("invalid_request", "`device_code` is missing");
    oauth.poll(&device).await.granted();
}

#[tokio::test]
async fn a_device_asks_for_what_its_client_may_have() {
    let oauth = Oauth::start().await;
    let start =
        async |form: &[(&str, &str)]| oauth.answer("oauth/device_authorization", form).await;
    let id = ("client_id", "cli");
    start(&[]).await.assert_refused(401, "invalid_client");
    start(&[("client_id", "web")]).await.assert_refused(401, "invalid_client");
    start(&[id, ("scope", "admin")]).await.assert_refused(400, "invalid_scope");
    start(&[id, ("resource", "echo")]).await.assert_refused(400, "invalid_target");
    start(&[id, id]).await.assert_refused(400, "invalid_request");
    oauth.issuer.register(ClientRegistration::public("cli").grants([GrantType::AuthorizationCode]));
    start(&[id]).await.assert_refused(400, "unauthorized_client");
}
