//! A token endpoint that answers as a test says, and keeps what it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What was asked: the parameters of a form.
pub(crate) type Form = BTreeMap<String, String>;

type Answer = dyn Fn(&Form) -> (u16, Value) + Send + Sync;

/// The endpoint; it stops when it is dropped.
pub(crate) struct TokenEndpoint {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
    task: JoinHandle<()>,
}

/// What it answers, and what it was asked.
pub(crate) struct Script {
    answer: Box<Answer>,
    asked: Mutex<Vec<(HeaderMap, Form)>>,
}

impl TokenEndpoint {
    /// Starts on a free port of 127.0.0.1.
    pub(crate) async fn start(
        answer: impl Fn(&Form) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let script = Script::new(answer);
        let task = tokio::spawn({
            let script = Arc::clone(&script);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(Arc::clone(&script).serve(stream));
                }
            }
        });
        Self { url, script, task }
    }

    /// The forms that came.
    pub(crate) fn forms(&self) -> Vec<Form> {
        self.script.asked().iter().map(|(_, form)| form.clone()).collect()
    }
}

impl Script {
    pub(crate) fn new(answer: impl Fn(&Form) -> (u16, Value) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// What came over this connection is answered.
    pub(crate) async fn serve<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = service_fn(async |request: Request<Incoming>| {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let form: Form = url::form_urlencoded::parse(&body).into_owned().collect();
            let (status, json) = (self.answer)(&form);
            self.asked().push((head.headers, form));
            let answer = Response::builder().status(status).body(json.to_string());
            Ok::<_, Infallible>(answer.unwrap())
        });
        // A client that leaves in the middle does not matter.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    pub(crate) fn asked(&self) -> MutexGuard<'_, Vec<(HeaderMap, Form)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}
