//! What unauthenticated callers can cost: ten million invalid tokens, opaque ones among them, a
//! megabyte where a token should be, and a hundred thousand unknown key ids, with good callers beside them.
//! `cargo bench -p tests --bench abuse -- --asked 500000` says how many tokens an introspection
//! endpoint introspects.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

mod endpoint;
mod opaque;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use grpc_auth::{BearerToken, DenialReason, ResourceServer, TokenCache};
use tests::block_on;
use tests::kinds::{Counting, call};
use tests::pb::kit::kinds_client::KindsClient;
use tokio::runtime::Runtime;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_types::StatusExt;

const JUNK: u64 = 10_000_000;
/// Opaque tokens that are introspected, unless another number is given.
const ASKED: u64 = 500_000;
const UNKNOWN_KEYS: u64 = 100_000;
/// Calls of a good caller in each phase.
const GOOD_CALLS: usize = 20_000;
const ROUNDS: usize = 7;
const MEGABYTE: u64 = 1_000_000;

fn main() -> ExitCode {
    let runtime = Runtime::new().unwrap();
    let issuer = runtime.block_on(TestAuthorizationServer::start()).unwrap();
    let auth = runtime.block_on(issuer.resource_server().build()).unwrap();

    let good = garbage(&auth)
        & junk(&issuer, &auth)
        & unknown_keys(&issuer, &auth)
        & opaque::asked_about(asked())
        & opaque::unanswered(&runtime, &issuer);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many, by `--asked N`; cargo has arguments of its own.
fn asked() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--asked");
    arguments.nth(1).map_or(ASKED, |number| number.parse().unwrap())
}

/// Prints a line, and hands on whether it is within its limit.
fn line(what: &str, found: f64, limit: f64, unit: &str) -> bool {
    let verdict = if found <= limit { "ok" } else { "OVER" };
    println!("{what:<64} {found:>12.2} {unit:<8} limit {limit:>8.2}  {verdict}");
    found <= limit
}

/// A megabyte in `authorization`, from the call to its refusal; and where a token is given as such.
fn garbage(auth: &ResourceServer) -> bool {
    let text = "eyJh".repeat(1 << 18);
    let value = http::HeaderValue::try_from(format!("Bearer {text}")).unwrap();
    let mut service = auth.protect(Counting::default());
    let calls = times(|| {
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = http::Uri::from_static("/kit.v1.Kinds/Unary");
        request.headers_mut().insert(http::header::AUTHORIZATION, value.clone());
        let started = Instant::now();
        let answer = at_once(service.call(request)).unwrap().unwrap();
        let taken = started.elapsed();
        let status = Status::from_header_map(answer.headers()).unwrap();
        let reason = status.get_details_error_info().unwrap().reason;
        assert_eq!(reason, "ACCESS_TOKEN_MALFORMED");
        taken
    });
    let tokens = times(|| {
        let started = Instant::now();
        assert!(BearerToken::parse(&text).is_none());
        started.elapsed()
    });
    line("1 MB of garbage: a call to its refusal (median)", calls, 50.0, "us")
        & line("1 MB of garbage: no token (median)", tokens, 50.0, "us")
}

/// The median in microseconds.
fn times(mut work: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<f64> = (0..1001).map(|_| work().as_secs_f64() * 1e6).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY)
}

fn junk(issuer: &TestAuthorizationServer, auth: &ResourceServer) -> bool {
    let cache = TokenCache::default();
    let good: Vec<BearerToken> = (0..1000)
        .map(|n| BearerToken::parse(&issuer.token().subject(n.to_string()).sign()).unwrap())
        .collect();
    // A remembered caller has its claims already; one that is verified again is another.
    let verified_again = || {
        let before = PARSED.load(Relaxed);
        for token in &good {
            at_once(auth.verify(token)).unwrap().unwrap().claims::<Counted>().unwrap();
        }
        PARSED.load(Relaxed) - before
    };
    // A token is remembered when it comes for the second time.
    assert_eq!([verified_again(), verified_again(), verified_again()], [1000, 1000, 0]);
    let (header, rest) = good.first().unwrap().expose_secret().split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let memory = measure(|| {
        for n in 0..JUNK {
            let number = URL_SAFE_NO_PAD.encode(n.to_be_bytes());
            let token = match n % 5 {
                0 => format!("{number}.{number}"),
                1 => format!("{header}.{number}.{signature}"),
                2 => format!("{number}.{payload}.{signature}"),
                3 => format!("{header}.{payload}.{number}"),
                _ => number,
            };
            let token = BearerToken::parse(&token).unwrap();
            let refused = at_once(auth.verify(&token)).unwrap().unwrap_err();
            assert_eq!(refused.denied(), DenialReason::TokenInvalid);
        }
    });
    let bound = (cache.bytes as u64 + 5 * MEGABYTE) as f64 / MEGABYTE as f64;
    let peak = memory.bytes_max as f64 / MEGABYTE as f64;
    let grown = memory.bytes_current as f64 / MEGABYTE as f64;
    line("10,000,000 junk tokens: memory at its peak", peak, bound, "MB")
        & line("10,000,000 junk tokens: memory that stays", grown, 0.0, "MB")
        & line("10,000,000 junk tokens: good entries lost", verified_again() as f64, 0.0, "of 1000")
}

static PARSED: AtomicU64 = AtomicU64::new(0);

/// Claims that count how often they are parsed.
struct Counted;

impl<'de> serde::Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PARSED.fetch_add(1, Relaxed);
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Polls once: these verdicts wait for nothing.
fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

fn unknown_keys(issuer: &TestAuthorizationServer, auth: &ResourceServer) -> bool {
    let good = issuer.token().scopes(["read:word"]).sign();
    let token = issuer.token().sign();
    let rest = token.split_once('.').unwrap().1.to_owned();
    let before = issuer.requests(Endpoint::Jwks);
    let asked = Arc::new(AtomicU64::new(0));

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let quiet = p99(auth, &good);
        let stop = Arc::new(AtomicBool::new(false));
        let flood = {
            let (auth, rest) = (auth.clone(), rest.clone());
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                while !stop.load(Relaxed) || asked.load(Relaxed) < UNKNOWN_KEYS {
                    let kid = asked.fetch_add(1, Relaxed);
                    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
                    let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
                    let refused = block_on(auth.verify(&BearerToken::parse(&token).unwrap()));
                    let denied = refused.unwrap_err().denied();
                    // Without a fetch for it, it may be good.
                    assert!(matches!(
                        denied,
                        DenialReason::TokenInvalid | DenialReason::BackendUnavailable
                    ));
                }
            })
        };
        let flooded = p99(auth, &good);
        stop.store(true, Relaxed);
        flood.join().unwrap();
        ratios.push(flooded / quiet);
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios.get(ROUNDS / 2).copied().unwrap_or(f64::INFINITY);
    let fetches = issuer.requests(Endpoint::Jwks) - before;
    let asked = asked.load(Relaxed);
    println!("{asked} unknown key ids; ratios of p99 in {ROUNDS} rounds: {ratios:.2?}");
    line("unknown key ids: fetches", fetches as f64, 4.0, "")
        & line("unknown key ids: good calls' p99, flooded / quiet (median)", ratio, 1.5, "")
}

/// In seconds, of whole calls in this process that find their token remembered.
fn p99(auth: &ResourceServer, token: &str) -> f64 {
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    let mut times: Vec<f64> = block_on(async {
        let mut times = Vec::with_capacity(GOOD_CALLS);
        for _ in 0..GOOD_CALLS {
            let started = Instant::now();
            call(&mut client, "Unary", Some(token)).await.unwrap();
            times.push(started.elapsed().as_secs_f64());
        }
        times
    });
    times.sort_by(f64::total_cmp);
    times.get(GOOD_CALLS * 99 / 100).copied().unwrap_or_default()
}
