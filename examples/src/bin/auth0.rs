//! The quickstart against a real Auth0 tenant.
//!
//! Reads `AUTH0_DOMAIN` and `AUTH0_AUDIENCE` of an API, and `AUTH0_CLIENT_ID` and
//! `AUTH0_CLIENT_SECRET` of a machine-to-machine application that is authorized for it. The verdicts
//! depend on the scopes the application is granted (`read:echo`, `write:echo`, `team:blue`).

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use examples::echo::EchoService;
use examples::echo::pb::echo_server::EchoServer;
use examples::report;
use examples::trial::Caller;
use grpc_auth::testing::AuthorizationServer;
use grpc_auth::{Auth0Config, ConfigError, ProtectedService, ResourceServer, Start};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(0) => {
            println!("\nEvery verdict is the one that the token's scopes ask for.");
            ExitCode::SUCCESS
        }
        Ok(surprises) => {
            eprintln!("\n{surprises} verdicts are not the expected ones");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<usize, Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let config = Auth0Config::from_env()?;
    let auth = ResourceServer::from_config(&config).start(Start::Required).build().await?;
    let token = fetch_token(&config).await?;
    // A server of no importance: its tokens are strangers' here.
    let stranger = AuthorizationServer::start().await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let channel = Endpoint::try_from(format!("http://{}", listener.local_addr()?))?;
    let server = Server::builder().add_service(auth.protect(EchoService));
    let server = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let callers = [
        Caller::anonymous("no token"),
        Caller::with_token("your application", &token.access_token)?,
        Caller::with_token("a stranger", &stranger.token().audience(&config.audience).sign())?,
    ];
    let granted: Vec<&str> = token.scope.split_ascii_whitespace().collect();
    println!("Your application is granted: {}\n", granted.join(" "));
    let policy = <EchoService as ProtectedService<EchoServer<_>>>::POLICY;
    let surprises = report::run(&channel.connect().await?, policy, &callers, |method, caller| {
        let has = |scope: &str| granted.contains(&scope);
        let fulfilled = match method {
            "UnaryEcho" | "Expand" => has("read:echo"),
            "Collect" => has("write:echo") && (has("team:blue") || has("admin:all")),
            _ => true,
        };
        match caller {
            _ if method == "Ping" => ("OK", ""),
            "your application" if fulfilled => ("OK", ""),
            "your application" => ("PermissionDenied", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            "no token" => ("Unauthenticated", "CREDENTIALS_MISSING"),
            _ => ("Unauthenticated", "ACCESS_TOKEN_INVALID"),
        }
    })
    .await?;
    server.abort();
    Ok(surprises)
}

/// What Auth0 answers to `client_credentials`.
#[derive(Deserialize)]
struct Token {
    access_token: String,
    #[serde(default)]
    scope: String,
}

async fn fetch_token(config: &Auth0Config) -> Result<Token, Box<dyn Error>> {
    let missing = |name, help| ConfigError::VariableMissing { name, help };
    let help = "write the client id of a machine-to-machine application";
    let id = config.client_id.as_ref().ok_or(missing("AUTH0_CLIENT_ID", help))?;
    let help = "write the client secret of the same application";
    let secret = config.client_secret.as_ref().ok_or(missing("AUTH0_CLIENT_SECRET", help))?;
    let body = serde_json::json!({
        "grant_type": "client_credentials",
        "client_id": id,
        "client_secret": secret.expose_secret(),
        "audience": config.audience,
    });
    let answer = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()?
        .post(format!("https://{}/oauth/token", config.domain))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await?;
    if !answer.status().is_success() {
        return Err(format!(
            "Auth0 answers the token request with HTTP status {}: check AUTH0_CLIENT_ID and \
             AUTH0_CLIENT_SECRET, and that the application is authorized for the API",
            answer.status()
        )
        .into());
    }
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
