//! REST and gRPC from one source of tokens: both sides share one token, and one renewal.

use std::error::Error;
use std::process::ExitCode;

use examples::echo::EchoService;
use examples::echo::pb::EchoRequest;
use examples::echo::pb::echo_client::EchoClient;
use examples::serve::serve;
use examples::steps::Steps;
use examples::stock;
use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use tonic::Code;
use tonic::service::Routes;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let issuer = TestAuthorizationServer::start().await?;
    issuer.add_client("shop", "s3cret", ["read:echo"]);
    let auth = issuer.resource_server().build().await?;
    let rest = stock::serve(auth.clone()).await?;
    let grpc = serve(Routes::new(auth.protect(EchoService))).await?;

    let shop = ClientAuthentication::client_secret_basic("shop", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), shop).clock(issuer.clock().clone());
    let tokens = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE).build()?;
    let http = reqwest::Client::new();
    let mut echo = EchoClient::new(tokens.connect(grpc).await?);

    let mut steps = Steps::default();
    println!("One source of tokens:");
    let reply = echo.unary_echo(EchoRequest { message: "hello".into() }).await;
    steps.call("gRPC: UnaryEcho", &reply, Code::Ok);
    let answer = tokens.send(http.get(format!("{rest}/stock/apples"))).await?;
    steps.show("REST: GET /stock/apples", answer.status().as_u16(), 200);
    let answer = tokens.send(http.get(format!("{rest}/clients"))).await?;
    steps.show("REST: GET /clients, for which it lacks a scope", answer.status().as_u16(), 403);
    let answer = http.get(format!("{rest}/stock/apples")).send().await?;
    steps.show("REST: without a token", answer.status().as_u16(), 401);
    let refused = tokens.send(http.get("http://stock.example.com/apples")).await;
    steps.show("REST: to another host in plaintext is sent", refused.is_ok(), false);
    steps.show("token requests for all that", issuer.requests(Endpoint::Token), 1);
    Ok(steps.end())
}
