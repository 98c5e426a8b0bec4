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

struct MissingRow;

#[grpc_auth::protect(descriptor = pb::DESCRIPTOR)]
#[tonic::async_trait]
impl Shared for MissingRow {
    #[authenticated]
    async fn get(
        self: std::sync::Arc<Self>,
        request: Request<tests::pb::stubs::Word>,
    ) -> Result<Response<tests::pb::stubs::Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct SurplusRow;

#[grpc_auth::protect(descriptor = tests::pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Names for SurplusRow {
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
