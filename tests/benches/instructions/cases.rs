//! What a child does so many times. What it does before does not depend on how many.

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use grpc_auth::testing::ManualClock;
use grpc_auth::{BearerToken, TokenCache};
use http::Extensions;
use metrics_util::debugging::DebuggingRecorder;
use tests::callers::until;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::client;
use crate::service::{self, Call};
use crate::tokens::{self, Algorithm, ISSUER};
use crate::{TOKENS, folder};

pub(crate) async fn run(case: &str, times: usize) {
    match case.split_once(' ') {
        Some(("signature", algorithm)) => signature(Algorithm::parse(algorithm).unwrap(), times),
        Some(("verify", algorithm)) => verify(Algorithm::parse(algorithm).unwrap(), times).await,
        Some(("call", "plain")) => call(&service::plain(), false, times).await,
        Some(("call", "measured")) => {
            DebuggingRecorder::new().install().unwrap();
            call(&protected().await, true, times).await;
        }
        Some(("call", "protected")) => call(&protected().await, true, times).await,
        Some(("call", "fetched")) => fetched(false, times).await,
        Some(("call", "refreshed")) => fetched(true, times).await,
        Some(("call", "introspected")) => introspected(times).await,
        Some(("hmac", _)) => hash(times),
        Some(("call", "asking")) => {
            call(&service::asking(&folder(Algorithm::Rs256)).await, true, times).await;
        }
        Some(("call", "requiring")) => {
            call(&service::requiring(&folder(Algorithm::Rs256)).await, true, times).await;
        }
        Some(("serve", "plain")) => serve(service::plain()).await,
        Some(("serve", "protected")) => serve(protected().await).await,
        Some(("client", case)) => {
            let (of, port) = case.split_once(' ').unwrap();
            let token = good(&folder(Algorithm::Rs256)).swap_remove(0);
            client::call(port.parse().unwrap(), of == "source", &token, times).await;
        }
        Some(("extensions", inserted)) => extensions(inserted == "two", times),
        _ => unreachable!("no such case: {case}"),
    }
}

async fn protected() -> impl TonicService {
    service::protected(&folder(Algorithm::Rs256)).await
}

/// The floor: the signature alone, with a parsed key, split and decoded beforehand.
fn signature(algorithm: Algorithm, times: usize) {
    let folder = folder(algorithm);
    let public = std::fs::read(folder.join("key")).unwrap();
    let key = match algorithm {
        Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, public),
    }
    .unwrap();
    let split = |token: &str| {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        (signed.to_owned(), BASE64.decode(signature).unwrap())
    };
    let verify = |(signed, signature): &(String, Vec<u8>)| {
        key.verify_sig(signed.as_bytes(), signature).is_ok()
    };
    let good: Vec<_> = good(&folder).iter().map(|token| split(token)).collect();
    assert!(good.first().is_some_and(verify) && !verify(&split(&forged(&folder))));
    for token in good.iter().take(times) {
        assert!(verify(black_box(token)));
    }
}

/// All of verification, and nothing remembered.
async fn verify(algorithm: Algorithm, times: usize) {
    let folder = folder(algorithm);
    let auth = service::resource_server(&folder, TokenCache::off()).await;
    let parse = |token: &str| BearerToken::parse(token).unwrap();
    let good: Vec<_> = good(&folder).iter().map(|token| parse(token)).collect();
    assert!(auth.verify(good.first().unwrap()).await.is_ok());
    assert!(auth.verify(&parse(&forged(&folder))).await.is_err());
    for token in good.iter().take(times) {
        assert!(auth.verify(black_box(token)).await.is_ok());
    }
}

/// Calls in process with one token, which is remembered where anything is.
async fn call(service: &impl TonicService, is_protected: bool, times: usize) {
    let folder = folder(Algorithm::Rs256);
    let good = Call::with(good(&folder).first().unwrap());
    assert!(good.is_answered_by(service).await);
    assert_ne!(Call::with(&forged(&folder)).is_answered_by(service).await, is_protected);
    for _ in 0..times {
        assert!(good.is_answered_by(service).await);
    }
}

/// The same with keys that were fetched twice, and a token that is remembered since then or from
/// before. What is remembered from before no longer knows when the use of keys has to be noted.
async fn fetched(is_from_before: bool, times: usize) {
    let folder = folder(Algorithm::Rs256);
    let clock = ManualClock::at(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let (service, fetches) = service::fetching(&folder, &clock).await;
    let good: Vec<_> = good(&folder).iter().take(2).map(|token| Call::with(token)).collect();
    let [before, after] = &good[..] else { unreachable!("two were taken") };
    // Two minutes before the keys are due, and two after.
    for (minutes, fetched, call) in [(10, 1, before), (4, 2, after)] {
        clock.advance(Duration::from_secs(minutes * 60));
        assert!(before.is_answered_by(&service).await);
        until("the keys are fetched", async || fetches.load(Relaxed) == fetched).await;
        // The first time it is not remembered yet.
        for _ in 0..2 {
            assert!(call.is_answered_by(&service).await);
        }
    }
    let call = if is_from_before { before } else { after };
    for _ in 0..times {
        assert!(call.is_answered_by(&service).await);
    }
    assert_eq!(fetches.load(Relaxed), 2);
}

/// The same with the same token, which is not verified here: its issuer introspected it.
async fn introspected(times: usize) {
    let token = good(&folder(Algorithm::Rs256)).swap_remove(0);
    let service = service::introspected().await;
    let good = Call::with(&token);
    for _ in 0..times {
        assert!(good.is_answered_by(&service).await);
    }
}

/// What a token is known by, once it was introspected.
fn hash(times: usize) {
    let token = good(&folder(Algorithm::Rs256)).swap_remove(0);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    for _ in 0..times {
        let mut context = hmac::Context::with_key(&key);
        context.update(ISSUER.as_bytes());
        context.update(black_box(token.as_bytes()));
        black_box(context.sign());
    }
}

/// Serves on a free port, printed on stdout, until stdin ends.
async fn serve(service: impl TonicService) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (end, ended) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        end.send(()).unwrap();
    });
    let router = Server::builder().add_service(service);
    let ended = async { ended.await.unwrap() };
    router.serve_with_incoming_shutdown(incoming, ended).await.unwrap();
}

/// One value in the extensions, as a request has on arrival, or another one of the size of what
/// the layer leaves there.
fn extensions(has_another: bool, times: usize) {
    for _ in 0..times {
        let mut extensions = Extensions::new();
        extensions.insert(black_box(1_u8));
        if has_another {
            extensions.insert(black_box([0_u64; 12]));
        }
        black_box(&extensions);
    }
}

fn good(folder: &Path) -> Vec<String> {
    let tokens = tokens::good(folder, TOKENS).unwrap();
    assert_eq!(tokens.len(), TOKENS);
    tokens
}

fn forged(folder: &Path) -> String {
    let bad = tokens::bad(folder).unwrap();
    bad.into_iter().find(|(kind, _)| kind == "forged").map(|(_, token)| token).unwrap()
}

/// What `add_service` takes.
pub(crate) trait TonicService:
    Service<
        http::Request<Body>,
        Response = http::Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> TonicService for S where
    S: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}
