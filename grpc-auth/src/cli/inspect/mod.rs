//! `grpc-auth inspect`.

mod decoded;
mod verdict;
mod verifier;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use grpc_auth::{Clock, Issuer, PresetClients};
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::output::{BAD, FAINT, GOOD, HEADING, Output, UNSURE, styled};
use crate::printable::printable;
use crate::secret;
use crate::server::ServerArgs;
use decoded::Decoded;
use verdict::{Verdict, facts};

/// Decodes a token, and says whether a service would accept it, and why not
///
/// Shows header and claims of a JWT, and never its signature: what is shown cannot be used to call
/// anything. With an issuer and an audience it is then judged as a service protected by this library
/// judges it, against the issuer's keys; the reason is the one in the service's log,
/// which callers are not told.
///
/// Without an issuer nothing is verified: any program can write a token that says anything.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// The file with the token; `-` for standard input
    ///
    /// A token itself is not taken: arguments can be read by every process. `Bearer` before it, as in
    /// a header, is skipped.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// What the service is configured with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceArgs {
    /// What the service is called at the authorization server; `aud` has to contain it
    /// [env: GRPC_AUTH_AUDIENCE, AUTH0_AUDIENCE]
    ///
    /// Several may be given; one is enough.
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Vec<String>,
    /// Whose tokens these are: providers differ in types, claims and scopes
    #[arg(long, value_parser = providers(), default_value = OIDC)]
    pub(crate) provider: String,
    /// Accepts tokens of this `typ` too; "" for those that have none
    #[arg(long, value_name = "TYP")]
    pub(crate) accept_type: Vec<String>,
    /// Accepts tokens without `kid`: each key of the issuer that fits is tried
    #[arg(long)]
    pub(crate) allow_missing_key_id: bool,
    /// How many bytes a token may have, from 1024 to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024)]
    pub(crate) max_token_bytes: usize,
    /// The client that the service is, or whose tokens it takes, where the provider asks for it
    #[arg(long, value_name = "ID")]
    pub(crate) client: Vec<String>,
    /// Takes the issuer's keys from this file, without a request: its `jwks_uri`, saved before
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
    /// By how many seconds clocks may differ
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) leeway: u64,
}

/// The provider where none is named.
const OIDC: &str = "oidc";

fn providers() -> PossibleValuesParser {
    PossibleValuesParser::new(Issuer::PRESETS.iter().map(|preset| {
        let clients = match preset.clients {
            PresetClients::Service => ", with the service's own `--client`",
            PresetClients::Callers => ", with each `--client` whose tokens count",
            PresetClients::Unused => "",
        };
        PossibleValue::new(preset.name).help(format!("{}{clients}", preset.form))
    }))
}

const EXAMPLES: &str = "\
Exit code: 0 if the token is accepted, or was not judged; 3 if it is refused; 5 if the issuer's keys
cannot be had.

Examples:
  What is in it?
    grpc-auth inspect < token.txt

  Would my service accept it?
    grpc-auth token | grpc-auth inspect --issuer https://issuer.example.com/ \\
      --audience https://echo.example.com

  The same for a tenant of Auth0, whose tokens look different:
    grpc-auth inspect token.txt --auth0-domain tenant.eu.auth0.com --audience https://echo.example.com

  Without a network, with keys that were saved:
    grpc-auth inspect token.txt --issuer https://issuer.example.com/ --jwks jwks.json \\
      --audience https://echo.example.com

  For a script:
    grpc-auth inspect token.txt --issuer .. --audience .. --json | jq -r .verdict.code";

pub(crate) async fn run(args: InspectArgs, output: Output) -> Result<Exit, Failure> {
    if secret::looks_like_a_token(&args.file) {
        return Err(Failure::usage(
            "a token is not taken as an argument: every process on this machine can read it, and the \
             shell keeps it",
        )
        .help("pipe it in (`.. | grpc-auth inspect`), or write the name of a file that holds it"));
    }
    let text = secret::read("token", Path::new(&args.file))?;
    let token = secret::without_scheme(&text);
    let now = Clock::system().now();
    let decoded = Decoded::of(token);
    let verdict = match verifier::configured(&args.server, &args.service)? {
        None => Verdict::NotJudged,
        Some(verifier) => {
            let waiting = output.waiting("asking the issuer for its keys");
            let verdict = verifier.judge(token, &decoded, now).await?;
            drop(waiting);
            verdict
        }
    };
    let mut json = decoded.to_json(now);
    if let Value::Object(members) = &mut json {
        members.insert("verdict".into(), verdict.to_json());
    }
    output.result(&json, &format!("{}\n{}", decoded.to_text(now), to_text(&verdict, now)))?;
    Ok(verdict.exit())
}

fn to_text(verdict: &Verdict, now: SystemTime) -> String {
    let heading = styled(HEADING, "Verdict");
    match verdict {
        Verdict::NotJudged => format!(
            "{heading}  {}\n  Nothing was verified: any program can write such a token.\n  {} \
             `--issuer URL --audience AUDIENCE` says what a service makes of it.\n",
            styled(UNSURE, "not judged"),
            styled(FAINT, "help:"),
        ),
        Verdict::Accepted(principal) => {
            let mut text = format!("{heading}  {}\n", styled(GOOD, "accepted"));
            for (name, value) in facts(principal, now) {
                text += &format!("  {name:<9} {}\n", printable(&value));
            }
            text
        }
        Verdict::Refused(refused) => {
            let style = if refused.is_unavailable { UNSURE } else { BAD };
            let word = if refused.is_unavailable { "unknown" } else { "refused" };
            let mut text = format!("{heading}  {} ({})\n", styled(style, word), refused.code);
            text += &format!("  {}.\n", capitalized(&printable(&refused.cause)));
            for detail in &refused.details {
                text += &format!("  {}.\n", capitalized(&printable(detail)));
            }
            text += &format!("  {} {}.\n", styled(GOOD, "help:"), printable(&refused.help));
            text
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl Verdict {
    fn exit(&self) -> Exit {
        match self {
            Self::NotJudged | Self::Accepted(_) => Exit::Done,
            Self::Refused(refused) if refused.is_unavailable => Exit::Unavailable,
            Self::Refused(_) => Exit::Refused,
        }
    }
}
