//! One handler, plain and protected, called in process as tonic's transport calls it.

use std::convert::Infallible;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::{BufMut, Bytes, BytesMut};
use grpc_auth::server::Protect;
use grpc_auth::testing::ManualClock;
use grpc_auth::{
    Claims, ClientAuthentication, Introspection, Issuer, JwksEvent, ResourceServer, TokenCache,
};
use http::{HeaderMap, HeaderValue, Method, Version};
use http_body_util::{BodyExt, Full};
use prost::Message;
use serde::Deserialize;
use tests::answers::{self, ok};
use tests::pb::kit::Word;
use tests::pb::kit::right_server::{Right, RightServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Request, Response, Status};

use crate::tokens::{self, AUDIENCE, ISSUER};

pub(crate) struct Plain;

#[tonic::async_trait]
impl Right for Plain {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(crate) struct Protected;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Protected {
    #[require_scopes("read:orders")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Claims of the benchmark's tokens.
#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// What each caller asks for.
#[inline(never)]
fn is_other(subject: &Subject, word: &Word) -> bool {
    black_box(&subject.sub) != black_box(&word.text)
}

pub(crate) struct Requiring;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Requiring {
    #[require_scopes("read:orders")]
    #[require(|claims: &Claims<Subject>, word| is_other(claims, word))]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Asks in the handler, of what is at hand there.
pub(crate) struct Asking(Subject);

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Asking {
    #[require_scopes("read:orders")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        if !is_other(&self.0, request.get_ref()) {
            return Err(Status::permission_denied(""));
        }
        Ok(Response::new(request.into_inner()))
    }
}

pub(crate) async fn requiring(folder: &Path) -> Protect<RightServer<Requiring>> {
    resource_server(folder, TokenCache::default()).await.protect(Requiring)
}

pub(crate) async fn asking(folder: &Path) -> Protect<RightServer<Asking>> {
    let subject = Subject { sub: "auth0|65f1c2d3e4b5a69788000000".into() };
    resource_server(folder, TokenCache::default()).await.protect(Asking(subject))
}

pub(crate) fn plain() -> RightServer<Plain> {
    RightServer::new(Plain)
}

pub(crate) async fn protected(folder: &Path) -> Protect<RightServer<Protected>> {
    resource_server(folder, TokenCache::default()).await.protect(Protected)
}

pub(crate) async fn resource_server(folder: &Path, token_cache: TokenCache) -> ResourceServer {
    let issuer = Issuer::static_keys(ISSUER, tokens::jwks(folder).unwrap());
    let builder = ResourceServer::builder().issuer(issuer.accept_token_type("JWT"));
    builder.audience(AUDIENCE).token_cache(token_cache).build().await.unwrap()
}

/// By this clock, with keys that are fetched, and how often they were.
pub(crate) async fn fetching(
    folder: &Path,
    clock: &ManualClock,
) -> (Protect<RightServer<Protected>>, Arc<AtomicUsize>) {
    let jwks = tokens::jwks(folder).unwrap();
    let url = answers::serve(move |_| ok("", &jwks)).await;
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let auth = ResourceServer::builder()
        .issuer(Issuer::discover(ISSUER).jwks_uri(url).accept_token_type("JWT"))
        .audience(AUDIENCE)
        .clock(clock.clone())
        .on_key_set_event(move |_, event| {
            if matches!(event, JwksEvent::RefreshSucceeded { .. }) {
                count.fetch_add(1, Relaxed);
            }
        })
        .build()
        .await
        .unwrap();
    (auth.protect(Protected), fetches)
}

/// Behind an issuer that introspects tokens and calls each of them active.
pub(crate) async fn introspected() -> Protect<RightServer<Protected>> {
    // The embedded authorization server makes keys, which costs another amount each time.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/introspect", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 16 * 1024];
        let mut length = 0;
        while !request[..length].windows(5).any(|window| window == b"hint=") {
            length += stream.read(&mut request[length..]).await.unwrap();
        }
        let body = format!(
            r#"{{"active":true,"aud":"{AUDIENCE}","exp":4102444800,"scope":"read:orders"}}"#
        );
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let client = ClientAuthentication::client_secret_basic("bench", "s3cret");
    let asked = Introspection::new(client).endpoint(endpoint);
    let issuer = Issuer::introspected(ISSUER, asked);
    let auth = ResourceServer::builder().issuer(issuer).audience(AUDIENCE).build().await.unwrap();
    auth.protect(Protected)
}

/// A call of `Right.Get` and its credentials.
pub(crate) struct Call {
    body: Bytes,
    credentials: String,
}

impl Call {
    pub(crate) fn with(token: &str) -> Self {
        let word = Word { text: "x".repeat(100) };
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(word.encoded_len().try_into().unwrap());
        word.encode(&mut body).unwrap();
        Self { body: body.freeze(), credentials: format!("Bearer {token}") }
    }

    /// Calls a clone, as tonic's router does, and tells whether the answer is OK.
    pub(crate) async fn is_answered_by<S>(&self, service: &S) -> bool
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + Clone,
    {
        let response = service.clone().call(self.request()).await.unwrap();
        if response.headers().contains_key("grpc-status") {
            return false;
        }
        let answer = response.into_body().collect().await.unwrap();
        let status = |trailers: &HeaderMap| trailers.get("grpc-status").is_some_and(|s| s == "0");
        answer.trailers().is_some_and(status)
    }

    /// As hyper and h2 make it: header values in memory of this request alone, something of the
    /// connection in the extensions.
    fn request(&self) -> http::Request<Body> {
        let mut credentials = BytesMut::with_capacity(self.credentials.len());
        credentials.put_slice(self.credentials.as_bytes());
        let credentials = HeaderValue::from_maybe_shared(credentials.split().freeze()).unwrap();

        let mut request = http::Request::new(Body::new(Full::new(self.body.clone())));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = http::Uri::from_static("http://127.0.0.1/kit.v1.Right/Get");
        let headers = request.headers_mut();
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("authorization", credentials);
        headers.insert("user-agent", HeaderValue::from_static("tonic/0.14"));
        request.extensions_mut().insert(OfTheConnection);
        request
    }
}

#[derive(Clone)]
struct OfTheConnection;
