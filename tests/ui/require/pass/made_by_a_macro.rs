use grpc_auth::{Claims, ProtectedService};
use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, block_on, with_token};
use tonic::{Code, Request, Response, Status};

struct Service;

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

macro_rules! service {
    ($request:ty, $owns:expr, $is_named:path) => {
        #[grpc_auth::protect]
        #[authenticated]
        #[tonic::async_trait]
        impl Left for Service {
            #[require($owns)]
            async fn get(&self, request: $request) -> Result<Response<Word>, Status> {
                Ok(Response::new(request.into_inner()))
            }

            #[require($is_named)]
            async fn put(&self, request: $request) -> Result<Response<Word>, Status> {
                Ok(Response::new(request.into_inner()))
            }
        }
    };
}

fn is_named(claims: &Claims<Tenant>, _: &Word) -> bool {
    !claims.tenant.is_empty()
}

service!(Request<Word>, |claims: &Claims<Tenant>, word| claims.tenant == word.text, is_named);

pub(super) fn main() {
    // No source to read the text from: it is made of the macro's tokens.
    let policy = <Service as ProtectedService<LeftServer<_>>>::POLICY;
    let texts = policy.entries().flat_map(|entry| entry.requirements()).map(|text| text.replace(' ', ""));
    let expected = ["|claims:&Claims<Tenant>,word|claims.tenant==word.text", "is_named"];
    assert!(texts.eq(expected));
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
