use std::sync::Arc;

use grpc_auth::Claims;
use tests::pb::stubs::Word;
use tests::pb::stubs::shared_client::SharedClient;
use tests::pb::stubs::shared_server::{Shared, SharedServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, block_on, with_token};
use tonic::{Code, Request, Response, Status};

struct Service;

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Shared for Service {
    #[authenticated]
    #[require(|claims: &Claims<Tenant>, word| claims.tenant == word.text)]
    async fn get(self: Arc<Self>, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[authenticated]
    #[require(|claims: &Claims<Tenant>, _| !claims.tenant.is_empty())]
    async fn put(self: Arc<Self>, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = SharedClient::new(kit.auth.protect(Service));
        let call = |tenant: &str, text: &str| {
            with_token(word(text), &kit.issuer.token().claim("tenant", tenant).sign())
        };
        assert_anonymous_denied(client.get(word("blue")).await);
        assert!(client.get(call("blue", "blue")).await.is_ok());
        let answer = client.get(call("blue", "red")).await;
        assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
        assert!(client.put(call("blue", "red")).await.is_ok());
        let answer = client.put(call("", "red")).await;
        assert_denied(answer, Code::PermissionDenied, "PERMISSION_DENIED_BY_POLICY");
    });
}

fn word(text: &str) -> Word {
    Word { text: text.into() }
}
