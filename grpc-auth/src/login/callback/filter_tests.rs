//! Which requests are let through, and why the others are not.

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
    // A request without the state learns no more than that.
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
        (format!("GET {target} HTTP/1.1\r\nHost: localhost:4000\r\n\r\n"), NotTheAnswer::HostOther),
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
            format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\ncontent-length: 1\r\n\r\n"),
            NotTheAnswer::BodyPresent,
        ),
        (
            format!(
                "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            NotTheAnswer::BodyPresent,
        ),
        (format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n"), NotTheAnswer::HeadMalformed),
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
