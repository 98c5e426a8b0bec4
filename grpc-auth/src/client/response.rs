//! What a token endpoint answers (RFC 6749 §5).

pub(crate) mod error_response;

use std::time::{Duration, SystemTime};

use error_response::{refusal, refused};
use secrecy::SecretString;
use serde::Deserialize;

use super::error::TokenError;
use crate::http::client::Answer;
use crate::json;
use crate::json::error::JsonError;
use crate::token::bearer::BearerToken;

/// In seconds. A token with a shorter lifetime would have to be renewed for each call.
const MIN_LIFETIME: f64 = 1.0;
/// In seconds: a hundred years. A longer time does not fit into every calendar.
const MAX_LIFETIME: f64 = 100.0 * 365.0 * 24.0 * 3600.0;
/// RFC 8693 §3: what can be sent to a service as it is.
const SENDABLE: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"];

/// A token, as it was granted.
#[derive(Debug)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: BearerToken,
    pub(crate) token_type: TokenType,
    /// Counted from the request.
    pub(crate) expires_in: Option<Duration>,
    /// Granted, if they differ from what was asked for.
    pub(crate) scope: Option<String>,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) id_token: Option<SecretString>,
}

impl TokenResponse {
    /// Refuses a token of another type than was asked for: one that is not bound, where it was to
    /// be, could be used by any program that finds it (RFC 9449 §5).
    pub(crate) fn of_type(self, expected: TokenType) -> Result<Self, TokenError> {
        if self.token_type == expected {
            return Ok(self);
        }
        let problem = match expected {
            TokenType::Dpop => {
                "its `token_type` is `Bearer`, and `.dpop(key)` asks for tokens that are bound to \
                 the key: allow the client such tokens at the authorization server"
            }
            TokenType::Bearer => {
                "its `token_type` is `DPoP`, and no key was sent for it: write `.dpop(key)`"
            }
        };
        Err(TokenError::AnswerInvalid { problem: problem.into() })
    }
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenType {
    Bearer,
    Dpop,
}

#[derive(Deserialize)]
struct Document {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
    scope: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
    /// RFC 8693 §2.2.1.
    issued_token_type: Option<String>,
}

/// Some servers write it as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

/// Reads the answer. Its words and member names are left out of an error if they show a secret.
pub(crate) fn read(
    answer: &Answer,
    now: SystemTime,
    is_secret: impl Fn(&str) -> bool,
) -> Result<TokenResponse, TokenError> {
    if answer.status != 200 {
        return Err(refusal(answer, now, is_secret));
    }
    let invalid = |problem: &'static str| TokenError::AnswerInvalid { problem: problem.into() };
    let document: Document =
        json::read(&answer.body).map_err(|error| unreadable(&error, &is_secret))?;
    let Some(access_token) = document.access_token else {
        // Some servers refuse with status 200.
        return Err(
            refused(&answer.body, is_secret).unwrap_or_else(|| invalid("it has no `access_token`"))
        );
    };
    let access_token = BearerToken::parse(&access_token)
        .ok_or_else(|| invalid("its `access_token` cannot stand in a header, or is over 64 KiB"))?;
    let token_type = match document.token_type.as_deref() {
        Some(name) if name.eq_ignore_ascii_case("bearer") => TokenType::Bearer,
        Some(name) if name.eq_ignore_ascii_case("dpop") => TokenType::Dpop,
        Some(_) => return Err(invalid("its `token_type` is neither `Bearer` nor `DPoP`")),
        None => return Err(invalid("it has no `token_type`")),
    };
    if document.issued_token_type.is_some_and(|kind| !SENDABLE.contains(&&*kind)) {
        return Err(invalid("its `issued_token_type` is neither an access token nor a JWT"));
    }
    let expires_in = document.expires_in.map(|seconds| {
        seconds.read().ok_or_else(|| invalid("its `expires_in` is no number of seconds to live"))
    });
    let expires_in = expires_in.transpose()?;
    Ok(TokenResponse {
        access_token,
        token_type,
        expires_in,
        scope: document.scope,
        refresh_token: document.refresh_token.filter(|token| !token.is_empty()).map(Into::into),
        id_token: document.id_token.map(Into::into),
    })
}

impl Seconds {
    fn read(self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => seconds,
            Self::Text(text) => text.parse().ok()?,
        };
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        (MIN_LIFETIME..=MAX_LIFETIME).contains(&seconds).then_some(duration)
    }
}

fn unreadable(error: &JsonError, is_secret: impl Fn(&str) -> bool) -> TokenError {
    let problem = error.to_string();
    let problem = match is_secret(&problem) {
        true => "a member whose name shows a secret cannot be read".into(),
        false => problem.into(),
    };
    TokenError::AnswerInvalid { problem }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::RETRY_AFTER;
    use secrecy::ExposeSecret;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.into() }
    }

    fn read(status: u16, body: &str) -> Result<TokenResponse, TokenError> {
        let is_secret = |text: &str| text.contains("s3cret");
        super::read(&answer(status, body), SystemTime::UNIX_EPOCH, is_secret)
    }

    #[test]
    fn an_answer_is_read_with_all_that_is_of_interest() {
        let good = r#" {"access_token":"a.b-c~d+e/f==","token_type":"bEARER","expires_in":3600,
            "scope":"a b","refresh_token":"r","id_token":"i","more":[1,{"x":null}]} "#;
        let read = read(200, good).unwrap();
        assert_eq!(read.access_token.expose_secret(), "a.b-c~d+e/f==");
        assert_eq!(read.token_type, TokenType::Bearer);
        assert_eq!(read.expires_in, Some(Duration::from_secs(3600)));
        assert_eq!(read.scope.as_deref(), Some("a b"));
        assert_eq!(read.refresh_token.unwrap().expose_secret(), "r");
        assert_eq!(read.id_token.unwrap().expose_secret(), "i");
    }

    #[test]
    fn a_lifetime_is_a_number_of_seconds_and_no_other_is_believed() {
        let lifetime = |expires_in: &str| {
            let body = format!(
                r#"{{"access_token":"a","token_type":"Bearer","expires_in":{expires_in}}}"#
            );
            read(200, &body).map(|read| read.expires_in.map(|life| life.as_secs_f64()))
        };
        for (expires_in, expected) in [
            ("3600", 3600.0),
            ("3600.5", 3600.5),
            ("\"3600\"", 3600.0),
            ("1e3", 1000.0),
            ("1", 1.0),
            ("3153600000", 3_153_600_000.0),
        ] {
            assert_eq!(lifetime(expires_in).unwrap(), Some(expected), "{expires_in}");
        }
        assert_eq!(lifetime("null").unwrap(), None);
        for bad in [
            "0",
            "0.001",
            "0.999",
            "-1",
            "\"-1\"",
            "\"NaN\"",
            "\"inf\"",
            "\"soon\"",
            "\"\"",
            "3153600001",
            "18446744073709551615",
            "1e300",
        ] {
            let error = lifetime(bad).unwrap_err().to_string();
            assert!(
                error.contains("`expires_in` is no number of seconds to live"),
                "{bad}: {error}"
            );
        }
        // These are not JSON, or nothing that could be a number.
        let other = "`expires_in` has a value that its type rejects";
        for (bad, problem) in [
            ("NaN", "it is not valid JSON: a value is missing"),
            ("1e400", "`expires_in` cannot be read: a number is out of range"),
            ("[3600]", other),
            ("{}", other),
            ("true", other),
            ("3600, \"expires_in\": 60", "the member `expires_in` occurs twice"),
        ] {
            let error = lifetime(bad).unwrap_err().to_string();
            assert!(error.contains(problem), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_no_token_is_said_by_its_reason() {
        let token = |more: &str| format!(r#"{{"access_token":"a","token_type":"Bearer"{more}}}"#);
        for (body, problem) in [
            (String::new(), "not valid JSON: it ends early"),
            ("<!doctype html>".into(), "not valid JSON: a value is missing"),
            ("null".into(), "it is null, expected an object"),
            (r#"["a","Bearer"]"#.into(), "it is an array, expected an object"),
            (format!("{}x", token("")), "something follows the document"),
            (token(r#","access_token":"b""#), "`access_token` occurs twice"),
            (token(r#","access\u005ftoken":"b""#), "`access_token` occurs twice"),
            (token(r#","more":{"x":1,"x":2}"#), "`more.x` occurs twice"),
            (
                r#"{"access_token":1,"token_type":"Bearer"}"#.into(),
                "`access_token` is a number, expected a string",
            ),
            (r#"{"token_type":"Bearer"}"#.into(), "no `access_token`"),
            (r#"{"access_token":"","token_type":"Bearer"}"#.into(), "cannot stand in a header"),
            (r#"{"access_token":"a b","token_type":"Bearer"}"#.into(), "cannot stand in a header"),
            (r#"{"access_token":"a\nb","token_type":"Bearer"}"#.into(), "cannot stand in a header"),
            (
                format!(
                    r#"{{"access_token":"{}","token_type":"Bearer"}}"#,
                    "a".repeat(64 * 1024 + 1)
                ),
                "64 KiB",
            ),
            (r#"{"access_token":"a"}"#.into(), "no `token_type`"),
            (r#"{"access_token":"a","token_type":"mac"}"#.into(), "neither `Bearer` nor `DPoP`"),
            (r#"{"access_token":"a","token_type":"N_A"}"#.into(), "neither `Bearer` nor `DPoP`"),
            (
                token(r#","issued_token_type":"urn:ietf:params:oauth:token-type:id_token""#),
                "neither an access token nor a JWT",
            ),
        ] {
            let error = read(200, &body).unwrap_err();
            assert!(!error.is_permanent(), "{body}");
            assert!(error.to_string().contains(problem), "{body}: {error}");
        }
        let exchanged = r#","issued_token_type":"urn:ietf:params:oauth:token-type:access_token""#;
        assert!(read(200, &token(exchanged)).is_ok());
    }

    #[test]
    fn a_refusal_is_read_where_it_is_one() {
        for (status, body, expected) in [
            (400, r#"{"error":"invalid_scope"}"#, Some("invalid_scope")),
            (401, r#"{"error":"invalid_client","error_description":"no"}"#, Some("invalid_client")),
            (403, r#"{"error":"access_denied"}"#, Some("access_denied")),
            (200, r#"{"error":"invalid_grant"}"#, Some("invalid_grant")),
            (400, r#"{"error":"a","error":"b"}"#, None),
            (400, r#"{"error":"two words"}"#, None),
            (400, r#"{"error":"s3cret"}"#, None),
            (400, r#"{"error":""}"#, None),
            (400, r#"["invalid_scope"]"#, None),
            (400, "<html>", None),
            (500, r#"{"error":"invalid_scope"}"#, None),
            (302, r#"{"error":"invalid_scope"}"#, None),
        ] {
            let error = read(status, body).unwrap_err();
            let found = match &error {
                TokenError::Refused { error, .. } => Some(&**error),
                _ => None,
            };
            assert_eq!(found, expected, "{status} {body}: {error}");
            assert_eq!(error.is_permanent(), expected.is_some(), "{status} {body}");
        }
    }

    #[test]
    fn a_description_is_cut_and_shows_no_secret() {
        let describe = |description: &str| {
            let document = serde_json::json!({
                "error": "invalid_client",
                "error_description": description,
            });
            match read(401, &document.to_string()).unwrap_err() {
                TokenError::Refused { description, .. } => description.map(String::from),
                other => panic!("{other}"),
            }
        };
        let plain = "the client is not known at https://issuer.example.com/a/b";
        assert_eq!(describe(plain).as_deref(), Some(plain));
        assert_eq!(describe(&"word ".repeat(100)).unwrap().len(), 256);
        assert_eq!(describe("the secret s3cret is wrong"), None);
        assert_eq!(describe(&format!("{} s3cret", "word ".repeat(100))), None);
        assert_eq!(describe(&format!("bad assertion '{}'", "eyJhbGci.".repeat(5))), None);
    }

    #[test]
    fn a_member_name_that_shows_a_secret_is_left_out() {
        for body in [r#"{"is-s3cret":"\ud800"}"#, r#"{"a":{"s3cret":1,"s3cret":1}}"#] {
            let error = read(200, body).unwrap_err().to_string();
            assert!(error.contains("a member whose name shows a secret"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_heard() {
        let mut busy = answer(429, "");
        busy.headers.insert(RETRY_AFTER, 7.into());
        let error = super::read(&busy, SystemTime::UNIX_EPOCH, |_| false).unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(!error.is_permanent());
    }

    #[test]
    fn debug_shows_no_token() {
        let body = r#"{"access_token":"canary1","token_type":"DPoP","refresh_token":"canary2",
            "id_token":"canary3"}"#;
        let shown = format!("{:?}", read(200, body).unwrap());
        assert!(shown.contains("Dpop") && !shown.contains("canary"), "{shown}");
    }
}
