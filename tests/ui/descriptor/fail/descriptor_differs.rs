//! Descriptors that cannot be read, that lack the service, or whose RPCs differ from the rules.

use tests::pb::kit::Word;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::pb::stubs::shared_server::{Shared, SharedServer};
use tonic::{Request, Response, Status};

const NOT_A_DESCRIPTOR: &[u8] = b"not protobuf";

struct NotADescriptor;

#[grpc_auth::protect(descriptor = NOT_A_DESCRIPTOR)]
#[tonic::async_trait]
impl Left for NotADescriptor {
    #[authenticated]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

const EMPTY: &[u8] = &[];

struct AnotherService;

#[grpc_auth::protect(descriptor = EMPTY)]
#[tonic::async_trait]
impl Left for AnotherService {
    #[authenticated]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

// `Put` is left to the default stub: the descriptor shows it.
mod pb {
    pub const DESCRIPTOR: &[u8] = b"\x0a\x2b\x12\x05stubs\x32\x22\x0a\x06Shared\x12\x0b\x0a\x03Get\x12\x01a\x1a\x01a\x12\x0b\x0a\x03Put\x12\x01a\x1a\x01a";
}

struct MissingMethod;

#[grpc_auth::protect(descriptor = pb::DESCRIPTOR)]
#[tonic::async_trait]
impl Shared for MissingMethod {
    #[authenticated]
    async fn get(
        self: std::sync::Arc<Self>,
        request: Request<tests::pb::stubs::Word>,
    ) -> Result<Response<tests::pb::stubs::Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

// Each method without an RPC has a message at its name, with the RPC without a method that is most like
// it; the RPCs left over stand at the trait.
struct NamesDiffer;

// `Names` of another version: `GetHTTPInfo`, `FetchURL`, `getV2Items`, `Ping`, `Pong`, `Move`.
const OTHER_NAMES: &[u8] = b"\x0aR\x12\x06kit.v12H\x0a\x05Names\x12\x0d\x0a\x0bGetHTTPInfo\x12\x0a\x0a\x08FetchURL\x12\x0c\x0a\x0agetV2Items\x12\x06\x0a\x04Ping\x12\x06\x0a\x04Pong\x12\x06\x0a\x04Move";

#[grpc_auth::protect(descriptor = OTHER_NAMES)]
#[tonic::async_trait]
impl Names for NamesDiffer {
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
