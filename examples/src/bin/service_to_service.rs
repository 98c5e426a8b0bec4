//! Service A calls service B with tokens of its own: `client_credentials`, got once, renewed before
//! they expire, attached to every call.
//!
//! `cargo run -p examples --bin service_to_service` runs both and the authorization server, and
//! fails if a step does not show what it promises.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use examples::echo::EchoService;
use examples::echo::pb::EchoRequest;
use examples::echo::pb::echo_client::EchoClient;
use examples::serve::serve;
use examples::steps::Steps;
use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use tonic::Code;
use tonic::service::Routes;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    // What an operator does once: service A is a client that may read.
    let issuer = TestAuthorizationServer::start().await?;
    issuer.add_client("service-a", "s3cret", ["read:echo"]);

    // Service B.
    let auth = issuer.resource_server().build().await?;
    let service_b = serve(Routes::new(auth.protect(EchoService))).await?;

    // Service A. With Auth0 the first three lines are one:
    // `ClientCredentials::auth0("tenant.eu.auth0.com", id, secret)`.
    let service_a = ClientAuthentication::client_secret_basic("service-a", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), service_a).clock(issuer.clock().clone());
    let tokens = client
        .client_credentials()
        .audience(TestAuthorizationServer::AUDIENCE)
        .scopes(["read:echo"])
        .build()?;
    let mut echo = EchoClient::new(tokens.connect(service_b).await?);

    let mut steps = Steps::default();
    println!("Service A calls service B:");
    for _ in 0..5 {
        let reply = echo.unary_echo(EchoRequest { message: "hello".into() }).await;
        steps.call("UnaryEcho, for which its token has the scope", &reply, Code::Ok);
    }
    steps.show("token requests for that", issuer.requests(Endpoint::Token), 1);

    let collected = echo.collect(tokio_stream::iter([EchoRequest::default()])).await;
    steps.call("Collect, for which it lacks a scope", &collected, Code::PermissionDenied);
    steps.show("token requests: another token would not help", issuer.requests(Endpoint::Token), 1);

    println!("An hour less four minutes later, with the authorization server down:");
    issuer.fail(Endpoint::Token, Fault::Status(503));
    issuer.clock().advance(Duration::from_secs(56 * 60));
    let reply = echo.unary_echo(EchoRequest { message: "still here".into() }).await;
    steps.call("UnaryEcho: the old token serves while it lives", &reply, Code::Ok);

    println!("An hour later, and up again:");
    issuer.heal();
    issuer.clock().advance(Duration::from_secs(60 * 60));
    let again = || EchoRequest { message: "and again".into() };
    let mut reply = echo.unary_echo(again()).await;
    if reply.is_err() {
        // The attempt that was under way has failed only now: the next one is soon.
        issuer.clock().advance(Duration::from_secs(60));
        reply = echo.unary_echo(again()).await;
    }
    steps.call("UnaryEcho, with a new token", &reply, Code::Ok);
    Ok(steps.end())
}
