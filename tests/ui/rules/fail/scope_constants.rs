//! Constants in rules: one that does not exist, and one of another type than `Scope`.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

mod scopes {
    pub const READ: grpc_auth::Scope = grpc_auth::Scope::from_static("read:word");
}

const READ: &str = "read:word";

struct Misspelt;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Misspelt {
    #[require_scopes(scopes::REED)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct OtherType;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for OtherType {
    #[require_scopes(READ)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
