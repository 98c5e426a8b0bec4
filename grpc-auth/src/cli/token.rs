//! `grpc-auth token`.

use std::time::Duration;

use clap::Args;
use grpc_auth::Clock;
use grpc_auth::client::AccessToken;
use grpc_auth::login::{LoginError, TokenStore};
use serde_json::json;

use crate::client::{Client, ClientArgs, TokenSettings};
use crate::failure::{Exit, Failure};
use crate::output::{Output, UNSURE, styled};
use crate::printable::printable;
use crate::server::{Server, ServerArgs};
use crate::times::unix_seconds;

/// Prints an access token, and nothing else
///
/// A client that has a secret (or a key) gets a token of its own (client credentials). It is kept
/// for the next time, in a file that only you can read, and printed from there as long as it lives.
///
/// Without a secret it is the token of the person who logged in with `grpc-auth login` for the same
/// server, client, scopes and audience; it is renewed when it has to be.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The address of its token endpoint, for a server without metadata
    #[arg(
        long, value_name = "URL", conflicts_with_all = ["issuer", "auth0_domain"],
        help_heading = "Authorization server"
    )]
    token_endpoint: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    token: TokenSettings,
    /// Prints the token of the person who logged in, though the client has a secret
    #[arg(long, help_heading = "Where it comes from", conflicts_with_all = ["force_refresh", "no_store"])]
    login: bool,
    /// Asks for a new one, though a token that was kept may live
    #[arg(long, help_heading = "Where it comes from")]
    force_refresh: bool,
    /// Neither looks for a kept token nor keeps the new one
    #[arg(long, help_heading = "Where it comes from")]
    no_store: bool,
    /// Reuses a cached token only if it is valid for at least this many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        help_heading = "Where it comes from"
    )]
    min_ttl: u32,
}

const EXAMPLES: &str = "\
Examples:
  A token of a program of its own:
    grpc-auth token --issuer https://issuer.example.com/ --client-id orders \\
      --client-secret-file orders.secret --audience https://echo.example.com --scope read:echo

  The same at Auth0, with the environment that its applications have (AUTH0_DOMAIN,
  AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_AUDIENCE):
    grpc-auth token

  Call a method with it, so that no other process gets to see it:
    TOKEN=$(grpc-auth token) grpcurl -expand-headers \\
      -H 'authorization: Bearer ${TOKEN}' echo.example.com:443 echo.Echo/UnaryEcho

  The secret out of a password manager:
    pass show orders | grpc-auth token --client-secret-file - ..

  For how long is it good?
    grpc-auth token --json | jq .expires_in";

/// A token, and where it comes from.
struct Found {
    token: std::sync::Arc<AccessToken>,
    source: &'static str,
    /// Whether it is of an earlier run. Of a login, the process that renewed it last obtained it.
    kept: Option<bool>,
}

pub(crate) async fn run(args: TokenArgs, output: Output) -> Result<Exit, Failure> {
    let server = match &args.token_endpoint {
        Some(url) => Server::TokenEndpoint(url.clone()),
        None => args.server.required()?,
    };
    let wanted = args.token.clone().wanted(&server);
    let client = args.client.client(server)?;
    let found = if client.is_confidential && !args.login {
        of_its_own(&args, &client, &wanted, output).await?
    } else {
        of_a_person(&client, &wanted, output).await?
    };
    let (token, now) = (&found.token, Clock::system().now());
    let left = token.expires_at().map(|end| end.duration_since(now).unwrap_or_default().as_secs());
    let json = json!({
        "access_token": token.token().expose_secret(),
        "expires_at": token.expires_at().map(unix_seconds),
        "expires_in": left,
        "scope": token.scope(),
        "source": found.source,
        "kept": found.kept,
    });
    // A token68: there is nothing in it that a terminal would act upon.
    output.result(&json, token.token().expose_secret())?;
    Ok(Exit::Done)
}

async fn of_its_own(
    args: &TokenArgs,
    client: &Client,
    wanted: &TokenSettings,
    output: Output,
) -> Result<Found, Failure> {
    const SOURCE: &str = "client_credentials";
    let request = wanted.of_request(client.oauth.client_credentials());
    let source = request.clone().build()?;
    let store = if args.no_store { None } else { Some(TokenStore::open()) };
    let min_ttl = Duration::from_secs(args.min_ttl.into());
    if let Some(Ok(store)) = &store
        && !args.force_refresh
    {
        match store.access_token(&request).await {
            Ok(Some(token)) if lives_until(&token, Clock::system().now() + min_ttl) => {
                return Ok(Found { token: token.into(), source: SOURCE, kept: Some(true) });
            }
            Ok(_) => {}
            // Its permissions were changed: that is to be looked at, and not overwritten.
            Err(error) => return Err(Failure::of(Exit::Failed, &error)),
        }
    }
    let waiting = output.waiting("asking the authorization server for a token");
    let token = source.token().await?;
    drop(waiting);
    let kept = match store {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(store)) => store.keep(&request, &token).await,
    };
    // The token is there, which is what was asked for.
    if let Err(error) = kept {
        let warning = styled(UNSURE, "warning:");
        let error = printable(&error.to_string());
        output.note(format!("{warning} the token is not kept for the next time: {error}"));
    }
    Ok(Found { token, source: SOURCE, kept: Some(false) })
}

fn lives_until(token: &AccessToken, time: std::time::SystemTime) -> bool {
    token.expires_at().is_some_and(|end| end > time)
}

async fn of_a_person(
    client: &Client,
    wanted: &TokenSettings,
    output: Output,
) -> Result<Found, Failure> {
    let store = TokenStore::open().map_err(|error| Failure::of(Exit::Failed, &error))?;
    let login = wanted.of_login(client.oauth.login()).store(store);
    let stored = login.load().await.map_err(crate::login::failure)?;
    let Some(stored) = stored else {
        return Err(Failure::new(
            Exit::LoginNeeded,
            format!(
                "there is no login at `{}` as the client `{}`, with these scopes and this audience",
                client.server.name(),
                client.id
            ),
        )
        .help(
            "run `grpc-auth login` with the same options; for a token of the client's own, give it \
             its secret (`--client-secret-file`, GRPC_AUTH_CLIENT_SECRET)",
        ));
    };
    let waiting = output.waiting("renewing the login");
    let token = stored.tokens().token().await.map_err(|error| match error {
        // It is the login that ended, not the client that is refused.
        ended if ended.is_permanent() => crate::login::failure(LoginError::Server(ended))
            .help("log in again: `grpc-auth login` with the same options"),
        other => other.into(),
    })?;
    drop(waiting);
    Ok(Found { token, source: "login", kept: None })
}
