use tests::pb::kit::Word;
use tests::pb::kit::kinds_server::{Kinds, KindsServer};
use tonic::{Request, Response, Status, Streaming};

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

struct Service;

type Words = Request<Streaming<Word>>;

#[grpc_auth::protect]
#[authenticated]
#[tonic::async_trait]
impl Kinds for Service {
    async fn unary(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type ServerStreamStream = Streaming<Word>;

    async fn server_stream(
        &self,
        _: Request<Word>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    #[require(|claims: &grpc_auth::Claims<Tenant>, word: &Word| claims.tenant == word.text)]
    async fn client_stream(
        &self,
        request: Request<Streaming<Word>>,
    ) -> Result<Response<Word>, Status> {
        Err(Status::unimplemented(""))
    }

    type BidiStream = Streaming<Word>;

    // The macro does not see behind the alias.
    #[require(|claims: &grpc_auth::Claims<Tenant>| claims.tenant.is_empty())]
    async fn bidi(&self, request: Words) -> Result<Response<Self::BidiStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn open(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

fn main() {}
