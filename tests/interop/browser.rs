//! People log in with Chromium, at oidc-provider and at the embedded server, and see what each step
//! and each refusal looks like: the pictures are in `target/interop/screenshots`.

use std::time::Duration;

use grpc_auth::client::OAuthClient;
use grpc_auth::login::{Login, LoginError, LoginOutcome};
use grpc_auth::testing::{ClientRegistration, Endpoint, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, ResourceServer};
use tests::callers::{settle, until};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::grants::call;
use crate::parts::{Chromium, Fault, OidcProvider};

const SIGNED: &str = "urn:kit:words:es256";
const DONE: &str = "You are logged in";
const NOT_DONE: &str = "You are not logged in";

/// A login that waits for its person.
struct Waiting {
    /// The file that their browser is opened with.
    url: String,
    /// The page that it leads to.
    start: String,
    /// Where they are sent back to.
    callback: String,
    program: JoinHandle<Result<LoginOutcome, LoginError>>,
}

impl Waiting {
    async fn start(login: Login) -> Self {
        let (sender, mut shown) = mpsc::unbounded_channel();
        let opened = sender.clone();
        let login = login.announce(move |url| sender.send(url.to_string()).unwrap());
        let login = login.browser(move |url| {
            opened.send(url.to_string()).unwrap();
            Ok(())
        });
        let program = tokio::spawn(async move { login.run().await });
        let (start, url) = (shown.recv().await.unwrap(), shown.recv().await.unwrap());
        assert!(url.starts_with("file:///"), "{url}");
        let callback = start.rsplit_once('/').unwrap().0.to_owned();
        Self { url, start, callback, program }
    }

    async fn brings(self, auth: &ResourceServer) {
        let logged_in = self.program.await.unwrap().unwrap();
        assert_eq!(logged_in.subject(), Some("alice"));
        assert!(logged_in.can_renew());
        call(auth, &logged_in.tokens()).await.unwrap();
    }

    async fn fails_as_denied(self) {
        let error = self.program.await.unwrap().unwrap_err();
        assert!(matches!(&error, LoginError::Refused { error, .. } if &**error == "access_denied"));
    }
}

fn at_oidc_provider(issuer: &OidcProvider) -> Login {
    let client = issuer.client(ClientAuthentication::none("cli"));
    // A person at a second tab takes their time.
    let login = client.timeout(Duration::from_secs(30)).login().callback_path("/callback");
    login.scopes(["read:word"]).resource(SIGNED).prompt("consent")
}

#[tokio::test]
async fn a_person_logs_in_at_oidc_provider_with_chromium() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let waiting = Waiting::start(at_oidc_provider(&issuer)).await;
    let mut person = Chromium::start().await;

    // A page of an attacker sends the browser to the program with an answer of its own.
    person.go(&format!("{}?code=c&state=s", waiting.callback)).await;
    person.see("This is not the answer that the login waits for").await;
    person.shoot("oidc-provider-0-other-state").await;

    person.go(&waiting.url).await;
    person.shoot("oidc-provider-1-login").await;
    person.fill("Enter any login", "alice").await;
    person.fill("and password", "wonderland").await;
    person.press("Sign-in").await;
    person.see("Continue").await;
    person.shoot("oidc-provider-2-consent").await;

    issuer.fault("token", Fault::Wait).await;
    person.press("Continue").await;
    until("the code is redeemed", async || issuer.requests("token").await == 1).await;
    person.again().await;
    person.see("this login has been answered before").await;
    person.shoot("oidc-provider-3-second-hit").await;
    person.back().await;
    issuer.heal().await;
    person.see(DONE).await;
    person.shoot("oidc-provider-4-done").await;

    waiting.brings(&auth).await;
    person.again_in_vain().await;
    assert_eq!(issuer.requests("token").await, 1);
}

#[tokio::test]
async fn a_person_who_cancels_at_oidc_provider_is_not_logged_in() {
    let issuer = OidcProvider::start().await;
    let waiting = Waiting::start(at_oidc_provider(&issuer)).await;
    let mut person = Chromium::start().await;
    // Where the file cannot be read: as the program shows it.
    person.go(&waiting.start).await;
    person.press("Cancel").await;
    person.see(NOT_DONE).await;
    person.shoot("oidc-provider-5-denied").await;
    waiting.fails_as_denied().await;
    assert_eq!(issuer.requests("token").await, 0);
}

/// One of the two may be an attacker who saw the address.
#[tokio::test]
async fn a_login_that_two_browsers_open_is_nobodys() {
    let (issuer, client) = embedded().await;
    let waiting = Waiting::start(at_embedded(&client)).await;
    let (mut stranger, mut person) = (Chromium::start().await, Chromium::start().await);
    stranger.go(&waiting.start).await;
    stranger.fill("User name", "alice").await;
    person.go(&waiting.url).await;
    person.see("the login was opened in two browsers").await;
    person.shoot("embedded-9-opened-twice").await;
    let error = waiting.program.await.unwrap().unwrap_err();
    assert!(matches!(error, LoginError::OpenedTwice), "{error}");
    assert_eq!(issuer.requests(Endpoint::Token), 0);
}

/// The embedded server, with a program and a person.
async fn embedded() -> (TestAuthorizationServer, OAuthClient) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let client = OAuthClient::oidc(issuer.url(), ClientAuthentication::none("cli"));
    issuer.register(
        ClientRegistration::public("cli")
            .name("The word program")
            .redirect_uri(client.login().redirect_uri().unwrap())
            .scopes(["read:word", "write:word"]),
    );
    issuer.add_user("alice", "wonderland");
    issuer.describe_scope("read:word", "Read your words");
    let client = client.clock(issuer.clock().clone());
    (issuer, client)
}

fn at_embedded(client: &OAuthClient) -> Login {
    client.login().scopes(["read:word"]).audience(TestAuthorizationServer::AUDIENCE)
}

#[tokio::test]
async fn a_person_logs_in_at_the_embedded_server_with_chromium() {
    let (issuer, client) = embedded().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let waiting = Waiting::start(at_embedded(&client)).await;
    let mut person = Chromium::start().await;
    person.go(issuer.url()).await;
    person.shoot("embedded-0-index").await;

    person.go(&waiting.url).await;
    person.shoot("embedded-1-login").await;
    person.fill("User name", "alice").await;
    person.fill("Password", "looking-glass").await;
    person.press("Sign in").await;
    person.see("The user name or the password is wrong").await;
    person.shoot("embedded-2-wrong-password").await;
    person.fill("Password", "wonderland").await;
    person.press("Sign in").await;
    person.see("Read your words").await;
    person.shoot("embedded-3-consent").await;
    person.press("Allow").await;
    person.see(DONE).await;
    person.shoot("embedded-4-done").await;

    waiting.brings(&auth).await;
    person.again_in_vain().await;
}

#[tokio::test]
async fn a_person_who_denies_at_the_embedded_server_is_not_logged_in() {
    let (issuer, client) = embedded().await;
    let waiting = Waiting::start(at_embedded(&client)).await;
    let mut person = Chromium::start().await;
    person.go(&waiting.url).await;
    person.fill("User name", "alice").await;
    person.fill("Password", "wonderland").await;
    person.press("Sign in").await;
    person.see("Read your words").await;
    person.press("Deny").await;
    person.see(NOT_DONE).await;
    person.shoot("embedded-5-denied").await;
    waiting.fails_as_denied().await;
    assert_eq!(issuer.requests(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_person_types_in_a_code_at_the_embedded_server_with_chromium() {
    let (issuer, client) = embedded().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let login = client.device_login().scopes(["read:word"]);
    let pending = login.audience(TestAuthorizationServer::AUDIENCE).start().await.unwrap();
    let mut person = Chromium::start().await;
    person.go(pending.prompt().verification_uri().as_str()).await;
    person.fill("Code", "WRNG-CODE").await;
    person.press("Continue").await;
    person.see("There is a problem").await;
    person.shoot("embedded-6-wrong-code").await;
    person.fill("Code", pending.prompt().user_code()).await;
    person.press("Continue").await;
    person.fill("User name", "alice").await;
    person.fill("Password", "wonderland").await;
    person.press("Sign in").await;
    person.see("Read your words").await;
    person.shoot("embedded-7-device-consent").await;
    person.press("Allow").await;
    person.see("Device connected").await;
    person.shoot("embedded-8-device-done").await;

    let waiting = tokio::spawn(pending.wait());
    settle().await;
    issuer.clock().advance(Duration::from_secs(5));
    let logged_in = waiting.await.unwrap().unwrap();
    assert_eq!((logged_in.subject(), logged_in.can_renew()), (Some("alice"), true));
    call(&auth, &logged_in.tokens()).await.unwrap();
}
