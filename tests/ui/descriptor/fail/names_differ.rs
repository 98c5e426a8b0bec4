// Each method that has no RPC in the descriptor is told, with the RPC that has no method and is most
// like it; RPCs that are left over stand at the trait.
use tests::pb::kit::Word;
use tests::pb::kit::names_server::{Names, NamesServer};
use tonic::{Request, Response, Status};

struct Service;

// `Names` of another version: `GetHTTPInfo`, `FetchURL`, `getV2Items`, `Ping`, `Pong`, `Move`.
const DESCRIPTOR: &[u8] = b"\x0aR\x12\x06kit.v12H\x0a\x05Names\x12\x0d\x0a\x0bGetHTTPInfo\x12\x0a\x0a\x08FetchURL\x12\x0c\x0a\x0agetV2Items\x12\x06\x0a\x04Ping\x12\x06\x0a\x04Pong\x12\x06\x0a\x04Move";

#[grpc_auth::protect(descriptor = DESCRIPTOR)]
#[tonic::async_trait]
impl Names for Service {
    #[authenticated]
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

    #[authenticated]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
