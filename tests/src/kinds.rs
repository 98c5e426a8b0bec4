//! The four kinds of RPC, protected, counting what reaches the handlers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use grpc_auth::Scope;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::pb::kit::Word;
use crate::pb::kit::kinds_client::KindsClient;
use crate::pb::kit::kinds_server::{Kinds, KindsServer};

/// A scope as a constant.
pub const WRITE: Scope = Scope::from_static("write:word");

/// The RPCs of the service.
pub const METHODS: [&str; 5] = ["Unary", "ServerStream", "ClientStream", "Bidi", "Open"];

/// Echoes, and counts.
#[derive(Clone, Debug, Default)]
pub struct Counting {
    reached: Arc<Mutex<HashMap<&'static str, usize>>>,
}

type Words = Pin<Box<dyn Stream<Item = Result<Word, Status>> + Send>>;

impl Counting {
    /// How often a handler ran.
    #[must_use]
    pub fn reached(&self, method: &str) -> usize {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.get(method).copied().unwrap_or_default()
    }

    /// How often any handler ran.
    #[must_use]
    pub fn reached_in_all(&self) -> usize {
        METHODS.iter().map(|method| self.reached(method)).sum()
    }

    fn count(&self, method: &'static str) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner).entry(method).or_default() +=
            1;
    }
}

#[grpc_auth::protect(descriptor = crate::pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Kinds for Counting {
    #[require_scopes("read:word")]
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        self.count("Unary");
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = Words;

    #[require_scopes("read:word")]
    async fn server_stream(&self, request: Request<Word>) -> Result<Response<Words>, Status> {
        self.count("ServerStream");
        let word = request.into_inner();
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(word.clone()), Ok(word)]))))
    }

    #[require_scopes(WRITE, any("team:blue", all("team:red", "admin:all")))]
    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        self.count("ClientStream");
        let words: Vec<Word> = request.into_inner().collect::<Result<_, _>>().await?;
        Ok(Response::new(words.into_iter().next().unwrap_or_default()))
    }

    type BidiStream = Words;

    #[authenticated]
    async fn bidi(&self, request: Request<Streaming<Word>>) -> Result<Response<Words>, Status> {
        self.count("Bidi");
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    #[allow_unauthenticated]
    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        self.count("Open");
        Ok(Response::new(request.into_inner()))
    }
}

/// Calls a method over any transport and reads the answer to its end.
///
/// # Errors
/// The status of a call that failed, at its start or in its stream.
pub async fn call<T>(
    client: &mut KindsClient<T>,
    method: &str,
    token: Option<&str>,
) -> Result<Vec<Word>, Status>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error:
        Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let word = Word { text: "word".into() };
    let stream = tokio_stream::iter([word.clone(), word.clone()]);
    match method {
        "Unary" => client.unary(request(word, token)).await.map(|word| vec![word.into_inner()]),
        "ServerStream" => read(client.server_stream(request(word, token)).await?).await,
        "ClientStream" => {
            client.client_stream(request(stream, token)).await.map(|word| vec![word.into_inner()])
        }
        "Bidi" => read(client.bidi(request(stream, token)).await?).await,
        _ => client.open(request(word, token)).await.map(|word| vec![word.into_inner()]),
    }
}

fn request<M>(message: M, token: Option<&str>) -> Request<M> {
    match token {
        Some(token) => crate::with_token(message, token),
        None => Request::new(message),
    }
}

async fn read(words: Response<Streaming<Word>>) -> Result<Vec<Word>, Status> {
    words.into_inner().collect().await
}
