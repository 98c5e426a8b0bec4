//! Tokens that are bound to a key: a call proves that its sender holds it (RFC 9449).

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::testing::{AuthorizationServer, DpopKey, Endpoint, ProofBuilder};
use grpc_auth::{
    Algorithm, BearerToken, ClientAuthentication, ConfigError, Denied, Dpop, Introspection, Issuer,
    Principal, ReplayStore, ReplayStoreError, RequestExt, ResourceServer, TokenCache, UsedProof,
};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use tests::callers::settle;
use tests::logs::Logs;
use tests::sender::{Doors, Expected, ORIGIN, UNARY, challenges};
use tests::serve;
use tonic::codegen::Service;
use tower_layer::Layer;

fn dpop() -> Dpop {
    Dpop::for_origins([ORIGIN])
}

/// A call that gets past everything, so that what refuses a variant of it is the variant.
async fn assert_accepts(doors: &Doors, token: &str, proof: ProofBuilder, case: &str) {
    let answer = doors.prove(token, &proof.sign()).await;
    assert!(answer.is_ok(), "{case}: {answer:?}");
}

fn seconds(doors: &Doors) -> u64 {
    let now = doors.issuer.clock().now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// The same proof with other bytes in one of its parts; its signature is the former one's.
fn rewrite(proof: &str, part: usize, change: impl FnOnce(String) -> String) -> String {
    let mut parts: Vec<_> = proof.split('.').map(str::to_owned).collect();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    parts[part] = URL_SAFE_NO_PAD.encode(change(text));
    parts.join(".")
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// A row for each thing that can be wrong: the proof, what the caller is told, and the log's cause.
fn wrong_proofs(doors: &Doors, token: &str) -> Vec<(String, Expected, &'static str)> {
    let (key, now) = (&doors.key, seconds(doors));
    let proof = || key.proof(UNARY, token);
    let other = doors.issuer.dpop_key();
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 128])});
    let at = |address: &str| key.proof(address, token).sign();
    let twice = |part, member: &str| {
        rewrite(&proof().sign(), part, |json| json.replacen('{', &format!("{{{member},"), 1))
    };
    let (wrong, malformed) = (Expected::Proof, Expected::Malformed);
    let target = "`htu` is not this method at a configured origin; if clients know";
    let admitted = "`jwk` is not admitted for its `alg`";
    vec![
        // Header.
        (proof().without_header("typ").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "JWT").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "DPOP+JWT").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "at+jwt").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().without_header("alg").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "none").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "HS256").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "RS256").sign(), wrong, "or not for this type of key"),
        (proof().header("alg", "ES384").sign(), wrong, "or not for this type of key"),
        (proof().header("crit", ["exp"]).sign(), wrong, "has `crit`"),
        (proof().header("b64", false).sign(), wrong, "has `b64`"),
        (proof().header("zip", "DEF").sign(), wrong, "has `zip`"),
        (proof().without_header("jwk").sign(), wrong, "has no `jwk`"),
        (proof().header("jwk", "key").sign(), wrong, admitted),
        (proof().header("jwk", json!({"kty": "oct", "k": "AAAA"})).sign(), wrong, "symmetric"),
        (proof().header("jwk", with(key.jwk(), "d", json!("AAAA"))).sign(), wrong, "private"),
        (proof().header("jwk", with(key.jwk(), "use", json!("enc"))).sign(), wrong, "signatures"),
        (proof().header("jwk", weak).header("alg", "RS256").sign(), wrong, "too weak"),
        (proof().header("jwk", other.jwk()).sign(), wrong, "another than the token is bound to"),
        (other.proof(UNARY, token).sign(), wrong, "another than the token is bound to"),
        (proof().forge(), wrong, "the signature of the DPoP proof is not its key's"),
        // Claims.
        (proof().without_claim("htm").sign(), wrong, "`htm` is not `POST`"),
        (proof().claim("htm", "GET").sign(), wrong, "`htm` is not `POST`"),
        (proof().claim("htm", "post").sign(), wrong, "`htm` is not `POST`"),
        (proof().without_claim("htu").sign(), wrong, target),
        (at("https://echo.example.com/kit.v1.Kinds/Open"), wrong, target),
        (at("https://echo.example.com/kit.v1.Kinds/unary"), wrong, target),
        (at("https://echo.example.com"), wrong, target),
        (at("https://other.example.com/kit.v1.Kinds/Unary"), wrong, target),
        (at("https://echo.example.com:8443/kit.v1.Kinds/Unary"), wrong, target),
        (at("http://echo.example.com/kit.v1.Kinds/Unary"), wrong, target),
        (at("/kit.v1.Kinds/Unary"), wrong, target),
        (proof().without_claim("ath").sign(), wrong, "`ath` is not the hash of this token"),
        (key.proof(UNARY, "another").sign(), wrong, "`ath` is not the hash of this token"),
        (proof().without_claim("iat").sign(), wrong, "has no `iat`"),
        (proof().claim("iat", now - 61).sign(), wrong, "too old; how long it may be on its way is"),
        (proof().claim("iat", now + 6).sign(), wrong, "future; by how much clocks may differ is"),
        (proof().without_claim("jti").sign(), wrong, "`jti` is not a string of 1 to 256 bytes"),
        (proof().claim("jti", "").sign(), wrong, "`jti` is not a string of 1 to 256 bytes"),
        (proof().claim("jti", "j".repeat(257)).sign(), wrong, "`jti` is not a string of 1 to 256"),
        // Form.
        (proof().claim("jti", 1).sign(), malformed, "a member has another type"),
        (proof().claim("iat", "now").sign(), malformed, "a member has another type"),
        (proof().claim("ath", [1]).sign(), malformed, "a member has another type"),
        (proof().claim("nonce", 1).sign(), malformed, "a member has another type"),
        (proof().header("typ", 1).sign(), malformed, "a member has another type"),
        (twice(0, r#""typ":"dpop+jwt""#), malformed, "a name stands in it twice"),
        (twice(1, r#""htm":"POST""#), malformed, "a name stands in it twice"),
        (twice(1, r#""\u006ati":"a""#), malformed, "a name stands in it twice"),
        (rewrite(&proof().sign(), 1, |json| json + "{}"), malformed, "it does not parse"),
        (rewrite(&proof().sign(), 1, |_| "[]".into()), malformed, "a member has another type"),
        (format!("{}=", proof().sign()), malformed, "not base64url without padding"),
        (format!("{}.AA.AA", proof().sign()), malformed, "which has three parts: it has 5"),
        ("proof".into(), malformed, "which has three parts: it has 1"),
        (proof().claim("x", "x".repeat(7000)).sign(), malformed, "longer than 8 KiB"),
    ]
}

/// Also of a token that is remembered: it is the verdict on the token that is.
#[tokio::test]
async fn a_proof_is_refused_for_whatever_is_wrong_with_it() {
    for cache in [TokenCache::default(), TokenCache::off()] {
        let doors = Doors::with(|builder| builder.token_cache(cache).dpop(dpop())).await;
        let token = doors.token();
        for _ in 0..4 {
            let proof = doors.key.proof(UNARY, &token);
            assert_accepts(&doors, &token, proof, "a good one").await;
        }
        let rows = wrong_proofs(&doors, &token);
        assert!(rows.len() > 50);
        for (proof, expected, cause) in rows {
            doors.refuses(&format!("DPoP {token}"), &[&proof], expected, cause).await;
        }
        let (one, two) = (doors.proof(&token), doors.proof(&token));
        let malformed = Expected::Malformed;
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[], malformed, "without a proof in `dpop`").await;
        doors.refuses(&dpop, &[&one, &two], malformed, "several `dpop` values").await;
        doors.refuses(&dpop, &[&one, &one], malformed, "several `dpop` values").await;
        // What was refused was not used.
        assert!(doors.prove(&token, &one).await.is_ok());
    }
}

#[tokio::test]
async fn a_proof_is_right_within_its_bounds() {
    let doors = Doors::start(dpop()).await;
    let (token, now) = (doors.token(), seconds(&doors));
    let proof = || doors.key.proof(UNARY, &token);
    for (case, proof) in [
        ("the oldest", proof().claim("iat", now - 60)),
        ("the newest", proof().claim("iat", now + 5)),
        ("a fraction", proof().claim("iat", 0.5 + f64::from(u32::try_from(now).unwrap()))),
        ("the longest id", proof().claim("jti", "j".repeat(256))),
        ("a query", proof().claim("htu", format!("{UNARY}?a#b"))),
        ("the default port", proof().claim("htu", UNARY.replace(".com", ".com:443"))),
        ("upper case", proof().claim("htu", UNARY.replace("https://echo", "HTTPS://ECHO"))),
        ("others", proof().claim("exp", 1).header("x5c", ["a"]).header("kid", 1)),
        ("a nonce that nobody asked for", proof().nonce("nonce")),
    ] {
        assert_accepts(&doors, &token, proof, case).await;
    }
    for scheme in ["dpop", "DPOP"] {
        let answer = doors.call(&format!("{scheme} {token}"), &[&doors.proof(&token)]).await;
        assert!(answer.is_ok(), "{scheme}: {answer:?}");
    }
    for algorithm in [Algorithm::Rs256, Algorithm::EdDsa] {
        let key = doors.issuer.dpop_key_with(algorithm);
        let token = doors.issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
        assert_accepts(&doors, &token, key.proof(UNARY, &token), algorithm.as_str()).await;
    }
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_alone_and_a_proof_with_a_bound_token_alone() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let plain = doors.issuer.token().scopes(["read:word"]).sign();
    let bearer = format!("Bearer {token}");
    for _ in 0..3 {
        let cause = "came as `Bearer`: the client has to send it as `DPoP`";
        doors.refuses(&bearer, &[], Expected::Token, cause).await;
        doors.refuses(&bearer, &[&doors.proof(&token)], Expected::Token, cause).await;
        let cause = "not bound to a key (`cnf`, `jkt`)";
        let dpop = format!("DPoP {plain}");
        doors.refuses(&dpop, &[&doors.proof(&plain)], Expected::Token, cause).await;
        assert!(doors.call(&format!("Bearer {plain}"), &[]).await.is_ok());
    }
    // The token comes first: a good proof makes none of these better.
    let token = || doors.issuer.token().scopes(["read:word"]).bound_to_key(&doors.key);
    for (token, expected, cause) in [
        (token().forge(), Expected::Token, "the signature is not the issuer's"),
        (token().expired().sign(), Expected::Expired, "`exp` has passed"),
        (token().audience("other").sign(), Expected::Token, "`aud` does not contain"),
        (token().claim("cnf", json!({"jkt": "x"})).sign(), Expected::Token, "`cnf` binds it in"),
    ] {
        doors.refuses(&format!("DPoP {token}"), &[&doors.proof(&token)], expected, cause).await;
    }
}

#[tokio::test]
async fn without_the_setting_a_bound_token_is_refused_with_its_name() {
    let doors = Doors::with(|builder| builder).await;
    let token = doors.token();
    for _ in 0..3 {
        let setting = "configure `.dpop(Dpop::for_origins(..))`";
        doors.refuses(&format!("Bearer {token}"), &[], Expected::Token, setting).await;
        let proof = doors.proof(&token);
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[&proof], Expected::Scheme, setting).await;
    }
    let status = doors.call(&format!("DPoP {token}"), &[]).await.unwrap_err();
    assert_eq!(challenges(status.metadata()), ["Bearer realm=\"https://api.example.test\""]);
}

/// RFC 9449 §7.1.
#[tokio::test]
async fn the_challenge_offers_both_schemes() {
    let doors = Doors::start(dpop()).await;
    let algorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA";
    let realm = "realm=\"https://api.example.test\"";
    let status = doors.call("Basic YTpi", &[]).await.unwrap_err();
    let dpop = format!("DPoP {realm}, algs=\"{algorithms}\"");
    assert_eq!(challenges(status.metadata()), [format!("Bearer {realm}"), dpop]);

    let status = doors.prove(&doors.token(), "proof").await.unwrap_err();
    assert_eq!(status.message(), "the dpop metadata is not one DPoP proof");
    assert_eq!(
        challenges(status.metadata()),
        [format!(
            "DPoP {realm}, error=\"invalid_dpop_proof\", \
         error_description=\"the dpop metadata is not one DPoP proof\", algs=\"{algorithms}\""
        )]
    );
}

#[tokio::test]
async fn a_proof_is_used_once() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let (dpop, replayed) = (format!("DPoP {token}"), "the DPoP proof was used before");
    let id = |key: &DpopKey, token: &str| key.proof(UNARY, token).claim("jti", "the same").sign();
    let proof = id(&doors.key, &token);
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
    // Another proof of the key with the same name.
    let other = doors.key.proof(UNARY, &token).claim("jti", "the same").claim("x", 1).sign();
    doors.refuses(&dpop, &[&other], Expected::Proof, replayed).await;
    // The name belongs to its key.
    let key = doors.issuer.dpop_key();
    let others = doors.issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
    assert!(doors.prove(&others, &id(&key, &others)).await.is_ok());

    doors.issuer.clock().advance(Duration::from_secs(60));
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
    doors.issuer.clock().advance(Duration::from_secs(1));
    doors.refuses(&dpop, &[&proof], Expected::Proof, "is too old").await;
    assert!(doors.prove(&token, &id(&doors.key, &token)).await.is_ok());
    // A clock that goes back makes the first one young again, and it is forgotten by now.
    doors.issuer.clock().rewind(Duration::from_secs(30));
    doors.refuses(&dpop, &[&proof], Expected::Proof, replayed).await;
}

#[tokio::test]
async fn when_there_is_no_room_to_remember_proofs_calls_are_answered_unavailable() {
    let doors = Doors::start(dpop().replay_entries(2).replay_entries_per_key(1)).await;
    let token = |key: &DpopKey| doors.issuer.token().scopes(["read:word"]).bound_to_key(key).sign();
    let keys = [(); 3].map(|()| doors.issuer.dpop_key());
    let tokens = [&keys[0], &keys[1], &keys[2]].map(token);
    let proof = |n: usize| keys[n].proof(UNARY, &tokens[n]).sign();
    let dpop = |n: usize| format!("DPoP {}", tokens[n]);
    let full = Expected::Unavailable;

    let first = proof(0);
    assert!(doors.prove(&tokens[0], &first).await.is_ok());
    doors.refuses(&dpop(0), &[&proof(0)], full, "raise `Dpop::replay_entries_per_key`").await;
    assert!(doors.prove(&tokens[1], &proof(1)).await.is_ok());
    doors.refuses(&dpop(2), &[&proof(2)], full, "raise `Dpop::replay_entries`,").await;
    // Nothing that counts was forgotten.
    doors.refuses(&dpop(0), &[&first], Expected::Proof, "was used before").await;
    doors.issuer.clock().advance(Duration::from_secs(61));
    assert!(doors.prove(&tokens[2], &proof(2)).await.is_ok());
    assert!(doors.prove(&tokens[0], &proof(0)).await.is_ok());
}

#[tokio::test]
async fn a_nonce_is_asked_for_and_given_with_the_refusal() {
    for dpop in [dpop().require_nonce(), dpop().shared_nonce_key(vec![7; 32])] {
        let doors = Doors::start(dpop).await;
        let token = doors.token();
        let authorization = format!("DPoP {token}");
        let cause = "has no nonce, or an old one";
        let proof = || doors.key.proof(UNARY, &token).claim("jti", "one");
        let (bare, wrong) = (proof().sign(), proof().nonce("wrong").sign());
        doors.refuses(&authorization, &[&bare], Expected::Nonce, cause).await;
        doors.refuses(&authorization, &[&wrong], Expected::Nonce, cause).await;
        // Only a proof that is right in all else is told a nonce.
        let forged = proof().forge();
        doors.refuses(&authorization, &[&forged], Expected::Proof, "the signature of").await;

        let status = doors.prove(&token, &bare).await.unwrap_err();
        let nonce = status.metadata().get("dpop-nonce").unwrap().to_str().unwrap().to_owned();
        let good = proof().nonce(&nonce).sign();
        assert!(doors.prove(&token, &good).await.is_ok());
        doors.refuses(&authorization, &[&good], Expected::Proof, "was used before").await;

        doors.issuer.clock().advance(Duration::from_secs(300));
        let later = || doors.key.proof(UNARY, &token).nonce(&nonce).sign();
        assert!(doors.prove(&token, &later()).await.is_ok());
        doors.issuer.clock().advance(Duration::from_secs(300));
        doors.refuses(&authorization, &[&later()], Expected::Nonce, cause).await;
    }
}

#[tokio::test]
async fn replicas_accept_each_others_nonces_where_they_share_the_key() {
    let shared = || dpop().shared_nonce_key(vec![7; 32]);
    for (one, other, is_shared) in [
        (dpop().require_nonce(), dpop().require_nonce(), false),
        (shared(), shared(), true),
        (shared(), dpop().shared_nonce_key(vec![8; 32]), false),
        (shared(), shared().require_nonce(), true),
    ] {
        let doors = Doors::start(one).await;
        let builder = doors.issuer.resource_server().dpop(other);
        let replica = builder.build().await.unwrap();
        let token = doors.token();
        let status = doors.prove(&token, &doors.proof(&token)).await.unwrap_err();
        let nonce = status.metadata().get("dpop-nonce").unwrap().to_str().unwrap();
        let proof = doors.key.proof(UNARY, &token).nonce(nonce).sign();
        let mut doors = doors;
        doors.connect(serve(replica.protect(doors.handlers.clone())).await);
        assert_eq!(doors.prove(&token, &proof).await.is_ok(), is_shared);
    }
}

#[tokio::test]
async fn outside_of_a_call_a_bound_token_is_refused() {
    let doors = Doors::start(dpop()).await;
    for _ in 0..3 {
        let token = BearerToken::parse(&doors.token()).unwrap();
        let refused = doors.auth.verify(&token).await.unwrap_err();
        assert_eq!(refused.denied(), Denied::TokenInvalid);
        assert!(refused.to_string().contains("which only a call can prove"), "{refused}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_when_the_server_is_built() {
    let issuer = grpc_auth::testing::AuthorizationServer::start().await.unwrap();
    let second = Duration::from_secs(1);
    for (dpop, texts) in [
        (Dpop::for_origins([""; 0]), &["`for_origins`", "write at least one"][..]),
        (
            Dpop::for_origins(["http://echo.example.com"]),
            &["\"http://echo.example.com\"", "like `https://echo.example.com`"],
        ),
        (Dpop::for_origins([UNARY]), &["the DPoP origin", "and nothing else"]),
        (dpop().proof_lifetime(Duration::ZERO), &["`proof_lifetime`", "from 1 s to 10 min"]),
        (dpop().proof_lifetime(601 * second), &["`proof_lifetime`", "from 1 s to 10 min"]),
        (dpop().clock_skew(61 * second), &["`clock_skew`", "synchronize the clocks"]),
        (dpop().replay_entries(0), &["`replay_entries`", "from 1 to 16,777,216"]),
        (
            dpop().replay_entries(10).replay_entries_per_key(10),
            &["`replay_entries_per_key`", "fewer than `replay_entries`"],
        ),
        (dpop().shared_nonce_key(vec![7; 31]), &["`shared_nonce_key`", "32 random bytes"]),
    ] {
        let error = issuer.resource_server().dpop(dpop).build().await.unwrap_err();
        let is_of_dpop = matches!(
            error,
            ConfigError::DpopSetting { .. } | ConfigError::DpopOriginInvalid { .. }
        );
        assert!(is_of_dpop, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{text:?} in {error}");
        }
    }
}

/// A service that tells what reached it, behind a layer without guards.
#[derive(Clone)]
struct Mirror;

impl Service<Request<()>> for Mirror {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let caller = request.principal().and_then(Principal::subject).unwrap_or("nobody");
        let hidden = request.headers().get_all("dpop").iter().all(HeaderValue::is_sensitive);
        let answer = format!("{caller} {}", if hidden { "hidden" } else { "shown" });
        ready(Ok(Response::new(answer)))
    }
}

const ECHO: ServicePolicy = ServicePolicy::new(
    "echo.Echo",
    &[
        MethodPolicy::new("Open", AccessRule::AllowUnauthenticated),
        MethodPolicy::new("Closed", AccessRule::Authenticated),
    ],
);

async fn mirror(
    auth: &ResourceServer,
    method: Method,
    path: &str,
    authorization: &str,
    proofs: &[&str],
) -> String {
    let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    for proof in proofs {
        request.headers_mut().append("dpop", proof.parse().unwrap());
    }
    let Ok(answer) = auth.layer([ECHO]).unwrap().layer(Mirror).call(request).await;
    match answer.headers().get("grpc-status") {
        Some(status) => format!("status {}", status.to_str().unwrap()),
        None => answer.into_body(),
    }
}

#[tokio::test]
async fn where_anyone_may_call_an_unproved_token_means_nobody() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let proof = || doors.key.proof("https://echo.example.com/echo.Echo/Open", &token);
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));
    let open = async |authorization: &str, proofs: &[&str]| {
        mirror(&doors.auth, Method::POST, "/echo.Echo/Open", authorization, proofs).await
    };
    let good = proof().sign();
    assert_eq!(open(&dpop, &[&good]).await, "test hidden");
    assert_eq!(open(&dpop, &[&good]).await, "nobody hidden");
    assert_eq!(open(&dpop, &[&proof().forge()]).await, "nobody hidden");
    assert_eq!(open(&dpop, &[&proof().sign(), &proof().sign()]).await, "nobody hidden");
    assert_eq!(open(&dpop, &[]).await, "nobody hidden");
    assert_eq!(open(&bearer, &[&proof().sign()]).await, "nobody hidden");
    // Of a server that checks no proofs.
    let auth = doors.issuer.resource_server().build().await.unwrap();
    let answer = mirror(&auth, Method::POST, "/echo.Echo/Open", &dpop, &[&good]).await;
    assert_eq!(answer, "nobody hidden");
}

/// tonic serves them: a proof for a POST is none for a GET, and one for a GET is none at all.
#[tokio::test]
async fn another_http_method_is_refused() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let proof = || doors.key.proof("https://echo.example.com/echo.Echo/Closed", &token);
    let dpop = format!("DPoP {token}");
    for (method, htm, expected) in [
        (Method::POST, "POST", "test hidden"),
        (Method::GET, "POST", "status 16"),
        (Method::GET, "GET", "status 16"),
        (Method::POST, "GET", "status 16"),
    ] {
        let proof = proof().claim("htm", htm).sign();
        let answer = mirror(&doors.auth, method, "/echo.Echo/Closed", &dpop, &[&proof]).await;
        assert_eq!(answer, expected, "{htm}");
    }
}

/// Answers as it is told, for all servers that it is given to.
#[derive(Clone, Debug, Default)]
struct Shared {
    used: Arc<Mutex<HashSet<String>>>,
    hangs: bool,
    fails: bool,
}

impl ReplayStore for Shared {
    fn is_first_use<'s>(
        &'s self,
        proof: UsedProof,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        Box::pin(async move {
            if self.hangs {
                return pending().await;
            }
            if self.fails {
                return Err(ReplayStoreError::Unavailable("canary is down".into()));
            }
            // It answers later, as a store elsewhere does.
            tokio::task::yield_now().await;
            assert_eq!((proof.id().len(), proof.key().len()), (43, 43));
            assert_eq!(proof.expires_in(), Duration::from_secs(60));
            Ok(self.used.lock().unwrap().insert(proof.id()))
        })
    }
}

#[tokio::test]
async fn a_proof_is_used_once_at_all_replicas_that_share_a_store() {
    let store = Shared::default();
    let mut doors = Doors::start(dpop().replay_store(store.clone())).await;
    let builder = doors.issuer.resource_server().dpop(dpop().replay_store(store));
    let replica = builder.build().await.unwrap();
    let token = doors.token();
    let (proof, other) = (doors.proof(&token), doors.proof(&token));
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.connect(serve(replica.protect(doors.handlers.clone())).await);
    let dpop = format!("DPoP {token}");
    doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    assert!(doors.prove(&token, &other).await.is_ok());
}

#[tokio::test]
async fn a_store_that_does_not_answer_lets_nobody_in() {
    let store = Shared { fails: true, ..Shared::default() };
    let doors = Doors::start(dpop().replay_store(store)).await;
    let token = doors.token();
    let dpop_token = format!("DPoP {token}");
    let cause = "does not answer: canary is down";
    doors.refuses(&dpop_token, &[&doors.proof(&token)], Expected::Unavailable, cause).await;

    let doors =
        Doors::start(dpop().replay_store(Shared { hangs: true, ..Shared::default() })).await;
    let token = doors.token();
    let dpop_token = format!("DPoP {token}");
    let proof = doors.proof(&token);
    let proofs = [&*proof];
    let cause = "it took longer than 1 s";
    let mut call = pin!(doors.refuses(&dpop_token, &proofs, Expected::Unavailable, cause));
    // Nothing but the clock ends it.
    tokio::select! {
        () = &mut call => panic!("answered too early"),
        () = settle() => {}
    }
    doors.issuer.clock().advance(Duration::from_millis(999));
    tokio::select! {
        () = &mut call => panic!("answered too early"),
        () = settle() => {}
    }
    doors.issuer.clock().advance(Duration::from_millis(1));
    call.await;
}

/// Keys are fetched while the call waits, and its proof is checked after that.
#[tokio::test]
async fn a_call_that_waited_for_keys_is_asked_for_its_proof_as_well() {
    let doors = Doors::start(dpop()).await;
    doors.issuer.replace_keys().unwrap();
    let token = doors.token();
    let bearer = format!("Bearer {token}");
    doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
    doors.issuer.replace_keys().unwrap();
    let token = doors.token();
    let proof = doors.proof(&token);
    assert!(doors.prove(&token, &proof).await.is_ok());
    let dpop = format!("DPoP {token}");
    doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    assert_eq!(doors.issuer.requests(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn no_proof_and_no_claim_of_one_stands_in_any_output() {
    let logs = Logs::capture();
    let doors =
        Doors::start(dpop().shared_nonce_key(b"canary-key-canary-key-canary-key".to_vec())).await;
    let token = doors.token();
    let nonce = {
        let status = doors.prove(&token, &doors.proof(&token)).await.unwrap_err();
        status.metadata().get("dpop-nonce").unwrap().to_str().unwrap().to_owned()
    };
    let proof = || doors.key.proof(UNARY, &token).nonce(&nonce).claim("x", "canary-claim");
    let mut output = format!("{:?} {:?} {:?}", doors.auth, doors.key, proof());
    let mut proofs = Vec::new();
    let replayed = proof().claim("jti", "canary-jti").sign();
    for proof in [
        replayed.clone(),
        replayed,
        proof().claim("jti", ["canary"]).sign(),
        proof().claim("htu", "https://canary.example").sign(),
        proof().claim("htm", "canary").sign(),
        proof().claim("ath", "canary").sign(),
        proof().claim("nonce", "canary").sign(),
        proof().header("typ", "canary").sign(),
        proof().header("alg", "canary").sign(),
        proof().header("jwk", json!({"kty": "canary"})).sign(),
        proof().forge(),
        "canary".to_owned(),
    ] {
        output.push_str(&format!("{:?}\n", doors.prove(&token, &proof).await));
        proofs.push(proof);
    }
    // The client's own frames are not ours to hide.
    let text = logs.text();
    output.extend(text.lines().filter(|line| line.contains("grpc_auth")));
    for part in proofs.iter().flat_map(|proof| proof.split('.')) {
        assert!(!output.contains(part), "{part}");
    }
    let thumbprint = doors.key.thumbprint();
    let hits: Vec<_> = output
        .lines()
        .filter(|line| line.contains("canary") || line.contains(&thumbprint))
        .collect();
    assert!(hits.is_empty(), "{hits:#?}");
    assert!(output.contains("`Dpop::for_origins`"), "the output was looked at");
}

/// A client of the introspection endpoint.
async fn asking(change: impl FnOnce(Introspection) -> Introspection) -> Doors {
    let doors = Doors::start(dpop()).await;
    doors.issuer.add_client("api", "secret", [""; 0]);
    let client = ClientAuthentication::client_secret_basic("api", "secret");
    let issuer = Issuer::oidc(doors.issuer.url()).introspection(change(Introspection::new(client)));
    let builder = ResourceServer::builder().issuer(issuer).audience(AuthorizationServer::AUDIENCE);
    let auth = builder.clock(doors.issuer.clock().clone()).dpop(dpop()).build().await.unwrap();
    let mut doors = doors;
    doors.connect(serve(auth.protect(doors.handlers.clone())).await);
    doors
}

#[tokio::test]
async fn an_opaque_token_is_bound_by_what_the_issuer_says_of_it() {
    let doors = asking(|introspection| introspection).await;
    let token = doors.issuer.token().scopes(["read:word"]).bound_to_key(&doors.key).opaque();
    for _ in 0..2 {
        let bearer = format!("Bearer {token}");
        doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
        let proof = doors.proof(&token);
        assert!(doors.prove(&token, &proof).await.is_ok());
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    }
    let aud = AuthorizationServer::AUDIENCE;
    let answer = json!({"active": true, "aud": aud, "scope": "read:word", "token_type": "DPoP"});
    doors.issuer.set_introspection_response(Some(answer.to_string()));
    doors.refuses("Bearer another", &[], Expected::Token, "`cnf` binds it in another way").await;
}

/// An answer that leaves `cnf` out, or names another key, does not untie a token that has one.
#[tokio::test]
async fn an_answer_about_a_jwt_keeps_its_binding() {
    let doors = asking(Introspection::hybrid).await;
    let other = doors.issuer.dpop_key();
    let answer = |cnf: Value| {
        let aud = AuthorizationServer::AUDIENCE;
        let answer = json!({"active": true, "aud": aud, "scope": "read:word", "cnf": cnf});
        Some(answer.to_string().replace(r#""cnf":null,"#, ""))
    };
    for (cnf, is_kept) in [
        (json!({"jkt": doors.key.thumbprint()}), true),
        (Value::Null, false),
        (json!({"jkt": other.thumbprint()}), false),
    ] {
        doors.issuer.set_introspection_response(answer(cnf));
        let token = doors.token();
        for _ in 0..3 {
            let proof = doors.proof(&token);
            let (bearer, dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
            if is_kept {
                assert!(doors.prove(&token, &proof).await.is_ok());
                doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
            } else {
                let cause = "does not repeat the `cnf`";
                doors.refuses(&bearer, &[], Expected::Token, cause).await;
                doors.refuses(&dpop, &[&proof], Expected::Token, cause).await;
            }
        }
        doors.issuer.clock().advance(Duration::from_secs(61));
    }
    // A JWT that says less than the answer is bound by the answer.
    doors.issuer.set_introspection_response(answer(json!({"jkt": doors.key.thumbprint()})));
    let token = doors.issuer.token().scopes(["read:word"]).sign();
    let bearer = format!("Bearer {token}");
    doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
}
