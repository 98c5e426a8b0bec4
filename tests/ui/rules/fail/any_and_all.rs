//! `any(..)` and `all(..)`: empty, misspelt, with a scope twice, with an attribute inside.

use tests::pb::kit::Word;
use tests::pb::kit::names_server::{Names, NamesServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Names for Service {
    #[require_scopes("read:word", any())]
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes(any("read:word", all()))]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes(one_of("a", "b"))]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("read:word", any("a", "b", "a"), "read:word")]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes(any("admin:all", #[cfg(test)] "dev:backdoor"))]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
