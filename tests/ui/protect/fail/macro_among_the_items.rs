//! A macro that makes methods inside the protected impl.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

macro_rules! put {
    () => {
        fn put() {}
    };
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    put!();
}

fn main() {}
