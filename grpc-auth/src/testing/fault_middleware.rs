//! The faults as they are played.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State as Shared};
use axum::http::header::{CONTENT_TYPE, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use axum::http::{StatusCode, response};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

use super::data::fault::{Endpoint, Fault};
use super::endpoints::json;
use crate::testing::data::state::State;

/// How the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HangUp {
    Close,
    Reset,
}

/// Records the request and plays the fault that is switched on.
pub(super) async fn misbehave(
    Shared((state, hang_up)): Shared<(Arc<State>, mpsc::Sender<HangUp>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(endpoint) = Endpoint::of_path(request.uri().path()) else {
        return next.run(request).await;
    };
    let Some(fault) = state.switches.request(endpoint, request.headers()) else {
        return next.run(request).await;
    };
    match fault {
        Fault::Refuse => {
            let _ = hang_up.try_send(HangUp::Close);
            std::future::pending().await
        }
        Fault::Hang => std::future::pending().await,
        Fault::Status(status) => code(status).into_response(),
        Fault::RetryAfter { status, seconds } => {
            (code(status), [(RETRY_AFTER, seconds)]).into_response()
        }
        Fault::Redirect => {
            let elsewhere = format!("{}{}", Endpoint::ELSEWHERE, request.uri());
            (StatusCode::FOUND, [(LOCATION, elsewhere)]).into_response()
        }
        Fault::Html => Html("<!doctype html><title>Sign in to the network</title>").into_response(),
        Fault::Empty => match endpoint {
            Endpoint::Jwks => json::json(StatusCode::OK, &serde_json::json!({ "keys": [] })),
            _ => json::json(StatusCode::OK, &serde_json::json!({})),
        },
        Fault::Huge => {
            let body = Fed::by(None, |food| async move { spaces(&food).await });
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Fault::Corrupt => {
            let (head, truth) = truth(request, next).await;
            let flipped: Vec<u8> = truth.iter().map(|byte| !byte).collect();
            Response::from_parts(head, flipped.into())
        }
        Fault::Drip => {
            let (head, truth) = truth(request, next).await;
            let body =
                Fed::by(Some(truth.len()), |food| async move { drip(&food, &state, truth).await });
            Response::from_parts(head, body)
        }
        Fault::Truncated => {
            let (head, truth) = truth(request, next).await;
            let body = Fed::by(Some(truth.len()), |food| async move {
                half(&food, &truth).await;
                let _ = food.send(Err(io::Error::other("truncated"))).await;
            });
            Response::from_parts(head, body)
        }
        Fault::Reset => {
            let (head, truth) = truth(request, next).await;
            let body = Fed::by(Some(truth.len()), |food| async move {
                half(&food, &truth).await;
                let _ = hang_up.try_send(HangUp::Reset);
                std::future::pending().await
            });
            Response::from_parts(head, body)
        }
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer without the fault. It has a body, whatever the client knows already.
async fn truth(mut request: Request, next: Next) -> (response::Parts, Bytes) {
    request.headers_mut().remove(IF_NONE_MATCH);
    let (head, body) = next.run(request).await.into_parts();
    (head, axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default())
}

type Food = mpsc::Sender<io::Result<Bytes>>;

/// Sends the first half; returns when it has left.
async fn half(food: &Food, truth: &Bytes) {
    let _ = food.send(Ok(truth.slice(..truth.len() / 2))).await;
    // Room for more: the half was taken. Then hyper finds nothing more and flushes.
    let _ = food.reserve().await;
    tokio::task::yield_now().await;
}

/// However far the clock is moved at once, each byte comes when it is due.
async fn drip(food: &Food, state: &State, truth: Bytes) {
    let mut due = state.clock.now();
    for position in 0..truth.len() {
        due += Duration::from_secs(1);
        state.clock.sleep_until(due).await;
        let _ = food.send(Ok(truth.slice(position..=position))).await;
    }
}

async fn spaces(food: &Food) {
    static CHUNK: [u8; 64 * 1024] = [b' '; 64 * 1024];
    for _ in 0..(1 << 30) / CHUNK.len() {
        let _ = food.send(Ok(Bytes::from_static(&CHUNK))).await;
    }
}

/// A body whose parts come from a future, which is dropped with it: when the client hangs up.
struct Fed {
    feeder: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    parts: mpsc::Receiver<io::Result<Bytes>>,
    /// What is announced, if anything is.
    length: Option<usize>,
}

impl Fed {
    fn by<F>(length: Option<usize>, feeder: impl FnOnce(Food) -> F) -> Body
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (food, parts) = mpsc::channel(1);
        Body::new(Self { feeder: Some(Box::pin(feeder(food))), parts, length })
    }
}

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(feeder) = &mut self.feeder
            && feeder.as_mut().poll(cx).is_ready()
        {
            self.feeder = None;
        }
        self.parts.poll_recv(cx).map(|part| part.map(|part| part.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length as u64))
    }
}
