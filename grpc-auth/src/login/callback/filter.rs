//! Which requests begin and answer the login that waits: a pure decision.

use std::collections::HashSet;

use constant_time_eq::constant_time_eq;
use httparse::{EMPTY_HEADER, Request, Status};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

/// A browser sends about 15.
const MAX_HEADERS: usize = 64;

/// What the requests of this login look like.
pub(crate) struct Door {
    /// `127.0.0.1` and the port: the value of `Host` unless another name leads here.
    pub(crate) host: String,
    pub(crate) path: String,
    /// The path that begins the login, which only the person knows.
    pub(crate) start: SecretString,
    pub(crate) state: SecretString,
    /// What the browser that began it is known by.
    pub(crate) cookie: Cookie,
}

/// The browser that begins a login gets it, and has to bring it with the answer.
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: SecretString,
}

/// A request that belongs to the login.
pub(crate) enum Visit {
    /// A browser begins it.
    Start {
        /// It did so before.
        is_known: bool,
    },
    Answer(Answer),
}

/// What the authorization server says by way of the browser (RFC 6749 §4.1.2).
pub(in crate::login) struct Answer {
    pub(in crate::login) result: Result<SecretString, Refused>,
    /// Who says it (RFC 9207).
    pub(in crate::login) issuer: Option<String>,
}

/// RFC 6749 §4.1.2.1.
pub(crate) struct Refused {
    pub(in crate::login) error: String,
    pub(in crate::login) description: Option<String>,
}

/// Why a request is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::login) enum NotTheAnswer {
    #[error("it was no HTTP request")]
    HeadMalformed,
    #[error("its head was longer than 8 KiB")]
    HeadTooLong,
    #[error("it was made for another host than this one")]
    HostOther,
    #[error("its method was not GET")]
    MethodOther,
    #[error("it had a body")]
    BodyPresent,
    #[error("it was for another path")]
    PathOther,
    #[error("one of its parameters stood there twice")]
    ParameterTwice,
    #[error("it had no `state`")]
    StateMissing,
    #[error("its `state` was not the one of this login")]
    StateOther,
    #[error(
        "it did not come from the browser that began this login, or from another profile or \
         container of it, or cookies of 127.0.0.1 are blocked there"
    )]
    BrowserOther,
    #[error("it had neither `code` nor `error`")]
    CodeMissing,
    #[error("it had both `code` and `error`")]
    CodeAndError,
    #[error("this login has been answered before")]
    AnsweredBefore,
    #[error("this login was opened in two browsers")]
    OpenedTwice,
}

impl NotTheAnswer {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::HeadMalformed
            | Self::BodyPresent
            | Self::ParameterTwice
            | Self::StateMissing
            | Self::CodeMissing
            | Self::CodeAndError => 400,
            Self::StateOther | Self::BrowserOther => 403,
            Self::PathOther => 404,
            Self::MethodOther => 405,
            Self::AnsweredBefore | Self::OpenedTwice => 409,
            Self::HostOther => 421,
            Self::HeadTooLong => 431,
        }
    }
}

/// Judges a request by a login that is known to fuzzers.
pub(in crate::login) fn judge_any(head: &[u8]) -> Result<(), NotTheAnswer> {
    let door = Door {
        host: "127.0.0.1:4000".into(),
        path: "/callback".into(),
        start: "/callback/the-start".to_owned().into(),
        state: "the-state".into(),
        cookie: Cookie { name: "login".into(), value: "the-cookie".into() },
    };
    door.judge(head).map(drop)
}

impl Door {
    /// Looks at the head of a request.
    pub(crate) fn judge(&self, head: &[u8]) -> Result<Visit, NotTheAnswer> {
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
        let is_known = self.cookie.stands_in(&request);
        if constant_time_eq(target.as_bytes(), self.start.expose_secret().as_bytes()) {
            return Ok(Visit::Start { is_known });
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != self.path {
            return Err(NotTheAnswer::PathOther);
        }
        self.read(query, is_known).map(Visit::Answer)
    }

    fn read(&self, query: &str, is_known: bool) -> Result<Answer, NotTheAnswer> {
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
            // RFC 6749 §3.1: a reader of the first and a reader of the last see two answers.
            if !names.insert(name) {
                return Err(NotTheAnswer::ParameterTwice);
            }
        }
        let code = code.map(SecretString::from);
        let state = state.ok_or(NotTheAnswer::StateMissing)?;
        if !constant_time_eq(state.as_bytes(), self.state.expose_secret().as_bytes()) {
            return Err(NotTheAnswer::StateOther);
        }
        // RFC 9700 §4.7: the browser that ends it has to be the one that began it.
        if !is_known {
            return Err(NotTheAnswer::BrowserOther);
        }
        let is_given = |code: &SecretString| !code.expose_secret().is_empty();
        let result = match (code.filter(is_given), error.filter(|error| !error.is_empty())) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => {
                // A server that repeats the state in words would show it to every reader.
                let shows_state = |text: &String| text.contains(self.state.expose_secret());
                Err(Refused { error, description: description.filter(|text| !shows_state(text)) })
            }
            (None, None) => return Err(NotTheAnswer::CodeMissing),
            (Some(_), Some(_)) => return Err(NotTheAnswer::CodeAndError),
        };
        Ok(Answer { result, issuer })
    }
}

impl Cookie {
    /// RFC 6265 §5.4. Another port of this address may have set one of the same name.
    fn stands_in(&self, request: &Request<'_, '_>) -> bool {
        let pairs = values(request, "cookie").flat_map(|value| value.split(|byte| *byte == b';'));
        let prefix = format!("{}=", self.name);
        let mut own = pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(prefix.as_bytes()));
        own.any(|value| constant_time_eq(value, self.value.expose_secret().as_bytes()))
    }
}

fn values<'r>(request: &'r Request<'_, '_>, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    let found = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value)
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
