//! Answers as servers write them, and how this server authenticates.

use std::sync::{Arc, Mutex};

use grpc_auth::ClientSecret;
use grpc_auth::client::{AccessToken, TokenSource};
use tests::answers::{self, ok};
use tests::logs::Logs;

use super::canned::{introspection, server};
use super::*;

/// hydra#1934, kanidm#3005, casdoor#3399, mitreid#834.
#[tokio::test]
async fn null_members_and_words_for_an_access_token_are_active() {
    let kit = Opaque::start().await;
    let aud = TestAuthorizationServer::AUDIENCE;
    for more in [
        r#""exp":null,"iat":null,"nbf":null,"iss":null,"sub":null,"cnf":null,"client_id":null"#,
        r#""exp":"","iat":"","iss":"","sub":"","cnf":"","token_type":"","username":"""#,
        r#""exp":[],"nbf":[],"iss":[],"sub":[],"cnf":[],"token_type":[]"#,
        r#""token_type":null"#,
        r#""token_type":"bearer""#,
        r#""token_type":"access_token""#,
        r#""token_type":"Access-Token""#,
        r#""token_type":"at+jwt""#,
        r#""token_type":"urn:ietf:params:oauth:token-type:access_token""#,
        r#""token_type":"some other word""#,
    ] {
        let answer = format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word",{more}}}"#);
        kit.issuer.set_introspection_response(Some(answer));
        kit.call(&kit.token()).await.unwrap_or_else(|status| panic!("{more}: {status:?}"));
    }
    // Without a scope nothing is granted.
    for scope in ["null", "\"\"", "[]"] {
        let answer = format!(r#"{{"active":true,"aud":"{aud}","scope":{scope}}}"#);
        kit.issuer.set_introspection_response(Some(answer));
        let answer = kit.call(&kit.token()).await;
        assert_denied(answer, Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    }
    let anyone = Opaque::with(Introspection::allow_missing_audience).await;
    for aud in ["null", "\"\"", "[]"] {
        let answer = format!(r#"{{"active":true,"aud":{aud},"scope":"read:word"}}"#);
        anyone.issuer.set_introspection_response(Some(answer));
        anyone.call(&anyone.token()).await.unwrap();
    }
}

#[tokio::test]
async fn what_decides_is_still_rejected_by_its_reason() {
    let kit = Opaque::start().await;
    let ours = format!(r#""aud":"{}","scope":"read:word""#, TestAuthorizationServer::AUDIENCE);
    for (more, cause) in [
        (r#""token_type":"refresh_token""#, "`token_type` says that it is no access token"),
        (r#""token_type":"Refresh-Token""#, "`token_type` says that it is no access token"),
        (r#""token_type":"id_token""#, "`token_type` says that it is no access token"),
        (r#""token_type":"N_A""#, "`token_type` says that it is no access token"),
        (r#""token_type":7"#, "`token_type` is a number, expected a string"),
        (r#""token_type":"DPoP""#, "`cnf` binds it in another way"),
        (r#""token_type":"dpop","cnf":null"#, "`cnf` binds it in another way"),
        (r#""token_use":"refresh_token""#, "`token_use` says that it is no access token"),
        (r#""exp":"4102444800""#, "`exp` is a string, expected a number"),
        (r#""exp":true"#, "`exp` is a boolean, expected a number"),
        (r#""nbf":"0""#, "`nbf` is a string, expected a number"),
        (r#""sub":7"#, "`sub` is a number, expected a string"),
        (r#""iss":["a"]"#, "`iss` is an array, expected a string"),
        (r#""cnf":{}"#, "`cnf` binds it in another way"),
        (r#""scope":{"read:word":1}"#, "the claim at `/scope` is an object"),
        (r#""scope":["read:word",1]"#, "is an array with something else than strings"),
    ] {
        let ours = if more.contains("scope") { ours.split(',').next().unwrap() } else { &ours };
        let answer = format!(r#"{{"active":true,{ours},{more}}}"#);
        kit.issuer.set_introspection_response(Some(answer));
        let logs = Logs::capture();
        assert_invalid(kit.call(&kit.token()).await);
        let line = logs.line_with("call denied");
        assert!(line.contains(cause), "{more}: {line}");
    }
    for (answer, cause) in [
        (format!(r#"{{"active":null,{ours}}}"#), "`active` is not the boolean"),
        (r#"{"active":true,"aud":null}"#.into(), "says no `aud`"),
        (r#"{"active":true,"aud":["x"]}"#.into(), "audience: configured is"),
    ] {
        kit.issuer.set_introspection_response(Some(answer));
        let logs = Logs::capture();
        assert_invalid(kit.call(&kit.token()).await);
        assert!(logs.line_with("call denied").contains(cause), "{}", logs.text());
    }
    // Zero is 1970, not "never".
    kit.issuer.set_introspection_response(Some(format!(r#"{{"active":true,"exp":0,{ours}}}"#)));
    let logs = Logs::capture();
    let answer = kit.call(&kit.token()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    assert!(logs.line_with("call denied").contains("it is 0, the year 1970"), "{}", logs.text());
}

/// The JWT is bound, whatever the answer says.
#[tokio::test]
async fn an_answer_without_cnf_does_not_untie_a_jwt() {
    let kit = Opaque::with(Introspection::also_for_jwts).await;
    let ours = format!(r#""aud":"{}","scope":"read:word""#, TestAuthorizationServer::AUDIENCE);
    for cnf in [r#","cnf":null"#, r#","cnf":"""#, r#","cnf":[]"#, ""] {
        let answer = format!(r#"{{"active":true,{ours}{cnf}}}"#);
        kit.issuer.set_introspection_response(Some(answer));
        let bound = kit.issuer.token().scopes(["read:word"]).bound_to_key(&kit.issuer.dpop_key());
        let logs = Logs::capture();
        assert_invalid(kit.call(&bound.sign()).await);
        let line = logs.line_with("call denied");
        assert!(line.contains("does not repeat the `cnf`"), "{cnf}: {line}");
        kit.call(&kit.issuer.token().scopes(["read:word"]).sign()).await.unwrap();
    }
}

/// RFC 7662 §2.1. The token is replaced in its file, and found without a restart.
#[tokio::test]
async fn a_bearer_token_authenticates_and_is_read_again_when_it_is_rejected() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let accepted = Arc::new(Mutex::new("first".to_owned()));
    let known = Arc::clone(&accepted);
    let aud = TestAuthorizationServer::AUDIENCE;
    let active = format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word"}}"#);
    let endpoint = answers::serve(move |head| {
        let expected = format!("authorization: Bearer {}\r\n", known.lock().unwrap());
        if head.contains(&expected) {
            return ok("content-type: application/json\r\n", &active);
        }
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into()
    })
    .await;
    let path = std::env::temp_dir().join(format!("grpc-auth-suite-token-{}", std::process::id()));
    std::fs::write(&path, "first\n").unwrap();
    let from_file = ClientSecret::from_file(&path).unwrap();
    let asked = |token: ClientSecret| Introspection::with_bearer_token(token).endpoint(&*endpoint);
    let auth = server(&issuer, asked(from_file)).await;
    with(&auth, "opaque-1").await.unwrap();
    // The file has the former token still.
    "second".clone_into(&mut accepted.lock().unwrap());
    let logs = Logs::capture();
    assert_unavailable(with(&auth, "opaque-2").await);
    assert!(logs.text().contains("or its bearer token"), "{}", logs.text());
    assert!(!logs.text().contains("Bearer first"), "{}", logs.text());
    std::fs::write(&path, "second").unwrap();
    with(&auth, "opaque-3").await.unwrap();
    std::fs::remove_file(&path).unwrap();

    let auth = server(&issuer, asked("second".into())).await;
    with(&auth, "opaque-1").await.unwrap();
    // A source renews it: the next token, when the first has expired.
    let tokens = Arc::new(Mutex::new(vec!["other", "second"]));
    let next = move || {
        let token = BearerToken::parse(tokens.lock().unwrap().pop().unwrap()).unwrap();
        let expires = std::time::SystemTime::now() + Duration::from_secs(3600);
        std::future::ready(Ok::<_, &str>(AccessToken::bearer(token).expiring_at(expires)))
    };
    let source = Introspection::with_bearer_token(TokenSource::from_fn(next)).endpoint(&*endpoint);
    let auth = server(&issuer, source).await;
    with(&auth, "opaque-1").await.unwrap();
    with(&auth, "opaque-2").await.unwrap();
    let sealed = || std::future::ready(Err::<AccessToken, _>("the vault is sealed"));
    let sealed = Introspection::with_bearer_token(TokenSource::from_fn(sealed));
    let auth = server(&issuer, sealed.endpoint(&*endpoint)).await;
    let logs = Logs::capture();
    assert_unavailable(with(&auth, "opaque-1").await);
    let text = logs.text();
    assert!(text.contains("there is no bearer token for the introspection endpoint"), "{text}");

    let auth = server(&issuer, asked("third".into())).await;
    assert_unavailable(with(&auth, "opaque-1").await);
    // A client's credentials are no bearer token.
    let auth = server(&issuer, introspection().endpoint(&*endpoint)).await;
    assert_unavailable(with(&auth, "opaque-1").await);

    for (bad, secret) in [("Bearer canary", "canary"), ("", "nothing"), ("can\nary", "ary")] {
        let asked = Issuer::discover(issuer.url()).introspection(asked(bad.into()));
        let error =
            ResourceServer::builder().issuer(asked).audience("a").build().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("write the token alone, without `Bearer`"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
}
