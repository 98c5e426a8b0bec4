//! `grpc-auth doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use grpc_auth::BearerToken;
use grpc_auth::doctor::{Doctor, Report};
use grpc_auth::tls::{ClientTls, Identity};
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::output::{BAD, FAINT, GOOD, HEADING, Output, UNSURE, styled};
use crate::printable::printable;
use crate::secret;

/// Finds out why a gRPC connection does not work, and what to do
///
/// Takes the steps of a client one by one: looks up the name, connects, agrees on TLS, begins HTTP/2,
/// and calls a method with an empty message. The first step that fails is explained in a sentence,
/// with what to change where. It takes less than 10 seconds, and changes nothing at the server.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct DoctorArgs {
    /// The server's address, as clients have it: https://echo.example.com:443, or http://.. for one
    /// without TLS
    endpoint: String,
    /// Calls this method, in the place of grpc.health.v1.Health/Check
    #[arg(long, value_name = "SERVICE/METHOD")]
    method: Option<String>,
    /// The file with a token to call with; `-` for standard input
    ///
    /// It is sent over a connection that is verified, or that does not leave this machine, and over
    /// no other.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Gives each step so long
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=9))]
    timeout: u64,
    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
struct TlsArgs {
    /// Trusts servers with certificates of the authorities in this PEM file, and no others; by
    /// default those that this machine trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Expects this name in the server's certificate, for servers that are reached by an address
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// The client's certificate, for servers that ask for one (mutual TLS): a PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of that certificate: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit codes, and what they are called in `--json` (.code):
   0  healthy                      a gRPC server answered, with any status
  10  name-not-found               11  timeout-resolve
  12  connection-refused           13  timeout-connect
  14  unreachable
  20  plaintext-on-tls-port        21  tls-on-plaintext-port
  22  timeout-tls                  23  tls-failed
  24  client-certificate-required  25  client-certificate-refused
  30  certificate-untrusted        31  certificate-expired
  32  certificate-not-yet-valid    33  certificate-wrong-name
  34  certificate-invalid          35  no-roots
  40  alpn-missing                 41  alpn-http1-only
  42  http1-answer                 (\"Response protocol downgraded to HTTP/1.1\")
  50  timeout-http2                51  connection-closed
  52  goaway                       53  http2-error
  60  timeout-call                 61  http-unauthorized
  62  http-forbidden               63  http-not-found
  64  http-server-error            65  redirect
  66  html-page                    67  grpc-web-only
  68  not-grpc
  70  slow                         71  clock-skew

Examples:
  grpc-auth doctor https://echo.example.com

  A server without TLS on this machine:
    grpc-auth doctor http://localhost:50051

  With an authority of your own, by an address:
    grpc-auth doctor https://10.0.0.7:8443 --ca ca.pem --server-name echo.example.com

  Would my token pass? The answer to the call tells:
    grpc-auth token | grpc-auth doctor https://echo.example.com --method echo.Echo/UnaryEcho \\
      --token-file -

  In a script:
    grpc-auth doctor https://echo.example.com --json | jq -r .code";

pub(crate) async fn run(args: DoctorArgs, output: Output) -> Result<Exit, Failure> {
    let mut doctor = Doctor::new(&args.endpoint)?.step_timeout(Duration::from_secs(args.timeout));
    if let Some(tls) = args.tls.client_tls()? {
        doctor = doctor.tls(tls);
    }
    if let Some(method) = &args.method {
        doctor = doctor.method(method)?;
    }
    if let Some(path) = &args.token_file {
        let text = secret::read("token", path)?;
        let token = BearerToken::parse(secret::without_scheme(&text));
        doctor = doctor.token(token.ok_or_else(|| {
            Failure::usage(
                "what is there is no token: it is over 64 KiB, or cannot stand in a header",
            )
        })?);
    }
    let waiting = output.waiting("examining the connection");
    let report = doctor.examine().await;
    drop(waiting);
    let json = serde_json::to_value(&report).unwrap_or(Value::Null);
    output.result(&json, &to_text(&report))?;
    Ok(match report.diagnosis().exit_code() {
        0 => Exit::Done,
        code => Exit::Diagnosed(code),
    })
}

impl TlsArgs {
    fn client_tls(&self) -> Result<Option<ClientTls>, Failure> {
        let is_default = self.ca.is_none() && self.server_name.is_none() && self.cert.is_none();
        if is_default {
            return Ok(None);
        }
        let mut tls = match &self.ca {
            Some(path) => ClientTls::ca_file(path)?,
            None => ClientTls::system()?,
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity(Identity::from_pem_files(cert, key)?);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name)?;
        }
        Ok(Some(tls))
    }
}

fn to_text(report: &Report) -> String {
    let diagnosis = report.diagnosis();
    let style = if diagnosis.is_healthy() { GOOD } else { BAD };
    // The report has its own words for people; here they get their colours.
    let mut text = String::new();
    for line in report.to_string().lines() {
        let line = printable(line);
        let line = match line.split_once(' ') {
            _ if line.starts_with(&format!("{}: ", diagnosis.code())) => {
                let (code, rest) = line.split_once(": ").unwrap_or((&line, ""));
                format!("{}: {rest}", styled(style, code))
            }
            Some(("fix:", rest)) => format!("{} {rest}", styled(GOOD, "fix:")),
            Some(("note:", rest)) => format!("{} {rest}", styled(UNSURE, "note:")),
            _ if line.starts_with("  ok ") => {
                line.replacen("ok", &styled(GOOD, "ok").to_string(), 1)
            }
            _ if line.starts_with("  FAIL ") => {
                line.replacen("FAIL", &styled(BAD, "FAIL").to_string(), 1)
            }
            _ if line == report.endpoint() => styled(HEADING, line).to_string(),
            _ if line.starts_with("  ") => styled(FAINT, line).to_string(),
            _ => line,
        };
        text += &line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_each_class_with_its_exit_code() {
        let documented: Vec<_> = include_str!("../doctor/diagnosis.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("/// | ")?.split_once(" | `"))
            .filter_map(|(code, rest)| Some((code.parse::<u8>().ok()?, rest.split('`').next()?)))
            .collect();
        assert!(documented.len() > 30, "{documented:?}");
        for (code, name) in documented {
            assert!(AFTER_HELP.contains(&format!("{code:>2}  {name}")), "{code} {name}");
        }
    }
}
