use tests::pb::kit::Word;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tonic::{Request, Response, Status, Streaming};

struct Service;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for Service {
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

fn main() {}
