//! Parameters after the request of a type that no call can provide.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

struct Database;

struct NotInjectable;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NotInjectable {
    #[authenticated]
    async fn get(
        &self,
        request: Request<Word>,
        database: Database,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(
        &self,
        request: Request<Word>,
        database: Option<Database>,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[derive(serde::Deserialize)]
struct Tenant;

struct Silent;

struct ClaimsOf;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for ClaimsOf {
    #[allow_unauthenticated]
    async fn get(
        &self,
        request: Request<Word>,
        caller: grpc_auth::Claims<Tenant>,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(
        &self,
        request: Request<Word>,
        caller: grpc_auth::Claims<Silent>,
    ) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
