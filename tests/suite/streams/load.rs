//! Many streams at once, and what one of them takes.

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
use grpc_auth::server::StreamExpiry;
use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{Clock, ResourceServer};
use tests::callers::until;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{Kit, block_on, connect};
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Service};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::streams::expiry::{TICK, advance_to, assert_expired, token};
use crate::streams::scripted::{Call, Script, Scripted, raw, word};

const CONNECTIONS: usize = 20;
const STREAMS: usize = 10_000;
/// Groups of streams that end a minute after one another.
const GROUPS: usize = 5;
const GROUP: usize = STREAMS / GROUPS;
/// Ours, at most, for each stream.
const MEMORY: u64 = 2_000;

/// The kind of the nth stream of a group: each connection has streams of every kind.
fn method(n: usize) -> &'static str {
    ["ServerStream", "ClientStream", "Bidi"][n / CONNECTIONS % 3]
}

/// How many streams of a group are not of this kind.
fn others(than: &str) -> usize {
    (0..GROUP).filter(|n| method(*n) != than).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_open_streams_end_with_their_tokens_and_none_before() {
    let kit = Kit::start().await;
    let service = Scripted::new(Script::Cue);
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .max_concurrent_streams(u32::MAX)
        .add_service(kit.auth.protect(service.clone()));
    tokio::spawn(server.serve_with_incoming(incoming));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(KindsClient::new(connect(address).await));
    }

    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let (token, deadline) = token(&kit).await;
        let open = |n| Call::start(&clients[n % CONNECTIONS], method(n), Some(&token), Script::Cue);
        let calls: Vec<_> = (0..GROUP).map(open).collect();
        groups.push((deadline, calls));
        kit.issuer.clock().advance(Duration::from_secs(60));
    }
    // Between two looks the server has time to work.
    let work = async || clients[0].clone().open(Word::default()).await.is_ok();
    let are_open = |groups: usize| {
        let (responses, requests) = (others("ClientStream"), others("ServerStream"));
        (service.open(), service.reading()) == (groups * responses, groups * requests)
    };
    until("all are open", async || work().await && are_open(GROUPS)).await;

    for (place, (deadline, calls)) in groups.iter_mut().enumerate() {
        advance_to(&kit, *deadline - TICK);
        service.say("still there?");
        let asking = (0..GROUP).zip(calls.iter()).filter(|(n, _)| method(*n) == "ClientStream");
        asking.for_each(|(_, call)| call.sender.send(word()).unwrap());
        let is_alive = |(n, call): (usize, &Call)| {
            let received = if method(n) == "ClientStream" { 0 } else { place + 1 };
            call.received() == received && !call.task.is_finished()
        };
        let heard = (place + 1) * (GROUP - others("ClientStream"));
        until("they hear it, and are heard", async || {
            work().await && calls.iter().enumerate().all(is_alive) && service.heard() == heard
        })
        .await;
        assert!(are_open(GROUPS - place));

        let start = Instant::now();
        advance_to(&kit, *deadline);
        for call in calls.drain(..) {
            assert_expired(call.end().await);
        }
        println!("{GROUP} of {STREAMS} streams ended in {:?}", start.elapsed());
        let left = GROUPS - place - 1;
        until("what they had is gone", async || work().await && are_open(left)).await;
    }
}

/// Sends nothing, and waits for its requests meanwhile.
#[derive(Clone)]
struct Idle;

struct IdleBody(Body);

impl Service<http::Request<Body>> for Idle {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let body = Body::new(IdleBody(request.into_body()));
        std::future::ready(Ok(http::Response::new(body)))
    }
}

impl tonic::server::NamedService for Idle {
    const NAME: &'static str = "a.B";
}

impl HttpBody for IdleBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        match Pin::new(&mut self.0).poll_frame(cx) {
            Poll::Ready(Some(Err(status))) => Poll::Ready(Some(Err(status))),
            _ => Poll::Pending,
        }
    }
}

/// Never has anything to say.
struct Silent;

impl HttpBody for Silent {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        Poll::Pending
    }
}

const POLICY: ServicePolicy =
    ServicePolicy::new("a.B", &[MethodPolicy::new("Chat", AccessRule::Authenticated)]);

/// What so many idle streams, both ways, keep.
async fn bytes_kept(auth: &ResourceServer, token: &str, expiry: StreamExpiry, count: u64) -> i64 {
    let protected = auth.protect_with(Idle, POLICY).unwrap().stream_expiry(expiry).unwrap();
    let mut kept = Vec::with_capacity(usize::try_from(count).unwrap());
    let open = |kept: &mut Vec<Body>, count| {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..count {
            let request = raw("/a.B/Chat", token, Body::new(Silent));
            let mut answer = Box::pin(protected.clone().call(request));
            let Poll::Ready(Ok(answer)) = answer.as_mut().poll(&mut cx) else { panic!("waits") };
            let mut body = answer.into_body();
            assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
            kept.push(body);
        }
    };
    // Once before: the token is verified, and remembered the second time.
    open(&mut Vec::new(), 3);
    measure(|| open(&mut kept, count)).bytes_current
}

#[test]
fn an_open_stream_takes_less_than_two_kilobytes_of_ours() {
    block_on(async {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let token = issuer.token().sign();
        for (name, clock) in
            [("system", Clock::system()), ("manual", issuer.clock().clone().into())]
        {
            let builder = issuer.resource_server().clock(clock);
            let auth = builder.build().await.unwrap();
            let without = bytes_kept(&auth, &token, StreamExpiry::CheckedAtOpen, 1000).await;
            let with = bytes_kept(&auth, &token, StreamExpiry::UntilExpiry, 1000).await;
            let ours = u64::try_from(with - without).unwrap() / 1000;
            println!("{ours} bytes for an idle bidirectional stream ({name} clock)");
            assert!((100..=MEMORY).contains(&ours), "{ours} bytes");
        }
    });
}
