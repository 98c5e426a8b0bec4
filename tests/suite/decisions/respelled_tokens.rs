//! A JWT in another spelling: this crate rejects it, a lenient introspection endpoint might accept it.
//! It is never introspected, because what this crate checks (`cnf`, `typ`, `aud`) would be lost.

use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use grpc_auth::{Introspection, ResourceServer};
use tests::assert_denied;
use tests::callers::with;
use tonic::Code;

use crate::introspection::canned::{active, introspection, server};

/// An endpoint that accepts each token and says nothing of `cnf`.
async fn lenient(introspection: Introspection) -> (TestAuthorizationServer, ResourceServer) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection).await;
    issuer.set_introspection_response(active(""));
    (issuer, auth)
}

/// For opaque tokens alone, and for JWTs too.
fn both() -> [Introspection; 2] {
    [introspection(), introspection().also_for_jwts()]
}

/// A JWT that is bound to a key, sent without a proof.
fn bound(issuer: &TestAuthorizationServer) -> String {
    issuer.token().scopes(["read:word"]).bound_to_key(&issuer.dpop_key()).sign()
}

#[tokio::test]
async fn a_bound_jwt_with_padding_is_rejected() {
    for introspection in both() {
        let (issuer, auth) = lenient(introspection).await;
        let token = bound(&issuer);
        assert!(with(&auth, &token).await.is_err());
        assert!(with(&auth, &format!("{token}=")).await.is_err(), "padded");
    }
}

/// Its `typ` is rejected here.
#[tokio::test]
async fn an_id_token_with_padding_is_rejected() {
    let (issuer, auth) = lenient(introspection()).await;
    let token = issuer.token().scopes(["read:word"]).header("typ", "JWT").sign();
    assert!(with(&auth, &token).await.is_err());
    assert!(with(&auth, &format!("{token}=")).await.is_err(), "padded");
}

/// The last character of an RS256 signature has four bits that decoders ignore unless they are
/// strict: each lenient server reads the same token in another spelling.
#[tokio::test]
async fn a_jwt_with_other_trailing_bits_is_not_introspected() {
    let (issuer, auth) = lenient(introspection()).await;
    let token = bound(&issuer);
    let last = token.chars().last().unwrap();
    let other = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        'w' => 'x',
        other => panic!("{other}"),
    };
    let respelled = format!("{}{other}", &token[..token.len() - 1]);
    assert!(with(&auth, &respelled).await.is_err());
}

/// Decoders that skip characters beyond base64 read the same token.
#[tokio::test]
async fn a_jwt_with_characters_that_lenient_decoders_skip_is_not_introspected() {
    let (issuer, auth) = lenient(introspection()).await;
    let token = bound(&issuer);
    let (header, rest) = token.split_once('.').unwrap();
    for place in 0..header.len() {
        let respelled = format!("{}~{}.{rest}", &header[..place], &header[place..]);
        let answer = with(&auth, &respelled).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    assert_eq!(issuer.requests(Endpoint::Introspection), 0);
    // Opaque tokens are introspected still.
    with(&auth, &issuer.token().opaque()).await.unwrap();
}

/// Servers that use Java's `split` drop empty parts at the end, as Keycloak does; others look at the
/// first three parts alone.
#[tokio::test]
async fn a_jwt_with_something_behind_it_is_not_introspected() {
    for introspection in both() {
        let (issuer, auth) = lenient(introspection).await;
        let token = bound(&issuer);
        for behind in [".", "..", ".=", "=.", "=", "~", ".x", ".x.y", ".~~~"] {
            let answer = with(&auth, &format!("{token}{behind}")).await;
            assert!(answer.is_err(), "{behind}");
        }
        // An encrypted token is for the server that has its key.
        let header = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0";
        with(&auth, &format!("{header}..AAAA.AAAA.AAAA")).await.unwrap();
    }
}
