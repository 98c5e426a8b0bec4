//! Rules without a scope, with another value than a scope, or with a scope that the rule does not take.

use tests::pb::kit::Word;
use tests::pb::kit::names_server::{Names, NamesServer};
use tonic::{Request, Response, Status};
use tests::pb::kit::left_server::{Left, LeftServer};

struct NoScope;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Names for NoScope {
    #[require_scopes()]
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes = "read:word"]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("read:word" "write:word")]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes(42, format!("read"), "a" | "b")]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct NeedlessScope;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NeedlessScope {
    #[authenticated("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_unauthenticated("read:word")]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
