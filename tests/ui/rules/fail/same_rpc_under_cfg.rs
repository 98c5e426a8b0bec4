use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[cfg(all())]
    #[require_scopes("admin:all")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_unauthenticated(rpc = "Get")]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
