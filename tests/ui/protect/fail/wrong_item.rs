//! `#[protect]` on an item that is not the impl of a service trait, and on a method without a request.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

#[grpc_auth::protect]
async fn get(name: &str) -> usize {
    name.len()
}

#[grpc_auth::protect]
mod service {}

#[grpc_auth::protect]
pub struct Service {
    pub name: String,
}

#[grpc_auth::protect]
impl Service {
    #[authenticated]
    fn get(&self) {}
}

struct NoRequest;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NoRequest {
    #[authenticated]
    async fn get(&self) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {
    let _ = Service { name: String::new() };
}
