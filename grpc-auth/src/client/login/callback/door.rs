//! Which request is the answer that a login waits for: a pure decision.

use std::collections::HashSet;
use std::fmt;

use constant_time_eq::constant_time_eq;
use httparse::{EMPTY_HEADER, Request, Status};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

/// A browser sends about 15.
const MAX_HEADERS: usize = 64;

/// What the answer looks like.
pub(super) struct Door {
    /// `127.0.0.1` and the port: what stands in `Host` unless another name leads here.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) state: SecretString,
}

/// What the authorization server says by way of the browser (RFC 6749 §4.1.2).
pub(in crate::client::login) struct Answer {
    pub(in crate::client::login) result: Result<SecretString, Refused>,
    /// Who says it (RFC 9207).
    pub(in crate::client::login) issuer: Option<String>,
}

/// RFC 6749 §4.1.2.1.
pub(in crate::client::login) struct Refused {
    pub(in crate::client::login) error: String,
    pub(in crate::client::login) description: Option<String>,
}

/// Why a request is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::login) enum NotTheAnswer {
    HeadMalformed,
    HeadTooLong,
    HostOther,
    MethodOther,
    BodyPresent,
    PathOther,
    ParameterTwice,
    StateMissing,
    StateOther,
    CodeMissing,
    CodeAndError,
    AnsweredBefore,
}

impl NotTheAnswer {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::HeadMalformed
            | Self::BodyPresent
            | Self::ParameterTwice
            | Self::StateMissing
            | Self::CodeMissing
            | Self::CodeAndError => 400,
            Self::StateOther => 403,
            Self::PathOther => 404,
            Self::MethodOther => 405,
            Self::AnsweredBefore => 409,
            Self::HostOther => 421,
            Self::HeadTooLong => 431,
        }
    }
}

impl fmt::Display for NotTheAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadMalformed => "it was no HTTP request",
            Self::HeadTooLong => "its head was longer than 8 KiB",
            Self::HostOther => "it was made for another host than this one",
            Self::MethodOther => "its method was not GET",
            Self::BodyPresent => "it had a body",
            Self::PathOther => "it was for another path",
            Self::ParameterTwice => "one of its parameters stood there twice",
            Self::StateMissing => "it had no `state`",
            Self::StateOther => "its `state` was not the one of this login",
            Self::CodeMissing => "it had neither `code` nor `error`",
            Self::CodeAndError => "it had both `code` and `error`",
            Self::AnsweredBefore => "this login has been answered before",
        })
    }
}

impl Door {
    /// Looks at the head of a request.
    pub(super) fn judge(&self, head: &[u8]) -> Result<Answer, NotTheAnswer> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut headers);
        let Ok(Status::Complete(_)) = request.parse(head) else {
            return Err(NotTheAnswer::HeadMalformed);
        };
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(NotTheAnswer::HeadMalformed);
        };
        // First, so that a page whose name was made to lead here learns nothing (DNS rebinding).
        let mut hosts = values(&request, "host");
        if hosts.next() != Some(self.host.as_bytes()) || hosts.next().is_some() {
            return Err(NotTheAnswer::HostOther);
        }
        if method != "GET" {
            return Err(NotTheAnswer::MethodOther);
        }
        let is_empty = |length: &[u8]| length == b"0";
        if values(&request, "transfer-encoding").next().is_some()
            || !values(&request, "content-length").all(is_empty)
        {
            return Err(NotTheAnswer::BodyPresent);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != self.path {
            return Err(NotTheAnswer::PathOther);
        }
        self.read(query)
    }

    fn read(&self, query: &str) -> Result<Answer, NotTheAnswer> {
        let (mut code, mut error, mut state) = (None, None, None);
        let (mut description, mut issuer) = (None, None);
        let mut names = HashSet::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                "state" => &mut state,
                "iss" => &mut issuer,
                _ => &mut None,
            };
            *slot = Some(value.into_owned());
            // RFC 6749 §3.1: whoever reads the first and whoever reads the last see two answers.
            if !names.insert(name) {
                return Err(NotTheAnswer::ParameterTwice);
            }
        }
        let code = code.map(SecretString::from);
        let state = state.ok_or(NotTheAnswer::StateMissing)?;
        if !constant_time_eq(state.as_bytes(), self.state.expose_secret().as_bytes()) {
            return Err(NotTheAnswer::StateOther);
        }
        let is_given = |code: &SecretString| !code.expose_secret().is_empty();
        let result = match (code.filter(is_given), error.filter(|error| !error.is_empty())) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => {
                // A server that repeats the state in words would show it to whoever reads them.
                let shows_state = |text: &String| text.contains(self.state.expose_secret());
                Err(Refused { error, description: description.filter(|text| !shows_state(text)) })
            }
            (None, None) => return Err(NotTheAnswer::CodeMissing),
            (Some(_), Some(_)) => return Err(NotTheAnswer::CodeAndError),
        };
        Ok(Answer { result, issuer })
    }
}

fn values<'r>(request: &'r Request<'_, '_>, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    let found = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(head: &str) -> Result<String, NotTheAnswer> {
        let door = Door {
            host: "127.0.0.1:4000".into(),
            path: "/callback".into(),
            state: "the-state".into(),
        };
        door.judge(head.as_bytes()).map(|answer| match answer.result {
            Ok(code) => format!("code {} by {:?}", code.expose_secret(), answer.issuer),
            Err(refused) => format!("{} ({:?})", refused.error, refused.description),
        })
    }

    fn get(target: &str) -> Result<String, NotTheAnswer> {
        judge(&format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n"))
    }

    #[test]
    fn answers_with_the_state_are_taken() {
        for (query, expected) in [
            ("code=c%2B1&state=the-state", "code c+1 by None"),
            ("state=the-state&code=c&iss=https%3A%2F%2Fa&x=y", r#"code c by Some("https://a")"#),
            ("error=access_denied&state=the-state", "access_denied (None)"),
            ("error=e&error_description=no+more&state=the-state", r#"e (Some("no more"))"#),
            ("error=e&error_description=of+the-state&state=the-state", "e (None)"),
            ("code=&error=e&state=the-state", "e (None)"),
        ] {
            assert_eq!(get(&format!("/callback?{query}")).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn each_other_target_is_refused_by_its_reason() {
        for (target, reason) in [
            ("/callback", NotTheAnswer::StateMissing),
            ("/callback?code=c", NotTheAnswer::StateMissing),
            ("/callback?code=c&state=", NotTheAnswer::StateOther),
            ("/callback?code=c&state=the-stat", NotTheAnswer::StateOther),
            ("/callback?code=c&state=the-statE", NotTheAnswer::StateOther),
            ("/callback?error=e&state=other", NotTheAnswer::StateOther),
            ("/callback?state=the-state", NotTheAnswer::CodeMissing),
            ("/callback?code=&state=the-state", NotTheAnswer::CodeMissing),
            ("/callback?code=c&error=e&state=the-state", NotTheAnswer::CodeAndError),
            ("/callback?code=c&code=c&state=the-state", NotTheAnswer::ParameterTwice),
            ("/callback?code=c&state=the-state&state=x", NotTheAnswer::ParameterTwice),
            ("/callback?code=c&state=the-state&%73tate=x", NotTheAnswer::ParameterTwice),
            ("/callback?code=c&state=the-state&iss=a&iss=b", NotTheAnswer::ParameterTwice),
            ("/callback/?code=c&state=the-state", NotTheAnswer::PathOther),
            ("/Callback?code=c&state=the-state", NotTheAnswer::PathOther),
            ("//callback?code=c&state=the-state", NotTheAnswer::PathOther),
            ("/%63allback?code=c&state=the-state", NotTheAnswer::PathOther),
            ("/favicon.ico", NotTheAnswer::PathOther),
            ("http://127.0.0.1:4000/callback?code=c&state=the-state", NotTheAnswer::PathOther),
        ] {
            assert_eq!(get(target), Err(reason), "{target}");
        }
    }

    #[test]
    fn each_other_head_is_refused_by_its_reason() {
        let target = "/callback?code=c&state=the-state";
        for (head, reason) in [
            (format!("GET {target} HTTP/1.1\r\n\r\n"), NotTheAnswer::HostOther),
            (
                format!("GET {target} HTTP/1.1\r\nHost: localhost:4000\r\n\r\n"),
                NotTheAnswer::HostOther,
            ),
            (format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), NotTheAnswer::HostOther),
            (
                format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:40000\r\n\r\n"),
                NotTheAnswer::HostOther,
            ),
            (
                format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nHost: evil\r\n\r\n"),
                NotTheAnswer::HostOther,
            ),
            (
                format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n"),
                NotTheAnswer::MethodOther,
            ),
            (
                format!("HEAD {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n"),
                NotTheAnswer::MethodOther,
            ),
            (
                format!("get {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n"),
                NotTheAnswer::MethodOther,
            ),
            (
                format!(
                    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\ncontent-length: 1\r\n\r\n"
                ),
                NotTheAnswer::BodyPresent,
            ),
            (
                format!(
                    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nTransfer-Encoding: chunked\r\n\r\n"
                ),
                NotTheAnswer::BodyPresent,
            ),
            (
                format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n"),
                NotTheAnswer::HeadMalformed,
            ),
            (
                format!(
                    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n{}\r\n",
                    "a: b\r\n".repeat(64)
                ),
                NotTheAnswer::HeadMalformed,
            ),
            ("\r\n\r\n".into(), NotTheAnswer::HeadMalformed),
            ("\u{0}\r\n\r\n".into(), NotTheAnswer::HeadMalformed),
            ("PRI * HTTP/2.0\r\n\r\n".into(), NotTheAnswer::HeadMalformed),
        ] {
            assert_eq!(judge(&head), Err(reason), "{head}");
        }
    }
}
