//! Nothing in the expansion is worth a warning.
#![deny(warnings, missing_docs, unused_qualifications, clippy::all)]

use grpc_auth::Claims;
use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, block_on, with_token};
use tonic::{Code, Request, Response, Status};

/// Public, so that everything about it wants documents.
pub struct Service;

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

fn owns(claims: &Claims<Tenant>, word: &Word) -> bool {
    claims.tenant == word.text
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Left for Service {
    #[authenticated]
    #[require(owns)]
    async fn get(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    #[require(|claims: &Claims<Tenant>, _| !claims.tenant.is_empty())]
    #[authenticated]
    async fn put(&self, request: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = LeftClient::new(kit.auth.protect(Service));
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
