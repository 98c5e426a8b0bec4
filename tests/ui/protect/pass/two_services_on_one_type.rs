use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::pb::kit::right_client::RightClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::{Kit, assert_anonymous_denied, assert_scope_denied, block_on};
use tonic::{Request, Response, Status};

#[derive(Clone, Copy)]
struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[require_scopes("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Service {
    #[require_scopes("right")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut left = LeftClient::new(kit.auth.protect::<LeftServer<_>, _>(Service));
        let mut right = RightClient::new(kit.auth.protect::<RightServer<_>, _>(Service));
        assert_anonymous_denied(left.get(Word::default()).await);
        assert_scope_denied(left.get(kit.request(Word::default(), &["right"])).await);
        assert_scope_denied(right.get(kit.request(Word::default(), &["read:word"])).await);
        assert!(right.get(kit.request(Word::default(), &["right"])).await.is_ok());
    });
}
