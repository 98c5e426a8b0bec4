//! What must hold for any bytes that others send: one function for each kind of input. It panics if
//! the property does not hold. For fuzzers and property tests, inside this project and outside.

#![expect(clippy::expect_used, reason = "a property that does not hold is a panic")]

mod doors;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};
use http::{Request, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

pub use doors::{DOORS, Door, bomb, hostile_values};

use super::data::client_file::ClientFile;
use super::data::keys::KeyRing;
use crate::client::fuzz as client;
use crate::http::cache_control::{Freshness, retry_after};
use crate::http::discovery;
use crate::issuer::Issuer;
use crate::jose::algorithm::Algorithm;
use crate::json as reader;
use crate::json::node::Node;
use crate::jwks::set::KeySet;
use crate::jwks::settings::JwksSettings;
use crate::login::fuzz as login;
use crate::policy::rule::AccessRule;
use crate::policy::service_policy::{MethodPolicy, ServicePolicy};
use crate::server::ResourceServer;
use crate::server::service::Protect;
use crate::token::bearer::BearerToken;
use crate::token::claims::ClaimsMemo;
use crate::verify::token_cache::TokenCache;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "fuzz";

/// Trusts keys whose private halves are gone, under the ids `rs256-1`, `es256-1` and `eddsa-1`,
/// and is lenient in all else.
static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    let keys = KeyRing::generate().expect("keys can be made").jwks();
    let issuer = Issuer::static_keys(ISSUER, keys.to_string())
        .accept_token_type("")
        .accept_token_type("JWT")
        .allow_missing_key_id();
    at_once(ResourceServer::builder().issuer(issuer).audience(AUDIENCE).build())
        .expect("a resource server can be built")
});

const METHOD: &str = "/fuzz.Fuzz/Method";
const POLICY: ServicePolicy =
    ServicePolicy::new("fuzz.Fuzz", &[MethodPolicy::new("Method", AccessRule::Authenticated)]);

static LAYERED: LazyLock<Protect<Unreachable>> =
    LazyLock::new(|| SERVER.layer([POLICY]).expect("one policy").layer(Unreachable));

/// No token is accepted that a key was not used for. Three lines are taken as header, claims and
/// signature, not encoded yet.
pub fn token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        refuse(text);
    }
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    if let (Some(header), Some(claims), Some(signature)) =
        (lines.next(), lines.next(), lines.next())
    {
        let encode = |part| URL_SAFE_NO_PAD.encode(part);
        refuse(&format!("{}.{}.{}", encode(header), encode(claims), encode(signature)));
    }
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
pub fn authorization(data: &[u8]) {
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
pub fn key_set(data: &[u8]) {
    let Ok((set, skipped)) = KeySet::parse(data) else { return };
    assert!(members(data).contains_key("keys"), "another document is taken for a key set");
    let (again, skipped_again) = KeySet::parse(data).expect("a set is one for good");
    assert_eq!((set.identities(), skipped.len()), (again.identities(), skipped_again.len()));
    assert!(set.identities().len() + skipped.len() <= 100, "more keys than are allowed");
    for algorithm in Algorithm::ALL {
        for key in set.without_kid(algorithm) {
            for length in [64, 96, 132, 256, 384, 512, 1024] {
                let mut one = vec![0; length];
                if let Some(first) = one.first_mut() {
                    *first = 1;
                }
                for signature in [&vec![0; length], &vec![0xff; length], &one] {
                    let message = b"header.claims";
                    assert!(!key.verifies(algorithm, message, signature), "no signature at all");
                }
            }
        }
    }
}

/// Metadata of another issuer is rejected, and keys are fetched over TLS alone.
pub fn metadata(data: &[u8]) {
    let issuer = Url::parse(ISSUER).expect("a URL");
    let Ok(keys) = discovery::read(data, &issuer, ISSUER) else { return };
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
pub fn json(data: &[u8]) {
    let verdict = reader::read::<IgnoredAny>(data).is_ok();
    let value = reader::read::<serde_json::Value>(data);
    assert_eq!(reader::read::<Node<'_>>(data).is_ok(), verdict, "two verdicts");
    assert_eq!(value.is_ok(), verdict, "two verdicts");
    let Ok(value) = value else { return };
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok(), "another reader rejects it");
    let again = reader::read::<serde_json::Value>(value.to_string().as_bytes());
    assert_eq!(again.expect("it was read before"), value, "it changed");
}

/// Claims that were read as two types are the same.
pub fn claims(data: &[u8]) {
    let Ok(value) = typed_claims(data) else { return };
    let strict = reader::read::<serde_json::Value>(data);
    assert_eq!(strict.expect("claims are strict"), value, "the handler sees other claims");
}

fn typed_claims(data: &[u8]) -> Result<serde_json::Value, String> {
    let memo = ClaimsMemo::default();
    match memo.get_or_parse::<serde_json::Value>(data) {
        Ok(claims) => Ok((**claims).clone()),
        // Its own text names the path; here the cause is of interest.
        Err(_) => reader::read::<serde_json::Value>(data).map_err(|error| error.to_string()),
    }
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
pub fn introspection(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        active: bool,
        aud: Audience,
    }
    if crate::introspection::response::read_answer(data, ISSUER, AUDIENCE).is_err() {
        return;
    }
    let answer: Answer = serde_json::from_slice(data).expect("an object");
    assert!(answer.active && answer.aud.names(AUDIENCE), "the answer says another thing");
}

/// No proof is accepted that its key did not sign. Three lines are taken as header, claims and
/// signature, not encoded yet.
pub fn dpop_proof(data: &[u8]) {
    let refuse = |proof: &[u8]| {
        let verdict =
            crate::proof_of_possession::proof::check_any(proof, "https://fuzz.example", METHOD);
        assert!(verdict.is_err(), "a proof without a signature is accepted");
    };
    refuse(data);
    let parts: Vec<_> =
        data.splitn(3, |byte| *byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    refuse(parts.join(".").as_bytes());
}

/// No ID token of another issuer or for another client is accepted. The bytes are its claims.
pub fn id_token(data: &[u8]) {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        sub: String,
        aud: Audience,
    }
    let _ = str::from_utf8(data).map(|text| login::id_token(text, ISSUER));
    if login::id_token(&as_id_token(data), ISSUER).is_err() {
        return;
    }
    let claims: Claims = serde_json::from_slice(data).expect("an object");
    let is_ours = claims.iss == ISSUER && !claims.sub.is_empty() && claims.aud.names("fuzz");
    assert!(is_ours, "the ID token says another thing");
}

fn as_id_token(claims: &[u8]) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// An answer holds a token as another reader sees it, or is an error that a terminal can show.
pub fn token_response(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        token_type: String,
    }
    for status in [400, 401, 500] {
        let error = client::token_response(status, data).expect_err("an error has no token");
        assert!(!error.contains("canary"), "a secret is shown");
    }
    match client::token_response(200, data) {
        Ok(()) => {
            let answer: Answer = serde_json::from_slice(data).expect("an object");
            assert!(BearerToken::parse(&answer.access_token).is_some(), "no bearer token");
            assert!(!answer.token_type.is_empty(), "no type");
        }
        Err(error) => assert!(!error.contains("canary"), "a secret is shown"),
    }
}

/// Reading an answer of a device authorization endpoint ends.
pub fn device_response(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        user_code: String,
    }
    if login::device_response(data).is_ok() {
        let answer: Answer = serde_json::from_slice(data).expect("an object");
        let is_plain = answer.user_code.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        assert!(is_plain, "a code moves the cursor");
    }
}

/// No file is the login of another client.
pub fn stored_login(data: &[u8]) {
    #[derive(Deserialize)]
    struct File {
        issuer: String,
        client_id: String,
    }
    if login::stored_login(data, ISSUER).is_ok() {
        let file: File = serde_json::from_slice(data).expect("an object");
        assert_eq!((&*file.issuer, &*file.client_id), (ISSUER, "fuzz"), "another login is taken");
    }
}

/// No request answers a login without its `state` and its cookie, or begins it without the page.
pub fn callback(data: &[u8]) {
    if login::callback(data).is_err() {
        return;
    }
    let holds = |text: &str| data.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("the-start") || holds("the-cookie"), "a request of another browser is accepted");
}

/// Reading a client file ends, and an error shows no password.
pub fn client_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(problem) = ClientFile::parse(text) {
        assert!(!problem.to_string().contains("canary"), "a secret is shown");
    }
}

/// No header makes keys be kept for less than a minute or more than a day, or an issuer be left
/// alone for more than an hour. Each line is a value of one of the headers.
pub fn cache_control(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let names = [CACHE_CONTROL, AGE, LAST_MODIFIED, RETRY_AFTER];
    for (line, name) in data.split(|byte| *byte == b'\n').take(8).zip(names.iter().cycle()) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(name, value);
    }
    let kept = JwksSettings::default().freshness(Freshness::of(&headers).max_age);
    let left_alone = retry_after(&headers, SystemTime::UNIX_EPOCH);
    let day = Duration::from_secs(24 * 60 * 60);
    assert!((Duration::from_secs(60)..=day).contains(&kept), "kept for {kept:?}");
    let left_alone = left_alone.unwrap_or_default();
    assert!(left_alone <= Duration::from_secs(60 * 60), "left alone for {left_alone:?}");
}

/// A resource server and the keys of its issuer. It signs tokens of any header and claims, so that
/// its verdicts can be compared with those of another implementation.
#[derive(Debug)]
pub struct Signer {
    keys: KeyRing,
    server: ResourceServer,
}

impl Signer {
    /// The issuer that the server trusts.
    pub const ISSUER: &str = ISSUER;
    /// The audience that the server accepts.
    pub const AUDIENCE: &str = AUDIENCE;
    /// The server's leeway.
    pub const LEEWAY: Duration = Duration::from_secs(30);

    /// Generates keys for RS256, ES256 and EdDSA. The server has no token cache and accepts tokens
    /// without `kid` and with `at+jwt`, `JWT` or no `typ`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it generates keys")]
    pub fn new() -> Self {
        let keys = KeyRing::generate().expect("keys can be made");
        let issuer = Issuer::static_keys(ISSUER, keys.jwks().to_string())
            .accept_token_type("")
            .accept_token_type("JWT")
            .allow_missing_key_id();
        let server = ResourceServer::builder()
            .issuer(issuer)
            .audience(AUDIENCE)
            .leeway(Self::LEEWAY)
            .token_cache(TokenCache::off());
        let server = at_once(server.build()).expect("a resource server can be built");
        Self { keys, server }
    }

    /// The issuer's key set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        self.keys.jwks().to_string()
    }

    /// The compact form of a token with this header and these claims, which need not be JSON. Other
    /// algorithms than RS256, ES256 and EdDSA have no key.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, header: &[u8], claims: &[u8]) -> String {
        let key = self.keys.signing_key(algorithm).expect("a key for RS256, ES256 or EdDSA");
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = key.sign(signed.as_bytes()).expect("a key can sign");
        format!("{signed}.{}", encode(&signature))
    }

    /// Whether the server accepts the token.
    ///
    /// # Errors
    /// Why it rejects the token.
    pub fn verify(&self, token: &str) -> Result<(), String> {
        let token = BearerToken::parse(token).ok_or("it is no token68 of at most 8 KiB")?;
        let verdict = at_once(self.server.verify(&token));
        verdict.map(drop).map_err(|denied| denied.to_string())
    }
}

/// With keys that are given there is nothing to wait for.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
    .expect("a verdict at once")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A property that nothing gets far enough to meet would hold as well.
    #[test]
    fn the_properties_are_reached() {
        let (set, _) = KeySet::parse(
            br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
                "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        )
        .unwrap();
        assert_eq!(set.without_kid(Algorithm::EdDsa).count(), 1);

        let header = r#"{"alg":"EdDSA","kid":"eddsa-1","typ":"at+jwt"}"#;
        let claims = format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":99999999999}}"#);
        let parts = [header.as_bytes(), claims.as_bytes(), &[0; 64]];
        let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let refused = at_once(SERVER.verify(&BearerToken::parse(&token).unwrap())).unwrap_err();
        assert_eq!(refused.to_string(), "the signature is not the issuer's");

        let document = br#"{"issuer":"https://issuer.example","jwks_uri":"https://a.example/"}"#;
        let issuer = Url::parse(ISSUER).unwrap();
        assert!(discovery::read(document, &issuer, ISSUER).is_ok());
    }
}
