//! Every kind of RPC × every caller, over real tonic on loopback.

use grpc_auth::testing::TestAuthorizationServer;
use tests::kinds::{Counting, METHODS, call};
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied, serve};
use tonic::Code;

const EVERY_SCOPE: [&str; 3] = ["read:word", "write:word", "team:blue"];

#[tokio::test]
async fn every_kind_of_rpc_lets_in_whom_its_rule_lets_in_and_nobody_else() {
    let kit = Kit::start().await;
    let service = Counting::default();
    let mut client = KindsClient::new(serve(kit.auth.protect(service.clone())).await);

    let token = || kit.issuer.token().subject("alice").scopes(EVERY_SCOPE);
    let weak = kit.issuer.token().scopes(["write:word", "team:red"]).sign();
    let invalid = Some((Code::Unauthenticated, "ACCESS_TOKEN_INVALID"));
    let callers = [
        ("no token", None, Some((Code::Unauthenticated, "CREDENTIALS_MISSING"))),
        ("weak", Some(weak), Some((Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"))),
        ("good", Some(token().sign()), None),
        (
            "expired",
            Some(token().expired().sign()),
            Some((Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED")),
        ),
        ("other audience", Some(token().audience("https://other.example").sign()), invalid),
        ("forged", Some(token().sign_with_wrong_key()), invalid),
        ("expired forgery", Some(token().expired().sign_with_wrong_key()), invalid),
        ("alg none", Some(token().header("alg", "none").sign()), invalid),
        ("no JWT", Some("opaque".into()), invalid),
    ];

    for method in METHODS {
        for (caller, token, refusal) in &callers {
            let lets_anyone_in = method == "Open";
            let any_token = method == "Bidi" && *caller == "weak";
            let before = service.reached(method);
            let answer = call(&mut client, method, token.as_deref()).await;
            let ran = service.reached(method) - before;
            match refusal {
                Some((code, reason)) if !lets_anyone_in && !any_token => {
                    assert_denied(answer, *code, reason);
                    assert_eq!(ran, 0, "{method} ran for {caller}");
                }
                _ => {
                    let words =
                        answer.unwrap_or_else(|status| panic!("{method} {caller}: {status}"));
                    assert!(!words.is_empty() && words.iter().all(|word| word.text == "word"));
                    assert_eq!(ran, 1, "{method} for {caller}");
                }
            }
        }
    }
}

#[tokio::test]
async fn parentheses_never_change_a_verdict() {
    let kit = Kit::start().await;
    let service = Counting::default();
    let mut client = KindsClient::new(kit.auth.protect(service.clone()));
    // write:word and (team:blue or (team:red and admin:all))
    for (scopes, allowed) in [
        (&["write:word", "team:blue"][..], true),
        (&["write:word", "team:red", "admin:all"], true),
        (&["team:blue"], false),
        (&["team:red", "admin:all"], false),
        (&["write:word"], false),
        (&["write:word", "team:red"], false),
        (&["write:word", "admin:all"], false),
        (&["write:wor", "d", "team:blue"], false),
        (&["WRITE:WORD", "team:blue"], false),
        (&["write:*", "team:blue"], false),
        (&[], false),
    ] {
        let token = kit.issuer.token().scopes(scopes.iter().copied()).sign();
        let answer = call(&mut client, "ClientStream", Some(&token)).await;
        match allowed {
            true => assert!(answer.is_ok(), "{scopes:?}"),
            false => tests::assert_scope_denied(answer),
        }
    }
    assert_eq!(service.reached_in_all(), 2);
}

#[tokio::test]
async fn a_refusal_tells_what_to_ask_for() {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(serve(kit.auth.protect(Counting::default())).await);
    let token = kit.issuer.token().sign();
    let status = call(&mut client, "ClientStream", Some(&token)).await.unwrap_err();
    assert_eq!(
        status.metadata().get("www-authenticate").unwrap(),
        &format!(
            "Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"write:word team:blue\"",
            TestAuthorizationServer::AUDIENCE
        )
    );
    assert_eq!(status.message(), "the access token lacks a required scope");
}

#[tokio::test]
async fn every_algorithm_of_the_issuer_is_accepted() {
    use grpc_auth::Algorithm::{EdDsa, Es256, Rs256};
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    for algorithm in [Rs256, Es256, EdDsa] {
        let token = || kit.issuer.token().scopes(EVERY_SCOPE).algorithm(algorithm);
        assert!(call(&mut client, "Unary", Some(&token().sign())).await.is_ok(), "{algorithm}");
        let forged = call(&mut client, "Unary", Some(&token().sign_with_wrong_key())).await;
        assert_denied(forged, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
}
