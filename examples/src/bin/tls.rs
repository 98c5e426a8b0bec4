//! TLS, in development and in production, which differ in one line for a server and in one for a
//! client.
//!
//! `cargo run -p examples --bin tls` serves Echo with certificates of a development CA, calls it, and
//! shows who is let in and who is not. `cargo run -p examples --bin tls -- CHAIN KEY ROOTS` does the
//! same with the PEM files of a real deployment, for a certificate that names `localhost`. It fails if
//! a verdict is not the expected one.

use std::error::Error;
use std::process::ExitCode;

use examples::echo::EchoService;
use examples::trial::Caller;
use grpc_auth::doctor::Doctor;
use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::tls::{ClientTls, DevelopmentCa, SecureEndpoint, ServerTls};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

/// Where server and client find the development CA.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/dev-tls");

/// What the server is, from the arguments CHAIN and KEY in production.
fn server_tls(files: Option<&[String; 3]>) -> Result<ServerTls, grpc_auth::ConfigError> {
    match files {
        None => DevelopmentCa::new(FOLDER).server_tls(),
        Some([chain, key, _]) => ServerTls::from_pem_files(chain, key),
    }
}

/// Which servers the client trusts. For a server with a certificate of a public authority, production is
/// `ClientTls::system()`.
fn client_tls(files: Option<&[String; 3]>) -> Result<ClientTls, grpc_auth::ConfigError> {
    match files {
        None => DevelopmentCa::new(FOLDER).client_tls(),
        Some([_, _, roots]) => ClientTls::ca_file(roots),
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let files: Vec<_> = std::env::args().skip(1).collect();
    let files = match files.len() {
        0 => None,
        3 => files.try_into().ok(),
        _ => return Err("write three files, CHAIN KEY ROOTS, or none".into()),
    };
    let files: Option<&[String; 3]> = files.as_ref();

    // A server, as in the quickstart; only the first line is about TLS.
    let mut server = Server::builder().tls_config(server_tls(files)?.config())?;
    let issuer = TestAuthorizationServer::start().await?;
    let auth = issuer.resource_server().build().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let server = server.add_service(auth.protect(EchoService));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    // A client.
    let endpoint = Endpoint::try_from(format!("https://localhost:{port}"))?;
    let channel = client_tls(files)?.apply(endpoint.clone())?.connect().await?;

    let token = issuer.token().subject("alice").scopes(["read:echo"]).sign();
    let mut surprises = 0;
    let mut show = |who: &str, verdict: String, expected: &str| {
        println!("{who:<42} {verdict}");
        surprises += usize::from(!verdict.starts_with(expected));
    };
    let caller = Caller::with_token("alice", &token)?;
    let outcome = caller.call(&channel, "UnaryEcho").await?;
    show("a client that trusts the authority", outcome.status(), "OK");
    let outcome = Caller::anonymous("anonymous").call(&channel, "UnaryEcho").await?;
    show("the same without a token", outcome.status(), "Unauthenticated");

    // A client that has no reason to trust the server hangs up before it says anything.
    let public = ClientTls::webpki_roots();
    let refused = public.apply(endpoint)?.connect().await.err();
    let verdict =
        refused.map_or("connected".into(), |error| format!("refused: {}", innermost(&error)));
    show("a client that trusts public authorities", verdict, "refused: invalid peer certificate");
    // And why, in words.
    let report = Doctor::new(&format!("https://localhost:{port}"))?.tls(public).examine().await;
    show("what the doctor says of that", report.diagnosis().code().into(), "certificate-untrusted");

    // Tokens do not leave the machine in plaintext.
    let plaintext = Endpoint::from_static("http://echo.example.com");
    let verdict = match SecureEndpoint::from(plaintext).into_endpoint() {
        Ok(_) => "accepted".into(),
        Err(error) => format!("refused: {error}"),
    };
    show("plaintext to another host", verdict, "refused: the endpoint");

    println!("\n{report}");
    Ok(if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
