//! Which calls have streams, as the entries of a table say: found by the macro, or written by hand.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use grpc_auth::policy::{AccessRule, MethodPolicy, RpcKind, ServicePolicy};
use grpc_auth::server::{ProtectedService, StreamExpiry};
use grpc_auth::{ConfigError, ResourceServer};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tests::callers::settle;
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_denied, with_token};
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Request, Response, Status, Streaming};
use tower_layer::Layer;

use crate::streams::expiry::assert_expired;
use crate::streams::scripted::raw;

const HOUR: Duration = Duration::from_secs(60 * 60);
const KINDS: [(&str, RpcKind); 5] = [
    ("Unary", RpcKind::Unary),
    ("ServerStream", RpcKind::ServerStreaming),
    ("ClientStream", RpcKind::ClientStreaming),
    ("Bidi", RpcKind::Bidirectional),
    ("Open", RpcKind::Unary),
];

fn kinds_of<T: ProtectedService<KindsServer<T>>>() -> Vec<(&'static str, RpcKind)> {
    T::POLICY.entries().map(|entry| (entry.rpc(), entry.kind())).collect()
}

type Sent<T> = Request<T>;
type Many<T> = Request<Streaming<T>>;
type Answer<T> = Result<Response<T>, Status>;
type Words = Pin<Box<dyn Stream<Item = Result<Word, Status>> + Send>>;
type Later<'a, T> = Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>;

struct Aliased;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for Aliased {
    async fn unary(&self, _: Sent<Word>) -> Answer<Word> {
        Err(Status::ok(""))
    }

    type ServerStreamStream = Words;

    async fn server_stream(&self, _: Sent<Word>) -> Answer<Self::ServerStreamStream> {
        Err(Status::ok(""))
    }

    async fn client_stream(&self, _: Many<Word>) -> Answer<Word> {
        Err(Status::ok(""))
    }

    type BidiStream = Streaming<Word>;

    async fn bidi(&self, _: Sent<Self::BidiStream>) -> Answer<<Self as Kinds>::BidiStream> {
        Err(Status::ok(""))
    }

    async fn open(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        Err(Status::ok(""))
    }
}

trait Source: Send + Sync + 'static {
    type Words: Stream<Item = Result<Word, Status>> + Send;
}

struct Generic<S>(S);

/// As `async_trait` writes it, with a type parameter, and with aliases.
#[grpc_auth::protect]
#[authenticated]
impl<S: Source> Kinds for Generic<S> {
    fn unary<'life0, 'async_trait>(&'life0 self, _: Sent<Word>) -> Later<'async_trait, Word>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Err(Status::ok("")) })
    }

    type ServerStreamStream = S::Words;

    fn server_stream<'life0, 'async_trait>(
        &'life0 self,
        _: Sent<Word>,
    ) -> Pin<
        Box<
            dyn Future<Output = Result<Response<Self::ServerStreamStream>, Status>>
                + Send
                + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Err(Status::ok("")) })
    }

    fn client_stream<'life0, 'async_trait>(
        &'life0 self,
        _: Request<Streaming<Word>>,
    ) -> Later<'async_trait, Word>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Err(Status::ok("")) })
    }

    type BidiStream = S::Words;

    fn bidi<'life0, 'async_trait>(
        &'life0 self,
        _: Many<Word>,
    ) -> Later<'async_trait, Self::BidiStream>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Err(Status::ok("")) })
    }

    fn open<'life0, 'async_trait>(&'life0 self, _: Sent<Word>) -> Later<'async_trait, Word>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Err(Status::ok("")) })
    }
}

struct Nothing;

impl Source for Nothing {
    type Words = tokio_stream::Empty<Result<Word, Status>>;
}

#[test]
fn the_kind_of_a_method_is_found_whatever_its_types_are_called() {
    assert_eq!(kinds_of::<Counting>(), KINDS);
    assert_eq!(kinds_of::<Aliased>(), KINDS);
    assert_eq!(kinds_of::<Generic<Nothing>>(), KINDS);
}

/// No caller ever gets an answer.
#[derive(Clone)]
struct Slow;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Slow {
    #[authenticated]
    async fn get(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        std::future::pending().await
    }

    #[require_scopes("put:word")]
    async fn put(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        std::future::pending().await
    }
}

/// The same without guards.
#[derive(Clone)]
struct SlowByHand;

#[tonic::async_trait]
impl Left for SlowByHand {
    async fn get(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        std::future::pending().await
    }

    async fn put(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        std::future::pending().await
    }
}

/// Whether a call is open for ever: its token expires, and a week passes.
async fn is_never_cut_off<S>(kit: &Kit, service: S, method: &str) -> bool
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    let mut client = LeftClient::new(service);
    let token = kit.issuer.token().scopes(["put:word"]).expires_in(HOUR).sign();
    let request = with_token(Word::default(), &token);
    let is_get = method == "Get";
    let call = tokio::spawn(async move {
        if is_get { client.get(request).await } else { client.put(request).await }
    });
    settle().await;
    kit.issuer.clock().advance(HOUR + Duration::from_secs(29));
    settle().await;
    assert!(!call.is_finished(), "too early");
    kit.issuer.clock().advance(168 * HOUR);
    settle().await;
    if !call.is_finished() {
        call.abort();
        return true;
    }
    assert_expired(call.await.unwrap());
    false
}

#[tokio::test]
async fn a_row_that_says_nothing_of_streams_may_have_them() {
    const GET: MethodPolicy = MethodPolicy::new("Get", AccessRule::Authenticated);
    const UNSAID: ServicePolicy = ServicePolicy::new("kit.v1.Left", &[GET]);
    const UNARY: ServicePolicy = ServicePolicy::new("kit.v1.Left", &[GET.kind(RpcKind::Unary)]);
    const STREAMS: ServicePolicy =
        ServicePolicy::new("kit.v1.Left", &[GET.kind(RpcKind::ServerStreaming)]);

    let kit = Kit::start().await;
    let by_hand = |policy| kit.auth.protect_with(LeftServer::new(SlowByHand), policy).unwrap();
    assert!(is_never_cut_off(&kit, kit.auth.protect(Slow), "Get").await);
    assert!(is_never_cut_off(&kit, kit.auth.protect(Slow), "Put").await);
    assert!(!is_never_cut_off(&kit, by_hand(UNSAID), "Get").await);
    assert!(is_never_cut_off(&kit, by_hand(UNARY), "Get").await);
    assert!(!is_never_cut_off(&kit, by_hand(STREAMS), "Get").await);

    let layer = kit.auth.layer([UNSAID]).unwrap();
    assert!(!is_never_cut_off(&kit, layer.layer(LeftServer::new(SlowByHand)), "Get").await);
    let layer = layer.stream_expiry(StreamExpiry::CheckedAtOpen).unwrap();
    assert!(is_never_cut_off(&kit, layer.layer(LeftServer::new(SlowByHand)), "Get").await);
}

#[tokio::test]
async fn an_age_of_zero_is_refused_at_build() {
    let auth = Kit::start().await.auth;
    let zero = StreamExpiry::MaxAge(Duration::ZERO);
    let error = auth.protect::<LeftServer<_>, _>(Slow).stream_expiry(zero).unwrap_err();
    assert!(matches!(error, ConfigError::Setting { setting: "MaxAge", .. }), "{error}");
    assert!(error.to_string().contains("`StreamExpiry::UntilExpiry`"), "{error}");
    let error = auth.layer([]).unwrap().stream_expiry(zero).unwrap_err();
    assert!(matches!(error, ConfigError::Setting { setting: "MaxAge", .. }), "{error}");
    let tick = StreamExpiry::MaxAge(Duration::from_nanos(1));
    assert!(auth.protect::<LeftServer<_>, _>(Slow).stream_expiry(tick).is_ok());
}

/// Answers with these frames; what gRPC's own trailers say is up to it.
#[derive(Clone)]
struct Framed;

fn frames() -> [Frame<Bytes>; 3] {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("x-checksum", "7".parse().unwrap());
    let data = [Frame::data(Bytes::from_static(b"one")), Frame::data(Bytes::from_static(b"two"))];
    let [one, two] = data;
    [one, two, Frame::trailers(trailers)]
}

impl Service<http::Request<Body>> for Framed {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let frames = tokio_stream::iter(frames().map(Ok::<_, Status>));
        std::future::ready(Ok(http::Response::new(Body::new(StreamBody::new(frames)))))
    }
}

impl tonic::server::NamedService for Framed {
    const NAME: &'static str = "a.B";
}

const FRAMED: ServicePolicy =
    ServicePolicy::new("a.B", &[MethodPolicy::new("Get", AccessRule::Authenticated)]);

async fn framed(auth: &ResourceServer, token: &str) -> Body {
    let mut service = auth.protect_with(Framed, FRAMED).unwrap();
    service.call(raw("/a.B/Get", token, Body::empty())).await.unwrap().into_body()
}

#[tokio::test]
async fn frames_pass_as_they_are_and_none_comes_after_the_end() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().expires_in(HOUR).sign();
    let mut body = framed(&kit.auth, &token).await;
    for frame in frames() {
        assert!(!http_body::Body::is_end_stream(&body));
        assert_eq!(format!("{:?}", body.frame().await.unwrap().unwrap()), format!("{frame:?}"));
    }
    assert!(http_body::Body::is_end_stream(&body));
    kit.issuer.clock().advance(2 * HOUR);
    assert!(body.frame().await.is_none());

    let token = kit.issuer.token().expires_in(HOUR).sign();
    let mut body = framed(&kit.auth, &token).await;
    assert!(body.frame().await.unwrap().unwrap().is_data());
    kit.issuer.clock().advance(2 * HOUR);
    // No length is promised that is not kept.
    assert_eq!(http_body::Body::size_hint(&body).exact(), None);
    assert!(!http_body::Body::is_end_stream(&body));
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    let status = Status::from_header_map(&trailers).unwrap();
    assert_denied(Err::<(), _>(status), Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    assert!(http_body::Body::is_end_stream(&body));
    assert!(body.frame().await.is_none());
}

/// Two entries have each other's names.
struct Exchanged;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for Exchanged {
    #[authenticated(rpc = "ServerStream")]
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = tokio_stream::Empty<Result<Word, Status>>;

    #[authenticated(rpc = "Unary")]
    async fn server_stream(
        &self,
        _: Request<Word>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    #[authenticated(rpc = "Bidi")]
    async fn client_stream(&self, _: Request<Streaming<Word>>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }

    type BidiStream = tokio_stream::Empty<Result<Word, Status>>;

    #[authenticated(rpc = "ClientStream")]
    async fn bidi(
        &self,
        _: Request<Streaming<Word>>,
    ) -> Result<Response<Self::BidiStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// The layer takes them for other RPCs, and would let some of these streams go on for ever.
#[tokio::test]
async fn a_method_that_is_taken_for_another_kind_is_refused() {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Exchanged));
    let token = kit.issuer.token().sign();
    for method in ["Unary", "ServerStream", "ClientStream", "Bidi"] {
        let logs = Logs::capture();
        let answer = call(&mut client, method, Some(&token)).await;
        assert_denied(answer, Code::Internal, "");
        assert!(logs.line_with("method called without a permit of its own").contains("ERROR"));
    }
    call(&mut client, "Open", Some(&token)).await.unwrap();
}
