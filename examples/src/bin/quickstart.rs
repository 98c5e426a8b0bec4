//! The front door: an authorization server, a protected service and its callers in one process.
//!
//! `cargo run -p examples --bin quickstart` calls every method as every caller, prints who gets in
//! and why not, and fails if a verdict is not the expected one. With `--serve` it keeps running
//! and prints `grpcurl` lines to paste.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use examples::echo::EchoService;
use examples::echo::pb::FILE_DESCRIPTOR_SET;
use examples::echo::pb::echo_server::EchoServer;
use examples::report;
use examples::trial::Caller;
use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::testing::{ManualClock, TestAuthorizationServer};
use grpc_auth::{ProtectedService, ResourceServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic_health::server::health_reporter;
use tonic_reflection::server::Builder as Reflection;

/// Who may ask what the server offers and how it is: here, anyone.
const REFLECTION: ServicePolicy =
    ServicePolicy::new("grpc.reflection.v1.ServerReflection", REFLECTION_METHODS);
/// What older clients ask, `grpcurl` among them.
const REFLECTION_ALPHA: ServicePolicy =
    ServicePolicy::new("grpc.reflection.v1alpha.ServerReflection", REFLECTION_METHODS);
const REFLECTION_METHODS: &[MethodPolicy] =
    &[MethodPolicy::new("ServerReflectionInfo", AccessRule::AllowUnauthenticated)];
const HEALTH: ServicePolicy = ServicePolicy::new(
    "grpc.health.v1.Health",
    &[
        MethodPolicy::new("Check", AccessRule::AllowUnauthenticated),
        MethodPolicy::new("Watch", AccessRule::AllowUnauthenticated),
    ],
);

type BoxError = Box<dyn Error + Send + Sync>;

const ALL_SCOPES: [&str; 3] = ["read:echo", "write:echo", "team:blue"];

const USAGE: &str = "\
usage: quickstart [--serve]

  (nothing)  call every method as every caller, print the verdicts, and exit
  --serve    keep the server running, with reflection and health, and print grpcurl lines

RUST_LOG=grpc_auth=debug shows every decision with its cause.";

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let serve = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--serve" => true,
        [flag] if flag == "--help" || flag == "-h" => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();

    let issuer = TestAuthorizationServer::start_with_clock(ManualClock::running()).await?;
    let auth = issuer.resource_server().build().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(run(auth, listener));

    if serve {
        print_commands(&issuer, &address.to_string());
        tokio::select! {
            stopped = server => stopped??,
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        return Ok(ExitCode::SUCCESS);
    }

    let policy = <EchoService as ProtectedService<EchoServer<_>>>::POLICY;
    println!("{policy}");
    let channel = Endpoint::try_from(format!("http://{address}"))?.connect().await?;
    let surprises = report::run(&channel, policy, &callers(&issuer)?, expected).await?;
    server.abort();
    if surprises > 0 {
        eprintln!("\n{surprises} verdicts are not the expected ones");
        return Ok(ExitCode::FAILURE);
    }
    println!("\nEvery verdict is the expected one. Try `--serve` and call it yourself.");
    Ok(ExitCode::SUCCESS)
}

async fn run(auth: ResourceServer, listener: TcpListener) -> Result<(), BoxError> {
    let (health, health_service) = health_reporter();
    health.set_serving::<EchoServer<EchoService>>().await;
    let reflection = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Server::builder()
        .add_service(auth.protect(EchoService))
        .add_service(auth.protect_with(reflection().build_v1()?, REFLECTION)?)
        .add_service(auth.protect_with(reflection().build_v1alpha()?, REFLECTION_ALPHA)?)
        .add_service(auth.protect_with(health_service, HEALTH)?)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

fn callers(issuer: &TestAuthorizationServer) -> Result<Vec<Caller>, BoxError> {
    let good = || issuer.token().subject("alice").scopes(ALL_SCOPES);
    Ok(vec![
        Caller::anonymous("no token"),
        Caller::with_token("weak token", &issuer.token().scopes(["write:echo"]).sign())?,
        Caller::with_token("good token", &good().sign())?,
        Caller::with_token("expired token", &good().expired().sign())?,
        Caller::with_token("other audience", &good().audience("https://other.example").sign())?,
        Caller::with_token("forged token", &good().sign_with_wrong_key())?,
    ])
}

/// What must come of each call: status and reason.
fn expected(method: &str, caller: &str) -> (&'static str, &'static str) {
    match (method, caller) {
        ("Ping", _) | (_, "good token") | ("Chat", "weak token") => ("OK", ""),
        (_, "weak token") => ("PermissionDenied", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        (_, "no token") => ("Unauthenticated", "CREDENTIALS_MISSING"),
        (_, "expired token") => ("Unauthenticated", "ACCESS_TOKEN_EXPIRED"),
        _ => ("Unauthenticated", "ACCESS_TOKEN_INVALID"),
    }
}

fn print_commands(issuer: &TestAuthorizationServer, address: &str) {
    let hours = Duration::from_secs(8 * 60 * 60);
    let good = issuer.token().subject("alice").scopes(ALL_SCOPES).expires_in(hours).sign();
    let weak = issuer.token().subject("mallory").expires_in(hours).sign();
    let call = |token: &str, data: &str, method: &str| {
        println!(
            "grpcurl -plaintext -H 'authorization: Bearer {token}' -d '{data}' {address} \
             echo.Echo/{method}\n"
        );
    };
    println!("Echo listens on {address}, its authorization server on {}\n", issuer.url());
    println!("# what is there\ngrpcurl -plaintext {address} list\n");
    println!("# anyone may ping\ngrpcurl -plaintext {address} echo.Echo/Ping\n");
    println!(
        "# every other call needs a token\ngrpcurl -plaintext {address} echo.Echo/UnaryEcho\n"
    );
    println!("# alice has every scope, for eight hours");
    call(&good, r#"{"message": "hello"}"#, "UnaryEcho");
    call(&good, r#"{"message": "one by one"}"#, "Expand");
    call(&good, r#"{"message": "a"} {"message": "b"}"#, "Collect");
    call(&good, r#"{"message": "a"} {"message": "b"}"#, "Chat");
    println!("# mallory has none");
    call(&weak, r#"{"message": "hello"}"#, "UnaryEcho");
    println!("# is it healthy");
    println!("grpcurl -plaintext {address} grpc.health.v1.Health/Check\n");
    println!("Stop it with ctrl-c.");
}
