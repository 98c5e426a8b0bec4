//! What must hold for any bytes that untrusted senders write: one function for each kind of input.
//! It panics if the property does not hold. Used by the fuzz target `door` and by the property tests
//! in `tests/suite`.

#![expect(clippy::expect_used, reason = "a property that does not hold is a panic")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::server::Protect;
use grpc_auth::testing::fuzz::{self as reader, Signer};
use grpc_auth::{BearerToken, Issuer, ResourceServer};
use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};
use http::{Request, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tower_layer::Layer;
use tower_service::Service;

use crate::at_once::at_once;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "fuzz";

/// Trusts keys whose private halves are gone, under the ids `rs256-1`, `es256-1` and `eddsa-1`,
/// and is lenient in all else.
pub(crate) static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    let keys = Signer::generate().expect("keys can be made").jwks();
    let issuer = Issuer::static_keys(ISSUER, keys)
        .accept_token_type("")
        .accept_token_type("JWT")
        .allow_missing_key_id();
    at_once(ResourceServer::builder().issuer(issuer).audience(AUDIENCE).build())
        .expect("a resource server can be built")
});

/// What a proof is made for.
pub(crate) const ORIGIN: &str = "https://fuzz.example";
pub(crate) const METHOD: &str = "/fuzz.Fuzz/Method";
const POLICY: ServicePolicy =
    ServicePolicy::new("fuzz.Fuzz", &[MethodPolicy::new("Method", AccessRule::Authenticated)]);

static LAYERED: LazyLock<Protect<Unreachable>> =
    LazyLock::new(|| SERVER.layer([POLICY]).expect("one policy").layer(Unreachable));

/// No token is accepted that a key was not used for. Three lines are taken as header, claims and
/// signature, not encoded yet.
pub(crate) fn token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        refuse(text);
    }
    refuse(&compact(data));
}

fn refuse(token: &str) {
    if let Some(token) = BearerToken::parse(token) {
        assert!(token.header_value().is_sensitive(), "a token shows itself");
        assert!(
            at_once(SERVER.verify(&token)).is_err(),
            "a token without a good signature is accepted"
        );
    }
}

/// No call gets through the layer by its metadata; each line is a value of `authorization`.
pub(crate) fn authorization(data: &[u8]) {
    let mut request = Request::post(METHOD).body(()).expect("a request");
    for line in data.split(|byte| *byte == b'\n').take(8) {
        // A client cannot send other bytes as a header.
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        request.headers_mut().append(AUTHORIZATION, value);
    }
    let Ok(answer) = at_once(LAYERED.clone().call(request));
    let status = answer.headers().get("grpc-status").map(HeaderValue::as_bytes);
    assert_eq!(status, Some(&b"16"[..]), "another answer than UNAUTHENTICATED");
}

/// A key set is read the same way twice, within its bounds, and none of its keys accepts a signature
/// that was not made with it.
pub(crate) fn key_set(data: &[u8]) {
    let Ok(set) = reader::key_set(data) else { return };
    assert!(members(data).contains_key("keys"), "another document is taken for a key set");
    let again = reader::key_set(data).expect("a set is one for good");
    assert_eq!((&set.identities, set.skipped.len()), (&again.identities, again.skipped.len()));
    assert!(set.identities.len() + set.skipped.len() <= 100, "more keys than are allowed");
    for length in [64, 96, 132, 256, 384, 512, 1024] {
        let mut one = vec![0; length];
        one[0] = 1;
        for signature in [vec![0; length], vec![0xff; length], one] {
            assert!(!set.verify(b"header.claims", &signature), "no signature at all");
        }
    }
}

/// Metadata of another issuer is rejected, and keys are fetched over TLS alone.
pub(crate) fn metadata(data: &[u8]) {
    let Ok(keys) = reader::metadata(data, ISSUER) else { return };
    assert_eq!(keys.scheme(), "https", "keys are fetched in the clear");
    #[derive(Deserialize)]
    struct Named {
        issuer: String,
    }
    let named: Named = serde_json::from_slice(data).expect("an object");
    assert_eq!(named.issuer, ISSUER, "metadata of another issuer is accepted");
}

/// The members of a document that was accepted, by another reader.
fn members(document: &[u8]) -> HashMap<String, IgnoredAny> {
    serde_json::from_slice(document).expect("an object")
}

/// Whatever form a document is read in, the verdict is one; another reader accepts it too, and sees
/// the same after it was written out.
pub(crate) fn json(data: &[u8]) {
    let verdict = reader::json::<IgnoredAny>(data).is_ok();
    let value = reader::json::<serde_json::Value>(data);
    assert_eq!(reader::json_tree(data).is_ok(), verdict, "two verdicts");
    assert_eq!(value.is_ok(), verdict, "two verdicts");
    let Ok(value) = value else { return };
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok(), "another reader rejects it");
    let again = reader::json::<serde_json::Value>(value.to_string().as_bytes());
    assert_eq!(again.expect("it was read before"), value, "it changed");
}

/// Claims that were read as two types are the same.
pub(crate) fn claims(data: &[u8]) {
    let Ok(value) = reader::claims(data) else { return };
    let strict = reader::json::<serde_json::Value>(data);
    assert_eq!(strict.expect("claims are strict"), value, "the handler sees other claims");
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(all) => all.iter().any(|one| one == wanted),
        }
    }
}

/// No answer makes a token active that another reader sees as inactive, or for another audience.
pub(crate) fn introspection(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        active: bool,
        aud: Audience,
    }
    if reader::introspection(data, ISSUER, AUDIENCE).is_err() {
        return;
    }
    let answer: Answer = serde_json::from_slice(data).expect("an object");
    assert!(answer.active && answer.aud.names(AUDIENCE), "the answer says another thing");
}

/// No proof is accepted that its key did not sign. Three lines are taken as header, claims and
/// signature, not encoded yet.
pub(crate) fn dpop_proof(data: &[u8]) {
    let refuse = |proof: &[u8]| {
        let verdict = reader::dpop_proof(proof, ORIGIN, METHOD);
        assert!(verdict.is_err(), "a proof without a signature is accepted");
    };
    refuse(data);
    refuse(compact(data).as_bytes());
}

/// Three lines as header, claims and signature of a compact token.
pub(crate) fn compact(data: &[u8]) -> String {
    let lines = data.splitn(3, |byte| *byte == b'\n');
    lines.map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".")
}

/// No ID token of another issuer or for another client is accepted. The bytes are its claims.
pub(crate) fn id_token(data: &[u8]) {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        aud: Audience,
    }
    let _ = str::from_utf8(data).map(|text| reader::id_token(text, ISSUER));
    if reader::id_token(&as_id_token(data), ISSUER).is_err() {
        return;
    }
    let claims: Claims = serde_json::from_slice(data).expect("an object");
    let is_ours = claims.iss == ISSUER && !claims.sub.is_empty() && claims.aud.names("fuzz");
    assert!(is_ours, "the ID token says another thing");
}

pub(crate) fn as_id_token(claims: &[u8]) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// An answer holds a token as another reader sees it, or is an error that a terminal can show.
pub(crate) fn token_response(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        token_type: String,
    }
    for status in [400, 401, 500] {
        let error = reader::token_response(status, data).expect_err("an error has no token");
        assert!(!error.contains("canary"), "a secret is shown");
    }
    match reader::token_response(200, data) {
        Ok(()) => {
            let answer: Answer = serde_json::from_slice(data).expect("an object");
            assert!(BearerToken::parse(&answer.access_token).is_some(), "no bearer token");
            assert!(!answer.token_type.is_empty(), "no type");
        }
        Err(error) => assert!(!error.contains("canary"), "a secret is shown"),
    }
}

/// Reading an answer of a device authorization endpoint ends.
pub(crate) fn device_response(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        user_code: String,
    }
    if reader::device_response(data).is_ok() {
        let answer: Answer = serde_json::from_slice(data).expect("an object");
        let is_plain = answer.user_code.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        assert!(is_plain, "a code moves the cursor");
    }
}

/// No file is the login of another client.
pub(crate) fn stored_login(data: &[u8]) {
    #[derive(Deserialize)]
    struct File {
        issuer: String,
        client_id: String,
    }
    if reader::stored_login(data, ISSUER).is_ok() {
        let file: File = serde_json::from_slice(data).expect("an object");
        assert_eq!((&*file.issuer, &*file.client_id), (ISSUER, "fuzz"), "another login is taken");
    }
}

/// No request answers a login without its `state` and its cookie, or begins it without the page.
pub(crate) fn callback(data: &[u8]) {
    if reader::callback(data).is_err() {
        return;
    }
    let holds = |text: &str| data.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("the-start") || holds("the-cookie"), "a request of another browser is accepted");
}

/// Reading a client file ends, and an error shows no password.
pub(crate) fn client_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(problem) = reader::client_file(text) {
        assert!(!problem.contains("canary"), "a secret is shown");
    }
}

/// No header makes keys be kept for less than a minute or more than a day, or an issuer be left
/// alone for more than an hour. Each line is a value of one of the headers.
pub(crate) fn cache_control(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let names = [CACHE_CONTROL, AGE, LAST_MODIFIED, RETRY_AFTER];
    for (line, name) in data.split(|byte| *byte == b'\n').take(8).zip(names.iter().cycle()) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(name, value);
    }
    let (kept, left_alone) = reader::cache_control(&headers);
    let day = Duration::from_secs(24 * 60 * 60);
    assert!((Duration::from_secs(60)..=day).contains(&kept), "kept for {kept:?}");
    let left_alone = left_alone.unwrap_or_default();
    assert!(left_alone <= Duration::from_secs(60 * 60), "left alone for {left_alone:?}");
}

/// What no call must reach.
#[derive(Clone)]
struct Unreachable;

impl Service<Request<()>> for Unreachable {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Its answer has no `grpc-status`, which is not what a refusal looks like.
    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}
