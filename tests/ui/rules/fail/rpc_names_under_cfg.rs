//! Two methods of one RPC under `cfg`: the macro cannot know whether both exist, so a constant fails.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status};

mod urls_server {
    use std::sync::Arc;

    use super::*;

    #[tonic::async_trait]
    pub trait Urls: Send + Sync + 'static {
        async fn get_url(&self, request: Request<()>) -> Result<Response<()>, Status>;
        async fn get_u_r_l(&self, request: Request<()>) -> Result<Response<()>, Status>;
    }

    pub struct UrlsServer<T>(Arc<T>);

    impl<T> UrlsServer<T> {
        pub fn from_arc(service: Arc<T>) -> Self {
            Self(service)
        }
    }

    impl<T> tonic::server::NamedService for UrlsServer<T> {
        const NAME: &'static str = "a.Urls";
    }
}

struct SameRpc;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for SameRpc {
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

struct Alike;

#[grpc_auth::protect]
#[tonic::async_trait]
impl urls_server::Urls for Alike {
    #[cfg(all())]
    #[authenticated]
    async fn get_url(&self, request: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("admin:all")]
    async fn get_u_r_l(&self, request: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
