use tests::pb::kit::Word;
use tests::pb::kit::names_client::NamesClient;
use grpc_auth::ProtectedService;
use tests::pb::kit::names_server::{Names, NamesServer};
use tests::{Kit, assert_anonymous_denied, assert_scope_denied, block_on};
use tonic::{Request, Response, Status};

struct Service;

#[grpc_auth::protect(descriptor = tests::pb::FILE_DESCRIPTOR_SET)]
#[tonic::async_trait]
impl Names for Service {
    #[require_scopes("info")]
    async fn get_http_info(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("url")]
    async fn get_url(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    async fn get_v2_item(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[allow_unauthenticated]
    async fn do_thing(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require_scopes("move")]
    async fn r#move(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    let policy = <Service as ProtectedService<NamesServer<Service>>>::POLICY;
    let names: Vec<_> = policy.entries().map(|entry| entry.rpc()).collect();
    assert_eq!(names, ["GetHTTPInfo", "GetURL", "getV2Item", "do_thing", "Move"]);
    block_on(async {
        let kit = Kit::start().await;
        let mut client = NamesClient::new(kit.auth.protect(Service));
        let word = Word::default;
        assert_anonymous_denied(client.get_http_info(word()).await);
        assert_scope_denied(client.get_http_info(kit.request(word(), &["url"])).await);
        assert!(client.get_http_info(kit.request(word(), &["info"])).await.is_ok());
        assert_scope_denied(client.get_url(kit.request(word(), &["info"])).await);
        assert!(client.get_url(kit.request(word(), &["url"])).await.is_ok());
        assert_anonymous_denied(client.get_v2_item(word()).await);
        assert!(client.get_v2_item(kit.request(word(), &[])).await.is_ok());
        assert!(client.do_thing(word()).await.is_ok());
        assert_scope_denied(client.r#move(kit.request(word(), &[])).await);
        assert!(client.r#move(kit.request(word(), &["move"])).await.is_ok());
    });
}
