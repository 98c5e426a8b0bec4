//! Unary calls that are opened in time, and made later: a caller may send its message days after the
//! headers that were decided on, and keep calls in stock that way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use grpc_auth::policy::{AccessRule, MethodPolicy, RpcKind, ServicePolicy};
use grpc_auth::server::StreamExpiry;
use h2::client::ResponseFuture;
use http_body::Frame;
use http_body_util::StreamBody;
use tests::Kit;
use tests::callers::{settle, until};
use tests::kinds::Counting;
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_server::{Names, NamesServer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::decisions::raw_http2::serve_raw;
use crate::streams::expiry::assert_expired;
use crate::streams::scripted::raw;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// A token for an hour is good for so long.
const LEEWAY: Duration = Duration::from_secs(30);
/// A message of no bytes.
const MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
const CAUSE: &str = "`exp` passed before the message had come";

const LEFT: ServicePolicy = ServicePolicy::new(
    "kit.v1.Left",
    &[
        MethodPolicy::new("Get", AccessRule::Authenticated).kind(RpcKind::Unary),
        MethodPolicy::new("Put", AccessRule::AllowUnauthenticated).kind(RpcKind::Unary),
    ],
);

/// A service without guards, which counts the calls that reach it and answers on request.
#[derive(Clone, Default)]
struct Bare {
    reached: Arc<AtomicUsize>,
    answer: Arc<Notify>,
}

impl Bare {
    async fn work(&self) -> Result<Response<Word>, Status> {
        self.reached.fetch_add(1, Ordering::Relaxed);
        self.answer.notified().await;
        Ok(Response::new(Word::default()))
    }

    fn reached(&self) -> usize {
        self.reached.load(Ordering::Relaxed)
    }
}

#[tonic::async_trait]
impl Left for Bare {
    async fn get(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.work().await
    }

    async fn put(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.work().await
    }
}

/// A call over bare HTTP/2 whose headers have gone out.
struct Opened {
    response: ResponseFuture,
    message: h2::SendStream<Bytes>,
}

impl Opened {
    async fn at(server: SocketAddr, path: &str, token: &str) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{server}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {token}"));
        let mut client = client.ready().await.unwrap();
        let (response, message) = client.send_request(request.body(()).unwrap(), false).unwrap();
        Self { response, message }
    }

    /// The server may have answered already, and want no more.
    fn send(&mut self, is_all: bool) {
        let _ = self.message.send_data(MESSAGE, is_all);
    }

    /// The time limit is there for tests that fail.
    async fn end(self) -> Result<(), Status> {
        let response = tokio::time::timeout(120 * SECOND, self.response).await.unwrap();
        let (head, mut body) = response.unwrap().into_parts();
        while let Some(data) = body.data().await {
            data.unwrap();
        }
        let trailers = body.trailers().await.unwrap_or_default().unwrap_or_default();
        let status = Status::from_header_map(&head.headers);
        let status = status.or_else(|| Status::from_header_map(&trailers)).unwrap();
        if status.code() == tonic::Code::Ok { Ok(()) } else { Err(status) }
    }
}

/// Servers of one service without guards: by `protect_with`, and under a layer, whatever is set of
/// streams.
async fn mounted(kit: &Kit, service: &Bare) -> [SocketAddr; 3] {
    let server = || LeftServer::new(service.clone());
    let at_open = StreamExpiry::CheckedAtOpen;
    let layer = || kit.auth.layer([LEFT]).unwrap();
    let with = kit.auth.protect_with(server(), LEFT).unwrap();
    let careless = layer().stream_expiry(at_open).unwrap();
    [
        serve_raw(Server::builder().add_service(with)).await,
        serve_raw(Server::builder().layer(layer()).add_service(server())).await,
        serve_raw(Server::builder().layer(careless).add_service(server())).await,
    ]
}

fn token(kit: &Kit) -> String {
    kit.issuer.token().scopes(["read:word"]).expires_in(HOUR).sign()
}

/// Opens a call, which is let in.
async fn open(kit: &Kit, server: SocketAddr, path: &str, logs: &Logs) -> Opened {
    let call = Opened::at(server, path, &token(kit)).await;
    let allowed = || logs.text().matches("call allowed").count();
    until("it is decided on", async || allowed() == 1).await;
    settle().await;
    call
}

#[tokio::test]
async fn a_message_that_comes_after_the_token_expired_reaches_no_handler() {
    let kit = Kit::start().await;
    let handlers = Counting::default();
    let mut service = kit.auth.protect(handlers.clone());
    // The token's leeway counts, too.
    for (late, is_let_in) in
        [(HOUR + 29 * SECOND, true), (HOUR + 30 * SECOND, false), (24 * HOUR, false)]
    {
        let (sender, body) = later();
        let call = tokio::spawn(service.call(post("/kit.v1.Kinds/Unary", &token(&kit), body)));
        settle().await;
        kit.issuer.clock().advance(late);
        settle().await;
        assert!(!call.is_finished());
        sender.send(MESSAGE).unwrap();
        drop(sender);
        let logs = Logs::capture();
        let answer = call.await.unwrap().unwrap();
        let reached = handlers.reached("Unary");
        assert_eq!(reached, 1, "{late:?}: the handler ran after the token's end");
        if !is_let_in {
            assert!(logs.line_with("call denied").contains(CAUSE));
            assert_expired(Err::<(), _>(Status::from_header_map(answer.headers()).unwrap()));
        }
    }
}

/// None of the rules names its RPC.
struct Misnamed(Arc<AtomicUsize>);

impl Misnamed {
    fn count(&self) -> Result<Response<Word>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(Word::default()))
    }
}

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Names for Misnamed {
    async fn get_http_info(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.count()
    }
    async fn get_url(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.count()
    }
    async fn get_v2_item(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.count()
    }
    async fn do_thing(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.count()
    }
    async fn r#move(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        self.count()
    }
}

/// Whatever is set of streams.
#[tokio::test]
async fn a_method_whose_name_does_not_tell_the_rpcs_is_not_reached_too_late_either() {
    let kit = Kit::start().await;
    let reached = Arc::new(AtomicUsize::new(0));
    let service = kit.auth.protect(Misnamed(Arc::clone(&reached)));
    let mut service = service.stream_expiry(StreamExpiry::CheckedAtOpen).unwrap();
    for (path, rpc) in [("/kit.v1.Names/do_thing", "DoThing"), ("/kit.v1.Names/GetURL", "GetUrl")] {
        for (late, is_let_in) in [(HOUR + LEEWAY - SECOND, true), (HOUR + LEEWAY, false)] {
            let before = reached.load(Ordering::Relaxed);
            let (sender, body) = later();
            let call = tokio::spawn(service.call(post(path, &token(&kit), body)));
            settle().await;
            kit.issuer.clock().advance(late);
            sender.send(MESSAGE).unwrap();
            drop(sender);
            let logs = Logs::capture();
            let answer = call.await.unwrap().unwrap();
            let count = reached.load(Ordering::Relaxed) - before;
            assert_eq!(count, usize::from(is_let_in), "{path} {late:?}");
            if !is_let_in {
                let line = logs.line_with("call denied");
                assert!(line.contains(CAUSE) && line.contains(rpc), "{line}");
                assert_expired(Err::<(), _>(Status::from_header_map(answer.headers()).unwrap()));
            }
        }
    }
}

#[tokio::test]
async fn without_a_guard_the_layer_sees_to_it() {
    let kit = Kit::start().await;
    let service = Bare::default();
    for server in mounted(&kit, &service).await {
        for path in ["/kit.v1.Left/Get", "/kit.v1.Left/Put"] {
            let logs = Logs::capture();
            let call = open(&kit, server, path, &logs).await;
            // In time by a second.
            kit.issuer.clock().advance(HOUR + LEEWAY - SECOND);
            settle().await;
            assert!(!logs.text().contains(CAUSE));
            kit.issuer.clock().advance(SECOND);
            let answer = call.end().await;
            let line = logs.line_with("call denied");
            for text in [CAUSE, path, "ACCESS_TOKEN_EXPIRED", kit.issuer.url()] {
                assert!(line.contains(text), "{text}: {line}");
            }
            assert_expired(answer);

            // A message whose end comes too late does not count.
            let logs = Logs::capture();
            let mut call = open(&kit, server, path, &logs).await;
            call.send(false);
            settle().await;
            kit.issuer.clock().advance(HOUR + LEEWAY);
            assert_expired(call.end().await);
            assert!(logs.line_with("call denied").contains(CAUSE));
        }
    }
    assert_eq!(service.reached(), 0);
}

#[tokio::test]
async fn a_handler_that_has_its_message_is_not_cut_off() {
    let kit = Kit::start().await;
    let service = Bare::default();
    for (count, server) in mounted(&kit, &service).await.into_iter().enumerate() {
        let logs = Logs::capture();
        let mut call = open(&kit, server, "/kit.v1.Left/Get", &logs).await;
        kit.issuer.clock().advance(HOUR + LEEWAY - SECOND);
        call.send(true);
        until("it is at work", async || service.reached() == count + 1).await;
        kit.issuer.clock().advance(168 * HOUR);
        settle().await;
        service.answer.notify_one();
        call.end().await.unwrap();
        assert!(!logs.text().contains("denied"), "{}", logs.text());
    }
}

/// The clock may have moved without waking a task: the guard reads it with the message.
#[tokio::test]
async fn a_message_that_is_there_at_once_is_late_all_the_same() {
    let kit = Kit::start().await;
    let service = Bare::default();
    let left = LeftServer::new(service.clone());
    let mut left = kit.auth.protect_with(left, LEFT).unwrap();
    for (late, is_let_in) in [(HOUR + LEEWAY - SECOND, true), (HOUR + LEEWAY, false)] {
        let (sender, body) = later();
        let call = left.call(post("/kit.v1.Left/Get", &token(&kit), body));
        kit.issuer.clock().advance(late);
        sender.send(MESSAGE).unwrap();
        drop(sender);
        service.answer.notify_one();
        let answer = call.await.unwrap();
        assert_eq!(service.reached(), 1, "{late:?}");
        if !is_let_in {
            assert_expired(Err::<(), _>(Status::from_header_map(answer.headers()).unwrap()));
        }
    }
}

/// No task is woken here either, between the message and the end of the stream it is alone on.
#[tokio::test]
async fn a_message_whose_end_is_there_at_once_is_late_all_the_same() {
    let kit = Kit::start().await;
    let service = Bare::default();
    let left = LeftServer::new(service.clone());
    let mut left = kit.auth.protect_with(left, LEFT).unwrap();
    for (late, is_let_in) in [(HOUR + LEEWAY - SECOND, true), (HOUR + LEEWAY, false)] {
        let clock = kit.issuer.clock().clone();
        let frames = tokio_stream::iter([Some(MESSAGE), None]);
        let frames = frames.map_while(move |frame| {
            if frame.is_none() {
                clock.advance(late);
            }
            frame.map(|bytes| Ok::<_, Status>(Frame::data(bytes)))
        });
        let body = Body::new(StreamBody::new(frames));
        service.answer.notify_one();
        let answer = left.call(post("/kit.v1.Left/Get", &token(&kit), body)).await.unwrap();
        assert_eq!(service.reached(), 1, "{late:?}");
        if !is_let_in {
            assert_expired(Err::<(), _>(Status::from_header_map(answer.headers()).unwrap()));
        }
    }
}

/// A body that brings what is sent, when it is.
fn later() -> (UnboundedSender<Bytes>, Body) {
    let (sender, message) = unbounded_channel();
    let frames =
        UnboundedReceiverStream::new(message).map(|bytes| Ok::<_, Status>(Frame::data(bytes)));
    (sender, Body::new(StreamBody::new(frames)))
}

fn post(path: &'static str, token: &str, body: Body) -> http::Request<Body> {
    let mut request = raw(path, token, body);
    *request.method_mut() = http::Method::POST;
    request
}
