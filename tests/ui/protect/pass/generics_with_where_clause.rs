use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_anonymous_denied, assert_scope_denied, block_on};
use tonic::{Request, Response, Status};

struct Service<T, const N: usize> {
    store: [T; N],
}

trait Store {
    fn word(&self) -> String;
}

impl Store for u8 {
    fn word(&self) -> String {
        self.to_string()
    }
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl<T: Send + Sync, const N: usize> Left for Service<T, N>
where
    T: Store + 'static, {
    #[require_scopes("read:word")]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        let _ = request;
        Ok(Response::new(Word { text: self.store[0].word() }))
    }

    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = LeftClient::new(kit.auth.protect(Service { store: [7_u8, 8] }));
        assert_anonymous_denied(client.get(Word::default()).await);
        assert_scope_denied(client.get(kit.request(Word::default(), &["write:word"])).await);
        assert!(client.get(kit.request(Word::default(), &["read:word"])).await.is_ok());
        assert_anonymous_denied(client.put(Word::default()).await);
        assert!(client.put(kit.request(Word::default(), &[])).await.is_ok());
    });
}
