//! A service that accepts the configured tokens, and remembers what came.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::HeaderMap;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

type Answer = http::Response<Body>;
type Verdict = Box<dyn FnMut(&HeaderMap) -> Option<Answer> + Send>;

/// The door of a service.
#[derive(Clone, Default)]
pub(super) struct Door {
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    verdict: Arc<Mutex<Option<Verdict>>>,
}

impl Door {
    /// Serves on a free port, until the test ends.
    pub(super) async fn open(&self) -> Endpoint {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let behind = Behind { door: self.clone(), inner: KindsServer::new(Echo) };
        tokio::spawn(Server::builder().add_service(behind).serve_with_incoming(incoming));
        Endpoint::try_from(format!("http://{address}")).unwrap()
    }

    /// Answers calls with what this says, and lets in those of which it says nothing.
    pub(super) fn judge(&self, verdict: impl FnMut(&HeaderMap) -> Option<Answer> + Send + 'static) {
        *self.verdict.lock().unwrap() = Some(Box::new(verdict));
    }

    /// Refuses these credentials.
    pub(super) fn refuse(&self, credentials: impl Into<Vec<String>>, status: Status) {
        let credentials = credentials.into();
        self.judge(move |headers| {
            let own = headers["authorization"].to_str().unwrap();
            credentials.iter().any(|refused| refused == own).then(|| status.clone().into_http())
        });
    }

    /// The headers of the calls that came, refused ones included.
    pub(super) fn seen(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What they carried.
    pub(super) fn credentials(&self) -> Vec<String> {
        self.values("authorization")
    }

    /// A header of each of them.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let values = |headers: &HeaderMap| {
            let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
            values.collect::<Vec<_>>().join(" AND ")
        };
        self.seen().iter().map(values).collect()
    }
}

/// What is behind a door.
#[derive(Clone)]
struct Behind {
    door: Door,
    inner: KindsServer<Echo>,
}

impl Service<http::Request<Body>> for Behind {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.door.seen.lock().unwrap().push(request.headers().clone());
        let mut verdict = self.door.verdict.lock().unwrap();
        match verdict.as_mut().and_then(|verdict| verdict(request.headers())) {
            Some(answer) => Box::pin(std::future::ready(Ok(answer))),
            None => self.inner.call(request),
        }
    }
}

impl NamedService for Behind {
    const NAME: &'static str = <KindsServer<Echo> as NamedService>::NAME;
}

/// Echoes, and refuses callers in the middle of a stream that ask for it.
struct Echo;

type Words = Pin<Box<dyn Stream<Item = Result<Word, Status>> + Send>>;

#[tonic::async_trait]
impl Kinds for Echo {
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = Words;

    async fn server_stream(&self, request: Request<Word>) -> Result<Response<Words>, Status> {
        let word = request.into_inner();
        let last = match &*word.text {
            "then refuse" => Err(Status::unauthenticated("in the middle")),
            _ => Ok(word.clone()),
        };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(word), last]))))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        let words: Vec<Word> = request.into_inner().collect::<Result<_, _>>().await?;
        Ok(Response::new(words.into_iter().next().unwrap_or_default()))
    }

    type BidiStream = Words;

    async fn bidi(&self, request: Request<Streaming<Word>>) -> Result<Response<Words>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}
