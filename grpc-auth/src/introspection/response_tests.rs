use super::*;
use crate::token::principal::Principal;

fn read(
    allow_missing_audience: bool,
    json: &str,
) -> Result<Result<Active, VerifyErrorKind>, JsonError> {
    let issuer = Issuer::discover("https://as.example/");
    let expectation = Expectation::new(issuer, vec!["api".into()], allow_missing_audience, 30.0);
    let read = expectation.read(json.as_bytes(), 1000.0)?;
    Ok(read.map_err(|failure| failure.rejection))
}

fn cause(json: &str) -> String {
    let issuer = Issuer::discover("https://as.example/");
    let expectation = Expectation::new(issuer, vec!["api".into()], false, 30.0);
    expectation.read(json.as_bytes(), 1000.0).unwrap().err().map_or_else(String::new, |f| f.cause())
}

fn scopes(json: &str) -> Vec<String> {
    let active = read(false, json).unwrap().unwrap();
    Principal::new(active.facts).scopes().map(Into::into).collect()
}

#[test]
fn an_active_token_for_us_is_accepted() {
    let minimal = read(false, r#"{"active":true,"aud":"api"}"#).unwrap().unwrap();
    assert_eq!(minimal.exp, None);
    let full = r#"{"active":true,"aud":["x","api"],"iss":"https://as.example/","sub":"alice",
        "client_id":"app","token_type":"bearer","token_use":"access_token","exp":1001,"nbf":1030,"iat":990,"scope":"b a"}"#;
    let full = read(false, full).unwrap().unwrap();
    assert_eq!(full.exp, Some(1001.0));
    let principal = Principal::new(full.facts);
    assert_eq!((principal.subject(), principal.client_id()), (Some("alice"), Some("app")));
    assert_eq!(principal.scopes().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn scopes_are_words_or_an_array() {
    assert_eq!(scopes(r#"{"active":true,"aud":"api","scope":"a b"}"#), ["a", "b"]);
    assert_eq!(scopes(r#"{"active":true,"aud":"api","scope":["b","a"]}"#), ["a", "b"]);
    assert_eq!(scopes(r#"{"active":true,"aud":"api"}"#), [""; 0]);
    let form = read(false, r#"{"active":true,"aud":"api","scope":[1]}"#).unwrap();
    assert!(matches!(form, Err(VerifyErrorKind::Grants(_))));
}

#[test]
fn everything_else_is_refused_by_its_reason() {
    for (text, expected) in [
        (r#"{"active":false}"#, VerifyErrorKind::Inactive),
        (r#"{}"#, VerifyErrorKind::ActiveNotBoolean),
        (r#"{"active":"true","aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
        (r#"{"active":1,"aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
        (r#"{"active":[true],"aud":"api"}"#, VerifyErrorKind::ActiveNotBoolean),
        (r#"{"active":true}"#, VerifyErrorKind::AudienceUnsaid),
        (r#"{"active":true,"aud":"other"}"#, VerifyErrorKind::Audience),
        (r#"{"active":true,"aud":"api","exp":970}"#, VerifyErrorKind::Expired),
        (r#"{"active":true,"aud":"api","nbf":1031}"#, VerifyErrorKind::NotYetValid),
        (r#"{"active":true,"aud":"api","iat":1031}"#, VerifyErrorKind::IssuedInFuture),
        (r#"{"active":true,"aud":"api","iss":"https://as.example"}"#, VerifyErrorKind::Issuer),
        (
            r#"{"active":true,"aud":"api","token_type":"refresh_token"}"#,
            VerifyErrorKind::IntrospectedTokenType,
        ),
        (
            r#"{"active":true,"aud":"api","token_use":"refresh_token"}"#,
            VerifyErrorKind::IntrospectedTokenUse,
        ),
        (r#"{"active":true,"aud":"api","token_use":7}"#, VerifyErrorKind::IntrospectedTokenUse),
    ] {
        assert_eq!(read(false, text).unwrap().err(), Some(expected), "{text}");
    }
}

#[test]
fn an_object_that_can_be_read_in_two_ways_is_no_reason_to_accept_a_token() {
    let hidden = r#"{"active":true,"aud":"api",
        "x":{"$serde_json::private::RawValue":"{\"active\":false}"}}"#;
    for (text, expected) in [
        (r#"{"active":false,"active":true,"aud":"api"}"#, "the member `active` occurs twice"),
        (r#"{"active":true,"aud":"x","aud":"api"}"#, "the member `aud` occurs twice"),
        (r#"{"active":true,"aud":"api","exp":"1001"}"#, "`exp` is a string, expected a number"),
        (
            r#"{"active":true,"aud":"api","exp":1e400}"#,
            "`exp` cannot be read: a number is out of range",
        ),
        (r#"{"active":true,"aud":"api","iat":"990"}"#, "`iat` is a string, expected a number"),
        (r#"{"active":true,"aud":"api","nbf":{}}"#, "`nbf` is an object, expected a number"),
        (r#"{"active":true,"aud":"api","sub":7}"#, "`sub` is a number, expected a string"),
        (r#"{"active":true,"aud":"api","iss":["a"]}"#, "`iss` is an array, expected a string"),
        (
            r#"{"active":true,"aud":["api",["b"]]}"#,
            "`aud` is an array, expected a string or an array of strings",
        ),
        (
            r#"{"active":true,"aud":"api","token_type":7}"#,
            "`token_type` is a number, expected a string",
        ),
        (hidden, "a member name begins with `$serde_json::private::`, which is reserved"),
    ] {
        let found = read(false, text).unwrap().err().unwrap().to_string();
        assert_eq!(
            found,
            format!("the introspection response cannot be read: {expected}"),
            "{text}"
        );
    }
}

/// A client may have written the half: what it chose is no failure of the endpoint.
#[test]
fn an_answer_with_half_a_surrogate_pair_is_an_answer() {
    for text in [
        r#"{"active":true,"aud":"api","sub":"\ud800"}"#,
        r#"{"active":true,"aud":"api","x":{"y":["\udc00"]}}"#,
        r#"{"active":true,"aud":"api","\ud800":1}"#,
    ] {
        let found = read(false, text).unwrap().err().unwrap().to_string();
        assert!(found.contains(" cannot be read: "), "{text}: {found}");
    }
}

#[test]
fn an_audience_that_is_said_is_checked_even_if_it_may_be_missing() {
    assert!(read(true, r#"{"active":true}"#).unwrap().is_ok());
    let other = read(true, r#"{"active":true,"aud":"other"}"#).unwrap();
    assert_eq!(other.err(), Some(VerifyErrorKind::Audience));
}

#[test]
fn what_is_no_object_is_no_answer() {
    for text in ["", "<html>", "[]", "true", r#"{"active":true"#, r#"{"active":true} x"#] {
        assert!(read(true, text).is_err(), "{text}");
    }
}

/// Null, "" and [] mean absent (hydra#1934, kanidm#3005, casdoor#3399, mitreid#834).
#[test]
fn what_says_nothing_is_absent() {
    for nothing in ["null", "\"\"", "[]"] {
        for member in [
            "exp",
            "iat",
            "nbf",
            "iss",
            "sub",
            "cnf",
            "scope",
            "token_type",
            "token_use",
            "client_id",
            "azp",
            "username",
            "jti",
        ] {
            let text = format!(r#"{{"active":true,"aud":"api","{member}":{nothing}}}"#);
            let active = read(false, &text).unwrap().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(active.exp, None, "{text}");
            let principal = Principal::new(active.facts);
            assert_eq!((principal.subject(), principal.client_id()), (None, None), "{text}");
            assert!(principal.confirmation().is_none() && principal.scopes().len() == 0, "{text}");
        }
        // Without an audience it may be for another service.
        let text = format!(r#"{{"active":true,"aud":{nothing}}}"#);
        assert!(read(true, &text).unwrap().is_ok(), "{text}");
        assert_eq!(read(false, &text).unwrap().err(), Some(VerifyErrorKind::AudienceUnsaid));
        // `active` alone decides, and says something.
        let text = format!(r#"{{"active":{nothing},"aud":"api"}}"#);
        assert_eq!(read(false, &text).unwrap().err(), Some(VerifyErrorKind::ActiveNotBoolean));
    }
    for (text, expected) in [
        (r#"{"active":true,"aud":[""]}"#, VerifyErrorKind::Audience),
        (r#"{"active":true,"aud":"api","cnf":{}}"#, VerifyErrorKind::Confirmation),
        (r#"{"active":true,"aud":"api","cnf":{"jkt":null}}"#, VerifyErrorKind::Confirmation),
        (r#"{"active":true,"aud":"api","cnf":false}"#, VerifyErrorKind::Confirmation),
        (r#"{"active":true,"aud":"api","iss":" "}"#, VerifyErrorKind::Issuer),
    ] {
        assert_eq!(read(false, text).unwrap().err(), Some(expected), "{text}");
    }
}

#[test]
fn a_time_of_zero_is_1970_and_said_so() {
    let text = r#"{"active":true,"aud":"api","exp":0}"#;
    assert_eq!(read(false, text).unwrap().err(), Some(VerifyErrorKind::Expired));
    let cause = cause(text);
    assert!(cause.starts_with("`exp` has passed; it is 0, the year 1970"), "{cause}");
}

/// SPEC W3: the words that servers write for an access token count, unknown ones too; a refresh
/// or ID token is rejected, and what is no access token (RFC 8693 §2.2.1).
#[test]
fn a_token_type_is_compared_without_case_hyphens_and_underscores() {
    let of = |word: &str| {
        let text = format!(r#"{{"active":true,"aud":"api","token_type":"{word}"}}"#);
        read(false, &text).unwrap().err()
    };
    for word in [
        "Bearer",
        "bearer",
        "BEARER",
        "access_token",
        "access-token",
        "AccessToken",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "urn:ietf:params:oauth:token-type:access_token",
        "URN:IETF:params:oauth:token_type:access-token",
        "JWT",
        "urn:ietf:params:oauth:token-type:jwt",
        "something else",
    ] {
        assert_eq!(of(word), None, "{word}");
    }
    for word in [
        "refresh_token",
        "refresh-token",
        "RefreshToken",
        "Refresh",
        "urn:ietf:params:oauth:token-type:refresh_token",
        "id_token",
        "ID-Token",
        "ID",
        "urn:ietf:params:oauth:token-type:id_token",
        "N_A",
    ] {
        assert_eq!(of(word), Some(VerifyErrorKind::IntrospectedTokenType), "{word}");
    }
    // It is bound to a key, and the answer does not say to which.
    for word in ["DPoP", "dpop", "PoP", "d-pop"] {
        assert_eq!(of(word), Some(VerifyErrorKind::Confirmation), "{word}");
        for nothing in ["null", "\"\"", "[]"] {
            let text =
                format!(r#"{{"active":true,"aud":"api","token_type":"{word}","cnf":{nothing}}}"#);
            let found = read(false, &text).unwrap().err();
            assert_eq!(found, Some(VerifyErrorKind::Confirmation), "{text}");
        }
    }
}

#[test]
fn what_is_configured_is_said_beside_what_the_answer_says() {
    for (text, expected) in [
        (r#"{"active":true,"aud":"other"}"#, ": configured is \"api\""),
        (
            r#"{"active":true,"aud":"api","iss":"https://o.example"}"#,
            ": configured is \"https://as.example/\"",
        ),
    ] {
        let cause = cause(text);
        assert!(cause.ends_with(expected), "{cause}");
    }
}
