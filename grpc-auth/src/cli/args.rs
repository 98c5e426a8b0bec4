//! The command line, and what is said of one that is not understood.

use std::ffi::OsStr;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use crate::completions::CompletionsArgs;
use crate::doctor::DoctorArgs;
use crate::failure::{Exit, Failure};
use crate::inspect::InspectArgs;
use crate::login::{LoginArgs, LogoutArgs};
use crate::output::Output;
use crate::secret;
use crate::serve_issuer::ServeIssuerArgs;
use crate::token::TokenArgs;

/// Tokens for gRPC: get one, look into one, find out why a connection does not work
///
/// Gets tokens from an OAuth 2.0 authorization server (Auth0, Keycloak, Okta, Entra, ..), for a
/// program or for the person who sits here; looks into tokens, and says whether a service would
/// accept them; and examines the way to a gRPC server.
///
/// Settings come from options, or from the environment, so that a shell or a CI job says them once.
/// What an option says counts.
#[derive(Debug, Parser)]
#[command(name = "grpc-auth", version, after_long_help = AFTER_HELP, max_term_width = 100)]
#[command(bin_name = "grpc-auth", subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Writes JSON: the result to standard output, an error to standard error
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Token(TokenArgs),
    Login(LoginArgs),
    Logout(LogoutArgs),
    Inspect(InspectArgs),
    Doctor(DoctorArgs),
    ServeIssuer(ServeIssuerArgs),
    Completions(CompletionsArgs),
}

const AFTER_HELP: &str = "\
Environment:
  GRPC_AUTH_ISSUER              --issuer
  GRPC_AUTH_CLIENT_ID           --client-id
  GRPC_AUTH_CLIENT_SECRET       the client's secret itself
  GRPC_AUTH_CLIENT_SECRET_FILE  --client-secret-file
  GRPC_AUTH_SCOPE               --scope, several with spaces between
  GRPC_AUTH_AUDIENCE            --audience
  AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_AUDIENCE
                                the same for a tenant of Auth0; used with that tenant alone
  GRPC_AUTH_STATE_DIR           where tokens are kept between runs; else ~/.local/state/grpc-auth
  NO_COLOR                      no colours; never used where the output is no terminal

Exit codes:
   0  done
   1  something else went wrong: a file, the output, the machine
   2  the command line or a setting cannot work
   3  `inspect`: the token would be refused
   4  the authorization server says no, or the person there does
   5  no answer: try again
   6  not logged in: `grpc-auth login`
  10 and more
      `doctor`: what is wrong, each with a code of its own; see `grpc-auth doctor --help`

Examples:
  Call a method with a token, which no other process gets to see:
    TOKEN=$(grpc-auth token) grpcurl -expand-headers \\
      -H 'authorization: Bearer ${TOKEN}' echo.example.com:443 echo.Echo/UnaryEcho

  Would my service accept this token, and if not, why?
    grpc-auth inspect token.txt --issuer https://issuer.example.com/ \\
      --audience https://echo.example.com

  Why do my clients not get through?
    grpc-auth doctor https://echo.example.com

  Try it all without an account anywhere:
    grpc-auth serve-issuer";

/// Longer than the name of any command or option.
const LONGEST_NAME: usize = 24;

/// Says what is wrong with the command line, or helps.
pub(crate) fn not_understood(mut error: clap::Error) -> Exit {
    let wants_json = std::env::args_os().skip(1).any(|arg| arg == OsStr::new("--json"));
    if let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && let Some(failure) = secret::given_away(option)
    {
        return Output { json: wants_json }.failure(&failure);
    }
    hide_what_may_be_secret(&mut error);
    let is_failure = error.use_stderr();
    if is_failure && wants_json {
        return Output { json: true }.failure(&as_failure(&error));
    }
    // It is optional.
    let _ = error.print();
    if is_failure { Exit::Usage } else { Exit::Done }
}

/// A token or a secret that stands where nothing is expected would be repeated, in a CI job's log
/// for example. What may be a misspelt command is repeated.
fn hide_what_may_be_secret(error: &mut clap::Error) {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return,
    };
    let Some(ContextValue::String(found)) = error.get(kind) else { return };
    let is_name = found.starts_with('-') || kind == ContextKind::InvalidSubcommand;
    if is_name && found.len() <= LONGEST_NAME {
        return;
    }
    error.insert(kind, ContextValue::String("(not repeated: it may be a secret)".into()));
    for suggestion in [ContextKind::Suggested, ContextKind::SuggestedSubcommand] {
        error.remove(suggestion);
    }
}

/// The text of clap, in the words of one line.
fn as_failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::usage(words(first)).help(words(&paragraphs.collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
