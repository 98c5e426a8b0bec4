//! What is compared: the same handlers behind one way to authenticate each.

use std::error::Error;
use std::fmt;
use std::iter::RepeatN;
use std::path::Path;
use std::sync::Arc;

use grpc_auth::{Issuer, ResourceServer};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::service::Interceptor;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use crate::tokens::{self, AUDIENCE, Algorithm, ISSUER};
use pb::Message;
use pb::echo_server::{Echo, EchoServer};

mod pb {
    tonic::include_proto!("echo");
}

/// The first is what the ratios refer to; the second shows what a ratio means that should be 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    NoAuth,
    NoAuthAgain,
    GrpcAuth,
    Jsonwebtoken,
    TowerOauth2,
}

impl Column {
    pub(crate) const ALL: [Self; 5] =
        [Self::NoAuth, Self::NoAuthAgain, Self::GrpcAuth, Self::Jsonwebtoken, Self::TowerOauth2];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.to_string() == name)
    }

    /// Whether it looks at tokens at all.
    pub(crate) fn authenticates(self) -> bool {
        !matches!(self, Self::NoAuth | Self::NoAuthAgain)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAuth => "no auth",
            Self::NoAuthAgain => "no auth again (A/A)",
            Self::GrpcAuth => "grpc-auth",
            Self::Jsonwebtoken => "jsonwebtoken interceptor",
            Self::TowerOauth2 => "tower-oauth2-resource-server",
        })
    }
}

/// Serves on a free port of 127.0.0.1, announced on stdout, until the process is killed.
pub(crate) async fn serve(
    column: Column,
    folder: &Path,
    algorithm: Algorithm,
) -> Result<(), Box<dyn Error>> {
    let jwks = tokens::jwks(folder)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let mut server = Server::builder();
    let announce = || println!("{port}");
    match column {
        Column::NoAuth | Column::NoAuthAgain => {
            let router = server.add_service(EchoServer::new(Plain));
            announce();
            router.serve_with_incoming(incoming).await?;
        }
        Column::GrpcAuth => {
            let issuer = Issuer::static_keys(ISSUER, jwks).accept_token_type("JWT");
            let auth = ResourceServer::builder().issuer(issuer).audience(AUDIENCE).build().await?;
            let router = server.add_service(auth.protect(Protected));
            announce();
            router.serve_with_incoming(incoming).await?;
        }
        Column::Jsonwebtoken => {
            let interceptor = interceptor(&jwks, algorithm)?;
            let router = server.add_service(EchoServer::with_interceptor(Plain, interceptor));
            announce();
            router.serve_with_incoming(incoming).await?;
        }
        Column::TowerOauth2 => {
            let audience = vec![AUDIENCE.to_owned()];
            let claims = ClaimsValidationSpec::new().iss(ISSUER).aud(&audience).exp(true);
            let tenant = TenantConfiguration::static_builder(jwks)
                .claims_validation(claims)
                .allowed_algorithms(&[algorithm.to_string().parse()?])
                .build()?;
            let auth = OAuth2ResourceServer::<Claims>::builder().add_tenant(tenant).build().await?;
            let router = server.layer(auth.into_layer()).add_service(EchoServer::new(Plain));
            announce();
            router.serve_with_incoming(incoming).await?;
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Plain;

#[tonic::async_trait]
impl Echo for Plain {
    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        echo(request)
    }

    type StreamStream = Messages;

    async fn stream(&self, request: Request<Message>) -> Result<Response<Messages>, Status> {
        repeat(request)
    }
}

#[derive(Debug)]
struct Protected;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Echo for Protected {
    #[require_scopes("read:orders")]
    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        echo(request)
    }

    type StreamStream = Messages;

    #[require_scopes("read:orders")]
    async fn stream(&self, request: Request<Message>) -> Result<Response<Messages>, Status> {
        repeat(request)
    }
}

type Messages = tokio_stream::Iter<RepeatN<Result<Message, Status>>>;

fn echo(request: Request<Message>) -> Result<Response<Message>, Status> {
    Ok(Response::new(request.into_inner()))
}

fn repeat(request: Request<Message>) -> Result<Response<Messages>, Status> {
    let message = request.into_inner();
    let count = message.repeat as usize;
    Ok(Response::new(tokio_stream::iter(std::iter::repeat_n(Ok(message), count))))
}

/// What a handler would be given.
#[derive(Clone, Debug, Deserialize)]
#[expect(dead_code, reason = "deserialized, as a user would, and not read")]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    iat: u64,
    exp: u64,
    scope: String,
    azp: String,
    permissions: Vec<String>,
}

/// What a user writes by hand, at its best: the keys are parsed once.
fn interceptor(
    jwks: &str,
    algorithm: Algorithm,
) -> Result<impl Interceptor + Clone + use<>, Box<dyn Error>> {
    let set: JwkSet = serde_json::from_str(jwks)?;
    let key = DecodingKey::from_jwk(set.keys.first().ok_or("an empty key set")?)?;
    let mut validation = Validation::new(algorithm.to_string().parse()?);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let shared = Arc::new((key, validation));
    Ok(move |mut request: Request<()>| {
        let (key, validation) = &*shared;
        let refused = || Status::unauthenticated("invalid token");
        let header = request.metadata().get("authorization").ok_or_else(refused)?;
        let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(refused)?;
        let decoded = decode::<Claims>(token, key, validation).map_err(|_| refused())?;
        request.extensions_mut().insert(Arc::new(decoded.claims));
        Ok(request)
    })
}
