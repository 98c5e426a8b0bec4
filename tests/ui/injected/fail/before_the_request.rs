//! Parameters that are injected stand after the request.
use grpc_auth::Principal;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    async fn get(&self, caller: Principal, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_unauthenticated]
    async fn put(
        &self,
        caller: Option<Principal>,
        request: Request<Word>,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
