use tests::pb::kit::Word;
use tests::pb::kit::names_server::{Names, NamesServer};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect(descriptor = tests::pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Names for Service {
    #[authenticated(rpc = "GetHTTPInfo")]
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[authenticated]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[authenticated(rpc = "getV2Item")]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[authenticated(rpc = "do_thing")]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[authenticated]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
