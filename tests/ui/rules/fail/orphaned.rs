use tests::pb::kit::Word;
use tests::pb::kit::left_server::Left;
use tonic::{Request, Response, Status};

struct Service;

#[tonic::async_trait]
impl Left for Service {
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

fn main() {}
