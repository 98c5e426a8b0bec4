//! Requirements that name an unknown function, or a variable of the method.

use grpc_auth::Claims;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct Service;

fn owns(claims: &Claims<Tenant>, word: &Word) -> bool {
    claims.tenant == word.text
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    #[require(own)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(Self::own)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct UsesTheRequest;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for UsesTheRequest {
    #[authenticated]
    #[require(|_: &Claims<Tenant>, _| request.metadata().is_empty())]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
