use grpc_auth::{BearerToken, Claims, Principal};
use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_anonymous_denied, assert_scope_denied, block_on};
use tonic::{Request, Response, Status};

struct Service;

#[derive(serde::Deserialize)]
struct Subject {
    sub: String,
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[require_scopes("read:word")]
    async fn get(
        &self,
        mut request: Request<Word>,
        claims: Claims<Subject>,
        mut again: Option<Claims<Subject>>,
        caller: Principal,
        #[cfg(any())] absent: BearerToken,
        token: BearerToken,
    ) -> Result<Response<Word>, Status> {
        assert_eq!(Some(&*claims.sub), caller.subject());
        assert_eq!(again.take().map(|again| again.sub.clone()), Some(claims.sub.clone()));
        assert!(!token.expose_secret().is_empty());
        request.get_mut().text = claims.sub.clone();
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn put(&self, _: Request<Word>, _: Principal) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
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
