//! Strings that are not a scope (RFC 6749, section 3.3).

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[require_scopes(
        "",
        "lesen:wörter",
        "read\\word",
    )]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes(
        " read:word",
        "read:\"word\"",
        "read:word write:word",
    )]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
