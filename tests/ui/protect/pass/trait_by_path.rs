use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::{Kit, assert_anonymous_denied, assert_scope_denied, block_on};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect]
#[tonic::async_trait]
impl tests::pb::kit::left_server::Left for Service {
    #[require_scopes("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = LeftClient::new(kit.auth.protect(Service));
        assert_anonymous_denied(client.get(Word::default()).await);
        assert_scope_denied(client.get(kit.request(Word::default(), &["write:word"])).await);
        assert!(client.get(kit.request(Word::default(), &["read:word"])).await.is_ok());
        assert_anonymous_denied(client.put(Word::default()).await);
        assert!(client.put(kit.request(Word::default(), &[])).await.is_ok());
    });
}
