//! The log line of a decision: enough to act on, and no secret.

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use tests::callers::{introspecting, with};
use tests::kinds::{Counting, call};
use tests::logs::{Logs, Record};
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied};
use tonic::Code;

#[tokio::test]
async fn every_decision_is_logged_where_it_is_made_with_the_same_fields() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let good = kit.issuer.token().scopes(["read:word"]).sign();
    let forged = kit.issuer.token().scopes(["read:word"]).sign_with_wrong_key();

    call(&mut client, "Unary", Some(&good)).await.unwrap();
    let line = logs.line_with("call allowed");
    for text in
        ["DEBUG", "method=\"/kit.v1.Kinds/Unary\"", "verdict=\"allow\"", "rule=\"require_scopes("]
    {
        assert!(line.contains(text), "{text} in {line}");
    }
    call(&mut client, "Unary", Some(&forged)).await.unwrap_err();
    let line = logs.line_with("call denied");
    for text in [
        "INFO",
        "method=\"/kit.v1.Kinds/Unary\"",
        "verdict=\"deny\"",
        "reason=\"ACCESS_TOKEN_INVALID\"",
        "cause=\"the signature is not the issuer's\"",
        "kid=\"es256-1\"",
        kit.issuer.url(),
    ] {
        assert!(line.contains(text), "{text} in {line}");
    }
}

#[tokio::test]
async fn a_refused_token_type_names_the_setting_that_accepts_it() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let token = kit.issuer.token().scopes(["read:word"]).header("typ", "JWT").sign();
    call(&mut client, "Unary", Some(&token)).await.unwrap_err();
    assert!(logs.line_with("call denied").contains("configure `Issuer::accept_token_type`"));
}

#[tokio::test]
async fn what_a_stranger_wrote_is_escaped() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let token = kit.issuer.token().header("kid", "a\nINFO forged line\u{1b}[31m").sign();
    call(&mut client, "Unary", Some(&token)).await.unwrap_err();
    let line = logs.line_with("call denied");
    assert!(line.contains("forged line") && !line.contains('\u{1b}'), "{line}");
}

#[tokio::test]
async fn no_token_and_no_claim_stands_in_any_output() {
    let logs = Logs::capture();
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let token = || kit.issuer.token().subject("canary-subject").claim("email", "canary-email");
    let mut output = format!("{:?} {:?}", kit.issuer, kit.auth);
    for token in [
        token().scopes(["read:word", "canary-scope"]).sign(),
        token().scopes(["canary-scope"]).sign(),
        token().expired().sign(),
        token().sign_with_wrong_key(),
        token().audience("canary-audience").sign(),
        token().claim("exp", "canary-exp").sign(),
        "canary-token".to_owned(),
        "canary token".to_owned(),
    ] {
        let answer = call(&mut client, "Unary", Some(&token)).await;
        output.push_str(&format!("{answer:?}"));
        let signature = token.rsplit('.').next().unwrap_or_default().to_owned();
        assert!(!logs.text().contains(&signature) && !output.contains(&signature));
    }
    // A rejected audience stands beside the configured ones, in a field of its own.
    output.push_str(&logs.text().replace("audience=\"canary-audience\"", ""));
    let hits: Vec<_> = output.lines().filter(|line| line.contains("canary")).collect();
    assert!(hits.is_empty(), "{hits:#?}");
    assert!(output.contains(TestAuthorizationServer::AUDIENCE), "the output was looked at");
}

/// A firewall on the way that dislikes tokens, or a long outage, does not fill a disk.
#[tokio::test]
async fn an_introspection_endpoint_that_goes_on_refusing_is_said_ever_more_rarely() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = introspecting(&issuer).build().await.unwrap();
    let count = async |status: u16| {
        issuer.fail(Endpoint::Introspection, Fault::Status(status));
        let logs = Logs::capture();
        for n in 0..20 {
            let answer = with(&auth, &format!("opaque-{n}")).await;
            assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
        }
        let of = |level: &str| {
            let is_it = |record: &&Record| {
                record.name == "a token could not be introspected" && record.level == level
            };
            logs.records().iter().filter(is_it).count()
        };
        (of("WARN"), of("DEBUG"))
    };
    // The first, second, fourth, eighth and sixteenth in a row.
    for status in [400, 403] {
        assert_eq!(count(status).await, (5, 15), "{status}");
        issuer.heal();
        with(&auth, &issuer.token().scopes(["read:word"]).opaque()).await.unwrap();
    }
    // After that the server is left alone.
    assert_eq!(count(401).await, (3, 2));
}
