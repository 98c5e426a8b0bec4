//! A call that waits for a decision point: dropped at any time, after keys, and with a service that was
//! ready.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use grpc_auth::policy::{AccessRule, MethodPolicy, ScopeExpr, ServicePolicy};
use grpc_auth::server::{AccessDecision, AccessRequest, Authorizer, AuthorizerError, Protect};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{Scope, StartupPolicy};
use tonic::codegen::Service;
use tower_layer::Layer;

const LEFT: ServicePolicy = ServicePolicy::new(
    "kit.v1.Left",
    &[
        MethodPolicy::new(
            "Get",
            AccessRule::RequireScopes(ScopeExpr::Scope(Scope::from_static("read:word"))),
        ),
        MethodPolicy::new("Put", AccessRule::AllowUnauthenticated),
    ],
);

/// A service that must not be called before it said that it is ready, and whose clones are not.
struct Inner {
    is_ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self { is_ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<http::Request<()>> for Inner {
    type Response = http::Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been polled ready");
        self.calls.fetch_add(1, Relaxed);
        std::future::ready(Ok(http::Response::new("reached".into())))
    }
}

/// Decides at its third poll, and counts the questions that are open.
#[derive(Clone, Default)]
struct Slow {
    open: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

struct Question<'s>(&'s Slow, usize);

impl Future for Question<'_> {
    type Output = Result<AccessDecision, AuthorizerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.1 += 1;
        if self.1 < 3 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.0.answered.fetch_add(1, Relaxed);
        Poll::Ready(Ok(AccessDecision::Allow))
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Authorizer for Slow {
    async fn authorize(&self, request: AccessRequest) -> Result<AccessDecision, AuthorizerError> {
        assert_eq!(request.rpc(), "Get");
        self.open.fetch_add(1, Relaxed);
        Question(self, 0).await
    }
}

fn get(token: &str) -> http::Request<()> {
    let request = http::Request::post("/kit.v1.Left/Get");
    request.header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

async fn slow(start: StartupPolicy) -> (TestAuthorizationServer, Slow, Protect<Inner>) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let authorizer = Slow::default();
    let builder = issuer.resource_server().start(start).authorizer(authorizer.clone());
    let auth = builder.build().await.unwrap();
    let inner = Inner { is_ready: false, calls: Arc::default() };
    let service = auth.layer([LEFT]).unwrap().layer(inner);
    (issuer, authorizer, service)
}

#[tokio::test]
async fn a_call_that_is_dropped_at_any_poll_takes_its_question_back_and_harms_nobody() {
    let (issuer, authorizer, mut service) = slow(StartupPolicy::Warm).await;
    let token = issuer.token().scopes(["read:word"]).sign();
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    loop {
        // Another caller's question stays open meanwhile.
        assert!(service.poll_ready(&mut cx).is_ready());
        let mut other = pin!(service.call(get(&token)));
        assert!(other.as_mut().poll(&mut cx).is_pending());

        assert!(service.poll_ready(&mut cx).is_ready());
        let mut dropped = Box::pin(service.call(get(&token)));
        let ended = (0..polls).any(|_| dropped.as_mut().poll(&mut cx).is_ready());
        assert_eq!(authorizer.open.load(Relaxed), if polls == 0 || ended { 1 } else { 2 });
        drop(dropped);
        assert_eq!(authorizer.open.load(Relaxed), 1, "after {polls} polls");

        let response = other.await.unwrap();
        assert_eq!(response.body(), "reached");
        assert_eq!(authorizer.open.load(Relaxed), 0);
        if ended {
            break;
        }
        polls += 1;
    }
    assert_eq!(polls, 3);
    // The other one each time, and once the one that was polled to its end.
    assert_eq!(authorizer.answered.load(Relaxed), 5);
}

/// Keys, then the authorizer, then the service that was ready.
#[tokio::test]
async fn a_call_that_waits_for_keys_asks_afterwards() {
    let (issuer, authorizer, mut service) = slow(StartupPolicy::Lazy).await;
    let token = issuer.token().scopes(["read:word"]).sign();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut pending = pin!(service.call(get(&token)));
    assert!(pending.as_mut().poll(&mut cx).is_pending());
    assert_eq!(authorizer.open.load(Relaxed), 0);
    assert_eq!(pending.await.unwrap().body(), "reached");
    assert_eq!(authorizer.answered.load(Relaxed), 1);

    // It is not asked there either for a caller whose scopes do not suffice.
    let (issuer, authorizer, mut service) = slow(StartupPolicy::Lazy).await;
    let token = issuer.token().scopes(["other"]).sign();
    assert!(service.poll_ready(&mut cx).is_ready());
    let response = service.call(get(&token)).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "7");
    assert_eq!(authorizer.answered.load(Relaxed), 0);

    // Nor whose token cannot be checked.
    let (issuer, authorizer, mut service) = slow(StartupPolicy::Lazy).await;
    issuer.fail(Endpoint::Discovery, Fault::Status(404));
    let token = issuer.token().scopes(["read:word"]).sign();
    assert!(service.poll_ready(&mut cx).is_ready());
    let response = service.call(get(&token)).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(authorizer.answered.load(Relaxed), 0);
}
