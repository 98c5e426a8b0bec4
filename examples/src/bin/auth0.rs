//! The quickstart against a real Auth0 tenant.
//!
//! Reads `AUTH0_DOMAIN` and `AUTH0_AUDIENCE` of an API, and `AUTH0_CLIENT_ID` and
//! `AUTH0_CLIENT_SECRET` of a machine-to-machine application that is authorized for it. The verdicts
//! depend on the scopes the application is granted (`read:echo`, `write:echo`, `team:blue`).

use std::error::Error;
use std::process::ExitCode;

use examples::echo::EchoService;
use examples::echo::pb::echo_server::EchoServer;
use examples::report;
use examples::trial::Caller;
use grpc_auth::client::ClientCredentials;
use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{Auth0Config, ProtectedService, ResourceServer, StartupPolicy};
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
    let auth = ResourceServer::from_config(&config).start(StartupPolicy::Required).build().await?;
    let token = ClientCredentials::from_config(&config)?.build()?.token().await?;
    // A server of no importance: its tokens are not accepted here.
    let other = TestAuthorizationServer::start().await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let channel = Endpoint::try_from(format!("http://{}", listener.local_addr()?))?;
    let server = Server::builder().add_service(auth.protect(EchoService));
    let server = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let callers = [
        Caller::anonymous("no token"),
        Caller::with_token("your application", token.token().expose_secret())?,
        Caller::with_token("of another server", &other.token().audience(&config.audience).sign())?,
    ];
    let granted: Vec<&str> = token.scope().unwrap_or_default().split_ascii_whitespace().collect();
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

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
