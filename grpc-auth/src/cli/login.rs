//! `grpc-auth login` and `grpc-auth logout`.

use std::io;
use std::time::{Duration, SystemTime};

use clap::Args;
use grpc_auth::Clock;
use grpc_auth::client::OAuthClient;
use grpc_auth::login::DevicePrompt;
use grpc_auth::login::{LoginError, LoginErrorKind, LoginOutcome, LogoutOutcome, TokenStore};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::client::{Client, ClientArgs, TokenSettings};
use crate::end::End;
use crate::failure::{Exit, Failure};
use crate::output::{GOOD, HEADING, Output, UNSURE, styled};
use crate::printable::printable;
use crate::server::ServerArgs;
use crate::times::{duration, in_words, unix_seconds};

/// Logs a person in, and keeps their tokens
///
/// Opens the browser (authorization code with PKCE), or with `--device` shows a code to be typed in
/// on any other device, for machines without a browser. The tokens are kept in a file that only you
/// can read, and `grpc-auth token` prints and renews them from then on.
///
/// The client is a program on your machine, so it needs no secret. Register it at the authorization
/// server as a native application, with the redirect URI `http://127.0.0.1/callback/` followed by
/// the issuer without `https://` and without a slash at its end, and any port (RFC 8252):
/// `http://127.0.0.1/callback/tenant.eu.auth0.com`. For `--device`, allow it the device code grant.
#[derive(Debug, Args)]
#[command(after_long_help = LOGIN_EXAMPLES)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    who: WhoArgs,
    /// Shows a code to type in elsewhere, in the place of opening a browser (RFC 8628)
    #[arg(long, help_heading = "Login")]
    device: bool,
    /// Opens no browser, and says where to go
    #[arg(long, help_heading = "Login", conflicts_with = "device")]
    no_browser: bool,
    /// The path of the redirect URI, where the client is registered with another, like `/callback`
    #[arg(long, value_name = "PATH", help_heading = "Login", conflicts_with = "device")]
    callback_path: Option<String>,
    /// How long to wait for the person, at most an hour
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        help_heading = "Login",
        conflicts_with = "device"
    )]
    timeout: u32,
}

/// Ends a login: makes its tokens useless, and forgets them
///
/// Give the options that were given to `grpc-auth login`. The tokens are revoked at the
/// authorization server (RFC 7009), and their file is removed also when that does not work.
#[derive(Debug, Args)]
#[command(after_long_help = LOGOUT_EXAMPLES)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    who: WhoArgs,
}

#[derive(Debug, Args)]
struct WhoArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    token: TokenSettings,
}

impl WhoArgs {
    /// The client, and what its token is to be good for.
    fn client(self) -> Result<(Client, TokenSettings), Failure> {
        let server = self.server.required()?;
        let wanted = self.token.wanted(&server);
        Ok((self.client.client(server)?, wanted))
    }
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  grpc-auth login --auth0-domain tenant.eu.auth0.com --client-id orders-cli \\
    --audience https://orders.example.com --scope read:orders

  Over SSH, or in a container:
    grpc-auth login --device --issuer https://issuer.example.com/ --client-id orders-cli

  Say it once, in the environment, for login, token and logout:
    export GRPC_AUTH_ISSUER=https://issuer.example.com/ GRPC_AUTH_CLIENT_ID=orders-cli
    grpc-auth login && grpc-auth token";

const LOGOUT_EXAMPLES: &str = "\
Examples:
  grpc-auth logout --auth0-domain tenant.eu.auth0.com --client-id orders-cli \\
    --audience https://orders.example.com --scope read:orders";

/// What an identity token may say of a person.
#[derive(Default, Deserialize)]
struct Person {
    name: Option<String>,
    email: Option<String>,
}

const INTERRUPTED: &str =
    "interrupted while the login was under way: `grpc-auth token` tells whether it was complete";

pub(crate) async fn log_in(args: LoginArgs, output: Output) -> Result<Exit, Failure> {
    let (client, wanted) = args.who.client()?;
    let oauth = &client.oauth;
    let logged_in = if args.device {
        let login = wanted.of_login(oauth.device_login()).store(store()?);
        let pending = {
            let _waiting = output.waiting("asking for a code");
            login.start().await.map_err(failure)?
        };
        show(pending.prompt(), output);
        let _waiting = output.waiting("waiting for the code to be typed in");
        pending.wait().await.map_err(failure)?
    } else {
        let login = wanted.of_login(oauth.login()).store(store()?);
        let mut login = login
            .timeout(Duration::from_secs(args.timeout.into()))
            .announce(move |url| announce(url, args.no_browser, output));
        if let Some(path) = args.callback_path {
            login = login.callback_path(path);
        }
        if args.no_browser {
            login = login.browser(|_| Ok::<_, io::Error>(()));
        }
        let end = End::prepare()?;
        let _waiting = output.waiting("waiting for the login in the browser");
        // The file that the browser is opened with goes with the login.
        tokio::select! {
            logged_in = login.run() => logged_in.map_err(failure)?,
            () = end.wait() => return Err(Failure::new(Exit::Failed, INTERRUPTED)),
        }
    };
    welcome(&logged_in, &client, output).await?;
    Ok(Exit::Done)
}

fn announce(url: &Url, is_manual: bool, output: Output) {
    let text = if is_manual {
        "Open this address in a browser on this machine:"
    } else {
        "The browser opens. If it does not, open this address in one on this machine:"
    };
    output
        .instruction(&json!({ "event": "open", "url": url.as_str() }), &format!("{text}\n  {url}"));
}

fn show(prompt: &DevicePrompt, output: Output) {
    let mut text = format!(
        "Open {} on any device, and type in\n\n  {}\n\nThe code is good for {}.",
        prompt.verification_uri(),
        styled(HEADING, printable(prompt.user_code())),
        duration(prompt.expires_in())
    );
    if let Some(url) = prompt.verification_uri_complete() {
        text += &format!(" With the code in it: {url}");
    }
    let json = json!({
        "event": "device",
        "user_code": prompt.user_code(),
        "verification_uri": prompt.verification_uri().as_str(),
        "verification_uri_complete": prompt.verification_uri_complete().map(Url::as_str),
        "expires_in": prompt.expires_in().as_secs(),
    });
    output.instruction(&json, &text);
}

async fn welcome(logged_in: &LoginOutcome, client: &Client, output: Output) -> Result<(), Failure> {
    let token = logged_in.tokens().token().await?;
    // They are for a greeting alone: what does not fit is left out.
    let person: Person = logged_in.claims().unwrap_or_default();
    let who = person.name.or(person.email).or_else(|| logged_in.subject().map(Into::into));
    let json = json!({
        "logged_in": true,
        "issuer": client.server.name(),
        "client_id": client.id,
        "subject": logged_in.subject(),
        "expires_at": token.expires_at().map(unix_seconds),
        "scope": token.scope(),
        "can_renew": logged_in.can_renew(),
    });
    let as_whom = who.map(|who| format!(" as {}", printable(&who))).unwrap_or_default();
    let mut text =
        format!("{}{as_whom} at {}\n", styled(GOOD, "Logged in"), printable(&client.server.name()));
    text += &until(token.expires_at(), logged_in.can_renew());
    text += "`grpc-auth token` with the same options prints the token.\n";
    output.result(&json, &text)
}

fn until(end: Option<SystemTime>, can_renew: bool) -> String {
    let Some(end) = end else { return String::new() };
    let renewal = if can_renew {
        "it is renewed when it is needed"
    } else {
        "then you have to log in again, for the server gave no refresh token"
    };
    format!("The token is good until {}; {renewal}.\n", in_words(end, Clock::system().now()))
}

pub(crate) async fn log_out(args: LogoutArgs, output: Output) -> Result<Exit, Failure> {
    let (client, wanted) = args.who.client()?;
    let login = wanted.of_login(OAuthClient::login(&client.oauth)).store(store()?);
    let waiting = output.waiting("asking the authorization server to revoke the tokens");
    let ended = login.log_out().await.map_err(failure)?;
    drop(waiting);
    let (outcome, style, text) = match &ended {
        LogoutOutcome::Revoked => ("revoked", GOOD, "the tokens are useless from now on".to_owned()),
        LogoutOutcome::NotLoggedIn => {
            ("not-logged-in", UNSURE, "there was no login with these options".to_owned())
        }
        LogoutOutcome::NotRevocable => (
            "not-revocable",
            UNSURE,
            "the tokens are forgotten here, but this server cannot revoke: the access token is good \
             until it expires"
                .to_owned(),
        ),
        LogoutOutcome::NotRevoked(error) => (
            "not-revoked",
            UNSURE,
            format!("the tokens are forgotten here, but they are not revoked: {error}; end the \
                     session at the server, if other programs may have them"),
        ),
        _ => ("logged-out", UNSURE, "the tokens are forgotten here".to_owned()),
    };
    let json = json!({
        "logged_out": outcome,
        "issuer": client.server.name(),
        "client_id": client.id,
    });
    let title = if outcome == "not-logged-in" { "Not logged in" } else { "Logged out" };
    output.result(&json, &format!("{}: {}", styled(style, title), printable(&text)))?;
    Ok(match ended {
        LogoutOutcome::NotRevoked(error) => failure(error).exit,
        _ => Exit::Done,
    })
}

fn store() -> Result<TokenStore, Failure> {
    TokenStore::open().map_err(|error| Failure::of(Exit::Failed, &error))
}

/// In the words of this command line.
pub(crate) fn failure(error: LoginError) -> Failure {
    let kind = error.kind();
    let error = match error {
        LoginError::Config(error) => return error.into(),
        LoginError::Server(error) => return error.into(),
        error => error,
    };
    let exit = match kind {
        LoginErrorKind::Setting => Exit::Usage,
        LoginErrorKind::Server => Exit::Unavailable,
        LoginErrorKind::Machine => Exit::Failed,
        LoginErrorKind::NotLoggedIn => Exit::LoginNeeded,
        LoginErrorKind::Denied => Exit::Denied,
    };
    let help = match error {
        LoginError::Listen(_) | LoginError::Browser(_) => {
            Some("`grpc-auth login --device` needs neither browser nor port here")
        }
        LoginError::TimedOut { .. } => Some("`--timeout SECONDS` waits longer, at most an hour"),
        _ => None,
    };
    Failure { help: help.map(Into::into), ..Failure::of(exit, &error) }
}
