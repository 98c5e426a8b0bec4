use std::sync::Arc;

use tests::pb::stubs::Word;
use tests::pb::stubs::shared_client::SharedClient;
use tests::pb::stubs::shared_server::{Shared, SharedServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, assert_scope_denied, block_on};
use tonic::{Code, Request, Response, Status};

struct Service;

#[tonic::async_trait]
#[grpc_auth::protect]
impl Shared for Service {
    #[require_scopes("read:word")]
    async fn get(self: Arc<Self>, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = SharedClient::new(kit.auth.protect(Service));
        assert_anonymous_denied(client.get(Word::default()).await);
        assert_scope_denied(client.get(kit.request(Word::default(), &[])).await);
        assert!(client.get(kit.request(Word::default(), &["read:word"])).await.is_ok());
        // The stub has neither entry nor guard.
        assert_anonymous_denied(client.put(Word::default()).await);
        let answer = client.put(kit.request(Word::default(), &[])).await;
        assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
    });
}
