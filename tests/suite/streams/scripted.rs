//! A service whose handlers do on cue what handlers of streams do, and calls of it.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::with_token;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

/// What handlers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// They send what [`Scripted::say`] says, and read what callers send.
    Cue,
    /// They send for ever, without ever waiting.
    Flood,
    /// They neither send, nor read, nor answer.
    Hang,
}

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    script: Script,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    listeners: Vec<UnboundedSender<Result<Word, Status>>>,
    words: usize,
    ends: Vec<Option<Status>>,
    /// One for each handler that waits for ever, and this one.
    waiting: Arc<()>,
    /// One for each handler that reads a stream of requests, and this one.
    reading: Arc<()>,
}

type Words = Pin<Box<dyn Stream<Item = Result<Word, Status>> + Send>>;

impl Scripted {
    /// The service with this script.
    pub(crate) fn new(script: Script) -> Self {
        Self { script, shared: Arc::default() }
    }

    /// Sends a word to every open stream of responses.
    pub(crate) fn say(&self, text: &str) {
        for listener in &self.lock().listeners {
            let _ = listener.send(Ok(Word { text: text.into() }));
        }
    }

    /// Ends every open stream of responses, with this status or none.
    pub(crate) fn end(&self, status: Option<&Status>) {
        for listener in self.lock().listeners.drain(..) {
            status.map(|status| listener.send(Err(status.clone())));
        }
    }

    /// How many streams of responses the handlers have not lost.
    pub(crate) fn open(&self) -> usize {
        self.lock().listeners.iter().filter(|listener| !listener.is_closed()).count()
    }

    /// How many handlers wait for ever.
    pub(crate) fn waiting(&self) -> usize {
        Arc::strong_count(&self.lock().waiting) - 1
    }

    /// How many streams of requests are read.
    pub(crate) fn reading(&self) -> usize {
        Arc::strong_count(&self.lock().reading) - 1
    }

    /// How many words the callers have sent.
    pub(crate) fn heard(&self) -> usize {
        self.lock().words
    }

    /// With what the streams of requests have ended so far, for the handlers.
    pub(crate) fn ends(&self) -> Vec<Option<Status>> {
        self.lock().ends.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        let _waiting = Arc::clone(&self.lock().waiting);
        std::future::pending().await
    }

    async fn read(&self, mut words: Streaming<Word>) -> Result<(), Status> {
        let _reading = Arc::clone(&self.lock().reading);
        loop {
            let word = words.message().await;
            let mut shared = self.lock();
            match word {
                Ok(Some(_)) => shared.words += 1,
                Ok(None) => {
                    shared.ends.push(None);
                    return Ok(());
                }
                Err(status) => {
                    shared.ends.push(Some(status.clone()));
                    return Err(status);
                }
            }
        }
    }

    async fn words(&self) -> Response<Words> {
        match self.script {
            Script::Hang => self.wait().await,
            Script::Flood => {
                let word = Word { text: "flood".repeat(100) };
                return Response::new(Box::pin(tokio_stream::iter(std::iter::repeat(Ok(word)))));
            }
            Script::Cue => {}
        }
        let (sender, receiver) = unbounded_channel();
        self.lock().listeners.push(sender);
        Response::new(Box::pin(UnboundedReceiverStream::new(receiver)))
    }
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Kinds for Scripted {
    /// Answers when [`Scripted::end`] is called.
    #[authenticated]
    async fn unary(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        let _last = self.words().await.into_inner().collect::<Vec<_>>().await;
        Ok(Response::new(Word::default()))
    }

    type ServerStreamStream = Words;

    #[authenticated]
    async fn server_stream(&self, _: Request<Word>) -> Result<Response<Words>, Status> {
        Ok(self.words().await)
    }

    /// Answers the end of the requests when [`Scripted::end`] is called, and their error at once.
    #[authenticated]
    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        if self.script == Script::Hang {
            self.wait().await;
        }
        self.read(request.into_inner()).await?;
        if self.script == Script::Flood {
            return Ok(Response::new(Word::default()));
        }
        let _last = self.words().await.into_inner().collect::<Vec<_>>().await;
        Ok(Response::new(Word::default()))
    }

    type BidiStream = Words;

    /// Reads on a task of its own.
    #[allow_unauthenticated]
    async fn bidi(&self, request: Request<Streaming<Word>>) -> Result<Response<Words>, Status> {
        if self.script != Script::Hang {
            let this = self.clone();
            tokio::spawn(async move { this.read(request.into_inner()).await });
        }
        Ok(self.words().await)
    }

    #[allow_unauthenticated]
    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// A call in the background that reads its answer to the end.
pub(crate) struct Call {
    received: Arc<AtomicUsize>,
    pub(crate) sender: UnboundedSender<Word>,
    pub(crate) task: JoinHandle<Result<(), Status>>,
}

impl Call {
    pub(crate) fn start(
        client: &KindsClient<Channel>,
        method: &'static str,
        token: Option<&str>,
        script: Script,
    ) -> Self {
        let (sender, receiver) = unbounded_channel();
        let words = match script {
            Script::Flood => Sent::Flood(receiver),
            Script::Cue | Script::Hang => Sent::Cue(UnboundedReceiverStream::new(receiver)),
        };
        let received = Arc::default();
        let task =
            drive(client.clone(), method, words, token.map(Into::into), Arc::clone(&received));
        Self { received, sender, task: tokio::spawn(task) }
    }

    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// How it ends; the time limit is there for tests that fail.
    pub(crate) async fn end(self) -> Result<(), Status> {
        tokio::time::timeout(Duration::from_secs(120), self.task).await.unwrap().unwrap()
    }
}

/// What a caller sends.
enum Sent {
    Cue(UnboundedReceiverStream<Word>),
    /// Without end, as long as there is a call.
    Flood(UnboundedReceiver<Word>),
}

impl Stream for Sent {
    type Item = Word;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Word>> {
        match &mut *self {
            Self::Cue(words) => Pin::new(words).poll_next(cx),
            Self::Flood(call) => Poll::Ready((!call.is_closed()).then(word)),
        }
    }
}

async fn drive(
    mut client: KindsClient<Channel>,
    method: &'static str,
    words: Sent,
    token: Option<String>,
    received: Arc<AtomicUsize>,
) -> Result<(), Status> {
    let mut stream = match method {
        "Unary" => return client.unary(request(word(), token)).await.map(|_| ()),
        "ClientStream" => return client.client_stream(request(words, token)).await.map(|_| ()),
        "ServerStream" => client.server_stream(request(word(), token)).await?.into_inner(),
        _ => client.bidi(request(words, token)).await?.into_inner(),
    };
    while stream.message().await?.is_some() {
        received.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn request<M>(message: M, token: Option<String>) -> Request<M> {
    match token {
        Some(token) => with_token(message, &token),
        None => Request::new(message),
    }
}

/// A request as a transport makes it.
pub(crate) fn raw(path: &'static str, token: &str, body: Body) -> http::Request<Body> {
    let mut request = http::Request::new(body);
    *request.uri_mut() = http::Uri::from_static(path);
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub(crate) fn word() -> Word {
    Word { text: "word".into() }
}
