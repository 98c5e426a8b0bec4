//! What operators see: a protected service with a Prometheus exporter.
//!
//! `cargo run -p examples --bin metrics` makes a call that is allowed and some that are refused, and
//! prints the page that Prometheus would fetch. It fails if a line is missing that it promises.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use examples::echo::EchoService;
use examples::trial::Caller;
use grpc_auth::ResourceServer;
use grpc_auth::testing::{ManualClock, TestAuthorizationServer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};

/// Seconds, from a signature's time to a key set's that has to be fetched.
const BUCKETS: [f64; 7] = [0.000_03, 0.000_1, 0.000_3, 0.001, 0.01, 0.1, 1.0];

/// How often the calls below come to each of these.
const PROMISED: [(&str, &str); 8] = [
    (r#"decisions_total{method="echo.Echo/UnaryEcho",verdict="allow",reason="OK"}"#, "3"),
    (r#"method="echo.Echo/UnaryEcho",verdict="deny",reason="CREDENTIALS_MISSING""#, "1"),
    (r#"method="echo.Echo/UnaryEcho",verdict="deny",reason="ACCESS_TOKEN_EXPIRED""#, "1"),
    (r#"method="echo.Echo/UnaryEcho",verdict="deny",reason="ACCESS_TOKEN_INVALID""#, "1"),
    (r#"verdict="deny",reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT""#, "1"),
    (r#"token_cache_lookups_total{cache="verified",result="hit"}"#, "1"),
    (r#"verification_duration_seconds_count{outcome="valid",waited="false"}"#, "3"),
    (r#"grpc_auth_token_cache_entries{cache="verified"}"#, "1"),
];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    // Before the server is built: what happens without a recorder is not recorded.
    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &BUCKETS)?;
    let recorder = exporter.install_recorder()?;

    let issuer = TestAuthorizationServer::start_with_clock(ManualClock::running()).await?;
    let auth = issuer.resource_server().build().await?;
    let channel = serve(&auth).await?;
    for caller in callers(&issuer)? {
        let outcome = caller.call(&channel, "UnaryEcho").await?;
        println!("# {}: {} {}", caller.name, outcome.status(), outcome.reason());
    }

    // A server that answers `GET /metrics` would send this.
    let page = recorder.render();
    println!("\n{page}");
    let missing: Vec<_> = PROMISED
        .iter()
        .filter(|(series, count)| {
            let is_it = |line: &str| line.contains(series) && line.ends_with(&format!(" {count}"));
            !page.lines().any(is_it)
        })
        .collect();
    if !missing.is_empty() {
        eprintln!("not on the page: {missing:?}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(auth: &ResourceServer) -> Result<Channel, Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_service(auth.protect(EchoService));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(Endpoint::try_from(format!("http://{address}"))?.connect().await?)
}

/// A good token thrice: it is remembered when it came for the second time.
fn callers(issuer: &TestAuthorizationServer) -> Result<Vec<Caller>, Box<dyn Error + Send + Sync>> {
    let token = || issuer.token().subject("alice").expires_in(Duration::from_secs(600));
    let good = token().scopes(["read:echo"]).sign();
    Ok(vec![
        Caller::with_token("good token", &good)?,
        Caller::with_token("the same", &good)?,
        Caller::with_token("and again", &good)?,
        Caller::anonymous("no token"),
        Caller::with_token("weak token", &token().scopes(["write:echo"]).sign())?,
        Caller::with_token("expired token", &token().expired().sign())?,
        Caller::with_token("forged token", &token().sign_with_wrong_key())?,
    ])
}
