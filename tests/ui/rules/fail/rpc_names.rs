//! `rpc = ".."`: not a name, given twice, misspelt, on the impl; and two methods of one RPC.

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

struct Keys;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Keys {
    #[authenticated(rpc = "/kit.v1.Left/Get")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("read:word", rpc = "Get", rpc = "Fetch")]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct OtherKey;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for OtherKey {
    #[require_scopes("read:word", role = "admin")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct OnTheImpl;

#[grpc_auth::protect]
#[authenticated(rpc = "Get")]
#[tonic::async_trait]
impl Left for OnTheImpl {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct SameRpc;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for SameRpc {
    #[authenticated]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated(rpc = "Get")]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Alike;

#[grpc_auth::protect]
#[tonic::async_trait]
impl urls_server::Urls for Alike {
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
