//! Rules and requirements on an impl without `#[grpc_auth::protect]`, and on a function.

use grpc_auth::Claims;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::Left;
use tonic::{Request, Response, Status};

struct Rules;

#[tonic::async_trait]
impl Left for Rules {
    #[grpc_auth::require_scopes("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[grpc_auth::allow_unauthenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[grpc_auth::authenticated]
fn free() {}

struct Requirement;

#[tonic::async_trait]
impl Left for Requirement {
    #[grpc_auth::require(|_: &Claims<()>, _| true)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
