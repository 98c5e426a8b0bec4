//! A frontend calls a backend on behalf of its callers: it exchanges the token that it was called with
//! for one that is good at the backend, and for no more than the caller may (RFC 8693).
//!
//! Forwarding the caller's own token, [`TokenRelayLayer`](grpc_auth::client::TokenRelayLayer), is
//! simpler and weaker: then every service that a caller talks to can act as the caller everywhere.

use std::error::Error;
use std::process::ExitCode;

use examples::echo::pb::echo_client::EchoClient;
use examples::echo::pb::echo_server::Echo;
use examples::echo::pb::{EchoReply, EchoRequest};
use examples::echo::{self, EchoService};
use examples::serve::serve;
use examples::steps::Steps;
use grpc_auth::client::{AddToken, OAuthClient, TokenExchange, TokenSource};
use grpc_auth::testing::{ClientRegistration, Endpoint, GrantType, TestAuthorizationServer};
use grpc_auth::{BearerToken, ClientAuthentication, ResourceServer};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

const FRONTEND: &str = "https://frontend.example.test";
const BACKEND: &str = "https://backend.example.test";

/// Answers with what the backend says.
struct Frontend {
    callers: TokenExchange,
    backend: EchoClient<AddToken<Channel>>,
}

#[grpc_auth::protect(server = echo::pb::echo_server::EchoServer)]
#[tonic::async_trait]
impl Echo for Frontend {
    #[authenticated]
    async fn unary_echo(
        &self,
        request: Request<EchoRequest>,
        caller: BearerToken,
    ) -> Result<Response<EchoReply>, Status> {
        let mut onward = Request::new(request.into_inner());
        // One exchange for each caller; the token is kept while it is good.
        onward.extensions_mut().insert::<TokenSource>(self.callers.source(&caller));
        self.backend.clone().unary_echo(onward).await
    }

    type ExpandStream = tokio_stream::Empty<Result<EchoReply, Status>>;

    #[require_scopes("read:echo")]
    async fn expand(
        &self,
        _: Request<EchoRequest>,
    ) -> Result<Response<Self::ExpandStream>, Status> {
        Err(Status::unimplemented("the frontend expands nothing"))
    }

    #[require_scopes("write:echo")]
    async fn collect(
        &self,
        _: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        Err(Status::unimplemented("the frontend collects nothing"))
    }

    type ChatStream = tokio_stream::Empty<Result<EchoReply, Status>>;

    #[authenticated]
    async fn chat(
        &self,
        _: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        Err(Status::unimplemented("the frontend does not chat"))
    }

    #[allow_unauthenticated]
    async fn ping(&self, _: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let issuer = TestAuthorizationServer::start().await?;
    issuer.register(
        ClientRegistration::confidential("frontend", "s3cret")
            .scopes(["read:echo"])
            .audiences([BACKEND])
            .grants([GrantType::TokenExchange]),
    );

    let auth = server_for(&issuer, BACKEND).await?;
    let backend = serve(Routes::new(auth.protect(EchoService))).await?;

    let client = ClientAuthentication::client_secret_basic("frontend", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let callers = client.on_behalf_of(|request| request.audience(BACKEND).scopes(["read:echo"]))?;
    // The channel has no identity of its own: a call without a caller's token is not sent.
    let backend = EchoClient::new(callers.connect(backend).await?);
    let auth = server_for(&issuer, FRONTEND).await?;
    let frontend = serve(Routes::new(auth.protect(Frontend { callers, backend }))).await?;

    let mut frontend = EchoClient::new(frontend.connect().await?);
    let mut steps = Steps::default();
    let mut call = async |subject: &str, audience: &str, scope: &str| {
        let token = issuer.token().subject(subject).audience(audience).scopes([scope]).sign();
        let mut request = Request::new(EchoRequest { message: "hello".into() });
        let authorization = format!("Bearer {token}").parse().map_err(|_| Status::internal(""))?;
        request.metadata_mut().insert("authorization", authorization);
        frontend.unary_echo(request).await
    };

    println!("Callers call the frontend, which calls the backend:");
    let reply = call("alice", FRONTEND, "read:echo").await;
    steps.call("alice, who may read", &reply, Code::Ok);
    let said = reply.map_or_else(|status| status.to_string(), |reply| reply.into_inner().message);
    steps.show("the backend knows for whom it works", said, "hello, alice".to_owned());
    let reply = call("bob", FRONTEND, "other:scope").await;
    steps.call("bob, who may not: no token is to be had for him", &reply, Code::Unauthenticated);
    let reply = call("carol", BACKEND, "read:echo").await;
    steps.call("carol, whose token is not for the frontend", &reply, Code::Unauthenticated);
    steps.show("exchanges that were asked for", issuer.requests(Endpoint::Token), 2);
    Ok(steps.end())
}

async fn server_for(
    issuer: &TestAuthorizationServer,
    audience: &str,
) -> Result<ResourceServer, grpc_auth::ConfigError> {
    ResourceServer::oidc(issuer.url())
        .audience(audience)
        .clock(issuer.clock().clone())
        .build()
        .await
}
