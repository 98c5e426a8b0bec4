//! A command-line program logs its user in with the browser (authorization code with PKCE), keeps the
//! login, uses it for calls, and logs out.
//!
//! `cargo run -p examples --bin login` has a stand-in for the person, so that it runs unattended;
//! `-- --browser` opens yours: the user is `alice`, the password `wonderland`.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use examples::echo::EchoService;
use examples::echo::pb::EchoRequest;
use examples::echo::pb::echo_client::EchoClient;
use examples::serve::serve;
use examples::steps::Steps;
use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::login::TokenStore;
use grpc_auth::testing::{ClientRegistration, ManualClock, TestAuthorizationServer};
use tonic::Code;
use tonic::service::Routes;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let has_browser = std::env::args().any(|argument| argument == "--browser");

    // The authorization server, with the program registered as a client that can keep no secret.
    let issuer = TestAuthorizationServer::start_with_clock(ManualClock::running()).await?;
    let client = OAuthClient::oidc(issuer.url(), ClientAuthentication::none("echo-cli"));
    issuer.add_user("alice", "wonderland");
    issuer.register(
        ClientRegistration::public("echo-cli")
            .name("Echo for the command line")
            .redirect_uri(client.login().redirect_uri()?)
            .scopes(["openid", "offline_access", "read:echo"]),
    );
    let issuer = Arc::new(issuer);
    let auth = issuer.resource_server().build().await?;
    let service = serve(Routes::new(auth.protect(EchoService))).await?;

    // The program.
    let folder = std::env::temp_dir().join(format!("echo-cli-{}", std::process::id()));
    let mut login = client
        .login()
        .audience(TestAuthorizationServer::AUDIENCE)
        .scopes(["read:echo"])
        .store(TokenStore::at(&folder))
        .announce(|url| eprintln!("If no browser opens, go to {url}\n"));
    if !has_browser {
        let person = Arc::clone(&issuer);
        login = login.browser(move |url| {
            let (person, url) = (Arc::clone(&person), url.clone());
            tokio::spawn(async move { person.approve_login(&url, "alice").await });
            Ok(())
        });
    }

    let mut steps = Steps::default();
    println!("The program:");
    steps.show("is a person logged in?", login.load().await?.is_some(), false);
    let logged_in = login.run().await?;
    let who = logged_in.subject().unwrap_or("unknown").to_owned();
    steps.show("now it is", who, "alice".to_owned());

    let mut echo = EchoClient::new(logged_in.tokens().connect(service.clone()).await?);
    let reply = echo.unary_echo(EchoRequest { message: "hello".into() }).await;
    steps.call("UnaryEcho, which alice agreed to", &reply, Code::Ok);
    let collected = echo.collect(tokio_stream::iter([EchoRequest::default()])).await;
    steps.call("Collect, which she was not asked for", &collected, Code::PermissionDenied);

    println!("The next time it is started:");
    let stored = login.load().await?;
    steps.show("it finds the login", stored.is_some(), true);
    if let Some(stored) = stored {
        let mut echo = EchoClient::new(stored.tokens().connect(service).await?);
        let reply = echo.unary_echo(EchoRequest { message: "again".into() }).await;
        steps.call("UnaryEcho, without a browser", &reply, Code::Ok);
    }
    println!("After a logout:");
    let logged_out = login.log_out().await?;
    steps.show("it", format!("{logged_out:?}"), "Revoked".to_owned());
    steps.show("is a person logged in?", login.load().await?.is_some(), false);
    std::fs::remove_dir_all(folder)?;
    Ok(steps.end())
}
