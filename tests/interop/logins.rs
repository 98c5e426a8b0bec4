//! People log in at oidc-provider: by the pages it shows, and by codes for devices. `browser` has the
//! same in Chromium.

use std::time::Duration;

use grpc_auth::ClientAuthentication;
use grpc_auth::login::{LogoutOutcome, TokenStore};
use grpc_auth::testing::ManualClock;
use tests::callers::{settle, until};

use crate::grants::call;
use crate::parts::{OidcProvider, Person};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const SIGNED: &str = "urn:kit:words:es256";

#[tokio::test]
async fn a_person_logs_in_and_stays_logged_in() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    for client in [
        ClientAuthentication::none("cli"),
        ClientAuthentication::client_secret_basic("web", "web-secret"),
    ] {
        let clock = ManualClock::new();
        let client = issuer.client(client).clock(clock.clone());
        let login = client.login().scopes(["read:word"]).resource(SIGNED).prompt("consent");
        let login = login.callback_path("/callback");
        let login = login.browser(|url| {
            let url = url.to_string();
            tokio::spawn(async move { Person::new().allow(&url).await });
            Ok(())
        });
        let before = issuer.requests("token").await;
        let logged_in = login.run().await.unwrap();
        assert_eq!(logged_in.subject(), Some("alice"));
        assert!(logged_in.can_renew());
        let tokens = logged_in.tokens();
        call(&auth, &tokens).await.unwrap();
        assert_eq!(issuer.requests("token").await - before, 1);
        // Each refresh token is used once: the server ends the login else.
        for renewed in 2..=4 {
            clock.advance(HOUR);
            call(&auth, &tokens).await.unwrap();
            assert_eq!(issuer.requests("token").await - before, renewed);
        }
    }
}

#[tokio::test]
async fn a_login_is_kept_and_a_logout_makes_it_useless() {
    let issuer = OidcProvider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let login = issuer.client(ClientAuthentication::none("cli")).login();
    let login = login.callback_path("/callback");
    let login = login.scopes(["read:word"]).resource(SIGNED).prompt("consent");
    let login = login.store(TokenStore::at(folder.path().join("logins"))).browser(|url| {
        let url = url.to_string();
        tokio::spawn(async move { Person::new().allow(&url).await });
        Ok(())
    });
    login.run().await.unwrap();
    let stored = login.load().await.unwrap().unwrap();
    assert_eq!(stored.subject(), Some("alice"));
    let auth = issuer.resource_server().build().await.unwrap();
    call(&auth, &stored.tokens()).await.unwrap();

    let outcome = login.log_out().await.unwrap();
    assert!(matches!(outcome, LogoutOutcome::Revoked), "{outcome:?}");
    assert!(login.load().await.unwrap().is_none());
    assert!(issuer.requests("revocation").await >= 1);
}

#[tokio::test]
async fn a_code_is_typed_in_on_another_device() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let clock = ManualClock::new();
    let client = issuer.client(ClientAuthentication::none("cli")).clock(clock.clone());
    let client = client.timeout(30 * SECOND);
    let login = client.device_login().scopes(["read:word"]).resource(SIGNED);
    let pending = login.start().await.unwrap();
    let page = pending.prompt().verification_uri_complete().unwrap().to_string();
    assert!(page.contains(pending.prompt().user_code()), "{page}");

    let waiting = tokio::spawn(pending.wait());
    settle().await;
    // RFC 8628 §3.2: after five seconds, unless the server says otherwise.
    clock.advance(5 * SECOND);
    until("it asks", async || issuer.requests("token").await == 1).await;
    Person::new().allow(&page).await;
    until("it asks again", async || {
        clock.advance(SECOND);
        issuer.requests("token").await == 2
    })
    .await;
    let logged_in = waiting.await.unwrap().unwrap();
    assert_eq!((logged_in.subject(), logged_in.can_renew()), (Some("alice"), true));
    call(&auth, &logged_in.tokens()).await.unwrap();
}
