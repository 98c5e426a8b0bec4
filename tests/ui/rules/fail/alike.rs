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

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl urls_server::Urls for Service {
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
