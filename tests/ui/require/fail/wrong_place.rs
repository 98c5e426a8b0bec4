//! Requirements on the impl, on a method for anyone, without a rule, and for the message of a stream.

use tests::pb::kit::Word;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status, Streaming};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct OnTheImpl;

#[grpc_auth::protect]
#[require(owns)]
#[tonic::async_trait]
impl Left for OnTheImpl {
    #[authenticated]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Anyone;

#[grpc_auth::protect]
#[allow_unauthenticated]
#[tonic::async_trait]
impl Left for Anyone {
    #[allow_unauthenticated]
    #[require(owns)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require(owns)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct NoRule;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NoRule {
    #[require(|claims: &grpc_auth::Claims<Tenant>, word| claims.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Streams;

type Words = Request<Streaming<Word>>;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for Streams {
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = Streaming<Word>;

    async fn server_stream(
        &self,
        _: Request<Word>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    #[require(|claims: &grpc_auth::Claims<Tenant>, word: &Word| claims.tenant == word.text)]
    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        Err(Status::unimplemented(""))
    }

    type BidiStream = Streaming<Word>;

    // The macro does not see behind the alias.
    #[require(|claims: &grpc_auth::Claims<Tenant>| claims.tenant.is_empty())]
    async fn bidi(&self, request: Words) -> Result<Response<Self::BidiStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
