//! A service without `#[protect]` is mounted.

use grpc_auth::ResourceServer;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[tonic::async_trait]
impl Left for Service {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn mount(auth: &ResourceServer) {
    let _: grpc_auth::server::Protect<LeftServer<Service>> = auth.protect(Service);
}

fn main() {}
