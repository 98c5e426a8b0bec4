//! Tokens as clients, proxies and issuers send them: spelling, length, algorithm names, members of other
//! types, and where their scopes are.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::TokenBuilder;
use grpc_auth::{Algorithm, BearerToken, Issuer, ResourceServer, ScopeSource, TokenCache};
use serde_json::{Value, json};
use tests::callers::with;
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, assert_denied, serve, with_token};
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Status};

async fn configured(kit: &Kit, issuer: Issuer) -> ResourceServer {
    let builder = ResourceServer::builder().issuer(issuer).clock(kit.issuer.clock().clone());
    builder.audience(grpc_auth::testing::TestAuthorizationServer::AUDIENCE).build().await.unwrap()
}

fn issuer(kit: &Kit) -> Issuer {
    Issuer::static_keys(kit.issuer.url(), kit.issuer.jwks())
}

/// RFC 9110 §11.1, §11.4: the scheme without case, `1*SP` (spring-security#19500).
#[tokio::test]
async fn one_or_more_spaces_follow_a_scheme_in_any_case() {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(serve(kit.auth.protect(Counting::default())).await);
    let token = kit.issuer.token().scopes(["read:word"]).sign();
    let mut ask = async |value: String| {
        let mut request = Request::new(Word::default());
        request.metadata_mut().insert("authorization", value.parse().unwrap());
        client.unary(request).await.map(drop)
    };
    for before in ["Bearer ", "bearer ", "BEARER ", "Bearer  ", "bEARER     "] {
        // The second time it is verified, the third time remembered.
        for _ in 0..3 {
            ask(format!("{before}{token}")).await.unwrap();
        }
    }
    for (value, reason) in [
        (format!("Bearer  {token} {token}"), "ACCESS_TOKEN_MALFORMED"),
        (format!("Bearer \t{token}"), "ACCESS_TOKEN_MALFORMED"),
        ("Bearer   ".into(), "ACCESS_TOKEN_MALFORMED"),
        (format!("Bearer\t{token}"), "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (format!("Bearer{token}"), "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (format!("Token  {token}"), "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ] {
        assert_denied(ask(value).await, Code::Unauthenticated, reason);
    }
}

/// A token of about so many bytes.
fn of_length(kit: &Kit, bytes: usize) -> String {
    let token = || kit.issuer.token().scopes(["read:word"]);
    let other = token().claim("groups", "").sign().len();
    token().claim("groups", "x".repeat((bytes - other) * 3 / 4)).sign()
}

/// Entra's tokens with 157 groups have 9 KB (azure-managed-grafana#62), with 200 groups 11.6 KB.
#[tokio::test]
async fn a_token_of_16_kib_is_accepted_and_the_setting_moves_the_bound() {
    let kit = Kit::start().await;
    let large = kit.issuer.resource_server().max_token_bytes(64 * 1024);
    // The smallest cache: a token beyond it displaces no other.
    let large = large.token_cache(TokenCache::default().bytes(64 * 1024)).build().await.unwrap();
    let small = kit.issuer.resource_server().max_token_bytes(1024).build().await.unwrap();
    for (auth, good, bad) in
        [(&kit.auth, 16_300, 16_500), (&large, 65_400, 65_700), (&small, 900, 1100)]
    {
        for _ in 0..3 {
            with(auth, &of_length(&kit, good)).await.unwrap();
        }
        let logs = Logs::capture();
        let answer = with(auth, &of_length(&kit, bad)).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_MALFORMED");
        let line = logs.line_with("call denied");
        assert!(line.contains("see `ResourceServerBuilder::max_token_bytes`"), "{line}");
        // The same outside of a call.
        if let Some(token) = BearerToken::parse(&of_length(&kit, bad)) {
            assert_eq!(auth.verify(&token).await.unwrap_err().code(), "too-long");
        }
        let junk = with(auth, &"x".repeat(1024 * 1024)).await;
        assert_denied(junk, Code::Unauthenticated, "ACCESS_TOKEN_MALFORMED");
    }
    for bytes in [0, 1023, 64 * 1024 + 1] {
        let error = kit.issuer.resource_server().max_token_bytes(bytes).build().await.unwrap_err();
        assert!(error.to_string().contains("at least 1,024 and at most 65,536"), "{error}");
    }
}

/// tonic's own limit is for all headers of a call, and is 16 KiB unless it is configured.
#[tokio::test]
async fn tonic_carries_14_kb_and_more_where_it_is_configured() {
    let kit = Kit::start().await;
    let auth = kit.issuer.resource_server().max_token_bytes(64 * 1024).build().await.unwrap();
    let mut client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    call(&mut client, "Unary", Some(&of_length(&kit, 14_000))).await.unwrap();
    let answer = client.unary(with_token(Word::default(), &of_length(&kit, 20_000))).await;
    assert_ne!(answer.unwrap_err().code(), Code::Unauthenticated, "it reached the layer");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .http2_max_header_list_size(80 * 1024)
        .add_service(auth.protect(Counting::default()));
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = KindsClient::new(channel);
    call(&mut client, "Unary", Some(&of_length(&kit, 64_000))).await.unwrap();
}

/// RFC 9864 (joserfc#76, pyjwt#1199, better-auth#11348).
#[tokio::test]
async fn ed25519_is_eddsa_in_tokens_keys_and_settings() {
    let kit = Kit::start().await;
    let token = |alg: &str| {
        let token = kit.issuer.token().scopes(["read:word"]).algorithm(Algorithm::EdDsa);
        token.header("alg", alg)
    };
    let with_alg = |alg: Value| {
        let mut jwks: Value = serde_json::from_str(&kit.issuer.jwks()).unwrap();
        for key in jwks["keys"].as_array_mut().unwrap() {
            if key["kty"] == "OKP" {
                key["alg"] = alg.clone();
            }
        }
        Issuer::static_keys(kit.issuer.url(), jwks.to_string())
    };
    let ed25519: Algorithm = "Ed25519".parse().unwrap();
    for keys in [json!("EdDSA"), json!("Ed25519")] {
        let any = configured(&kit, with_alg(keys.clone())).await;
        let listed = configured(&kit, with_alg(keys).algorithms([ed25519])).await;
        for auth in [&any, &listed] {
            for alg in ["EdDSA", "Ed25519"] {
                with(auth, &token(alg).sign()).await.unwrap();
                let forged = with(auth, &token(alg).sign_with_wrong_key()).await;
                assert_denied(forged, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
            }
        }
    }
    for (issuer, token, cause) in [
        (with_alg(json!("EdDSA")), token("Ed448"), "`alg` is `Ed448`, which is not supported"),
        (with_alg(json!("EdDSA")), token("ed25519"), "`alg` is not an asymmetric"),
        (with_alg(json!("ES256")), token("Ed25519"), "no key with this `kid`"),
        (
            with_alg(json!("EdDSA")).algorithms([Algorithm::Es256]),
            token("Ed25519"),
            "`alg` is not among those configured for this issuer: configured is \"ES256\"",
        ),
        // The name of one algorithm over the key of another.
        (
            with_alg(json!("EdDSA")),
            kit.issuer.token().header("alg", "Ed25519"),
            "the issuer's key with this `kid` is not for this `alg`",
        ),
    ] {
        let auth = configured(&kit, issuer).await;
        assert_rejected(&auth, &token.sign(), cause).await;
    }
}

/// One text for the caller, the cause in the log.
async fn assert_rejected(auth: &ResourceServer, token: &str, cause: &str) -> String {
    let logs = Logs::capture();
    let status: Status = with(auth, token).await.unwrap_err();
    assert_eq!(status.message(), "the access token is invalid", "{cause}");
    assert_denied(Err::<(), _>(status), Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let line = logs.line_with("call denied");
    assert!(line.contains(&cause.replace('"', "\\\"")) || line.contains(cause), "{cause}: {line}");
    assert!(!logs.text().contains(token), "the token is in the log");
    line
}

/// authlib#910, jjwt#958: the member and its type, and no value.
#[tokio::test]
async fn a_rejection_names_the_member_its_type_and_what_is_configured() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    let claim = |name: &str, value: Value| token().claim(name, value);
    let aud = "expected a string or an array of strings";
    let cases: Vec<(TokenBuilder, String)> = vec![
        (claim("sub", json!(7)), "`sub` is a number, expected a string".into()),
        (claim("sub", json!(null)), "`sub` is null, expected a string".into()),
        (claim("sub", json!(["a"])), "`sub` is an array, expected a string".into()),
        (claim("iss", json!(7)), "`iss` is a number, expected a string".into()),
        (claim("aud", json!(null)), format!("`aud` is null, {aud}")),
        (claim("aud", json!({"a": 1})), format!("`aud` is an object, {aud}")),
        (claim("aud", json!([["a"]])), "`aud[0]` is an array, expected a string".into()),
        (claim("aud", json!(["a", 7])), "`aud[1]` is a number, expected a string".into()),
        (claim("exp", json!("4102444800")), "`exp` is a string, expected a number".into()),
        (claim("exp", json!(null)), "`exp` is null, expected a number".into()),
        (claim("iat", json!("now")), "`iat` is a string, expected a number".into()),
        (claim("nbf", json!(null)), "`nbf` is null, expected a number".into()),
        (claim("nbf", json!(true)), "`nbf` is a boolean, expected a number".into()),
        (token().header("kid", 7), "`kid` is a number, expected a string".into()),
        (token().header("typ", 7), "`typ` is a number, expected a string".into()),
        (token().header("alg", ["ES256"]), "`alg` is an array, expected a string".into()),
        (
            claim("scope", json!({"read:word": 1})),
            "the claim at `/scope` is an object, expected a string of words or an array".into(),
        ),
        (
            claim("scope", json!(["read:word", 7])),
            "the claim at `/scope` is an array with something else than strings".into(),
        ),
        (
            claim("iss", json!("https://other.example/")),
            format!(
                "not a configured issuer, byte for byte: configured is \"{}\"",
                kit.issuer.url()
            ),
        ),
        (
            token().header("typ", "JWT"),
            "configure `Issuer::accept_token_type`: configured is \"at+jwt\"".into(),
        ),
        (token().without_key_id(), "configure `Issuer::allow_missing_key_id`".into()),
    ];
    for (token, cause) in cases {
        assert_rejected(&kit.auth, &token.sign(), &cause).await;
    }
    // A number that no float holds.
    let exp = json!(1_234_567_891_u64);
    let (header, rest) = token().claim("exp", exp).sign().split_once('.').map(own).unwrap();
    let claims = rest.split('.').next().unwrap();
    let claims = base64::Engine::decode(&URL_SAFE_NO_PAD, claims).unwrap();
    let claims = String::from_utf8(claims).unwrap().replace("1234567891", "1e400");
    let claims = base64::Engine::encode(&URL_SAFE_NO_PAD, claims);
    let cause = "`exp` cannot be read: a number is out of range";
    assert_rejected(&kit.auth, &format!("{header}.{claims}.{}", "A".repeat(86)), cause).await;

    let configured = "`aud` does not contain a configured audience: configured is";
    for (value, field) in [
        (json!("https://other.example"), "audience=\"https://other.example\""),
        (json!(["a", "b"]), "audience=\"a, b\""),
        // Escaped: the sender chose it.
        (json!("a\n\u{1b}[31mcall allowed"), "[31mcall allowed"),
    ] {
        let line = assert_rejected(&kit.auth, &claim("aud", value).sign(), configured).await;
        assert!(line.contains(field) && !line.contains('\u{1b}'), "{line}");
    }
    for value in [json!(""), json!([]), json!([""])] {
        assert_rejected(&kit.auth, &claim("aud", value).sign(), configured).await;
    }
    let long = claim("aud", json!(["x".repeat(9_000)])).sign();
    let line = assert_rejected(&kit.auth, &long, configured).await;
    assert!(line.len() < 2000, "{line}");
}

fn own((header, rest): (&str, &str)) -> (String, String) {
    (header.into(), rest.into())
}

/// `scope` as string in one token and array in the next; Zitadel's roles; workload identities.
#[tokio::test]
async fn scopes_are_found_where_they_are_declared() {
    let kit = Kit::start().await;
    let read = "read:word";
    let zitadel = || ScopeSource::member_names("/urn:zitadel:iam:org:project:roles");
    let roles = |roles: Value| ("urn:zitadel:iam:org:project:roles", roles);
    let orders = "system:serviceaccount:shop:orders";
    let workloads = || ScopeSource::map("/sub", [(orders, ["read:word"])]);
    for (source, granted, denied) in [
        (
            None,
            vec![("scope", json!(read)), ("scope", json!([read, "x"]))],
            vec![("scope", json!(null)), ("scope", json!([])), ("scope", json!("read:words"))],
        ),
        (
            Some(ScopeSource::words_or_array("/scp")),
            vec![("scp", json!(read)), ("scp", json!(["x", read]))],
            vec![("scp", json!(null)), ("scope", json!(read))],
        ),
        (
            Some(zitadel()),
            vec![roles(json!({"read:word": {"1": "a.example"}, "user": {}}))],
            vec![
                roles(json!({"user": {"read:word": 1}})),
                roles(json!({"read:word": null})),
                roles(json!({})),
                roles(json!(null)),
            ],
        ),
        (
            Some(workloads()),
            vec![("sub", json!(orders))],
            vec![("sub", json!("system:serviceaccount:shop:orders2")), ("scope", json!(read))],
        ),
    ] {
        let mut issuer = issuer(&kit);
        if let Some(source) = source {
            issuer = issuer.scopes_from([source]);
        }
        let auth = configured(&kit, issuer).await;
        for (name, value) in granted {
            let token = kit.issuer.token().claim(name, &value).sign();
            with(&auth, &token).await.unwrap_or_else(|status| panic!("{value}: {status:?}"));
        }
        for (name, value) in denied {
            let answer = with(&auth, &kit.issuer.token().claim(name, &value).sign()).await;
            assert_denied(answer, Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
        }
    }
    for (source, claim, cause) in [
        (ScopeSource::words("/scope"), ("scope", json!([read])), "expected a string of words"),
        (ScopeSource::array("/scope"), ("scope", json!(read)), "expected an array of strings"),
        (zitadel(), roles(json!([read])), "is an array, expected an object"),
        (workloads(), ("sub", json!("x")), ""),
    ] {
        let auth = configured(&kit, issuer(&kit).scopes_from([source])).await;
        let token = kit.issuer.token().claim(claim.0, claim.1).sign();
        if cause.is_empty() {
            let answer = with(&auth, &token).await;
            assert_denied(answer, Code::PermissionDenied, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
        } else {
            assert_rejected(&auth, &token, cause).await;
        }
    }
    let builder = ResourceServer::builder().audience("api");
    let bad = ScopeSource::map("/sub", [("a", ["two words"])]);
    let error = builder.issuer(issuer(&kit).scopes_from([bad])).build().await.unwrap_err();
    assert!(error.to_string().contains("the scope \"two words\" cannot be used"), "{error}");
}
