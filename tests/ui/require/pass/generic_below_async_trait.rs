use std::marker::PhantomData;

use grpc_auth::{Claims, Principal};
use serde::de::DeserializeOwned;
use tests::pb::kit::Word;
use tests::pb::kit::left_client::LeftClient;
use tests::pb::kit::left_server::{Left, LeftServer};
use tests::{Kit, assert_anonymous_denied, assert_denied, block_on, with_token};
use tonic::{Code, Request, Response, Status};

trait Owner: DeserializeOwned + Send + Sync + 'static {
    fn name(&self) -> &str;
}

#[derive(serde::Deserialize)]
struct Tenant {
    tenant: String,
}

impl Owner for Tenant {
    fn name(&self) -> &str {
        &self.tenant
    }
}

struct Service<T, const N: usize>(PhantomData<T>);

impl<T: Owner, const N: usize> Service<T, N> {
    fn owns(claims: &Claims<T>, word: &Word) -> bool {
        claims.name() == word.text
    }
}

#[tonic::async_trait]
#[grpc_auth::protect]
impl<T, const N: usize> Left for Service<T, N>
where
    T: Owner,
{
    #[authenticated]
    #[grpc_auth::require(Self::owns)]
    #[require(|claims: &Claims<T>, word| claims.name().len() + word.text.len() > N)]
    async fn get(&self, _: Request<Word>) -> Result<Response<Word>, Status> {
        Ok(Response::new(Word::default()))
    }

    #[require(|claims: &Claims<T>, Word { text }: &Word| !claims.name().is_empty() && text.len() > N)]
    #[authenticated]
    async fn put(
        &self,
        mut request: Request<Word>,
        caller: Principal,
    ) -> Result<Response<Word>, Status> {
        request.get_mut().text.push_str(caller.issuer());
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) fn main() {
    block_on(async {
        let kit = Kit::start().await;
        let mut client = LeftClient::new(kit.auth.protect(Service::<Tenant, 2>(PhantomData)));
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
