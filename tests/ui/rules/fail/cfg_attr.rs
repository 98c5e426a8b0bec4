//! Rules and requirements under `cfg_attr`, and `cfg` inside a requirement.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct Rules;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Rules {
    #[cfg_attr(test, allow_unauthenticated)]
    #[cfg_attr(not(test), authenticated)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Requirements;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Requirements {
    #[authenticated]
    #[require(#[cfg(test)] |claims: &grpc_auth::Claims<Tenant>, word| claims.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[cfg_attr(not(test), require(owns))]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
