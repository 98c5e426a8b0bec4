//! Requirements whose claims borrow from the token.

use grpc_auth::Claims;
use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Service;

#[derive(serde::Deserialize)]
struct Borrowed<'a> {
    tenant: &'a str,
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    #[require(|claims: &Claims<Borrowed<'_>>, word| claims.tenant == word.text)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims: &Claims<Borrowed<'static>>, word| claims.tenant == word.text)]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
