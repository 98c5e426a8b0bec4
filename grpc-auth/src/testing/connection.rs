//! Connections, one task each, and the faults that happen on them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::endpoints;
use super::fault::{Endpoint, Fault};
use super::server::State;

/// Serves until it is aborted, and all its connections with it.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let hang_up = Arc::new(Notify::new());
        let router = router(Arc::clone(&state), Arc::clone(&hang_up));
        connections.spawn(async move {
            let serve = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            tokio::select! {
                _ = serve => {}
                () = hang_up.notified() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

fn router(state: Arc<State>, hang_up: Arc<Notify>) -> Router {
    endpoints::router(Arc::clone(&state)).layer(from_fn_with_state((state, hang_up), misbehave))
}

/// Records the request and plays the fault that is switched on.
async fn misbehave(
    Shared((state, hang_up)): Shared<(Arc<State>, Arc<Notify>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(endpoint) = Endpoint::of_path(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match state.switches.request(endpoint, request.headers()) {
        None => next.run(request).await,
        Some(Fault::Refuse) => {
            hang_up.notify_one();
            std::future::pending().await
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Status(status)) => StatusCode::from_u16(status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response(),
        Some(Fault::Html) => {
            Html("<!doctype html><title>Sign in to the network</title>").into_response()
        }
        Some(Fault::Empty) => match endpoint {
            Endpoint::Jwks => endpoints::json(StatusCode::OK, &serde_json::json!({ "keys": [] })),
            _ => endpoints::json(StatusCode::OK, &serde_json::json!({})),
        },
        Some(Fault::Truncated) => {
            let (parts, body) = next.run(request).await.into_parts();
            let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            let half = whole.slice(..whole.len() / 2);
            Response::from_parts(parts, Body::new(Truncated::Half(half)))
        }
    }
}

/// A body that breaks off after its first part.
enum Truncated {
    Half(Bytes),
    /// Lets the half leave before the connection breaks.
    Flush,
    BreakOff,
}

impl HttpBody for Truncated {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut *self, Self::BreakOff) {
            Self::Half(half) => {
                *self = Self::Flush;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            Self::Flush => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::BreakOff => Poll::Ready(Some(Err(io::Error::other("truncated")))),
        }
    }
}
