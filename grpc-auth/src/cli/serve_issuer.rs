//! `grpc-auth serve-issuer`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use grpc_auth::__private::read_json;
use grpc_auth::testing::{ManualClock, StartError, TestAuthorizationServer};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::end::End;
use crate::failure::{Exit, Failure};
use crate::output::{FAINT, GOOD, HEADING, Output, styled};
use crate::printable::printable;

/// Runs an authorization server for development
///
/// A real one: metadata, keys, a login page, every usual grant, refresh tokens and revocation; for
/// trying out services and programs without an account anywhere. It listens on this machine alone,
/// its page gives a token to every visitor, and all that it knows is gone when it ends.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeIssuerArgs {
    /// Where it listens: a loopback address and a port, 0 for one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9400")]
    listen: String,
    /// A JSON file with clients, users and scopes; `--example` shows one
    #[arg(long, value_name = "FILE")]
    clients: Option<PathBuf>,
    /// How long access tokens live
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    token_lifetime: u32,
    /// Prints an example of a client file, and ends
    #[arg(long, conflicts_with_all = ["clients", "listen", "token_lifetime"])]
    example: bool,
}

const EXAMPLES: &str = "\
It ends on Ctrl-C, or on SIGTERM.

Examples:
  With clients and users of your own:
    grpc-auth serve-issuer --example > clients.json
    grpc-auth serve-issuer --clients clients.json

  A service that accepts its tokens:
    ResourceServer::oidc(\"http://127.0.0.1:9400/\").audience(\"https://api.example.test\")

  In a script, on a free port: the first line says where it is
    grpc-auth serve-issuer --listen 127.0.0.1:0 --json | { read -r line; jq -r .issuer <<<\"$line\"; }";

/// A file to begin with. Each of its secrets is an example.
const EXAMPLE: &str = r#"{
  "clients": [
    {
      "id": "orders",
      "secret": "orders-secret",
      "grant_types": ["client_credentials"],
      "scopes": ["read:echo", "write:echo"],
      "audiences": ["https://echo.example.com"]
    },
    {
      "id": "orders-cli",
      "name": "The orders program",
      "redirect_uris": ["http://127.0.0.1/callback/127.0.0.1:9400"],
      "scopes": ["read:echo"],
      "audiences": ["https://echo.example.com"],
      "always_refresh_tokens": true
    }
  ],
  "users": [
    { "name": "alice", "password": "wonderland", "claims": { "tenant": "blue" } }
  ],
  "scopes": {
    "read:echo": "Read what you have sent",
    "write:echo": "Send in your name"
  }
}"#;

pub(crate) async fn run(args: ServeIssuerArgs, output: Output) -> Result<Exit, Failure> {
    if args.example {
        let json = read_json(EXAMPLE.as_bytes()).unwrap_or(Value::Null);
        output.result(&json, EXAMPLE)?;
        return Ok(Exit::Done);
    }
    let mut builder = TestAuthorizationServer::builder()
        .listen(&args.listen)
        .clock(ManualClock::running())
        .token_lifetime(Duration::from_secs(args.token_lifetime.into()));
    if let Some(path) = &args.clients {
        builder = builder.load(path).map_err(failure)?;
    }
    // Before it says that it is ready: a signal after that ends it well.
    let end = End::prepare()?;
    let issuer = builder.start().await.map_err(failure)?;
    let clients = args.clients.as_deref().map(registered).unwrap_or_default();
    output.event(&to_json(&issuer, &clients), &to_text(&issuer, &clients))?;
    end.wait().await;
    Ok(Exit::Done)
}

/// What is printed of the file, which was understood before.
#[derive(Default, Deserialize)]
struct ClientFile {
    #[serde(default)]
    clients: Vec<Registered>,
}

#[derive(Deserialize)]
struct Registered {
    id: String,
    #[serde(default)]
    audiences: Vec<String>,
    secret: Option<IgnoredAny>,
}

fn registered(path: &Path) -> Vec<Registered> {
    let file = fs::read(path).ok().and_then(|bytes| read_json::<ClientFile>(&bytes).ok());
    file.unwrap_or_default().clients
}

fn to_json(issuer: &TestAuthorizationServer, clients: &[Registered]) -> Value {
    let url = issuer.url();
    json!({
        "issuer": url,
        "token_endpoint": issuer.token_endpoint(),
        "jwks_uri": format!("{url}.well-known/jwks.json"),
        "audience": TestAuthorizationServer::AUDIENCE,
        "clients": clients.iter().map(|client| &client.id).collect::<Vec<_>>(),
    })
}

fn to_text(issuer: &TestAuthorizationServer, clients: &[Registered]) -> String {
    let url = issuer.url();
    let mut text = format!(
        "{} {}\n\n{}\n  In a browser, to paste:  {url}\n",
        styled(GOOD, "Serving the issuer"),
        styled(HEADING, url),
        styled(HEADING, "Get a token"),
    );
    let audience = |client: &Registered| {
        let audience = client.audiences.first();
        audience.map(|audience| format!(" --audience {}", printable(audience))).unwrap_or_default()
    };
    for client in clients {
        let (id, audience) = (printable(&client.id), audience(client));
        text += &if client.secret.is_some() {
            format!(
                "  grpc-auth token --issuer {url} --client-id {id} --client-secret-file -{audience}\n"
            )
        } else {
            format!("  grpc-auth login --issuer {url} --client-id {id}{audience}\n")
        };
    }
    if clients.is_empty() {
        text += "  With clients of your own: grpc-auth serve-issuer --example > clients.json, then \
                 --clients clients.json\n";
    }
    text += &format!(
        "\n{}\n  ResourceServer::oidc(\"{url}\").audience(\"{}\")\n\n{}",
        styled(HEADING, "Accept its tokens"),
        clients
            .iter()
            .find_map(|client| client.audiences.first())
            .map_or_else(|| TestAuthorizationServer::AUDIENCE.into(), |name| printable(name)),
        styled(FAINT, "Ctrl-C ends it, and all that it knows is gone."),
    );
    text
}

fn failure(error: StartError) -> Failure {
    let exit = match error {
        StartError::Listen { .. } | StartError::FileUnreadable { .. } | StartError::Keys => {
            Exit::Failed
        }
        _ => Exit::Usage,
    };
    let failure = Failure::of(exit, &error);
    match error {
        StartError::Listen { .. } => failure.help("`--listen 127.0.0.1:0` takes a free port"),
        StartError::FileInvalid { .. } | StartError::Client { .. } => {
            failure.help("`grpc-auth serve-issuer --example` shows what belongs there")
        }
        _ => failure,
    }
}
