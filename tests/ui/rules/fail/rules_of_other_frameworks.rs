// Attributes that other frameworks have for access rules.
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[require_roles("admin")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_anonymous]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
