//! Answers that are small on the way and large afterwards. Nothing is inflated, also where another
//! crate of the program has switched it on: these tests have reqwest's `gzip`.

use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};

use allocation_counter::measure;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use grpc_auth::client::OAuthClient;
use grpc_auth::{
    ClientAuthentication, Introspection, Issuer, JwksEvent, JwksHealth, ResourceServer,
};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tests::callers::with;
use tests::logs::Logs;
use tests::{Kit, assert_denied, block_on};
use tokio::net::TcpListener;
use tonic::Code;

const REFUSED: &str = "the answer is compressed (`content-encoding`)";
/// For connections, and the server in the same process; not for what would come out.
const MEMORY: u64 = 4 * 1024 * 1024;

/// 1 MB of members (RFC 1952 §2.2), each of which is a megabyte of white space: JSON as far as it
/// goes.
fn gigabyte() -> Bytes {
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(&vec![b' '; 1 << 20]).unwrap();
    member.finish().unwrap().repeat(1024).into()
}

/// A server that answers everything with this body, in this coding.
async fn answering(coding: &'static str, body: Bytes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let body = body.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                assert_eq!(request.headers()[ACCEPT_ENCODING], "identity");
                let mut answer = Response::new(Full::new(body.clone()));
                let headers = answer.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
                async { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    url
}

fn client() -> ClientAuthentication {
    ClientAuthentication::client_secret_basic("svc", "s3cret")
}

/// Fetches keys, and says what the fetches failed for.
async fn keys_of(issuer: Issuer) -> (ResourceServer, Vec<&'static str>) {
    let failures = Arc::<Mutex<Vec<_>>>::default();
    let told = Arc::clone(&failures);
    let builder = ResourceServer::builder().issuer(issuer).audience("api");
    let builder = builder.on_key_set_event(move |_, event| {
        if let JwksEvent::RefreshFailed { error, .. } = event {
            told.lock().unwrap().push(error.kind());
        }
    });
    let auth = builder.build().await.unwrap();
    let failures = failures.lock().unwrap().clone();
    (auth, failures)
}

async fn nothing_is_inflated(coding: &'static str, body: Bytes) {
    let url = answering(coding, body).await;
    let at_keys = Issuer::discover("https://issuer.example/").jwks_uri(&url);
    for issuer in [at_keys, Issuer::discover(&url)] {
        let (auth, failures) = keys_of(issuer).await;
        assert_eq!(failures, ["encoded"], "{coding}");
        assert_eq!(auth.key_sets().next().unwrap().1, JwksHealth::Unavailable);
    }

    let logs = Logs::capture();
    let issuer = Issuer::introspected(&url, Introspection::new(client()).endpoint(&url));
    let builder = ResourceServer::builder().issuer(issuer).audience("api");
    let answer = with(&builder.build().await.unwrap(), "opaque").await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert!(logs.line_with("could not be introspected").contains(REFUSED));

    let source = OAuthClient::token_endpoint(&url, client()).client_credentials().build();
    let logs = Logs::capture();
    let error = source.unwrap().token().await.unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(logs.text().contains(REFUSED), "{error:?} {}", logs.text());
}

#[test]
fn no_answer_is_inflated_whoever_gives_it() {
    let bomb = gigabyte();
    assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
    for coding in ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let memory = measure(|| block_on(nothing_is_inflated(coding, bomb.clone())));
        assert!(memory.bytes_max < MEMORY, "{coding}: {} bytes", memory.bytes_max);
    }
}

#[tokio::test]
async fn an_answer_that_says_it_is_not_compressed_is_none_that_is() {
    let kit = Kit::start().await;
    let url = answering("identity", kit.issuer.jwks().into()).await;
    let issuer = Issuer::discover(kit.issuer.url()).jwks_uri(url);
    let (auth, failures) = keys_of(issuer).await;
    assert_eq!(failures, [""; 0]);
    assert_eq!(auth.key_sets().next().unwrap().1, JwksHealth::Fresh);
}
