//! What a call with streams holds on to, and for how long: seen by the owner of its future.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use grpc_auth::policy::{AccessRule, MethodPolicy, RpcKind, ServicePolicy};
use http_body_util::{BodyExt, Full};
use tests::Kit;
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;
use tower::service_fn;
use tower_layer::Layer;
use tower_service::Service;

use crate::streams::expiry::{advance_to, assert_expired, token};
use crate::streams::scripted::raw;

const POLICY: ServicePolicy = ServicePolicy::new(
    "kit.v1.Kinds",
    &[
        MethodPolicy::new("ServerStream", AccessRule::Authenticated).kind(RpcKind::ServerStreaming),
        MethodPolicy::new("ClientStream", AccessRule::Authenticated).kind(RpcKind::ClientStreaming),
    ],
);

#[tokio::test]
async fn a_handler_is_gone_as_soon_as_its_stream_has_ended() {
    let kit = Kit::start().await;
    let (token, deadline) = token(&kit).await;
    let held = Arc::new(());
    let handler = service_fn({
        let held = Arc::clone(&held);
        move |_: http::Request<Body>| {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok::<_, Infallible>(http::Response::new(Body::empty()))
            }
        }
    });
    let mut service = kit.auth.layer([POLICY]).unwrap().layer(handler);
    let mut call = pin!(service.call(raw("/kit.v1.Kinds/ServerStream", &token, Body::empty())));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    // The handler's, the service's and this one.
    assert_eq!(Arc::strong_count(&held), 3);
    advance_to(&kit, deadline);
    let answer = call.as_mut().await.unwrap();
    assert_expired(Err::<(), _>(Status::from_header_map(answer.headers()).unwrap()));
    assert_eq!(Arc::strong_count(&held), 2);
    assert!(call.as_mut().poll(&mut cx).is_pending());
}

/// The end need not be read.
#[tokio::test]
async fn a_handler_that_has_the_last_message_is_not_cut_off() {
    let kit = Kit::start().await;
    let (token, deadline) = token(&kit).await;
    let answer = Arc::new(Notify::new());
    let handler = service_fn({
        let answer = Arc::clone(&answer);
        move |mut request: http::Request<Body>| {
            let answer = Arc::clone(&answer);
            async move {
                request.body_mut().frame().await.unwrap().unwrap();
                answer.notified().await;
                Ok::<_, Infallible>(http::Response::new(Body::empty()))
            }
        }
    });
    let mut service = kit.auth.layer([POLICY]).unwrap().layer(handler);
    let message = Body::new(Full::new(Bytes::from_static(&[0; 5])));
    let mut call = pin!(service.call(raw("/kit.v1.Kinds/ClientStream", &token, message)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut cx).is_pending());
    advance_to(&kit, deadline);
    assert!(call.as_mut().poll(&mut cx).is_pending());
    answer.notify_one();
    assert!(Status::from_header_map(call.await.unwrap().headers()).is_none());
}
