//! What a service makes of a token.

use std::time::SystemTime;

use grpc_auth::{Principal, VerifyError};
use serde_json::{Value, json};

use super::decoded::Decoded;
use crate::times::{in_words, numeric_date, unix_seconds};

pub(super) enum Verdict {
    /// There is no issuer to judge it by.
    NotJudged,
    Accepted(Principal),
    Refused(Refusal),
}

/// Why it is rejected.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) cause: String,
    /// What was found, and what was expected.
    pub(super) details: Vec<String>,
    pub(super) help: String,
    /// It is the keys that are missing: another time it may be accepted.
    pub(super) is_unavailable: bool,
}

/// What the token was compared with.
pub(super) struct Expected {
    pub(super) audiences: Vec<String>,
    pub(super) clients: Vec<String>,
}

/// Who calls with it, and what it grants.
pub(super) fn facts(principal: &Principal, now: SystemTime) -> Vec<(&'static str, String)> {
    let scopes: Vec<_> = principal.scopes().collect();
    let grants = if scopes.is_empty() { "nothing".into() } else { scopes.join(", ") };
    let mut facts = vec![("issuer", principal.issuer().to_owned())];
    facts.extend(principal.subject().map(|subject| ("subject", subject.to_owned())));
    facts.extend(principal.client_id().map(|client| ("client", client.to_owned())));
    facts.extend([("grants", grants), ("expires", in_words(principal.expires_at(), now))]);
    facts
}

impl Verdict {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::NotJudged => json!({ "outcome": "not-judged" }),
            Self::Accepted(principal) => json!({
                "outcome": "accepted",
                "issuer": principal.issuer(),
                "subject": principal.subject(),
                "client_id": principal.client_id(),
                "scopes": principal.scopes().collect::<Vec<_>>(),
                "expires_at": unix_seconds(principal.expires_at()),
            }),
            Self::Refused(refused) => json!({
                "outcome": if refused.is_unavailable { "unknown" } else { "refused" },
                "code": refused.code,
                "cause": refused.cause,
                "details": refused.details,
                "help": refused.help,
            }),
        }
    }
}

impl Refusal {
    /// In the words of the log, with what was found and what was expected.
    pub(super) fn new(
        refused: &VerifyError,
        decoded: &Decoded,
        expected: &Expected,
        now: SystemTime,
    ) -> Self {
        let code = refused.code();
        let is_unavailable = refused.denied() == grpc_auth::DenialReason::BackendUnavailable;
        let details = detail(code, decoded, expected, now).into_iter().collect();
        let help = match option(code) {
            Some(option) => format!("{}. Here: {option}", refused.help()),
            None => refused.help().to_owned(),
        };
        Self { code, cause: refused.to_string(), details, help, is_unavailable }
    }

    /// What is no token at all.
    pub(super) fn malformed(token: &str) -> Self {
        let details = vec![format!("it has {} bytes", token.len())];
        Self {
            code: "malformed",
            cause: "a header cannot carry this as a bearer token: it is over 64 KiB, or has other \
                    characters than RFC 9110 §11.2 allows"
                .into(),
            details,
            help: "copy the token whole and nothing else: no quotes, no line breaks, no second one"
                .into(),
            is_unavailable: false,
        }
    }
}

/// What was found beside what was expected.
fn detail(code: &str, decoded: &Decoded, expected: &Expected, now: SystemTime) -> Option<String> {
    let found = |name: &str, value: Option<&Value>| match value {
        Some(value) => format!("`{name}` is {value}"),
        None => format!("`{name}` is missing"),
    };
    let claim = |name| found(name, decoded.claim(name));
    let header = |name| found(name, decoded.parameter(name));
    let date = |name: &str| {
        let time = decoded.claim(name).and_then(Value::as_f64).and_then(numeric_date)?;
        Some(format!("`{name}` is {}", in_words(time, now)))
    };
    Some(match code {
        "issuer" => claim("iss"),
        "audience" => claim("aud"),
        "client" => format!("{}; configured is {}", claim("client_id"), list(&expected.clients)),
        "token-type" => header("typ"),
        "algorithm" | "algorithm-not-allowed" => header("alg"),
        "key-unknown" | "key-unfit" => header("kid"),
        "sender-constrained" | "confirmation" => claim("cnf"),
        "expired" => return date("exp"),
        "not-yet-valid" => return date("nbf"),
        "issued-in-future" => return date("iat"),
        _ => return None,
    })
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| json!(value).to_string()).collect::<Vec<_>>().join(", ")
}

/// The option that has a say in it.
fn option(code: &str) -> Option<&'static str> {
    Some(match code {
        "issuer" => "`--issuer`",
        "audience" => "`--audience`",
        "client" => "`--client`",
        "token-type" => "`--accept-type`, or `--provider`",
        "key-id-missing" => "`--allow-missing-key-id`",
        "too-long" => "`--max-token-bytes`",
        "required-claim" | "grants" => "`--provider`",
        "not-yet-valid" | "issued-in-future" => "`--leeway`, at most 300 s",
        "key-unknown" => "`--jwks`, or without it the keys that the issuer has now",
        _ => return None,
    })
}
