//! Echo: four kinds of RPC under four kinds of rules.

use std::pin::Pin;
use std::time::SystemTime;

use grpc_auth::Claims;
use serde::Deserialize;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use pb::echo_server::{Echo, EchoServer};
use pb::{EchoReply, EchoRequest};

/// What the `.proto` file says.
#[expect(missing_docs, clippy::default_trait_access, reason = "generated")]
pub mod pb {
    tonic::include_proto!("echo");

    /// The descriptor, for reflection and for checking names while compiling.
    pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("echo_descriptor");
}

/// Echoes the message.
#[derive(Debug, Default)]
pub struct EchoService;

/// The claims this service wants to know.
#[derive(Debug, Deserialize)]
pub struct Caller {
    sub: String,
}

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

#[grpc_auth::protect(descriptor = pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Echo for EchoService {
    #[require_scopes("read:echo")]
    async fn unary_echo(
        &self,
        request: Request<EchoRequest>,
        caller: Claims<Caller>,
    ) -> Result<Response<EchoReply>, Status> {
        let message = request.into_inner().message;
        Ok(Response::new(reply(format!("{message}, {}", caller.sub))))
    }

    type ExpandStream = Replies;

    #[require_scopes("read:echo")]
    async fn expand(&self, request: Request<EchoRequest>) -> Result<Response<Replies>, Status> {
        let message = request.into_inner().message;
        let words: Vec<_> = message.split_whitespace().map(|word| Ok(reply(word.into()))).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(words))))
    }

    #[require_scopes("write:echo", any("team:blue", "admin:all"))]
    async fn collect(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let requests: Vec<_> = request.into_inner().collect::<Result<_, _>>().await?;
        let words: Vec<_> =
            requests.into_iter().map(|request: EchoRequest| request.message).collect();
        Ok(Response::new(reply(words.join(" "))))
    }

    type ChatStream = Replies;

    #[authenticated]
    async fn chat(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let replies = request.into_inner().map(|request| request.map(|r| reply(r.message)));
        Ok(Response::new(Box::pin(replies)))
    }

    #[allow_unauthenticated]
    async fn ping(&self, _: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}

fn reply(message: String) -> EchoReply {
    EchoReply { message, timestamp: Some(SystemTime::now().into()) }
}
