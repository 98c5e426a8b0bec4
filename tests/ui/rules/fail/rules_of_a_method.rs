//! Methods without a rule or with two rules, several mistakes at once, and a rule on an
//! associated type, and rules of other frameworks.

use tests::pb::kit::Word;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tests::pb::kit::left_server::{Left, LeftServer};
use tonic::{Request, Response, Status, Streaming};

struct NoneOrTwo;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for NoneOrTwo {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("read:word")]
    #[allow_unauthenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct Several;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Several {
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("read word", any(), 7)]
    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct OtherItem;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for OtherItem {
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
    #[allow_unauthenticated]
    type ServerStreamStream = tokio_stream::Empty<Result<Word, Status>>;
    async fn server_stream(&self, _: Request<Word>) -> Result<Response<Self::ServerStreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
    async fn client_stream(&self, _: Request<Streaming<Word>>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }
    type BidiStream = tokio_stream::Empty<Result<Word, Status>>;
    async fn bidi(&self, _: Request<Streaming<Word>>) -> Result<Response<Self::BidiStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct OfOtherFrameworks;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for OfOtherFrameworks {
    #[require_roles("admin")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_anonymous]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
