//! Which requests begin and answer the login that waits: a pure decision.

use std::collections::HashSet;
use std::fmt;

use constant_time_eq::constant_time_eq;
use httparse::{EMPTY_HEADER, Request, Status};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

/// A browser sends about 15.
const MAX_HEADERS: usize = 64;

/// What the requests of this login look like.
pub(super) struct Door {
    /// `127.0.0.1` and the port: what stands in `Host` unless another name leads here.
    pub(super) host: String,
    pub(super) path: String,
    /// The path that begins the login, which only the person knows.
    pub(super) start: SecretString,
    pub(super) state: SecretString,
    /// What the browser that began it is known by.
    pub(super) cookie: Cookie,
}

/// The browser that begins a login gets it, and has to bring it with the answer.
pub(super) struct Cookie {
    pub(super) name: String,
    pub(super) value: SecretString,
}

/// A request that belongs to the login.
pub(super) enum Visit {
    /// A browser begins it.
    Start {
        /// It did so before.
        is_known: bool,
    },
    Answer(Answer),
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
    BrowserOther,
    CodeMissing,
    CodeAndError,
    AnsweredBefore,
    OpenedTwice,
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
            Self::StateOther | Self::BrowserOther => 403,
            Self::PathOther => 404,
            Self::MethodOther => 405,
            Self::AnsweredBefore | Self::OpenedTwice => 409,
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
            Self::BrowserOther => {
                "it did not come from the browser that began this login, or from another profile or \
                 container of it, or cookies of 127.0.0.1 are blocked there"
            }
            Self::CodeMissing => "it had neither `code` nor `error`",
            Self::CodeAndError => "it had both `code` and `error`",
            Self::AnsweredBefore => "this login has been answered before",
            Self::OpenedTwice => "this login was opened in two browsers",
        })
    }
}

impl Door {
    /// Looks at the head of a request.
    pub(super) fn judge(&self, head: &[u8]) -> Result<Visit, NotTheAnswer> {
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
        // RFC 9700 §4.7: whoever ends it has to be the one who began it.
        if !is_known {
            return Err(NotTheAnswer::BrowserOther);
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
mod tests {
    use super::*;

    fn judge(head: &str) -> Result<String, NotTheAnswer> {
        let door = Door {
            host: "127.0.0.1:4000".into(),
            path: "/callback".into(),
            start: "/callback/the-start".to_owned().into(),
            state: "the-state".into(),
            cookie: Cookie { name: "login".into(), value: "the-cookie".into() },
        };
        door.judge(head.as_bytes()).map(|visit| match visit {
            Visit::Start { is_known } => format!("start, known: {is_known}"),
            Visit::Answer(Answer { result: Ok(code), issuer }) => {
                format!("code {} by {issuer:?}", code.expose_secret())
            }
            Visit::Answer(Answer { result: Err(refused), .. }) => {
                format!("{} ({:?})", refused.error, refused.description)
            }
        })
    }

    fn get(target: &str) -> Result<String, NotTheAnswer> {
        get_with("Cookie: login=the-cookie", target)
    }

    fn get_with(header: &str, target: &str) -> Result<String, NotTheAnswer> {
        judge(&format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n{header}\r\n\r\n"))
    }

    #[test]
    fn an_answer_is_taken_from_the_browser_that_began_the_login() {
        let target = "/callback?code=c&state=the-state";
        for header in [
            "cookie: login=the-cookie",
            "Cookie: a=b; login=the-cookie; c=d",
            "Cookie: login=another;login=the-cookie",
            "Cookie: a=b\r\nCookie: login=the-cookie",
        ] {
            assert_eq!(get_with(header, target).as_deref(), Ok("code c by None"), "{header}");
        }
        for header in [
            "Accept: */*",
            "Cookie: ",
            "Cookie: login=",
            "Cookie: login=the-cooki",
            "Cookie: login=the-cookie2",
            "Cookie: Login=the-cookie",
            "Cookie: xlogin=the-cookie",
            "Cookie: the-cookie",
            "X-Cookie: login=the-cookie",
        ] {
            assert_eq!(get_with(header, target), Err(NotTheAnswer::BrowserOther), "{header}");
            let denied = "/callback?error=access_denied&state=the-state";
            assert_eq!(get_with(header, denied), Err(NotTheAnswer::BrowserOther), "{header}");
        }
        // Whoever does not even know the state learns no more than that.
        let other = get_with("Accept: */*", "/callback?code=c&state=other");
        assert_eq!(other, Err(NotTheAnswer::StateOther));
    }

    #[test]
    fn a_login_is_begun_at_its_own_path_alone() {
        let start = "/callback/the-start";
        assert_eq!(get(start).as_deref(), Ok("start, known: true"));
        assert_eq!(get_with("Accept: */*", start).as_deref(), Ok("start, known: false"));
        for target in [
            "/callback/",
            "/callback/the-star",
            "/callback/the-start/",
            "/callback/the-start2",
            "/callback/the-start?a=b",
            "/callback/The-start",
            "/the-start",
            "//callback/the-start",
        ] {
            assert_eq!(get(target), Err(NotTheAnswer::PathOther), "{target}");
        }
        for (head, reason) in [
            ("GET /callback/the-start HTTP/1.1\r\nHost: evil\r\n\r\n", NotTheAnswer::HostOther),
            (
                "POST /callback/the-start HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n\r\n",
                NotTheAnswer::MethodOther,
            ),
        ] {
            assert_eq!(judge(head), Err(reason), "{head}");
        }
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
